"""What a session asks of the place where it is held: a window, a robot's window, or no screen.

The session (`behavior.session`) decides what comes next and writes everything down; a stage shows
it and reports what happened. The PsychoPy window is one stage, a simulated observer is another, so
that both go through the very same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

PageKind = Literal["consent", "instructions", "familiarisation", "practice", "break", "debrief"]


class SessionStopped(Exception):
    """The participant or the assistant asked to stop, and confirmed it."""


@dataclass(frozen=True)
class Page:
    """A text to read, with or without a picture.

    Attributes
    ----------
    kind : str
        What it is for; a stage may lay pages out by it.
    text : str
        Any language and script; a first line that starts with "# " is the title, an empty line
        separates paragraphs.
    picture : Path, optional
        A still, shown large above the text.
    go_on : str
        What the button says that leads on.
    refuse : str
        What the button says that declines (consent); empty where there is no such choice.
    progress : float, optional
        Share of the session that is done, 0..1, shown as a bar.
    least_s : float
        Seconds before the page can be left.
    most_s : float, optional
        Seconds after which the page leaves by itself (familiarisation stills).
    """

    kind: PageKind
    text: str
    go_on: str
    picture: Path | None = None
    refuse: str = ""
    progress: float | None = None
    least_s: float = 0.0
    most_s: float | None = None


@dataclass(frozen=True)
class PageReply:
    """How a page was left: `accepted` unless declined, after `seconds`."""

    accepted: bool
    seconds: float


@dataclass(frozen=True)
class ClipToShow:
    """One stimulus: its file and, for videos, its frame times.

    Attributes
    ----------
    stimulus_id : str
    path : Path
        MP4, or PNG for a photograph.
    fps : float
        Frames per second of the file; 0 for a photograph.
    n_frames : int
        Frames to show: the first so many of the file, which may have more.
    still_s : float
        How long a photograph is shown, seconds.
    """

    stimulus_id: str
    path: Path
    fps: float
    n_frames: int
    still_s: float = 2.0

    @property
    def duration_s(self) -> float:
        """How long it is meant to be seen, seconds."""
        return self.n_frames / self.fps if self.fps > 0 else self.still_s


@dataclass(frozen=True)
class Presentation:
    """How a clip was really shown; times in seconds on the stage's own monotonic clock.

    Attributes
    ----------
    onset_s : float
        The flip that showed the first frame.
    duration_s : float
        From that flip to the one that took the last frame away.
    intended_s : float
        The clip's own duration.
    waited_s : float
        From the end of the last reply to the moment at which the clip could have started.
    n_frames : int
        Frames of the clip that reached the screen.
    n_dropped : int
        Frames of the clip that never did.
    n_late : int
        Flips that came more than half a screen frame late.
    """

    onset_s: float
    duration_s: float
    intended_s: float
    waited_s: float
    n_frames: int
    n_dropped: int
    n_late: int


@dataclass(frozen=True)
class Question:
    """The labels to choose from, in the order shown.

    Attributes
    ----------
    labels : sequence of str
    prompt : str
        Stands above them.
    limit_s : float, optional
        Seconds to answer; none for as long as it takes.
    """

    labels: Sequence[str]
    prompt: str
    limit_s: float | None = None


@dataclass(frozen=True)
class Reply:
    """What was chosen.

    Attributes
    ----------
    position : int or None
        Counted from 0 in the order shown; None when the time was over.
    rt_s : float
        From the flip that showed the labels to the press or touch, seconds.
    device : {"keyboard", "mouse", "touch", "simulated", ""}
    """

    position: int | None
    rt_s: float
    device: str = ""


@dataclass(frozen=True)
class TrialFacts:
    """What a stage may be told of a trial before it is shown (a simulated observer needs it).

    Attributes
    ----------
    kind : {"practice", "test", "catch"}
    clip_id, action, condition : str
    """

    kind: str
    clip_id: str
    action: str
    condition: str


@dataclass(frozen=True)
class Contents:
    """All that a session is going to show besides its clips.

    Attributes
    ----------
    pages : sequence of Page
    questions, scales : sequence of Question
        Labels to choose from; steps to rate with.
    remarks : sequence of str
        What practice says of answers.
    """

    pages: Sequence[Page] = ()
    questions: Sequence[Question] = ()
    scales: Sequence[Question] = ()
    remarks: Sequence[str] = ()


class Stage(Protocol):
    """The place where a session is held.

    Every method that waits for a person raises `SessionStopped` when Escape was pressed and
    stopping confirmed.
    """

    def open(self) -> dict[str, Any]:
        """Open the screen; return its facts for the record (size, refresh rate, backend, ...)."""
        ...

    def rehearse(self, contents: Contents) -> None:
        """Find out, without showing it, whether everything can be shown; the stage is open.

        Raises
        ------
        StudyError
            When something cannot: better now than in the middle.
        """
        ...

    def changes(self) -> dict[str, Any]:
        """Return what is otherwise by now than `open` said, each change once."""
        ...

    def close(self) -> None:
        """Close the screen; may be called twice."""
        ...

    def show_page(self, page: Page) -> PageReply:
        """Show a page until it is left."""
        ...

    def prepare(self, clip: ClipToShow) -> None:
        """Start to load a clip in the background; returns at once."""
        ...

    def show_clip(self, clip: ClipToShow, trial: TrialFacts) -> Presentation:
        """Show fixation or countdown, then the clip once at its own rate."""
        ...

    def ask(self, question: Question) -> Reply:
        """Show the labels and wait for a choice."""
        ...

    def rate(self, question: Question) -> Reply:
        """Ask how sure the participant is; the labels are the steps of the scale."""
        ...

    def give_feedback(self, text: str, is_correct: bool) -> None:
        """Show the outcome of a practice trial for a moment."""
        ...

    def show_progress(self, text: str) -> None:
        """Tell the assistant's screen, where there is one, how far the session is."""
        ...

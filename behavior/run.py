"""The loop over a session's steps, the same for people at a screen and simulated observers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from behavior.contents import attention_page, question_of, remark_of, scale_of
from behavior.flow import PageStep, Step, TrialStep, trials_in, welcome_back
from behavior.journal import Event, Record
from behavior.pages import Texts
from behavior.stage import ClipToShow, Page, Reply, Stage, TrialFacts
from behavior.state import SessionState, follow, is_right, state_of
from behavior.trial import Trial
from study.errors import StudyError
from study.fields.session import Session


def no_time() -> str:
    """Give no time of day, so that equal runs leave equal bytes."""
    return ""


class ConsentDeclined(Exception):
    """The participant did not agree to take part."""


@dataclass(frozen=True)
class Place:
    """What a run needs besides its steps.

    Attributes
    ----------
    stage : Stage
    record : Record
    settings : Session
    texts : Texts
    clips : mapping of str to ClipToShow
        By stimulus_id.
    time_utc : callable
        Gives the time of day as ISO 8601 text, for information only.
    at_break : callable
        Called when a break begins.
    """

    stage: Stage
    record: Record
    settings: Session
    texts: Texts
    clips: Mapping[str, ClipToShow]
    time_utc: Callable[[], str] = no_time
    at_break: Callable[[], None] = lambda: None


def run_steps(place: Place, steps: Sequence[Step]) -> None:
    """Do the steps that the record does not hold yet, in their order.

    Each answer is on record before the next step begins.

    Raises
    ------
    SessionStopped, ConsentDeclined
        As they come from the stage.
    """
    _Run(place, steps).go()


class _Run:
    def __init__(self, place: Place, steps: Sequence[Step]) -> None:
        self.place = place
        self.steps = steps
        self.state: SessionState = state_of(place.record.events)
        self.n_main = sum(trial.kind != "practice" for trial in trials_in(steps))
        self.n_done = sum(
            self.state.begun[key]["kind"] != "practice" for key in self.state.answered
        )
        self.n_misses = 0

    def go(self) -> None:
        left = [step for step in self.steps if not self._is_done(step)]
        upcoming = trials_in(left)
        if upcoming:
            self._prepare(upcoming[0])
        if self.state.answered or self.state.pages_left - {"consent"}:
            left = self._welcome_back(left)
        following = [*upcoming[1:], None]
        for step in left:
            if isinstance(step, PageStep):
                self._show_page(step.name, step.page)
            else:
                self._do_trial(step, following.pop(0))

    def _welcome_back(self, left: list[Step]) -> list[Step]:
        """Say that it goes on; that is break enough where a break would come next."""
        self.place.stage.show_page(welcome_back(self.place.texts, self.steps, self.n_done))
        is_break = bool(left) and isinstance(left[0], PageStep) and left[0].page.kind == "break"
        return left[1:] if is_break else left

    def _is_done(self, step: Step) -> bool:
        if isinstance(step, PageStep):
            return step.name in self.state.pages_left
        return step.trial.key in self.state.answered

    def _write(self, name: str, **facts: object) -> None:
        self.place.record.write(name, **facts)
        follow(self.state, self.place.record.events[-1])

    def _note(self, name: str, **facts: object) -> None:
        self.place.record.note(name, **facts)
        follow(self.state, self.place.record.events[-1])

    def _prepare(self, trial: Trial) -> None:
        self.place.stage.prepare(self.place.clips[trial.stimulus_id])

    def _show_page(self, name: str, page: Page) -> None:
        if page.kind == "break":
            self.place.at_break()
        reply = self.place.stage.show_page(page)
        if not reply.accepted:
            raise ConsentDeclined
        self._note_changes()
        self._write("page", page=name, seconds=reply.seconds, time_utc=self.place.time_utc())

    def _do_trial(self, step: TrialStep, following: Trial | None) -> None:
        trial, stage = step.trial, self.place.stage
        times_before = self.state.times_begun[trial.key]
        self._note("trial", **asdict(trial), times_before=times_before)
        facts = TrialFacts(trial.kind, trial.clip_id, trial.action, trial.condition)
        presentation = stage.show_clip(self.place.clips[trial.stimulus_id], facts)
        self._note("shown", **_key(trial), **asdict(presentation))
        if following is not None:
            self._prepare(following)
        reply = stage.ask(question_of(self.place.settings, self.place.texts, trial.choices))
        self._take_answer(trial, reply)
        if trial.kind == "practice":
            self._give_feedback(trial, reply)
        else:
            self.n_done += 1
            self._show_progress(trial, reply)
        if trial.kind == "catch":
            self._check_attention(trial)

    def _take_answer(self, trial: Trial, reply: Reply) -> None:
        if reply.position is not None and not 0 <= reply.position < len(trial.choices):
            raise StudyError(
                f"participant {trial.participant}, trial {trial.trial}: position {reply.position} "
                f"was chosen; expected 0 to {len(trial.choices) - 1}"
            )
        facts = {
            **_key(trial),
            "position": reply.position,
            "rt_s": reply.rt_s,
            "device": reply.device,
            "time_utc": self.place.time_utc(),
        }
        self._note_changes()
        if reply.position is None or not self.place.settings.confidence.ask:
            self._write("answered", **facts)
            return
        # The answer is on its way to the disk while the participant rates it.
        self._note("answered", **facts)
        rating = self.place.stage.rate(scale_of(self.place.settings, self.place.texts))
        step = None if rating.position is None else rating.position + 1
        self._write("rated", **_key(trial), step=step, rt_s=rating.rt_s)

    def _note_changes(self) -> None:
        """Note what is otherwise on the stage, for instance a keyboard that fell silent."""
        changes = self.place.stage.changes()
        if changes:
            self._note("stage changed", **changes)

    def _give_feedback(self, trial: Trial, reply: Reply) -> None:
        if not self.place.settings.flow.practice_feedback:
            return
        words = self.place.texts.words
        if reply.position is None:
            self.place.stage.give_feedback(words["too_late"], False)
            return
        is_correct = is_right(self.state, trial)
        text = words["right"] if is_correct else remark_of(self.place.texts, trial.action)
        self.place.stage.give_feedback(text, is_correct)

    def _show_progress(self, trial: Trial, reply: Reply) -> None:
        took = "no answer in time" if reply.position is None else f"{reply.rt_s:.1f} s"
        text = f"{trial.participant}: {self.n_done} of {self.n_main} trials done"
        checks = [
            is_right(self.state, Trial.of_event(self.state.begun[key]))
            for key in self.state.answered
            if self.state.begun[key]["kind"] == "catch"
        ]
        said = f"; attention checks right: {sum(checks)} of {len(checks)}" if checks else ""
        self.place.stage.show_progress(f"{text}; last answer: {took}{said}")

    def _check_attention(self, trial: Trial) -> None:
        """Show a page after several wrong attention checks in a row."""
        self.n_misses = 0 if is_right(self.state, trial) else self.n_misses + 1
        after = self.place.settings.flow.attention_page_after
        if not after or self.n_misses < after:
            return
        self.n_misses = 0
        page = attention_page(self.place.texts)
        if page.text:
            self._show_page(f"attention-{trial.session}.{trial.trial}", page)


def _key(trial: Trial) -> Event:
    return {"session": trial.session, "trial": trial.trial}

"""The steps of a session in order: pages, stills and trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from behavior.pages import Texts, as_read
from behavior.stage import Page, PageKind
from behavior.trial import Trial
from study.fields.session import Session

# For the time that the consent page names; a guess that pages of one's own need not use.
SECONDS_PER_TRIAL, SECONDS_PER_STILL = 8.0, 4.0


@dataclass(frozen=True)
class PageStep:
    """A page; `name` tells it from the session's others."""

    name: str
    page: Page


@dataclass(frozen=True)
class TrialStep:
    """A trial."""

    trial: Trial


Step = PageStep | TrialStep


def session_steps(
    settings: Session,
    texts: Texts,
    trials: Sequence[Trial],
    stills: Sequence[tuple[str, Path]],
) -> list[Step]:
    """Return all steps of a session.

    Parameters
    ----------
    settings : Session
    texts : Texts
    trials : sequence of Trial
        The whole list, practice first.
    stills : sequence of (label, picture)
        What familiarisation shows, in order.
    """
    flow = settings.flow
    wanted = trials_shown(settings, trials)
    practice = [trial for trial in wanted if trial.kind == "practice"]
    main = wanted[len(practice) :]
    shown = stills if flow.familiarisation else []
    values = _values(trials, practice, main, len(shown))
    writer = _Writer(settings, texts, values)
    steps: list[Step] = writer.page("consent") if flow.consent else []
    steps += writer.page("instructions")
    if shown:
        steps += writer.page("familiarisation") + writer.stills(shown)
    if practice:
        steps += writer.page("practice") + [TrialStep(trial) for trial in practice]
    steps += writer.page("start")
    steps += writer.with_breaks(main)
    return steps + writer.page("debrief")


def trials_shown(settings: Session, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of a list that the session shows, in order: practice, then the others."""
    practice = [trial for trial in trials if trial.kind == "practice" and settings.flow.practice]
    return practice + [trial for trial in trials if trial.kind != "practice"]


def trials_in(steps: Sequence[Step]) -> list[Trial]:
    """Return the trials among the steps."""
    return [step.trial for step in steps if isinstance(step, TrialStep)]


def welcome_back(texts: Texts, steps: Sequence[Step], n_done: int) -> Page:
    """Return the short page with which an interrupted session goes on."""
    main = [trial for trial in trials_in(steps) if trial.kind != "practice"]
    text = texts.page("welcome_back", n_done=n_done, n_trials=len(main))
    share = n_done / len(main) if main else 0.0
    return Page("break", text, texts.words["go_on"], progress=share)


def _values(
    trials: Sequence[Trial], practice: Sequence[Trial], main: Sequence[Trial], n_stills: int
) -> dict[str, object]:
    """Return what the placeholders of the pages stand for."""
    seconds = (len(practice) + len(main)) * SECONDS_PER_TRIAL + n_stills * SECONDS_PER_STILL
    return {
        "n_trials": len(main),
        "n_practice": len(practice),
        "n_stills": n_stills,
        "n_choices": len(trials[0].choices),
        "minutes": max(5, 5 * round(seconds / 300)),
    }


@dataclass(frozen=True)
class _Writer:
    settings: Session
    texts: Texts
    values: dict[str, object]

    def page(self, name: str) -> list[Step]:
        """Return the page of that name, or nothing where its text is empty."""
        text = self.texts.page(name, **self.values)
        if not text:
            return []
        words = self.texts.words
        kind: PageKind = "instructions"
        if name in ("consent", "familiarisation", "practice", "debrief"):
            kind = name  # type: ignore[assignment]
        go_on = {"consent": words["agree"], "debrief": words["finish"]}.get(name, words["go_on"])
        refuse = words["decline"] if name == "consent" else ""
        return [PageStep(name, Page(kind, text, go_on, refuse=refuse))]

    def stills(self, stills: Sequence[tuple[str, Path]]) -> list[Step]:
        """Return a page per still."""
        most_s = self.settings.flow.familiarisation_s
        go_on = self.texts.words["go_on"]
        return [
            PageStep(
                f"familiarisation-{place}",
                Page(
                    "familiarisation",
                    as_read(label),
                    go_on,
                    picture=picture,
                    progress=place / len(stills),
                    most_s=most_s,
                ),
            )
            for place, (label, picture) in enumerate(stills, start=1)
        ]

    def with_breaks(self, main: Sequence[Trial]) -> list[Step]:
        """Return the trials with a break after every so many, but not after the last."""
        every = self.settings.flow.break_every
        steps: list[Step] = []
        for n_done, trial in enumerate(main, start=1):
            steps.append(TrialStep(trial))
            if every and n_done % every == 0 and n_done < len(main):
                steps += self._break(n_done, len(main))
        return steps

    def _break(self, n_done: int, n_trials: int) -> list[Step]:
        text = self.texts.page("break", **self.values | {"n_done": n_done})
        if not text:
            return []
        least_s = self.settings.timing.break_least_s
        go_on, share = self.texts.words["go_on"], n_done / n_trials
        page = Page("break", text, go_on, progress=share, least_s=least_s)
        return [PageStep(f"break-{n_done}", page)]

"""Whose answers, and which answers, are not analysed: the study file's rules, counted step by step.

Rules judge people and simulated observers, never networks. Observers go first, by hand, by catch
clips, by accuracy, by fast answers; each rule judges those whom the earlier ones kept, by all of
their answers. Single answers that are too fast or too slow go last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from analysis.groups import OBSERVERS
from analysis.sentences import listed
from study.config import Study
from study.errors import StudyError
from study.fields import Exclusions

FLOW = [
    "step",
    "rule",
    "n_observers_before",
    "n_observers_after",
    "n_trials_before",
    "n_trials_after",
    "who",
]
JUDGED_ON = "body_background"


@dataclass
class Kept:
    """What is analysed and what is not.

    Attributes
    ----------
    table : DataFrame
        The response rows that stay.
    left_out : DataFrame
        Those that do not, with `rule`, the rule that took them.
    flow : DataFrame
        A row per rule in force with the columns in `FLOW`, of observers only; `who` names
        observers as "group:observer", each with the value that decided.
    sentence : str
        The flow in words, for a report.
    notes : list of str
        Who could not be judged, and what else a reader must know.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    flow: pd.DataFrame
    sentence: str
    notes: list[str] = field(default_factory=list)


def apply_exclusions(
    study: Study, responses: pd.DataFrame, catch: pd.DataFrame | None = None
) -> Kept:
    """Apply the rules of the study file's `exclusions` to checked response rows.

    Parameters
    ----------
    study : Study
    responses : DataFrame
        Rows of `study.tables.responses_schema`.
    catch : DataFrame, optional
        Such rows of the plan's catch trials. They are judged by the rule on catch clips and are
        never analysed, so they are not counted as left out.

    Raises
    ------
    StudyError
        When a rule names an observer or a clip that no response has, the rule on catch clips has
        no answer to judge by, or nobody is left.
    """
    flow = _Flow(responses)
    rules = study.exclusions
    _by_hand(flow, rules)
    _catch(flow, rules, responses.iloc[:0] if catch is None else catch)
    _accuracy(flow, rules)
    _fast_observers(flow, rules)
    _single_answers(flow, rules)
    if flow.n_at_start and not flow.is_person.any():
        raise StudyError(
            f"exclusions: no answer of the {flow.n_at_start} observers is left; "
            f"the rules took {flow.who_went()}"
        )
    kept = responses[flow.is_kept].reset_index(drop=True)
    left_out = responses[~flow.is_kept].assign(rule=flow.rule[~flow.is_kept])
    steps = pd.DataFrame(flow.steps, columns=FLOW)
    sentence = _sentence(steps, flow.n_at_start, flow.n_trials_at_start)
    return Kept(kept, left_out.reset_index(drop=True), steps, sentence, flow.notes)


class _Flow:
    """Which rows are still in, and the steps so far."""

    def __init__(self, responses: pd.DataFrame) -> None:
        self.responses = responses
        self.who = responses["group"] + ":" + responses["observer"]
        self._of_people = responses["group"].isin(OBSERVERS)
        self.is_kept = pd.Series(True, responses.index)
        self.rule = pd.Series("", responses.index)
        self.steps: list[tuple] = []
        self.notes: list[str] = []
        self.n_at_start, self.n_trials_at_start = self._count()

    @property
    def is_person(self) -> pd.Series:
        """Rows of observers that are still in."""
        return self.is_kept & self._of_people

    @property
    def people(self) -> pd.DataFrame:
        """Rows of observers that are still in, with `who`."""
        return self.responses[self.is_person].assign(who=self.who[self.is_person])

    def take(self, step: str, rule: str, rows: pd.Series, who: str) -> None:
        """Take out rows that are still in, and write the step down."""
        before = self._count()
        taken = rows & self.is_kept
        self.is_kept = self.is_kept & ~taken
        self.rule[taken] = step
        after = self._count()
        self.steps.append((step, rule, before[0], after[0], before[1], after[1], who))

    def take_observers(self, step: str, rule: str, why: dict[str, str]) -> None:
        """Take out observers, each with the value that decided."""
        who = "; ".join(f"{name} ({reason})" for name, reason in sorted(why.items()))
        self.take(step, rule, self._of_people & self.who.isin(list(why)), who)

    def who_went(self) -> str:
        """Say how many observers and answers each step took."""
        parts = [f"{s[0]}: {s[2] - s[3]} observers, {s[4] - s[5]} answers" for s in self.steps]
        return "; ".join(parts)

    def _count(self) -> tuple[int, int]:
        return self.who[self.is_person].nunique(), int(self.is_person.sum())


def _by_hand(flow: _Flow, rules: Exclusions) -> None:
    if not rules.by_hand:
        return
    present = set(flow.people["observer"])
    unknown = sorted(set(rules.by_hand) - present)
    if unknown:
        raise StudyError(
            f"exclusions.by_hand names {unknown}, who gave no answer; "
            f"expected some of {', '.join(sorted(present)) or 'none'}"
        )
    people = flow.people[["who", "observer"]].drop_duplicates()
    why = {
        who: rules.by_hand[name]
        for who, name in people.itertuples(index=False)
        if name in rules.by_hand
    }
    flow.take_observers("by hand", "named in the study file", why)


def _catch(flow: _Flow, rules: Exclusions, planned: pd.DataFrame) -> None:
    """Judge people by their catch trials; set the clips that the rule names aside for everyone."""
    is_catch = flow.responses["clip_id"].isin(rules.catch_clips)
    unknown = sorted(set(rules.catch_clips) - set(flow.responses["clip_id"]))
    if unknown:
        raise StudyError(f"exclusions.catch_clips: {unknown} are clips that nobody answered")
    if rules.min_catch_accuracy > 0:
        planned = planned.assign(who=planned["group"] + ":" + planned["observer"])
        planned = planned[planned["who"].isin(flow.people["who"])]
        rows = pd.concat([flow.people[is_catch[flow.is_person]], planned])
        if rows.empty and len(flow.people):
            raise StudyError(
                f"exclusions.min_catch_accuracy = {rules.min_catch_accuracy:.3g}, but nobody "
                "answered a catch trial; expected trials.n_catch above 0 or exclusions.catch_clips"
            )
        rule = f"right in at least {rules.min_catch_accuracy:.3g} of the catch clips"
        _judge(flow, "catch clips", rule, rows, rules.min_catch_accuracy, "no catch clip")
    if rules.catch_clips:
        flow.take("catch clips set aside", "clips that only check attention", is_catch, "")


def _accuracy(flow: _Flow, rules: Exclusions) -> None:
    if rules.min_accuracy == 0:
        return
    people = flow.people
    rows = people[people["condition"] == JUDGED_ON]
    rule = f"right in at least {rules.min_accuracy:.3g} of the originals"
    _judge(flow, "accuracy", rule, rows, rules.min_accuracy, "no original")


def _judge(flow: _Flow, step: str, rule: str, rows: pd.DataFrame, least: float, lack: str) -> None:
    """Take out who is right in too small a share of some rows."""
    share = rows.groupby("who")["correct"].mean()
    _note_unjudged(flow, step, set(share.index), lack)
    below = share[share < least]
    flow.take_observers(step, rule, {who: f"{value:.3f}" for who, value in below.items()})


def _fast_observers(flow: _Flow, rules: Exclusions) -> None:
    if rules.max_share_fast == 1:
        return
    timed = flow.people.dropna(subset="rt_s")
    share = (timed["rt_s"] < rules.min_rt_s).groupby(timed["who"]).mean()
    _note_unjudged(flow, "fast answers", set(share.index), "no reaction time")
    rule = f"at most {rules.max_share_fast:.3g} of answers faster than {rules.min_rt_s:.3g} s"
    above = share[share > rules.max_share_fast]
    why = {who: f"{value:.3f}" for who, value in above.items()}
    flow.take_observers("fast answers", rule, why)


def _single_answers(flow: _Flow, rules: Exclusions) -> None:
    if rules.min_rt_s == 0 and rules.max_rt_s is None:
        return
    rt_s = flow.responses["rt_s"].where(flow.is_person)
    untimed = int(flow.people["rt_s"].isna().sum())
    if untimed:
        flow.notes.append(
            f"exclusions: {untimed} answers of observers have no reaction time and are kept"
        )
    steps: list[tuple[str, str, Callable[[pd.Series], pd.Series]]] = []
    if rules.min_rt_s > 0:
        least = rules.min_rt_s
        steps.append(("too fast", f"faster than {least:.3g} s", lambda rt: rt < least))
    if rules.max_rt_s is not None:
        most = rules.max_rt_s
        steps.append(("too slow", f"slower than {most:.3g} s", lambda rt: rt > most))
    for step, rule, is_out in steps:
        out = is_out(rt_s)
        by_person = flow.who[out & flow.is_person].value_counts().sort_index()
        flow.take(step, rule, out, "; ".join(f"{who} ({n})" for who, n in by_person.items()))


def _note_unjudged(flow: _Flow, step: str, judged: set[str], lack: str) -> None:
    unjudged = sorted(set(flow.people["who"]) - judged)
    if unjudged:
        flow.notes.append(
            f"exclusions, {step}: {', '.join(unjudged)} answered {lack} and could not be judged: "
            "kept"
        )


def _sentence(steps: pd.DataFrame, n_observers: int, n_trials: int) -> str:
    """Say what the rules did."""
    if not n_observers:
        return "No exclusion rule applies: there are no observers."
    if steps.empty:
        return f"No exclusion rule is in force: all {n_observers} observers are analysed."
    went = steps["n_observers_before"] - steps["n_observers_after"]
    parts = [f"{n} by the rule on {step}" for n, step in zip(went, steps["step"], strict=True) if n]
    parts = [part.replace("the rule on by hand", "hand") for part in parts]
    said = f" ({listed(parts)})" if parts else ""
    n_left = int(steps["n_observers_after"].iloc[-1])
    left_trials = int(steps["n_trials_after"].iloc[-1])
    n_out = n_observers - n_left
    verb = "was" if n_out == 1 else "were"
    return (
        f"Of {n_observers} observers, {n_out or 'none'} {verb} left out{said}; "
        f"{left_trials} of {n_trials} answers are analysed."
    )

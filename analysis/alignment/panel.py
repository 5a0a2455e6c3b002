"""People and networks of a study side by side: answers, chosen foils, and how sure or how fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.alignment.answers import Answers, answers_of, check_columns, name_rows, usable_rows

COLUMNS = ("group", "observer", "clip_id", "action", "condition", "choices", "response", "correct")
# Times and margins are kept to a millionth, as multiples of a power of two: sums of them are exact,
# so that neither order nor threads change a digit.
GRAIN = 2.0**20


@dataclass(frozen=True)
class Side:
    """The answers of one group, and what belongs to them.

    Attributes
    ----------
    name : str
        The group.
    answers : Answers
    chosen_foil : ndarray of shape (n_conditions, n_observers, n_items, n_foils)
        1 for the label that was chosen wrongly; the foils of an item are its action's.
    speed, has_speed : ndarray of shape (n_conditions, n_observers, n_items)
        Of people: log reaction time of a right answer minus the observer's mean in the version
        (lists differ between observers, so a slow one would make the items of a list look hard).
        Of networks: margin of the right label in nats. 0 where `has_speed` is 0.
    mean_log_rt : ndarray of shape (n_conditions,)
        Of people: mean over observers, log seconds; NaN without times.
    n_without_speed : int
        Right answers of people without a time above zero; stimuli of networks without a margin.
    """

    name: str
    answers: Answers
    chosen_foil: np.ndarray
    speed: np.ndarray
    has_speed: np.ndarray
    mean_log_rt: np.ndarray
    n_without_speed: int

    @property
    def n(self) -> int:
        """Observers or trainings."""
        return len(self.answers.observers)


@dataclass(frozen=True)
class Panel:
    """All sides of a comparison on the same axes.

    Attributes
    ----------
    people : Side
    networks : dict of str to Side
    conditions, items : tuple of str
    actions : ndarray of shape (n_items,)
        The action of every item, as a number.
    """

    people: Side
    networks: dict[str, Side]
    conditions: tuple[str, ...]
    items: tuple[str, ...]
    actions: np.ndarray

    @property
    def sizes(self) -> dict[str, int]:
        """Units per group."""
        return {side.name: side.n for side in (self.people, *self.networks.values())}


def make_panel(
    responses: pd.DataFrame,
    reference: str,
    networks: Sequence[str],
    conditions: Sequence[str],
    margins: Mapping[str, pd.DataFrame] | None = None,
) -> Panel:
    """Put the rows of people and networks into arrays.

    Parameters
    ----------
    responses : DataFrame
        See `study.tables.responses_schema`; of an item answered twice in a version the first
        answer counts, and the others are counted in `n_dropped` and named in the notes.
    reference : str
        The group of people, or of simulated observers.
    networks : sequence of str
        Groups of networks that have rows.
    conditions : sequence of str
    margins : mapping of str to DataFrame, optional
        Group -> columns observer, clip_id, condition, margin.

    Raises
    ------
    StudyError
        When a column is missing or `correct` is not 0 or 1.
    """
    check_columns(responses, COLUMNS, "alignment")
    used = responses[responses["group"].isin([reference, *networks])]
    items = tuple(sorted(set(used["clip_id"])))
    action_of = used.drop_duplicates("clip_id").set_index("clip_id")["action"].loc[list(items)]
    offered = used[["action", "choices"]].drop_duplicates()
    foils = {
        action: sorted(set("|".join(rows["choices"]).split("|")) - {action})
        for action, rows in offered.groupby("action")
    }
    sides = [
        _side(used[used["group"] == name], name, tuple(conditions), items, foils,
              (margins or {}).get(name), is_people=name == reference)
        for name in (reference, *networks)
    ]  # fmt: skip
    codes = pd.factorize(action_of, sort=True)[0]
    rest = {side.name: side for side in sides[1:]}
    return Panel(sides[0], rest, tuple(conditions), items, codes)


def _side(
    rows: pd.DataFrame,
    name: str,
    conditions: tuple[str, ...],
    items: tuple[str, ...],
    foils: Mapping[str, list[str]],
    margins: pd.DataFrame | None,
    is_people: bool,
) -> Side:
    trials, notes = usable_rows(rows, ["observer", "condition", "clip_id"], repeated="first")
    if is_people:
        notes += _untimed(trials)
    notes = [f"{name}: {note}" for note in notes]
    n_dropped = len(rows) - len(trials)
    answers = answers_of(trials, conditions, items, n_dropped=n_dropped, notes=notes)
    n_foils = max((len(labels) for labels in foils.values()), default=0)
    chosen = np.zeros((*answers.right.shape, n_foils))
    errors = trials[(trials["correct"] == 0) & (trials["response"] != trials["action"])]
    place = [
        foils[action].index(label)
        for action, label in zip(errors["action"], errors["response"], strict=True)
    ]
    chosen[(*_place(errors, answers), np.array(place, int))] = 1.0
    timed = _log_times(trials) if is_people else margins
    speed, has_speed, means = _speeds(timed, answers, is_people)
    expected = answers.right.sum() if is_people else answers.seen.sum()
    n_without = int(expected - has_speed.sum())
    return Side(name, answers, chosen, speed, has_speed, means, n_without)


def _place(rows: pd.DataFrame, answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        pd.Index(answers.conditions).get_indexer(rows["condition"]),
        pd.Index(answers.observers).get_indexer(rows["observer"]),
        pd.Index(answers.items).get_indexer(rows["clip_id"]),
    )


def _untimed(trials: pd.DataFrame) -> list[str]:
    """Name right answers of which there is no time."""
    if "rt_s" not in trials:
        return ["no column 'rt_s': no reaction times"]
    rows = trials[(trials["correct"] == 1) & ~(trials["rt_s"] > 0)]
    if rows.empty:
        return []
    what = f"{len(rows)} right answers without a reaction time above zero are not in rt_margin"
    return [f"{what}: {name_rows(rows)}"]


def _log_times(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the log times of right answers; a missing time, or one of zero, is none."""
    if "rt_s" not in trials:
        return trials.iloc[:0].assign(value=0.0)
    timed = trials[(trials["correct"] == 1) & (trials["rt_s"] > 0)]
    return timed.assign(value=np.log(timed["rt_s"].to_numpy(dtype=float)))


def _speeds(
    timed: pd.DataFrame | None, answers: Answers, is_people: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    speed, has = np.zeros_like(answers.right), np.zeros_like(answers.right)
    means = np.full(len(answers.conditions), np.nan)
    if timed is None or timed.empty:
        return speed, has, means
    values = timed["value"] if is_people else timed["margin"]
    if is_people:
        own = values.groupby([timed["observer"], timed["condition"]])
        values = values - own.transform("mean")
        by_condition = own.mean().groupby("condition").mean()
        means = by_condition.reindex(list(answers.conditions)).to_numpy()
    place = _place(timed, answers)
    speed[place] = np.round(values.to_numpy() * GRAIN) / GRAIN
    has[place] = 1.0
    return speed, has, means

"""Whether participants' lists are balanced: counts, a verdict, and the sentences to print."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from study.fields import Trials
from study.tables import choice_columns


@dataclass
class Balance:
    """What was counted in the lists, and what is wrong with them."""

    sentences: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the sentences and the problems, a line each."""
        verdict = "NOT BALANCED" if self.problems else "Balanced."
        return "\n".join([*self.sentences, *self.problems, verdict]) + "\n"


def check_balance(trials: pd.DataFrame, settings: Trials) -> Balance:
    """Count who sees what in which version, at which position, in which run.

    Parameters
    ----------
    trials : DataFrame
        See `study.tables.trials_schema`.
    settings : Trials
        The design that the lists should have.
    """
    balance = Balance()
    _check_versions_of_items(trials, balance)
    _check_within_participants(trials, settings, balance)
    _check_positions(trials, balance)
    if settings.design == "latin_square":
        _check_runs(trials, settings, balance)
    return balance


def _check_versions_of_items(trials: pd.DataFrame, balance: Balance) -> None:
    counts = pd.crosstab(trials["clip_id"], trials["condition"])
    spread = int((counts.max(axis=1) - counts.min(axis=1)).max())
    balance.sentences.append(
        f"{len(counts)} test clips, {trials['participant'].nunique()} participants: each clip is "
        f"seen {_range(counts)} times in each version."
    )
    if spread > 1:
        worst = (counts.max(axis=1) - counts.min(axis=1)).idxmax()
        balance.problems.append(
            f"{worst}: its versions are seen {counts.loc[worst].to_dict()}; at most one apart "
            "expected."
        )


def _check_within_participants(trials: pd.DataFrame, settings: Trials, balance: Balance) -> None:
    per_person = pd.crosstab(trials["participant"], trials["condition"])
    spread = per_person.max(axis=1) - per_person.min(axis=1)
    repeated = trials.duplicated(["participant", "clip_id"]).any()
    if settings.design != "between":
        balance.sentences.append(
            f"Each participant has {_range(per_person)} trials of each version."
        )
        if spread.max() > 1:
            balance.problems.append(
                f"participant {spread.idxmax()}: {per_person.loc[spread.idxmax()].to_dict()} "
                "trials of the versions; at most one apart expected."
            )
    if settings.design != "blocked" and repeated:
        balance.problems.append("A participant sees a clip twice; once expected.")


def _check_positions(trials: pd.DataFrame, balance: Balance) -> None:
    labels = trials[choice_columns(trials)].to_numpy()
    is_right = labels == trials["action"].to_numpy()[:, None]
    if not (is_right.sum(axis=1) == 1).all():
        row = int(np.argmax(is_right.sum(axis=1) != 1))
        balance.problems.append(f"trial row {row}: the right label stands not exactly once.")
        return
    position = is_right.argmax(axis=1)
    counts = np.bincount(position, minlength=labels.shape[1])
    balance.sentences.append(
        "The right label stands at positions 1 to "
        f"{len(counts)} in {', '.join(str(count) for count in counts)} trials."
    )

    table = pd.crosstab([trials["participant"], trials["block"]], position)
    table = table.reindex(columns=range(labels.shape[1]), fill_value=0)
    spread = table.max(axis=1) - table.min(axis=1)
    if spread.max() > 1:
        participant, block = spread.idxmax()
        balance.problems.append(
            f"participant {participant}, block {block}: the right label stands at the positions "
            f"{table.loc[spread.idxmax()].tolist()} times; at most one apart expected."
        )


def _check_runs(trials: pd.DataFrame, settings: Trials, balance: Balance) -> None:
    same = trials["condition"] == trials["condition"].shift()
    same &= trials["participant"] == trials["participant"].shift()
    runs = same.groupby((~same).cumsum()).sum() + 1
    balance.sentences.append(f"At most {runs.max()} trials of one version come in a row.")
    if runs.max() > settings.max_run:
        balance.problems.append(
            f"{runs.max()} trials of one version in a row; at most {settings.max_run} expected."
        )


def _range(counts: pd.DataFrame) -> str:
    """Say from where to where counts go, or the one number that they all are."""
    least, most = counts.to_numpy().min(), counts.to_numpy().max()
    return str(least) if least == most else f"{least} to {most}"

"""Whether what comes before and between the test trials is as the study wants it."""

from __future__ import annotations

import pandas as pd

from study.balance import WITHIN, Balance, in_words
from study.fields import Trials


def check_other_trials(
    trials: pd.DataFrame,
    stills: pd.DataFrame,
    manifest: pd.DataFrame,
    settings: Trials,
    balance: Balance,
) -> None:
    """Check stimuli, familiarisation, practice and catch trials against the manifest.

    Parameters
    ----------
    trials, stills, manifest : DataFrame
        See `study.tables`: trials, familiarisation, manifest.
    settings : Trials
    balance : Balance
        What is found is added to it.
    """
    split = manifest.drop_duplicates("clip_id").set_index("clip_id")["split"]
    _check_stimuli(trials, manifest, balance)
    for kind in ("practice", "catch"):
        rows = trials[trials["kind"] == kind]
        _check_split(rows["clip_id"], "validation", f"{kind} trial", split, balance)
        _check_counts_of(rows, trials, kind, settings, balance)
    _check_split(stills["clip_id"], "validation", "still", split, balance)
    _check_split(trials.loc[trials["kind"] == "test", "clip_id"], "test", "trial", split, balance)
    if settings.familiarisation:
        _check_stills(stills, trials, balance)


def _check_stimuli(trials: pd.DataFrame, manifest: pd.DataFrame, balance: Balance) -> None:
    columns = ["clip_id", "action", "condition"]
    shown = manifest.set_index("stimulus_id")[columns].reindex(trials["stimulus_id"])
    wrong = (shown.to_numpy() != trials[columns].to_numpy()).any(axis=1)
    if wrong.any():
        row = trials[wrong].iloc[0]
        balance.problems.append(
            f"participant {row['participant']}, trial {row['trial']}: {row['stimulus_id']} is not "
            f"{row['clip_id']} of {row['action']} in version {row['condition']} "
            f"({int(wrong.sum())} such trials)."
        )


def _check_split(
    clips: pd.Series, expected: str, what: str, split: pd.Series, balance: Balance
) -> None:
    wrong = sorted(set(clips[clips.map(split) != expected]))
    if wrong:
        balance.problems.append(
            f"{len(wrong)} clips of a {what} are not of the {expected} split, e.g. {wrong[0]}."
        )


def _check_counts_of(
    rows: pd.DataFrame, trials: pd.DataFrame, kind: str, settings: Trials, balance: Balance
) -> None:
    names = sorted(set(trials["participant"]))
    counts = rows.groupby("participant").size().reindex(names, fill_value=0)
    asked = settings.n_practice if kind == "practice" else settings.n_catch
    if counts.min() != counts.max() or (asked is not None and counts.max() != asked):
        balance.problems.append(
            f"Participants have {in_words(counts)} {kind} trials; "
            f"{'equally many' if asked is None else asked} expected."
        )
    if kind == "catch" and counts.max():
        own = trials[trials["kind"] != "practice"].sort_values([*WITHIN, "trial"])
        beside = (own["kind"] == "catch") & (own["kind"].shift() == "catch")
        places = own.groupby("participant").cumcount()[own["kind"] == "catch"] + 1
        balance.sentences.append(
            f"Each participant has {counts.max()} catch trials, at places {places.min()} to "
            f"{places.max()} of {len(own) // len(names)}."
        )
        if beside.any():
            balance.problems.append("A catch trial follows another one.")


def _check_stills(stills: pd.DataFrame, trials: pd.DataFrame, balance: Balance) -> None:
    actions = set(trials.loc[trials["kind"] == "test", "action"])
    for name in sorted(set(trials["participant"])):
        own = stills.loc[stills["participant"] == name, "action"]
        if set(own) != actions or own.duplicated().any():
            balance.problems.append(
                f"participant {name}: {len(own)} stills; one of each of the {len(actions)} "
                "actions expected."
            )
            return

"""Whether participants' lists are balanced: counts, a verdict, and the sentences to print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from study.fields import Trials
from study.tables import choice_columns

# Over all lists of a Latin square; it comes out at 2 or 3, at 5 where lists are short.
MAX_APART_OVER_LISTS = 6
# Beyond this share of the clips an action may have to stand beside itself.
LARGEST_SHARE = 1 / 3
WITHIN = ["participant", "session"]


@dataclass
class Balance:
    """What was counted in the lists, and what is wrong with them."""

    sentences: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the sentences and the problems, a line each."""
        verdict = "NOT BALANCED" if self.problems else "Balanced."
        return "\n".join([*self.sentences, *self.problems, verdict]) + "\n"


def check_balance(
    trials: pd.DataFrame, settings: Trials, conditions: Sequence[str] | None = None
) -> Balance:
    """Count who sees what in which version, at which position, in which run and neighbourhood.

    What is counted over participants is promised for the first `n_participants` lists, what is
    counted within a list for all lists. Only test trials are counted, but runs of a version and
    neighbours with one action are those that a participant meets, catch trials included.

    Parameters
    ----------
    trials : DataFrame
        See `study.tables.trials_schema`.
    settings : Trials
        The design that the lists should have.
    conditions : sequence of str, optional
        The versions that the lists should show; default those that they do show.
    """
    balance = Balance()
    trials = trials.sort_values([*WITHIN, "trial"], kind="stable")
    test = trials[trials["kind"] == "test"]
    planned = sorted(set(test["participant"]))[: settings.n_participants]
    if len(planned) < settings.n_participants:
        balance.problems.append(
            f"{len(planned)} participants have lists; {settings.n_participants} expected."
        )
    over = test[test["participant"].isin(planned)]
    _check_versions_of_items(over, settings, conditions, balance)
    _check_within_participants(test, settings, balance)
    _check_positions(test, balance)
    shown = trials[trials["kind"] != "practice"]
    if settings.design == "latin_square" and (conditions is None or len(conditions) > 1):
        _check_runs(shown, settings, balance)
        _check_neighbours(test, over, balance)
    if settings.design == "blocked":
        _check_blocks(over, balance)
    _check_actions_apart(shown, test, balance)
    return balance


def _check_versions_of_items(
    trials: pd.DataFrame, settings: Trials, conditions: Sequence[str] | None, balance: Balance
) -> None:
    conditions = sorted(conditions or set(trials["condition"]))
    counts = _crossed(trials["clip_id"], trials["condition"], conditions)
    balance.sentences.append(
        f"{len(counts)} test clips, {trials['participant'].nunique()} participants: each clip is "
        f"seen {in_words(counts)} times in each version."
    )
    _check_spread(counts, "its versions are seen", balance)
    if settings.design != "between":
        of_actions = _crossed(trials["action"], trials["condition"], conditions)
        _check_spread(of_actions, "its versions are seen", balance)


def _crossed(rows: pd.Series, columns: pd.Series, wanted: Sequence[object]) -> pd.DataFrame:
    """Count each row by each wanted column, those that never occur included."""
    return pd.crosstab(rows, columns).reindex(columns=list(wanted), fill_value=0)


def _check_spread(counts: pd.DataFrame, what: str, balance: Balance) -> None:
    """Expect the counts of every row to be at most one apart."""
    spread = counts.max(axis=1) - counts.min(axis=1)
    if spread.max() > 1:
        worst = spread.idxmax()
        balance.problems.append(
            f"{worst}: {what} {counts.loc[worst].to_dict()} times; at most one apart expected."
        )


def _check_within_participants(test: pd.DataFrame, settings: Trials, balance: Balance) -> None:
    if settings.design != "between":
        per_person = pd.crosstab(test["participant"], test["condition"])
        balance.sentences.append(
            f"Each participant has {in_words(per_person)} trials of each version."
        )
        _check_spread(per_person.rename(index="participant {}".format), "versions come", balance)
    repeated = test.duplicated(["participant", "clip_id"]).any()
    if settings.design != "blocked" and repeated:
        balance.problems.append("A participant sees a clip twice; once expected.")


def _check_positions(test: pd.DataFrame, balance: Balance) -> None:
    labels = test[choice_columns(test)].to_numpy()
    is_right = labels == test["action"].to_numpy()[:, None]
    if not (is_right.sum(axis=1) == 1).all():
        row = test.iloc[int(np.argmax(is_right.sum(axis=1) != 1))]
        balance.problems.append(
            f"participant {row['participant']}, trial {row['trial']}: the right label stands not "
            "exactly once."
        )
        return
    position = is_right.argmax(axis=1) + 1
    counts = np.bincount(position, minlength=labels.shape[1] + 1)[1:]
    balance.sentences.append(
        "The right label stands at positions 1 to "
        f"{len(counts)} in {', '.join(str(count) for count in counts)} trials."
    )
    table = pd.crosstab([test["participant"], test["block"]], position)
    table = table.reindex(columns=range(1, labels.shape[1] + 1), fill_value=0)
    table.index = [f"participant {name}, block {block}" for name, block in table.index]
    _check_spread(table, "the right label stands at positions", balance)


def _check_runs(shown: pd.DataFrame, settings: Trials, balance: Balance) -> None:
    longest = _longest_run(shown)
    balance.sentences.append(f"At most {longest} trials of one version come in a row.")
    if longest > settings.max_run:
        by_catch = _longest_run(shown[shown["kind"] == "test"]) <= settings.max_run
        hint = " Catch trials, which show the original, make it so: set trials.n_catch = 0, or a"
        balance.problems.append(
            f"{longest} trials of one version in a row; at most {settings.max_run} expected."
            f"{hint + ' larger trials.max_run.' if by_catch else ''}"
        )


def _longest_run(shown: pd.DataFrame) -> int:
    lists = [shown[name] for name in WITHIN]
    starts = shown["condition"] != shown.groupby(lists)["condition"].shift()
    return int(starts.groupby(starts.cumsum()).size().max())


def _check_neighbours(test: pd.DataFrame, over: pd.DataFrame, balance: Balance) -> None:
    """Count which version follows which among the test trials of a list."""
    per_list = {name: _steps(own["condition"]) for name, own in test.groupby("participant")}
    for name, steps in per_list.items():
        spread = _spread_off_diagonal(steps)
        if spread > 1:
            balance.problems.append(
                f"participant {name}: versions follow each other {steps.stack().to_dict()} times; "
                "different ones at most one apart expected."
            )
            break
    names = sorted(set(over["condition"]))
    steps = [
        per_list[name].reindex(index=names, columns=names) for name in set(over["participant"])
    ]
    if len(names) < 2 or any(table.isna().any(axis=None) for table in steps):
        return  # Lists too short for all versions: nothing is promised over lists.
    total = sum(table.to_numpy(dtype=int) for table in steps)
    apart = ~np.eye(len(names), dtype=bool)
    balance.sentences.append(
        f"Over the lists each version follows each other one {in_words(total[apart])} times and "
        f"itself {in_words(total.diagonal())} times; in every list different ones at most one "
        "apart (test trials)."
    )
    if np.ptp(total[apart]) > MAX_APART_OVER_LISTS:
        balance.problems.append(
            f"Over the lists versions follow each other {in_words(total[apart])} times; at most "
            f"{MAX_APART_OVER_LISTS} apart expected."
        )


def _check_blocks(over: pd.DataFrame, balance: Balance) -> None:
    """Count at which place each version's block stands, and which follows which."""
    blocks = over.drop_duplicates(["participant", "block"])
    _check_spread(pd.crosstab(blocks["condition"], blocks["block"]), "its block stands at", balance)
    steps = [_steps(own["condition"]) for _, own in blocks.groupby("participant")]
    apart = ~np.eye(len(steps[0]), dtype=bool)
    follow = sum(table.to_numpy() for table in steps)[apart]
    if len(follow):
        balance.sentences.append(
            f"The block of each version follows that of each other one {in_words(follow)} times."
        )
        if np.ptp(follow) > 2:
            balance.problems.append(
                f"Blocks follow each other {in_words(follow)} times; at most 2 apart expected."
            )


def _steps(versions: pd.Series) -> pd.DataFrame:
    """Count which version of a list comes after which."""
    names = sorted(set(versions))
    places = np.searchsorted(names, versions.to_numpy(dtype=str))
    table = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(table, (places[:-1], places[1:]), 1)
    return pd.DataFrame(table, names, names)


def _spread_off_diagonal(steps: pd.DataFrame) -> int:
    values = steps.to_numpy()[~np.eye(len(steps), dtype=bool)]
    return int(np.ptp(values)) if len(values) else 0


def _check_actions_apart(shown: pd.DataFrame, test: pd.DataFrame, balance: Balance) -> None:
    lists = [shown[name] for name in WITHIN]
    same = shown["action"] == shown.groupby(lists)["action"].shift()
    clips = test.drop_duplicates("clip_id")["action"].value_counts()
    balance.sentences.append(f"{same.sum() or 'No'} trials show the action of the trial before.")
    if same.any() and clips.max() <= LARGEST_SHARE * clips.sum():
        row = shown[same].iloc[0]
        balance.problems.append(
            f"participant {row['participant']}, trial {row['trial']}: the trial before shows "
            f"{row['action']!r}, too; no such neighbours expected."
        )


def in_words(counts: pd.DataFrame | pd.Series | np.ndarray) -> str:
    """Say from where to where counts go, or the one number that they all are."""
    least, most = np.min(counts), np.max(counts)
    return str(least) if least == most else f"{least} to {most}"

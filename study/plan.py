"""From a manifest to choice sets and lists on disk, checked for balance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from study.balance import Balance, check_balance
from study.balance_other import check_other_trials
from study.catch import draw_catch_trials
from study.config import Study
from study.errors import StudyError
from study.files import write_text
from study.practice import draw_familiarisation, draw_practice
from study.results import Results
from study.tables import choice_columns, read_table, write_table
from study.trials import draw_choice_sets, draw_lists, participant_names

# A fixed number per use keeps the streams of one seed apart.
CHOICES_STREAM, LISTS_STREAM = 101, 102
FAMILIARISATION_STREAM, PRACTICE_STREAM, CATCH_STREAM = 103, 104, 105

REPLACEMENTS = (
    "Whoever replaces an excluded participant takes that participant's list, so the balance stays."
)


def make_plan(study: Study, results: Results) -> Balance:
    """Write choices.csv, trials.csv, familiarisation.csv and balance.txt.

    The same study and the same clips give the same bytes.

    Raises
    ------
    StudyError
        When too few actions have test clips, validation clips are missing for practice, catch
        trials or familiarisation, or the lists are not balanced.
    """
    manifest = read_table("manifest", results.manifest)
    order = {name: place for place, name in enumerate(study.versions.conditions)}
    manifest = manifest.sort_values("condition", key=lambda names: names.map(order), kind="stable")
    test = manifest[manifest["split"] == "test"]
    validation = manifest[manifest["split"] == "validation"]
    actions = sorted(set(test["action"]))
    if study.trials.actions == "margin":
        actions = _best_actions(study, results, actions)
        test = test[test["action"].isin(actions)]
    choices = draw_choice_sets(actions, study.trials.n_choices, _rng(study, CHOICES_STREAM))
    trials = _draw_trials(study, test, validation, choices)
    stills = _draw_stills(study, validation, actions)
    balance = _checked(study, trials, stills, manifest)
    if balance.problems:
        raise StudyError("the participants' lists are not balanced:\n" + balance.text())
    write_table("choices", choices, results.choices)
    write_table("trials", trials, results.trials)
    write_table("familiarisation", stills, results.familiarisation)
    write_text(results.balance, balance.text())
    return balance


def check_plan(study: Study, results: Results) -> Balance:
    """Check the lists as they lie on disk, whoever wrote or changed them.

    Raises
    ------
    StudyError
        When a table is missing or not valid, or the lists are not balanced; says what is wrong.
    """
    manifest = read_table("manifest", results.manifest)
    trials = read_table("trials", results.trials)
    stills = read_table("familiarisation", results.familiarisation)
    balance = _checked(study, trials, stills, manifest)
    if balance.problems:
        raise StudyError(f"{results.trials}: not balanced:\n" + balance.text())
    return balance


def _draw_trials(
    study: Study, test: pd.DataFrame, validation: pd.DataFrame, choices: pd.DataFrame
) -> pd.DataFrame:
    """Draw practice, test and catch trials and put them in order."""
    settings = study.trials
    trials = draw_lists(test, choices, settings, _rng(study, LISTS_STREAM))
    conditions = list(dict.fromkeys(test["condition"]))
    names = participant_names(settings)
    before = trials.iloc[:0]
    if settings.n_practice:
        rng = _rng(study, PRACTICE_STREAM)
        before = draw_practice(validation, choices, conditions, names, settings, rng)
    rng = _rng(study, CATCH_STREAM)
    drawn = pd.concat([before, trials], ignore_index=True)
    catch = draw_catch_trials(validation, choices, drawn, settings, rng)
    return _in_order(drawn, catch)


def _in_order(drawn: pd.DataFrame, catch: pd.DataFrame) -> pd.DataFrame:
    """Put practice first and each catch trial after the test trial that it names; count through."""
    table = pd.concat([drawn, catch], ignore_index=True)
    later = table["kind"].map({"practice": 0, "test": 1, "catch": 1})
    after = table["trial"] + 0.5 * (table["kind"] == "catch")
    table = table.assign(later=later, after=after)
    table = table.sort_values(["participant", "later", "after"], kind="stable", ignore_index=True)
    table["trial"] = table.groupby("participant").cumcount() + 1
    first = ["participant", "session", "block", "trial", "kind"]
    shown = ["stimulus_id", "clip_id", "action", "condition"]
    return table[[*first, *shown, *choice_columns(table)]]


def _draw_stills(study: Study, validation: pd.DataFrame, actions: list[str]) -> pd.DataFrame:
    """Draw what is shown before the first trial; nothing where the study does not want it."""
    rng = _rng(study, FAMILIARISATION_STREAM)
    if study.trials.familiarisation:
        names = participant_names(study.trials)
        return draw_familiarisation(validation, actions, names, rng)
    texts = ["participant", "clip_id", "action", "stimulus_id"]
    table = pd.DataFrame({name: pd.Series([], dtype=str) for name in texts})
    table.insert(1, "place", pd.Series([], dtype="int64"))
    return table


def _checked(
    study: Study, trials: pd.DataFrame, stills: pd.DataFrame, manifest: pd.DataFrame
) -> Balance:
    balance = check_balance(trials, study.trials, study.versions.conditions)
    check_other_trials(trials, stills, manifest, study.trials, balance)
    balance.sentences.append(REPLACEMENTS)
    return balance


def _best_actions(study: Study, results: Results, actions: list[str]) -> list[str]:
    """Return the actions with the best margin of the study's margin model, seeds averaged."""
    n_wanted = study.trials.n_actions or 0
    margins = read_table("margins", results.margins)
    margins = margins[(margins["model"] == study.trials.margin_model)]
    margins = margins[margins["action"].isin(actions)]
    mean = margins.groupby("action")["margin"].mean().sort_values(ascending=False, kind="stable")
    if len(mean) < n_wanted:
        raise StudyError(
            f"trials.n_actions = {n_wanted} but {results.margins} has margins of only {len(mean)} "
            "actions with test clips"
        )
    return sorted(pd.Index(mean.index[:n_wanted]).astype(str))


def _rng(study: Study, stream: int) -> np.random.Generator:
    return np.random.default_rng([study.seed, stream])

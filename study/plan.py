"""From a manifest to choice sets and lists on disk, checked for balance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from study.balance import Balance, check_balance
from study.config import Study
from study.errors import StudyError
from study.files import write_text
from study.results import Results
from study.tables import read_table, write_table
from study.trials import draw_choice_sets, draw_lists

# A fixed number per use keeps the streams of one seed apart.
CHOICES_STREAM, LISTS_STREAM = 101, 102


def make_plan(study: Study, results: Results) -> Balance:
    """Write choices.csv, trials.csv and balance.txt.

    The same study and the same test clips give the same bytes.

    Raises
    ------
    StudyError
        When too few actions have test clips, or the lists are not balanced.
    """
    manifest = read_table("manifest", results.manifest)
    test = manifest[manifest["split"] == "test"]
    actions = sorted(set(test["action"]))
    if study.trials.actions == "margin":
        actions = _best_actions(study, results, actions)
        test = test[test["action"].isin(actions)]
    choices = draw_choice_sets(actions, study.trials.n_choices, _rng(study, CHOICES_STREAM))
    order = {name: place for place, name in enumerate(study.versions.conditions)}
    test = test.sort_values("condition", key=lambda names: names.map(order), kind="stable")
    trials = draw_lists(test, choices, study.trials, _rng(study, LISTS_STREAM))
    balance = check_balance(trials, study.trials)
    if balance.problems:
        raise StudyError("the participants' lists are not balanced:\n" + balance.text())
    write_table("choices", choices, results.choices)
    write_table("trials", trials, results.trials)
    write_text(results.balance, balance.text())
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

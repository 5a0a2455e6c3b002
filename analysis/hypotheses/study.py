"""All tests of the paper for one study."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.groups import Group
from analysis.hypotheses.by_action import action_effects
from analysis.hypotheses.chance import against_chance
from analysis.hypotheses.covariate import with_body_size
from analysis.hypotheses.equivalence import equivalence_tests
from analysis.hypotheses.interaction import group_by_version
from analysis.hypotheses.table import answers_of, as_table
from analysis.hypotheses.versions import body_against_background
from study.config import Study


def hypothesis_tables(
    study: Study,
    responses: pd.DataFrame,
    groups: Sequence[Group],
    left_out: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tests of the paper by name, ready to be written as CSV.

    Parameters
    ----------
    study : Study
        Its versions, number of choices, confidence and equivalence bound.
    responses : DataFrame
        Rows of `study.tables.responses_schema`; with `body_fraction` for the covariate.
    groups : sequence of Group
        Supplements are passed over.
    left_out : DataFrame, optional
        Response rows that exclusion rules took out; every test counts its own as dropped.

    Returns
    -------
    dict of str to DataFrame
        test_chance, test_versions, test_interaction, test_equivalence, test_covariate : a row per
        test, see `analysis.hypotheses.table.Finding`; empty where a study has nothing to test.
        action_effects : see `analysis.hypotheses.by_action.action_effects`.
    """
    chance = 1.0 / study.trials.n_choices
    conditions, settings = study.versions.conditions, study.analysis
    answers = answers_of(responses, groups, conditions, chance, settings.confidence, left_out)
    findings = {
        "test_chance": against_chance(answers),
        "test_versions": body_against_background(answers),
        "test_interaction": group_by_version(answers),
        "test_equivalence": equivalence_tests(answers, settings.equivalence_bound_pp),
        "test_covariate": with_body_size(answers),
    }
    tables = {name: as_table(found) for name, found in findings.items()}
    return tables | {"action_effects": action_effects(answers)}

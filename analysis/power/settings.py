"""From a study file, and a pilot's answers where it asks for them, to what is simulated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.groups import Group, groups_of
from analysis.mixed_effects import MixedModelResult, fit
from analysis.mixed_model import estimable_groups, model_data
from analysis.power.designs import PEOPLE, Plan, Size, own_size, plan_of
from analysis.power.targets import Target, read_targets
from analysis.power.truth import Truth, assumed_truth, pilot_truth
from analysis.power.world import World, plan_design
from analysis.responses import read_responses
from study.config import Study
from study.errors import StudyError
from study.results import Results


@dataclass(frozen=True)
class Question:
    """What a study file asks the simulations.

    Attributes
    ----------
    own : Size
        Of the study itself.
    """

    plan: Plan
    own: Size
    formula: str
    truth: Truth
    targets: tuple[Target, ...]

    def world(self, size: Size) -> World:
        """Return this question's world at another size."""
        return World(self.plan, size, self.formula, self.truth, self.targets)


def read_question(study: Study, results: Results) -> Question:
    """Check the study file's [power] and turn it into what is simulated.

    Raises
    ------
    StudyError
        For contrasts, accuracies, formulas or pilots that cannot be simulated.
    """
    plan, own, formula = plan_of(study), own_size(study, results), study.analysis.formula
    if study.power.source == "assumed":
        design = plan_design(plan, own, formula)
        truth = assumed_truth(study, plan, design)
    else:
        plan, model = _pilot(study, results, plan)
        truth = pilot_truth(model)
        _check_terms(truth, plan_design(plan, own, formula).fixed_names, formula)
    return Question(plan, own, formula, truth, read_targets(study.power.contrasts, plan))


def power_folder(results: Results) -> Path:
    """Where the tables, the figures' data and the blocks of simulations lie."""
    return results.power


def _pilot(study: Study, results: Results, plan: Plan) -> tuple[Plan, MixedModelResult]:
    """Fit the study's model to the answers there are; the plan has the groups that answered."""
    table = read_responses(study, results).table
    groups = [group for group in groups_of(study, table["group"]) if group.role != "supplement"]
    kept, notes = estimable_groups(table, groups)
    if not kept or kept[0].role != "observers":
        found = ", ".join(group.label for group in groups) or "nobody"
        raise StudyError(
            "power.source = 'pilot' needs answers of people (or simulated observers), right and "
            f"wrong ones in every version; found {found}. {' '.join(notes)}".rstrip()
        )
    names = [group.name for group in kept]
    data = model_data(table, names, plan.conditions)
    # The simulated tables call observers people, whoever they were in the pilot.
    data["group"] = data["group"].cat.rename_categories({names[0]: PEOPLE})
    try:
        model = fit(study.analysis.formula, data, family="binomial")
    except (KeyError, ValueError) as error:
        raise StudyError(f"the pilot could not be fitted: {error.args[0]}") from error
    if not model.converged:
        raise StudyError(f"the pilot could not be fitted: {model.message}")
    return _plan_of_groups(plan, kept), model


def _plan_of_groups(plan: Plan, kept: list[Group]) -> Plan:
    models = tuple(group.name for group in kept[1:])
    return Plan(plan.trials, plan.conditions, models, plan.seed)


def _check_terms(truth: Truth, names: tuple[str, ...], formula: str) -> None:
    fitted = tuple(name for name, _ in truth.beta)
    if fitted != names:
        raise StudyError(
            f"power.source = 'pilot': the pilot's model {formula!r} has the terms "
            f"{', '.join(fitted)}; the study's design has {', '.join(names)}"
        )

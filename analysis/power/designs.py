"""The rows that a study of a given size would have: who answers which clip in which version."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from study.config import Study
from study.errors import StudyError
from study.fields import FolderData, SyntheticData, Trials
from study.results import Results
from study.tables import read_table
from study.trials import draw_choice_sets, draw_lists

# What people are called here, in contrasts and in the simulated tables.
PEOPLE = "people"
# Keeps the lists of imagined studies apart from other uses of the study's seed.
LISTS_STREAM = 401


@dataclass(frozen=True)
class Size:
    """How large a study is: participants, test clips, and trainings of each network."""

    n_participants: int
    n_items: int
    n_seeds: int


@dataclass(frozen=True)
class Plan:
    """What all sizes of a study share.

    Attributes
    ----------
    trials : Trials
        Latin square, blocks or between; their `n_participants` is not used.
    conditions : tuple of str
        Versions; the first is the reference level.
    models : tuple of str
        Networks; each training answers every clip in every version.
    seed : int
        Of the lists.
    """

    trials: Trials
    conditions: tuple[str, ...]
    models: tuple[str, ...]
    seed: int

    @property
    def groups(self) -> tuple[str, ...]:
        """People first, the reference level, then the networks."""
        return (PEOPLE, *self.models)


def plan_of(study: Study) -> Plan:
    """Return the plan of a study file."""
    models = tuple(model.name for model in study.models)
    return Plan(study.trials, tuple(study.versions.conditions), models, study.seed)


def own_size(study: Study, results: Results) -> Size:
    """Return the size of the study itself; trainings are those of its best-replicated network.

    Raises
    ------
    StudyError
        When neither the study file nor trials.csv tells the number of test clips.
    """
    n_seeds = max((len(model.seeds) for model in study.models), default=1)
    return Size(study.trials.n_participants, _own_items(study, results), n_seeds)


def _own_items(study: Study, results: Results) -> int:
    if study.power.n_items is not None:
        return study.power.n_items
    if results.trials.is_file():
        trials = read_table("trials", results.trials)
        return int(trials.loc[trials["kind"] == "test", "clip_id"].nunique())
    n_actions = study.trials.n_actions if study.trials.actions == "margin" else None
    if n_actions is None and isinstance(study.dataset, SyntheticData):
        n_actions = study.dataset.n_actions
    if n_actions is None and isinstance(study.dataset, FolderData) and study.dataset.actions:
        n_actions = len(study.dataset.actions)
    if n_actions is None or study.split.by != "order":
        raise StudyError(
            "power.n_items: missing; the study file does not tell how many test clips there are "
            f"and {results.trials} does not exist yet: expected the number of test clips"
        )
    return n_actions * study.split.test_clips


def sizes_to_try(study: Study, own: Size) -> list[Size]:
    """Vary one number at a time, the other two as in the study itself; each size once."""
    settings = study.power
    items = settings.items or [max(2, own.n_items // 2), own.n_items, 2 * own.n_items]
    sizes = [own]
    sizes += [Size(n, own.n_items, own.n_seeds) for n in sorted(settings.participants)]
    sizes += [Size(own.n_participants, n, own.n_seeds) for n in sorted(items)]
    if study.models:
        sizes += [Size(own.n_participants, own.n_items, n) for n in sorted(settings.seeds)]
    return list(dict.fromkeys(sizes))


@lru_cache(maxsize=4)
def design_table(plan: Plan, size: Size) -> pd.DataFrame:
    """Return one row per answer: group, observer, item, condition.

    People's lists are drawn by `study.trials.draw_lists`, as the study's own are.

    Raises
    ------
    StudyError
        When so few people would not see every version.
    """
    people = _people(plan, size)
    unseen = [name for name in plan.conditions if name not in set(people["condition"])]
    if unseen:
        raise StudyError(
            f"{size.n_participants} participants and {size.n_items} clips: nobody would see "
            f"{', '.join(unseen)} with trials.design = {plan.trials.design!r}; expected more"
        )
    items = [f"clip{j:04d}" for j in range(size.n_items)]
    cells = pd.MultiIndex.from_product(
        [plan.models, range(size.n_seeds), items, plan.conditions],
        names=["group", "observer", "item", "condition"],
    ).to_frame(index=False)
    cells["observer"] = cells["group"] + ":" + cells["observer"].astype(str)
    table = pd.concat([people, cells], ignore_index=True)
    table["group"] = pd.Categorical(table["group"], list(plan.groups))
    table["condition"] = pd.Categorical(table["condition"], list(plan.conditions))
    return table


def _people(plan: Plan, size: Size) -> pd.DataFrame:
    """Draw the lists; every clip is an action of its own, since labels play no part here."""
    rng = np.random.default_rng([plan.seed, LISTS_STREAM])
    n_actions = max(size.n_items, plan.trials.n_choices)
    names = [f"clip{j:04d}" for j in range(n_actions)]
    choices = draw_choice_sets(names, plan.trials.n_choices, rng)
    shown = pd.MultiIndex.from_product(
        [names[: size.n_items], plan.conditions], names=["clip_id", "condition"]
    ).to_frame(index=False)
    shown["action"] = shown["clip_id"]
    shown["stimulus_id"] = shown["clip_id"] + "-" + shown["condition"]
    settings = plan.trials.model_copy(
        update={"n_participants": size.n_participants, "n_lists": None}
    )
    lists = draw_lists(shown, choices, settings, rng)
    return pd.DataFrame(
        {
            "group": PEOPLE,
            "observer": f"{PEOPLE}:" + lists["participant"],
            "item": lists["clip_id"],
            "condition": lists["condition"],
        }
    )

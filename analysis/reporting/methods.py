"""Trials, observers, statistics and exclusions in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from analysis.reporting.content import Sentence
from analysis.reporting.material import Material, counted
from analysis.sentences import listed
from study.config import Study
from study.tables import read_table

DESIGNS = {
    "latin_square": "A Latin square gave everyone each test clip once, versions balanced over "
    "participants",
    "blocked": "Everyone saw all versions, in blocks",
    "between": "Everyone saw one version",
}
INFERENCE = {
    "t": "Student’s t, with the levels of the smallest grouping factor less one as degrees of "
    "freedom",
    "z": "the normal distribution",
}


def trial_sentences(material: Material) -> list[Sentence]:
    """Say what was asked, of whom, and how lists were made."""
    study, results = material.study, material.results
    trials = read_table("trials", results.trials)
    kinds = trials["kind"].value_counts()
    trials = trials[trials["kind"] == "test"]
    n_people, n_trials = trials["participant"].nunique(), len(trials)
    per_person = trials.groupby("participant").size()
    lists = f"There were {n_people} lists of {_range(per_person)} trials, {n_trials:,} in all"
    source = counted(
        "trials.csv", "kind=test", different_participants=n_people, rows=n_trials,
        fewest_trials_of_a_participant=int(per_person.min()),
        most_trials_of_a_participant=int(per_person.max()),
    )  # fmt: skip
    k = study.trials.n_choices
    task = (
        f"In every trial the action was chosen from {k} labels, the same for all versions, people "
        f"and networks (chance {100 / k:.3g}%)."
    )
    settings = material.settings("trials.max_run")
    order = f"no more than {study.trials.max_run} trials of one version followed each other"
    return [
        *_chosen_actions(material),
        Sentence(task, (settings,)),
        Sentence(f"{lists}, drawn from the study’s seed.", (source,)),
        *_besides(study, n_people, kinds),
        Sentence(f"{DESIGNS[study.trials.design]}; {order}.", (settings,)),
        observer_sentence(material),
    ]


def _besides(study: Study, n_people: int, kinds: pd.Series) -> list[Sentence]:
    """Say what people do besides the trials that are analysed."""
    parts = ["stills of every action with its label"] if study.trials.familiarisation else []
    parts += [
        f"{kinds[kind] // n_people} {what}"
        for kind, what in {"practice": "practice trials", "catch": "checks of attention"}.items()
        if kind in kinds
    ]
    if not parts:
        return []
    text = f"Besides, every list has {listed(parts)}, of validation clips; none of it is analysed."
    numbers = {f"rows with kind={kind} per list": n // n_people for kind, n in kinds.items()}
    return [Sentence(text, (counted("trials.csv", "by kind", **numbers),))]


def observer_sentence(material: Material) -> Sentence:
    """Say who answered the lists."""
    observers = material.observers
    if observers is None:
        return Sentence("No observers answered; only networks did.")
    if not observers.is_simulated:
        return Sentence("People answered the lists.")
    settings = material.study.observers
    fields = ("observer_sd", "item_sd", "lapse")
    text = (
        "The lists were answered by simulated observers: log odds of a right answer are those of "
        "the version given in the study file, plus normal deviations of observers (SD "
        f"= {settings.observer_sd:g}) and clips (SD = {settings.item_sd:g}), and a share of "
        f"{settings.lapse:g} of the answers is a guess."
    )
    return Sentence(text, (material.settings(*[f"observers.{name}" for name in fields]),))


def statistics_sentences(material: Material) -> list[Sentence]:
    """Say how estimates, intervals and tests are made."""
    settings = material.study.analysis
    fields = ("n_bootstrap", "equivalence_bound_pp")
    source = material.settings(*[f"analysis.{name}" for name in fields])
    level = f"{100 * settings.confidence:.3g}% intervals"
    said = [
        f"Accuracies have {level} by bootstrap over observers (or trainings) and clips, both drawn "
        f"anew, together, in each of {settings.n_bootstrap:,} draws; the draws are scaled to the "
        "two-way cluster-robust variance, because drawing both counts the chance in single answers "
        "more than once.",
        f"Single answers were modelled by `{settings.formula}` (binomial, logit link, Laplace "
        f"approximation); tests and intervals are by {INFERENCE[settings.inference]}.",
        "Versions are compared within groups with p values adjusted by Holm’s method; intervals "
        "are not adjusted.",
    ]
    if len(material.table("test_equivalence")):
        said.append(
            "Equivalence is judged by two one-sided tests with bounds of "
            f"{settings.equivalence_bound_pp:g} percentage points."
        )
    if len(material.table("error_consistency")):
        said.append(
            "Error consistency is Cohen’s κ of right and wrong answers, agreement beyond what two "
            "accuracies alone give."
        )
    if any(group.role == "model" for group in material.main):
        said.append(
            "With few seeds the variation between trainings is known only roughly, and with one "
            "seed not at all."
        )
    has_number = re.compile(r"(?<!\w)\d")
    return [Sentence(text, (source,) if has_number.search(text) else ()) for text in said]


def exclusion_sentences(material: Material) -> list[Sentence]:
    """Say, rule by rule, how many observers and answers were left out."""
    if not (material.results.analysis / "exclusions.csv").is_file():
        return []
    flow, file = material.table("exclusions"), "analysis/exclusions.csv"
    if flow.empty:
        return [Sentence("No exclusion rule is in force.")]
    first, last = flow.iloc[0], flow.iloc[-1]
    n_out = int(first["n_observers_before"] - last["n_observers_after"])
    text = (
        f"Of {first['n_observers_before']} observers, {n_out} {'was' if n_out == 1 else 'were'} "
        f"left out; {last['n_trials_after']:,} of {first['n_trials_before']:,} answers are "
        "analysed."
    )
    counts = counted(
        file, "first and last row",
        n_observers_before=int(first["n_observers_before"]),
        n_observers_before_less_n_observers_after=n_out,
        n_trials_after=int(last["n_trials_after"]), n_trials_before=int(first["n_trials_before"]),
    )  # fmt: skip
    return [Sentence(text, (counts,))]


def _chosen_actions(material: Material) -> list[Sentence]:
    trials = material.study.trials
    if trials.actions == "all":
        return []
    text = (
        f"The trials are about the {trials.n_actions} actions on which `{trials.margin_model}` had "
        "the best margin on the validation clips."
    )
    return [Sentence(text, (material.settings("trials.n_actions"),))]


def _range(numbers: Sequence[int] | pd.Series) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"

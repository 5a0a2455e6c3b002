"""Trials, observers, networks, statistics and exclusions in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from analysis.reporting.content import Sentence
from analysis.reporting.material import Material, counted
from study.fields import Model
from study.tables import read_table

DESIGNS = {
    "latin_square": "A Latin square gave everyone each test clip once, versions balanced over "
    "participants",
    "blocked": "Everyone saw all versions, in blocks",
    "between": "Everyone saw one version",
}
OPTIMIZERS = {"sgd": "SGD", "adamw": "AdamW"}
INFERENCE = {
    "t": "Student’s t, with the levels of the smallest grouping factor less one as degrees of "
    "freedom",
    "z": "the normal distribution",
}


def trial_sentences(material: Material) -> list[Sentence]:
    """Say what was asked, of whom, and how lists were made."""
    study, results = material.study, material.results
    trials = read_table("trials", results.trials)
    n_people, n_trials = trials["participant"].nunique(), len(trials)
    per_person = trials.groupby("participant").size()
    lists = f"There were {n_people} lists of {_range(per_person)} trials, {n_trials:,} in all"
    source = counted(
        "trials.csv", "all rows", different_participants=n_people, rows=n_trials,
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
        Sentence(f"{DESIGNS[study.trials.design]}; {order}.", (settings,)),
        observer_sentence(material),
    ]


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


def network_sentences(material: Material) -> list[Sentence]:
    """Say which networks there are and how they were trained."""
    study = material.study
    if not study.models:
        return []
    training = study.training
    labels = {group.name: group.label for group in material.groups}
    said = [_network(material, model, labels.get(model.name, model.name)) for model in study.models]
    rate = f"{training.lr:.6f}".rstrip("0")
    schedule = "constant" if training.schedule == "constant" else "falling along a cosine"
    momentum = f", momentum {training.momentum:g}" if training.optimizer == "sgd" else ""
    fields = ("epochs", "batches_per_epoch", "batch_size", "image_size", "lr", "momentum")
    text = (
        f"Training took {training.epochs} epochs of {training.batches_per_epoch:,} class-balanced "
        f"batches of {training.batch_size} frames of {training.image_size} × "
        f"{training.image_size} pixels with {OPTIMIZERS[training.optimizer]} (learning rate "
        f"{rate}, {schedule}{momentum})."
    )
    source = material.settings(*[f"training.{name}" for name in fields])
    said.append(Sentence(text, (source,)))
    said.append(Sentence("Outputs of frames were averaged over the clip as log-probabilities."))
    if any(model.architecture == "domainnet" for model in study.models):
        said.append(Sentence(
            "DomainNet sees an original as its two parts, the body alone and the background with "
            "the body painted over, as in training; so on originals too it is given the person’s "
            "mask, which the baseline is not."
        ))  # fmt: skip
    return said


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


def _network(material: Material, model: Model, label: str) -> Sentence:
    place = material.study.models.index(model)
    n = len(model.seeds)
    what = {
        "baseline": "one stream on originals",
        "domainnet": "a body and a background stream with a loss each and one of their sum",
    }[model.architecture]
    text = (
        f"{label[0].upper() + label[1:]} (`{model.backbone}`, from scratch): {what}; {n} "
        f"training{'s' * (n > 1)}"
    )
    if model.architecture == "domainnet":
        blank = "sees the blank frame" if model.absent_part == "blank" else "is not read"
        text += f"; where a version lacks a part, the stream of that part {blank}"
    return Sentence(
        f"{text}.", (material.settings(**{f"models[{place + 1}].seeds, their number": n}),)
    )


def _range(numbers: Sequence[int] | pd.Series) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"

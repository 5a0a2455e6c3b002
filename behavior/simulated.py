"""Observers that do not exist: a psychometric model answers the participants' own lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from behavior.psychometric import eta_of_accuracy, probability_correct
from behavior.session import run_session
from behavior.trial import Answer, Trial, trials_of
from study.config import Study
from study.errors import StudyError
from study.fields import Observers
from study.results import Results
from study.tables import choice_columns, read_table, write_table

GROUP = "simulated"
# A fixed number per use keeps the streams of one seed apart.
ITEMS_STREAM, OBSERVERS_STREAM = 201, 202


@dataclass
class SimulatedObserver:
    """A responder that sees the action with a probability, guesses otherwise, and takes time.

    Attributes
    ----------
    settings : Observers
        Lapse rate and reaction times.
    eta_of_condition : mapping of str to float
        Logit of seeing the action in a version, of a median observer on a median clip.
    effect : float
        How much better this observer is, logits.
    effect_of_clip : mapping of str to float
        How much easier a clip is, logits.
    rng : numpy.random.Generator
    """

    settings: Observers
    eta_of_condition: Mapping[str, float]
    effect: float
    effect_of_clip: Mapping[str, float]
    rng: np.random.Generator

    def respond(self, trial: Trial) -> Answer:
        """Answer one trial."""
        eta = self.eta_of_condition[trial.condition] + self.effect
        eta += self.effect_of_clip[trial.clip_id]
        k = len(trial.choices)
        right = trial.choices.index(trial.action)
        is_correct = self.rng.random() < probability_correct(eta, k, self.settings.lapse)
        foil = int(self.rng.integers(k - 1))
        wrong = foil + (foil >= right)
        return Answer(right if is_correct else wrong, self._reaction_time())

    def _reaction_time(self) -> float:
        """Draw from an ex-Gaussian distribution, seconds; nobody answers before the choices."""
        settings = self.settings
        rt_s = 0.0
        while rt_s <= 0.0:
            rt_s = self.rng.normal(settings.rt_mu_s, settings.rt_sigma_s)
            rt_s += self.rng.exponential(settings.rt_tau_s)
        return round(rt_s, 4)


def simulate_observers(study: Study, results: Results) -> Path:
    """Let a simulated observer answer every participant's list and write the response rows.

    Equal studies and lists give equal bytes; a participant's answers do not depend on how many
    participants come after.

    Returns
    -------
    Path
        The response table, group "simulated".

    Raises
    ------
    StudyError
        When the study has no simulated observers, or asks for an accuracy that chance and lapses
        make impossible.
    """
    settings = study.observers
    if not settings.simulate:
        raise StudyError("observers.simulate = false: this study has no simulated observers")
    trials = read_table("trials", results.trials)
    etas = _etas(settings, trials)
    effects = _clip_effects(study.seed, settings, trials)
    rows: list[dict[str, Any]] = []
    for number, participant in enumerate(sorted(set(trials["participant"]))):
        rng = np.random.default_rng([study.seed, OBSERVERS_STREAM, number])
        effect = rng.normal(0.0, settings.observer_sd)
        observer = SimulatedObserver(settings, etas, effect, effects, rng)
        run_session(trials_of(trials, participant), observer, rows.append, GROUP)
    write_table("responses", pd.DataFrame(rows), results.simulated_responses)
    return results.simulated_responses


def _etas(settings: Observers, trials: pd.DataFrame) -> dict[str, float]:
    """Turn the asked-for accuracies into logits."""
    k = len(choice_columns(trials))
    etas = {}
    for condition in sorted(set(trials["condition"])):
        if condition not in settings.accuracy:
            raise StudyError(f"observers.accuracy: missing {condition}, which the trials show")
        try:
            etas[condition] = eta_of_accuracy(settings.accuracy[condition], k, settings.lapse)
        except ValueError as error:
            raise StudyError(f"observers.accuracy.{condition}: {error}") from error
    return etas


def _clip_effects(seed: int, settings: Observers, trials: pd.DataFrame) -> dict[str, float]:
    clips = sorted(set(trials["clip_id"]))
    draws = np.random.default_rng([seed, ITEMS_STREAM]).normal(0.0, settings.item_sd, len(clips))
    return dict(zip(clips, draws.tolist(), strict=True))

"""Observers that do not exist: a psychometric model answers the participants' own lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from behavior.flow import TrialStep
from behavior.journal import Memory
from behavior.observer_stage import ObserverStage, SimulatedObserver
from behavior.pages import read_texts
from behavior.psychometric import eta_of_accuracy
from behavior.run import Place, run_steps
from behavior.session import SIMULATED
from behavior.session_tables import response_rows
from behavior.stage import ClipToShow
from behavior.trial import trials_of
from study.config import Study
from study.errors import StudyError
from study.fields import Observers
from study.fields.session import Session
from study.results import Results
from study.tables import choice_columns, read_table, write_table

# A fixed number per use keeps the streams of one seed apart; test trials have their own, so that
# practice and attention checks do not change the answers to them.
ITEMS_STREAM, OBSERVERS_STREAM, SIDE_ITEMS_STREAM, SIDE_OBSERVERS_STREAM = 201, 202, 203, 204


def simulated_observers(study: Study, results: Results) -> Iterator[tuple[str, SimulatedObserver]]:
    """Yield (participant, observer) for every list of the plan.

    An observer does not depend on how many participants come after.

    Raises
    ------
    StudyError
        When the study asks for an accuracy that chance and lapses make impossible.
    """
    settings = study.observers
    trials = read_table("trials", results.trials)
    etas = _etas(settings, trials)
    effects = _clip_effects(study.seed, settings, trials)
    for number, participant in enumerate(sorted(set(trials["participant"]))):
        rng = np.random.default_rng([study.seed, OBSERVERS_STREAM, number])
        side_rng = np.random.default_rng([study.seed, SIDE_OBSERVERS_STREAM, number])
        effect = rng.normal(0.0, settings.observer_sd)
        yield participant, SimulatedObserver(settings, etas, effect, effects, rng, side_rng)


def simulate_observers(study: Study, results: Results) -> Path:
    """Let a simulated observer answer every participant's list and write the response rows.

    Trials go through the same loop as a person's, without pages and with the record in memory.
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
    if not study.observers.simulate:
        raise StudyError("observers.simulate = false: this study has no simulated observers")
    trials = read_table("trials", results.trials)
    # Nobody sees them: a simulated observer looks at the trial, not at the file.
    clips = {name: ClipToShow(name, Path(), 0.0, 1) for name in trials["stimulus_id"].unique()}
    texts, settings = read_texts(), Session()
    rows: list[dict[str, Any]] = []
    for participant, observer in simulated_observers(study, results):
        record = Memory()
        record.note("started", participant=participant, list=participant, group=SIMULATED)
        steps = [TrialStep(trial) for trial in trials_of(trials, participant)]
        run_steps(Place(ObserverStage(observer), record, settings, texts, clips), steps)
        rows += response_rows(record.events)
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
    """Draw how much easier each clip is, those of the test trials first and apart."""
    tested = set(trials["clip_id"][trials["kind"] == "test"])
    others = set(trials["clip_id"]) - tested
    effects: dict[str, float] = {}
    for stream, clips in ((ITEMS_STREAM, tested), (SIDE_ITEMS_STREAM, others)):
        draws = np.random.default_rng([seed, stream]).normal(0.0, settings.item_sd, len(clips))
        effects |= dict(zip(sorted(clips), draws.tolist(), strict=True))
    return effects

"""Simulated observers in whole sessions, through the very code that people's sessions use."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from behavior.observer_stage import ObserverStage, SimulatedObserver
from behavior.overview import overview_text, sessions_overview
from behavior.session import SIMULATED, hold_session
from behavior.session_tables import write_all_tables
from behavior.simulated import simulate_observers, simulated_observers
from behavior.stage import ClipToShow, Question, TrialFacts
from study.config import Study
from study.fields import Observers
from study.fields.session import Confidence, Session, Timing
from study.plan import make_plan
from study.results import Results
from study.tables import read_table
from tests.behavior.lab import CONDITIONS

N_ACTIONS = 8


def planned_study(root: Path, n_participants: int) -> tuple[Study, Results]:
    """Make tiny stimuli and let the study's own planner draw the lists."""
    results = Results(root)
    rows = []
    for action in range(N_ACTIONS):
        for split, number in (("validation", 1), ("test", 2), ("test", 3)):
            for condition in CONDITIONS:
                name = f"act{action}_{number}"
                path = root / "stimuli" / condition / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((4, 4, 3), 30 * action + number, np.uint8)).save(path)
                sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
                rows.append(
                    {
                        "stimulus_id": f"{name}__{condition}",
                        "clip_id": name,
                        "action": f"act{action}",
                        "condition": condition,
                        "split": split,
                        "path": path.relative_to(root).as_posix(),
                        "n_frames": 1,
                        "fps": 1.0,
                        "width": 4,
                        "height": 4,
                        **dict.fromkeys(("body_fraction", "hidden_fraction"), 0.1),
                        **dict.fromkeys(("luminance", "contrast"), 0.5),
                        "background_of": "",
                        "sha256": sha256,
                        "source_sha256": sha256,
                    }
                )
    pd.DataFrame(rows).to_csv(results.manifest, index=False)
    content = {
        "name": "whole",
        "title": "",
        "seed": 5,
        "dataset": {"kind": "synthetic"},
        "masks": {"source": "truth"},
        "trials": {"n_participants": n_participants},
    }
    study = Study.model_validate_json(json.dumps(content))
    make_plan(study, results)
    return study, results


def hold_all(study: Study, results: Results, settings: Session) -> None:
    for participant, observer in simulated_observers(study, results):
        stage = ObserverStage(observer)
        outcome = hold_session(
            study, results, participant, stage, settings, group=SIMULATED, durable=False
        )
        assert outcome.phase == "done"


def test_28_whole_sessions_keep_the_balance_and_answer_as_the_batch_does(tmp_path: Path):
    study, results = planned_study(tmp_path, 28)
    hold_all(study, results, Session())
    tables = [read_table("responses", path) for path in sorted(results.root.glob("responses/*"))]
    rows = pd.concat(tables, ignore_index=True)
    trials = read_table("trials", results.trials)
    assert len(tables) == 28
    assert len(rows) == (trials["kind"] != "practice").sum()
    # The balance is that of the answers, not of the plan.
    tested = rows[rows["clip_id"].isin(trials.loc[trials["kind"] == "test", "clip_id"])]
    seen = pd.crosstab(tested["clip_id"], tested["condition"])
    assert seen.to_numpy().max() - seen.to_numpy().min() <= 1
    places = [
        choices.split("|").index(action)
        for choices, action in tested[["choices", "action"]].itertuples(index=False)
    ]
    by_person = pd.crosstab(tested["observer"], np.array(places))
    assert (by_person.max(axis=1) - by_person.min(axis=1)).max() <= 1
    overview = sessions_overview(study, results, Session())
    assert set(overview["state"]) == {"done"}
    assert "28 participants: 28 done." in overview_text(overview)
    # The quick way, in memory, gives the very same answers.
    batch = read_table("responses", simulate_observers(study, results))
    rows = rows.assign(time_utc="")
    pd.testing.assert_frame_equal(batch, rows.sort_values(["observer", "trial"], ignore_index=True))


def test_practice_and_checks_do_not_change_the_answers_to_test_trials(tmp_path: Path):
    study, results = planned_study(tmp_path, 3)
    with_others = read_table("responses", simulate_observers(study, results))
    table = pd.read_csv(results.trials, dtype={"participant": str})
    tested = table[table["kind"] == "test"]
    tested.to_csv(results.trials, index=False)
    alone = read_table("responses", simulate_observers(study, results))
    kept = with_others.merge(alone[["observer", "trial"]], on=["observer", "trial"])
    assert 0 < len(alone) < len(with_others)
    pd.testing.assert_frame_equal(kept, alone)


def test_diffusion_and_confidence_and_a_limit_go_through_a_session(tmp_path: Path):
    study, results = planned_study(tmp_path, 2)
    observers = study.observers.model_copy(update={"rt_model": "diffusion"})
    study = study.model_copy(update={"observers": observers})
    settings = Session(confidence=Confidence(ask=True, steps=5), timing=Timing(answer_limit_s=1.2))
    hold_all(study, results, settings)
    details = pd.concat(map(pd.read_csv, results.root.glob("sessions/sub-*/trials_detail.csv")))
    answered = details[details["timed_out"] == 0]
    assert 0 < len(answered) < len(details)
    assert (answered["rt_s"] > observers.diffusion_non_decision_s).all()
    assert (answered["rt_s"] <= 1.2).all()
    assert answered["confidence"].between(1, 5).all()
    assert set(details["device"]) == {"simulated"}
    overview = sessions_overview(study, results, settings)
    assert overview["n_timed_out"].sum() == (details["timed_out"] == 1).sum()
    assert write_all_tables(results) == []


def test_confidence_tells_right_from_wrong_and_easy_from_hard():
    def observer(eta: float) -> ObserverStage:
        rng, side = np.random.default_rng(1), np.random.default_rng(2)
        settings = Observers(lapse=0.0)
        return ObserverStage(
            SimulatedObserver(settings, {"body_only": eta}, 0.0, {"c": 0.0}, rng, side)
        )

    def rated(eta: float) -> tuple[np.ndarray, np.ndarray]:
        stage, right, step = observer(eta), [], []
        labels, scale = ("a", "b", "c"), ("1", "2", "3", "4")
        for _ in range(3000):
            stage.show_clip(
                ClipToShow("s", Path(), 0, 1), TrialFacts("test", "c", "a", "body_only")
            )
            right.append(stage.ask(Question(labels, "")).position == 0)
            step.append(stage.rate(Question(scale, "")).position)
        return np.array(right), np.array(step)

    right, step = rated(0.5)
    assert step[right].mean() > step[~right].mean() + 0.5
    assert rated(3.0)[1].mean() > step.mean() + 0.5
    # Guesses are half of what is not seen: two thirds of them wrong, all with the lowest step.
    assert set(step[~right]) == {0}
    # Evidence is logistic: the share of the seen above x is known.
    eta, x = 0.5, np.log(3.0)  # 2 logistic(log 3) - 1 = 1/2, the border to the third step
    expected = 1 / (1 + np.exp(x - eta))
    assert (step >= 2).mean() == pytest.approx(expected, abs=0.03)

"""A results folder as the other rooms leave it, made of known truth instead of training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from analysis.estimates import fit_study
from behavior.simulated import simulate_observers
from study.config import Study
from study.plan import make_plan
from study.provenance import record_provenance
from study.results import Results
from study.tables import write_table

CONDITIONS = ("body_background", "body_only", "background_only")
# Share correct that the fake networks have by construction.
TRUTH = {
    "baseline": (0.80, 0.22, 0.75),
    "domainnet": (0.85, 0.62, 0.70),
    "domainnet_drop": (0.85, 0.66, 0.72),
}
ACTIONS = [
    "archery", "bowing", "clapping", "digging", "evading", "fencing", "golfing", "hopping",
    "ironing_a_shirt", "jumping", "kneeling", "lifting",
]  # fmt: skip


def make_study(**changes: Any) -> Study:
    """A study of 12 actions with two networks of three seeds; tables may be replaced."""
    content: dict[str, Any] = {
        "name": "fake",
        "title": "A fake study of people & networks",
        "seed": 7,
        "dataset": {"kind": "synthetic", "n_actions": 12, "clips_per_action": 8},
        "split": {"validation_clips": 1, "test_clips": 3},
        "masks": {"source": "truth"},
        "trials": {"n_participants": 12},
        "models": [
            {"name": "baseline", "architecture": "baseline", "seeds": [0, 1, 2]},
            {"name": "domainnet", "architecture": "domainnet", "seeds": [0, 1, 2]},
        ],
        "analysis": {"n_bootstrap": 500},
    }
    return Study.model_validate_json(json.dumps(content | changes))


def fill_results(study: Study, root: Path, with_videos: bool = True) -> Results:
    """Write manifest, clips, plan, stimuli to look at, responses and learning curves."""
    results = Results(root)
    record_provenance(study, results)
    clips = _clips(study)
    write_table("clips", clips, results.clips)
    manifest = _manifest(clips, study)
    write_table("manifest", manifest, results.manifest)
    if with_videos:
        for row in manifest[manifest["split"] == "test"].itertuples():
            _write_video(root / row.path, row.condition, ACTIONS.index(row.action))
    make_plan(study, results)
    if study.observers.simulate:
        simulate_observers(study, results)
    for model in study.models:
        for seed in model.seeds:
            table = model_responses(study, results, model.name, seed)
            write_table("responses", table, results.model_responses(model.name, seed))
            _write_curve(study, results, model.name, seed)
            write_scores(results, model.name, seed, TRUTH[model.name])
    return results


def model_responses(study: Study, results: Results, name: str, seed: int) -> pd.DataFrame:
    """Answers of a fake network to every test stimulus, drawn with the shares of `TRUTH`."""
    manifest = pd.read_csv(results.manifest, dtype={"clip_id": str})
    choices = pd.read_csv(results.choices).set_index("action")
    test = manifest[manifest["split"] == "test"]
    parts = []
    for group in [key for key in TRUTH if key in (name, f"{name}_drop")]:
        rng = np.random.default_rng([seed, *group.encode()])
        share = test["condition"].map(dict(zip(CONDITIONS, TRUTH[group], strict=True)))
        right = rng.random(len(test)) < share.to_numpy()
        labels = [choices.loc[action].tolist() for action in test["action"]]
        answers = [row[0] if hit else row[1] for row, hit in zip(labels, right, strict=True)]
        columns = ["stimulus_id", "clip_id", "action", "condition"]
        part = test[columns].reset_index(drop=True)
        part.insert(0, "observer", f"{name}-seed{seed}")
        part.insert(1, "group", group)
        part.insert(2, "session", 1)
        part.insert(3, "trial", np.arange(1, len(part) + 1))
        part["choices"] = ["|".join(row) for row in labels]
        part["response"] = answers
        part["correct"] = right.astype("int64")
        part["rt_s"] = np.nan
        part["time_utc"] = ""
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def study() -> Study:
    return make_study()


@pytest.fixture(scope="session")
def fake_results(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results folder of `study`; tests only read it."""
    return fill_results(study, tmp_path_factory.mktemp("fake"))


@pytest.fixture(scope="session")
def fitted(study: Study, fake_results: Results) -> Results:
    """The same folder with its estimates."""
    fit_study(study, fake_results)
    return fake_results


@pytest.fixture
def new_results(tmp_path: Path) -> Callable[..., tuple[Study, Results]]:
    """Make a study with changed tables and its results folder, for this test alone."""

    def make(**changes: Any) -> tuple[Study, Results]:
        changed = make_study(**changes)
        return changed, fill_results(changed, tmp_path / "results", with_videos=False)

    return make


def _clips(study: Study) -> pd.DataFrame:
    per_action = study.dataset.clips_per_action
    splits = ["validation"] + ["test"] * study.split.test_clips
    splits += ["train"] * (per_action - len(splits))
    rows = [
        (f"{action}_{number:03d}", action, split)
        for action in ACTIONS
        for number, split in enumerate(splits)
    ]
    clips = pd.DataFrame(rows, columns=["clip_id", "action", "split"]).astype(str)
    clips["group"] = ""
    clips["reason"] = ""
    clips["source"] = clips["clip_id"] + ".mp4"
    clips["n_frames"] = 5
    clips["fps"] = 12.5
    clips["width"], clips["height"] = 160, 90
    clips["n_persons_max"] = 1
    clips["mask_found"] = 1.0
    clips["mask_quality"], clips["mask_confidence"] = 0.9, 0.8
    clips["edge_agreement"], clips["area_jumps"], clips["share_filled"] = 0.9, 0.0, 0.0
    clips["source_sha256"] = clips["clip_id"].map(_hash)
    left_out = clips.iloc[[0, 1]].copy()
    left_out["clip_id"] = ["archery_901", "bowing_902"]
    left_out["split"] = "none"
    left_out["reason"] = ["no person was found in 5 of 5 frames", "cannot be read: <truncated>"]
    return pd.concat([clips, left_out], ignore_index=True)


def _manifest(clips: pd.DataFrame, study: Study) -> pd.DataFrame:
    rows = []
    for clip in clips[clips["split"] != "none"].itertuples():
        for condition in study.versions.conditions:
            path = f"stimuli/{condition}/{clip.action}/{clip.clip_id}.mp4"
            rows.append((f"{clip.clip_id}-{condition}", clip.clip_id, clip.action, condition,
                         clip.split, path))  # fmt: skip
    columns = ["stimulus_id", "clip_id", "action", "condition", "split", "path"]
    manifest = pd.DataFrame(rows, columns=columns).astype(str)
    manifest["n_frames"], manifest["fps"] = 5, 12.5
    manifest["width"], manifest["height"] = 160, 90
    manifest["body_fraction"] = 0.2
    manifest["hidden_fraction"] = manifest["condition"].map(
        dict(zip(CONDITIONS, (0.0, 0.8, 0.25), strict=True))
    )
    manifest["luminance"], manifest["contrast"], manifest["background_of"] = 0.5, 0.2, ""
    manifest["sha256"] = manifest["stimulus_id"].map(_hash)
    manifest["source_sha256"] = manifest["clip_id"].map(_hash)
    return manifest


def _write_video(path: Path, condition: str, hue: int) -> None:
    """Five frames of a coloured scene with a disc that moves; every frame differs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=Fraction(25, 2), options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "rgb24"
        for index in range(5):
            frame = np.zeros((90, 160, 3), np.uint8)
            if condition != "body_only":
                frame[:] = (20 * hue % 255, 90, 255 - 20 * hue)
            if condition != "background_only":
                cv2.circle(frame, (40 + 20 * index, 45), 18, (240, 200, 160), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _write_curve(study: Study, results: Results, name: str, seed: int) -> None:
    epochs = np.arange(1, 11)
    curve = pd.DataFrame({"epoch": epochs, "step": epochs * 60, "loss": 2.5 / epochs + 0.05 * seed})
    curve["train_accuracy"] = 1 - 0.9 / epochs
    for condition, share in zip(CONDITIONS, TRUTH[name], strict=True):
        curve[f"validation_{condition}"] = share * (1 - 0.8 / epochs)
    curve["lr"] = 0.003
    path = results.learning_curve(name, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    curve.to_csv(path, index=False)


def write_scores(results: Results, name: str, seed: int, top_1: Sequence[float]) -> None:
    """Metrics and reliability as the scorer leaves them; `top_1` by version."""
    who = {"observer": f"{name}-seed{seed}", "group": name, "reading": "plain"}
    metrics, bins = [], []
    for condition, share in zip(CONDITIONS, top_1, strict=True):
        values = {
            "accuracy_choices": 0.9, "top_1": share, "top_5": 1.0, "balanced_accuracy": share,
            "precision": share, "recall": share, "f1": share, "log_loss": 1.0 + seed,
            "brier": 0.5, "ece": 0.1 + 0.01 * seed,
        }  # fmt: skip
        for metric, value in values.items():
            metrics.append(
                {**who, "condition": condition, "metric": metric, "value": value, "n": 36}
            )
        own = {**who, "condition": condition}
        unsure = {"n": 6 * seed, "confidence": 0.4, "accuracy": 0.5} if seed else {"n": 0}
        bins.append({**own, "low": 0.0, "high": 0.5, **unsure})
        bins.append({**own, "low": 0.5, "high": 1.0, "n": 30, "confidence": 0.9, "accuracy": 0.8})
    for path, rows in ((results.scores(name, seed), metrics),
                       (results.reliability(name, seed), bins)):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, index=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""The whole study by one command: what is done, what is done again, what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.tiny_world import TINY_WORLD

TINY = (
    """
name = "tiny"
title = "A tiny study"
seed = 5
"""
    + TINY_WORLD
    + """[trials]
n_participants = 6
[training]
image_size = 32
epochs = 2
batches_per_epoch = 3
batch_size = 5
threads = 1
[[models]]
name = "baseline"
architecture = "baseline"
backbone = "tiny"
seeds = [0, 1]
[[models]]
name = "domainnet"
architecture = "domainnet"
backbone = "tiny"
seeds = [0, 1]
[analysis]
n_bootstrap = 200
"""
)


def bodyscene(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "bodyscene", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def run_study(folder: Path, results: str = "out") -> None:
    done = bodyscene("run", "tiny.toml", "--results", results, "--cores", "2", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1].endswith("report.html")


def change_times(results: Path) -> dict[str, int]:
    """The times of every file that a step keeps: not of logs, claims and Snakemake's own."""
    return {
        path.relative_to(results).as_posix(): path.stat().st_mtime_ns
        for path in results.rglob("*")
        if path.is_file()
        and not {".snakemake", ".claims"} & set(path.parts)
        and path.suffix != ".log"
    }


def changed(results: Path, before: dict[str, int]) -> set[str]:
    after = change_times(results)
    return {name for name in after if after[name] != before.get(name)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workflow")
    (folder / "tiny.toml").write_text(TINY)
    run_study(folder)
    return folder


def test_everything_is_there(finished: Path) -> None:
    out = finished / "out"
    manifest = pd.read_csv(out / "manifest.csv")
    assert len(manifest) == 5 * 4 * 3
    assert all((out / path).is_file() for path in manifest["path"])
    trials = pd.read_csv(out / "trials.csv")
    assert (trials["kind"] == "test").sum() == 6 * 5
    responses = pd.concat([pd.read_csv(p) for p in (out / "responses").glob("*.csv")])
    assert set(responses["group"]) == {"simulated", "baseline", "domainnet", "domainnet_drop"}
    per_network = responses[responses["group"] == "baseline"].groupby("observer").size()
    assert per_network.to_dict() == {"baseline-seed0": 15, "baseline-seed1": 15}
    assert (out / "report.html").stat().st_size > 50_000
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["seed"] == 5
    assert "torch" in provenance["packages"]


def test_a_second_run_does_nothing(finished: Path) -> None:
    before = change_times(finished / "out")
    run_study(finished)
    assert changed(finished / "out", before) == set()


def test_a_changed_field_redoes_what_depends_on_it(finished: Path) -> None:
    out = finished / "out"
    before = change_times(out)
    study = finished / "tiny.toml"
    study.write_text(TINY.replace("n_bootstrap = 200", "n_bootstrap = 300"))
    run_study(finished)
    touched = changed(out, before)
    study.write_text(TINY)
    assert any(name.startswith("analysis/") for name in touched)
    kept = ("stimuli/", "masks/", "models/", "responses/", "logits/", "frames/", "trials.csv")
    assert not [name for name in touched if name.startswith(kept)]


def test_more_participants_redo_lists_but_no_network(finished: Path) -> None:
    out = finished / "out"
    run_study(finished)
    before = change_times(out)
    (finished / "tiny.toml").write_text(TINY.replace("n_participants = 6", "n_participants = 9"))
    run_study(finished)
    touched = changed(out, before)
    (finished / "tiny.toml").write_text(TINY)
    assert {"trials.csv", "responses/simulated.csv", "report.html"} <= touched
    assert not [name for name in touched if name.startswith(("stimuli/", "models/", "frames/"))]


def test_same_seed_same_bytes(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    for verb in ("stimuli", "plan"):
        done = bodyscene(verb, "tiny.toml", "--results", "out", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    one, two = finished / "out", tmp_path / "out"
    stimuli = sorted(path.relative_to(two) for path in (two / "stimuli").rglob("*.mp4"))
    assert len(stimuli) == 60
    for name in [*stimuli, Path("manifest.csv"), Path("choices.csv"), Path("clips.csv")]:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_killed_run_is_finished_by_the_same_command(finished: Path, tmp_path: Path) -> None:
    run_study(finished)
    (tmp_path / "tiny.toml").write_text(TINY)
    command = [sys.executable, "-P", "-m", "bodyscene", "run", "tiny.toml", "--results", "out"]
    for wait_s in (3.0, 6.0):
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(wait_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run_study(tmp_path)
    for name in ("manifest.csv", "trials.csv", "responses/baseline-seed0.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (finished / "out" / name).read_bytes()
    assert not list((tmp_path / "out").rglob(".partial-*"))


def test_two_runs_at_once_are_refused(finished: Path) -> None:
    code = (
        "import time; from pathlib import Path; from study.writers import only_writer\n"
        "with only_writer(Path('out')): print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=finished, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        refused = bodyscene("run", "tiny.toml", "--results", "out", cwd=finished)
    finally:
        holder.kill()
        holder.wait()
    assert refused.returncode == 1
    assert f"process {holder.pid}" in refused.stderr


def test_actions_with_the_best_margin_are_chosen(tmp_path: Path) -> None:
    by_margin = 'actions = "margin"\nn_actions = 5\nmargin_model = "baseline"\n[training]'
    text = TINY.replace("[training]", by_margin).replace(
        "n_actions = 5\nclips", "n_actions = 7\nclips"
    )
    (tmp_path / "tiny.toml").write_text(text)
    run_study(tmp_path)
    margins = pd.read_csv(tmp_path / "out" / "margins.csv")
    best = margins.groupby("action")["margin"].mean().nlargest(5)
    assert len(set(margins["action"])) == 7
    assert set(pd.read_csv(tmp_path / "out" / "choices.csv")["action"]) == set(best.index)


def test_a_failed_step_is_explained_and_keeps_the_rest(finished: Path, tmp_path: Path) -> None:
    # The learning rate of one network lets its loss grow beyond all numbers.
    wild = '"tiny"\ntraining = { optimizer = "sgd", lr = 1e30 }\nseeds'
    (tmp_path / "tiny.toml").write_text(TINY.replace('"tiny"\nseeds', wild, 1))
    failed = bodyscene("run", "tiny.toml", "--results", "out", "--cores", "2", cwd=tmp_path)
    assert failed.returncode == 1
    assert "baseline, seed 0: the loss is" in failed.stderr
    assert "training.max_gradient" in failed.stderr
    assert (tmp_path / "out" / "manifest.csv").is_file()


def test_a_mistake_in_a_network_is_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY.replace('"tiny"\nseeds', '"resnet999"\nseeds', 1))
    failed = bodyscene("run", "tiny.toml", "--results", "out", "--cores", "2", cwd=tmp_path)
    assert failed.returncode == 1
    assert "resnet999" in failed.stderr
    assert "resnet18" in failed.stderr
    assert not (tmp_path / "out" / "manifest.csv").exists()

"""A study sent by a profile: its steps, jobs that a killed run left, and the container."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import cluster.submit
from cluster.submit import cancel_leftovers, prefix_of, run_on_cluster, steps_of
from cluster.toolkit import check_toolkit, toolkit
from study.config import Study, load_study
from study.errors import StudyError
from study.results import Results
from study.workflow import Place

STUDY = """
name = "sent"
title = "Sent"
seed = 1
[dataset]
kind = "synthetic"
n_actions = 5
clips_per_action = 4
[masks]
source = "truth"
[trials]
n_choices = 5
"""
MODEL = """
[[models]]
name = "{name}"
architecture = "baseline"
backbone = "{backbone}"
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "study file.toml"
    path.write_text(STUDY + MODEL.format(name="tiny", backbone="tiny"), encoding="utf-8")
    return path


@pytest.fixture
def study(study_file: Path) -> Study:
    return load_study(study_file)


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def test_steps_are_those_that_the_study_runs(study: Study) -> None:
    steps = steps_of(study, n_shards=3)
    assert steps[:3] == ["masks_shard", "versions_shard", "stimuli"]
    assert {"train", "score", "simulate", "report"} <= set(steps)
    assert not {"saliency", "noise", "margins", "segment_shard"} & set(steps)
    assert steps_of(study, n_shards=1)[0] == "stimuli"
    alone = study.model_copy(update={"models": []})
    assert not {"frames", "train", "score"} & set(steps_of(alone, n_shards=1))


def test_names_of_jobs_tell_the_results_folder(tmp_path: Path) -> None:
    name = prefix_of(Results(tmp_path / "a"))
    assert name == prefix_of(Results(tmp_path / "b" / ".." / "a"))
    assert name != prefix_of(Results(tmp_path / "b"))


def test_jobs_of_a_killed_run_are_cancelled_and_waited_for(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.submit, "PAUSE_S", 0.01)
    queue = tmp_path / "queue"
    queue.write_text("7|RUNNING|mine_1\n8|PENDING|mine_1\n9|RUNNING|another\n")
    # The job that runs is still ending when it is first asked for.
    program(programs, "squeue", f"cat {queue}; [ -f {queue}.2 ] && mv {queue}.2 {queue}\nexit 0\n")
    program(
        programs,
        "scancel",
        f"echo $@ > {tmp_path}/cancelled\n"
        f"printf '7|COMPLETING|mine_1\\n9|RUNNING|another\\n' > {queue}\n"
        f"printf '9|RUNNING|another\\n' > {queue}.2\n",
    )
    cancel_leftovers("mine")
    assert (tmp_path / "cancelled").read_text() == "--quiet 7 8\n"
    assert queue.read_text() == "9|RUNNING|another\n"


def test_jobs_that_do_not_end_stop_the_run(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.submit, "PATIENCE_S", 0.05)
    monkeypatch.setattr(cluster.submit, "PAUSE_S", 0.01)
    program(programs, "squeue", "echo '7|COMPLETING|mine_1'\n")
    program(programs, "scancel", "exit 0\n")
    with pytest.raises(StudyError, match=r"do not end: 7; cancel them"):
        cancel_leftovers("mine")


def test_without_slurm_nothing_is_begun(
    study: Study, study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    results = Results(tmp_path / "results")
    with pytest.raises(StudyError, match="no SLURM found on this machine"):
        run_on_cluster(study, study_file, results, "slurm", {})
    assert not results.stimuli.exists()


def test_a_mistake_in_a_network_is_said_before_the_cluster_is_asked(
    tmp_path: Path, study_file: Path
) -> None:
    path = tmp_path / "mistaken.toml"
    path.write_text(STUDY + MODEL.format(name="x", backbone="resnet19"), encoding="utf-8")
    with pytest.raises(StudyError, match="resnet19"):
        run_on_cluster(load_study(path), path, Results(tmp_path / "results"), "slurm", {})


def test_a_container_sees_all_folders_that_the_study_names(
    study_file: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "elsewhere" / "w.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"")
    model = MODEL.format(name="a", backbone="tiny") + f'weights = "{weights}"\n'
    study_file.write_text(STUDY + model, encoding="utf-8")
    command = toolkit("/images/body scene.sif", load_study(study_file), study_file, tmp_path)
    assert command.startswith("apptainer exec --nv --bind ")
    assert str(weights.parent) in command
    assert str(study_file.parent) in command
    assert command.endswith("'/images/body scene.sif' bodyscene")


def test_the_toolkit_in_the_container_checks_the_study(
    programs: Path, study: Study, study_file: Path, tmp_path: Path
) -> None:
    image = tmp_path / "image.sif"
    with pytest.raises(StudyError, match="no such file"):
        program(programs, "apptainer", "exit 0\n")
        check_toolkit(str(image), study, study_file, tmp_path)
    image.touch()
    program(programs, "apptainer", f'echo "$@" > {tmp_path}/called\n')
    check_toolkit(str(image), study, study_file, tmp_path)
    called = (tmp_path / "called").read_text()
    assert called.rstrip().endswith(f"{image} bodyscene check {study_file} --networks")
    program(programs, "apptainer", "echo 'error: no such backbone' >&2; exit 1\n")
    with pytest.raises(StudyError, match="no such backbone"):
        check_toolkit(str(image), study, study_file, tmp_path)


def test_no_apptainer_is_said(
    study: Study, study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match="no command 'apptainer'"):
        check_toolkit("x.sif", study, study_file, tmp_path)


@pytest.mark.parametrize("name", ["costs $5", 'a "b"', "100%", "back`tick"])
def test_a_path_that_jobs_would_misread_is_refused(
    study: Study, study_file: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(StudyError, match=r"must be without.*rename the folder"):
        run_on_cluster(study, study_file, Results(tmp_path / name), "slurm", {})


def test_a_slurm_that_forgets_ended_jobs_is_refused(
    programs: Path, tmp_path: Path, study: Study, study_file: Path
) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "config.yaml").write_text("executor: slurm\njobs: 3\n")
    cluster_of_one_node(programs)
    program(programs, "sacct", "echo 'accounting storage is disabled' >&2; exit 1\n")
    program(programs, "scontrol", "echo 'MinJobAge               = 30 sec'\n")
    with pytest.raises(StudyError, match=r"forgets jobs 30 s after their end.*>= 200"):
        run_on_cluster(study, study_file, Results(tmp_path / "results"), str(profile), {})


def cluster_of_one_node(folder: Path) -> None:
    program(
        folder,
        "sinfo",
        'if [ "$3" = %P ]; then echo "cpu*"; else echo "cpu|up|1:00:00|64|99000|(null)"; fi\n',
    )
    program(folder, "squeue", "exit 0\n")
    program(folder, "scancel", "exit 0\n")


@pytest.fixture
def sent_arguments(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """What Snakemake is given, by a run that is interrupted at once."""
    cluster_of_one_node(programs)
    program(programs, "scontrol", "echo 'MinJobAge               = 300 sec'\n")
    program(programs, "sacct", "exit 1\n")
    given: list[str] = []

    def interrupted(study_file: Path, results: Results, place: Place, more: object) -> int:
        given.extend(place.arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster.submit, "run_workflow", interrupted)
    yield given


def run_with(profile: str, tmp_path: Path, study: Study, study_file: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"executor: slurm\njobs: 3\n{profile}")
    with pytest.raises(KeyboardInterrupt):
        run_on_cluster(study, study_file, Results(tmp_path / "results"), str(tmp_path), {})


def test_jobs_are_asked_after_patiently_and_not_queued_again(
    sent_arguments: list[str], tmp_path: Path, study: Study, study_file: Path
) -> None:
    run_with("", tmp_path, study, study_file)
    options = dict(itertools.pairwise(sent_arguments))
    assert options["--slurm-status-command"] == "squeue"
    attempts = float(options["--slurm-status-attempts"])
    # A controller may be away for hours.
    assert attempts / float(options["--max-status-checks-per-second"]) > 3600 * 3
    assert "--slurm-no-requeue" in sent_arguments


def test_what_the_profile_says_of_asking_stays(
    sent_arguments: list[str], tmp_path: Path, study: Study, study_file: Path
) -> None:
    text = "slurm-requeue: true\nslurm-status-attempts: 7\nslurm-status-command: sacct\n"
    run_with(text, tmp_path, study, study_file)
    assert not {"--slurm-no-requeue", "--slurm-status-attempts", "--slurm-status-command"} & set(
        sent_arguments
    )


@pytest.mark.usefixtures("sent_arguments")
def test_interrupted_it_cancels_jobs_that_snakemake_has_lost_sight_of(
    programs: Path,
    tmp_path: Path,
    study: Study,
    study_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = prefix_of(Results(tmp_path / "results"))
    program(programs, "squeue", f"cat {tmp_path}/queue 2>/dev/null; exit 0\n")
    program(programs, "scancel", f"echo $@ > {tmp_path}/cancelled\n")
    monkeypatch.setattr(cluster.submit, "run_workflow", partial(lose_a_job, tmp_path, prefix))
    run_with("", tmp_path, study, study_file)
    assert (tmp_path / "cancelled").read_text() == "--quiet 7\n"


def lose_a_job(folder: Path, prefix: str, *arguments: object) -> int:
    (folder / "queue").write_text(f"7|RUNNING|{prefix}_1\n8|RUNNING|another\n")
    raise KeyboardInterrupt

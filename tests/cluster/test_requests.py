"""What SLURM's commands print is read, and requests that can never be fulfilled are refused."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pytest

from cluster.profile import Profile, read_profile
from cluster.requests import OF_ONE_CORE, check_requests, limits, states_memory
from cluster.sizes import DEFAULTS, JobSizes
from cluster.slurm import Device, Nodes, Partition, ask, devices, minutes, partitions
from study.errors import StudyError
from study.workflow import SNAKEFILE

GUESSED = JobSizes({}, "nothing was measured")
CPU = Partition("cpu", True, 600.0, (Nodes(32, 64_000, ()), Nodes(64, 256_000, ())))
GPU = Partition("gpu", True, float("inf"), (Nodes(16, 500_000, (Device("gpu", "a100", 4),)),))
CLUSTER = {"cpu": CPU, "gpu": GPU}


def profile_of(tmp_path: Path, text: str) -> Profile:
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    return read_profile(str(tmp_path))


def check(profile: Profile, *steps: str, cluster: dict[str, Partition] = CLUSTER) -> None:
    check_requests(profile, steps, GUESSED, cluster, with_memory=True)


def test_devices_are_read_as_sinfo_and_profiles_write_them() -> None:
    assert devices("(null)") == ()
    assert devices("gpu:2") == (Device("gpu", "", 2),)
    assert devices("gpu:a100") == (Device("gpu", "a100", 1),)
    assert devices("gpu:a100:4(S:0-1),shard:8") == (
        Device("gpu", "a100", 4),
        Device("shard", "", 8),
    )
    assert devices("gpu:2(IDX:0,2)") == (Device("gpu", "", 2),)


def test_time_limits_are_read_as_sinfo_writes_them() -> None:
    assert minutes("infinite") == float("inf")
    assert minutes("30:00") == 30
    assert minutes("12:30:00") == 750
    assert minutes("7-00:00:00") == 7 * 1440


def test_partitions_are_read_from_sinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sinfo = tmp_path / "sinfo"
    sinfo.write_text(
        "#!/bin/sh\n"
        'if [ "$3" = %P ]; then printf "cpu\\ngpu*\\n"; exit; fi\n'
        'printf "cpu|up|12:00:00|32|64000|(null)\\ncpu|up|12:00:00|64|256000|(null)\\n"\n'
        'printf "gpu|down|infinite|16|500000|gpu:a100:4(S:0)\\n"\n'
    )
    sinfo.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = partitions()
    assert list(found) == ["gpu", "cpu"]  # the default one first
    assert found["cpu"] == Partition("cpu", True, 720.0, CPU.nodes)
    assert not found["gpu"].is_up
    assert found["gpu"].nodes[0].devices == (Device("gpu", "a100", 4),)


def test_no_slurm_and_a_silent_controller_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match="no SLURM found on this machine"):
        ask("sinfo")
    broken = tmp_path / "sinfo"
    broken.write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2; exit 1\n")
    broken.chmod(0o755)
    with pytest.raises(StudyError, match=r"did not answer.*Unable to contact slurm controller"):
        ask("sinfo")


def test_what_the_cluster_has_passes(tmp_path: Path) -> None:
    profile = profile_of(
        tmp_path,
        "config: {cores_per_job: 16}\n"
        "set-resources:\n"
        "  train: {slurm_partition: gpu, gres: 'gpu:a100:2', mem_mb: 400000, runtime: 3d}\n"
        "  score: {slurm_partition: 'gpu', gpu: 8, nodes: 2}\n",
    )
    check(profile, "stimuli", "train", "score", "report")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{slurm_partition: fast}", r"train\.slurm_partition.*no partition 'fast'.*cpu, gpu"),
        ("{runtime: 1d}", r"train\.runtime.*asks for 1440 minutes.*'cpu' allows 600"),
        ("{gres: 'gpu:1'}", r"train\.gres.*no node of partition 'cpu' has gpu:1.*gpu:a100:4"),
        ("{slurm_partition: gpu, gres: 'gpu:h100:1'}", r"train\.gres.*has gpu:h100:1"),
        ("{slurm_partition: gpu, gres: 'gpu:8'}", r"train\.gres.*has gpu:8"),
        ("{slurm_partition: gpu, gpu: 1, gpu_model: v100}", r"train\.gpu_model.*gpu:v100:1"),
        ("{mem_mb: 300000}", r"train\.mem_mb.*300000 MB.*at most 256000 MB"),
    ],
)
def test_what_it_does_not_have_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        check(profile_of(tmp_path, f"set-resources: {{train: {text}}}"), "train")


def test_too_many_cores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"config\.cores_per_job.*65 CPU cores.*at most 64"):
        check(profile_of(tmp_path, "config: {cores_per_job: 65}"), "frames")
    with pytest.raises(StudyError, match=r"set-threads\.frames.*99 CPU cores"):
        check(profile_of(tmp_path, "set-threads: {frames: 99}"), "frames")


def test_a_partition_that_takes_no_jobs_is_refused(tmp_path: Path) -> None:
    down = {"cpu": CPU, "gpu": dataclasses.replace(GPU, is_up=False)}
    profile = profile_of(tmp_path, "set-resources: {train: {slurm_partition: gpu}}")
    with pytest.raises(StudyError, match=r"takes no jobs now.*there are cpu"):
        check(profile, "train", cluster=down)


def test_guesses_are_cut_to_what_there_is_and_not_refused(tmp_path: Path) -> None:
    small = {"cpu": Partition("cpu", True, 60.0, (Nodes(8, 4_000, ()),))}
    profile = profile_of(tmp_path, "jobs: 3")
    assert DEFAULTS["train"].mem_mb > 4_000
    assert DEFAULTS["train"].minutes > 60
    check(profile, "train", cluster=small)
    assert limits(profile, ["train"], small) == {"train": {"mem_mb": 4000, "minutes": 60}}
    assert limits(profile, ["train"], {"gpu": GPU}) == {"train": {"mem_mb": 500_000}}


def test_memory_is_left_out_where_the_cluster_does_not_count_it(tmp_path: Path) -> None:
    silent = {"all": Partition("all", True, float("inf"), (Nodes(4, 1, ()),))}
    profile = profile_of(tmp_path, "jobs: 3")
    assert not states_memory(profile, ["train"], silent)
    check_requests(profile, ["train"], GUESSED, silent, with_memory=False)
    assert states_memory(profile, ["train"], CLUSTER)
    asking = profile_of(tmp_path, "set-resources: {train: {mem_mb: 8000}}")
    with pytest.raises(StudyError, match=r"train\.mem_mb.*do not say how much memory"):
        check_requests(asking, ["train"], GUESSED, silent, with_memory=False)


def test_one_of_several_partitions_is_enough(tmp_path: Path) -> None:
    text = "set-resources: {train: {slurm_partition: 'cpu,gpu', gres: 'gpu:1', runtime: 3d}}"
    profile = profile_of(tmp_path, text)
    check(profile, "train")
    assert limits(profile, ["train"], CLUSTER) == {"train": {"mem_mb": 500_000}}
    neither = profile_of(tmp_path, text.replace("gpu:1", "gpu:9"))
    with pytest.raises(StudyError, match=r"train\.runtime.*'cpu' allows 600"):
        check(neither, "train")


def test_a_default_partition_that_is_down_is_refused(tmp_path: Path) -> None:
    down = {"cpu": dataclasses.replace(CPU, is_up=False), "gpu": GPU}
    with pytest.raises(StudyError, match="'cpu' takes no jobs now"):
        check(profile_of(tmp_path, "jobs: 3"), "frames", cluster=down)


def test_memory_is_that_of_nodes_with_the_gpus(tmp_path: Path) -> None:
    mixed = Partition("gpu", True, 600.0, (*GPU.nodes, Nodes(64, 900_000, ())))
    text = "set-resources: {train: {gres: 'gpu:1', mem_mb: 600000}, fit: {mem_mb: 600000}}"
    profile = profile_of(tmp_path, text)
    check(profile, "fit", cluster={"gpu": mixed})
    with pytest.raises(StudyError, match=r"train\.mem_mb.*at most 500000 MB"):
        check(profile, "train", cluster={"gpu": mixed})
    assert limits(profile, ["train"], {"gpu": mixed})["train"]["mem_mb"] == 500_000


def test_gpus_of_any_kind_are_counted_together(tmp_path: Path) -> None:
    both = Nodes(64, 100_000, (Device("gpu", "a100", 2), Device("gpu", "v100", 2)))
    mixed = {"gpu": Partition("gpu", True, 600.0, (both,))}
    check(profile_of(tmp_path, "set-resources: {train: {gres: 'gpu:4'}}"), "train", cluster=mixed)
    typed = profile_of(tmp_path, "set-resources: {train: {gres: 'gpu:a100:4'}}")
    with pytest.raises(StudyError, match="has gpu:a100:4"):
        check(typed, "train", cluster=mixed)


def test_a_number_of_gpus_that_is_none_is_named(tmp_path: Path) -> None:
    profile = profile_of(tmp_path, "set-resources: {train: {gpu: two}}")
    with pytest.raises(StudyError, match=r"train\.gpu in.*a whole number, found 'two'"):
        check(profile, "train")


def test_steps_of_one_core_are_those_without_threads_in_the_snakefile(tmp_path: Path) -> None:
    rules = re.split(r"^ *(?:use )?rule ", SNAKEFILE.read_text(encoding="utf-8"), flags=re.M)[1:]
    alone = {rule.split(":")[0] for rule in rules if "shell:" in rule and "threads:" not in rule}
    assert set(OF_ONE_CORE) == alone
    check(profile_of(tmp_path, "config: {cores_per_job: 65}"), *OF_ONE_CORE)

"""What a profile says, and every mistake in it, by file and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.profile import SHIPPED, STEPS, read_profile
from study.errors import StudyError

SNAKEFILE = SHIPPED.parent / "Snakefile"


def write(folder: Path, text: str) -> str:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return str(folder)


def test_the_shipped_profile_is_read_by_its_name() -> None:
    profile = read_profile("slurm")
    assert profile.executor == "slurm"
    assert profile.own.clips_per_shard == 250
    assert profile.asks("train", "gres") == "gpu:1"
    assert profile.asks("fit", "gres") is None
    assert {"retries", "latency-wait", "jobs"} <= profile.given


def test_the_steps_are_the_rules_of_the_snakefile() -> None:
    lines = SNAKEFILE.read_text(encoding="utf-8").splitlines()
    rules = {line.split()[1].rstrip(":") for line in lines if line.strip().startswith("rule ")}
    rules |= {line.split(" as ")[1].split()[0] for line in lines if "use rule" in line}
    assert set(STEPS) == rules - {"all"}


def test_what_a_step_asks_for_comes_before_the_defaults(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "default-resources: [slurm_partition=cpu, qos=long]\n"
        "set-resources:\n  train: {slurm_partition: gpu, mem_mb: 32000}\n  fit: {runtime: 2h}\n"
        "set-threads: {train: 8}\n",
    )
    profile = read_profile(folder)
    assert profile.asks("train", "slurm_partition") == "gpu"
    assert profile.asks("fit", "slurm_partition") == "cpu"
    assert profile.minutes("fit") == 120
    assert profile.mem_mb("train") == 32000
    assert profile.threads == {"train": 8}
    assert "set-resources.train.mem_mb in" in profile.field("train", "mem_mb")
    assert "default-resources.slurm_partition in" in profile.field("fit", "slurm_partition")


def test_lists_of_snakemakes_own_form_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path, "set-resources: ['train:mem_mb=500', 'fit:runtime=30']\n")
    profile = read_profile(folder)
    assert profile.mem_mb("train") == 500
    assert profile.minutes("fit") == 30


def test_times_are_read_as_snakemake_reads_them(tmp_path: Path) -> None:
    for text, minutes in (("90", 90), ("90m", 90), ("1d", 1440), ("'30s'", 1)):
        folder = write(tmp_path, f"set-resources: {{train: {{runtime: {text}}}}}\n")
        assert read_profile(folder).minutes("train") == minutes
    folder = write(tmp_path, "set-resources: {train: {runtime: 'attempt * 60'}}\n")
    assert read_profile(folder).minutes("train") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("set-resources: {trian: {mem_mb: 1}}", r"set-resources\.trian: no step has this name"),
        ("set-threads: {train: lots}", r"set-threads\.train: expected a number of CPU cores"),
        ("config: {clips_per_shrad: 3}", r"config\.clips_per_shrad is unknown; expected one of"),
        ("config: {clips_per_shard: -3}", r"config\.clips_per_shard: .* found -3"),
        ("config: {cores_per_job: many}", r"config\.cores_per_job: .* found 'many'"),
        ("set-resources: 3", "set-resources: expected a step a line, found 3"),
        ("a: [1", "cannot be read as YAML"),
        ("just words", "expected fields such as"),
        ("set-resources: {}", "set-resources is empty"),
        ("set-resources:\nset-threads: {fit: 1}", "set-resources is empty"),
        ("executor: slurm", "the field jobs is missing"),
        (
            "{executor: slurm, jobs: 3, set-resources: {fit: {slurm_partion: gpu}}}",
            r"set-resources\.fit\.slurm_partion is unknown; is slurm_partition meant",
        ),
        ("default-resources: {runtime: 2h}", r"default-resources\.runtime has no effect"),
        ("default-resources: [mem_mb=4000]", r"default-resources\.mem_mb has no effect"),
        (
            "set-resources: {fit: {slurm_partition: all}}",
            r"set-resources\.fit\.slurm_partition: Snakemake takes all for a function.*\"'all'\"",
        ),
    ],
)
def test_a_mistake_names_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    folder = write(tmp_path, text)
    with pytest.raises(StudyError, match=said) as error:
        read_profile(folder)
    assert str(tmp_path / "config.yaml") in str(error.value)


def test_words_in_two_pairs_of_quotes_are_read_as_snakemake_reads_them(tmp_path: Path) -> None:
    folder = write(tmp_path, "set-resources: {fit: {slurm_partition: \"'all'\"}}\n")
    assert read_profile(folder).asks("fit", "slurm_partition") == "all"


def test_a_second_file_that_snakemake_would_read_instead_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "jobs: 3\n")
    (tmp_path / "config.v8+.yaml").write_text("jobs: 4\n")
    with pytest.raises(StudyError, match=r"config\.v8\+\.yaml: Snakemake would read it"):
        read_profile(folder)


def test_an_amount_that_is_none_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, "set-resources: {train: {runtime: soon, mem_mb: much}}\n")
    profile = read_profile(folder)
    with pytest.raises(StudyError, match=r"set-resources\.train\.runtime.*found 'soon'"):
        profile.minutes("train")
    with pytest.raises(StudyError, match=r"set-resources\.train\.mem_mb.*found 'much'"):
        profile.mem_mb("train")


def test_a_profile_that_is_not_there_lists_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"one of the shipped \['slurm'\]"):
        read_profile(str(tmp_path / "nowhere"))

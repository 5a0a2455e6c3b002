"""The study files that are shipped, and the two lists of requirements."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from study.config import load_study

ROOT = Path(__file__).resolve().parents[2]
# The extras that a full installation has.
INSTALLED = ("lab", "models", "video", "cluster", "dev")
SHIPPED = sorted((ROOT / "studies").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_study_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in set(re.findall(r"\$\{(\w+)\}", path.read_text())):
        monkeypatch.setenv(variable, "/data")
    assert load_study(path).name


def test_demo_and_haa500_are_shipped() -> None:
    assert {"demo", "haa500"} <= {path.stem for path in SHIPPED}


def test_haa500_is_the_published_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAA500", "/data/haa500")
    study = load_study(ROOT / "studies" / "haa500.toml")
    assert (study.trials.n_actions, study.trials.n_choices) == (80, 5)
    assert study.trials.n_participants == 28
    assert study.training.image_size == 224
    assert {model.backbone for model in study.models} == {"resnet50"}
    assert study.masks.persons == "exactly_one"


def requirement_names(lines: list[str]) -> set[str]:
    return {line.replace(" ", "") for line in lines if not line.startswith("-")}


def test_environment_yml_names_the_requirements_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    expected = requirement_names(
        [*project["dependencies"], *(line for name in INSTALLED for line in extras[name])]
    )
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert requirement_names(pip) == expected
    python = next(entry for entry in environment["dependencies"] if "python" in entry)
    assert project["requires-python"] == python.removeprefix("python ").strip()


def test_every_requirement_has_a_tested_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in INSTALLED for line in extras[name])]
    constraints = (ROOT / "constraints.txt").read_text()
    tested = {
        line.split("==")[0].lower().replace("_", "-")
        for line in constraints.splitlines()
        if "==" in line
    }
    names = {re.split(r"[\[>=<~! ]", line)[0].lower() for line in wanted}
    assert names <= tested, names - tested


def test_extras_do_not_mix_lab_and_models() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert not any("torch" in line or "ultralytics" in line for line in extras["lab"])
    assert not any("psychopy" in line for line in extras["models"])

"""Each step depends on its own fields of the study file and on no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.config import Study, load_study
from study.results import Results
from study.steps import SECTIONS, step_settings, write_step_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo() -> Study:
    return load_study(ROOT / "studies" / "demo.toml")


def changed_steps(folder: Path, before: Study, after: Study) -> set[str]:
    results = Results(folder)
    write_step_settings(before, results)
    times = {path.name: path.stat().st_mtime_ns for path in (folder / "steps").iterdir()}
    write_step_settings(after, results)
    return {
        path.name.removesuffix(".json")
        for path in (folder / "steps").iterdir()
        if times.get(path.name) != path.stat().st_mtime_ns
    }


def with_field(study: Study, section: str, **fields: object) -> Study:
    part = getattr(study, section)
    return study.model_copy(update={section: part.model_copy(update=fields)})


@pytest.mark.parametrize(
    ("section", "fields", "steps"),
    [
        ("trials", {"n_participants": 30}, {"plan", "power"}),
        ("versions", {"dilation": 1.4}, {"stimuli", "audit", "noise"}),
        ("training", {"lr": 0.1}, {"train-baseline", "train-domainnet"}),
        ("training", {"image_size": 32}, {"frames", "train-baseline", "train-domainnet"}),
        ("training", {"threads": 3}, set()),
        ("masks", {"device": "cuda", "batch_size": 2}, set()),
        ("scoring", {"frame_logits": True}, {"score-baseline", "score-domainnet"}),
        ("observers", {"lapse": 0.1}, {"simulate", "power"}),
        ("analysis", {"n_bootstrap": 500}, {"fit", "power"}),
    ],
)
def test_a_changed_field_changes_its_steps_only(
    tmp_path: Path, demo: Study, section: str, fields: dict[str, object], steps: set[str]
) -> None:
    assert changed_steps(tmp_path, demo, with_field(demo, section, **fields)) == steps


def test_a_changed_model_changes_its_own_steps_only(tmp_path: Path, demo: Study) -> None:
    models = [demo.models[0], demo.models[1].model_copy(update={"absent_part": "drop"})]
    after = demo.model_copy(update={"models": models})
    assert changed_steps(tmp_path, demo, after) == {"score-domainnet", "saliency"}


@pytest.mark.parametrize("field", [{"keep": "best"}, {"patience": 3}])
def test_how_an_absent_part_is_read_matters_to_training_where_validation_decides(
    tmp_path: Path, demo: Study, field: dict[str, object]
) -> None:
    before = with_field(demo, "training", **field)
    models = [demo.models[0], demo.models[1].model_copy(update={"absent_part": "drop"})]
    after = before.model_copy(update={"models": models})
    expected = {"train-domainnet", "score-domainnet", "saliency"}
    assert changed_steps(tmp_path, before, after) == expected


def test_one_more_seed_changes_no_step_of_the_others(tmp_path: Path, demo: Study) -> None:
    models = [demo.models[0].model_copy(update={"seeds": [0, 1, 2, 3]}), demo.models[1]]
    assert changed_steps(tmp_path, demo, demo.model_copy(update={"models": models})) == set()


def test_every_section_of_the_study_file_belongs_to_a_step() -> None:
    used = {name for sections in SECTIONS.values() for name in sections}
    # Networks have steps of their own; people are not tested by the workflow.
    used |= {"models", "session"}
    assert used == set(Study.model_fields)


def test_a_network_depends_on_what_is_in_its_files_and_not_on_where_they_lie(
    tmp_path: Path, demo: Study
) -> None:
    keys = []
    for folder, content in (("here", "1"), ("there", "1"), ("elsewhere", "2")):
        weights = tmp_path / folder / "start.pth"
        weights.parent.mkdir()
        weights.write_text(content)
        network = demo.models[0].model_copy(
            update={"weights": weights, "training": {"flow_weights": str(weights)}}
        )
        study = demo.model_copy(update={"models": [network]})
        keys.append([step_settings(study, each, "baseline") for each in ("train", "score")])
    assert keys[0] == keys[1]
    assert keys[0][0] != keys[2][0]
    assert keys[0][1] != keys[2][1]

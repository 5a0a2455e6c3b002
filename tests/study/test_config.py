"""The study file: what is accepted, and how mistakes are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.config import dump_study, load_study
from study.errors import StudyError

MINIMAL = """
name = "tiny"
title = "A tiny study"
seed = 3
[dataset]
kind = "synthetic"
n_actions = 6
clips_per_action = 4
[masks]
source = "truth"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


def error_of(folder: Path, text: str) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(write(folder, text))
    return str(caught.value)


def test_defaults_are_the_protocol(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINIMAL))
    assert (study.trials.n_choices, study.trials.n_participants) == (5, 28)
    assert (study.versions.width, study.versions.height) == (640, 360)
    assert study.versions.dilation == 1.2
    # The prototype's union and Telea give the action away (docs/audit.md); haa500.toml has them.
    assert (study.versions.hole, study.versions.inpainting) == ("box", "mirror")
    assert (study.training.lr, study.training.momentum) == (0.001, 0.9)
    assert (study.training.batch_size, study.training.epochs) == (32, 100)


def test_dumped_study_reads_back_equal(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINIMAL))
    assert load_study(write(tmp_path, dump_study(study))) == study


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("seed = 3", 'seed = "3"'), ["seed = '3'", "integer"]),
        (("seed = 3", "seed = 3\ncolour = 1"), ["colour: unknown key", "versions"]),
        (("n_actions = 6", "n_action = 6"), ["dataset.n_action", "did you mean 'n_actions'"]),
        (("n_actions = 6", "n_actions = 4"), ["trials.n_choices = 5", "only 4 actions"]),
        (("n_actions = 6", "n_actions = 99"), ["dataset.n_actions = 99", "16"]),
        (('"synthetic"', '"kinetics"'), ["dataset", "'kinetics'", "'haa500'"]),
        (('"truth"', '"sam"'), ["masks.source = 'sam'", "'yolo'"]),
        (("clips_per_action = 4", "clips_per_action = 3"), []),
        (('"truth"', '"files"'), ["masks", "path"]),
        (("seed = 3", ""), ["seed: missing"]),
    ],
)
def test_mistakes_name_file_field_and_what_is_allowed(
    tmp_path: Path, change: tuple[str, str], expected: list[str]
) -> None:
    text = MINIMAL.replace(*change)
    assert text != MINIMAL
    if not expected:
        assert load_study(write(tmp_path, text)).name == "tiny"
        return
    said = error_of(tmp_path, text)
    assert str(tmp_path / "tiny.toml") in said
    for part in expected:
        assert part in said


def test_no_clip_left_to_train_on(tmp_path: Path) -> None:
    said = error_of(tmp_path, MINIMAL + "[split]\ntest_clips = 3\n")
    assert "clips_per_action = 4" in said
    assert "train" in said


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    said = error_of(tmp_path, MINIMAL + "[versions]\ndilation = 0.5\nwidth = 641\n")
    assert "versions.dilation = 0.5" in said
    assert "versions.width = 641" in said


def test_model_names_are_unique_and_not_reserved(tmp_path: Path) -> None:
    model = '[[models]]\nname = "{}"\narchitecture = "baseline"\n'
    assert "share a name" in error_of(tmp_path, MINIMAL + model.format("a") * 2)
    assert "human" in error_of(tmp_path, MINIMAL + model.format("human"))


def test_margin_model_must_be_a_model(tmp_path: Path) -> None:
    margin = '[trials]\nactions = "margin"\nn_actions = 5\nmargin_model = "nobody"\n'
    assert "'nobody'" in error_of(tmp_path, MINIMAL + margin)


def test_truth_is_only_known_of_the_synthetic_world(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        'kind = "synthetic"\nn_actions = 6\nclips_per_action = 4',
        'kind = "folder"\n[[dataset.folders]]\npath = "clips"',
    )
    assert "masks.source = 'truth'" in error_of(tmp_path, text)


def test_relative_paths_are_relative_to_the_study_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPS_OF_TEST", "some/clips")
    text = MINIMAL.replace(
        'kind = "synthetic"\nn_actions = 6\nclips_per_action = 4',
        'kind = "folder"\n[[dataset.folders]]\npath = "${CLIPS_OF_TEST}"',
    ).replace('"truth"', '"yolo"')
    study = load_study(write(tmp_path, text))
    assert study.dataset.folders[0].path == tmp_path / "some/clips"
    assert study.masks.weights == Path("yolov8x-seg.pt"), "an official name stays a name"


def test_unset_environment_variable_is_named(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        'kind = "synthetic"\nn_actions = 6\nclips_per_action = 4',
        'kind = "folder"\n[[dataset.folders]]\npath = "${NOBODY_SETS_THIS}/clips"',
    ).replace('"truth"', '"yolo"')
    assert "NOBODY_SETS_THIS is not set" in error_of(tmp_path, text)


def test_missing_file_and_broken_toml(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such study file"):
        load_study(tmp_path / "absent.toml")
    assert "not a TOML file" in error_of(tmp_path, "name = ")


def test_every_field_of_the_study_file_is_documented() -> None:
    from study.config import DATASETS, Study, _sections_in

    sections = [Study, *DATASETS.values()]
    for section in sections:
        for field in section.model_fields.values():
            sections += [s for s in _sections_in(field.annotation) if s not in sections]
    assert len(sections) >= 11
    for section in sections:
        assert section.__doc__, section
        for name, field in section.model_fields.items():
            documented = bool(field.description) or bool(_sections_in(field.annotation))
            assert documented, f"{section.__name__}.{name}"


def test_shipped_reference_is_that_of_the_fields() -> None:
    from study.reference import study_file_reference

    shipped = Path(__file__).resolve().parents[2] / "docs" / "study_file.md"
    assert shipped.read_text(encoding="utf-8") == study_file_reference() + "\n"


def test_a_networks_own_flow_weights_are_relative_to_the_study_file(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "studies" / "demo.toml").read_text()
    own = 'training = { flow = "raft", flow_weights = "sub/raft.pth" }\n'
    path = tmp_path / "study.toml"
    path.write_text(text.replace('name = "baseline"\n', f'name = "baseline"\n{own}'))
    study = load_study(path)
    assert study.training_of(study.models[0]).flow_weights == tmp_path / "sub" / "raft.pth"
    assert study.training_of(study.models[1]).flow_weights is None

"""Importing the outputs of a network from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.external import ImportedOutputs, import_outputs
from study.errors import StudyError
from study.results import Results
from study.tables import read_table

ACTIONS = ["bow", "jump", "wave"]
INDEX = np.array([0, 0, 1, 2, 2])
PROBABILITIES = np.array(
    [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.0, 0.5, 0.5], [0.1, 0.0, 0.9]],
    np.float16,
)


@pytest.mark.real_data
def test_the_prototype_gives_its_published_shares(real_data: Path, tmp_path: Path) -> None:
    """Numbers: README of the prototype's outputs, which counts ties as right."""
    folder = real_data / "author_outputs"
    expected = {
        "body_background": (0.5466, 0.0681, 0.2213),
        "background_only": (0.4635, 0.0611, 0.1738),
        "body_only": (0.2317, 0.0155, 0.0791),
    }
    done = import_outputs(
        {condition: folder / f"test_{condition}.npz" for condition in expected},
        choices=folder / "choices_80.csv",
        folder=tmp_path,
        name="prototype",
        categories=folder / "categories.csv",
    )
    table = pd.read_csv(done.accuracy).set_index(["level", "condition"])
    for condition, (unbeaten, top_1, top_5) in expected.items():
        found = table.loc["frame", condition]
        assert (found["n"], found["n_actions"]) == (7697, 80)
        assert round(found["unbeaten"], 4) == unbeaten
        assert found["chosen"] == pytest.approx(unbeaten, abs=1e-3)
        assert round(found["top_1"], 4) == top_1
        # Two of the 7697 frames hang on the order of classes with equal probabilities.
        assert found["top_5"] == pytest.approx(top_5, abs=3e-4)
    rows = read_table("responses", done.responses)
    assert len(rows) == 240
    of_clips = rows.groupby("condition")["correct"].mean()
    for condition, share in of_clips.items():
        assert share == pytest.approx(table.loc["clip", condition]["chosen"])


def _write(folder: Path, **changed: np.ndarray) -> Path:
    path = folder / "outputs.npz"
    np.savez(path, **{"probabilities": PROBABILITIES, "category_index": INDEX} | changed)
    return path


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Path], ImportedOutputs]:
    """Import one file as body_only, with three categories and two choices each."""
    categories, choices = tmp_path / "categories.csv", tmp_path / "choices.csv"
    # In another order than the index: names go by the number, not by the line.
    pd.DataFrame({"category_index": [2, 0, 1], "action": ["wave", "bow", "jump"]}).to_csv(
        categories, index=False
    )
    pd.DataFrame({"choice_idx_1": [0, 2], "choice_idx_2": [1, 0]}).to_csv(choices, index=False)

    def run(path: Path) -> ImportedOutputs:
        return import_outputs({"body_only": path}, choices, tmp_path, "net", categories)

    return run


def test_numbers_by_hand(load: Callable[[Path], ImportedOutputs], tmp_path: Path) -> None:
    done = load(_write(tmp_path))
    table = pd.read_csv(done.accuracy).set_index("level")
    # Frames: bow is right in one of two, wave in two of two; the mean over actions.
    assert table.loc["frame", "chosen"] == pytest.approx(0.75)
    # Right at once: frames 0 and 4; frame 3 is a tie that jump, the first class, takes.
    assert table.loc["frame", "top_1"] == pytest.approx(0.4)
    assert table.loc["frame", "top_5"] == 1
    rows = read_table("responses", done.responses)
    assert list(rows["choices"]) == ["bow|jump", "wave|bow"]
    # Bow's clip: log(0.6) + log(0.2) is less than log(0.3) + log(0.7).
    assert list(rows["response"]) == ["jump", "wave"]
    logits = pd.read_parquet(done.logits)
    assert list(logits.columns) == ["stimulus_id", "frame", *ACTIONS]
    assert list(logits["frame"]) == [0, 1, 0, 0, 1]
    np.testing.assert_allclose(np.exp(logits[ACTIONS]), PROBABILITIES, atol=1e-3)
    assert np.isfinite(logits[ACTIONS].to_numpy()).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"probabilities": PROBABILITIES[:, :2]},
            r"'probabilities': expected frames x 3 .* \(5, 2",
        ),
        ({"probabilities": PROBABILITIES * 2}, r"probabilities, row 0: .* found the sum 2"),
        ({"probabilities": PROBABILITIES * np.nan}, "row 0: .* found the sum nan"),
        ({"category_index": INDEX[:4]}, r"'category_index': expected 5 whole numbers"),
        ({"category_index": INDEX + 1}, r"'category_index': expected 0 to 2, found 1 to 3"),
        ({"category_index": INDEX.astype(object)}, r"not a readable \.npz file"),
    ],
)
def test_bad_fields_are_named(
    load: Callable[[Path], ImportedOutputs],
    tmp_path: Path,
    changed: dict[str, np.ndarray],
    message: str,
) -> None:
    with pytest.raises(StudyError, match=rf"outputs\.npz.*{message}"):
        load(_write(tmp_path, **changed))


def test_bad_files_are_named(load: Callable[[Path], ImportedOutputs], tmp_path: Path) -> None:
    path = tmp_path / "outputs.npz"
    with pytest.raises(StudyError, match="no such file"):
        load(path)
    np.savez(path, scores=PROBABILITIES)
    with pytest.raises(StudyError, match=r"field 'probabilities', found \['scores'\]"):
        load(path)
    path.write_bytes(_write(tmp_path).read_bytes()[:200])
    with pytest.raises(StudyError, match=r"not a readable \.npz"):
        load(path)
    (tmp_path / "outputs.pkl").touch()
    with pytest.raises(StudyError, match=r"expected one of '\.npz', '\.csv', '\.parquet'"):
        load(tmp_path / "outputs.pkl")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_are_matched_to_the_manifest(suffix: str, results: Results, tmp_path: Path) -> None:
    manifest = read_table("manifest", results.manifest)
    asked = (manifest["split"] == "test") & (manifest["condition"] == "body_only")
    ids = manifest.loc[asked, "stimulus_id"]
    table = pd.DataFrame(np.eye(4)[::-1], columns=["wave", "reach", "jump", "bow"])
    # Back to front, so that only names can tell which row is whose.
    table.insert(0, "stimulus_id", ids.to_numpy()[::1])
    table = table.iloc[::-1]
    path = tmp_path / f"outputs{suffix}"

    def load(rows: pd.DataFrame) -> ImportedOutputs:
        rows.to_csv(path, index=False) if suffix == ".csv" else rows.to_parquet(path, index=False)
        return import_outputs(
            {"body_only": path}, results.choices, tmp_path, "net", manifest=results.manifest
        )

    assert read_table("responses", load(table).responses)["correct"].tolist() == [1, 1, 1, 1]
    with pytest.raises(StudyError, match=r"missing \['bow_002-body_only'\], unknown \[\]"):
        load(table[table["stimulus_id"] != "bow_002-body_only"])
    with pytest.raises(StudyError, match=r"choices\.csv: expected choices among the 3 classes"):
        load(table.iloc[:, :-1].assign(wave=[0.0, 0, 0, 1], reach=[1.0, 1, 1, 0], jump=0.0))

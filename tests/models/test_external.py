"""Importing the outputs of a network from elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.external import ImportedOutputs, bring_into_study, import_outputs
from models.outside_scale import log_probabilities
from study.conditions import MAIN_CONDITIONS
from study.config import Study
from study.errors import StudyError
from study.fields import Scoring
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
        ({"probabilities": PROBABILITIES * np.nan}, r"row 0: .* found NaN .* \(5 of 5 rows\)"),
        ({"probabilities": PROBABILITIES.astype("U5")}, "found <U5 of shape"),
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
    np.save(tmp_path / "single.npy", PROBABILITIES)
    (tmp_path / "single.npy").rename(path)
    with pytest.raises(StudyError, match=r"not a readable \.npz file: it holds a single array"):
        load(path)
    (tmp_path / "outputs.txt").touch()
    with pytest.raises(StudyError, match=r"expected one of '\.npz', '\.csv', '\.parquet'"):
        load(tmp_path / "outputs.txt")


@pytest.mark.parametrize("name", ["outputs.pt", "outputs.pkl", "outputs.npz", "outputs.parquet"])
def test_pickles_are_refused_and_not_run(
    load: Callable[[Path], ImportedOutputs], results: Results, tmp_path: Path, name: str
) -> None:
    mark, path = tmp_path / "it ran", tmp_path / name
    path.write_bytes(pickle.dumps(_Malicious(mark)))
    with pytest.raises(StudyError, match=name):
        import_outputs({"body_only": path}, results.choices, tmp_path, "net",
                       manifest=results.manifest)  # fmt: skip
    hidden = np.empty(2, object)
    hidden[:] = [_Malicious(mark), 1]
    _write(tmp_path, probabilities=hidden)
    with pytest.raises(StudyError, match=r"not a readable \.npz file"):
        load(tmp_path / "outputs.npz")
    assert not mark.exists()


class _Malicious:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def _ids(results: Results, condition: str = "body_only") -> list[str]:
    manifest = read_table("manifest", results.manifest)
    asked = (manifest["split"] == "test") & (manifest["condition"] == condition)
    return list(manifest.loc[asked, "stimulus_id"])


def _right(results: Results, condition: str = "body_only") -> pd.DataFrame:
    """Sure and right, in another order than the manifest's and the alphabet's."""
    table = pd.DataFrame(np.eye(4)[::-1], columns=["wave", "reach", "jump", "bow"])
    table.insert(0, "stimulus_id", _ids(results, condition))
    return table.iloc[::-1]


def _save(table: pd.DataFrame, path: Path) -> Path:
    """Write a table in the format that the name says."""
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        classes = [name for name in table if name not in ("stimulus_id", "frame")]
        fields = {name: table[name].to_numpy() for name in table if name == "frame"}
        np.savez(
            path,
            stimulus_id=table["stimulus_id"].to_numpy(dtype=str),
            classes=np.array(classes),
            scores=table[classes].to_numpy(),
            **fields,
        )
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_tables_are_matched_to_the_manifest(suffix: str, results: Results, tmp_path: Path) -> None:
    table, path = _right(results), tmp_path / f"outputs{suffix}"

    def load(rows: pd.DataFrame) -> ImportedOutputs:
        files = {"body_only": _save(rows, path)}
        return import_outputs(files, results.choices, tmp_path, "net", manifest=results.manifest)

    done = load(table)
    assert read_table("responses", done.responses)["correct"].tolist() == [1, 1, 1, 1]
    metrics = pd.read_csv(done.metrics).set_index("metric")
    assert set(metrics["n"]) == {4} and set(metrics["group"]) == {"net"}
    assert metrics["value"][["accuracy_choices", "top_1", "f1"]].tolist() == [1, 1, 1]
    assert metrics["value"]["ece"] == pytest.approx(0, abs=1e-9)
    with pytest.raises(StudyError, match=r"missing \['bow_002-body_only'\], unknown \[\]"):
        load(table[table["stimulus_id"] != "bow_002-body_only"])
    with pytest.raises(StudyError, match="expected at most a row per frame, found 5 rows of"):
        load(pd.concat([table] * 5))
    with pytest.raises(StudyError, match=r"choices\.csv: expected choices among the 3 classes"):
        load(table.drop(columns="jump").assign(reach=[0.0, 1, 1, 0]))
    framed = pd.concat([table.assign(frame=1), table.assign(frame=0)])
    assert read_table("responses", load(framed).responses)["correct"].tolist() == [1, 1, 1, 1]
    with pytest.raises(
        StudyError, match=r"every frame of a stimulus once, found .* again \(4 such"
    ):
        load(pd.concat([table.assign(frame=1)] * 2))


def test_strange_columns_are_named(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "outputs.csv"
    _right(results).to_csv(path, index=False)
    whole = path.read_text()

    def load(text: str) -> None:
        path.write_text(text)
        import_outputs({"body_only": path}, results.choices, tmp_path, "net",
                       manifest=results.manifest)  # fmt: skip

    for old, new, message in (
        ("wave", "bow", "found 'bow' more than once"),
        ("reach", "", "found one without a name"),
        ("1.0", "sure", r"column '\w+': expected numbers, found str"),
        ("1.0", "", r"column '\w+': expected numbers, found str"),
        ("1.0", "nan", r"column '\w+': expected numbers, found str"),
        ("stimulus_id", "id", "expected the column 'stimulus_id'"),
    ):
        with pytest.raises(StudyError, match=rf"outputs\.csv.*{message}"):
            load(whole.replace(old, new, 1))


def test_columns_that_are_no_actions_are_named(results: Results, tmp_path: Path, caplog) -> None:
    def load(table: pd.DataFrame) -> str:
        caplog.clear()
        path = _save(table, tmp_path / "outputs.csv")
        import_outputs({"body_only": path}, results.choices, tmp_path, "net",
                       manifest=results.manifest, scale="logit")  # fmt: skip
        return caplog.text

    logits = _right(results)
    logits[logits.columns[1:]] -= 0.5
    assert "no classes" not in load(logits)
    assert "1 classes besides" in (said := load(logits.assign(label=3)))
    assert "'label'" in said


SCALED = {
    "probability": PROBABILITIES.astype(float)[:3],
    "log": np.log(PROBABILITIES.astype(float)[:3]),
    "logit": np.log(PROBABILITIES.astype(float)[:3]) + np.array([[3.0], [-1.0], [0.5]]),
}


@pytest.mark.parametrize("scale", list(SCALED))
def test_scales_come_to_the_same(scale: str) -> None:
    found = log_probabilities(Path("file"), "scores", SCALED[scale], scale)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, SCALED["log"], atol=1e-3)


@pytest.mark.parametrize(
    ("said", "is_really", "message"),
    [
        ("probability", "log", "look like log-probabilities: give --scale log"),
        ("probability", "logit", "if these are logits, give --scale logit"),
        ("log", "probability", "look like probabilities: give --scale probability"),
        ("log", "logit", "if these are logits, give --scale logit"),
        ("logit", "probability", "look like probabilities: give --scale probability"),
    ],
)
def test_a_wrong_scale_is_told(said: str, is_really: str, message: str) -> None:
    with pytest.raises(StudyError, match=f"file: scores, row 0: .*{message}"):
        log_probabilities(Path("file"), "scores", SCALED[is_really], said)  # type: ignore[arg-type]


def test_log_probabilities_given_as_logits_are_what_they_are() -> None:
    found = log_probabilities(Path("file"), "scores", SCALED["log"], "logit")
    np.testing.assert_allclose(found, SCALED["log"], atol=1e-3)


def test_impossible_is_very_unlikely_and_finite() -> None:
    with np.errstate(divide="ignore"):
        values = np.log(np.array([[1.0, 0.0]]))
    assert np.isfinite(log_probabilities(Path("file"), "scores", values, "log")).all()
    with pytest.raises(StudyError, match="NaN or an infinite number"):
        log_probabilities(Path("file"), "scores", values, "logit")
    with pytest.raises(StudyError, match="expected one of 'probability', 'log', 'logit'"):
        log_probabilities(Path("file"), "scores", values, "percent")  # type: ignore[arg-type]


def test_an_outside_network_joins_the_study(
    make_study: Callable[..., Study], results: Results, tmp_path: Path
) -> None:
    study = make_study()
    files = {
        name: _save(_right(results, name), tmp_path / f"{name}.npz") for name in MAIN_CONDITIONS
    }
    with pytest.raises(StudyError, match=r"'foreign' is not in scoring\.outside"):
        bring_into_study(study, results, "foreign", files)
    study = study.model_copy(update={"scoring": Scoring(outside=["foreign"], calibration_bins=4)})
    with pytest.raises(StudyError, match="expected one of 'body_background'"):
        bring_into_study(study, results, "foreign", {"silhouette": files["body_only"]})
    path = bring_into_study(study, results, "foreign", files, seed=2)
    assert path == results.model_responses("foreign", 2)
    rows = read_table("responses", path)
    assert set(rows["observer"]) == {"foreign-seed2"} and set(rows["group"]) == {"foreign"}
    assert len(rows) == 12 and rows["correct"].all()
    logits = pd.read_parquet(results.logits("foreign", 2))
    assert list(logits.columns[:2]) == ["stimulus_id", "reading"] and len(logits) == 12
    assert set(pd.read_csv(results.scores("foreign", 2))["condition"]) == set(MAIN_CONDITIONS)
    assert len(pd.read_csv(results.reliability("foreign", 2))) == 12
    with pytest.raises(StudyError, match=r"holds answers to 'background_only'.*in one call"):
        one = {name: files[name] for name in ("body_background", "body_only")}
        bring_into_study(study, results, "foreign", one, seed=2)
    assert len(read_table("responses", path)) == 12
    assert bring_into_study(study, results, "foreign", files, seed=2) == path

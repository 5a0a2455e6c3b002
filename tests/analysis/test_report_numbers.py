"""Every printed number of the report leads back to the cell that it was printed from."""

from __future__ import annotations

import csv
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.hypotheses.table import Finding, as_table
from analysis.report import write_report
from analysis.reporting.content import Cell, Sentence, Source
from analysis.reporting.tracing import prints_as, trace
from study.config import Study
from study.results import Results

# A reader's idea of a number, apart from that of the code.
READ = re.compile(r"(?<![\w.^])(?:\d{1,3}(?:,\d{3})+|\d+\.\d+|\.\d+|\d+)(?![\w,]\d|\w)")


@pytest.fixture(scope="module")
def full(study: Study, fitted: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A results folder with every table that a report may have, and its report."""
    root = tmp_path_factory.mktemp("numbers") / "results"
    shutil.copytree(fitted.root, root)
    results = Results(root)
    for name, table in (hypotheses() | exclusions()).items():
        table.to_csv(results.analysis / f"{name}.csv", index=False)
    write_audit(results)
    write_power(results)
    write_report(study, results)
    return results


def hypotheses() -> dict[str, pd.DataFrame]:
    shared = {"n_trials": 300, "n_observers": 12, "n_items": 36, "unit": "logits"}
    points = {"difference_pp": 12.34, "pp_low": -1.26, "pp_high": 23.0}
    test = {"estimate": 1.234, "se": 0.125, "statistic": 9.87, "df": 10.4}
    return {
        "test_versions": as_table(
            [Finding("versions", "f", "simulated", "body_only - background_only", **test, p=1e-5,
                     **points, **shared)]
        ),
        "test_chance": as_table(
            [Finding("chance", "g", "baseline", "body_only", **test, p=0.0213, **points, **shared),
             Finding("chance", "g", "domainnet", "body_only", **test, p=0.03, **points, **shared)]
        ),
        "test_interaction": as_table(
            [Finding("interaction", "h", "simulated, baseline", "body_only, background_only",
                     statistic=33.1, df=4.0, p=2e-7, **{**shared, "unit": "chi-square"})]
        ),
    }  # fmt: skip


def exclusions() -> dict[str, pd.DataFrame]:
    columns = ["step", "rule", "n_observers_before", "n_observers_after", "n_trials_before",
               "n_trials_after", "who"]  # fmt: skip
    rows = [
        ("by hand", "named in the study file", 14, 13, 1504, 1404, "simulated:07 (fell asleep)"),
        ("too fast", "faster than 0.2 s", 13, 13, 1404, 1401, "simulated:03 (3)"),
    ]
    return {"exclusions": pd.DataFrame(rows, columns=columns)}


def write_audit(results: Results) -> None:
    results.audit.mkdir()
    accuracy = pd.DataFrame(
        [("version", name, "", "", name, "plain", 43, 6, 8, share, share - 0.1, share + 0.1, 1 / 6,
          0.17, 0.005)
         for name, share in (("body_background", 0.625), ("background_only", 0.5417))],
        columns=["family", "condition", "hole", "inpainting", "picture", "probe", "n_clips",
                 "n_actions", "n_folds", "accuracy", "ci_low", "ci_high", "chance",
                 "chance_permuted", "p"],
    )  # fmt: skip
    accuracy.to_csv(results.audit / "accuracy.csv", index=False)
    differences = pd.DataFrame(
        [("ghost of the body", "background_only", "background_only", "true background", "plain",
          43, 0.5417, 0.3006, 0.2411, 0.119, 0.369, 0.0168)],
        columns=["meaning", "condition", "picture", "reference", "probe", "n_clips", "accuracy",
                 "reference_accuracy", "difference", "ci_low", "ci_high", "p"],
    )  # fmt: skip
    differences.to_csv(results.audit / "differences.csv", index=False)


def write_power(results: Results) -> None:
    columns = ["target", "label", "n_participants", "n_items", "n_seeds", "is_own", "power",
               "power_low", "power_high", "mean_width", "n_simulations", "n_failed",
               "n_separated", "n_not_converged", "n_singular"]  # fmt: skip
    rows = [
        (
            "a",
            "people: body only − chance",
            12,
            36,
            3,
            True,
            0.71,
            0.63,
            0.77,
            0.84,
            50,
            2,
            1,
            1,
            0,
        ),
        ("a", "people: body only − chance", 20, 36, 3, False, 0.86, 0.8, 0.9, 0.7, 50, 0, 0, 0, 0),
    ]
    path = results.root / "power" / "power.csv"
    path.parent.mkdir()
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


@pytest.fixture(scope="module")
def numbers(full: Results) -> pd.DataFrame:
    return pd.read_csv(full.analysis / "numbers.csv", dtype=str, keep_default_na=False)


def test_every_number_was_found(numbers: pd.DataFrame):
    assert len(numbers) > 150
    assert numbers[numbers["file"] == ""].empty


def test_every_section_of_results_is_there(numbers: pd.DataFrame):
    wanted = {"answer", "tests", "pattern", "model", "audit", "power", "stimuli", "trials", "data"}
    assert wanted <= set(numbers["section"])


def test_numbers_are_those_of_the_named_cells(numbers: pd.DataFrame, full: Results):
    with_line = numbers[numbers["line"] != ""]
    assert len(with_line) > 100
    for row in with_line.itertuples():
        found = cell(full.root / row.file, int(row.line), row.column)
        assert printed_like(found, float(row.scale), row.number), row


def test_settings_are_those_of_the_study_file(numbers: pd.DataFrame, full: Results):
    content = tomllib.loads(full.study.read_text(encoding="utf-8"))
    fields = numbers[(numbers["file"] == "study.toml") & numbers["column"].str.fullmatch(r"[\w.]+")]
    fields = fields[fields["column"].str.contains(".", regex=False)]
    assert len(fields) > 10
    for row in fields.itertuples():
        value: Any = content
        for part in row.column.split("."):
            value = value[part]
        assert printed_like(str(value), float(row.scale), row.number), row


def test_sentences_of_the_markdown_hold_just_these_numbers(numbers: pd.DataFrame, full: Results):
    """The text itself is read, so that a number that the code passes over is missed here."""
    text = full.report.with_suffix(".md").read_text(encoding="utf-8")
    results = text.split("## Methods")[0]
    marked = re.findall(r"(?:^[->]? ?|(?<=\] )|(?<=\]))((?:(?!\[\^).)+)\[\^(\d+)\]", results, re.M)
    assert len(marked) > 15
    for sentence, note in marked:
        own = numbers[numbers["sentence"] == note]["number"].str.lstrip("< \u00a0")
        assert Counter(READ.findall(sentence)) == Counter(own), sentence


def test_counts_of_clips_are_counted(numbers: pd.DataFrame, full: Results):
    clips = pd.read_csv(full.clips, dtype=str, keep_default_na=False)
    counted = numbers[numbers["file"] == "clips.csv"].set_index("column")["number"]
    assert counted["rows with a split"] == str((clips["split"] != "none").sum())
    assert counted["rows with split=train"] == str((clips["split"] == "train").sum())


def test_exclusions_are_told(full: Results):
    text = full.report.with_suffix(".md").read_text(encoding="utf-8")
    assert "Of 14 observers, 1 was left out; 1,401 of 1,504 answers are analysed." in text
    assert "| by hand | named in the study file | 14 → 13 | 1,504 → 1,404 |" in text


@pytest.mark.parametrize(
    ("value", "scale", "printed", "expected"),
    [
        (0.8541, 100.0, "85.4", True),
        (0.8541, 100.0, "85.5", False),
        (0.8541, 1.0, "85.4", False),
        (-0.126, 1.0, ".13", True),
        (0.0004, 1.0, "< .001", True),
        (0.0014, 1.0, "< .001", False),
        (1504.0, 1.0, "1,504", True),
        ("without it 0.731 (SE 0.210)", 1.0, "0.210", True),
        ("without it 0.731 (SE 0.210)", 1.0, "0.21", False),
    ],
)
def test_a_cell_prints_as_a_number(value: float | str, scale: float, printed: str, expected: bool):
    assert prints_as(Cell("p", value, scale), printed) is expected


def test_rows_are_told_apart_by_the_numbers_that_follow():
    rows = tuple(
        Source("t.csv", line, f"row {line}", tuple(Cell(name, value) for name, value in cells))
        for line, cells in (
            (2, (("value", 5.0), ("low", 4.0), ("high", 6.5))),
            (3, (("value", 5.0), ("low", 4.5), ("high", 6.5))),
        )
    )
    found = trace(Sentence("It is 5.0 [4.5, 6.5] and 5.0 [4.0, 6.5].", rows))
    assert [number.source.line for number in found] == [3, 3, 3, 2, 2, 2]
    assert [number.cell.column for number in found] == ["value", "low", "high"] * 2


def test_confidence_is_a_setting_even_where_a_row_has_its_number():
    settings = Source("study.toml", None, "settings", (Cell("analysis.confidence", 0.95, 100.0),))
    row = Source("t.csv", 2, "", (Cell("n_trials", 95.0), Cell("low", 1.0), Cell("high", 2.0)))
    found = trace(Sentence("95 trials, 95 % CI [1.0, 2.0]", (row, settings)))
    assert [number.source.file for number in found] == ["t.csv", "study.toml", "t.csv", "t.csv"]


def test_a_whole_number_is_not_a_rounded_one_if_it_can_be_itself():
    row = Source("t.csv", 2, "", (Cell("se", 4.78), Cell("bound_pp", 5.0), Cell("n_left", 0.0)))
    found = trace(Sentence("within 5 points, r = .00", (row,)))
    assert [number.cell and number.cell.column for number in found] == ["bound_pp", None]


def test_a_percentage_is_a_share():
    settings = Source("study.toml", None, "settings", (Cell("power.alpha", 0.05, 100.0),))
    row = Source("t.csv", 2, "", (Cell("n_seeds", 5.0),))
    found = trace(Sentence("tests at 5 %, 5 seeds", (row, settings)))
    assert [number.cell.column for number in found] == ["power.alpha", "n_seeds"]


def test_names_code_and_years_are_no_numbers_and_what_is_not_found_is_said():
    row = Source("t.csv", 2, "", (Cell("n", 3.0),))
    text = "`resnet50` and net 18, resnet34 (Cameron, 2011): 3 of 7."
    found = trace(Sentence(text, (row,)), labels=("net 18",))
    assert [(number.printed, number.source) for number in found] == [("3", row), ("7", None)]


def cell(path: Path, line: int, column: str) -> str:
    """Read one cell by the line of the file, as an editor counts."""
    with path.open(encoding="utf-8", newline="") as content:
        reader = csv.reader(content)
        head = next(reader)
        for row in reader:
            if reader.line_num == line:
                return row[head.index(column)]
    raise AssertionError(f"{path} has no line {line}")


def printed_like(text: str, scale: float, number: str) -> bool:
    if number.startswith("<"):
        return 0 <= float(text) < float(number.lstrip("< \u00a0"))
    plain = number.replace(",", "")
    try:
        value = abs(float(text)) * scale
    except ValueError:
        return plain in text
    half = 0.5 * 10.0 ** -len(plain.partition(".")[2])
    return abs(value - float(plain)) <= half + 1e-9

"""Tables: what is written reads back; what is wrong is named by file, column, line and value."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from study.errors import StudyError
from study.tables import choice_columns, read_table, write_table

ROW = {
    "observer": "01",
    "group": "human",
    "session": 1,
    "trial": 1,
    "stimulus_id": "null_001__body_only",
    "clip_id": "null_001",
    "action": "null",
    "condition": "body_only",
    "choices": "null|NA|running",
    "response": "NA",
    "correct": 0,
    "rt_s": 1.25,
    "time_utc": "",
}


def responses(**changes: object) -> pd.DataFrame:
    second = ROW | {"trial": 2, "rt_s": float("nan")} | changes
    return pd.DataFrame([ROW, second])


def test_ids_stay_text_and_empty_times_stay_empty(tmp_path: Path) -> None:
    path = tmp_path / "responses.csv"
    write_table("responses", responses(), path)
    table = read_table("responses", path)
    assert table["observer"].tolist() == ["01", "01"]
    assert table["action"].tolist() == ["null", "null"]
    assert table["response"].tolist() == ["NA", "NA"]
    assert table["rt_s"].isna().tolist() == [False, True]
    assert table["time_utc"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"condition": "bodyonly"}, ["'condition'", "line 3", "bodyonly"]),
        ({"correct": 2}, ["'correct'", "line 3"]),
        ({"rt_s": -1.0}, ["'rt_s'", "line 3", "-1"]),
        ({"observer": ""}, ["'observer'", "line 3"]),
        ({"trial": 1}, ["line 3 repeats", "'trial': 1"]),
    ],
)
def test_wrong_rows_are_named_and_not_written(
    tmp_path: Path, changes: dict[str, object], parts: list[str]
) -> None:
    path = tmp_path / "responses.csv"
    with pytest.raises(StudyError) as caught:
        write_table("responses", responses(**changes), path)
    for part in [str(path), *parts]:
        assert part in str(caught.value)
    assert not path.exists()


def test_files_with_wrong_columns_or_numbers(tmp_path: Path) -> None:
    path = tmp_path / "responses.csv"
    responses().drop(columns="response").to_csv(path, index=False)
    with pytest.raises(StudyError, match="response"):
        read_table("responses", path)
    responses().assign(extra=1).to_csv(path, index=False)
    with pytest.raises(StudyError, match="extra"):
        read_table("responses", path)
    responses().astype({"correct": object}).assign(correct=["1", "yes"]).to_csv(path, index=False)
    with pytest.raises(StudyError, match="line 3: expected a number, found 'yes'"):
        read_table("responses", path)
    path.write_text("")
    with pytest.raises(StudyError, match="not a readable CSV"):
        read_table("responses", path)
    with pytest.raises(StudyError, match="no such file"):
        read_table("responses", tmp_path / "absent.csv")


def test_choice_columns_come_in_order_of_their_numbers() -> None:
    names = [f"choice_{k}" for k in (10, 2, 1)]
    assert choice_columns(pd.DataFrame(columns=["action", *names])) == [
        "choice_1",
        "choice_2",
        "choice_10",
    ]

"""Who is done, in progress, excluded, missing; and who gets which list."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

import behavior.replacements
from behavior.folders import journal_path, replacements_path, responses_path
from behavior.overview import overview_text, sessions_overview
from behavior.replacements import list_of, next_id, read_replacements, replace_participant
from behavior.session_tables import write_all_tables
from behavior.stage import Question, SessionStopped
from study.config import Study
from study.errors import StudyError
from study.fields.session import Session
from study.results import Results
from study.tables import read_table
from tests.behavior.lab import LABELS, ScriptedStage, Stops, hold, rows_of

Lab = tuple[Study, Results]
LISTS = ["01", "02", "03"]


def stop_at(participant: str, n: int) -> ScriptedStage:
    stage: Any = None

    def before(name: str) -> None:
        if name == "ask" and stage.n_shown == n:
            raise SessionStopped

    stage = ScriptedStage(participant, before)
    return stage


class Says(ScriptedStage):
    """Somebody who always says the same."""

    def __init__(self, participant: str, choice: str) -> None:
        super().__init__(participant)
        self.choice = choice

    def choose(self, question: Question) -> int:
        return list(question.labels).index(self.choice)


def test_each_state_is_told(lab: Lab):
    study, results = lab
    hold(lab, ScriptedStage("01"))
    hold(lab, stop_at("02", 5))
    overview = sessions_overview(study, results, Session()).set_index("participant")
    assert overview["state"].to_dict() == {"01": "done", "02": "stopped", "03": "missing"}
    assert overview["n_done"].tolist() == [10, 2, 0]
    assert overview["next_trial"].tolist() == [0, 5, 1]
    assert overview["n_interrupted"].tolist() == [0, 1, 0]
    rows = read_table("responses", results.root / "responses" / "sub-01.csv")
    catch = rows.loc[rows["trial"] == 7, "correct"].iloc[0]
    assert overview.loc["01", "catch_accuracy"] == catch
    assert np.isnan(overview.loc["03", "catch_accuracy"])
    assert overview.loc["01", "rt_s_body_only"] == 0.25
    text = overview_text(overview.reset_index())
    assert text.startswith("3 participants: 1 done, 1 missing, 1 stopped.")
    assert "02 stopped before trial 5" in text


def test_a_session_that_is_held_now_is_in_progress(lab: Lab):
    seen = {}

    def look(name: str) -> None:
        if name == "ask":
            overview = sessions_overview(*lab, Session()).set_index("participant")
            seen["state"] = overview.loc["01", "state"]
            seen["text"] = overview_text(overview.reset_index())

    hold(lab, ScriptedStage("01", look))
    assert seen["state"] == "in progress"
    assert "01 is at trial 12 on " in seen["text"]


def test_excluded_people_are_replaced_by_somebody_with_the_same_list(lab: Lab):
    study, results = lab
    hold(lab, ScriptedStage("02"))
    rules = study.exclusions.model_copy(update={"by_hand": {"02": "fell asleep"}})
    study = study.model_copy(update={"exclusions": rules})
    overview = sessions_overview(study, results, Session()).set_index("participant")
    assert overview.loc["02", ["state", "why", "replacement"]].tolist() == [
        "excluded",
        "fell asleep",
        "02b",
    ]
    assert "somebody new who does list 02 gets the id 02b" in overview_text(overview.reset_index())
    assert replace_participant(results, "02b", "02", LISTS) == "02"
    overview = sessions_overview(study, results, Session()).set_index("participant")
    assert overview["state"].to_dict() == {
        "01": "missing",
        "02": "replaced",
        "02b": "missing",
        "03": "missing",
    }
    assert overview["list"].tolist() == ["01", "02", "02", "03"]
    assert overview.loc["02", "replacement"] == ""
    assert "both are analysed" not in overview_text(overview.reset_index())
    overview = sessions_overview(lab[0], results, Session())
    assert "name 02 in exclusions.by_hand, or both are analysed" in overview_text(overview)


def test_failed_attention_checks_exclude(lab: Lab):
    study, results = lab
    rules = study.exclusions.model_copy(update={"min_catch_accuracy": 1.0})
    study = study.model_copy(update={"exclusions": rules})
    # The check is clip06, whose action is the first label.
    for participant, choice in (("01", LABELS[0]), ("02", LABELS[1])):
        hold((study, results), Says(participant, choice))
    overview = sessions_overview(study, results, Session())
    assert overview["state"].tolist() == ["done", "excluded", "missing"]
    assert overview["why"].tolist() == [
        "",
        "right in 0.00 of the attention checks, expected at least 1.00",
        "",
    ]


def test_a_damaged_journal_is_told_and_the_others_are_read(lab: Lab):
    for participant in ("01", "02"):
        hold(lab, ScriptedStage(participant))
    path = journal_path(lab[1], "01")
    path.write_bytes(path.read_bytes().replace(b"hop", b"hip", 1))
    overview = sessions_overview(*lab, Session()).set_index("participant")
    assert overview["state"].tolist() == ["damaged", "done", "missing"]
    assert "line" in overview.loc["01", "why"]
    shutil.rmtree(lab[1].root / "responses")
    problems = write_all_tables(lab[1])
    assert len(problems) == 1
    assert [path.name for path in (lab[1].root / "responses").iterdir()] == ["sub-02.csv"]


def test_tables_of_a_killed_session_are_brought_up_to_date(lab: Lab):
    with pytest.raises(RuntimeError):
        hold(lab, Stops("01", "ask", 6, RuntimeError("killed")))
    assert not responses_path(lab[1], "01").exists()
    assert write_all_tables(lab[1]) == []
    # Five answers, two of them practice.
    assert len(rows_of(lab, "01")) == 3


def test_tables_of_a_session_that_is_held_are_left_to_it(lab: Lab):
    stage = ScriptedStage("01")
    seen: list[bool] = []

    def look(name: str) -> None:
        if name == "ask" and stage.n_shown == 6:
            write_all_tables(lab[1])
            seen.append(responses_path(lab[1], "01").exists())

    stage.before = look
    hold(lab, stage)
    assert seen == [False]
    assert responses_path(lab[1], "01").exists()


def test_lists_beyond_the_participants_are_spare(lab: Lab):
    study, results = lab
    fewer = study.trials.model_copy(update={"n_participants": 2})
    overview = sessions_overview(study.model_copy(update={"trials": fewer}), results, Session())
    assert overview["state"].tolist() == ["missing", "missing", "spare"]


def test_replacements_of_replacements_keep_the_list(lab: Lab):
    results = lab[1]
    assert replace_participant(results, "02b", "02", LISTS) == "02"
    assert replace_participant(results, "02b", "02", LISTS) == "02"
    assert replace_participant(results, "02c", "02b", LISTS) == "02"
    assert list_of(results, "02c", LISTS) == "02"
    assert list_of(results, "03", LISTS) == "03"
    assert read_replacements(results)["participant"].tolist() == ["02b", "02c"]


@pytest.mark.parametrize(
    ("participant", "replaces", "said"),
    [
        ("03", "02", r"'03' exists already; expected a new id, e\.g\. '02c'"),
        ("02B", "01", "'02b' exists already"),
        ("02d", "02", "'02' is replaced by '02b' already"),
        ("04b", "04", r"'04' is not in the plan; expected one of 01, 02, 03, 02b"),
        ("0/b", "01", "letters and digits"),
    ],
)
def test_impossible_replacements_are_refused(lab: Lab, participant: str, replaces: str, said: str):
    replace_participant(lab[1], "02b", "02", LISTS)
    before = replacements_path(lab[1]).read_text()
    with pytest.raises(StudyError, match=said):
        replace_participant(lab[1], participant, replaces, LISTS)
    assert replacements_path(lab[1]).read_text() == before


def test_the_next_id_is_one_that_nobody_has():
    assert next_id("07", ["07", "08"]) == "07b"
    assert next_id("07", ["07", "07B"]) == "07c"
    assert next_id("07b", ["07", "07b"]) == "07c"


def test_a_damaged_table_of_replacements_is_refused(lab: Lab):
    replace_participant(lab[1], "02b", "02", LISTS)
    path = replacements_path(lab[1])
    path.write_text(path.read_text() + "02b,03,03\n")
    with pytest.raises(StudyError, match="'02b' stands twice"):
        list_of(lab[1], "02b", LISTS)
    pd.DataFrame({"participant": ["x"]}).to_csv(path, index=False)
    with pytest.raises(StudyError, match="expected the columns"):
        read_replacements(lab[1])


def test_replacements_that_several_computers_announce_at_once_are_all_kept(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
):
    real = behavior.replacements.read_replacements

    def slowly(results: Results) -> pd.DataFrame:
        table = real(results)
        time.sleep(0.05)
        return table

    monkeypatch.setattr(behavior.replacements, "read_replacements", slowly)
    lists = ["01", "02", "03"]
    with ThreadPoolExecutor(3) as threads:
        done = [
            threads.submit(replace_participant, lab[1], f"{name}b", name, lists) for name in lists
        ]
        assert [one.result() for one in done] == lists
    assert sorted(real(lab[1])["participant"]) == ["01b", "02b", "03b"]
    assert not list((lab[1].root / "sessions").glob("*.changing"))


def test_who_was_killed_while_changing_the_table_blocks_nobody(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(behavior.replacements, "CHANGE_MOST_S", 0.1)
    folder = lab[1].root / "sessions"
    folder.mkdir()
    (folder / "participants.csv.changing").touch()
    assert replace_participant(lab[1], "02b", "02", ["01", "02"]) == "02"

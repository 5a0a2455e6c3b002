"""The BIDS data set: what is in it, what is not, and that the published validator passes it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from behavior.bids import export_bids
from behavior.replacements import replace_participant
from behavior.simulated import simulate_observers
from behavior.stage import SessionStopped
from study.config import Study
from study.errors import StudyError
from study.fields.session import Confidence, Session
from study.plan import make_plan
from study.results import Results
from study.tables import write_table
from tests.behavior.lab import ScriptedStage, Stops, details_of, hold, rows_of
from tests.study.test_plan import manifest_of

Lab = tuple[Study, Results]


def tsv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def beh(target: Path, participant: str) -> pd.DataFrame:
    return tsv(target / f"sub-{participant}" / "beh" / f"sub-{participant}_task-lab_beh.tsv")


def validator_says(target: Path) -> list[tuple[str, str, str]]:
    """Return severity, code and place of what the published validator finds."""
    command = Path(sys.executable).with_name("bids-validator-deno")
    if not command.is_file() and shutil.which(command.name) is None:
        pytest.skip("bids-validator-deno is not installed")
    found = command if command.is_file() else command.name
    done = subprocess.run(
        [str(found), str(target), "--format", "json", "--max-rows", "-1"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [(issue["severity"], issue["code"], issue["location"]) for issue in issues]


@pytest.fixture
def exported(lab: Lab, tmp_path: Path) -> Path:
    """Two people, one of whom stopped, one replacement, one who rates how sure she is."""
    study, results = lab
    told = {"age": "93", "handedness": "left\thand"}
    settings = Session(ask_for=["age", "handedness"], confidence=Confidence(ask=True))
    hold(lab, ScriptedStage("01"), settings, told=told)
    hold(lab, Stops("02", "ask", 6, SessionStopped()))
    replace_participant(results, "02b", "02", ["01", "02", "03"])
    hold(lab, ScriptedStage("02b"))
    return export_bids(study, results, tmp_path / "bids")


def test_the_published_validator_finds_no_error(exported: Path) -> None:
    found = validator_says(exported)
    assert [issue for issue in found if issue[0] == "error"] == []
    # Warnings are about what a study file cannot know: authors, institution, ontologies.
    assert {code for _, code, _ in found} <= {
        "JSON_KEY_RECOMMENDED",
        "SIDECAR_KEY_RECOMMENDED",
        "NO_AUTHORS",
        "TOO_FEW_AUTHORS",
    }


def test_the_validator_would_say_so(exported: Path) -> None:
    path = exported / "dataset_description.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in content.items() if k != "BIDSVersion"}))
    (exported / "sub-01" / "beh" / "sub-01_task-lab_beh.tsv").rename(
        exported / "sub-01" / "beh" / "answers.tsv"
    )
    errors = [code for severity, code, _ in validator_says(exported) if severity == "error"]
    assert "JSON_KEY_REQUIRED" in errors
    assert "NOT_INCLUDED" in errors


def test_each_trial_is_a_row_as_it_was_answered(lab: Lab, exported: Path) -> None:
    table, details, answers = beh(exported, "01"), details_of(lab, "01"), rows_of(lab, "01")
    assert table["trial"].astype(int).tolist() == details["trial"].tolist() == [*range(1, 13)]
    assert table["kind"].value_counts().to_dict() == {"test": 9, "practice": 2, "catch": 1}
    main = table[table["kind"] != "practice"].reset_index(drop=True)
    for name in ("stimulus_id", "clip_id", "action", "condition", "choices", "response"):
        assert main[name].tolist() == answers[name].tolist(), name
    assert main["correct"].astype(int).tolist() == answers["correct"].tolist()
    assert main["response_time"].astype(float).tolist() == answers["rt_s"].tolist()
    assert table["clip_onset"].astype(float).tolist() == details["onset_s"].tolist()
    assert set(table["confidence"]) == {"2"}


def test_every_column_is_described(exported: Path) -> None:
    for path in [*exported.glob("sub-*/beh/*.tsv"), *exported.glob("[ps]*/../participants.tsv")]:
        sidecar = json.loads(path.with_suffix(".json").read_text())
        for name in tsv(path).columns:
            if name != "participant_id":
                assert sidecar[name]["Description"], (path.name, name)
    sidecar = json.loads((exported / "sub-01/beh/sub-01_task-lab_beh.json").read_text())
    assert sidecar["TaskName"] == "lab"
    assert "Look at the clip until it ends" in sidecar["Instructions"]
    assert sidecar["response_time"]["Units"] == "s"
    assert sidecar["condition"]["Levels"]["body_only"] == "body only"
    assert "silhouette" not in sidecar["condition"]["Levels"]
    assert sidecar["Simulated"] is False


def test_participants(exported: Path) -> None:
    table = tsv(exported / "participants.tsv").set_index("participant_id")
    assert table["list"].to_dict() == {"sub-01": "01", "sub-02": "02", "sub-02b": "02"}
    assert table["complete"].tolist() == ["yes", "no", "yes"]
    assert table["n_answers"].tolist() == ["10", "3", "10"]
    assert set(table["group"]) == {"human"}
    # Ages above 89 are written as 89; a tab would have ended the cell; who was not asked has n/a.
    assert table["age"].tolist() == ["89", "n/a", "n/a"]
    assert table.loc["sub-01", "handedness"] == "left hand"


def test_what_could_tell_who_took_part_stays_in_sourcedata(lab: Lab, exported: Path) -> None:
    study, results = lab
    journal = results.root / "sessions" / "sub-01" / "journal.jsonl"
    machine = json.loads(journal.read_text().splitlines()[0])["machine"]
    for path in exported.rglob("*"):
        if path.is_file() and "sourcedata" not in path.parts:
            text = path.read_text()
            assert machine not in text, path
            assert "time_utc" not in text, path
    source = exported / "sourcedata" / "sub-01"
    assert (source / "journal.jsonl").read_bytes() == journal.read_bytes()
    assert not list(exported.rglob("claim*"))
    other = export_bids(study, results, exported.with_name("open"), with_sourcedata=False)
    assert not (other / "sourcedata").exists()
    assert "sourcedata" not in (other / "README").read_text()


def test_stimuli_are_listed_and_copied_where_that_is_wanted(lab: Lab, exported: Path) -> None:
    study, results = lab
    listed = tsv(exported / "stimuli" / "stimuli.tsv").set_index("stimulus_id")
    shown = {name for who in ("01", "02", "02b") for name in beh(exported, who)["stimulus_id"]}
    assert set(listed.index) == shown
    assert not list(exported.glob("stimuli/**/*.png"))
    export_bids(study, results, exported, with_stimuli=True)
    for file, path in zip(listed["file"], listed.index, strict=True):
        clip, condition = path.split("__")
        source = results.root / "stimuli" / condition / f"{clip}.png"
        assert (exported / "stimuli" / file).read_bytes() == source.read_bytes()
    assert [issue for issue in validator_says(exported) if issue[0] == "error"] == []


def test_exporting_again_changes_nothing_and_keeps_what_people_added(
    lab: Lab, exported: Path
) -> None:
    study, results = lab
    path = exported / "dataset_description.json"
    content = json.loads(path.read_text()) | {"Authors": ["A. One", "B. Two"], "License": "CC0"}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    (exported / "CHANGES").write_text("1.0.0 2026-11-21\n  - First.\n")
    before = {p: p.read_bytes() for p in exported.rglob("*") if p.is_file()}
    export_bids(study, results, exported)
    assert {p: p.read_bytes() for p in exported.rglob("*") if p.is_file()} == before
    assert json.loads(path.read_text())["Authors"] == ["A. One", "B. Two"]


def test_folders_of_others_are_left_alone(lab: Lab, exported: Path, tmp_path: Path) -> None:
    study, results = lab
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("do not touch")
    with pytest.raises(StudyError, match="not empty and no data set"):
        export_bids(study, results, foreign)
    with pytest.raises(StudyError, match="holds the task lab_beh"):
        export_bids(study.model_copy(update={"name": "other"}), results, exported)
    shutil.rmtree(results.root / "sessions" / "sub-01")
    with pytest.raises(StudyError, match="holds sub-01, of which this study has no data"):
        export_bids(study, results, exported)


def test_nothing_to_export(lab: Lab, tmp_path: Path) -> None:
    study, results = lab
    with pytest.raises(StudyError, match="nothing to export"):
        export_bids(study, results, tmp_path / "bids")
    assert not (tmp_path / "bids").exists()


def test_damaged_journals_are_all_named(lab: Lab, exported: Path) -> None:
    study, results = lab
    for participant in ("01", "02"):
        journal = results.root / "sessions" / f"sub-{participant}" / "journal.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    with pytest.raises(StudyError, match=r"(?s)sub-01.*line.*sub-02.*line"):
        export_bids(study, results, exported)


@pytest.fixture
def simulated(planned: Callable[..., Any], tmp_path: Path) -> tuple[Study, Results]:
    study, _ = planned(6, 40)
    results = Results(tmp_path / "results")
    write_table("manifest", manifest_of(40, 10), results.manifest)
    make_plan(study, results)
    simulate_observers(study, results)
    return study, results


def test_simulated_data_are_marked(simulated: tuple[Study, Results], tmp_path: Path) -> None:
    target = export_bids(*simulated, tmp_path / "bids")
    assert [issue for issue in validator_says(target) if issue[0] == "error"] == []
    people = tsv(target / "participants.tsv")
    assert people["participant_id"].tolist() == [f"sub-sim0{n}" for n in range(1, 7)]
    assert set(people["group"]) == {"simulated"}
    assert "SIMULATED DATA" in json.loads((target / "dataset_description.json").read_text())["Name"]
    assert "6 subjects are SIMULATED" in (target / "README").read_text()
    folder = target / "sub-sim01" / "beh"
    table = tsv(folder / "sub-sim01_task-planned_beh.tsv")
    assert table["kind"].value_counts().to_dict() == {"test": 40, "catch": 2}
    assert json.loads((folder / "sub-sim01_task-planned_beh.json").read_text())["Simulated"] is True
    assert not (target / "sourcedata").exists()


def test_an_earlier_sourcedata_is_not_taken_for_none(lab: Lab, exported: Path) -> None:
    with pytest.raises(StudyError, match="sourcedata: an earlier export left"):
        export_bids(*lab, exported, with_sourcedata=False)

"""What is refused before a session begins or goes on, and in which words."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from behavior.folders import journal_path
from behavior.pages import copy_texts
from behavior.replacements import replace_participant
from behavior.stage import SessionStopped
from study.config import Study
from study.errors import StudyError
from study.fields.session import Session, Timing
from study.results import Results
from tests.behavior.lab import (
    ScriptedStage,
    Stops,
    events_of,
    hold,
)

Lab = tuple[Study, Results]


def test_an_id_that_is_done_is_refused(lab: Lab):
    hold(lab, ScriptedStage("01"))
    stage = ScriptedStage("01")
    with pytest.raises(StudyError, match="participant 01: the session is complete"):
        hold(lab, stage)
    assert stage.asked == []


@pytest.mark.parametrize(
    ("participant", "said"),
    [
        ("", "expected 1 to 20 letters and digits, found nothing"),
        ("0/1", "expected 1 to 20 letters and digits, found '0/1'"),
        ("..", "letters and digits"),
        ("a b", "letters and digits"),
        ("C:", "letters and digits"),
        ("04", r"'04' is not in the plan; expected one of 01, 02, 03\."),
    ],
)
def test_an_id_that_cannot_be_is_refused(lab: Lab, participant: str, said: str):
    with pytest.raises(StudyError, match=said):
        hold(lab, ScriptedStage(participant))
    assert not (lab[1].root / "sessions").exists()


def test_who_was_replaced_does_not_go_on(lab: Lab):
    replace_participant(lab[1], "02b", "02", ["01", "02", "03"])
    with pytest.raises(StudyError, match="'02' was replaced by '02b'"):
        hold(lab, ScriptedStage("02"))


def test_a_screen_that_cannot_be_opened_leaves_nothing_begun(lab: Lab):
    class TooSmall(ScriptedStage):
        def open(self) -> dict[str, Any]:
            super().open()
            raise StudyError("the screen is smaller than the clips")

    stage = TooSmall("01")
    with pytest.raises(StudyError, match="smaller than the clips"):
        hold(lab, stage)
    assert not stage.is_open
    assert events_of(lab, "01") == []
    assert hold(lab, ScriptedStage("01")).phase == "done"


@pytest.mark.parametrize("change", ["missing", "altered"])
def test_a_stimulus_that_is_not_as_made_is_refused_before_the_session(lab: Lab, change: str):
    path = lab[1].root / "stimuli" / "body_background" / "clip08.png"
    if change == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[-20] ^= 1
        path.write_bytes(bytes(data))
    stage = ScriptedStage("02")
    with pytest.raises(StudyError, match=rf"1 of 12 stimuli .*clip08\.png \({change}\)"):
        hold(lab, stage)
    assert stage.asked == []
    assert events_of(lab, "02") == []


def half(lab: Lab) -> None:
    assert hold(lab, Stops("01", "ask", 6, SessionStopped())).phase == "stopped"


def test_changed_settings_are_refused_by_name(lab: Lab):
    half(lab)
    study, results = lab
    with pytest.raises(StudyError, match=r"session\.timing\.most_s: was 6\.0, is 5\.0"):
        hold(lab, ScriptedStage("01"), Session(timing=Timing(most_s=5.0)))
    other = study.model_copy(update={"seed": 2})
    with pytest.raises(StudyError, match=r"study\.seed: was 1, is 2"):
        hold((other, results), ScriptedStage("01"))
    # Another computer's screen number is no change; nor are more lists.
    display = Session().display.model_copy(update={"screen": 1})
    more = study.trials.model_copy(update={"n_participants": 9})
    moved = Session().model_copy(update={"display": display})
    lab = (study.model_copy(update={"trials": more}), results)
    assert hold(lab, ScriptedStage("01"), moved).phase == "done"


def test_a_changed_plan_is_refused_and_other_peoples_lists_do_not_matter(lab: Lab):
    half(lab)
    table = pd.read_csv(lab[1].trials, dtype=str)
    table.loc[table["participant"] == "02", "choice_1"] = "jump"
    table.to_csv(lab[1].trials, index=False)
    own = table.copy()
    row = own.index[(own["participant"] == "01") & (own["trial"] == "9")][0]
    own.loc[row, ["choice_1", "choice_2"]] = own.loc[row, ["choice_2", "choice_1"]].to_numpy()
    own.to_csv(lab[1].trials, index=False)
    with pytest.raises(StudyError, match=r"trial 1\.9 of the plan: was \w+\.\.\., is"):
        hold(lab, ScriptedStage("01"))
    table.to_csv(lab[1].trials, index=False)
    assert hold(lab, ScriptedStage("01")).phase == "done"


def test_a_stimulus_made_anew_is_refused(lab: Lab):
    half(lab)
    table = pd.read_csv(lab[1].manifest, dtype=str, keep_default_na=False)
    table.loc[table["stimulus_id"] == "clip06__body_background", "sha256"] = "0" * 64
    table.to_csv(lab[1].manifest, index=False)
    with pytest.raises(StudyError, match="stimulus clip06__body_background: was"):
        hold(lab, ScriptedStage("01"))


def test_a_changed_text_is_refused(lab: Lab, tmp_path: Path):
    folder = tmp_path / "texts"
    copy_texts(folder)
    settings = Session(texts=folder)
    hold(lab, Stops("01", "ask", 2, SessionStopped()), settings)
    (folder / "break.md").write_text("# Pause", encoding="utf-8")
    with pytest.raises(StudyError, match=r"text break\.md: was"):
        hold(lab, ScriptedStage("01"), settings)


def test_a_simulated_observer_does_not_go_on_for_a_person(lab: Lab):
    half(lab)
    with pytest.raises(StudyError, match="was begun as human"):
        hold(lab, ScriptedStage("01"), group="simulated")


def test_a_damaged_journal_is_refused_with_its_line(lab: Lab):
    half(lab)
    path = journal_path(lab[1], "01")
    path.write_bytes(path.read_bytes().replace(b'"rt_s":0.25', b'"rt_s":0.26', 1))
    with pytest.raises(StudyError, match=r"line \d+ is damaged"):
        hold(lab, ScriptedStage("01"))


def test_what_the_dialog_asked_is_kept_and_nothing_else(lab: Lab):
    settings = Session(ask_for=["age"])
    with pytest.raises(StudyError, match="the dialog gave name too"):
        hold(lab, ScriptedStage("01"), settings, told={"age": "30", "name": "Ada"})
    hold(lab, ScriptedStage("01"), settings, told={"age": "30"})
    assert events_of(lab, "01")[0]["told"] == {"age": "30"}


def test_a_nearly_full_disk_is_refused_before_the_session(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(lab[1].root)
    nearly = usage._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly)
    stage = ScriptedStage("01")
    with pytest.raises(StudyError, match=r"only 1\.0 MB are free"):
        hold(lab, stage)
    assert stage.asked == []

"""What the assistant's commands ask, and where they look for a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from behavior.desk import _told, open_study
from study.config import Study, dump_study
from study.errors import StudyError
from study.results import Results
from tests.behavior.lab import ScriptedStage, hold

Lab = tuple[Study, Results]


class Dialog:
    """A dialog that is answered at once."""

    def __init__(self, answers: dict[str, str] | None) -> None:
        self.answers = answers
        self.asked: list[tuple[str, list[str]]] = []

    def __call__(
        self, title: str, participant: str, known: Sequence[str], ask_for: Sequence[str]
    ) -> dict[str, str] | None:
        self.asked.append((participant, [*ask_for]))
        return self.answers


def asking_for(lab: Lab, *fields: str) -> Study:
    session = lab[0].session.model_copy(update={"ask_for": [*fields]})
    return lab[0].model_copy(update={"session": session})


def test_a_participant_who_is_given_is_not_asked_for(lab: Lab) -> None:
    dialog = Dialog(None)
    assert _told(*lab, "02", ["01", "02"], dialog) == {"participant": "02"}
    assert dialog.asked == []


def test_what_the_study_asks_for_is_asked_when_a_session_begins_and_not_again(lab: Lab) -> None:
    study, dialog = asking_for(lab, "age"), Dialog({"participant": "02", "age": "33"})
    told = _told(study, lab[1], "02", ["01", "02"], dialog)
    assert told == {"participant": "02", "age": "33"}
    assert dialog.asked == [("02", ["age"])]
    hold(lab, ScriptedStage("02"))
    assert _told(study, lab[1], "02", ["01", "02"], dialog) == {"participant": "02"}
    assert len(dialog.asked) == 1
    # Who was asked for by name in the dialog has told it before, too.
    assert _told(study, lab[1], None, ["01", "02"], dialog) == {"participant": "02"}


def test_a_cancelled_dialog_begins_nothing(lab: Lab) -> None:
    assert _told(*lab, None, ["01"], Dialog(None)) is None


@pytest.mark.parametrize("typed", ["", "../02", "02 "])
def test_what_is_no_id_is_refused(lab: Lab, typed: str) -> None:
    with pytest.raises(StudyError, match="expected 1 to 20 letters and digits"):
        _told(*lab, None, ["01"], Dialog({"participant": typed}))


def test_the_results_of_a_pack_lie_beside_its_study_file(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    lab[1].root.joinpath("trials.csv").rename(folder / "trials.csv")
    (folder / "results").mkdir()
    (folder / "trials.csv").rename(folder / "results" / "trials.csv")
    (folder / "study.toml").write_text(dump_study(lab[0]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"no trials\.csv"):
        open_study(folder / "study.toml")
    (folder / "SHA256SUMS.txt").touch()
    assert open_study(folder / "study.toml")[1].root == folder / "results"

"""The lab day by its commands: pack, unpack, sit down, be killed, go on, come home, export."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.models import CommandInfo
from typer.testing import CliRunner

from behavior.pages import read_texts
from behavior.robot import Deed, Hand, Plan, Robot, Sign
from bodyscene import app
from study.tables import read_table
from study.writers import only_writer
from tests.behavior.virtual_screen import NEEDED, ROOT, decider, run_with, start, virtual_screen
from tests.tiny_world import TINY_WORLD

STUDY = (
    """
name = "labday"
title = "A study of a lab day"
seed = 5
"""
    + TINY_WORLD
    + """[trials]
n_participants = 3
n_practice = 2
n_catch = 1
[session.display]
fullscreen = false
size_wh = [1024, 768]
[session.timing]
before_clip_s = 0.05
break_least_s = 0.1
[session.flow]
break_every = 3
familiarisation_s = 0.1
practice_feedback = false
"""
)
# Of those that count, and of practice before them.
N_TRIALS, N_PRACTICE = 6, 2
# Robot and window share the machine with others.
RT_ERROR_S = 0.05
VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")

VERBS = ("session", "sessions", "texts", "check-timing", "pack", "unpack", "collect", "bids")

Mind = Callable[[Sign], Plan | None]


def bodyscene(*arguments: object) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it printed."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def run(*arguments: object) -> str:
    code, output = bodyscene(*arguments)
    assert code == 0, output
    return output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study with stimuli and plan."""
    folder = tmp_path_factory.mktemp("made")
    study = folder / "labday.toml"
    study.write_text(STUDY, encoding="utf-8")
    for verb in ("stimuli", "plan"):
        run(verb, study, "--results", folder / "results")
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "home"))


@pytest.fixture
def lab(home: Path, tmp_path: Path) -> Path:
    """The pack, moved and unpacked."""
    run("pack", home / "labday.toml", tmp_path / "pack.zip", "--results", home / "results")
    moved = shutil.move(tmp_path / "pack.zip", tmp_path / "moved.zip")
    output = run("unpack", moved, tmp_path / "the lab")
    assert f"The study file is {tmp_path / 'the lab' / 'study.toml'}" in output
    return tmp_path / "the lab"


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with virtual_screen() as name:
        yield name


class Seat:
    """A participant's seat: the command in a process of its own, and a robot with a mind."""

    def __init__(self, display: str, lab: Path, participant: str, device: str, mind: Mind) -> None:
        self.display, self.lab = display, lab
        signs = lab / f"signs-{participant}.jsonl"
        self.robot = Robot(signs, Hand(display), mind, device)  # type: ignore[arg-type]
        self.command = [
            *(sys.executable, "-P", "-m", "bodyscene", "session", str(lab / "study.toml")),
            *("--participant", participant, "--signs", str(signs)),
        ]

    def sit_down(self) -> str:
        """Go through the session; return what the command printed."""
        return run_with(self.display, self.command, self.lab, self.robot)

    def sit_until(self, is_time: Callable[[], bool]) -> None:
        """Begin the session and kill it when it is time."""
        child = start(self.display, self.command, self.lab)
        self.robot.act_until(lambda: is_time() or child.poll() is not None)
        child.kill()
        output, _ = child.communicate()
        assert child.returncode < 0, output

    def be_refused(self) -> str:
        """Try to begin; return what the command said of it."""
        child = start(self.display, self.command, self.lab)
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 1, output
        return output

    def answers(self) -> list[Deed]:
        """What was chosen in the trials that count."""
        chosen = [deed for deed in self.robot.deeds if deed.screen == "choices"]
        return [deed for deed in chosen if deed.button != "escape"][N_PRACTICE:]


def check_rows(lab: Path, participant: str, deeds: list[Deed]) -> None:
    """Compare the response table with the plan and with what the robot did."""
    rows = read_table("responses", lab / "results" / "responses" / f"sub-{participant}.csv")
    planned = read_table("trials", lab / "results" / "trials.csv")
    planned = planned[(planned["participant"] == participant) & (planned["kind"] != "practice")]
    assert rows["stimulus_id"].tolist() == planned["stimulus_id"].tolist()
    assert len(rows) == len(deeds) == N_TRIALS
    choices = rows["choices"].str.split("|")
    expected = [labels[int(deed.button)] for labels, deed in zip(choices, deeds, strict=True)]
    assert rows["response"].tolist() == expected
    errors_s = np.abs(rows["rt_s"].to_numpy() - [deed.rt_s for deed in deeds])
    assert np.median(errors_s) < RT_ERROR_S, errors_s


class TestAtTheWindow:
    """`bodyscene session` with robots."""

    pytestmark = NEEDED

    def test_killed_refused_continued_and_brought_home(
        self, home: Path, lab: Path, display: str, tmp_path: Path
    ) -> None:
        """Keys; it is killed while the fourth trial that counts waits for its answer."""
        answer, asked = decider(3), []

        def decide(sign: Sign) -> Plan | None:
            asked.extend([sign] if sign["screen"] == "choices" else [])
            hesitates = sign["screen"] == "choices" and len(asked) == N_PRACTICE + 4
            return None if hesitates else answer(sign)

        seat = Seat(display, lab, "01", "keyboard", decide)
        seat.sit_until(lambda: len(asked) == N_PRACTICE + 4)
        study, text = lab / "study.toml", (lab / "study.toml").read_text(encoding="utf-8")
        assert re.search(r"^01 +stopped +3 of 6", run("sessions", study), re.MULTILINE)

        study.write_text(text.replace("break_every = 3", "break_every = 2"), encoding="utf-8")
        refusal = seat.be_refused()
        assert "session.flow.break_every: was 3, is 2" in refusal
        assert "Traceback" not in refusal
        study.write_text(text, encoding="utf-8")

        output = seat.sit_down()
        assert "trial 6 was interrupted and is shown again" in output
        assert output.endswith("The session is complete: 6 trials.\n")
        check_rows(lab, "01", seat.answers())
        check_screens([deed.screen for deed in seat.robot.deeds])

        back = shutil.move(lab, tmp_path / "back")
        at_home = home / "labday.toml", "--results", home / "results"
        assert "1 new session" in run("collect", at_home[0], back, *at_home[1:])
        assert re.search(r"^01 +done +6 of 6", run("sessions", *at_home), re.MULTILINE)
        check_bids(run("bids", at_home[0], tmp_path / "bids", *at_home[1:]), tmp_path / "bids")

    def test_stopped_by_escape_and_continued_with_the_mouse(self, lab: Path, display: str) -> None:
        answer, asked = decider(4), []

        def decide(sign: Sign) -> Plan | None:
            if sign["screen"] == "stop":
                return Plan("yes", 0.1)
            asked.extend([sign] if sign["screen"] == "choices" else [])
            is_fifth = sign["screen"] == "choices" and len(asked) == 5
            return Plan("escape", 0.1, key="escape") if is_fifth else answer(sign)

        seat = Seat(display, lab, "02", "mouse", decide)
        said = "Stopped after 2 of 6 trials. Repeat the command to go on with the next one.\n"
        assert seat.sit_down().endswith(said)
        assert "02 stopped before trial 5" in run("sessions", lab / "study.toml")
        assert seat.sit_down().endswith("The session is complete: 6 trials.\n")
        check_rows(lab, "02", seat.answers())
        assert "the session is complete; an id is used once" in seat.be_refused()

    @pytest.mark.slow
    def test_who_declines_may_be_replaced(self, lab: Path, display: str) -> None:
        study, answer = lab / "study.toml", decider(5)

        def decline(sign: Sign) -> Plan | None:
            return Plan("refuse", 0.1) if sign["screen"] == "consent" else answer(sign)

        output = Seat(display, lab, "03", "keyboard", decline).sit_down()
        assert output.endswith("The participant did not agree to take part; nothing was shown.\n")
        assert "somebody new who does list 03 gets the id 03b" in run("sessions", study)
        seat = Seat(display, lab, "03b", "keyboard", answer)
        seat.command += ["--replaces", "03"]
        assert seat.sit_down().endswith("The session is complete: 6 trials.\n")
        overview = run("sessions", study)
        assert re.search(r"^03 +replaced", overview, re.MULTILINE)
        assert re.search(r"^03b +done +6 of 6", overview, re.MULTILINE)


def check_screens(screens: list[str]) -> None:
    """Each part of the plan came in its place: stills of 5 actions, practice, a break."""
    first = ["consent", "instructions", "familiarisation", "practice", "choices", "choices"]
    seen = [screen for n, screen in enumerate(screens) if screens[n - 1 : n] != [screen]]
    assert seen[:5] == first[:5], screens
    # One welcome back after the kill; the break after three trials was just before it.
    assert screens.count("break") == 2, screens
    assert screens[-1] == "debrief"


def check_bids(said: str, folder: Path) -> None:
    assert said.endswith(f"The data set is {folder}\n")
    table = pd.read_csv(folder / "sub-01" / "beh" / "sub-01_task-labday_beh.tsv", sep="\t")
    assert table["kind"].value_counts().to_dict() == {"test": 5, "practice": 2, "catch": 1}
    if VALIDATOR.is_file():
        command = [str(VALIDATOR), str(folder), "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        issues = json.loads(done.stdout)["issues"]["issues"]
        assert [issue["code"] for issue in issues if issue["severity"] == "error"] == []


def test_help_is_there_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from bodyscene import app\n"
        f"for verb in {VERBS!r}:\n"
        "    shown = CliRunner().invoke(app, [verb, '--help'])\n"
        "    assert shown.exit_code == 0 and 'Usage' in shown.output, shown.output\n"
        "print(sorted({'numpy', 'pandas', 'psychopy', 'behavior.desk'} & set(sys.modules)))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert shown.stdout.strip() == "[]"


def test_the_guide_names_commands_and_pictures_that_exist() -> None:
    guide = (ROOT / "docs" / "lab_day.md").read_text(encoding="utf-8")
    known = {typer_name(command) for command in app.registered_commands}
    typed = re.findall(r"^bodyscene ([a-z-]+)|`bodyscene ([a-z-]+)", guide, re.MULTILINE)
    named = {first or second for first, second in typed} - {"--help"}
    assert set(VERBS) <= named <= known
    pictures = re.findall(r"(?:\(|src=\")(images/[^)\"]+)", guide)
    assert len(pictures) > 20
    for picture in pictures:
        assert (ROOT / "docs" / picture).is_file(), picture


def typer_name(command: CommandInfo) -> str:
    assert command.callback is not None
    return command.name or command.callback.__name__


def test_nobody_is_locked_out_and_nothing_is_swept(lab: Path) -> None:
    """Another computer is writing into the same folder."""
    half_written = lab / "results" / "sessions" / ".partial-0123abcd-journal.jsonl"
    half_written.parent.mkdir()
    half_written.touch()
    with only_writer(lab / "results"):
        assert "3 participants: 3 missing." in run("sessions", lab / "study.toml")
        code, output = bodyscene("session", lab / "study.toml", "--participant", "99")
    assert code == 1
    assert "participant '99' is not in the plan; expected one of 01, 02, 03" in output
    assert half_written.exists()


def test_the_overview_as_a_table(lab: Path, tmp_path: Path) -> None:
    run("sessions", lab / "study.toml", "--csv", tmp_path / "overview.csv")
    table = pd.read_csv(tmp_path / "overview.csv", dtype={"participant": str})
    assert table["participant"].tolist() == ["01", "02", "03"]
    assert set(table["state"]) == {"missing"}


def test_texts_are_copied_to_be_edited(tmp_path: Path) -> None:
    output = run("texts", tmp_path / "texte")
    assert output.startswith("11 new files")
    assert read_texts(tmp_path / "texte") == read_texts()
    (tmp_path / "texte" / "consent.md").write_text("# Einwilligung", encoding="utf-8")
    assert run("texts", tmp_path / "texte").startswith("0 new files")
    assert read_texts(tmp_path / "texte").pages["consent"] == "# Einwilligung"


def test_a_damaged_pack_is_refused_on_arrival(lab: Path, tmp_path: Path) -> None:
    assert "files are as they were packed" in run("unpack", lab)
    clip = sorted((lab / "results" / "stimuli").rglob("*.mp4"))[0]
    clip.write_bytes(clip.read_bytes()[:-1])
    code, output = bodyscene("unpack", lab)
    assert code == 1
    assert f"{clip.name} (altered)" in output
    assert bodyscene("unpack", lab, tmp_path / "other")[0] == 1
    assert bodyscene("unpack", tmp_path / "moved.zip")[0] == 1


@pytest.mark.parametrize("verb", ["session", "sessions", "check-timing"])
def test_without_a_plan_the_folder_is_named(home: Path, tmp_path: Path, verb: str) -> None:
    code, output = bodyscene(verb, home / "labday.toml", "--results", tmp_path / "elsewhere")
    assert code == 1
    assert "no trials.csv, the lists of the participants" in output.replace("\n", " ")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("missing", ["psychopy", "arabic_reshaper"])
@pytest.mark.parametrize("verb", ["session", "check-timing"])
def test_without_psychopy_the_extra_is_named(lab: Path, verb: str, missing: str) -> None:
    code = (
        "import sys\n"
        f"missing = {missing!r}\n"
        "class Without:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == missing:\n"
        "            raise ModuleNotFoundError('No module named ' + missing, name=missing)\n"
        "sys.meta_path.insert(0, Without())\n"
        "from bodyscene import app\n"
        f"app([{verb!r}, {str(lab / 'study.toml')!r}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "DISPLAY": ":none"},
    )  # fmt: skip
    assert done.returncode == 1
    assert missing in done.stderr
    assert 'pip install -e ".[lab]" -c constraints.txt' in done.stderr
    assert "Traceback" not in done.stderr

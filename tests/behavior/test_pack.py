"""A pack travels to a lab computer and back: whole, checked, portable, and nothing overwritten."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from behavior.pack import check_pack, open_pack, pack
from behavior.pack_names import name_problem, portable_paths
from behavior.pack_return import collect
from behavior.pages import copy_texts
from behavior.replacements import read_replacements, replace_participant
from behavior.session import hold_session
from behavior.stage import SessionStopped
from study.config import Study, load_study
from study.errors import StudyError
from study.plan import check_plan, make_plan
from study.results import Results
from study.tables import read_table, write_table
from tests.behavior.lab import QUICK, ScriptedStage, Stops
from tests.study.test_plan import a_study, manifest_of

Lab = tuple[Study, Results]
LISTS = ["01", "02", "03", "04"]


class FirstLabel(ScriptedStage):
    """A participant who always chooses the first label."""

    def choose(self, question: object) -> int:
        return 0


class FirstLabelStops(Stops):
    """One who chooses the first label and stops at the n-th question."""

    def __init__(self, participant: str, n: int) -> None:
        super().__init__(participant, "ask", n, SessionStopped())

    def choose(self, question: object) -> int:
        return 0


def hold(folder: Path, stage: ScriptedStage) -> None:
    """Hold a session on the lab computer, from nothing but the pack."""
    study = load_study(folder / "study.toml")
    results = Results(folder / "results")
    hold_session(
        study, results, stage.participant, stage, study.session, beat=QUICK, durable=False
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Lab:
    """A study with a plan of four lists and tiny stimuli, also ones that nobody sees."""
    results = Results(tmp_path / "home")
    manifest = manifest_of(6, 3)
    for number, row in enumerate(manifest.itertuples()):
        path = results.root / row.path
        path = path.with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, number, 0)).save(path)
        manifest.loc[row.Index, "path"] = path.relative_to(results.root).as_posix()
        manifest.loc[row.Index, "sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_table("manifest", manifest.assign(n_frames=1, fps=1.0), results.manifest)
    study = a_study(n_participants=4, n_catch=1)
    make_plan(study, results)
    return study, results


@pytest.fixture
def packed(home: Lab, tmp_path: Path) -> Path:
    return pack(*home, tmp_path / "pack")


def test_a_pack_has_what_people_see_and_nothing_else(home: Lab, packed: Path) -> None:
    _, results = home
    trials = read_table("trials", results.trials)
    stills = pd.read_csv(results.root / "familiarisation.csv")
    seen = {*trials["stimulus_id"], *stills["stimulus_id"]}
    files = {path.stem for path in (packed / "results" / "stimuli").rglob("*.png")}
    assert files == seen
    assert len(seen) < len(read_table("manifest", results.manifest))
    assert len((packed / "README.txt").read_text().splitlines()) == 3
    study = load_study(packed / "study.toml")
    assert study.trials == home[0].trials
    assert study.session.texts == packed / "texts"
    assert not check_plan(study, Results(packed / "results")).problems
    assert check_pack(packed) == len([p for p in packed.rglob("*") if p.is_file()]) - 1


def test_hashes_are_those_that_other_programs_find(packed: Path) -> None:
    for line in (packed / "SHA256SUMS.txt").read_text().splitlines():
        sha256, name = line.split(" *")
        assert hashlib.sha256((packed / name).read_bytes()).hexdigest() == sha256


def test_a_session_needs_nothing_but_the_pack(home: Lab, packed: Path) -> None:
    shutil.rmtree(home[1].root)
    hold(packed, FirstLabel("03"))
    rows = read_table("responses", packed / "results" / "responses" / "sub-03.csv")
    assert len(rows) == 7
    assert check_pack(packed), "sessions are no part of what was packed"


def test_texts_travel(home: Lab, tmp_path: Path) -> None:
    study, results = home
    copy_texts(tmp_path / "texte")
    (tmp_path / "texte" / "instructions.md").write_text("# Anleitung\n", encoding="utf-8")
    session = study.session.model_copy(update={"texts": tmp_path / "texte"})
    folder = pack(study.model_copy(update={"session": session}), results, tmp_path / "pack")
    shutil.rmtree(tmp_path / "texte")
    stage = FirstLabel("01")
    hold(folder, stage)
    assert "# Anleitung" in [page.text for page in stage.pages]


def test_all_that_is_wrong_is_named_on_arrival(packed: Path) -> None:
    stimuli = sorted((packed / "results" / "stimuli").rglob("*.png"))
    stimuli[0].unlink()
    stimuli[1].write_bytes(b"other")
    with (packed / "results" / "trials.csv").open("a") as table:
        table.write("\n")
    with pytest.raises(StudyError, match=r"3 of .* files") as raised:
        check_pack(packed)
    said = str(raised.value)
    assert f"{stimuli[0].name} (missing)" in said
    assert f"{stimuli[1].name} (altered)" in said
    assert "results/trials.csv (altered)" in said


def test_what_is_no_pack_says_so(tmp_path: Path, packed: Path) -> None:
    with pytest.raises(StudyError, match=r"no SHA256SUMS\.txt"):
        check_pack(tmp_path)
    (packed / "SHA256SUMS.txt").write_text("0" * 64 + " *../../etc/passwd\n")
    with pytest.raises(StudyError, match="line 1 is damaged"):
        check_pack(packed)


def test_zip_files_are_equal_and_open_again(home: Lab, packed: Path, tmp_path: Path) -> None:
    first, second = pack(*home, tmp_path / "a.zip"), pack(*home, tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()
    folder = open_pack(first, tmp_path / "opened")
    names = sorted(p.relative_to(packed) for p in packed.rglob("*"))
    assert sorted(p.relative_to(folder) for p in folder.rglob("*")) == names
    first.write_bytes(first.read_bytes()[:-200])
    with pytest.raises(StudyError, match="cannot be unpacked"):
        open_pack(first, tmp_path / "torn")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../outside.txt", "x")
    with pytest.raises(StudyError, match="would leave the folder"):
        open_pack(tmp_path / "evil.zip", tmp_path / "evil")
    assert not (tmp_path / "outside.txt").exists()


def test_altered_and_missing_stimuli_are_not_packed(home: Lab, tmp_path: Path) -> None:
    study, results = home
    shown = sorted(set(read_table("trials", results.trials)["stimulus_id"]))[:2]
    (results.root / "stimuli" / f"{shown[0]}.png").write_bytes(b"other")
    (results.root / "stimuli" / f"{shown[1]}.png").unlink()
    with pytest.raises(StudyError, match=r"2 of .* stimuli") as raised:
        pack(study, results, tmp_path / "pack")
    assert f"{shown[0]}.png (altered)" in str(raised.value)
    assert f"{shown[1]}.png (missing)" in str(raised.value)
    assert not list(tmp_path.glob("*pack*")), "nothing half-made is left"


def test_a_folder_that_exists_is_left_alone(home: Lab, packed: Path) -> None:
    with pytest.raises(StudyError, match="exists already"):
        pack(*home, packed)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("stimuli/body_only/aux.mp4", "device"),
        ("stimuli/Con/clip.mp4", "device"),
        ("stimuli/com1 .x/clip.mp4", "device"),
        ("stimuli/what?/clip.mp4", "'\\?' in"),
        ("stimuli/a:b.mp4", "':' in"),
        ("stimuli/tab\tb.mp4", "in 'tab"),
        ("stimuli/stop./clip.mp4", "ends with"),
        ("stimuli/space /clip.mp4", "ends with"),
        ("stimuli/" + "x" * 160 + ".mp4", "at most 159"),
        ("stimuli/" + "\u6253" * 90 + ".mp4", "more than 200 bytes"),
    ],
)
def test_names_that_windows_refuses(path: str, said: str) -> None:
    assert re.search(said, name_problem(path))
    places, renamed = portable_paths({path: "ab" * 32})
    assert places[path] == "stimuli/renamed/abababababababab.mp4"
    assert name_problem(places[path]) == ""
    assert len(renamed) == 1


@pytest.mark.parametrize(
    "path",
    ["stimuli/body_only/jump/jump_001.mp4", "stimuli/\u8df3/\u8df3 1.mp4", "a/console.mp4", "a/.b"],
)
def test_names_that_every_computer_takes(path: str) -> None:
    assert name_problem(path) == ""
    assert portable_paths({path: "0" * 64}) == ({path: path}, [])


def test_names_that_differ_only_in_case() -> None:
    places, renamed = portable_paths({"s/Jump.mp4": "a" * 64, "s/jump.mp4": "b" * 64})
    assert places["s/Jump.mp4"] == "s/Jump.mp4"
    assert places["s/jump.mp4"] == f"stimuli/renamed/{'b' * 16}.mp4"
    assert "the same file as s/Jump.mp4" in renamed[0]


def test_renamed_stimuli_are_found_by_the_session(home: Lab, tmp_path: Path) -> None:
    study, results = home
    manifest = read_table("manifest", results.manifest)
    shown = read_table("trials", results.trials)["stimulus_id"].iloc[-1]
    row = manifest.index[manifest["stimulus_id"] == shown][0]
    old = results.root / manifest.loc[row, "path"]
    manifest.loc[row, "path"] = "stimuli/nul/what?.png"
    new = results.root / manifest.loc[row, "path"]
    new.parent.mkdir()
    old.rename(new)
    write_table("manifest", manifest, results.manifest)
    folder = pack(study, results, tmp_path / "pack")
    assert len(list((folder / "results" / "stimuli" / "renamed").iterdir())) == 1
    hold(folder, FirstLabel("04"))


def test_sessions_come_home(home: Lab, packed: Path) -> None:
    study, results = home
    for participant in LISTS[:2]:
        hold(packed, FirstLabel(participant))
    found = collect(study, results, packed)
    assert (found.new, found.continued, found.known) == (["01", "02"], [], [])
    for participant in LISTS[:2]:
        theirs = packed / "results" / "sessions" / f"sub-{participant}"
        ours = results.root / "sessions" / f"sub-{participant}"
        assert (ours / "journal.jsonl").read_bytes() == (theirs / "journal.jsonl").read_bytes()
        rows = read_table("responses", results.root / "responses" / f"sub-{participant}.csv")
        assert len(rows) == 7
        assert not list(ours.glob("claim*"))
    again = collect(study, results, packed / "results")
    assert (again.new, again.known) == ([], ["01", "02"])


def test_a_session_that_went_on_is_brought_up_to_date(home: Lab, packed: Path) -> None:
    study, results = home
    hold(packed, FirstLabelStops("01", 9))
    collect(study, results, packed)
    before = shutil.copytree(packed, packed.with_name("older"))
    n_before = len(read_table("responses", results.root / "responses" / "sub-01.csv"))
    hold(packed, FirstLabel("01"))
    assert collect(study, results, packed).continued == ["01"]
    rows = read_table("responses", results.root / "responses" / "sub-01.csv")
    assert n_before < len(rows) == 7
    # An older copy changes nothing.
    assert collect(study, results, Path(before)).known == ["01"]
    assert len(read_table("responses", results.root / "responses" / "sub-01.csv")) == 7


def test_another_session_of_the_same_participant_is_refused(
    home: Lab, packed: Path, tmp_path: Path
) -> None:
    study, results = home
    other = Path(shutil.copytree(packed, tmp_path / "other"))
    hold(packed, FirstLabel("01"))
    collect(study, results, packed)
    journal = results.root / "sessions" / "sub-01" / "journal.jsonl"
    before = journal.read_bytes()
    hold(other, FirstLabel("01"))
    hold(other, FirstLabel("02"))
    with pytest.raises(StudyError, match="participant 01: another session is here already"):
        collect(study, results, other)
    assert journal.read_bytes() == before
    assert not (results.root / "sessions" / "sub-02").exists(), "nothing was collected"


def test_replacements_come_home(home: Lab, packed: Path) -> None:
    study, results = home
    hold(packed, FirstLabel("01"))
    replace_participant(Results(packed / "results"), "01b", "01", LISTS)
    hold(packed, FirstLabel("01b"))
    collect(study, results, packed)
    assert read_replacements(results).to_numpy().tolist() == [["01b", "01", "01"]]
    replace_participant(results, "02b", "02", LISTS)
    theirs = packed / "results" / "sessions" / "participants.csv"
    theirs.write_text(theirs.read_text() + "02b,03,03\n")
    with pytest.raises(StudyError, match="participant 02b: replaces 03 there, 02 here"):
        collect(study, results, packed)


def test_sessions_of_another_study_are_refused(home: Lab, packed: Path) -> None:
    study, results = home
    hold(packed, FirstLabel("01"))
    other = study.model_copy(update={"seed": 99})
    with pytest.raises(StudyError, match=r"another study: study\.seed = 5, expected 99"):
        collect(other, results, packed)
    journal = packed / "results" / "sessions" / "sub-01" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert json.loads(lines[0])["participant"] == "01"
    journal.write_text("".join(lines[:2] + lines[3:]))
    with pytest.raises(StudyError, match="nothing was collected"):
        collect(study, results, packed)


def test_sessions_of_another_plan_are_refused(home: Lab, packed: Path) -> None:
    study, results = home
    hold(packed, FirstLabel("01"))
    plan = read_table("trials", results.trials)
    own = plan.index[(plan["participant"] == "01") & (plan["kind"] == "test")]
    third, fourth = own[2:4]
    plan.loc[[third, fourth], "trial"] = plan.loc[[fourth, third], "trial"].to_numpy()
    write_table("trials", plan, results.trials)
    said = f"another plan than the one that is here, from trial 1.{plan.loc[fourth, 'trial']} of"
    with pytest.raises(StudyError, match=said):
        collect(study, results, packed)
    assert not (results.root / "sessions" / "sub-01").exists()


def test_nothing_to_collect(home: Lab, packed: Path) -> None:
    with pytest.raises(StudyError, match="no sessions in"):
        collect(*home, packed)

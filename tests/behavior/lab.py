"""A lab in a folder: tiny stimuli, a plan written by hand, and stages that nobody looks at.

It is a script, too: it holds a session in a process of its own that a test can kill.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from behavior.folders import detail_path, journal_path
from behavior.journal import read_journal
from behavior.session import Outcome, hold_session
from behavior.stage import (
    ClipToShow,
    Contents,
    Page,
    PageReply,
    Presentation,
    Question,
    Reply,
    TrialFacts,
)
from study.claim import Beat
from study.config import Study
from study.fields.session import Session
from study.results import Results
from study.tables import read_table

CONDITIONS = ("body_background", "body_only", "background_only")
# Kinds of the trials of every list, in order.
KINDS = ["practice"] * 2 + ["test"] * 4 + ["catch"] + ["test"] * 5
LABELS = ["hop", "run", "sit"]
QUICK = Beat(every_s=0.1, stale_s=0.6, watch_s=0.4)


def make_lab(root: Path, participants: int = 3) -> tuple[Study, Results]:
    """Write a manifest with tiny stimuli, the lists and the order of familiarisation."""
    results = Results(root)
    clips = [f"clip{number:02d}" for number in range(len(KINDS))]
    manifest = [_stimulus(results, c, name) for c in clips for name in CONDITIONS]
    pd.DataFrame(manifest).to_csv(results.manifest, index=False)
    names = [f"{number + 1:02d}" for number in range(participants)]
    trials = [row for p, name in enumerate(names) for row in _list(p, name, clips)]
    pd.DataFrame(trials).to_csv(results.trials, index=False)
    seen = [
        {
            "participant": name,
            "place": place + 1,
            "clip_id": clips[place],
            "action": label,
            "stimulus_id": f"{clips[place]}__body_background",
        }
        for name in names
        for place, label in enumerate(LABELS)
    ]
    pd.DataFrame(seen).to_csv(root / "familiarisation.csv", index=False)
    content = {
        "name": "lab",
        "title": "",
        "seed": 1,
        "dataset": {"kind": "synthetic"},
        "masks": {"source": "truth"},
        "trials": {"n_participants": participants, "n_choices": 3},
    }
    return Study.model_validate_json(json.dumps(content)), results


def _stimulus(results: Results, clip: str, condition: str) -> dict[str, Any]:
    path = results.root / "stimuli" / condition / f"{clip}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(int(clip[4:])).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    number = int(clip[4:])
    return {
        "stimulus_id": f"{clip}__{condition}",
        "clip_id": clip,
        "action": LABELS[number % 3],
        "condition": condition,
        "split": "test",
        "path": path.relative_to(results.root).as_posix(),
        "n_frames": 1,
        "fps": 1.0,
        "width": 8,
        "height": 8,
        "body_fraction": 0.1,
        "hidden_fraction": 0.1,
        "luminance": 0.5,
        "contrast": 0.2,
        "background_of": "",
        "sha256": sha256,
        "source_sha256": sha256,
    }


def _list(p: int, name: str, clips: list[str]) -> list[dict[str, Any]]:
    rows = []
    for number, kind in enumerate(KINDS):
        clip = clips[(number * 5 + p) % len(clips)] if kind == "test" else clips[number]
        condition = CONDITIONS[(number + p) % 3] if kind == "test" else CONDITIONS[0]
        labels = [LABELS[(number + p + k) % 3] for k in range(3)]
        rows.append(
            {
                "participant": name,
                "session": 1,
                "block": 0 if kind == "practice" else 1,
                "trial": number + 1,
                "kind": kind,
                "stimulus_id": f"{clip}__{condition}",
                "clip_id": clip,
                "action": LABELS[int(clip[4:]) % 3],
                "condition": condition,
                **{f"choice_{k + 1}": label for k, label in enumerate(labels)},
            }
        )
    return rows


class ScriptedStage:
    """A stage whose participant does what a script says; it writes down what it was asked.

    `before` is called with the name of every method that waits for a person, and may raise.
    """

    def __init__(self, participant: str, before: Callable[[str], None] = lambda name: None) -> None:
        self.participant = participant
        self.before = before
        self.asked: list[str] = []
        self.is_open = False
        self.rehearsed: Contents | None = None
        self.changed: dict[str, Any] = {}
        self.pages: list[Page] = []
        self.n_shown = 0
        self.delay_s = 0.0

    def open(self) -> dict[str, Any]:
        self.is_open = True
        return {"stage": "script"}

    def rehearse(self, contents: Contents) -> None:
        self.rehearsed = contents

    def changes(self) -> dict[str, Any]:
        changed, self.changed = self.changed, {}
        return changed

    def close(self) -> None:
        self.is_open = False

    def show_page(self, page: Page) -> PageReply:
        self.asked.append(f"page {page.kind}")
        self.pages.append(page)
        self.before("show_page")
        return PageReply(True, 0.5)

    def prepare(self, clip: ClipToShow) -> None:
        self.asked.append(f"prepare {clip.stimulus_id}")

    def show_clip(self, clip: ClipToShow, trial: TrialFacts) -> Presentation:
        self.asked.append(f"clip {clip.stimulus_id}")
        self.before("show_clip")
        self.n_shown += 1
        time.sleep(self.delay_s)
        return Presentation(1.0 * self.n_shown, clip.duration_s, clip.duration_s, 0.01, 1, 0, 0)

    def ask(self, question: Question) -> Reply:
        self.asked.append("ask " + "|".join(question.labels))
        self.before("ask")
        time.sleep(self.delay_s)
        return Reply(self.choose(question), 0.25, "keyboard")

    def choose(self, question: Question) -> int | None:
        """Choose by the place of the first label, which differs from trial to trial."""
        return (LABELS.index(question.labels[0]) + int(self.participant[:2])) % 3

    def rate(self, question: Question) -> Reply:
        self.asked.append("rate")
        self.before("rate")
        return Reply(1, 0.1, "keyboard")

    def give_feedback(self, text: str, is_correct: bool) -> None:
        self.asked.append(f"feedback {text}")

    def show_progress(self, text: str) -> None:
        self.asked.append(f"progress {text}")


def hold(
    lab: tuple[Study, Results],
    stage: ScriptedStage,
    settings: Session | None = None,
    **options: Any,
) -> Outcome:
    """Hold a session of the stage's participant."""
    study, results = lab
    options = {"beat": QUICK, "durable": False} | options
    return hold_session(study, results, stage.participant, stage, settings or Session(), **options)


class Stops(ScriptedStage):
    """A stage that raises at the n-th call of a method."""

    def __init__(self, participant: str, name: str, n: int, error: BaseException) -> None:
        super().__init__(participant, self._count)
        self.name, self.left, self.error = name, n, error

    def _count(self, name: str) -> None:
        self.left -= name == self.name
        if self.left == 0 and name == self.name:
            self.left = -1
            raise self.error


def events_of(lab: tuple[Study, Results], participant: str) -> list[dict[str, Any]]:
    """Return the events of a participant's journal."""
    return read_journal(journal_path(lab[1], participant)).events


def rows_of(lab: tuple[Study, Results], participant: str) -> pd.DataFrame:
    """Return the participant's response rows."""
    return read_table("responses", lab[1].root / "responses" / f"sub-{participant}.csv")


def details_of(lab: tuple[Study, Results], participant: str) -> pd.DataFrame:
    """Return the participant's detail table."""
    return pd.read_csv(detail_path(lab[1], participant), dtype={"participant": str, "list": str})


def planned(lab: tuple[Study, Results], list_id: str) -> pd.DataFrame:
    """Return a list of the plan."""
    table = read_table("trials", lab[1].trials)
    return table[table["participant"] == list_id].reset_index(drop=True)


def clips(stage: ScriptedStage) -> list[str]:
    """Return the stimuli that a stage showed."""
    return [line.removeprefix("clip ") for line in stage.asked if line.startswith("clip ")]


def slow_writes(seed: int) -> None:
    """Make this process write its journal in pieces with pauses, so that a kill falls inside."""
    draw = random.Random(seed)
    real_open = Path.open

    class Slow:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> Slow:
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            written = self.file.write(data[: draw.randint(1, max(1, len(data) // 2))])
            time.sleep(draw.uniform(0.0, 0.003))
            return written

    def open_slowly(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        file = real_open(path, mode, *args, **options)
        is_line = path.name == "journal.jsonl" and options.get("buffering") == 0
        return Slow(file) if is_line else file

    Path.open = open_slowly  # type: ignore[method-assign]


def serve() -> None:
    """Fork a process per line of input, "PARTICIPANT SEED": it holds a session and can be killed.

    Forking spares each of them the seconds of importing. Each writes the trial that it is about to
    show to ``asked.txt``: by then all answers before must be on record.
    """
    root = Path(sys.argv[1])
    logging.disable(logging.CRITICAL)
    study = Study.model_validate_json((root / "lab.json").read_text(encoding="utf-8"))
    # Nobody waits for the children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        participant, seed = line.split()
        child = os.fork()
        if child == 0:
            _hold_in_child(study, Results(root), participant, int(seed))
        print(child, flush=True)


def _hold_in_child(study: Study, results: Results, participant: str, seed: int) -> None:
    slow_writes(seed)
    stage = ScriptedStage(participant)
    stage.delay_s = 0.003
    stage.asked = _Diary(results.root / "asked.txt")
    hold((study, results), stage)
    os._exit(0)


class _Diary(list):
    """A list that is a file, too."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def append(self, line: str) -> None:
        super().append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    serve()

"""Memory and time to ask for, per step: measured by `bodyscene plan-resources`, else cautious.

The Snakefile reads it in every job, so it loads nothing heavy.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.files import key_of
from study.results import Results

NAME = "resources.json"
VERSION = 1

# What was measured is multiplied: nodes differ, and a job that is ended is dearer than one that
# asked for too much. Times from a GPU's data sheet are less sure than measured ones.
TIME_FACTOR, ASSUMED_TIME_FACTOR, MEMORY_FACTOR = 3.0, 6.0, 1.5
LEAST_MINUTES, LEAST_MB = 10, 2000
# Each job also holds two Snakemakes, which start its step.
SNAKEMAKES_MB = 500
MB_STEP, MINUTES_STEP = 500, 5
SHARDED = ("masks_shard", "segment_shard", "versions_shard")
# Of the speed that each further core brings: clips are independent, the disk is shared.
FURTHER_CORE = 0.7


@dataclass(frozen=True)
class Default:
    """What a job asks for of which nothing was measured.

    Attributes
    ----------
    minutes : int
    mem_mb : int
    why : str
    """

    minutes: int
    mem_mb: int
    why: str


DEFAULTS = {
    "masks_shard": Default(480, 8000, "250 clips by a large network on CPU cores are hours"),
    "segment_shard": Default(240, 12000, "a GPU needs minutes; libraries of CUDA take 4 GB"),
    "versions_shard": Default(240, 8000, "250 clips of 6 s at 640 x 360, some 20 s each"),
    "stimuli": Default(480, 8000, "all clips, where they are not made in shards"),
    "review": Default(240, 4000, "previews of every clip"),
    "audit": Default(480, 8000, "up to 1500 clips hidden in five ways, 200 permutations"),
    "frames": Default(480, 4000, "every version is read once; as fast as the disk"),
    "train": Default(1440, 16000, "a day, after which a training goes on in a further job"),
    "margins": Default(120, 8000, "the validation clips are read once by every seed"),
    "plan": Default(60, 4000, "lists are drawn, and their balance improved"),
    "score": Default(240, 8000, "every test clip is read once in every version"),
    "saliency": Default(240, 16000, "gradients of some frames of every test clip"),
    "noise": Default(1440, 16000, "versions of the test clips anew at every level"),
    "simulate": Default(60, 4000, "observers answer from a table"),
    "fit": Default(720, 16000, "the mixed model, its bootstrap and profile intervals"),
    "figures": Default(120, 8000, "drawn one after the other"),
    "report": Default(60, 4000, "one page, its pictures inside"),
}

# Sections of the study file on which measurements of stimuli and of a network depend.
STIMULI_SECTIONS = ("dataset", "split", "masks", "versions")
NETWORK_SECTIONS = (*STIMULI_SECTIONS, "training", "scoring")


def keys_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Return keys of what measurements depend on: "stimuli", and each network by its name.

    Parameters
    ----------
    content : mapping
        A resolved study file, as `study.config.dump_study` writes it. Seeds do not count.
    """
    keys = {"stimuli": key_of([content.get(name) for name in STIMULI_SECTIONS])}
    shared = [content.get(name) for name in NETWORK_SECTIONS]
    for model in content.get("models", []):
        own = {name: value for name, value in model.items() if name != "seeds"}
        keys[f"model {model['name']}"] = key_of(shared, own)
    return keys


@dataclass(frozen=True)
class JobSizes:
    """Sizes of the jobs of one results folder.

    Attributes
    ----------
    steps : mapping
        (Step, model or "") to the step's entry in resources.json, of what is up to date.
    reason : str
        Why nothing or not all that was measured is used; empty where all is.
    """

    steps: Mapping[tuple[str, str], Mapping[str, Any]]
    reason: str = ""

    @classmethod
    def read(cls, root: Path) -> JobSizes:
        """Read what was measured for a results folder; never fails, since there are defaults."""
        path = root / NAME
        if not path.is_file():
            return cls({}, f"{path}: not there; `bodyscene plan-resources` writes it")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.get("version") != VERSION:
                return cls({}, f"{path}: of another version of bodyscene; plan resources again")
            entries = {(each["step"], each["model"] or ""): each for each in content["steps"]}
            measured = {name: str(key) for name, key in content["keys"].items()}
            for entry in entries.values():
                _check(entry)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            return cls({}, f"{path}: not what `bodyscene plan-resources` writes ({error!r})")
        return cls(*_up_to_date(entries, measured, root))

    def mem_mb(self, step: str, model: str | None = None, cores: int = 1) -> int:
        """Return the memory to ask for, MB.

        Parameters
        ----------
        step : str
            A key of `DEFAULTS`.
        model : str, optional
            Of train, score and saliency; default the largest.
        cores : int
            Of steps that work in one process per core: how many.
        """
        found = self._entries(step, model)
        if not found:
            return DEFAULTS[step].mem_mb
        asked = max(each["memory_mb"] + (cores - 1) * each["process_mb"] for each in found)
        asked = SNAKEMAKES_MB + asked * MEMORY_FACTOR
        return max(LEAST_MB, MB_STEP * math.ceil(asked / MB_STEP))

    def runtime_min(
        self, step: str, model: str | None = None, parts: int | None = None, cores: int = 1
    ) -> int:
        """Return the time to ask for, minutes.

        Parameters
        ----------
        step, model
            As of `mem_mb`.
        parts : int, optional
            Into how many shards the clips are cut; default as planned. Of other steps only
            `stimuli` minds: with one it makes them, with several it gathers them.
        cores : int
            Of steps that work in one process per core: how many.
        """
        found = self._entries(step, model)
        if not found:
            return DEFAULTS[step].minutes
        return max(_minutes(each, parts, cores) for each in found)

    def why(self, step: str, model: str | None = None) -> str:
        """Say where the sizes of a step come from."""
        found = self._entries(step, model)
        if found:
            return f"{step}: {found[0]['basis']} by `bodyscene plan-resources`"
        return f"{step}: a default, {DEFAULTS[step].why}" + (
            f" ({self.reason})" if self.reason else ""
        )

    def is_measured(self, step: str) -> bool:
        """Tell whether sizes of a step come from a measurement that still holds."""
        return bool(self._entries(step, None))

    def _entries(self, step: str, model: str | None) -> list[Mapping[str, Any]]:
        """Return what is known of a step: of one model, or of all that have it."""
        if model is not None:
            keys = [(step, model), (step, "")]
            return [self.steps[key] for key in keys if key in self.steps][:1]
        return [each for (name, _), each in self.steps.items() if name == step]


def speed_of(cores: int) -> float:
    """Return how much faster so many cores are than one, where clips are shared out over them."""
    return 1 + FURTHER_CORE * (cores - 1)


def _minutes(entry: Mapping[str, Any], parts: int | None, cores: int) -> int:
    """Return minutes of a job, generously: start-up, and its part of the work by its cores."""
    speed = speed_of(cores) if entry["process_mb"] and not entry["on_gpu"] else 1.0
    jobs = parts if parts and entry["step"] in SHARDED else entry["jobs"]
    work_s = entry["work_s"] / jobs / speed
    factor = ASSUMED_TIME_FACTOR if entry["basis"] == "assumed" else TIME_FACTOR
    if parts == 1:
        # Stimuli that are not made in shards are made by the step that otherwise gathers them.
        work_s += entry["alone_s"] / speed
    minutes = factor * (entry["start_s"] + work_s) / 60
    return max(LEAST_MINUTES, MINUTES_STEP * math.ceil(round(minutes / MINUTES_STEP, 6)))


def _check(entry: Mapping[str, Any]) -> None:
    """Raise a ValueError for an entry that is not one of a plan."""
    for name in ("jobs", "work_s", "start_s", "memory_mb", "process_mb", "alone_s"):
        if not isinstance(entry[name], int | float) or not 0 <= entry[name] < math.inf:
            raise ValueError(f"{entry['step']}: {name} = {entry[name]!r}")
    if entry["jobs"] < 1:
        raise ValueError(f"{entry['step']}: jobs = {entry['jobs']}")


def _up_to_date(
    entries: Mapping[tuple[str, str], Mapping[str, Any]], measured: Mapping[str, str], root: Path
) -> tuple[dict[tuple[str, str], Mapping[str, Any]], str]:
    """Keep what was measured of the study as it is now; without one in the folder, everything."""
    path = Results(root).study
    try:
        now = keys_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return dict(entries), ""
    stale = {name for name, key in now.items() if measured.get(name) != key}
    kept = {place: entry for place, entry in entries.items() if _name(place[1]) not in stale}
    if not stale:
        return kept, ""
    named = ", ".join(sorted(stale))
    return kept, f"{root / NAME}: the study file has changed since ({named}); plan resources again"


def _name(model: str) -> str:
    return f"model {model}" if model else "stimuli"

"""`bodyscene plan-resources`: what a study needs, before anyone submits it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.counts import Counts, count_study
from cluster.measure import Measured, measure
from cluster.network_costs import network_costs
from cluster.options import PlanOptions
from cluster.resources_report import plan_text
from cluster.sizes import NAME, VERSION, keys_of, speed_of
from cluster.step_costs import STAGES, StepCost, wall_hours
from cluster.stimuli_costs import stimuli_costs
from study.config import Study, dump_study
from study.files import write_json
from study.results import Results

SLOTS = (1, 4, 32, 100)

# Of the audit: seconds per clip at this size, which grow with the pixels of the versions, and of
# its probes. Like those below from the demo, on one core.
AUDITED_CLIP_S, AUDITED_PIXELS, PROBES_S = 0.35, 320 * 180, 60
# Seconds and MB of steps that work with tables: at least, and more for every network.
ANALYSIS = {
    "plan": (30, 0.0, 1000),
    "simulate": (10, 0.0, 1000),
    "fit": (60, 3.0, 2000),
    "figures": (30, 1.0, 1500),
    "report": (20, 0.0, 1000),
}


@dataclass(frozen=True)
class ResourcePlan:
    """What a study needs.

    Attributes
    ----------
    study : str
        Its name.
    keys : dict of str to str
        See `cluster.sizes.keys_of`.
    counts : Counts
    steps : list of StepCost
    said : list of str
        On what it was measured, and what was assumed.
    """

    study: str
    keys: dict[str, str]
    counts: Counts
    steps: list[StepCost]
    said: list[str]

    def total(self, name: str) -> float:
        """Return the sum of an attribute over the steps."""
        return sum(getattr(each, name) for each in self.steps)

    @property
    def kept_bytes(self) -> float:
        """On the disk at the end."""
        return self.total("kept_bytes")

    @property
    def peak_bytes(self) -> float:
        """At most on the disk: while all trainings run."""
        return self.kept_bytes + self.total("passing_bytes")

    def wall_hours(self) -> dict[int, float]:
        """Return by number of jobs at once how long the study takes; see `step_costs`."""
        return {slots: wall_hours(self.steps, slots) for slots in SLOTS}

    def text(self) -> str:
        """Return the plan for a terminal, at most 100 columns wide."""
        return plan_text(self)

    def as_json(self) -> dict[str, Any]:
        """Return the content of resources.json.

        version, study, keys (what measurements depend on, see `cluster.sizes`), counts (as
        `Counts`, with frames and clips_used), steps (as `StepCost`: seconds of all jobs together,
        bytes, MB), totals (jobs, core_hours, gpu_hours, kept_bytes, peak_bytes, files), wall_hours
        by number of jobs at once, and said, the sentences of the report.
        """
        counts = self.counts
        return {
            "version": VERSION,
            "study": self.study,
            "keys": self.keys,
            "counts": {
                **asdict(counts),
                "frames": round(counts.frames),
                "frames_used": round(counts.frames_used),
                "clips_used": counts.clips_used,
            },
            "steps": [each.as_json() for each in self.steps],
            "totals": {
                "jobs": self.total("jobs"),
                "core_hours": round(self.total("core_hours"), 2),
                "gpu_hours": round(self.total("gpu_hours"), 2),
                "kept_bytes": round(self.kept_bytes),
                "peak_bytes": round(self.peak_bytes),
                "files": round(self.total("files")),
            },
            "wall_hours": {str(n): round(hours, 2) for n, hours in self.wall_hours().items()},
            "said": self.said,
        }

    def write(self, results: Results) -> Path:
        """Write resources.json, from which jobs get their sizes."""
        path = results.root / NAME
        write_json(path, self.as_json())
        return path


def plan_resources(study: Study, results: Results, options: PlanOptions) -> ResourcePlan:
    """Count what a study has to do, measure a little of it here, and multiply.

    Parameters
    ----------
    study : Study
    results : Results
        Only read; see `ResourcePlan.write`.
    options : PlanOptions

    Raises
    ------
    StudyError
        When the data set is not here and the options do not replace it, and when no version of a
        clip could be made.
    """
    counts = count_study(study, results, options)
    return plan_from(study, counts, measure(study, results, counts, options), options)


def plan_from(
    study: Study, counts: Counts, measured: Measured, options: PlanOptions
) -> ResourcePlan:
    """Multiply what was measured by what was counted."""
    of_stimuli, said = stimuli_costs(study, counts, measured, options)
    of_networks, more = network_costs(study, counts, measured, options)
    steps = [*of_stimuli, *of_networks, *_analysis(study, counts, measured)]
    if options.cores_per_job > 1:
        more.append(
            f"steps that work on clip after clip have {options.cores_per_job} cores in a job, "
            f"{speed_of(options.cores_per_job):.1f} times as fast as one; assumed"
        )
    assumed = [*said, *more, "audit, plan, simulate, fit, figures, report: as in the demo, assumed"]
    keys = keys_of(tomllib.loads(dump_study(study)))
    return ResourcePlan(study.name, keys, counts, in_order(steps), [*measured.said, *assumed])


def _analysis(study: Study, counts: Counts, measured: Measured) -> list[StepCost]:
    """Return the steps whose work is with tables, and the audit."""
    networks = sum(len(model.seeds) for model in study.models)
    work = {step: (s + networks * more_s, mb) for step, (s, more_s, mb) in ANALYSIS.items()}
    if not study.observers.simulate:
        del work["simulate"]
    if study.audit.run:
        pixels = study.versions.width * study.versions.height / AUDITED_PIXELS
        n_clips = min(counts.clips_used, study.audit.max_clips)
        work["audit"] = (PROBES_S + n_clips * AUDITED_CLIP_S * pixels, 2000)
    return [
        StepCost(
            step=step,
            jobs=1,
            work_s=seconds,
            start_s=measured.start_s,
            memory_mb=mb,
            basis="assumed",
        )
        for step, (seconds, mb) in work.items()
    ]


def in_order(steps: Sequence[StepCost]) -> list[StepCost]:
    """Sort steps as they are done, networks as in the study file."""
    order = [step for stage in STAGES for step in stage]
    return sorted(steps, key=lambda each: order.index(each.step))

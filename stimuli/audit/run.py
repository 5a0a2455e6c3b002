"""The audit of a study's stimuli: from the manifest to the tables of what the probes found."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stimuli.audit.clips import ClipJob, Described, describe
from stimuli.audit.features import Features
from stimuli.audit.probes import ProbeResult, probe
from stimuli.audit.tables import (
    Audited,
    Found,
    Resampling,
    accuracy_table,
    difference_table,
    prediction_table,
)
from stimuli.audit.views import BLOCKS, View
from stimuli.make import version_settings
from stimuli.parallel import Failed, outcomes
from study.config import Study
from study.errors import StudyError
from study.fields import AuditedFill
from study.files import key_of, sha256_of, write_if_changed
from study.results import Results
from study.tables import read_table

log = logging.getLogger("bodyscene")

# Raised when the same clips would give other numbers than before.
REVISION = 2
CLIPS_STREAM = 405
# A view that fewer of the clips have is not probed: the outside of holes that leave nothing.
LEAST_KNOWN = 0.5


@dataclass(frozen=True)
class ProbeJob:
    """One probe to run."""

    features: Features
    clips: Audited
    n_folds: int
    n_permutations: int
    seed: int


def run_audit(study: Study, results: Results, processes: int) -> Path:
    """Ask simple probes for the action, and write what they found.

    accuracy.csv: a row per picture and probe; differences.csv: what a version owes to what it
    should not show; predictions.csv: every clip's answers. Clips that were described before are
    not read again.

    Returns
    -------
    Path
        accuracy.csv

    Raises
    ------
    StudyError
        When there are no stimuli yet, or a clip cannot be read.
    """
    table = _audited_clips(study, results)
    clips = Audited(*(table[name].to_numpy(str) for name in ("clip_id", "action", "group")))
    described = _described(study, results, table, processes)
    found = _probed(study, clips, [described[clip_id] for clip_id in clips.clip_ids], processes)
    analysis = study.analysis
    how = Resampling(analysis.confidence, analysis.n_bootstrap, study.seed)
    tables = {
        "accuracy": accuracy_table(found, how),
        "differences": difference_table(found, study.versions.hole_name, how),
        "predictions": prediction_table(found),
    }
    for name, content in tables.items():
        text = content.to_csv(index=False, lineterminator="\n", float_format="%.6g")
        write_if_changed(results.audit / f"{name}.csv", text)
    return results.audit / "accuracy.csv"


def _audited_clips(study: Study, results: Results) -> pd.DataFrame:
    """Choose used clips, evenly over actions, of actions that can be learnt from other clips."""
    clips = read_table("clips", results.clips)
    used = clips[clips["split"] != "none"]
    rng = np.random.default_rng([study.seed, CLIPS_STREAM])
    shuffled = used.iloc[rng.permutation(len(used))]
    turn = shuffled.groupby("action").cumcount()
    chosen = shuffled.loc[turn.sort_values(kind="stable").index[: study.audit.max_clips]]
    # A session without a name is a clip's own.
    sessions = chosen["group"].where(chosen["group"] != "", chosen["clip_id"])
    n_sessions = sessions.groupby(chosen["action"]).transform("nunique")
    kept = chosen[n_sessions > 1].sort_index()
    if kept["action"].nunique() < 2:
        log.warning(
            "nothing is audited: that needs two actions, each with clips of two sessions (or with "
            "two clips, where sessions are not known)"
        )
        return kept.iloc[:0]
    return kept


def _described(
    study: Study, results: Results, clips: pd.DataFrame, processes: int
) -> dict[str, Described]:
    """Describe every clip in numbers; forget clips that are no longer audited."""
    jobs = _clip_jobs(study, results, clips)
    wanted = {job.target for job in jobs.values()}
    for old in set((results.audit / "features").rglob("*.npz")) - wanted:
        old.unlink()
    described = {}
    for clip_id, outcome in outcomes(describe, jobs, processes, "audit: looking at clips"):
        if isinstance(outcome, Failed):
            raise StudyError(f"the audit of {clip_id}: {outcome.reason}")
        described[clip_id] = outcome
    return described


def _clip_jobs(study: Study, results: Results, clips: pd.DataFrame) -> dict[str, ClipJob]:
    manifest = read_table("manifest", results.manifest)
    stimuli = dict(iter(manifest.groupby("clip_id")))
    ways = _ways(study)
    how = [
        REVISION,
        study.audit.frames,
        [way.model_dump() for way in ways],
        version_settings("background_only", study.versions),
    ]
    jobs = {}
    for clip in clips.itertuples():
        versions = stimuli[clip.clip_id]
        masks = results.masks / clip.action / f"{clip.clip_id}.npz"
        content = [clip.source_sha256, sha256_of(masks), versions["sha256"].tolist()]
        jobs[clip.clip_id] = ClipJob(
            source=results.root / clip.source,
            masks=masks,
            source_wh=(clip.width, clip.height),
            stimuli={row.condition: results.root / row.path for row in versions.itertuples()},
            background=_true_background(results, clip.action, clip.clip_id),
            settings=study.versions,
            ways=ways,
            n_moments=study.audit.frames,
            target=results.audit / "features" / clip.action / f"{clip.clip_id}.npz",
            key=key_of(content, how),
        )
    return jobs


def _ways(study: Study) -> list[AuditedFill]:
    """Return the study's own way of hiding the person and those to compare it with."""
    versions = study.versions
    own = AuditedFill(
        hole=versions.hole, inpainting=versions.inpainting, least_hole=versions.least_hole
    )
    return [own, *(way for way in study.audit.compare if way != own)]


def _true_background(results: Results, action: str, clip_id: str) -> Path | None:
    """Return the synthetic world's picture of the scene without its person."""
    found = sorted((results.sources / "backgrounds" / action).glob(f"{clip_id}.*"))
    return found[0] if found else None


def _probed(
    study: Study, clips: Audited, described: list[Described], processes: int
) -> dict[View, Found]:
    """Run every probe that has something to tell apart, on the clips of which its view is known."""
    audit, jobs, views = study.audit, {}, {}
    for view in described[0] if described else ():
        values = np.stack([of_clip[view] for of_clip in described]).astype(np.float32)
        known = ~np.isnan(values).all(axis=(1, 2))
        if known.mean() < LEAST_KNOWN or len(np.unique(clips.actions[known])) < 2:
            continue
        features = Features(values[known], BLOCKS[view.probe])
        name = f"{view.picture} ({view.probe})"
        jobs[name] = ProbeJob(
            features, clips.only(known), audit.folds, audit.n_permutations, study.seed
        )
        views[name] = view
    results: dict[str, ProbeResult] = {}
    for name, outcome in outcomes(_run_probe, jobs, processes, "audit: probes", "probes"):
        if isinstance(outcome, Failed):
            raise StudyError(f"the audit of {name}: {outcome.reason}")
        results[name] = outcome
    return {view: Found(jobs[name].clips, results[name]) for name, view in views.items()}


def _run_probe(job: ProbeJob) -> ProbeResult:
    actions = np.unique(job.clips.actions, return_inverse=True)[1]
    groups = job.clips.groups.tolist()
    return probe(job.features, actions, groups, job.n_folds, job.n_permutations, job.seed)

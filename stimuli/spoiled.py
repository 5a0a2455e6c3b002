"""The test clips with versions made of spoiled masks, in a results folder per kind and level.

Nothing but the masks differs: the versions are made by the very code, and of the very settings,
that made the study's own.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from stimuli.datasets import Source
from stimuli.index import Index
from stimuli.journals import INDEX_NAME
from stimuli.letterbox import Letterbox
from stimuli.make import ClipFiles, sidecar_of
from stimuli.pipeline import remove_unwanted
from stimuli.spoil_masks import REVISION, SpoilJob, spoil_all
from stimuli.stages import Batch, hash_files
from stimuli.tables import shown_path
from stimuli.version_stage import make_versions
from stimuli.versions import VERSIONS
from study.config import Study
from study.errors import StudyError
from study.files import key_of, sweep_partial_files
from study.results import Results
from study.tables import read_table, write_table

log = logging.getLogger("bodyscene")

Rows = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True)
class NoiseLevel:
    """One point of a curve: what is done to the masks, and how much of it."""

    kind: str
    level: float

    def results(self, results: Results) -> Results:
        """Return the results folder of this level, inside the study's."""
        return results.noise_level(self.kind, self.level)


def noise_levels(study: Study) -> list[NoiseLevel]:
    """Return every kind and level of noise, in the study's order, levels rising."""
    return [
        NoiseLevel(kind, level)
        for kind, values in study.noise.levels.items()
        for level in sorted(values)
    ]


def changed_conditions(study: Study) -> list[str]:
    """Return the versions that masks change."""
    made_of_masks = {"masks", "other"}
    return [name for name in study.versions.conditions if VERSIONS[name].needs & made_of_masks]


def make_spoiled(study: Study, results: Results, noise: NoiseLevel, processes: int) -> Results:
    """Make the versions of the test clips of spoiled masks, and their manifest.

    Versions that are not made of masks are not made again: the manifest names the study's own
    files. Only what is missing or changed is made; the run may be ended at any moment.

    Parameters
    ----------
    study : Study
    results : Results
        With the study's own stimuli.
    noise : NoiseLevel
    processes : int

    Returns
    -------
    Results
        The folder of this kind and level: masks, stimuli and manifest, of the test clips (and of
        clips of other splits that lend these a background).

    Raises
    ------
    StudyError
        When clips or masks are missing, a clip fails, or the disk is full.
    """
    folder = noise.results(results)
    manifest = _shown_rows(read_table("manifest", results.manifest))
    clips = read_table("clips", results.clips).set_index("clip_id", drop=False)
    clips = clips.loc[manifest["clip_id"].unique()]
    batch = _batch(study, folder, processes)
    jobs = _spoil_jobs(batch, results, clips, noise)
    masks = spoil_all(jobs, batch.index, processes)
    files = {
        row.clip_id: ClipFiles(
            clip_id=row.clip_id,
            action=row.action,
            video=results.root / row.source,
            masks=jobs[row.clip_id].target,
            source_wh=(row.width, row.height),
            source_sha256=row.source_sha256,
            mask_sha256=masks[row.clip_id]["mask_sha256"],
        )
        for row in clips.itertuples()
    }
    records = make_versions(batch, files, _lenders(manifest))
    for clip_id, reason in (batch.failures | batch.cannot_lend).items():
        raise StudyError(f"{folder.root}: {clip_id} cannot be made of spoiled masks: {reason}")
    stimuli = {place: batch.stimulus_of(files[place[0]], place[1]) for place in records}
    _remove_others(batch, stimuli.values(), {job.target for job in jobs.values()})
    rows = {
        (clip_id, name): _new_values(record, masks[clip_id], stimuli[clip_id, name], folder)
        for (clip_id, name), record in records.items()
    }
    write_table("manifest", _remade(manifest, rows, results, folder), folder.manifest)
    log.info("%s", _sentence(noise, batch, records))
    return folder


def level_key(study: Study, results: Results, noise: NoiseLevel) -> str:
    """Return a key that changes when the stimuli of a kind and level would come out different."""
    manifest = _shown_rows(read_table("manifest", results.manifest))
    return key_of(
        [REVISION, noise.kind, noise.level, study.seed, _longest_gap(study)],
        study.versions.model_dump(mode="json"),
        # They follow from the masks too: what changes these changes the study's own stimuli.
        manifest[["stimulus_id", "background_of", "sha256"]].to_numpy().tolist(),
    )


def delete_stimuli(folder: Results) -> None:
    """Remove what is large of a kind and level: masks, stimuli and frames; scores stay."""
    for place in (folder.stimuli, folder.masks, folder.frames):
        shutil.rmtree(place, ignore_errors=True)


def _shown_rows(manifest: pd.DataFrame) -> pd.DataFrame:
    """Keep the test clips, those that lend them a background, and a clip of every action.

    The actions of a manifest are the classes of a network, even those without a test clip.
    """
    test = manifest[manifest["split"] == "test"]
    others = manifest[~manifest["action"].isin(test["action"])].drop_duplicates("action")
    shown = {*test["clip_id"], *test["background_of"], *others["clip_id"]}
    kept = manifest[manifest["clip_id"].isin(shown)]
    # A lender of another split borrows too, of a clip that is not here; nobody looks at that.
    is_here = kept["background_of"].isin(kept["clip_id"]) | (kept["background_of"] == "")
    lenders = kept["background_of"].where(is_here, kept["clip_id"])
    return kept.assign(background_of=lenders).reset_index(drop=True)


def _lenders(manifest: pd.DataFrame) -> dict[str, str]:
    borrowed = manifest[manifest["background_of"] != ""]
    return dict(zip(borrowed["clip_id"], borrowed["background_of"], strict=True))


def _batch(study: Study, folder: Results, processes: int) -> Batch:
    """Return a batch that makes the versions that masks change, after sweeping what a kill left."""
    for place in (folder.masks, folder.stimuli):
        sweep_partial_files(place)
    settings = study.versions.model_copy(update={"conditions": changed_conditions(study)})
    return Batch(
        study.model_copy(update={"versions": settings}),
        folder,
        processes,
        Index(folder.stimuli / INDEX_NAME),
        blank_if_all_hidden=True,
    )


def _remove_others(batch: Batch, stimuli: Iterable[Path], masks: set[Path]) -> None:
    """Remove files of clips and versions that the study no longer has."""
    wanted = {batch.results.stimuli / INDEX_NAME}
    for path in stimuli:
        wanted |= {path, sidecar_of(path)}
    remove_unwanted(batch.results.stimuli, wanted)
    remove_unwanted(batch.results.masks, masks)
    batch.index.compact()


def _longest_gap(study: Study) -> int:
    """Return how many frames are filled where nobody was found; masks from elsewhere stay."""
    return study.masks.fill_gaps if study.masks.source == "yolo" else 0


def _spoil_jobs(
    batch: Batch, results: Results, clips: pd.DataFrame, noise: NoiseLevel
) -> dict[str, SpoilJob]:
    """Return a job per clip that spoils its masks."""
    study, own = batch.study, replace(batch, results=results)
    sources = {
        row.clip_id: Source(row.clip_id, row.action, row.group, results.root / row.source)
        for row in clips.itertuples()
    }
    masks = {clip_id: own.masks_of(source) for clip_id, source in sources.items()}
    hashes = hash_files(batch, masks)
    frame_wh = (study.versions.width, study.versions.height)
    return {
        row.clip_id: SpoilJob(
            clip_id=row.clip_id,
            masks=masks[row.clip_id],
            target=batch.masks_of(sources[row.clip_id]),
            mask_sha256=hashes[row.clip_id],
            kind=noise.kind,
            level=noise.level,
            seed=study.seed,
            letterbox=Letterbox.of((row.width, row.height), frame_wh),
            fill_gaps=_longest_gap(study),
        )
        for row in clips.itertuples()
    }


def _new_values(
    record: Mapping[str, Any], mask: Mapping[str, Any], stimulus: Path, folder: Results
) -> dict[str, Any]:
    """Return what the manifest says otherwise of a version made anew."""
    measured = ("hidden_fraction", "luminance", "contrast", "sha256")
    return {
        "path": shown_path(stimulus, folder.root),
        "body_fraction": mask["body_fraction"],
        **{name: record[name] for name in measured},
    }


def _remade(manifest: pd.DataFrame, made: Rows, results: Results, folder: Results) -> pd.DataFrame:
    """Return the rows of a level: new values where a version was made, else the study's file."""
    rows = []
    for row in manifest.to_dict("records"):
        own = os.path.relpath(results.root / row["path"], folder.root)
        new = made.get((row["clip_id"], row["condition"]), {"path": own})
        rows.append({**row, **new})
    return pd.DataFrame(rows, columns=manifest.columns)


def _sentence(noise: NoiseLevel, batch: Batch, records: Rows) -> str:
    megabytes = sum(record["size"] for record in records.values()) / 1e6
    made = len(batch.made)
    return (
        f"masks with {noise.kind} at {noise.level:g}: {len(records)} stimuli, {made} made, "
        f"{len(records) - made} kept; {megabytes:.0f} MB"
    )

"""From clips to finished stimuli, with the tables that say what was used and what was not."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stimuli.by_hand import ChoiceByHand, read_choice_by_hand
from stimuli.choose import Chosen, choose
from stimuli.contact_sheet import CLIPS_SHOWN, SheetJob, SheetRow
from stimuli.datasets import Source, find_sources
from stimuli.examine import Examined
from stimuli.index import Index
from stimuli.journals import INDEX_NAME, gather_journals
from stimuli.make import sidecar_of
from stimuli.segmentation.weights import find_weights
from stimuli.stages import (
    Batch,
    draw_sheets,
    examine_clips,
    hash_files,
    render_synthetic,
)
from stimuli.tables import Made, Records, write_tables
from stimuli.version_stage import make_versions
from study.config import Study
from study.files import key_of, sweep_partial_files
from study.results import Results

SHEET_ORDER = ("test", "validation", "train")


@dataclass(frozen=True)
class StimuliSummary:
    """What a run did.

    Attributes
    ----------
    made, kept : int
        Versions of clips made now, and found finished.
    clips_used, clips_left_out, actions : int
    """

    made: int
    kept: int
    clips_used: int
    clips_left_out: int
    actions: int

    def sentence(self) -> str:
        """Say it in one line."""
        return (
            f"{self.made + self.kept} stimuli from {self.clips_used} clips of {self.actions} "
            f"actions: {self.made} made, {self.kept} kept; {self.clips_left_out} clips left out"
        )


def make_stimuli(study: Study, results: Results, processes: int) -> StimuliSummary:
    """Make all versions of all clips of a study, the tables `clips` and `manifest`, and the sheets.

    Only what is missing or changed is made, by an earlier run or by shards (`stimuli.shards`);
    files that are no longer wanted are removed. The run may be ended at any moment and repeated.

    Raises
    ------
    StudyError
        When a folder or the weights file is missing, the disk is full, or no action is left.
        Clips that fail are left out, with the reason in `clips.csv`.
    """
    for folder in (results.sources, results.masks, results.stimuli, results.contact_sheets):
        sweep_partial_files(folder)
    gather_journals(results.stimuli)
    if study.masks.source == "yolo":
        find_weights(study.masks.weights)
    by_hand = read_choice_by_hand(study.split)
    batch = Batch(study, results, processes, Index(results.stimuli / INDEX_NAME))
    rendered = render_synthetic(batch)
    sources = find_sources(study, results)
    by_hand.check(sources)
    hashes = hash_files(batch, {source.clip_id: source.path for source in sources})
    examined = examine_clips(batch, sources, hashes)
    made = _make_chosen(batch, sources, examined, hashes, by_hand)
    chosen, records = made.chosen, made.records
    used = [source for source in sources if chosen[source.clip_id][0] != "none"]
    write_tables(batch, sources, examined, made, hashes)
    sheets = _sheet_jobs(batch, used, examined, chosen)
    draw_sheets(batch, sheets, _sheet_keys(sheets, records, examined))
    stimuli = {batch.stimulus_of(source, name) for source in used for name in _conditions(batch)}
    wanted = stimuli | {sidecar_of(stimulus) for stimulus in stimuli}
    masks = {batch.masks_of(source) for source in sources if source.clip_id in examined}
    sheet_files = {job.target for job in sheets.values()}
    remove_unwanted(results.stimuli, wanted | {results.stimuli / INDEX_NAME})
    remove_unwanted(results.masks, masks)
    remove_unwanted(results.contact_sheets, sheet_files)
    remove_unwanted(results.sources, rendered)
    batch.index.compact()
    return _summary(batch, sources, used)


def _conditions(batch: Batch) -> list[str]:
    return batch.study.versions.conditions


def _make_chosen(
    batch: Batch,
    sources: Sequence[Source],
    examined: Mapping[str, Examined],
    hashes: Mapping[str, str],
    by_hand: ChoiceByHand,
) -> Made:
    """Choose clips and make their versions; where some fail, choose again among the others."""
    while True:
        choice = choose(batch, sources, examined, hashes, by_hand)
        n_failed = len(batch.failures) + len(batch.cannot_lend)
        records = make_versions(batch, choice.clips, choice.lenders)
        if len(batch.failures) + len(batch.cannot_lend) == n_failed:
            return Made(choice.chosen, records, choice.lenders)


def _sheet_jobs(
    batch: Batch, used: Iterable[Source], examined: Mapping[str, Examined], chosen: Chosen
) -> dict[str, SheetJob]:
    """Return a contact sheet per action, test clips first."""
    by_action: dict[str, list[Source]] = defaultdict(list)
    for source in used:
        by_action[source.action].append(source)
    jobs = {}
    for action, clips in by_action.items():
        clips.sort(key=lambda source: SHEET_ORDER.index(chosen[source.clip_id][0]))
        rows = [
            SheetRow(
                clip_id=source.clip_id,
                caption=f"{source.clip_id} ({chosen[source.clip_id][0]})",
                versions={name: batch.stimulus_of(source, name) for name in _conditions(batch)},
                masks=batch.masks_of(source),
                source_wh=(examined[source.clip_id].width, examined[source.clip_id].height),
            )
            for source in clips[:CLIPS_SHOWN]
        ]
        target = batch.results.contact_sheets / f"{action}.png"
        jobs[action] = SheetJob(action, _conditions(batch), rows, target)
    return jobs


def _sheet_keys(
    jobs: Mapping[str, SheetJob], records: Records, examined: Mapping[str, Examined]
) -> dict[str, str]:
    def content(job: SheetJob) -> list[Any]:
        return [
            [
                row.caption,
                examined[row.clip_id].mask_sha256,
                [records[row.clip_id, name]["sha256"] for name in job.conditions],
            ]
            for row in job.rows
        ]

    return {action: key_of(content(job)) for action, job in jobs.items()}


def remove_unwanted(folder: Path, wanted: set[Path]) -> None:
    """Remove the files of a folder that nothing needs any more, and folders left empty."""
    # A listing tells files from folders; to ask of each costs a shared file system much more.
    for name, _, files in os.walk(folder, topdown=False):
        place = Path(name)
        for path in {place / file for file in files} - wanted:
            path.unlink()
        if place != folder and not any(place.iterdir()):
            place.rmdir()


def _summary(batch: Batch, sources: Sequence[Source], used: Sequence[Source]) -> StimuliSummary:
    ids = {source.clip_id for source in used}
    # Not those of clips that another choice replaced.
    made = sum(clip_id in ids for clip_id, _ in batch.made)
    return StimuliSummary(
        made=made,
        kept=len(used) * len(_conditions(batch)) - made,
        clips_used=len(used),
        clips_left_out=len(sources) - len(used),
        actions=len({source.action for source in used}),
    )

"""From clips to finished stimuli, with the tables that say what was used and what was not."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stimuli.by_hand import ChoiceByHand, read_choice_by_hand
from stimuli.contact_sheet import CLIPS_SHOWN, SheetJob, SheetRow
from stimuli.datasets import Source, find_sources
from stimuli.examine import Examined
from stimuli.index import Index
from stimuli.letterbox import Letterbox
from stimuli.make import sidecar_of
from stimuli.partners import draw_lenders
from stimuli.segmentation.weights import find_weights
from stimuli.selection import clips_table, select_clips, unusable
from stimuli.stages import (
    Batch,
    draw_sheets,
    examine_clips,
    hash_files,
    make_versions,
    render_synthetic,
)
from stimuli.versions import VERSIONS
from study.config import Study
from study.errors import StudyError
from study.files import key_of, sweep_partial_files
from study.results import Results
from study.tables import write_table

log = logging.getLogger("bodyscene")

INDEX_NAME = "index.jsonl"
SHEET_ORDER = ("test", "validation", "train")

Chosen = Mapping[str, tuple[str, str]]
Records = Mapping[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """What was chosen and made.

    Attributes
    ----------
    chosen : mapping
        Clip id to (split, reason).
    records : mapping
        (Clip id, condition) to what the index knows of that version.
    lenders : mapping of str to str
        Clip id to the clip whose background it gets.
    """

    chosen: Chosen
    records: Records
    lenders: Mapping[str, str]


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

    Only what is missing or changed is made; files that are no longer wanted are removed. The run
    may be ended at any moment and repeated.

    Raises
    ------
    StudyError
        When a folder or the weights file is missing, the disk is full, or no action is left.
        Clips that fail are left out, with the reason in `clips.csv`.
    """
    for folder in (results.sources, results.masks, results.stimuli, results.contact_sheets):
        sweep_partial_files(folder)
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
    _write_tables(batch, sources, examined, made, hashes)
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
        chosen = _choose(batch, sources, examined, by_hand)
        used = [source for source in sources if chosen[source.clip_id][0] != "none"]
        n_failed = len(batch.failures)
        clips = {
            source.clip_id: batch.files_of(source, examined[source.clip_id], hashes[source.clip_id])
            for source in used
        }
        lenders = _lenders(batch, used, chosen)
        records = make_versions(batch, clips, lenders)
        if len(batch.failures) == n_failed:
            return Made(chosen, records, lenders)


def _lenders(batch: Batch, used: Sequence[Source], chosen: Chosen) -> dict[str, str]:
    """Draw whose background each clip gets, if a version asks for another clip's."""
    if not any("other" in VERSIONS[name].needs for name in _conditions(batch)) or not used:
        return {}
    splits = {clip_id: split for clip_id, (split, _) in chosen.items()}
    return draw_lenders(used, splits, batch.study.versions.swap, batch.study.seed)


def _choose(
    batch: Batch,
    sources: Sequence[Source],
    examined: Mapping[str, Examined],
    by_hand: ChoiceByHand,
) -> dict[str, tuple[str, str]]:
    reasons = {
        source.clip_id: by_hand.why_excluded(source.clip_id)
        or batch.failures.get(source.clip_id)
        or unusable(examined[source.clip_id], batch.study.masks)
        for source in sources
    }
    if by_hand.splits is not None:
        return by_hand.splits_of(reasons)
    dataset = batch.study.dataset
    return select_clips(
        sources,
        reasons,
        batch.study.split,
        getattr(dataset, "min_clips", 1),
        getattr(dataset, "max_clips", None),
    )


def _write_tables(
    batch: Batch,
    sources: Sequence[Source],
    examined: Mapping[str, Examined],
    made: Made,
    hashes: Mapping[str, str],
) -> None:
    """Write both tables where they changed, and say which actions are lost."""
    shown_paths = {
        source.clip_id: shown_path(source.path, batch.results.root) for source in sources
    }
    clips = clips_table(sources, examined, made.chosen, hashes, shown_paths)
    write_table("clips", clips, batch.results.clips)
    _warn_of_lost_actions(clips)
    if (clips["split"] == "none").all():
        reasons = clips["reason"].value_counts()
        raise StudyError(
            f"{batch.results.clips}: no action is left; the most frequent reason, of "
            f"{reasons.iloc[0]} of {len(clips)} clips: {reasons.index[0]}"
        )
    manifest = _manifest(batch, sources, examined, made, hashes)
    write_table("manifest", manifest, batch.results.manifest)


def _warn_of_lost_actions(clips: pd.DataFrame) -> None:
    for action, of_action in clips.groupby("action", sort=False):
        if (of_action["split"] == "none").all():
            reasons = of_action["reason"].value_counts()
            log.warning(
                "action %s is left out: %s (%d of %d clips)",
                action,
                reasons.index[0],
                reasons.iloc[0],
                len(of_action),
            )


def _manifest(
    batch: Batch,
    sources: Iterable[Source],
    examined: Mapping[str, Examined],
    made: Made,
    hashes: Mapping[str, str],
) -> pd.DataFrame:
    settings = batch.study.versions
    rows = []
    for source in sources:
        clip_id = source.clip_id
        split = made.chosen[clip_id][0]
        if split == "none":
            continue
        known = examined[clip_id]
        letterbox = Letterbox.of((known.width, known.height), (settings.width, settings.height))
        for condition in settings.conditions:
            record = made.records[clip_id, condition]
            borrowed = "other" in VERSIONS[condition].needs
            rows.append(
                {
                    "stimulus_id": f"{clip_id}__{condition}",
                    "clip_id": clip_id,
                    "action": source.action,
                    "condition": condition,
                    "split": split,
                    "path": shown_path(batch.stimulus_of(source, condition), batch.results.root),
                    "n_frames": known.n_frames,
                    "fps": known.fps,
                    "width": settings.width,
                    "height": settings.height,
                    "body_fraction": known.person_share * letterbox.picture_share,
                    "hidden_fraction": record["hidden_fraction"],
                    "luminance": record["luminance"],
                    "contrast": record["contrast"],
                    "background_of": made.lenders[clip_id] if borrowed else "",
                    "sha256": record["sha256"],
                    "source_sha256": hashes[clip_id],
                }
            )
    return pd.DataFrame(rows)


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


def shown_path(path: Path, root: Path) -> str:
    """Return a path inside the results folder relative to it, so that equal runs stay equal."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def remove_unwanted(folder: Path, wanted: set[Path]) -> None:
    """Remove the files of a folder that nothing needs any more, and folders left empty."""
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else []:
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink()


def _summary(batch: Batch, sources: Sequence[Source], used: Sequence[Source]) -> StimuliSummary:
    return StimuliSummary(
        made=batch.made,
        kept=len(used) * len(_conditions(batch)) - batch.made,
        clips_used=len(used),
        clips_left_out=len(sources) - len(used),
        actions=len({source.action for source in used}),
    )

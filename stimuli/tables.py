"""The tables that say which clips were used, why others were not, and what was made."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stimuli.choose import Chosen
from stimuli.datasets import Source
from stimuli.examine import Examined
from stimuli.letterbox import Letterbox
from stimuli.selection import clips_table
from stimuli.stages import Batch
from stimuli.versions import VERSIONS
from study.errors import StudyError
from study.tables import write_table

log = logging.getLogger("bodyscene")

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


def write_tables(
    batch: Batch,
    sources: Sequence[Source],
    examined: Mapping[str, Examined],
    made: Made,
    hashes: Mapping[str, str],
) -> None:
    """Write `clips` and `manifest` where they changed, and say which actions are lost.

    Raises
    ------
    StudyError
        When no action is left; says the most frequent reason.
    """
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


def shown_path(path: Path, root: Path) -> str:
    """Return a path inside the results folder relative to it, so that equal runs stay equal."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()

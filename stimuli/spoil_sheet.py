"""One picture of what every kind and level of noise does to the versions of one clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stimuli.contact_sheet import SheetJob, SheetRow, draw_sheet
from stimuli.spoiled import NoiseLevel, changed_conditions
from study.config import Study
from study.results import Results
from study.tables import read_table


def draw_noise_sheet(
    study: Study, results: Results, levels: Sequence[NoiseLevel], clip_id: str, target: Path
) -> None:
    """Draw a row per level, after the study's own: the mask's outline, and what is made of it.

    Parameters
    ----------
    study : Study
    results : Results
        With the stimuli of all `levels`, see `stimuli.spoiled.make_spoiled`.
    levels : sequence of NoiseLevel
    clip_id : str
        A test clip.
    target : Path
        PNG.
    """
    clip = read_table("clips", results.clips).set_index("clip_id").loc[clip_id]
    changed = changed_conditions(study)
    conditions = [
        name for name in study.versions.conditions if name in ("body_background", *changed)
    ]
    folders = {"as segmented": results}
    folders |= {f"{level.kind} {level.level:g}": level.results(results) for level in levels}
    rows = []
    for caption, folder in folders.items():
        manifest = read_table("manifest", folder.manifest)
        own = manifest[manifest["clip_id"] == clip_id].set_index("condition")
        rows.append(
            SheetRow(
                clip_id=clip_id,
                caption=caption.replace("_", " "),
                versions={name: folder.root / own.loc[name, "path"] for name in conditions},
                masks=folder.masks / clip["action"] / f"{clip_id}.npz",
                source_wh=(int(clip["width"]), int(clip["height"])),
            )
        )
    draw_sheet(SheetJob(f"Segmentation noise: {clip_id}", conditions, rows, target))

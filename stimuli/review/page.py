"""Write the review page: `review/index.html`, `review/data.js` and the previews."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from stimuli.by_hand import DEFAULT_REASON, read_choice_by_hand
from stimuli.review import data
from stimuli.review.previews import (
    PreviewJob,
    make_previews,
    n_moments,
    preview_name,
    tile_size,
)
from study.conditions import CONDITIONS
from study.config import Study
from study.files import write_if_changed
from study.results import Results
from study.tables import read_table

PREVIEWS_NAME = "previews"
SOURCE = "source"


@dataclass(frozen=True)
class Reviewed:
    """What the page is made of.

    Attributes
    ----------
    study, results
    clips : DataFrame
        The table of clips.
    versions : dict of str to DataFrame
        Per condition the rows of the manifest in the order of `clips`; empty where left out.
    tile_wh : tuple of int
        Size of a preview's pictures.
    """

    study: Study
    results: Results
    clips: pd.DataFrame
    versions: dict[str, pd.DataFrame]
    tile_wh: tuple[int, int]

    @property
    def folder(self) -> Path:
        """Where the page lies."""
        return self.results.review


def write_review(study: Study, results: Results, processes: int) -> Path:
    """Write the page on which every clip can be looked at and marked for exclusion.

    Previews are made only where a stimulus is new or changed; equal runs write equal files.

    Parameters
    ----------
    study : Study
    results : Results
        With the tables of clips and stimuli.
    processes : int
        For the previews.

    Returns
    -------
    Path
        The page. It opens as a file, and needs `data.js` and `previews` beside it.

    Raises
    ------
    StudyError
        When a table is missing or wrong, or the disk is full.
    """
    clips = read_table("clips", results.clips)
    manifest = read_table("manifest", results.manifest)
    settings = study.versions
    versions = data.by_version(clips, manifest, settings.conditions)
    tile_wh = tile_size((settings.width, settings.height))
    reviewed = Reviewed(study, results, clips, versions, tile_wh)
    jobs = _jobs(reviewed)
    flat = [job for jobs_of in jobs.values() for job in jobs_of if job is not None]
    drawn = make_previews(flat, reviewed.folder / PREVIEWS_NAME, processes)
    previews = {
        kind: [job.target.name if job and job.target.name in drawn else None for job in jobs_of]
        for kind, jobs_of in jobs.items()
    }
    write_if_changed(reviewed.folder / "data.js", data.script(_content(reviewed, previews)))
    page = reviewed.folder / "index.html"
    write_if_changed(page, _render(study))
    return page


def _jobs(reviewed: Reviewed) -> dict[str, list[PreviewJob | None]]:
    """Return a preview per version and clip, and of the source where a clip was left out."""
    jobs: dict[str, list[PreviewJob | None]] = {}
    for condition, table in reviewed.versions.items():
        rows = zip(table["path"], table["sha256"], _moments(reviewed.clips), strict=True)
        jobs[condition] = [
            _job(reviewed, path, sha256, n_shown) if isinstance(path, str) else None
            for path, sha256, n_shown in rows
        ]
    jobs[SOURCE] = [_source_job(reviewed, clip) for clip in reviewed.clips.to_dict("records")]
    return jobs


def _moments(clips: pd.DataFrame) -> list[int]:
    """Return how many moments of every clip are shown.

    A still of one that was left out: most clips of a data set may be, and decoding them all would
    take longer than the review is worth.
    """
    shown = zip(clips["n_frames"].tolist(), clips["split"], strict=True)
    return [n_moments(n_frames) if split != "none" else 1 for n_frames, split in shown]


def _source_job(reviewed: Reviewed, clip: dict[str, Any]) -> PreviewJob | None:
    """Return the still of a clip that was left out, None where it cannot be read."""
    if clip["split"] != "none" or not clip["n_frames"]:
        return None
    settings = reviewed.study.versions
    cut = {"fps": settings.fps, "max_seconds": settings.max_seconds}
    return _job(reviewed, clip["source"], clip["source_sha256"], 1, **cut)


def _job(
    reviewed: Reviewed, path: str, sha256: str, n_shown: int, **cut: float | None
) -> PreviewJob:
    name = preview_name(sha256, n_shown, reviewed.tile_wh, **cut)
    return PreviewJob(
        path=reviewed.results.root / path,
        n_moments=n_shown,
        tile_wh=reviewed.tile_wh,
        target=reviewed.folder / PREVIEWS_NAME / name,
        **cut,
    )


def _content(reviewed: Reviewed, previews: dict[str, list[str | None]]) -> dict[str, Any]:
    known = data.known_numbers(reviewed.clips)
    offered = data.scores(known, reviewed.versions)
    return {
        "study": reviewed.study.name,
        "hash": data.content_hash(reviewed.clips),
        "tile": list(reviewed.tile_wh),
        "moments": _moments(reviewed.clips),
        "conditions": [
            {"name": name, "label": CONDITIONS[name].label} for name in reviewed.versions
        ],
        "clips": data.columns_of(known),
        "versions": {
            name: data.columns_of(table.astype(object)) for name, table in reviewed.versions.items()
        },
        "previews": previews,
        "scores": [vars(score) for score in offered],
        "excluded": _excluded(reviewed.study),
    }


def _excluded(study: Study) -> list[tuple[str, str]]:
    """Return what the study file's table excludes, with the reasons that stand in it.

    As pairs, because an object in JavaScript sorts names that are numbers.
    """
    excluded = read_choice_by_hand(study.split).excluded.items()
    return [(name, "" if reason == DEFAULT_REASON else reason) for name, reason in excluded]


def _render(study: Study) -> str:
    environment = Environment(
        loader=PackageLoader("stimuli.review", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("index.html.j2").render(study=study)

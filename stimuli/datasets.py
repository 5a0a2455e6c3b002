"""Where clips come from: every kind of data set becomes one list of sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stimuli.synthetic import render_jobs
from stimuli.video import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from study.config import Study
from study.errors import StudyError
from study.fields import SourceFolder
from study.results import Results

HAA500_FOLDER = "video"


@dataclass(frozen=True)
class Source:
    """A clip as it was found.

    Attributes
    ----------
    clip_id : str
        Unique in the data set.
    action, group : str
        The group is the recording session, empty where unknown.
    path : Path
        The video or photograph.
    """

    clip_id: str
    action: str
    group: str
    path: Path


def find_sources(study: Study, results: Results) -> list[Source]:
    """List all clips of the data set, by action and then by name.

    Raises
    ------
    StudyError
        When a folder is missing or holds no clip, or two clips cannot be told apart.
    """
    return FINDERS[study.dataset.kind](study, results)


def _synthetic(study: Study, results: Results) -> list[Source]:
    jobs = render_jobs(study, results).items()
    return [Source(clip_id, job.recipe.action, "", job.files.video) for clip_id, job in jobs]


def _haa500(study: Study, results: Results) -> list[Source]:
    return with_unique_ids(list(_clips_in(SourceFolder(path=study.dataset.path / HAA500_FOLDER))))


def _folders(study: Study, results: Results) -> list[Source]:
    found = [source for folder in study.dataset.folders for source in _clips_in(folder)]
    wanted = study.dataset.actions
    if wanted is not None:
        actions = {source.action for source in found}
        missing = sorted(set(wanted) - actions)
        if missing:
            raise StudyError(
                f"dataset.actions names {missing}, of which there is no clip; "
                f"found {sorted(actions)}"
            )
        found = [source for source in found if source.action in wanted]
    return with_unique_ids(found)


FINDERS: dict[str, Callable[[Study, Results], list[Source]]] = {
    "synthetic": _synthetic,
    "folder": _folders,
    "haa500": _haa500,
}


def _clips_in(folder: SourceFolder) -> Iterator[Source]:
    """Yield the clips of one folder, their ids still the bare file names."""
    if not folder.path.is_dir():
        raise StudyError(f"{folder.path}: no such folder of clips")
    found = 0
    for path in sorted(folder.path.rglob("*")):
        match = re.search(folder.pattern, path.relative_to(folder.path).as_posix())
        if match and path.suffix.lower() in VIDEO_SUFFIXES + PHOTO_SUFFIXES:
            found += 1
            group = match.groupdict().get("group") or ""
            yield Source(path.stem, match["action"], group, path)
    if not found:
        suffixes = " ".join(VIDEO_SUFFIXES + PHOTO_SUFFIXES)
        raise StudyError(
            f"{folder.path}: holds no clip: no file ({suffixes}) matches {folder.pattern!r}"
        )


def with_unique_ids(sources: list[Source]) -> list[Source]:
    """Sort sources; where two share a file name, put the action before it.

    Raises
    ------
    StudyError
        When two are still the same; names both files.
    """
    times_seen = Counter(source.clip_id for source in sources)
    renamed = [
        replace(source, clip_id=f"{source.action}_{source.clip_id}")
        if times_seen[source.clip_id] > 1
        else source
        for source in sources
    ]
    first: dict[str, Source] = {}
    for source in renamed:
        other = first.setdefault(source.clip_id, source)
        if other is not source:
            raise StudyError(
                f"{other.path} and {source.path} would both be clip {source.clip_id!r}; "
                "rename one of them"
            )
    return sorted(renamed, key=lambda source: (source.action, source.clip_id))

"""How much a study has to do: clips, frames and actions, exactly or from a sample of its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cluster.options import PlanOptions
from stimuli.datasets import Source, find_sources
from stimuli.video import read_timing
from study.config import Study
from study.errors import StudyError
from study.fields import SyntheticData
from study.results import Results
from study.tables import read_table, read_text_table

# Video files whose headers are read.
PROBED = 50
USED = ("train", "validation", "test")


@dataclass(frozen=True)
class Probe:
    """What a sample of clips is like.

    Attributes
    ----------
    frames : float
        Mean number of frames that are used of a clip.
    frames_se : float
        Standard error of that mean, with the correction for a finite number of clips; 0 where the
        mean is exact.
    longest : int
    seconds : float
        Mean length.
    size_wh : tuple of int
        Median size, pixels.
    said : str
        What was looked at.
    """

    frames: float
    frames_se: float
    longest: int
    seconds: float
    size_wh: tuple[int, int]
    said: str


@dataclass(frozen=True)
class Counts:
    """What a study has to do.

    Attributes
    ----------
    clips, actions : int
        In the data set.
    probe : Probe
    used : dict of str to int
        Clips that are made into versions, by split.
    versions : int
        Of every used clip.
    said : list of str
        How these were found.
    """

    clips: int
    actions: int
    probe: Probe
    used: dict[str, int]
    versions: int
    said: list[str]

    @property
    def frames(self) -> float:
        """Of all clips."""
        return self.clips * self.probe.frames

    @property
    def clips_used(self) -> int:
        """Of all splits."""
        return sum(self.used.values())

    @property
    def frames_used(self) -> float:
        """Of one version of the used clips."""
        return self.clips_used * self.probe.frames


def count_study(study: Study, results: Results, options: PlanOptions) -> Counts:
    """Count a study's clips, frames and actions.

    Parameters
    ----------
    study : Study
    results : Results
        If it holds `clips.csv` of an earlier run, nothing has to be guessed.
    options : PlanOptions
        What it says replaces what is found; if it says clips, frames per clip and actions, the data
        set needs not be here.

    Raises
    ------
    StudyError
        When the data set is not here and the options do not replace it.
    """
    asked = (options.clips, options.frames_per_clip, options.actions)
    if all(value is not None for value in asked):
        return _as_told(study, options)
    if not any(asked) and options.clips_used is None and results.clips.is_file():
        return _as_selected(study, results)
    try:
        sources = find_sources(study, results)
    except StudyError as error:
        raise StudyError(
            f"{error}\nTo plan for data that is not here: --clips, --frames-per-clip and --actions"
        ) from error
    probe, said = _probed(study, sources), [f"{len(sources)} clips listed"]
    per_action = Counter(source.action for source in sources)
    n_clips, n_actions = len(sources), len(per_action)
    used = _used_of(study, sources)
    if options.clips is not None or options.actions is not None:
        n_clips, n_actions = options.clips or n_clips, options.actions or n_actions
        said = [f"{n_clips} clips of {n_actions} actions: as told"]
        used = _evenly_used(study, n_clips, n_actions)
    if options.frames_per_clip is not None:
        probe = replace(probe, frames=options.frames_per_clip, frames_se=0.0, said="as told")
    used, more = _as_many_as_told(study, used, options)
    return Counts(
        n_clips, n_actions, probe, used, len(study.versions.conditions), [*said, probe.said, *more]
    )


def _as_told(study: Study, options: PlanOptions) -> Counts:
    """Count data that is not here."""
    clips, frames, actions = options.clips, options.frames_per_clip, options.actions
    fps = study.versions.fps or getattr(study.dataset, "fps", 25.0)
    probe = Probe(frames, 0.0, round(frames), frames / fps, _size_of(study), "as told")
    used, said = _as_many_as_told(study, _evenly_used(study, clips, actions), options)
    told = f"{clips} clips of {actions} actions, {frames:g} frames each: as told"
    return Counts(clips, actions, probe, used, len(study.versions.conditions), [told, *said])


def _size_of(study: Study) -> tuple[int, int]:
    if isinstance(study.dataset, SyntheticData):
        return study.dataset.width, study.dataset.height
    return 1280, 720


def _as_selected(study: Study, results: Results) -> Counts:
    """Count what an earlier run of `stimuli` found."""
    clips = read_table("clips", results.clips)
    known = clips[clips["n_frames"] > 0]
    frames, splits = known["n_frames"], Counter(clips["split"])
    said = f"{results.clips} of an earlier run: exact"
    probe = Probe(
        float(frames.mean()),
        0.0,
        int(frames.max()),
        float((frames / known["fps"]).mean()),
        (int(known["width"].median()), int(known["height"].median())),
        said,
    )
    used = {split: splits[split] for split in USED}
    n_actions, n_versions = clips["action"].nunique(), len(study.versions.conditions)
    return Counts(len(clips), n_actions, probe, used, n_versions, [said])


def _probed(study: Study, sources: Sequence[Source]) -> Probe:
    """Read the headers of a random sample of clips; of the synthetic world nothing is unknown."""
    data = study.dataset
    if isinstance(data, SyntheticData):
        n = data.n_frames
        size_wh = (data.width, data.height)
        return Probe(n, 0.0, n, n / data.fps, size_wh, f"{n} frames per clip: exact")
    versions = study.versions
    timings = []
    for source in sampled(sources, PROBED, study.seed):
        try:
            timings.append(read_timing(source.path, versions.fps, versions.max_seconds))
        except StudyError:
            continue
    if not timings:
        raise StudyError(f"{sources[0].path.parent}: no clip of a random sample could be read")
    return probe_of(
        [len(timing.times) for timing in timings],
        [float(timing.times.duration_s) for timing in timings],
        [timing.size_wh for timing in timings],
        len(sources),
    )


def probe_of(
    frames: Sequence[int],
    seconds: Sequence[float],
    sizes_wh: Sequence[tuple[int, int]],
    n_clips: int,
) -> Probe:
    """Sum up a simple random sample of `n_clips` clips.

    The standard error is s / sqrt(n) * sqrt(1 - n / N) (Cochran, 1977, Sampling Techniques, 2.6).
    """
    n = len(frames)
    spread = float(np.std(frames, ddof=1)) if n > 1 else float(frames[0])
    error = spread / np.sqrt(n) * np.sqrt(max(0.0, 1 - n / n_clips))
    width, height = np.median(np.array(sizes_wh), axis=0)
    mean = float(np.mean(frames))
    said = f"{mean:.1f} frames per clip: headers of all clips"
    if n < n_clips:
        said = f"{mean:.1f} frames per clip (standard error {error:.1f}): {n} random clips' headers"
    return Probe(
        mean, float(error), max(frames), float(np.mean(seconds)), (int(width), int(height)), said
    )


def sampled(sources: Sequence[Source], n: int, seed: int) -> list[Source]:
    """Draw some clips, the same whenever the seed and the clips are."""
    rng = np.random.default_rng([seed, PROBED])
    chosen = rng.permutation(len(sources))[:n]
    return [sources[place] for place in sorted(chosen)]


def _used_of(study: Study, sources: Sequence[Source]) -> dict[str, int]:
    """Count the clips that would be used if every one were usable, by split."""
    if study.split.by == "file":
        return _used_by_file(study.split.file)
    by_action: dict[str, list[Source]] = {}
    for source in sources:
        by_action.setdefault(source.action, []).append(source)
    used: Counter[str] = Counter()
    for clips in by_action.values():
        groups = [source.group for source in clips[: getattr(study.dataset, "max_clips", None)]]
        used += _of_action(study, groups)
    return {split: used[split] for split in USED}


def _used_by_file(path: Path) -> dict[str, int]:
    splits = Counter(read_text_table(path)["split"])
    return {split: splits[split] for split in USED}


def _of_action(study: Study, groups: Sequence[str]) -> Counter[str]:
    """Split the usable clips of one action, given as their groups."""
    split, n = study.split, len(groups)
    if n < getattr(study.dataset, "min_clips", 1):
        return Counter()
    if split.by == "group":
        held = {**dict.fromkeys(split.validation_groups, "validation")}
        held |= dict.fromkeys(split.test_groups, "test")
        return Counter(held.get(group, "train") for group in groups)
    held_out = split.validation_clips + split.test_clips
    if n < held_out:
        return Counter()
    return Counter(train=n - held_out, validation=split.validation_clips, test=split.test_clips)


def _evenly_used(study: Study, n_clips: int, n_actions: int) -> dict[str, int]:
    """Count the used clips of a data set of which only totals are known: all actions alike.

    Sessions are not known either, so that `split.by = "group"` counts as by order.
    """
    most = getattr(study.dataset, "max_clips", None)
    per_action = max(1, n_clips // n_actions)
    used = _of_action(
        study.model_copy(update={"split": study.split.model_copy(update={"by": "order"})}),
        [""] * (per_action if most is None else min(per_action, most)),
    )
    return {split: n_actions * used[split] for split in USED}


def _as_many_as_told(
    study: Study, used: Mapping[str, int], options: PlanOptions
) -> tuple[dict[str, int], list[str]]:
    """Take the number of used clips from the options, the shares of the splits as they are."""
    if options.clips_used is not None and sum(used.values()):
        share = options.clips_used / sum(used.values())
        told = {split: round(n * share) for split, n in used.items()}
        return told, [f"{options.clips_used} clips used: as told"]
    if isinstance(study.dataset, SyntheticData):
        return dict(used), []
    return dict(used), [
        f"{sum(used.values())} clips used, if all are usable; --clips-used N where you know better"
    ]

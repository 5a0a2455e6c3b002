"""Which clips a study uses, in which split, and why the others are left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from stimuli.datasets import Source
from stimuli.examine import Examined
from study.fields import Masks, Split

# How well the person was found, see `stimuli.segmentation.quality`.
QUALITY_COLUMNS = (
    "mask_quality", "mask_confidence", "edge_agreement", "area_jumps", "share_filled",
)  # fmt: skip

UNKNOWN_CLIP = Examined(
    n_frames=0,
    fps=0.0,
    width=0,
    height=0,
    n_persons_max=-1,
    n_one_person=0,
    n_found=0,
    person_share=0.0,
    mask_sha256="",
    **dict.fromkeys(QUALITY_COLUMNS, 0.0),
)


def unusable(examined: Examined, masks: Masks) -> str:
    """Return why a clip cannot be used, or nothing if it can."""
    n_frames = examined.n_frames
    if examined.n_found == 0:
        return f"no person found in {n_frames} of {n_frames} frames"
    if examined.n_found < masks.min_visible * n_frames:
        return f"no person found in {n_frames - examined.n_found} of {n_frames} frames"
    if masks.persons == "exactly_one" and examined.n_one_person < n_frames:
        wrong = n_frames - examined.n_one_person
        return f"not exactly one person in {wrong} of {n_frames} frames"
    if examined.mask_quality < masks.min_quality:
        least = masks.min_quality
        return f"mask quality {examined.mask_quality:.2f}, at least {least:.2f} wanted"
    return ""


def select_clips(
    sources: Sequence[Source],
    reasons: Mapping[str, str],
    split: Split,
    min_clips: int,
    max_clips: int | None,
) -> dict[str, tuple[str, str]]:
    """Return split and reason of every clip.

    Parameters
    ----------
    sources : sequence of Source
        All clips, in the order in which they are used.
    reasons : mapping of str to str
        Clip id to why it is unusable, empty for a usable clip.
    split : Split
    min_clips, max_clips : int
        An action with fewer usable clips is left out; of one with more, the first are used.

    Returns
    -------
    dict
        Clip id to (split, reason); the split is "none" where there is a reason.
    """
    chosen = {source.clip_id: ("none", reasons[source.clip_id]) for source in sources}
    usable: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        if not reasons[source.clip_id]:
            usable[source.action].append(source)
    for clips in usable.values():
        surplus = clips[max_clips:] if max_clips is not None else []
        chosen |= _all_out(surplus, f"beyond the first {max_clips} usable clips")
        chosen |= _split_action(clips[:max_clips], split, min_clips)
    return chosen


def _split_action(usable: list[Source], split: Split, min_clips: int) -> dict[str, tuple[str, str]]:
    held_out = split.validation_clips + split.test_clips if split.by == "order" else 0
    needed = max(min_clips, held_out)
    if len(usable) < needed:
        return _all_out(usable, f"only {len(usable)} usable clips, {needed} needed")
    splits = (_by_order if split.by == "order" else _by_group)(usable, split)
    present = Counter(splits)
    if split.by == "group" and not (present["train"] and present["test"]):
        lacking = "test" if not present["test"] else "training"
        return _all_out(usable, f"its action has no {lacking} clip by the split into sessions")
    return {source.clip_id: (part, "") for source, part in zip(usable, splits, strict=True)}


def _all_out(usable: list[Source], reason: str) -> dict[str, tuple[str, str]]:
    return {source.clip_id: ("none", reason) for source in usable}


def _by_order(usable: list[Source], split: Split) -> list[str]:
    n_train = len(usable) - split.validation_clips - split.test_clips
    return (
        ["validation"] * split.validation_clips + ["test"] * split.test_clips + ["train"] * n_train
    )


def _by_group(usable: list[Source], split: Split) -> list[str]:
    place = dict.fromkeys(split.validation_groups, "validation")
    place |= dict.fromkeys(split.test_groups, "test")
    return [place.get(source.group, "train") for source in usable]


def clips_table(
    sources: Sequence[Source],
    examined: Mapping[str, Examined],
    chosen: Mapping[str, tuple[str, str]],
    hashes: Mapping[str, str],
    shown_paths: Mapping[str, str],
) -> pd.DataFrame:
    """Return the table of clips; of a clip that could not be examined little is known."""
    rows = []
    for source in sources:
        clip_id = source.clip_id
        known = examined.get(clip_id, UNKNOWN_CLIP)
        part, reason = chosen[clip_id]
        rows.append(
            {
                "clip_id": clip_id,
                "action": source.action,
                "group": source.group,
                "split": part,
                "reason": reason,
                "source": shown_paths[clip_id],
                "n_frames": known.n_frames,
                "fps": known.fps,
                "width": known.width,
                "height": known.height,
                "n_persons_max": known.n_persons_max,
                "mask_found": known.n_found / known.n_frames if known.n_frames else 0.0,
                **{name: getattr(known, name) for name in QUALITY_COLUMNS},
                "source_sha256": hashes[clip_id],
            }
        )
    return pd.DataFrame(rows)

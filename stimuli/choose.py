"""Which clips are used, and whose background each gets, from what was found of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stimuli.by_hand import ChoiceByHand
from stimuli.datasets import Source
from stimuli.examine import Examined
from stimuli.make import ClipFiles
from stimuli.partners import draw_lenders, mend_lenders
from stimuli.selection import select_clips, unusable
from stimuli.stages import Batch
from stimuli.versions import VERSIONS

Chosen = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Choice:
    """What is to be made.

    Attributes
    ----------
    chosen : mapping
        Clip id to (split, reason), of all clips; the split is "none" where there is a reason.
    clips : mapping of str to ClipFiles
        The clips used.
    lenders : mapping of str to str
        Clip id to the clip whose background it gets; empty if no version asks for it.
    """

    chosen: Chosen
    clips: Mapping[str, ClipFiles]
    lenders: Mapping[str, str]


def choose(
    batch: Batch,
    sources: Sequence[Source],
    examined: Mapping[str, Examined],
    hashes: Mapping[str, str],
    by_hand: ChoiceByHand,
) -> Choice:
    """Choose among all clips of a data set, without those in `batch.failures`."""
    chosen = _choose_splits(batch, sources, examined, by_hand, batch.failures)
    used = _used(sources, chosen)
    clips = {
        source.clip_id: batch.files_of(source, examined[source.clip_id], hashes[source.clip_id])
        for source in used
    }
    if not any("other" in VERSIONS[name].needs for name in batch.study.versions.conditions):
        return Choice(chosen, clips, {})
    # As if no clip failed while versions are made: such a failure changes few lenders.
    unseen = {name: reason for name, reason in batch.failures.items() if name not in examined}
    at_first = _choose_splits(batch, sources, examined, by_hand, unseen)
    return Choice(chosen, clips, _choose_lenders(batch, sources, at_first, chosen))


def _used(sources: Sequence[Source], chosen: Chosen) -> list[Source]:
    return [source for source in sources if chosen[source.clip_id][0] != "none"]


def _choose_splits(
    batch: Batch,
    sources: Sequence[Source],
    examined: Mapping[str, Examined],
    by_hand: ChoiceByHand,
    failures: Mapping[str, str],
) -> Chosen:
    reasons = {
        source.clip_id: by_hand.why_excluded(source.clip_id)
        or failures.get(source.clip_id)
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


def _choose_lenders(
    batch: Batch, sources: Sequence[Source], at_first: Chosen, chosen: Chosen
) -> dict[str, str]:
    """Draw whose background each clip gets, and again where that cannot be."""
    swap, seed = batch.study.versions.swap, batch.study.seed
    before, now = (
        {clip_id: split for clip_id, (split, _) in choice.items()} for choice in (at_first, chosen)
    )
    lenders = draw_lenders(_used(sources, at_first), before, swap, seed)
    moved = {clip_id for clip_id, split in now.items() if split != before[clip_id]}
    if not moved and not batch.cannot_lend:
        return lenders
    return mend_lenders(lenders, _used(sources, chosen), now, moved, batch.cannot_lend, swap, seed)

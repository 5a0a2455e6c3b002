"""Whose background a clip gets where backgrounds are swapped."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import cv2
import numpy as np

from stimuli.datasets import Source
from study.errors import StudyError
from study.files import key_of

# A random order with a few clashes is mended in a handful of rounds, if it can be.
MOST_ROUNDS = 20


def draw_lenders(
    sources: Sequence[Source], splits: Mapping[str, str], swap: str, seed: int
) -> dict[str, str]:
    """Return clip id to the clip that lends its background.

    A clip borrows within its own split, so that no background is seen in training and in test, and
    each clip lends once wherever that is possible. A split with one clip of an action has no other
    of the same action: there another split lends.

    Parameters
    ----------
    sources : sequence of Source
        The clips used.
    splits : mapping of str to str
        Clip id to split.
    swap : {"other_action", "same_action"}
    seed : int

    Raises
    ------
    StudyError
        When there is no such other clip.
    """
    rng = np.random.default_rng([seed, 0x5A])
    lenders: dict[str, str] = {}
    groups: dict[tuple[str, str], list[Source]] = {}
    of_all_splits: dict[str, list[Source]] = {}
    for source in sources:
        action = source.action if swap == "same_action" else ""
        groups.setdefault((splits[source.clip_id], action), []).append(source)
        of_all_splits.setdefault(action, []).append(source)
    for (_, action), clips in groups.items():
        order = _mended(rng.permutation(len(clips)), clips, swap, rng)
        for borrower, lender in zip(clips, order, strict=True):
            other = clips[lender]
            if not _may_lend(borrower, other, swap):
                other = _any_lender(borrower, of_all_splits[action], swap, rng)
            lenders[borrower.clip_id] = other.clip_id
    return lenders


def mend_lenders(
    lenders: Mapping[str, str],
    sources: Sequence[Source],
    splits: Mapping[str, str],
    moved: Container[str],
    cannot_lend: Container[str],
    swap: str,
    seed: int,
) -> dict[str, str]:
    """Return lenders where some clips of the first draw cannot be used or cannot lend.

    All others keep theirs, so that one bad clip does not have every version made again. Whoever
    needs a new lender draws among all of the same split, if need be of any.

    Parameters
    ----------
    lenders : mapping of str to str
        As first drawn.
    sources : sequence of Source
        The clips used now.
    splits : mapping of str to str
        Their splits.
    moved : container of str
        Clips whose split is another than at the first draw, or that had none.
    cannot_lend : container of str
        Clips whose background cannot be had.
    swap, seed
        As for `draw_lenders`.

    Raises
    ------
    StudyError
        When there is no other clip that may lend.
    """
    used = {source.clip_id for source in sources}
    able = [source for source in sources if source.clip_id not in cannot_lend]
    mended = {}
    for source in sources:
        lender = lenders.get(source.clip_id)
        stays = lender in used and lender not in cannot_lend
        if stays and source.clip_id not in moved and lender not in moved:
            mended[source.clip_id] = lender
            continue
        split = splits[source.clip_id]
        beside = [one for one in able if splits[one.clip_id] == split]
        near = beside if any(_may_lend(source, one, swap) for one in beside) else able
        rng = np.random.default_rng([seed, 0x5B, int(key_of(source.clip_id), 16)])
        mended[source.clip_id] = _any_lender(source, near, swap, rng).clip_id
    return mended


def lent_frames(n_frames: int, n_lent: int) -> np.ndarray:
    """Return which frame of the lender is behind each frame: forwards and back again, no jump."""
    if n_lent == 1:
        return np.zeros(n_frames, int)
    period = 2 * (n_lent - 1)
    step = np.arange(n_frames) % period
    return np.where(step < n_lent, step, period - step)


def cover(frame_hwc: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Resize a frame so that it covers a picture, and cut what stands over on both sides."""
    height, width = frame_hwc.shape[:2]
    scale = max(size_wh[0] / width, size_wh[1] / height)
    large_wh = max(size_wh[0], round(width * scale)), max(size_wh[1], round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(frame_hwc, large_wh, interpolation=how)
    left, top = (large_wh[0] - size_wh[0]) // 2, (large_wh[1] - size_wh[1]) // 2
    return large[top : top + size_wh[1], left : left + size_wh[0]]


def _may_lend(borrower: Source, lender: Source, swap: str) -> bool:
    if swap == "same_action":
        return lender.action == borrower.action and lender.clip_id != borrower.clip_id
    return lender.action != borrower.action


def _mended(
    order: np.ndarray, clips: Sequence[Source], swap: str, rng: np.random.Generator
) -> np.ndarray:
    """Exchange lenders until nobody has one that may not lend, as far as that goes."""
    for _ in range(MOST_ROUNDS):
        wrong = [i for i, j in enumerate(order) if not _may_lend(clips[i], clips[j], swap)]
        if not wrong:
            break
        for i in wrong:
            for k in rng.permutation(len(clips)):
                mine, theirs = clips[order[k]], clips[order[i]]
                if _may_lend(clips[i], mine, swap) and _may_lend(clips[k], theirs, swap):
                    order[i], order[k] = order[k], order[i]
                    break
    return order


def _any_lender(
    borrower: Source, sources: Sequence[Source], swap: str, rng: np.random.Generator
) -> Source:
    possible = [other for other in sources if _may_lend(borrower, other, swap)]
    if not possible:
        wanted = "another clip of" if swap == "same_action" else "a clip of another action than"
        raise StudyError(
            f"versions.swap = {swap!r}: clip {borrower.clip_id!r} needs {wanted} "
            f"{borrower.action!r}, there is none"
        )
    return possible[rng.integers(len(possible))]

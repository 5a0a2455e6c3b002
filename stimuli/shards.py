"""The work on the clips of a data set in parts, in jobs on any number of machines.

Shard i of n has the clips number i, i + n, i + 2n and so on, in the order of the data set: every
action is spread over the shards. First all shards find masks, then all make versions, because what
was found of all clips decides which are used and whose background each gets. At last
`stimuli.pipeline.make_stimuli` finds all done, and writes the tables.

A shard writes files of its own clips and a journal of its own, and removes nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stimuli.by_hand import ChoiceByHand, read_choice_by_hand
from stimuli.choose import choose
from stimuli.datasets import Source, find_sources
from stimuli.examine import Examined
from stimuli.journals import open_beside
from stimuli.segmentation.weights import find_weights
from stimuli.stages import (
    Batch,
    examine_clips,
    hash_files,
    recall_clips,
    recall_hashes,
    render_synthetic,
)
from stimuli.version_stage import make_versions
from study.config import Study
from study.errors import StudyError, check_one_of
from study.results import Results

log = logging.getLogger("bodyscene")

# So many missing shards are named in an error.
SHARDS_NAMED = 5

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """One of `count` equal parts of the clips.

    Attributes
    ----------
    index : int
        From 1.
    count : int
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise StudyError(
                f"shard {self.index}/{self.count}: expected a number from 1 to the number of "
                "shards, as in 3/40"
            )

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "3/40", the third of forty.

        Raises
        ------
        StudyError
            When it is something else.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if match is None:
            raise StudyError(f"shard {text!r}: expected NUMBER/HOW_MANY, as in 3/40")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """What stands in names of files: "3of40"."""
        return f"{self.index}of{self.count}"

    def part_of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of this shard; together the shards have every item once."""
        return items[self.index - 1 :: self.count]


def count_clips(study: Study, results: Results) -> int:
    """Return how many clips the data set has, without opening any.

    Raises
    ------
    StudyError
        When a folder is missing or holds no clip, or two clips cannot be told apart.
    """
    data = study.dataset
    if data.kind == "synthetic":
        return data.n_actions * data.clips_per_action
    return len(find_sources(study, results))


def make_stage_of_shard(
    study: Study, results: Results, processes: int, stage: str | None, shard: str | None
) -> tuple[Path, Shard]:
    """Do one stage of one shard, both as they are written on the command line.

    Returns
    -------
    tuple of Path and Shard
        The journal of what was done, and the shard.

    Raises
    ------
    StudyError
        When one of the two is missing or nonsense, or the stage fails.
    """
    if stage is None or shard is None:
        raise StudyError(
            f"expected --stage and --shard together, found --stage {stage} --shard {shard}"
        )
    check_one_of("--stage", stage, STAGES)
    part = Shard.parse(shard)
    return STAGES[stage](study, results, processes, part), part


def make_masks_of_shard(study: Study, results: Results, processes: int, shard: Shard) -> Path:
    """Look at the clips of a shard and find the person in each; return the shard's journal.

    Clips of the synthetic world are rendered first. Only what is missing or changed is done; the
    run may be ended at any moment and repeated, also with another number of shards.

    Raises
    ------
    StudyError
        When a folder or the weights file is missing, or the disk is full. A clip that fails is
        recorded with its reason.
    """
    if study.masks.source == "yolo":
        find_weights(study.masks.weights)
    batch, sources, _ = _begin(study, results, processes, shard, "masks")
    own = shard.part_of(sources)
    render_synthetic(batch, {source.clip_id for source in own})
    hashes = hash_files(batch, _paths(own))
    examined = examine_clips(batch, own, hashes)
    log.info(
        "shard %s: %d of %d clips examined, %d failed",
        shard, len(examined), len(own), len(batch.failures),
    )  # fmt: skip
    return batch.index.path


def make_versions_of_shard(study: Study, results: Results, processes: int, shard: Shard) -> Path:
    """Make the versions of those clips of a shard that are used; return the shard's journal.

    All shards must have found their masks. Clips are chosen among all of them. Where a clip
    fails now, the choice is made again when all shards are done.

    Raises
    ------
    StudyError
        When records of other shards are missing (says of which), or the disk is full.
    """
    batch, sources, by_hand = _begin(study, results, processes, shard, "versions")
    hashes, examined = _found_by_all(batch, sources, shard)
    choice = choose(batch, sources, examined, hashes, by_hand)
    mine = {source.clip_id for source in shard.part_of(sources)}
    own = {clip_id: clip for clip_id, clip in choice.clips.items() if clip_id in mine}
    records = make_versions(batch, own, choice.lenders, among=choice.clips)
    log.info(
        "shard %s: %d stimuli from %d clips: %d made, %d kept",
        shard, len(records), len(own), len(batch.made), len(records) - len(batch.made),
    )  # fmt: skip
    return batch.index.path


STAGES: dict[str, Callable[[Study, Results, int, Shard], Path]] = {
    "masks": make_masks_of_shard,
    "versions": make_versions_of_shard,
}


def _begin(
    study: Study, results: Results, processes: int, shard: Shard, stage: str
) -> tuple[Batch, Sequence[Source], ChoiceByHand]:
    """Open the shard's journal; list all clips and what was decided of them by hand."""
    by_hand = read_choice_by_hand(study.split)
    sources = find_sources(study, results)
    by_hand.check(sources)
    index = open_beside(results.stimuli, f"{stage}-{shard.name}")
    return Batch(study, results, processes, index, is_shard=True), sources, by_hand


def _found_by_all(
    batch: Batch, sources: Sequence[Source], shard: Shard
) -> tuple[Mapping[str, str], Mapping[str, Examined]]:
    """Return hashes of all clips, and what is known of those that could be examined."""
    hashes = recall_hashes(batch, _paths(sources))
    hashed = [source for source in sources if source.clip_id in hashes]
    examined = recall_clips(batch, hashed, hashes)
    settled = examined.keys() | batch.failures.keys()
    missing = {source.clip_id for source in sources} - settled
    if missing:
        raise _missing(batch, sources, missing, shard.count)
    return hashes, examined


def _missing(batch: Batch, sources: Sequence[Source], missing: set[str], count: int) -> StudyError:
    """Say which shards have not done their part, and how to mend it."""
    shards = [Shard(index, count) for index in range(1, count + 1)]
    clips_of = {
        shard: [source.clip_id for source in shard.part_of(sources) if source.clip_id in missing]
        for shard in shards
    }
    lacking = [shard for shard in shards if clips_of[shard]]
    named = ", ".join(str(shard) for shard in lacking[:SHARDS_NAMED])
    more = f" and {len(lacking) - SHARDS_NAMED} more" if len(lacking) > SHARDS_NAMED else ""
    first = clips_of[lacking[0]]
    return StudyError(
        f"{batch.results.stimuli}: expected every clip examined as it is now, but of "
        f"{len(missing)} of {len(sources)} clips nothing is recorded: shard {named}{more} has not "
        f"ended, or a clip was changed or deleted since (shard {lacking[0]}: {len(first)} clips, "
        f"the first {first[0]!r}). Do these shards first: "
        f"bodyscene stimuli STUDY.toml --stage masks --shard {lacking[0]}"
    )


def _paths(sources: Sequence[Source]) -> dict[str, Path]:
    return {source.clip_id: source.path for source in sources}

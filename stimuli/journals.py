"""The journals of one results folder: the index, and beside it one of every shard that works."""

from __future__ import annotations

from pathlib import Path

from stimuli.index import Index

INDEX_NAME = "index.jsonl"


def open_beside(stimuli: Path, name: str) -> Index:
    """Open the journal of a shard, which knows what stands in the index and in all others.

    Nobody else writes into this journal, so that no lock is needed, which shared file systems may
    not keep.
    """
    path = stimuli / f"index-{name}.jsonl"
    others = [other for other in _journals(stimuli) if other != path]
    index = Index(path, [stimuli / INDEX_NAME, *others])
    index.begin()
    return index


def gather_journals(stimuli: Path) -> None:
    """Move what the shards' journals hold into the index; while this runs, no shard may work.

    A run that is killed in between is repeated: the journals go when the index is whole.
    """
    journals = _journals(stimuli)
    if not journals:
        return
    index = Index(stimuli / INDEX_NAME, journals)
    index.drop_passing_failures()
    index.rewrite()
    for journal in journals:
        journal.unlink()


def _journals(stimuli: Path) -> list[Path]:
    return sorted(stimuli.glob("index-*.jsonl"))

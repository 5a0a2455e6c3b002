"""Where the files of sessions lie in a results folder, and what a participant may be called."""

from __future__ import annotations

import re
from pathlib import Path

from study.errors import StudyError
from study.results import SESSIONS, Results

# Letters and digits only: BIDS wants it so, and every file system takes them.
ID = re.compile(r"[A-Za-z0-9]{1,20}")


def check_id(participant: str) -> str:
    """Return the id, or say what is wrong with it.

    Raises
    ------
    StudyError
        When it is empty or holds anything but letters and digits (a slash, a space, ...).
    """
    if not ID.fullmatch(participant):
        found = repr(participant) if participant else "nothing"
        raise StudyError(f"participant: expected 1 to 20 letters and digits, found {found}")
    return participant


def sessions_folder(results: Results) -> Path:
    """All sessions of a study."""
    return results.root / SESSIONS


def session_folder(results: Results, participant: str) -> Path:
    """The journal, the claims and the tables of one participant."""
    return sessions_folder(results) / f"sub-{check_id(participant)}"


def journal_path(results: Results, participant: str) -> Path:
    """The session's journal: what happened, line by line."""
    return session_folder(results, participant) / "journal.jsonl"


def detail_path(results: Results, participant: str) -> Path:
    """How each trial was really shown and answered."""
    return session_folder(results, participant) / "trials_detail.csv"


def responses_path(results: Results, participant: str) -> Path:
    """Response rows of one participant."""
    return results.simulated_responses.parent / f"sub-{check_id(participant)}.csv"


def replacements_path(results: Results) -> Path:
    """Which list a participant has who replaces another."""
    return sessions_folder(results) / "participants.csv"


def stills_folder(results: Results) -> Path:
    """One frame of each stimulus that familiarisation shows."""
    return sessions_folder(results) / "stills"

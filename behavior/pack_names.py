"""Which file names every computer takes, and how one that is not taken is renamed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

# Windows, by Microsoft's "Naming files, paths, and namespaces".
REFUSED = re.compile(r'[<>:"|?*\\\x00-\x1f]')
RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"
}
# A whole path may have 259 characters; this leaves 100 for the folder that the pack lies in.
LONGEST_PATH = 159
# Other file systems count bytes.
LONGEST_NAME = 200


def name_problem(path: str) -> str:
    """Say why a computer may refuse a relative path ("/" between its parts); empty if none does."""
    if len(path) > LONGEST_PATH:
        return f"{len(path)} characters, at most {LONGEST_PATH} expected"
    for part in PurePosixPath(path).parts:
        found = REFUSED.search(part)
        if found:
            return f"{found[0]!r} in {part!r}"
        if part.split(".")[0].rstrip(" ").casefold() in RESERVED:
            return f"{part!r} is the name of a device on Windows"
        if part != part.rstrip(". "):
            return f"{part!r} ends with a full stop or a space"
        if len(part.encode()) > LONGEST_NAME:
            return f"{part[:30]!r}... has more than {LONGEST_NAME} bytes"
    return ""


def portable_paths(paths: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return paths that every computer takes and tells apart.

    Parameters
    ----------
    paths : mapping of str to str
        The SHA-256 of each file by its relative path.

    Returns
    -------
    dict of str to str
        Where each file goes: the same path, or one made of the hash.
    list of str
        What was renamed and why, a line each.
    """
    portable: dict[str, str] = {}
    renamed: list[str] = []
    taken: dict[str, str] = {}
    for path, sha256 in paths.items():
        why = name_problem(path)
        same = taken.get(path.casefold())
        if not why and same is not None:
            why = f"on Windows and macOS the same file as {same}"
        place = path
        if why:
            place = f"stimuli/renamed/{sha256[:16]}{PurePosixPath(path).suffix[:5]}"
            renamed.append(f"{path} is called {place} in the pack: {why}")
        taken[place.casefold()] = path
        portable[path] = place
    return portable, renamed

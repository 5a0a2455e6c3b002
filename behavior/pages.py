"""What a session says: a text file per page and the words of buttons, in any language."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from study.errors import StudyError
from study.files import write_text

BUILT_IN = Path(__file__).with_name("texts")
PAGES = (
    "consent",
    "instructions",
    "familiarisation",
    "practice",
    "start",
    "break",
    "welcome_back",
    "attention",
    "debrief",
    "disk_full",
)
# The session cannot go without them; the others are left out where their file is empty.
NEEDED = ("welcome_back", "disk_full")


@dataclass(frozen=True)
class Texts:
    """Pages by name, words by name, and the hash of each file.

    Attributes
    ----------
    pages : mapping of str to str
        The text of each of `PAGES`; an empty one is not shown.
    words : mapping of str to str
        What buttons and prompts say.
    hashes : mapping of str to str
        16 hex digits per file name.
    """

    pages: Mapping[str, str]
    words: Mapping[str, str]
    hashes: Mapping[str, str]

    def page(self, name: str, **values: object) -> str:
        """Return a page with {placeholders} filled in; unknown ones stay as they are."""
        return filled(self.pages[name], values)


def as_read(action: str) -> str:
    """Return an action as people read it: names of files have underscores."""
    return action.replace("_", " ")


def filled(text: str, values: Mapping[str, object]) -> str:
    """Replace {name} by its value; other braces stay, they may belong to the text."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def read_texts(folder: Path | None = None) -> Texts:
    """Read the pages and words of a folder, by default the built-in English ones.

    Raises
    ------
    StudyError
        When a file is missing, is not UTF-8 text, or `words.toml` lacks a word or has one too
        many. A missing page is not replaced by the English one: languages would mix.
    """
    folder = folder or BUILT_IN
    names = [*(f"{page}.md" for page in PAGES), "words.toml"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise StudyError(
            f"session.texts = {folder}: missing {', '.join(missing)}; expected {', '.join(names)} "
            "(a page that is not wanted is an empty file)"
        )
    content = {name: _read(folder / name) for name in names}
    pages = {page: content[f"{page}.md"].strip() for page in PAGES}
    empty = [page for page in NEEDED if not pages[page]]
    if empty:
        raise StudyError(f"{folder / empty[0]}.md: empty, but the session needs this page")
    words = _words(folder / "words.toml", content["words.toml"])
    hashes = {
        name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in content.items()
    }
    return Texts(pages, words, hashes)


def copy_texts(folder: Path) -> list[Path]:
    """Write the built-in texts into `folder` to be edited; files that are there stay.

    Returns
    -------
    list of Path
        What was written.
    """
    written = []
    for source in sorted(BUILT_IN.iterdir()):
        target = folder / source.name
        if source.suffix in (".md", ".toml") and not target.exists():
            write_text(target, source.read_text(encoding="utf-8"))
            written.append(target)
    return written


def _read(path: Path) -> str:
    try:
        # Editors on Windows put a byte order mark in front.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error


def _words(path: Path, text: str) -> dict[str, str]:
    try:
        words = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not a TOML file: {error}") from error
    known = tomllib.loads((BUILT_IN / "words.toml").read_text(encoding="utf-8"))
    wrong = [f"missing {name}" for name in known if name not in words]
    wrong += [f"unknown {name}" for name in words if name not in known]
    wrong += [f"{name} is not a text" for name in words if not isinstance(words[name], str)]
    wrong += [f"{name} is empty" for name in words if words[name] == ""]
    if wrong:
        raise StudyError(f"{path}: {'; '.join(wrong)}")
    return words

"""A font for every script: the one that was asked for, or the first on this computer that has it.

Nothing is drawn as an empty box: where no font has a character, the session is refused before it
begins, with the characters and with what to install.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import freetype
from PIL import ImageFont, features

from study.errors import StudyError

FONT_SUFFIXES = (".ttf", ".otf", ".ttc")

# Plain upright faces in the order of preference, by file name without suffix: first what has Latin,
# Greek and Cyrillic, then one family per script and system.
PREFERRED = (
    *("NotoSans-Regular", "DejaVuSans", "segoeui", "Helvetica", "HelveticaNeue", "arial"),
    *("Arial", "LiberationSans-Regular", "NotoSansArabic-Regular", "GeezaPro", "tahoma"),
    *("NotoSansHebrew-Regular", "NotoSansCJK-Regular", "NotoSansCJKsc-Regular"),
    *("NotoSansSC-Regular", "msyh", "PingFang", "Hiragino Sans GB", "STHeiti Light"),
    *("wqy-microhei", "wqy-zenhei", "DroidSansFallbackFull", "YuGothR", "meiryo", "malgun"),
    *("AppleSDGothicNeo", "Nirmala", "NotoSansDevanagari-Regular", "leelawui"),
    *("NotoSansThai-Regular", "Arial Unicode"),
)
UNWANTED = ("bold", "italic", "oblique", "black", "light", "thin", "condensed", "mono", "emoji")

# Where the characters are, what has them on a computer without.
REMEDIES = {
    "CJK": "fonts-noto-cjk (Linux), Microsoft YaHei (Windows: add the language), PingFang (macOS)",
    "HIRAGANA": "fonts-noto-cjk (Linux), Yu Gothic (Windows: add the language), Hiragino (macOS)",
    "HANGUL": "fonts-noto-cjk (Linux), Malgun Gothic (Windows: add the language)",
    "ARABIC": "fonts-dejavu or fonts-noto-core (Linux), Segoe UI (Windows), Geeza Pro (macOS)",
}


class Fonts:
    """Chooses and opens fonts.

    Parameters
    ----------
    wanted : str
        A font file, or the name of a family that is installed; empty for the computer's own.

    Raises
    ------
    StudyError
        When the font that was asked for is not there.
    """

    def __init__(self, wanted: str = "") -> None:
        self._wanted = _find(wanted) if wanted else None
        self._chosen: dict[frozenset[str], Path] = {}
        self._opened: dict[tuple[Path, int], ImageFont.FreeTypeFont] = {}

    def opened(self, text: str, size_px: int) -> ImageFont.FreeTypeFont:
        """Return a font that has every character of `text`, `size_px` pixels high.

        Raises
        ------
        StudyError
            When no font on this computer has them all.
        """
        letters = frozenset(letter for letter in text if _is_drawn(letter))
        if letters not in self._chosen:
            self._chosen[letters] = self._choose(letters)
        key = (self._chosen[letters], size_px)
        if key not in self._opened:
            engine = ImageFont.Layout.RAQM if can_shape() else ImageFont.Layout.BASIC
            self._opened[key] = ImageFont.truetype(str(key[0]), size_px, layout_engine=engine)
        return self._opened[key]

    def path_for(self, text: str) -> Path:
        """Return the file of the font that `opened` would take."""
        return Path(str(self.opened(text, 16).path))

    def _choose(self, letters: frozenset[str]) -> Path:
        missing = letters
        for path in self._candidates():
            lacks = frozenset(letter for letter in letters if not _has(path, letter))
            if not lacks:
                return path
            missing = min(missing, lacks, key=len)
        raise StudyError(_what_to_install(missing))

    def _candidates(self) -> Iterator[Path]:
        if self._wanted:
            yield self._wanted
        installed = installed_fonts()
        yield from (installed[name] for name in PREFERRED if name in installed)
        plain = (name for name in sorted(installed) if not _is_unwanted(name))
        yield from (installed[name] for name in plain if name not in PREFERRED)


@cache
def can_shape() -> bool:
    """Whether Pillow joins and orders letters itself (Raqm); where not, `window_text` does."""
    return bool(features.check("raqm"))


@cache
def installed_fonts() -> dict[str, Path]:
    """Return the computer's font files by name without suffix."""
    found: dict[str, Path] = {}
    for folder in _font_folders():
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.suffix.lower() in FONT_SUFFIXES:
                found.setdefault(path.stem, path)
    return found


def _font_folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        windows = Path(os.environ.get("WINDIR", r"C:\Windows"))
        own = Path(os.environ.get("LOCALAPPDATA", str(home / "AppData" / "Local")))
        return [windows / "Fonts", own / "Microsoft" / "Windows" / "Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    data = Path(os.environ.get("XDG_DATA_HOME", str(home / ".local" / "share")))
    shared = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]
    return [*shared, data / "fonts", home / ".fonts"]


@cache
def _face(path: Path) -> freetype.Face | None:
    try:
        return freetype.Face(str(path))
    except freetype.FT_Exception:
        return None


def _has(path: Path, letter: str) -> bool:
    face = _face(path)
    return face is not None and face.get_char_index(letter) != 0


def _find(wanted: str) -> Path:
    """Return the file of a font that is named by path, file name or family."""
    if Path(wanted).suffix.lower() in FONT_SUFFIXES and Path(wanted).is_file():
        return Path(wanted)
    installed = installed_fonts()
    if wanted in installed:
        return installed[wanted]
    for name in sorted(installed, key=lambda name: (_is_unwanted(name), name)):
        face = _face(installed[name])
        if face is not None and (face.family_name or b"").decode(errors="replace") == wanted:
            return installed[name]
    raise StudyError(
        f"font {wanted!r} is not installed on this computer; expected a font file (.ttf, .otf) or "
        "the name of a family that is installed, or leave the field out"
    )


def _is_unwanted(name: str) -> bool:
    return any(word in name.lower() for word in UNWANTED)


def _is_drawn(letter: str) -> bool:
    """Whether a character leaves a mark; format characters and spaces do not."""
    return not letter.isspace() and unicodedata.category(letter) not in ("Cf", "Cc", "Mn")


def _what_to_install(missing: frozenset[str]) -> str:
    letters = sorted(missing)
    name = unicodedata.name(letters[0], "unknown")
    remedy = next((text for script, text in REMEDIES.items() if script in name), "a font with them")
    shown = " ".join(letters[:8])
    return (
        f"no font on this computer has the characters {shown} ({name}, ...). "
        f"Install {remedy}, or name a font file in the study file"
    )

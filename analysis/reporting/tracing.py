"""From every printed number back to the cell that it was printed from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.reporting.content import Cell, Document, Numbering, Sentence, Source

COLUMNS = ["sentence", "section", "number", "file", "line", "row", "column", "scale"]
NUMBER = re.compile(
    r"(?<![\w.])(?P<less><[\s\u00a0]*)?"
    r"(?P<number>\d{1,3}(?:,\d{3})+|\d*\.\d+|\d+)(?!\w)(?!\.\d)(?!,\d{3}\b)"
)
# Not numbers of the study: code, and the year of a reference.
NO_NUMBERS = re.compile(r"`[^`]*`|\b(?:19|20)\d\d(?=[;)])|\((?:19|20)\d\d\)")
PERCENT_SIGN = re.compile(r"[\s\u00a0]?%")
CONFIDENCE = re.compile(r"[\s\u00a0]?%[\s\u00a0]+(?:CI|interval|bootstrap interval)")
SETTINGS = "study.toml"
PERCENT = 100.0
SAME = 1e-9


@dataclass(frozen=True)
class Number:
    """A number as printed (without its sign), and the cell that it is from.

    `source` and `cell` are None where no cell of the sentence's sources prints like it.
    """

    printed: str
    source: Source | None
    cell: Cell | None


@dataclass(frozen=True)
class _Token:
    printed: str
    is_confidence: bool
    is_percent: bool


def numbers_table(document: Document, numbering: Numbering) -> pd.DataFrame:
    """Return a row per number of a sentence with sources, columns `COLUMNS`.

    `sentence` is the number of its note in the report; `file`, `line`, `row` and `column` are
    empty where a number was not found in the sentence's sources; `scale` is what the cell was
    multiplied by.
    """
    rows = []
    for section, sentence in document.sentences():
        if not sentence.sources:
            continue
        note = numbering.notes[id(sentence)]
        for number in trace(sentence, document.labels):
            source, cell = number.source, number.cell
            where = ("", "", "", "", "")
            if source is not None and cell is not None:
                line = "" if source.line is None else str(source.line)
                where = (source.file, line, source.row, cell.column, f"{cell.scale:g}")
            rows.append((note, section, number.printed, *where))
    return pd.DataFrame(rows, columns=COLUMNS)


def trace(sentence: Sentence, labels: Sequence[str] = ()) -> list[Number]:
    """Find the cell of every number of a sentence.

    Numbers are taken from left to right. Of the rows that have a cell which prints like the next
    number, and is not taken yet, that one is chosen which goes on longest with the numbers that
    follow, the row of the number before if there are several. Within a row, a cell that is just
    this number goes before one that is rounded to it, and a text comes last.

    Parameters
    ----------
    sentence : Sentence
    labels : sequence of str
        Names with digits, passed over.
    """
    tokens = _tokens(sentence.text, [*labels, *sentence.names])
    sources = sentence.sources
    settings = [place for place, source in enumerate(sources) if source.file == SETTINGS]
    rows = [place for place in range(len(sources)) if place not in settings]
    found: list[Number] = []
    used: set[tuple[int, int]] = set()
    current = -1
    for place, token in enumerate(tokens):
        pool = settings if token.is_confidence else [*rows, *settings]
        pool = sorted(pool, key=lambda row: row != current)
        match = _best(tokens[place:], sources, pool, used)
        if match is None:
            found.append(Number(token.printed, None, None))
            continue
        used.add(match)
        source = sources[match[0]]
        found.append(Number(token.printed, source, source.cells[match[1]]))
        current = current if source.file == SETTINGS else match[0]
    return found


def prints_as(cell: Cell, printed: str) -> bool:
    """Whether a cell, printed with as many digits, is this number; signs do not count."""
    if isinstance(cell.value, str):
        return printed in [token.printed for token in _tokens(cell.value, ())]
    if printed.startswith("<"):
        limit = printed.lstrip("< \u00a0")
        return cell.column.startswith("p") and 0 <= cell.value < float(limit)
    text = printed.replace(",", "")
    decimals = len(text.partition(".")[2])
    shown = f"{abs(cell.value * cell.scale):.{decimals}f}"
    return shown == (f"0{text}" if text.startswith(".") else text)


def cited(sentence: Sentence, labels: Sequence[str] = ()) -> list[Source]:
    """Return the sources that a sentence has numbers of, all where it has none."""
    found = [number.source for number in trace(sentence, labels) if number.source is not None]
    return list(dict.fromkeys(found)) or list(sentence.sources)


def cited_files(sources: Sequence[Source]) -> dict[str, str]:
    """Return what each file is cited for: "lines 2 and 4", or which rows were counted."""
    files: dict[str, list[Source]] = {}
    for source in sources:
        files.setdefault(source.file, []).append(source)
    return {file: _where(own) for file, own in files.items()}


def _where(sources: Sequence[Source]) -> str:
    lines = sorted({source.line for source in sources if source.line is not None})
    counted = list(dict.fromkeys(source.row for source in sources if source.line is None))
    said = []
    if lines:
        said.append(f"line{'s' * (len(lines) > 1)} {_ranges(lines)}")
    return "; ".join([*said, *counted])


def _ranges(lines: Sequence[int]) -> str:
    """Write 2, 3, 4, 7 as "2–4, 7"."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _tokens(text: str, labels: Sequence[str]) -> list[_Token]:
    for label in sorted(labels, key=len, reverse=True):
        text = text.replace(label, " ")
    text = NO_NUMBERS.sub(" ", text)
    return [
        _Token(
            f"{'< ' if match['less'] else ''}{match['number']}",
            is_confidence=CONFIDENCE.match(text, match.end()) is not None,
            is_percent=PERCENT_SIGN.match(text, match.end()) is not None,
        )
        for match in NUMBER.finditer(text)
    ]


def _best(
    tokens: Sequence[_Token],
    sources: Sequence[Source],
    pool: Sequence[int],
    used: set[tuple[int, int]],
) -> tuple[int, int] | None:
    """Return (source, cell) of the first token; a cell used before only where nothing else is."""
    for taken in (used, set()):
        found = []
        for order, row in enumerate(pool):
            cell, rank = _cell(tokens[0], sources[row], row, taken)
            if cell is not None:
                length = _run(tokens, sources[row], row, taken)
                found.append((rank, -length, order, (row, cell)))
        if found:
            return min(found)[-1]
    return None


def _cell(
    token: _Token, source: Source, row: int, used: set[tuple[int, int]]
) -> tuple[int | None, int]:
    """Return the best unused cell for a token and its rank: 0 exact, 1 rounded, 2 in a text."""
    ranks = [
        (_rank(cell, token, source.file == SETTINGS), place)
        for place, cell in enumerate(source.cells)
        if (row, place) not in used and _fits(cell, token)
    ]
    if not ranks:
        return None, 0
    rank, place = min(ranks)
    return place, rank


def _fits(cell: Cell, token: _Token) -> bool:
    is_text = isinstance(cell.value, str)
    if not is_text and token.is_percent and cell.scale != PERCENT:
        return False
    # Counts are printed without decimals.
    is_count = cell.column.startswith("n_") and "." in token.printed
    return not is_count and prints_as(cell, token.printed)


def _rank(cell: Cell, token: _Token, is_setting: bool) -> int:
    """Return 0, 1 or 2, see `_cell`; settings and whole numbers are printed as they are."""
    if isinstance(cell.value, str):
        return 2
    if not is_setting and ("." in token.printed or token.printed.startswith("<")):
        return 0
    off = abs(abs(cell.value * cell.scale) - float(token.printed.replace(",", "")))
    return 1 if off > SAME else 0


def _run(tokens: Sequence[_Token], source: Source, row: int, used: set[tuple[int, int]]) -> int:
    """Count how many of the next tokens this source has, one column after the other."""
    place = length = 0
    for token in tokens:
        if token.is_confidence:
            continue
        fits = (
            later
            for later in range(place, len(source.cells))
            if (row, later) not in used and _fits(source.cells[later], token)
        )
        found = next(fits, None)
        if found is None:
            break
        place, length = found + 1, length + 1
    return length

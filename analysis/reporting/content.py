"""What a report is made of, whatever it is written in: sentences, tables, figures, sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Cell:
    """A value that a sentence may print.

    Attributes
    ----------
    column : str
        Of its table; for what is counted or computed, how.
    value : float or str
        As in the table; a text may hold numbers.
    scale : float
        What the value is multiplied by before it is printed: 100 for shares.
    """

    column: str
    value: float | str
    scale: float = 1.0


@dataclass(frozen=True)
class Source:
    """Where numbers come from.

    Attributes
    ----------
    file : str
        Relative to the results folder.
    line : int or None
        Counted as in an editor, the header is line 1; None for what is counted over the file.
    row : str
        What identifies the row, "group=baseline; condition=body_only".
    cells : tuple of Cell
    """

    file: str
    line: int | None
    row: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence and where its numbers come from. `code` in backticks is set as code.

    `names` are words of it with digits that are no numbers.
    """

    text: str
    sources: tuple[Source, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paragraph:
    """Sentences that stand together, or as items of a list, or in a box that warns."""

    sentences: tuple[Sentence, ...]
    style: Literal["text", "list", "notice"] = "text"


@dataclass(frozen=True)
class Table:
    """A table to print.

    Attributes
    ----------
    head : list of str
        Column titles.
    rows : list of list of str
        Cells; the first column holds names, the others numbers unless `is_text`.
    caption : str
    is_text : bool
        Whether all columns are text.
    file : str
        The file that it is made from, relative to the results folder.
    """

    head: list[str]
    rows: list[list[str]]
    caption: str
    is_text: bool = False
    file: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure by the name of its files, with its legend."""

    name: str
    legend: str


@dataclass(frozen=True)
class Verbatim:
    """Text as it is, line by line."""

    text: str


@dataclass(frozen=True)
class Links:
    """Files of the results folder to look at: (path, label)."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Heading:
    """A title within a section."""

    title: str


@dataclass(frozen=True)
class Fold:
    """What only some readers open; on paper it stands like the rest."""

    title: str
    blocks: tuple[Block, ...]


Block = Paragraph | Table | Figure | Verbatim | Links | Heading | Fold


@dataclass(frozen=True)
class Section:
    """A titled part of the report."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes
    ----------
    title, kicker : str
        The kicker stands small above the title.
    warning : Paragraph or None
    verdict, answer : tuple of Sentence
        What came out, first in bold.
    sections : tuple of Section
        Without a block a section is left out.
    labels : tuple of str
        Names with digits that are no numbers, such as "resnet 18".
    """

    title: str
    kicker: str
    warning: Paragraph | None
    verdict: tuple[Sentence, ...]
    answer: tuple[Sentence, ...]
    sections: tuple[Section, ...]
    labels: tuple[str, ...] = ()

    def sentences(self) -> Iterator[tuple[str, Sentence]]:
        """Walk (anchor of the section, sentence) in the order of reading."""
        yield from (("answer", sentence) for sentence in (*self.verdict, *self.answer))
        for section in self.sections:
            for block in every_block(section.blocks):
                if isinstance(block, Paragraph):
                    yield from ((section.anchor, sentence) for sentence in block.sentences)


@dataclass
class Numbering:
    """Numbers of notes, tables and figures, the same in all formats."""

    notes: dict[int, int] = field(default_factory=dict)
    tables: dict[int, int] = field(default_factory=dict)
    figures: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document) -> Numbering:
        """Number a document's sentences with sources, its tables and its figures."""
        found = cls()
        for _, sentence in document.sentences():
            if sentence.sources:
                found.notes[id(sentence)] = len(found.notes) + 1
        for section in document.sections:
            for block in every_block(section.blocks):
                if isinstance(block, Table):
                    found.tables[id(block)] = len(found.tables) + 1
                elif isinstance(block, Figure):
                    found.figures[id(block)] = len(found.figures) + 1
        return found


def every_block(blocks: Sequence[Block]) -> Iterator[Block]:
    """Walk blocks and those within folds."""
    for block in blocks:
        if isinstance(block, Fold):
            yield from every_block(block.blocks)
        else:
            yield block


def paragraph(
    sentences: Sequence[Sentence], style: Literal["text", "list", "notice"] = "text"
) -> list[Block]:
    """Return a paragraph, or nothing where there is nothing to say."""
    return [Paragraph(tuple(sentences), style)] if sentences else []


def fold(title: str, blocks: Sequence[Block]) -> list[Block]:
    """Return a fold, or nothing where there is nothing in it."""
    return [Fold(title, tuple(blocks))] if blocks else []

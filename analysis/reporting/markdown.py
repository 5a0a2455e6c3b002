"""The report as Markdown in GitHub's flavour, figures linked as PNG, origins as footnotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from analysis.reporting.content import (
    Block,
    Document,
    Figure,
    Fold,
    Heading,
    Links,
    Numbering,
    Paragraph,
    Sentence,
    Table,
    Verbatim,
)
from analysis.reporting.inline import spans
from analysis.reporting.tracing import cited, cited_files
from study.results import Results

# A "<" before a space, "_" within a word and "[" before a number mean nothing to Markdown.
SPECIAL = re.compile(r"[\\`*~$|]|<(?=[A-Za-z/!?])|(?<!\w)_|_(?!\w)|\[(?![\d.\u2212])|^(?=[#+>-])")


def markdown_text(document: Document, numbering: Numbering, results: Results) -> str:
    """Return the report; it stands in the results folder, beside figures and analysis."""
    return _Writer(document, numbering, results).text()


def escaped(text: str) -> str:
    """Return a text in which no character means markup."""
    text = SPECIAL.sub(lambda match: f"\\{match[0]}", text)
    return re.sub(r"^(\d+)\.(?=\s)", r"\1\.", text)


def inline(text: str) -> str:
    """Return a text with its statistics in italics and its code as code."""
    marks = {"italic": "*{}*", "code": "`{}`"}
    return "".join(
        marks[style].format(piece) if style in marks else escaped(piece)
        for style, piece in spans(text)
    )


@dataclass(frozen=True)
class _Writer:
    document: Document
    numbering: Numbering
    results: Results

    def text(self) -> str:
        document = self.document
        parts = [f"# {escaped(document.title)}", escaped(document.kicker)]
        if document.warning:
            parts.append(self._paragraph(document.warning))
        if document.verdict:
            parts.append(self._said(document.verdict))
        parts.append(self._said(document.answer))
        for section in document.sections:
            parts.append(f"## {escaped(section.title)}")
            parts += [self._block(block) for block in section.blocks]
        parts += ["## Where the numbers come from", ORIGINS, *self._notes()]
        return "\n\n".join(parts) + "\n"

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph():
                return self._paragraph(block)
            case Table():
                return self._table(block)
            case Figure():
                return self._figure(block)
            case Heading():
                return f"### {escaped(block.title)}"
            case Verbatim():
                return f"```text\n{block.text.rstrip()}\n```"
            case Links():
                links = [f"- [{escaped(label)}]({quote(path)})" for path, label in block.items]
                return "\n".join(links)
            case Fold():
                inner = "\n\n".join(self._block(part) for part in block.blocks)
                head = f"<details>\n<summary>{escaped(block.title)}</summary>"
                return f"{head}\n\n{inner}\n\n</details>"

    def _paragraph(self, block: Paragraph) -> str:
        if block.style == "list":
            return "\n".join(f"- {self._said([sentence])}" for sentence in block.sentences)
        said = self._said(block.sentences)
        return f"> [!NOTE]\n> {said}" if block.style == "notice" else said

    def _said(self, sentences: Sequence[Sentence]) -> str:
        return " ".join(
            f"{inline(' '.join(sentence.text.split(chr(10))).strip())}{self._mark(sentence)}"
            for sentence in sentences
        )

    def _mark(self, sentence: Sentence) -> str:
        number = self.numbering.notes.get(id(sentence))
        return "" if number is None else f"[^{number}]"

    def _table(self, table: Table) -> str:
        rule = [
            "---" if place == 0 or table.is_text else "---:" for place in range(len(table.head))
        ]
        rows = [table.head, rule, *table.rows]
        lines = [self._row(row, is_rule=place == 1) for place, row in enumerate(rows)]
        file = f" [{escaped(table.file)}]({quote(table.file)})" if table.file else ""
        caption = f"**Table {self.numbering.tables[id(table)]}.** {inline(table.caption)}{file}"
        return f"{caption}\n\n" + "\n".join(lines)

    def _row(self, cells: Sequence[str], is_rule: bool) -> str:
        shown = cells if is_rule else [inline(" ".join(cell.split("\n"))) for cell in cells]
        return f"| {' | '.join(shown)} |"

    def _figure(self, figure: Figure) -> str:
        number = self.numbering.figures[id(figure)]
        title = escaped(figure.legend.split(". ")[0].rstrip("."))
        picture = f"![{title}](figures/{figure.name}.png)"
        return f"{picture}\n\n**Figure {number}.** {inline(figure.legend)}"

    def _notes(self) -> list[str]:
        lines = []
        for _, sentence in self.document.sentences():
            if id(sentence) not in self.numbering.notes:
                continue
            files = cited_files(cited(sentence, self.document.labels))
            said = "; ".join(
                f"[{escaped(file)}]({quote(file)}), {escaped(where)}"
                for file, where in files.items()
            )
            lines.append(f"[^{self.numbering.notes[id(sentence)]}]: {said}")
        return lines


ORIGINS = (
    "The footnotes name the tables that the numbers of a sentence are printed from; the header of "
    "a file is line 1. [numbers.csv](analysis/numbers.csv) lists every printed number with its "
    "file, line and column."
)

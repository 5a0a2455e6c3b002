"""The report as LaTeX: the plain article class, booktabs, graphicx, hyperref and longtable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

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

# What LaTeX reads as commands, and letters that its fonts know by name only.
ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%",
    "&": r"\&", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}", "\u00a0": "~", "\u2009": r"\,", "\u202f": r"\,",
    "\u2212": r"\ensuremath{-}", "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}",
    "²": r"\textsuperscript{2}", "χ": r"\ensuremath{\chi}", "κ": r"\ensuremath{\kappa}",
    "τ": r"\ensuremath{\tau}", "ρ": r"\ensuremath{\rho}", "σ": r"\ensuremath{\sigma}",
    "≥": r"\ensuremath{\geq}", "≤": r"\ensuremath{\leq}", "→": r"\ensuremath{\rightarrow}",
    "°": r"\textdegree{}", "·": r"\textperiodcentered{}", "…": r"\ldots{}", "–": "--",
    "—": "---", "“": "``", "”": "''", "‘": "`", "’": "'", "µ": r"\textmu{}",
}  # fmt: skip
# The nearest of these that a font of a typewriter has.
PLAIN = {
    "\u2212": "-", "\u00a0": " ", "×": "x", "²": "2", "χ": "chi", "κ": "kappa", "–": "-",
    "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "→": "->", "≥": ">=", "≤": "<=",
}  # fmt: skip
# A longer table does not fit on a page and is broken.
MOST_ROWS = 30
LAST_LATIN = "\u017f"
PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
%(encoding)s
\usepackage[margin=25mm]{geometry}
\usepackage{booktabs}
\usepackage{longtable}
\usepackage{graphicx}
\usepackage[hidelinks]{hyperref}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
\sloppy
"""
LATIN = "\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n\\usepackage{textcomp}"
UNICODE = "\\usepackage{fontspec}"
# Wider tables are made to fit; narrower ones keep their size.
FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
ORIGINS = (
    "The small numbers behind sentences stand here with the tables that their numbers are printed "
    "from; the header of a file is line 1. The file `analysis/numbers.csv` lists every printed "
    "number with its file, line and column."
)


def latex_text(document: Document, numbering: Numbering, results: Results) -> str:
    """Return the report; it stands in the results folder, beside the figures."""
    return _Writer(document, numbering, results).text()


def escaped(text: str) -> str:
    """Return a text in which no character is a command, and none is missing from the fonts."""
    text = "".join(ESCAPES.get(letter, letter) for letter in text)
    # Two hyphens would become a dash where an option such as --help is meant.
    return re.sub(r"(?<=[A-Za-z ])--(?=[a-z])", "-{}-", text)


def inline(text: str) -> str:
    """Return a text with its statistics in italics and its code in typewriter letters."""
    marks = {"italic": r"\textit{%s}", "code": r"\texttt{%s}"}
    return "".join(
        marks[style] % escaped(piece) if style in marks else escaped(piece)
        for style, piece in spans(text)
    )


@dataclass(frozen=True)
class _Writer:
    document: Document
    numbering: Numbering
    results: Results

    def text(self) -> str:
        document = self.document
        parts = [rf"\section*{{{escaped(document.title)}}}", escaped(document.kicker)]
        if document.warning:
            parts.append(self._paragraph(document.warning))
        verdict = rf"\textbf{{{self._said(document.verdict)}}} " if document.verdict else ""
        parts.append(verdict + self._said(document.answer))
        for section in document.sections:
            parts.append(rf"\section{{{escaped(section.title)}}}")
            parts += [self._block(block) for block in section.blocks]
        parts += [r"\section{Where the numbers come from}", inline(ORIGINS), self._notes()]
        body = "\n\n".join(parts)
        return f"{_preamble(body)}\n\\begin{{document}}\n\n{body}\n\n\\end{{document}}\n"

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph():
                return self._paragraph(block)
            case Table():
                is_long = block.is_text or len(block.rows) > MOST_ROWS
                return self._long(block) if is_long else self._float(block)
            case Figure():
                return self._figure(block)
            case Heading():
                return rf"\subsection*{{{escaped(block.title)}}}"
            case Verbatim():
                return _verbatim(block.text)
            case Links():
                return ", ".join(
                    rf"\href{{run:{_path(path)}}}{{{escaped(label)}}}"
                    for path, label in block.items
                )
            case Fold():
                inner = [self._block(part) for part in block.blocks]
                return "\n\n".join([rf"\paragraph{{{escaped(block.title)}}}", *inner])

    def _paragraph(self, block: Paragraph) -> str:
        if block.style == "list":
            items = [f"\\item {_guarded(self._said([sentence]))}" for sentence in block.sentences]
            return "\n".join([r"\begin{itemize}", *items, r"\end{itemize}"])
        said = self._said(block.sentences)
        return f"\\begin{{quote}}\n{said}\n\\end{{quote}}" if block.style == "notice" else said

    def _said(self, sentences: Sequence[Sentence]) -> str:
        return " ".join(f"{inline(one.text.strip())}{self._mark(one)}" for one in sentences)

    def _mark(self, sentence: Sentence) -> str:
        number = self.numbering.notes.get(id(sentence))
        return "" if number is None else rf"\textsuperscript{{\hyperlink{{o{number}}}{{{number}}}}}"

    def _float(self, table: Table) -> str:
        columns = "l" + "r" * (len(table.head) - 1)
        lines = [
            r"\begin{table}[htbp]", r"\centering\small", rf"\caption{{{self._caption(table)}}}",
            FIT, rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _row(table.head), r"\midrule",
            *[_row(row) for row in table.rows], r"\bottomrule", r"\end{tabular}}", r"\end{table}",
        ]  # fmt: skip
        return "\n".join(lines)

    def _long(self, table: Table) -> str:
        lines = [
            rf"{{\footnotesize\begin{{longtable}}{{{_widths(table)}}}",
            rf"\caption{{{self._caption(table)}}}\\", r"\toprule", _row(table.head), r"\midrule",
            r"\endhead", *[_row(row) for row in table.rows], r"\bottomrule",
            r"\end{longtable}}",
        ]  # fmt: skip
        return "\n".join(lines)

    def _caption(self, table: Table) -> str:
        file = rf" (\texttt{{{_breakable(table.file)}}})" if table.file else ""
        return inline(table.caption) + file

    def _figure(self, figure: Figure) -> str:
        lines = [
            r"\begin{figure}[htbp]", r"\centering",
            rf"\includegraphics[width=\linewidth]{{figures/{figure.name}.pdf}}",
            rf"\caption{{{inline(figure.legend)}}}", r"\end{figure}",
        ]  # fmt: skip
        return "\n".join(lines)

    def _notes(self) -> str:
        items = []
        for _, sentence in self.document.sentences():
            number = self.numbering.notes.get(id(sentence))
            if number is None:
                continue
            files = cited_files(cited(sentence, self.document.labels))
            said = "; ".join(
                rf"\texttt{{{_breakable(file)}}}, {escaped(where)}" for file, where in files.items()
            )
            items.append(rf"\item[\hypertarget{{o{number}}}{{{number}}}] {said}")
        if not items:
            return ""
        small = r"\begin{footnotesize}", r"\end{footnotesize}"
        items = [r"\begin{description}", *items, r"\end{description}"]
        return "\n".join([small[0], *items, small[1]])


def _preamble(body: str) -> str:
    """Return the preamble; letters beyond Latin need XeLaTeX or LuaLaTeX, and a line says so."""
    is_latin = all(letter <= LAST_LATIN for letter in body)
    head = "" if is_latin else "% !TeX program = xelatex\n"
    return head + PREAMBLE.replace("%(encoding)s", LATIN if is_latin else UNICODE)


def _row(cells: Sequence[str]) -> str:
    shown = [inline(re.sub(r"\s*\n\s*", " ", cell)) for cell in cells]
    # Names of fields and files may break where their parts meet; numbers may not.
    shown = [re.sub(r"(?<=[a-z])(\\_|[./])(?=[a-z])", r"\1\\allowbreak{}", cell) for cell in shown]
    return f"{_guarded(' & '.join(shown))} \\\\"


def _guarded(text: str) -> str:
    """Keep a first bracket from being read as an argument of the command before it."""
    return f"{{}}{text}" if text.lstrip().startswith(("[", "*")) else text


def _widths(table: Table) -> str:
    """Share the width of the page between text columns by what they hold."""
    if not table.is_text:
        return r"p{0.45\linewidth}" + "r" * (len(table.head) - 1)
    rows = [table.head, *table.rows]
    longest = [
        min(max(len(row[place]) for row in rows), 60) + 4 for place in range(len(table.head))
    ]
    usable = 0.98 - 0.03 * len(longest)
    shares = [usable * length / sum(longest) for length in longest]
    return "".join(rf"p{{{share:.3f}\linewidth}}" for share in shares)


def _verbatim(text: str) -> str:
    """Set text as it is; a line that ends the environment cannot stand in it."""
    lines = [line for line in text.rstrip().splitlines() if r"\end{verbatim}" not in line]
    plain = "\n".join("".join(_plain(letter) for letter in line) for line in lines)
    return f"{{\\footnotesize\\begin{{verbatim}}\n{plain}\n\\end{{verbatim}}}}"


def _plain(letter: str) -> str:
    """Return a letter that verbatim can set; commands cannot stand there."""
    return PLAIN.get(letter, letter)


def _breakable(path: str) -> str:
    return re.sub(r"(\\_|/|\.)", r"\1\\allowbreak{}", escaped(path))


def _path(path: str) -> str:
    return path.replace("%", r"\%").replace("#", r"\#").replace("&", r"\&")

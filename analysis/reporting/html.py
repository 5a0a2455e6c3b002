"""The report as one HTML page that needs no other file."""

from __future__ import annotations

from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from analysis.reporting.content import Document, Numbering, Sentence
from analysis.reporting.inline import apa, spans
from analysis.reporting.pictures import data_uri, files_of
from analysis.reporting.tracing import cited, cited_files
from study.results import Results

TAGS = {"italic": "i", "code": "code"}


def html_page(document: Document, numbering: Numbering, results: Results) -> str:
    """Return the page; links lead to files of the results folder."""
    environment = Environment(
        loader=PackageLoader("analysis", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "inline": inline,
        "apa": apa,
        "note": partial(note, document=document, numbering=numbering),
        "kind": lambda block: type(block).__name__,
    }
    return environment.get_template("report.html.j2").render(
        document=document,
        table_number=lambda table: numbering.tables[id(table)],
        figure_number=lambda figure: numbering.figures[id(figure)],
        picture=lambda name: data_uri(results.figures, name),
        suffixes=lambda name: files_of(results, name),
        origins=origins(document, numbering),
    )


def inline(text: str) -> Markup:
    """Return a text with its statistics in italics and its code as code."""
    parts = []
    for style, piece in spans(text):
        tag = TAGS.get(style)
        parts.append(f"<{tag}>{escape(piece)}</{tag}>" if tag else str(escape(piece)))
    return Markup("".join(parts))


def note(sentence: Sentence, document: Document, numbering: Numbering) -> Markup:
    """Return the small number behind a sentence that leads to its table."""
    if id(sentence) not in numbering.notes:
        return Markup("")
    files = cited_files(cited(sentence, document.labels))
    said = "; ".join(f"{file}, {where}" for file, where in files.items())
    number, first = numbering.notes[id(sentence)], next(iter(files))
    return Markup('<sup><a class="origin" href="{}" title="{}">{}</a></sup>').format(
        first, said, number
    )


def origins(document: Document, numbering: Numbering) -> list[tuple[int, list[tuple[str, str]]]]:
    """Return, for every note, the files and what of them was printed."""
    return [
        (
            numbering.notes[id(sentence)],
            list(cited_files(cited(sentence, document.labels)).items()),
        )
        for _, sentence in document.sentences()
        if id(sentence) in numbering.notes
    ]

"""The report of a study, in three formats, and the list of where its numbers come from."""

from __future__ import annotations

from pathlib import Path

from analysis.estimates import read_estimates
from analysis.reporting.content import Numbering
from analysis.reporting.document import make_document
from analysis.reporting.html import html_page
from analysis.reporting.latex import latex_text
from analysis.reporting.markdown import markdown_text
from analysis.reporting.material import Material
from analysis.reporting.tracing import numbers_table
from study.config import Study
from study.errors import StudyError
from study.files import write_text
from study.results import Results

NUMBERS = "numbers.csv"


def write_report(study: Study, results: Results) -> Path:
    """Write report.html, report.md, report.tex and analysis/numbers.csv; estimates come first.

    What has not been made (figures, an audit, simulations of power) is left out.

    Returns
    -------
    Path
        The HTML file. It loads nothing; its links lead to files of the results folder.

    Raises
    ------
    StudyError
        When the estimates have not been made.
    """
    if not (results.analysis / "accuracy.csv").is_file():
        raise StudyError(f"{results.analysis}: no estimates yet; `bodyscene fit` makes them")
    material = Material(study, results, read_estimates(results, "accuracy"))
    document = make_document(material)
    numbering = Numbering.of(document)
    numbers = numbers_table(document, numbering)
    write_text(results.analysis / NUMBERS, numbers.to_csv(index=False, lineterminator="\n"))
    write_text(results.report.with_suffix(".md"), markdown_text(document, numbering, results))
    write_text(results.report.with_suffix(".tex"), latex_text(document, numbering, results))
    write_text(results.report, html_page(document, numbering, results))
    return results.report

"""The report as Markdown and LaTeX: sound markup, whatever the texts hold."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.report import write_report
from analysis.reporting import latex, markdown
from analysis.reporting.content import (
    Document,
    Fold,
    Numbering,
    Paragraph,
    Section,
    Sentence,
    Source,
    Table,
    Verbatim,
)
from analysis.reporting.inline import spans
from study.config import Study
from study.results import Results

KNOWN = {
    "documentclass", "usepackage", "setlength", "parindent", "parskip", "sloppy", "begin", "end",
    "section", "subsection", "paragraph", "caption", "toprule", "midrule", "bottomrule",
    "endhead", "item", "textbf", "textit", "texttt", "textsuperscript", "hyperlink",
    "hypertarget", "href", "includegraphics", "linewidth", "resizebox", "ifdim", "width", "else",
    "fi", "centering", "small", "footnotesize", "allowbreak", "ensuremath", "textbackslash",
    "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textquotedbl",
    "textasciigrave", "times", "pm", "chi", "kappa", "tau", "rho", "sigma", "geq", "leq",
    "rightarrow", "textdegree", "textperiodcentered", "ldots", "textmu",
}  # fmt: skip
# Only drawn figures are read, so that these stand for all.
PICTURE = {"svg": "<svg/>", "png": "", "pdf": "", "csv": "x", "txt": "A legend of 20 % & more."}
HARD = 'a_b & 100% of $5 {x} #1 ~^ <y> | "q" \\input{z} [*] `code_1` − × χ² “r” --help'


@pytest.fixture(scope="module")
def made(study: Study, fitted: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = tmp_path_factory.mktemp("texts") / "results"
    shutil.copytree(fitted.root, root)
    results = Results(root)
    shutil.rmtree(results.figures, ignore_errors=True)
    results.figures.mkdir()
    for name in ("accuracy", "pattern"):
        for suffix, content in PICTURE.items():
            (results.figures / f"{name}.{suffix}").write_text(content)
    write_report(study, results)
    return results


@pytest.fixture
def hard(tmp_path: Path) -> tuple[Document, Numbering, Results]:
    """A document whose every text holds what both formats read as markup."""
    sentence = Sentence(HARD, (Source("analysis/a_b.csv", 2, HARD, ()),))
    table = Table(["[head", "p"], [["[first] & last", "1"], [HARD, "2"]], HARD, True, "a_b.csv")
    number = Table(["x", "t(17)"], [["[first]", "−1.2"], [HARD, "3"]], HARD)
    blocks = (Paragraph((sentence,), "list"), Fold(HARD, (table, number)), Verbatim(HARD))
    section = Section("hard", HARD, blocks)
    warning = Paragraph((Sentence(HARD),), "notice")
    document = Document(HARD, HARD, warning, (sentence,), (), (section,))
    return document, Numbering.of(document), Results(tmp_path)


def test_latex_is_sound(made: Results):
    check_latex(made.report.with_suffix(".tex").read_text(encoding="utf-8"))


def test_latex_of_hard_texts_is_sound(hard: tuple[Document, Numbering, Results]):
    text = latex.latex_text(*hard)
    check_latex(text)
    assert r"a\_b \& 100\% of \$5 \{x\} \#1 \textasciitilde{}\textasciicircum{}" in text
    assert r"\texttt{code\_1}" in text
    assert r"\textbackslash{}input\{z\}" in text
    # A bracket after a line break would be the break's argument.
    assert not re.search(r"\\\\\s*\n\s*\[", text)


def test_latex_of_other_scripts_asks_for_an_engine_that_has_them(
    hard: tuple[Document, Numbering, Results],
):
    results = hard[2]
    latin = latex.latex_text(*hard)
    assert "inputenc" in latin and "fontspec" not in latin
    chinese = Document("射箭", "", None, (), (), ())
    text = latex.latex_text(chinese, Numbering.of(chinese), results)
    assert text.startswith("% !TeX program = xelatex")
    assert "fontspec" in text and "inputenc" not in text


def test_figures_of_latex_are_the_pdfs_and_of_markdown_the_pngs(made: Results):
    tex = made.report.with_suffix(".tex").read_text(encoding="utf-8")
    md = made.report.with_suffix(".md").read_text(encoding="utf-8")
    names = {path.stem for path in made.figures.glob("*.svg")}
    assert set(re.findall(r"\\includegraphics\[[^]]*\]\{figures/(\w+)\.pdf\}", tex)) == names
    assert set(re.findall(r"!\[[^]]*\]\(figures/(\w+)\.png\)", md)) == names


def test_links_of_markdown_lead_to_files(made: Results):
    text = made.report.with_suffix(".md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert "analysis/accuracy.csv" in links
    for link in links:
        assert (made.root / link.replace("%20", " ")).is_file(), link


def test_footnotes_of_markdown_are_defined_once_and_used_once(made: Results):
    text = made.report.with_suffix(".md").read_text(encoding="utf-8")
    used = re.findall(r"\[\^(\d+)\](?!:)", text)
    defined = re.findall(r"^\[\^(\d+)\]:", text, re.MULTILINE)
    assert used == defined == [str(number) for number in range(1, len(used) + 1)]
    assert len(used) > 10


def test_tables_of_markdown_have_as_many_cells_in_every_row(
    made: Results, hard: tuple[Document, Numbering, Results]
):
    text = made.report.with_suffix(".md").read_text(encoding="utf-8")
    text += "\n\n" + markdown.markdown_text(*hard)
    n_tables = 0
    for lines in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines.splitlines()}
        assert len(cells) == 1, lines
        n_tables += 1
    assert n_tables >= 8


def test_markdown_of_hard_texts_means_nothing_by_accident(
    hard: tuple[Document, Numbering, Results],
):
    text = markdown.inline(HARD)
    assert r"\<y>" in text and r"\|" in text and r"\*" in text and r"\$5" in text
    assert "`code_1`" in text
    assert markdown.inline("# no title").startswith("\\#")
    assert markdown.inline("12. no list") == "12\\. no list"


def test_statistics_are_told_from_words():
    text = "t(27) = 9.31, p < .001, but a p-map of pt and b; SE = 0.2, n_p = 3, SD\u00a0=\u00a01"
    found = [piece for style, piece in spans(text) if style == "italic"]
    assert found == ["t", "p", "SE", "SD"]


def check_latex(text: str) -> None:
    """Check braces, environments, special letters, commands, and the cells of tables."""
    plain = re.sub(r"\\begin\{verbatim\}.*?\\end\{verbatim\}", "", text, flags=re.DOTALL)
    plain = re.sub(r"(?m)(?<!\\)%.*$", "", plain)
    unescaped = re.sub(r"\\[\\{}#$%&_,-]", "", plain)
    assert unescaped.count("{") == unescaped.count("}")
    assert not re.findall(r"[#$^~_]", re.sub(r"~|figures/\w+\.pdf", "", unescaped))
    assert set(re.findall(r"\\([A-Za-z]+)", plain)) <= KNOWN
    assert not [letter for letter in plain if letter > "\u017f"]
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        elif not stack or stack[-1] != "verbatim" or name == "verbatim":
            assert stack.pop() == name
    assert stack == []
    for n_columns, row in table_rows(plain):
        assert len(re.findall(r"(?<!\\)&", row)) == n_columns - 1, row


def table_rows(text: str) -> Iterator[tuple[int, str]]:
    pattern = r"\\begin\{(tabular|longtable)\}\{((?:p\{[^}]*\}|[lr])+)\}(.*?)\\end\{\1\}"
    for _, columns, body in re.findall(pattern, text, re.DOTALL):
        n_columns = len(re.findall(r"p\{[^}]*\}|[lr]", columns))
        for line in body.splitlines():
            if line.endswith(r" \\"):
                yield n_columns, line

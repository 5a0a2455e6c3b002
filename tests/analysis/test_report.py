"""The page: it holds the numbers, says what is simulated, and loads nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser

import pandas as pd
import pytest

from analysis.estimates import fit_study, read_estimates
from analysis.figures import make_figures
from analysis.report import write_report
from analysis.sentences import p_value, percent_with_interval, points_with_interval, signed
from study.config import Study
from study.errors import StudyError
from study.results import Results

Made = tuple[Study, Results]


class Page(HTMLParser):
    """Texts, links, sources and unclosed tags of a page; notes are not text."""

    VOID = ("meta", "img", "br", "link", "input", "hr")
    SILENT = ("style", "sup")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th", "p", "li", "h1", "h2", "h3", "figcaption", "summary", "b"):
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not set(self.SILENT) & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


def made_report(study: Study, results: Results) -> Page:
    fit_study(study, results)
    make_figures(study, results)
    return Page(write_report(study, results).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(study: Study, fitted: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A copy of the results folder with its report."""
    root = tmp_path_factory.mktemp("report") / "results"
    shutil.copytree(fitted.root, root)
    results = Results(root)
    results.contact_sheets.mkdir(exist_ok=True)
    (results.contact_sheets / "ironing a shirt.png").write_bytes(b"")
    make_figures(study, results)
    (results.figures / "accuracy.txt").write_text("Accuracy <by> version, 20 % is chance.")
    write_report(study, results)
    return results


@pytest.fixture(scope="module")
def page(made: Results) -> Page:
    return Page(made.report.read_text(encoding="utf-8"))


def normal(text: str) -> str:
    """As a reader sees it: percentages without a space."""
    return " ".join(text.split()).replace(" %", "%")


def test_the_page_is_whole(page: Page, made: Results):
    assert page.open == []
    assert page.text.startswith("A fake study of people & networks")
    assert page.tags.count("img") == len(list(made.figures.glob("*.svg"))) >= 4


def test_nothing_is_loaded_from_elsewhere(page: Page, made: Results):
    loading = {"script", "link", "iframe", "object", "embed", "video", "audio", "source", "base"}
    assert not loading & set(page.tags)
    sources = page.values("img", "src")
    assert all(source.startswith("data:image/") for source in sources)
    text = made.report.read_text(encoding="utf-8")
    without_pictures = re.sub(r"data:image/[^\"]*", "", text)
    assert "@import" not in without_pictures
    assert "url(" not in without_pictures
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", without_pictures)


def test_links_lead_to_files_of_the_results_folder_or_into_the_page(page: Page, made: Results):
    links = page.values("a", "href")
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert "contact_sheets/ironing%20a%20shirt.png" in links
    assert {"analysis/accuracy.csv", "analysis/numbers.csv", "study.toml"} <= set(links)
    for link in links:
        path = made.root / link.replace("%20", " ")
        assert link.removeprefix("#") in ids if link.startswith("#") else path.is_file(), link


def test_every_number_of_the_tables_is_there(page: Page, made: Results):
    for _, row in read_estimates(made, "accuracy").iterrows():
        assert normal(percent_with_interval(row)) in page.text
    for _, row in read_estimates(made, "pattern_distance").iterrows():
        assert normal(points_with_interval(row)) in page.text
    for name in ("mixed_effects", "contrasts"):
        for _, row in read_estimates(made, name).iterrows():
            cells = [signed(row["estimate"], 2), f"{row['se']:.2f}", signed(row["z"], 2)]
            cells.append(normal(p_value(row["p"])))
            assert " ".join(cells) in page.text


def test_it_answers_first_and_says_that_observers_are_simulated(page: Page):
    start = page.text[:900]
    assert "The observers are simulated." in start
    assert "DomainNet is closer to the simulated observers than the baseline, by" in start


def test_a_legend_is_the_text_beside_the_figure(page: Page):
    assert "Figure 1. Accuracy <by> version, 20% is chance." in page.text


def test_statistics_are_italic(made: Results):
    text = made.report.read_text(encoding="utf-8")
    assert re.search(r"<i>t</i>\(\d+\)\u00a0=\u00a0", text)
    assert re.search(r"<i>p</i>\u00a0(=\u00a0|&lt;\u00a0)\.\d{3}", text)


def test_clips_settings_and_software_are_there(page: Page):
    assert "train 12 48 validation 12 12 test 12 36 all 12 96" in page.text
    assert "Of 98 clips, 96 of 12 actions were used: 48 to train" in page.text
    assert "The other 2 clips were left out: cannot be read (1);" in page.text
    assert "cannot be read: <truncated>" in page.text
    assert "trials.n_participants 12 people who are to take part" in page.text
    assert "models[2].architecture domainnet" in page.text
    assert f"pandas {pd.__version__}" in page.text
    assert "commit" in page.text


def test_equal_runs_give_equal_bytes(study: Study, page: Page, made: Results):
    paths = [made.report.with_suffix(suffix) for suffix in (".html", ".md", ".tex")]
    paths.append(made.analysis / "numbers.csv")
    before = [path.read_bytes() for path in paths]
    write_report(study, made)
    assert [path.read_bytes() for path in paths] == before


def test_people_alone(new_results: Callable[..., Made]):
    study, results = new_results(models=[])
    people = pd.read_csv(results.simulated_responses, dtype=str, keep_default_na=False)
    people["group"] = "human"
    people.iloc[:-3].to_csv(results.simulated_responses, index=False)
    page = made_report(study, results)
    assert "People were right in" in page.text
    assert "People answered the lists." in page.text
    assert "The observers are simulated" not in page.text
    assert "Likeness to the observers" not in page.text
    assert re.search(r"Error consistency \(mean κ over pairs\) among the people: κ = ", page.text)
    assert "human 12 answered 35 trials of a list of 38" in page.text


def test_networks_alone(new_results: Callable[..., Made]):
    models = [{"name": "baseline", "architecture": "baseline", "seeds": [0]}]
    study, results = new_results(models=models, observers={"simulate": False})
    page = made_report(study, results)
    assert "The baseline was right in" in page.text
    assert "was not fitted: grouping factor 'observer' has one level" in page.text
    assert "No observers answered; only networks did." in page.text
    assert "simulated" not in page.text.split("Settings and software")[0]


def test_a_report_before_the_estimates_says_what_to_do(new_results: Callable[..., Made]):
    study, results = new_results(models=[])
    with pytest.raises(StudyError, match="no estimates yet; `bodyscene fit` makes them"):
        write_report(study, results)

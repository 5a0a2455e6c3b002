"""The report: it holds the numbers, says what is simulated, and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pandas as pd
import pytest

from analysis.estimates import fit_study, read_estimates
from analysis.figures import make_figures
from analysis.report import write_report
from analysis.report_tables import p_value, percent_with_interval, points_with_interval, signed
from study.config import Study
from study.errors import StudyError
from study.results import Results

Made = tuple[Study, Results]


class Page(HTMLParser):
    """Texts, links, sources and unclosed tags of a page."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

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

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


def made_report(study: Study, results: Results) -> Page:
    fit_study(study, results)
    make_figures(study, results)
    return Page(write_report(study, results).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(study: Study, fitted: Results) -> Page:
    fitted.contact_sheets.mkdir(exist_ok=True)
    (fitted.contact_sheets / "ironing a shirt.png").write_bytes(b"")
    return made_report(study, fitted)


def normal(text: str) -> str:
    return " ".join(text.split())


def test_the_page_is_whole(page: Page):
    assert page.open == []
    assert page.text.startswith("A fake study of people & networks")
    assert page.tags.count("img") == 4


def test_nothing_is_loaded_from_elsewhere(page: Page, fitted: Results):
    loading = {"script", "link", "iframe", "object", "embed", "video", "audio", "source", "base"}
    assert not loading & set(page.tags)
    sources = page.values("img", "src")
    assert all(source.startswith("data:image/") for source in sources)
    text = fitted.report.read_text(encoding="utf-8")
    without_pictures = re.sub(r"data:image/[^\"]*", "", text)
    assert "@import" not in without_pictures
    assert "url(" not in without_pictures
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", without_pictures)


def test_links_lead_to_files_of_the_results_folder_or_into_the_page(page: Page, fitted: Results):
    links = page.values("a", "href")
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert "contact_sheets/ironing%20a%20shirt.png" in links
    for link in links:
        path = fitted.root / link.replace("%20", " ")
        assert link.removeprefix("#") in ids if link.startswith("#") else path.is_file()


def test_every_number_of_the_tables_is_there(page: Page, fitted: Results):
    for _, row in read_estimates(fitted, "accuracy").iterrows():
        assert normal(percent_with_interval(row)) in page.text
    for _, row in read_estimates(fitted, "pattern_distance").iterrows():
        assert normal(points_with_interval(row)) in page.text
    for name in ("mixed_effects", "contrasts"):
        for _, row in read_estimates(fitted, name).iterrows():
            cells = [signed(row["estimate"], 2), f"{row['se']:.2f}", signed(row["z"], 2)]
            cells.append(normal(p_value(row["p"])))
            assert " ".join(cells) in page.text


def test_it_answers_first_and_says_that_observers_are_simulated(page: Page):
    start = page.text[:900]
    assert "The observers are simulated." in start
    assert "DomainNet is closer to the simulated observers than the baseline, by" in start
    # Every figure with observers says so in its legend too.
    legends = page.values("img", "alt")
    assert sum("The observers are simulated; no person took part." in text for text in legends) == 2


def test_clips_settings_and_software_are_there(page: Page):
    assert "train 12 48 validation 12 12 test 12 36 all 12 96" in page.text
    assert "2 clips left out" in page.text
    assert "cannot be read: <truncated>" in page.text
    assert "trials.n_participants 12 lists to write" in page.text
    assert "models[2].architecture domainnet" in page.text
    assert f"pandas {pd.__version__}" in page.text
    assert "commit" in page.text
    assert "Every response row was used; no list is incomplete." in page.text


def test_equal_runs_give_equal_bytes(study: Study, page: Page, fitted: Results):
    before = fitted.report.read_bytes()
    assert write_report(study, fitted).read_bytes() == before


def test_people_alone(new_results: Callable[..., Made]):
    study, results = new_results(models=[])
    people = pd.read_csv(results.simulated_responses, dtype=str, keep_default_na=False)
    people["group"] = "human"
    people.iloc[:-3].to_csv(results.simulated_responses, index=False)
    page = made_report(study, results)
    assert "People were right in" in page.text
    assert "The observers are simulated" not in page.text
    assert "Likeness" not in page.text
    assert "human 12 answered 33 trials of a list of 36" in page.text
    assert page.tags.count("img") == 1


def test_networks_alone(new_results: Callable[..., Made]):
    models = [{"name": "baseline", "architecture": "baseline", "seeds": [0]}]
    study, results = new_results(models=models, observers={"simulate": False})
    page = made_report(study, results)
    assert "The baseline was right in" in page.text
    assert "was not fitted: grouping factor 'observer' has one level" in page.text
    assert "simulated" not in page.text.split("Settings and software")[0]


def test_a_report_before_the_estimates_says_what_to_do(new_results: Callable[..., Made]):
    study, results = new_results(models=[])
    with pytest.raises(StudyError, match="no estimates yet; `bodyscene fit` makes them"):
        write_report(study, results)

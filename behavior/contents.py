"""All that a session may show besides its clips, so that it can be looked at before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from behavior.flow import PageStep, Step, trials_in, welcome_back
from behavior.pages import Texts, as_read, filled
from behavior.stage import Contents, Page, Question
from study.fields.session import Session

# The longest that a system says of a disk, more or less.
EXAMPLE_PROBLEM = "The specified network resource or device is no longer available"


def contents_of(settings: Session, texts: Texts, steps: Sequence[Step]) -> Contents:
    """Return what the steps show, and what comes only where something happens.

    Of the questions so many that every label is among them: each is laid out by itself.
    """
    trials = trials_in(steps)
    questions: list[Question] = []
    seen: set[str] = set()
    for trial in trials:
        if not seen.issuperset(trial.choices):
            questions.append(question_of(settings, texts, trial.choices))
            seen.update(trial.choices)
    pages = [step.page for step in steps if isinstance(step, PageStep)]
    pages += [welcome_back(texts, steps, len(trials)), disk_page(texts, EXAMPLE_PROBLEM)]
    if settings.flow.attention_page_after:
        pages.append(attention_page(texts))
    practised = {trial.action for trial in trials if trial.kind == "practice"}
    remarks = [texts.words["right"], texts.words["too_late"]] if practised else []
    remarks += [remark_of(texts, action) for action in sorted(practised)]
    scales = [scale_of(settings, texts)] if settings.confidence.ask else []
    return Contents(pages, questions, scales, remarks)


def question_of(settings: Session, texts: Texts, labels: Sequence[str]) -> Question:
    """Return the question after a clip."""
    return Question(labels, texts.words["question"], settings.timing.answer_limit_s)


def scale_of(settings: Session, texts: Texts) -> Question:
    """Return the question how sure somebody is."""
    words, n_steps = texts.words, settings.confidence.steps
    between = [str(step) for step in range(2, n_steps)]
    labels = [f"1 {words['not_sure']}", *between, f"{n_steps} {words['very_sure']}"]
    return Question(labels, words["how_sure"], settings.timing.answer_limit_s)


def remark_of(texts: Texts, action: str) -> str:
    """Return what practice says of a wrong answer."""
    return filled(texts.words["wrong"], {"action": as_read(action)})


def attention_page(texts: Texts) -> Page:
    """Return the page for who fails attention checks; its text may be empty."""
    return Page("break", texts.page("attention"), texts.words["go_on"])


def disk_page(texts: Texts, problem: str, most_s: float | None = None) -> Page:
    """Return the page that says that an answer could not be saved."""
    text = texts.page("disk_full", problem=problem)
    return Page("break", text, texts.words["try_again"], most_s=most_s)

"""The results in sentences: accuracies, tests, model, audit, power; each with its rows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.audit import GHOST, LEFTOVERS, audit_sentences, has_audit, read_audit
from analysis.hypotheses import hypothesis_sentences
from analysis.power.calibration import CALIBRATION
from analysis.power.power import POWER
from analysis.power.sentences import ENOUGH, calibration_sentences, power_sentences
from analysis.reporting import tables
from analysis.reporting.content import (
    Block,
    Cell,
    Heading,
    Sentence,
    Source,
    Verbatim,
    fold,
    paragraph,
)
from analysis.reporting.material import Material, counted, sources_of
from analysis.sentences import (
    NBSP,
    accuracy_sentence,
    interval,
    listed,
    named,
    p_equals,
    percent,
    signed,
    subject,
)
from study.conditions import CONDITIONS

TESTS = {
    "test_versions": "Body against background",
    "test_chance": "Versions against chance",
    "test_interaction": "Groups by version",
    "test_equivalence": "Equivalence",
    "test_covariate": "Size of the body",
}
# Columns that the sentences of a table do not print, though others hold the same number.
UNSAID = {"test_equivalence": ["p", "p_adjusted"]}
# A longer list of sentences is for readers who open it.
MOST_OPEN = 10
BOUND = "analysis.equivalence_bound_pp"


def accuracy_sentences(material: Material, conditions: Sequence[str]) -> list[Sentence]:
    """Say how often every main group was right in some versions, and what the brackets are."""
    accuracy, file = material.accuracy, "analysis/accuracy.csv"
    said = []
    for group in material.main:
        text = accuracy_sentence(accuracy, group, conditions, material.chance)
        rows = accuracy[accuracy["group"] == group.name]
        said.append(Sentence(text, (*sources_of(file, rows), material.settings())))
    level = f"{100 * material.confidence:.3g}{NBSP}% intervals"
    text = f"Chance is {percent(material.chance)}; brackets hold {level}."
    return [*said, Sentence(text, (material.settings(),))]


def accuracy_blocks(material: Material) -> list[Block]:
    """Return the table of accuracies, how intervals were made, and the other readings."""
    accuracy, conditions = material.accuracy, material.conditions
    caption = f"Share of right answers with {100 * material.confidence:.3g}\u00a0% intervals."
    methods = [Sentence(text) for text in dict.fromkeys(accuracy["method"])]
    blocks: list[Block] = [
        tables.accuracy_table(accuracy, material.main, conditions, caption),
        *fold("How each interval was made", paragraph(methods, "list")),
    ]
    if not material.supplements:
        return blocks
    others = (
        "Networks whose streams of absent parts are read in the other way, and simulated observers "
        "beside people: not in figures and model."
    )
    blocks += [
        Heading("Other readings"),
        tables.accuracy_table(accuracy, material.supplements, conditions, others),
    ]
    distances = material.table("pattern_distance")
    if len(distances):
        own = distances[distances["group"].isin([group.name for group in material.supplements])]
        groups = [*material.supplements, *material.main]
        text = "Distances of patterns with the other reading."
        blocks.append(tables.distance_table(own, groups, text))
    return blocks


def test_blocks(material: Material) -> list[Block]:
    """Return the tests of the paper, a heading and a list of sentences for each kind."""
    blocks: list[Block] = []
    labels = {group.name: named(group) for group in material.main}
    for name, title in TESTS.items():
        table = material.table(name)
        said: list[Sentence] = []
        for place in table.index:
            row = table.loc[[place]]
            printed = row.drop(columns=UNSAID.get(name, []))
            said += [
                Sentence(text, _with_settings(material, f"analysis/{name}.csv", printed, BOUND))
                for text in hypothesis_sentences({name: row}, material.main, material.confidence)
            ]
        if len(said) > MOST_OPEN:
            blocks += fold(f"{title}: {len(said)} tests", paragraph(said, "list"))
        elif said:
            blocks += [Heading(title), *paragraph(said, "list")]
    if blocks:
        kept = {name: material.table(name) for name in TESTS if len(material.table(name))}
        blocks += fold("All tests as a table", [tables.tests_table(kept, labels)])
    return blocks


def model_blocks(material: Material) -> list[Block]:
    """Return the mixed-effects model: versions compared in sentences, effects in tables."""
    effects, text = material.table("mixed_effects"), material.text("mixed_effects.txt")
    formula = f"`{material.study.analysis.formula}`"
    about = f"{formula}, binomial with a logit link; `item` is the clip. {_levels(material)}"
    blocks = paragraph([Sentence(about)])
    if effects.empty:
        blocks += paragraph([Sentence(text)], "notice") if text else []
        fallback = "The accuracies and their intervals do not need this model."
        return [*blocks, *paragraph([Sentence(fallback)])]
    contrasts = material.table("contrasts")
    compared = paragraph(contrast_sentences(material), "list")
    if len(contrasts):
        compared.append(tables.contrast_table(contrasts, material.main))
    is_long = len(contrasts) > MOST_OPEN
    blocks += fold(f"{len(contrasts)} comparisons of versions", compared) if is_long else compared
    blocks += [
        tables.effects_table(effects, material.main),
        tables.random_table(material.table("random_effects"), material.main),
    ]
    return [*blocks, *fold("The fit as text", [Verbatim(text)])]


def contrast_sentences(material: Material) -> list[Sentence]:
    """Say, group by group, how versions differ in log odds."""
    contrasts = material.table("contrasts")
    if contrasts.empty:
        return []
    subjects = {group.name: subject(group) for group in material.main}
    said = []
    for name, rows in contrasts.groupby("group", sort=False):
        parts = [_contrast(row, material.confidence) for _, row in rows.iterrows()]
        text = f"{subjects.get(str(name), 'All groups')}: {'; '.join(parts)}."
        said.append(Sentence(text, _with_settings(material, "analysis/contrasts.csv", rows)))
    return said


def audit_findings(material: Material) -> list[Sentence]:
    """Say what simple probes can tell from the versions."""
    if not has_audit(material.results):
        return []
    tables_read = {name: read_audit(material.results, name) for name in ("accuracy", "differences")}
    said = []
    for text in audit_sentences(material.study, material.results):
        sources = [material.settings()]
        for name, table in tables_read.items():
            sources += sources_of(f"audit/{name}.csv", table[_is_about(text, name, table)])
        has_number = any(letter.isdigit() for letter in text)
        said.append(Sentence(text, tuple(sources) if has_number else ()))
    return said


def _is_about(text: str, name: str, table: pd.DataFrame) -> pd.Series:
    """Tell which rows of an audit's table a sentence is about; several hold the same shares."""
    if name == "differences":
        is_ghost = table["meaning"] == GHOST
        return table["meaning"] == LEFTOVERS if "rim" in text else is_ghost
    if text.startswith("By the way"):
        is_outline = (table["family"] == "hole") & (table["probe"] == "outline")
        return (table["family"] == "hiding") | is_outline
    return (table["family"] == "version") & (table["probe"] == "plain")


def power_findings(material: Material) -> list[Sentence]:
    """Say what the simulations of power and calibration found.

    Tables that were not made, or lack a column that they have today, are passed over.
    """
    said: list[Sentence] = []
    alpha, confidence = material.study.power.alpha, material.confidence
    power = material.read("power/power.csv")
    if len(power) and set(power) >= set(POWER):
        texts = power_sentences(power, alpha, confidence)
        said += [_of_labels(material, "power/power.csv", power, text) for text in texts]
    calibration = material.read("power/calibration.csv")
    inference = material.study.analysis.inference
    is_whole = len(calibration) and set(calibration) >= set(CALIBRATION)
    own = calibration[calibration["method"] == inference] if is_whole else pd.DataFrame()
    if len(own):
        texts = calibration_sentences(calibration, inference, confidence, alpha)
        said += [_of_labels(material, "power/calibration.csv", own, text) for text in texts]
    return said


def _of_labels(material: Material, file: str, table: pd.DataFrame, text: str) -> Sentence:
    """Give a sentence that begins with a label that label's rows, others all rows and sums."""
    own = table[[text.startswith(f"{label}:") for label in table["label"]]]
    rows = own if len(own) else table
    failures = [name for name in table if str(name).startswith(("n_failed", "n_sep", "n_not"))]
    sums = {f"sum of {name}": float(rows[name].sum()) for name in [*failures, "n_simulations"]}
    sums |= {"number of rows": len(rows), "sum of failures": float(_failed(rows).sum())}
    # Power counts as enough from here on; the sentences name it.
    total = counted(file, "all rows", **sums)
    enough = Source(file, None, "a constant", (Cell("power that is enough", ENOUGH, 100.0),))
    settings = material.settings("power.alpha")
    shown = text[0].upper() + text[1:]
    sources = (*sources_of(file, rows), total, enough, settings)
    return Sentence(shown, sources, tuple(dict.fromkeys(_capital(rows["label"]))))


def _capital(labels: pd.Series) -> list[str]:
    """Return labels as they stand within a sentence and at its start."""
    return [*labels, *[label[0].upper() + label[1:] for label in labels]]


def _failed(rows: pd.DataFrame) -> pd.Series:
    return rows[[name for name in rows if str(name).startswith("n_failed")]].sum(axis=1)


def _contrast(row: pd.Series, confidence: float) -> str:
    first, second = (CONDITIONS[name].label for name in row["contrast"].split(" - "))
    df = row.get("df")
    test = "z" if df is None or pd.isna(df) else f"t({df:.3g})"
    numbers = [
        f"b{NBSP}={NBSP}{signed(row['estimate'], 2)}",
        f"SE{NBSP}={NBSP}{row['se']:.2f}",
        f"{test}{NBSP}={NBSP}{signed(row['z'], 2)}",
        p_equals(row["p"]),
        interval(row["ci_low"], row["ci_high"], 2, confidence),
    ]
    return f"{first} against {second}, {', '.join(numbers)}"


def _with_settings(
    material: Material, file: str, rows: pd.DataFrame, *fields: str
) -> tuple[Source, ...]:
    return (*sources_of(file, rows), material.settings(*fields))


def _levels(material: Material) -> str:
    """Say what the intercept of the mixed-effects model stands for."""
    first = CONDITIONS[material.conditions[0]].label
    levels: Sequence[str] = [first]
    if len(material.main) > 1:
        levels = [material.main[0].label, first]
    return f"Reference level{'s' * (len(levels) > 1)}: {listed(levels)}."

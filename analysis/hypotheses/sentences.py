"""The tests of the paper as sentences, with the numbers that journals ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.groups import Group
from analysis.hypotheses.table import ALL_OF, BETWEEN
from analysis.sentences import MINUS, NBSP, listed, p_value, signed, subject
from study.conditions import CONDITIONS


def hypothesis_sentences(
    tables: Mapping[str, pd.DataFrame], groups: Sequence[Group], confidence: float
) -> list[str]:
    """Say what each test of `analysis.hypotheses.hypothesis_tables` found.

    Parameters
    ----------
    tables : mapping of str to DataFrame
    groups : sequence of Group
    confidence : float
    """
    by_name = {group.name: group for group in groups}
    tellers = {
        "test_versions": versions_sentence,
        "test_chance": chance_sentence,
        "test_interaction": interaction_sentence,
        "test_equivalence": equivalence_sentence,
        "test_covariate": covariate_sentence,
    }
    return [
        tell(row, by_name, confidence)
        for name, tell in tellers.items()
        if name in tables
        for _, row in tables[name].iterrows()
    ]


def statistics(row: pd.Series) -> str:
    """Return "b = 1.02, SE = 0.11, t(27) = 9.3, p < .001", as far as the test has these."""
    parts = []
    if pd.notna(row["se"]):
        sign = "difference" if row["unit"] == "percentage points" else "b"
        parts += [f"{sign} = {signed(row['estimate'], 2)}", f"SE = {row['se']:.2f}"]
    if pd.notna(row["statistic"]):
        symbol = "χ²" if row["unit"] == "chi-square" else "t"
        parts.append(f"{symbol}({_df(row['df'])}) = {signed(row['statistic'], 2)}")
    if pd.notna(row["p"]):
        parts.append(_p("p", row["p"]))
        if pd.notna(row["p_adjusted"]) and row["p_adjusted"] != row["p"]:
            parts.append(_p("adjusted p", row["p_adjusted"]))
    return ", ".join(part.replace(" = ", f"{NBSP}={NBSP}") for part in parts)


def versions_sentence(row: pd.Series, groups: Mapping[str, Group], confidence: float) -> str:
    """Say whether people are better on the body or on the background."""
    first, second = (_version(name) for name in row["conditions"].split(BETWEEN))
    who = subject(groups[row["groups"]])
    if not _is_clear(row, confidence):
        how = f"were about as often right on {first} as on {second}, as far as can be told"
    else:
        more = "more" if row["estimate"] > 0 else "less"
        how = f"were {more} often right on {first} than on {second}"
    return f"{who} {how} ({statistics(row)}; {_points(row, confidence)})."


def chance_sentence(row: pd.Series, groups: Mapping[str, Group], confidence: float) -> str:
    """Say whether a group is above, below or at chance in a version."""
    group = groups[row["groups"]]
    verb = "were" if group.role == "observers" else "was"
    if not _is_clear(row, confidence):
        how = "not to be told from chance"
    else:
        how = "above chance" if row["estimate"] > 0 else "below chance"
    exact = "exact binomial " if row["method"].startswith("exact") else ""
    return (
        f"{subject(group)} {verb} {how} on {_version(row['conditions'])} "
        f"({exact}{statistics(row)}; {_points(row, confidence)})."
    )


def interaction_sentence(row: pd.Series, groups: Mapping[str, Group], confidence: float) -> str:
    """Say whether groups differ in how versions differ."""
    if BETWEEN not in row["groups"]:
        names = listed([_name(groups[name]) for name in row["groups"].split(ALL_OF)])
        if pd.isna(row["p"]):
            return f"Group by version was not tested for {names}: {row['note']}."
        verb = "differed" if _is_clear(row, confidence) else "were not shown to differ"
        return f"{_capital(names)} {verb} in the effect of version ({statistics(row)})."
    people, network = (groups[name] for name in row["groups"].split(BETWEEN))
    first, second = (_version(name) for name in row["conditions"].split(BETWEEN))
    if not _is_clear(row, confidence):
        size = "was not shown to differ from"
    else:
        size = "was larger than" if row["estimate"] > 0 else "was smaller than"
    return (
        f"The difference {first} {MINUS} {second} in {_name(people)} {size} that in "
        f"{_name(network)} ({statistics(row)}; {_points(row, confidence)})."
    )


def equivalence_sentence(row: pd.Series, groups: Mapping[str, Group], confidence: float) -> str:
    """Say whether two versions, or two groups, are equal within the bounds."""
    who = " and ".join(_name(groups[name]) for name in row["groups"].split(BETWEEN))
    what = " and ".join(_version(name) for name in row["conditions"].split(BETWEEN))
    verdicts = {
        "equivalent": "equal within",
        "different, within the bounds": "different, but by less than",
        "different": "different, and not shown to be within",
        "undecided": "neither shown to differ nor shown to be equal within",
    }
    if not row["verdict"]:
        return f"{_capital(who)} on {what}: not tested, {row['note']}."
    level = f"{100.0 * (2.0 * confidence - 1.0):.3g}{NBSP}% CI"
    size = f"{signed(row['estimate'], 1)}, {level} {_interval(row['ci_low'], row['ci_high'])}"
    return (
        f"{_capital(who)} on {what}: {verdicts[row['verdict']]} {row['bound_pp']:.3g} percentage "
        f"points ({size}; "
        f"{_p('p', row['p_above'])} and {_p('p', row['p_below'])})."
    )


def covariate_sentence(row: pd.Series, groups: Mapping[str, Group], confidence: float) -> str:
    """Say what the size of the body does to a group's answers."""
    label = _name(groups[row["groups"]])
    if pd.isna(row["p"]):
        return f"The size of the body was not tested in {label}: {row['note']}."
    clear = _is_clear(row, confidence)
    if row["unit"] == "chi-square":
        verb = "mattered" if clear else "was not shown to matter"
        return f"The size of the body in the picture {verb} to {label} ({statistics(row)})."
    if BETWEEN not in row["conditions"]:
        how = ("more" if row["estimate"] > 0 else "less") + " often right with larger bodies"
        how = how if clear else "not shown to depend on the size of the body"
        return f"On {_version(row['conditions'])}, {label}: {how} ({statistics(row)})."
    first, second = (_version(name) for name in row["conditions"].split(BETWEEN))
    verb = "stays" if clear else "is not shown"
    return (
        f"At mean size of the body the difference {first} {MINUS} {second} {verb} in {label} "
        f"({statistics(row)}; {row['note'].split(';')[0]})."
    )


def _is_clear(row: pd.Series, confidence: float) -> bool:
    """Whether the test, adjusted for the others of its family, finds something."""
    return bool(row["p_adjusted"] < 1.0 - confidence)


def _points(row: pd.Series, confidence: float) -> str:
    interval = _interval(row["pp_low"], row["pp_high"])
    return (
        f"{signed(row['difference_pp'], 1)} percentage points, "
        f"{100.0 * confidence:.3g}{NBSP}% CI {interval}"
    )


def _interval(low: float, high: float) -> str:
    return f"[{signed(low, 1)},{NBSP}{signed(high, 1)}]"


def _p(name: str, p: float) -> str:
    text = p_value(p)
    return f"{name}{NBSP}{text}" if text.startswith("<") else f"{name}{NBSP}={NBSP}{text}"


def _df(df: float) -> str:
    return f"{df:.0f}" if float(df).is_integer() else f"{df:.1f}"


def _version(condition: str) -> str:
    return "originals" if condition == "body_background" else CONDITIONS[condition].label


def _name(group: Group) -> str:
    return "the baseline" if group.label == "baseline" else group.label


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

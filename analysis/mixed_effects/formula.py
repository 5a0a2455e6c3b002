"""lme4's formula syntax: the fixed part for formulaic, the random terms taken apart.

Understood are ``(1 + x | g)``, ``(x || g)``, ``(1 | a/b)``, ``(1 | a:b)``, ``offset(x)`` and
``cbind(hits, misses) ~ ...``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from formulaic import Formula


@dataclass(frozen=True)
class RandomTerm:
    """``(expression | groups)``; several grouping columns form one factor by interaction."""

    expression: str
    groups: tuple[str, ...]

    @property
    def group(self) -> str:
        """Name of the grouping factor."""
        return ":".join(self.groups)


@dataclass(frozen=True)
class MixedFormula:
    """A parsed formula; ``response`` is an expression or the pair of cbind()."""

    text: str
    response: tuple[str, ...]
    fixed: str
    random: tuple[RandomTerm, ...]
    offsets: tuple[str, ...]


def parse_formula(text: str) -> MixedFormula:
    """Take an lme4 formula apart.

    Raises
    ------
    ValueError
        If there is no response, no random term or an unbalanced parenthesis.
    """
    if text.count("~") != 1:
        raise ValueError(f"formula must have one '~' between response and terms: {text!r}")
    left, right = (part.strip() for part in _in_python(text).split("~"))
    if not left:
        raise ValueError(f"formula has no response before '~': {text!r}")
    fixed, random, offsets = [], [], []
    for sign, term in _split_terms(right):
        bar = _bar_content(term)
        offset = re.fullmatch(r"offset\((.*)\)", term)
        if bar is not None:
            random.extend(_random_terms(*bar))
        elif offset:
            offsets.append(offset.group(1).strip())
        else:
            fixed.append(f"{sign} {term}")
    if not random:
        raise ValueError(f"formula has no random term such as (1 | observer): {text!r}")
    pair = re.fullmatch(r"cbind\((.*),(.*)\)", left)
    response = tuple(part.strip() for part in pair.groups()) if pair else (left,)
    rest = " ".join(fixed).removeprefix("+").strip() or "1"
    return MixedFormula(text, response, rest, tuple(random), tuple(offsets))


def _in_python(text: str) -> str:
    """R's power and factor() as formulaic writes them."""
    return re.sub(r"\b(?:as\.)?factor\(", "C(", text.replace("^", "**"))


def _split_terms(text: str) -> list[tuple[str, str]]:
    """Split at + and - outside parentheses, each term with its sign."""
    terms, sign, start, depth = [], "+", 0, 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth < 0:
            break
        if depth == 0 and character in "+-":
            terms.append((sign, text[start:position].strip()))
            sign, start = character, position + 1
    if depth != 0:
        raise ValueError(f"unbalanced parentheses in formula terms {text!r}")
    terms.append((sign, text[start:].strip()))
    return [(sign, term) for sign, term in terms if term]


def _bar_content(term: str) -> tuple[str, str, str] | None:
    """(expression, bar, groups) if the term is ``(... | ...)``."""
    if not (term.startswith("(") and term.endswith(")")):
        return None
    inner = term[1:-1]
    match = re.fullmatch(r"([^|]*)(\|\|?)([^|]*)", inner)
    return (match[1].strip(), match[2], match[3].strip()) if match else None


def _random_terms(expression: str, bar: str, groups: str) -> list[RandomTerm]:
    """All terms that one parenthesis stands for: nesting and ``||`` expanded."""
    if not expression or not groups:
        raise ValueError(
            f"a random term needs both sides of its bar: ({expression} {bar} {groups})"
        )
    expressions = [expression] if bar == "|" else _uncorrelated(expression)
    return [RandomTerm(e, g) for g in _nested(groups) for e in expressions]


def _nested(groups: str) -> list[tuple[str, ...]]:
    """``a/b`` is a and b within a; ``a:b`` is their interaction."""
    parts = [tuple(p.strip() for p in part.split(":")) for part in groups.strip("() ").split("/")]
    out: list[tuple[str, ...]] = []
    for part in parts:
        out.append(part + (out[-1] if out else ()))
    return out


def _uncorrelated(expression: str) -> list[str]:
    """Each term of ``x || g`` on its own, without intercept except the intercept itself."""
    terms = [str(term) for term in Formula(expression)]
    return ["1" if term == "1" else f"0 + {term}" for term in terms]

"""Text of the report in APA style: which letters are italic, and how numbers are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from analysis.sentences import MINUS, NBSP

Style = Literal["plain", "italic", "code"]

# Latin letters that stand for statistics are italic, Greek ones and words are not (APA 7, 6.44).
STATISTIC = re.compile(
    r"(?<![\w\u00a0-])(?:SE|SD|df|[btzFrpnNM])(?=(?:\(\d|[\s\u00a0]*[=<>][\s\u00a0]*[\d.\u2212]))"
    r"|(?<=adjusted )p(?=[\s\u00a0])"
    r"|(?<![\w-])p(?= values?\b)"
    r"|(?<=Student[’']s )t\b"
    r"|^(?:SE|SD|df|[btzFrpnNM])$"
)
CODE = re.compile(r"`([^`]*)`")


def apa(text: str) -> str:
    """Write "95 %" as "95%", and a hyphen that stands for a minus as one."""
    text = re.sub(rf"(?<=\d)[ {NBSP}]%", "%", text)
    return re.sub(r"(?<=[\s(\[])-(?=\.?\d)", MINUS, text)


def spans(text: str) -> Iterator[tuple[Style, str]]:
    """Split a text into pieces of one style, in order."""
    end = 0
    for match in CODE.finditer(text):
        yield from _with_statistics(text[end : match.start()])
        yield "code", match[1]
        end = match.end()
    yield from _with_statistics(text[end:])


def _with_statistics(text: str) -> Iterator[tuple[Style, str]]:
    text = apa(text)
    end = 0
    for match in STATISTIC.finditer(text):
        if match.start() > end:
            yield "plain", text[end : match.start()]
        yield "italic", match[0]
        end = match.end()
    if end < len(text):
        yield "plain", text[end:]

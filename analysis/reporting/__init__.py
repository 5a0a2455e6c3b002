"""The report: one content, written as HTML, Markdown and LaTeX, with the origin of every number."""

from __future__ import annotations

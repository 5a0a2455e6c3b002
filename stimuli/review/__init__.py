"""The review page: every clip with its versions side by side, to look at and to exclude from."""

from __future__ import annotations

from stimuli.review.page import write_review

__all__ = ["write_review"]

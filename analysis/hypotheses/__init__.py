"""The tests of the paper, each from a table of answers to a table of results.

chance : each version against guessing; versions : body only against background only in people;
interaction : do networks differ from people in that; equivalence : are versions or groups as good
as equal; covariate : does the size of the body explain it; by_action : each action's own effect.
"""

from __future__ import annotations

from analysis.hypotheses.sentences import hypothesis_sentences
from analysis.hypotheses.study import hypothesis_tables

__all__ = ["hypothesis_sentences", "hypothesis_tables"]

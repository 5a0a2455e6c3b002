"""How alike networks and people answer, beyond how often they are right.

`error_consistency` compares two observers and `error_consistency_table` all pairs of a table;
`alignment_tables` makes every table of a study. docs/alignment.md says what each measure tells.
"""

from analysis.alignment.kappa import ErrorConsistency, consistency_bounds, error_consistency
from analysis.alignment.pairs import error_consistency_table
from analysis.alignment.tables import alignment_tables

__all__ = [
    "ErrorConsistency",
    "alignment_tables",
    "consistency_bounds",
    "error_consistency",
    "error_consistency_table",
]

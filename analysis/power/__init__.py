"""How large a study must be, and whether its model keeps its promises, by simulation.

`run_power` gives power and interval widths by number of participants, clips and seeds;
`run_calibration` gives coverage and false positives of the study's own model.
"""

from __future__ import annotations

from analysis.power.calibration import run_calibration
from analysis.power.power import run_power

__all__ = ["run_calibration", "run_power"]

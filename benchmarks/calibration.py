"""Coverage and false positives of the study's model at N = 28, and what a simulated refit costs.

Run from the repository's root; the numbers of docs/power.md come from

    python -m benchmarks.calibration --formula "correct ~ group * condition + (1 | observer) + (1 | item)"
    python -m benchmarks.calibration \
        --formula "correct ~ group * condition + (1 + condition | observer) + (1 | item)"
    python -m benchmarks.calibration --item-by-group-sd 0.8

Stopped, the same command goes on where it stopped.
"""  # noqa: E501 - a command line in one line can be copied

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

from analysis.power import run_calibration
from study.config import Study, load_study
from study.results import Results

FORMULA = "correct ~ group * condition + (1 | observer) + (1 | item)"


def study_of(options: argparse.Namespace) -> Study:
    """The study file with the size, formula and deviations that were asked for."""
    study = load_study(options.study)
    models = [
        model.model_copy(update={"seeds": list(range(options.seeds))}) for model in study.models
    ]
    changes = {
        "models": models,
        "trials": study.trials.model_copy(update={"n_participants": options.participants}),
        "analysis": study.analysis.model_copy(update={"formula": options.formula}),
        "power": study.power.model_copy(
            update={
                "n_items": options.items,
                "n_calibration": options.simulations,
                "item_by_group_sd": options.item_by_group_sd,
            }
        ),
    }
    return study.model_copy(update=changes)


def main() -> None:
    """Print the table of the calibration, and the seconds that it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=Path("studies/demo.toml"))
    parser.add_argument("--participants", type=int, default=28)
    parser.add_argument("--items", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--formula", default=FORMULA)
    parser.add_argument("--item-by-group-sd", type=float, default=0.0)
    parser.add_argument("--simulations", type=int, default=4000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("results/calibration"))
    options = parser.parse_args()
    begin = time.perf_counter()
    path = run_calibration(study_of(options), Results(options.results), options.processes)
    seconds = time.perf_counter() - begin
    print(options.formula)
    table = pd.read_csv(path).drop(columns=["n_participants", "n_items", "n_seeds"])
    print(table.to_string(index=False, float_format="{:.4f}".format))
    print(f"{seconds:.0f} s with {options.processes} processes (blocks on disk cost nothing)")


if __name__ == "__main__":
    sys.exit(main())

"""The plan of a study's resources as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cluster.step_costs import StepCost

if TYPE_CHECKING:
    from cluster.costs import ResourcePlan

WIDTH = 96
HEAD = ("step", "jobs", "core h", "GPU h", "h per job", "memory", "disk", "files")
UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def plan_text(plan: ResourcePlan) -> str:
    """Return the plan: counts, a row per step, totals, times by jobs at once, assumptions."""
    counts = plan.counts
    used = ", ".join(f"{n:,} {split}" for split, n in counts.used.items())
    blocks = [
        f"{plan.study}: {counts.clips:,} clips of {counts.actions:,} actions, "
        f"{counts.frames:,.0f} frames ({counts.probe.frames:.1f} per clip)",
        f"used: {counts.clips_used:,} clips ({used}) in {counts.versions} versions",
        "",
        *_table(plan.steps),
        *(["  * time assumed, see below"] if any(map(_is_assumed, plan.steps)) else []),
        "",
        f"{plan.total('jobs'):,} jobs; {amount(plan.total('core_hours'))} core hours and "
        f"{amount(plan.total('gpu_hours'))} GPU hours; on disk {size(plan.kept_bytes)} at the end, "
        f"at most {size(plan.peak_bytes)} before; {plan.total('files'):,.0f} files",
        *_gpu_memory(plan.steps),
        _wall(plan.wall_hours()),
        "",
        "How this is known:",
        *_sentences([*counts.said, *plan.said]),
    ]
    return "\n".join(line for block in blocks for line in _wrapped(block)) + "\n"


def _wall(hours: Mapping[int, float]) -> str:
    slots = ", ".join(map(str, hours))
    return (
        f"with {slots} jobs at once, never in a queue: {', '.join(map(duration, hours.values()))}"
    )


def _gpu_memory(steps: Sequence[StepCost]) -> list[str]:
    """Say what the largest network takes, where any runs on a GPU."""
    largest = max(steps, key=lambda each: each.gpu_mb)
    if not largest.gpu_mb:
        return []
    what = " ".join([largest.step, largest.model or ""]).strip()
    return [f"GPU memory: at most about {size(largest.gpu_mb * 1e6)} ({what})"]


def _wrapped(line: str) -> list[str]:
    if not line or line.startswith(" "):
        return [line]
    return textwrap.wrap(line, WIDTH)


def _sentences(said: Sequence[str]) -> list[str]:
    return [
        textwrap.fill(line, WIDTH, initial_indent="  - ", subsequent_indent="    ") for line in said
    ]


def _table(steps: Sequence[StepCost]) -> list[str]:
    rows = [HEAD, *map(_row, steps)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _is_assumed(cost: StepCost) -> bool:
    return cost.basis == "assumed"


def _row(cost: StepCost) -> tuple[str, ...]:
    mark = " *" if _is_assumed(cost) else ""
    return (
        " ".join([cost.step, cost.model or ""]).strip() + mark,
        f"{cost.jobs:,}",
        amount(cost.core_hours),
        amount(cost.gpu_hours) if cost.on_gpu else "-",
        amount(cost.job_s / 3600),
        size(cost.job_mb * 1e6),
        size(cost.kept_bytes) if cost.kept_bytes else "-",
        f"{cost.files:,.0f}" if cost.files else "-",
    )


def amount(hours: float) -> str:
    """Return hours to two digits: whole numbers from 10 up.

    >>> amount(0.0312), amount(4.25), amount(1234.5), amount(0.001)
    ('0.03', '4.2', '1,234', '<0.01')
    """
    if 0 < hours < 0.005:
        return "<0.01"
    return f"{hours:.2f}" if hours < 1 else f"{hours:.1f}" if hours < 10 else f"{hours:,.0f}"


def duration(hours: float) -> str:
    """Return a time in the unit in which it is easily said.

    >>> duration(0.25), duration(30), duration(100)
    ('15 min', '30 h', '4.2 days')
    """
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} days"


def size(n_bytes: float) -> str:
    """Return a number of bytes in the largest decimal unit that it fills.

    >>> size(1.5e9), size(20_000_000), size(12)
    ('1.5 GB', '20 MB', '12 B')
    """
    for unit, name in UNITS:
        if n_bytes >= unit:
            value = n_bytes / unit
            return f"{value:.1f} {name}" if value < 10 else f"{value:,.0f} {name}"
    return f"{n_bytes:.0f} B"

"""One page on how well a computer keeps time, for the assistant and for a reviewer."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from behavior.timing import Finding, Measured, judge, measure
from behavior.window_glass import Glass
from study.files import write_text

PLOT_WH = (340, 190)
MARGINS = (48, 10, 14, 38)  # left, right, top, bottom
N_BINS = 40

VERDICTS = {
    "good": "This computer is ready for sessions.",
    "doubtful": "Sessions can be held, but look at what is marked below first.",
    "bad": "Do not hold sessions on this computer as it is. What to mend is marked below.",
}


def check_timing(
    open_glass: Callable[[], Glass], folder: Path, clip_wh: tuple[int, int], ask_key: bool = True
) -> tuple[Path, list[Finding]]:
    """Measure this computer in a window as the session's and write a page on it.

    Parameters
    ----------
    open_glass : callable
        Opens the window.
    folder : Path
        Where the page goes; its disk is measured, so it is best where the answers go.
    clip_wh : tuple of int
        Width and height of the clips, pixels.
    ask_key : bool
        Whether to ask for a key; somebody has to press it.

    Returns
    -------
    path : Path
        Of `timing.html`.
    findings : list of Finding
        Worst first.
    """
    glass = open_glass()
    try:
        measured = measure(glass, folder, clip_wh, ask_key=ask_key)
    finally:
        glass.close()
    path = folder / "timing.html"
    return path, write_timing_report(measured, path)


def write_timing_report(measured: Measured, path: Path) -> list[Finding]:
    """Write the page (HTML that needs no other file) and return the findings.

    Parameters
    ----------
    measured : Measured
    path : Path
    """
    findings = judge(measured)
    environment = Environment(
        loader=PackageLoader("behavior"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("timing.html").render(
        level=findings[0].level,
        verdict=VERDICTS[findings[0].level],
        findings=findings,
        plots=_plots(measured),
        facts=measured.facts,
        rows=_rows(measured),
        computer=f"{platform.node()}, {platform.platform()}",
        when=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    write_text(path, page)
    return findings


def timing_text(findings: Sequence[Finding]) -> str:
    """Say the verdict and what was found, worst first."""
    lines = [f"{finding.level:<9} {finding.topic}: {finding.text}" for finding in findings]
    return "\n".join([VERDICTS[findings[0].level], "", *lines])


def _rows(measured: Measured) -> list[tuple[str, str]]:
    """Return the table of figures for a reviewer."""
    errors_ms = 1000 * np.array([one.duration_s - one.intended_s for _, one in measured.shown])
    late = sum(one.n_late for _, one in measured.shown)
    dropped = sum(one.n_dropped for _, one in measured.shown)
    return [
        ("interval between flips, ms", _summary(1000 * measured.flips_s)),
        ("error of clip duration, ms", _summary(errors_ms)),
        ("clips shown", str(len(measured.shown))),
        ("late flips during clips", str(late)),
        ("frames dropped", str(dropped)),
        ("upload of a frame, ms", _summary(1000 * measured.uploads_s)),
        ("write and sync of an answer, ms", _summary(1000 * measured.syncs_s)),
        ("keyboard", measured.key),
    ]


def _summary(values: np.ndarray) -> str:
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"median {median:.2f}, 5 % {low:.2f}, 95 % {high:.2f}, worst {values.max():.2f}"


def _plots(measured: Measured) -> list[str]:
    rates = [rate for rate, _ in measured.shown]
    errors_ms = [1000 * (one.duration_s - one.intended_s) for _, one in measured.shown]
    frame_ms = 1000 * measured.interval_s
    return [
        histogram("From one picture to the next", "ms", 1000 * measured.flips_s),
        dots("Error of clip length by clip rate", "frames per second", "ms", rates, errors_ms,
             limits=(-frame_ms, frame_ms)),
        histogram("To hand over a frame", "ms", 1000 * measured.uploads_s),
        histogram("To make an answer safe", "ms", 1000 * measured.syncs_s),
    ]  # fmt: skip


def histogram(title: str, unit: str, values: np.ndarray) -> str:
    """Return a histogram as SVG; the axis ends at the extremes, so that no outlier is hidden."""
    low, high = _span(values)
    counts, edges = np.histogram(values, N_BINS, (low, high))
    frame = _Frame(low, high, 0, float(counts.max()))
    bars = [
        f'<rect x="{frame.x(left):.1f}" y="{frame.y(count):.1f}" '
        f'width="{frame.x(right) - frame.x(left):.1f}" height="{frame.y(0) - frame.y(count):.1f}"/>'
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    return frame.svg(title, unit, f"count (of {len(values)})", bars)


def dots(
    title: str, x_name: str, y_name: str, xs: Sequence[float], ys: Sequence[float],
    limits: tuple[float, float],
) -> str:  # fmt: skip
    """Return dots as SVG, with dashed lines at the limits they should keep."""
    frame = _Frame(*_span(np.array(xs)), *_span(np.array([*ys, *limits])))
    lines = [
        f'<line class="limit" x1="{frame.x(frame.x_low):.1f}" x2="{frame.x(frame.x_high):.1f}" '
        f'y1="{frame.y(limit):.1f}" y2="{frame.y(limit):.1f}"/>'
        for limit in limits
    ]
    marks = [
        f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3"/>'
        for x, y in zip(xs, ys, strict=True)
    ]
    return frame.svg(title, x_name, y_name, lines + marks)


def _span(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


class _Frame:
    """Axes of a plot."""

    def __init__(self, x_low: float, x_high: float, y_low: float, y_high: float) -> None:
        self.x_low, self.x_high = x_low, x_high
        self.y_low, self.y_high = y_low, y_high

    def x(self, value: float) -> float:
        left, right, _, _ = MARGINS
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return left + share * (PLOT_WH[0] - left - right)

    def y(self, value: float) -> float:
        _, _, top, bottom = MARGINS
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return PLOT_WH[1] - bottom - share * (PLOT_WH[1] - top - bottom)

    def svg(self, title: str, x_name: str, y_name: str, content: list[str]) -> str:
        width, height = PLOT_WH
        left, right, top, bottom = MARGINS
        middle = (width + left - right) / 2
        parts = [
            f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {width} {height}" '
            f'role="img" aria-label="{escape(title)}">',
            f'<path class="axis" d="M{left} {top}V{height - bottom}H{width - right}"/>',
            *content,
            *self._ticks(),
            f'<text x="{middle}" y="{height - 4}" text-anchor="middle">{escape(x_name)}</text>',
            f'<text transform="translate(11 {(height - bottom + top) / 2}) rotate(-90)" '
            f'text-anchor="middle">{escape(y_name)}</text>',
            "</svg></figure>",
        ]
        return "\n".join(parts)

    def _ticks(self) -> list[str]:
        across = [
            f'<text x="{self.x(value):.1f}" y="{PLOT_WH[1] - MARGINS[3] + 14}" '
            f'text-anchor="middle">{value:.4g}</text>'
            for value in _round_values(self.x_low, self.x_high)
        ]
        up = [
            f'<text x="{MARGINS[0] - 5}" y="{self.y(value) + 4:.1f}" '
            f'text-anchor="end">{value:.4g}</text>'
            for value in _round_values(self.y_low, self.y_high)
        ]
        return across + up


def _round_values(low: float, high: float) -> list[float]:
    """Return three to six round numbers between two others."""
    raw = (high - low) / 4
    power = 10 ** np.floor(np.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first, last = np.ceil(low / step), np.floor(high / step)
    # Adding zero turns a negative zero into a plain one.
    return [float(number * step) + 0.0 for number in np.arange(first, last + 1)]

"""Where networks look: the share of their evidence inside the body, and maps of some clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.forest import draw_mark
from analysis.figures.material import Drawn, Material, NothingToDraw
from analysis.figures.style import DOUBLE_MM, FAINT, INK, MUTED, new_figure
from analysis.groups import Group
from analysis.legends import level
from analysis.saliency import EVIDENCE_FOR, saliency_sentences, stream_label
from analysis.sentences import listed
from study.conditions import CONDITIONS

ROW_MM, COLUMNS = 6.5, 3
# What fits on a page.
MOST_ROWS = 15
CELL_MM, MOST_CELLS = 26.0, 7
# How much of the frame the colour of the map covers where the evidence is strongest.
COVER = 0.65
HEAT = colormaps["inferno"]


@dataclass(frozen=True)
class Maps:
    """Frames with the map of one training of one network; see `models.saliency`."""

    network: str
    clip_id: np.ndarray
    action: np.ndarray
    condition: np.ndarray
    stream: np.ndarray
    frame: np.ndarray
    heat: np.ndarray
    mask: np.ndarray


def draw_shares(material: Material) -> Drawn:
    """Make the figure of the share inside the body."""
    table = material.table("saliency")
    networks = [group for group in material.networks if group.name in set(table["group"])]
    table = table[table["group"].isin([group.name for group in networks])]
    figure = share_figure(table, networks, material.conditions)
    labels = {group.name: group.label for group in networks}
    target = material.study.saliency.target
    legend = (
        f"Where networks look. Marks: share of the evidence for {EVIDENCE_FOR[target]} (Grad-CAM, "
        "positive part) that lies on the person’s mask, mean over test clips and trainings, with "
        f"{level(material.confidence)} intervals over both. Vertical bars: the share of the "
        "picture that the mask covers, which evidence without a preference would have. "
    )
    return Drawn(figure, table, legend + " ".join(saliency_sentences(table, labels, target)))


def share_figure(
    table: pd.DataFrame, networks: Sequence[Group], conditions: Sequence[str]
) -> Figure:
    """Draw a panel per version with a row per network and stream.

    Parameters
    ----------
    table : DataFrame
        See `analysis.saliency.saliency_table`.
    networks : sequence of Group
    conditions : sequence of str
    """
    shown = [name for name in conditions if name in set(table["condition"])]
    rows = [
        (group, stream)
        for group in networks
        for stream in dict.fromkeys(table.loc[table["group"] == group.name, "stream"])
    ]
    columns = min(COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    figure = new_figure(DOUBLE_MM, 14.0 + lines * (12.0 + ROW_MM * len(rows)))
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(shown) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.ravel(), shown, strict=False):
        own = table[table["condition"] == name].set_index(["group", "stream"])
        _draw_panel(axes, own, rows, name)
    reach = 100 * float(table[["share_in_body", "ci_high", "body_share"]].max(axis=None))
    grid[0, 0].set_xlim(0, min(100.0, 1.1 * reach))
    for axes in grid[-1]:
        axes.set_xlabel("evidence inside the body (%)")
    return figure


def _draw_panel(
    axes: Axes, own: pd.DataFrame, rows: Sequence[tuple[Group, str]], condition: str
) -> None:
    for place, (group, stream) in enumerate(rows):
        if (group.name, stream) not in own.index:
            continue
        row = own.loc[(group.name, stream)]
        axes.plot(
            [100 * row["body_share"]] * 2, [place - 0.3, place + 0.3], color=MUTED, linewidth=1.2,
            gid=f"body {group.name} {stream} {condition}",
        )  # fmt: skip
        shares = row[["share_in_body", "ci_low", "ci_high"]].astype(float) * 100
        shares = shares.rename({"share_in_body": "value"})
        if np.isfinite(shares["value"]):
            draw_mark(axes, place, shares, group, f"share {group.name} {stream} {condition}")
    axes.set_yticks(range(len(rows)), [stream_label(group.label, name) for group, name in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_title(CONDITIONS[condition].label, color=CONDITIONS[condition].color, loc="left")


def draw_maps(material: Material) -> Drawn:
    """Make the figure of maps: of every network its first training."""
    found = []
    # Of networks from elsewhere there are answers only.
    seeds = {model.name: model.seeds for model in material.study.models}
    for group in material.networks:
        paths = [
            material.results.saliency_pictures(group.name, seed)
            for seed in seeds.get(group.name, ())
        ]
        first = next((path for path in paths if path.is_file()), None)
        if first is not None:
            with np.load(first, allow_pickle=False) as content:
                fields = {name: content[name] for name in content.files}
            if len(fields["clip_id"]):
                found.append((group, Maps(group.name, **fields)))
    if not found:
        raise NothingToDraw("no maps of where networks look have been made")
    figure, data = maps_figure(found, material.conditions)
    clips = listed(list(dict.fromkeys(data["clip_id"])))
    n_rows = len(data[["group", "condition", "stream"]].drop_duplicates())
    more = f"; of all networks the first {n_rows} rows are" if n_rows == MOST_ROWS else ""
    legend = (
        "Maps of where networks look, on one frame of the test clips "
        f"{clips}. Bright colours: strong evidence for "
        f"{EVIDENCE_FOR[material.study.saliency.target]} (Grad-CAM of the first "
        "training of each network, scaled to its own maximum in every picture); the outline is the "
        "person’s mask. A stream that sees the blank frame is not shown"
        f"{more}."
    )
    return Drawn(figure, data, legend)


def maps_figure(
    found: Sequence[tuple[Group, Maps]], conditions: Sequence[str]
) -> tuple[Figure, pd.DataFrame]:
    """Draw a row per network, stream and version, a column per clip.

    Parameters
    ----------
    found : sequence of (Group, Maps)
    conditions : sequence of str
    """
    clips = list(dict.fromkeys(clip for _, maps in found for clip in maps.clip_id))[:MOST_CELLS]
    rows = [
        (group, maps, stream, condition)
        for group, maps in found
        for condition in conditions
        for stream in dict.fromkeys(maps.stream[maps.condition == condition])
    ][:MOST_ROWS]
    label_mm = 34.0
    width = label_mm + CELL_MM * len(clips)
    figure = new_figure(width, 6.0 + CELL_MM * _aspect(found) * len(rows))
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, hspace=0.0, wspace=0.0)
    panels = figure.subplots(len(rows), len(clips), squeeze=False)
    data = []
    for line, (group, maps, stream, condition) in enumerate(rows):
        for axes, clip in zip(panels[line], clips, strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            is_here = (maps.clip_id == clip) & (maps.stream == stream)
            places = np.flatnonzero(is_here & (maps.condition == condition))
            if len(places):
                _draw_map(axes, maps, int(places[0]), f"{group.name} {stream} {condition} {clip}")
                data.append((group.name, condition, stream, clip, maps.action[places[0]]))
        panels[line, 0].set_ylabel(
            f"{stream_label(group.label, stream).replace(', ', chr(10))}\n"
            f"{CONDITIONS[condition].label}",
            color=CONDITIONS[condition].color, rotation=0, ha="right", va="center",
        )  # fmt: skip
    actions = {clip: action for _, _, _, clip, action in data}
    for axes, clip in zip(panels[0], clips, strict=True):
        axes.set_title(actions.get(clip, "").replace("_", " "), color=INK)
    columns = ["group", "condition", "stream", "clip_id", "action"]
    return figure, pd.DataFrame(data, columns=columns)


def _draw_map(axes: Axes, maps: Maps, place: int, gid: str) -> None:
    frame = maps.frame[place].astype(float) / 255
    heat = maps.heat[place].astype(float)[..., None]
    grey = frame.mean(axis=2, keepdims=True).repeat(3, axis=2)
    mixed = grey * (1 - COVER * heat) + HEAT(heat[..., 0])[..., :3] * COVER * heat
    top, bottom = _visible(maps)
    axes.imshow(mixed[top:bottom], gid=gid)
    if maps.mask[place].any():
        axes.contour(
            maps.mask[place][top:bottom].astype(float), levels=[0.5], colors="white", linewidths=0.6
        )


def _visible(maps: Maps) -> tuple[int, int]:
    """Return the rows between the bars of the letterbox, which are black in every frame."""
    rows = np.flatnonzero(maps.frame.any(axis=(0, 2, 3)))
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, maps.frame.shape[1])


def _aspect(found: Sequence[tuple[Group, Maps]]) -> float:
    maps = found[0][1]
    top, bottom = _visible(maps)
    return (bottom - top) / maps.frame.shape[2]

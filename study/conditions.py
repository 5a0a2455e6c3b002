"""The versions of a clip: their names in tables, their order, labels and colours in figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """One version of a clip.

    Attributes
    ----------
    name : str
        Its name in every table and file.
    label : str
        What a reader sees on an axis.
    color : str
        Its colour in every figure (Okabe & Ito's and Tol's colour-blind safe palettes).
    lacks : {"body", "background", ""}
        The part of the scene that is not shown.
    """

    name: str
    label: str
    color: str
    lacks: str


CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition("body_background", "original", "#009E73", ""),
        Condition("body_only", "body only", "#D55E00", "background"),
        Condition("background_only", "background only", "#0072B2", "body"),
        Condition("silhouette", "silhouette", "#882255", "background"),
        Condition("point_light", "point light", "#000000", "background"),
        Condition("blurred_background", "blurred background", "#B8A040", ""),
        Condition("swapped_background", "swapped background", "#332288", ""),
        Condition("inpaint_control", "inpainting elsewhere", "#661100", ""),
    )
}

CONDITION_NAMES: tuple[str, ...] = tuple(CONDITIONS)

# Those of the study in the paper, made unless a study file says otherwise.
MAIN_CONDITIONS = ("body_background", "body_only", "background_only")

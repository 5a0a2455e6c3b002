"""How versions are made, how the person is hidden, and how that is audited."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from study.conditions import MAIN_CONDITIONS
from study.fields.base import ConditionName, FilePath, Section, Share

HoleName = Literal["union", "frame", "hull", "box"]
InpaintingName = Literal[
    "telea",
    "navier_stokes",
    "harmonic",
    "biharmonic",
    "mirror",
    "temporal",
    "torchscript",
    "flat",
]


LeastHole = Annotated[list[Share], Field(min_length=2, max_length=2)]


def hole_name(hole: str, least_hole: list[float]) -> str:
    """Return a hole's name in tables: "union", or "box 60x90%" where that is the least size."""
    if hole != "box" or not any(least_hole):
        return hole
    return f"box {100 * least_hole[0]:.3g}x{100 * least_hole[1]:.3g}%"


class Versions(Section):
    """How the versions of a clip are made."""

    conditions: list[ConditionName] = Field(
        list(MAIN_CONDITIONS), min_length=1, description="the versions to make"
    )
    width: int = Field(640, ge=32, le=4096, multiple_of=2, description="pixels, letterboxed")
    height: int = Field(360, ge=32, le=4096, multiple_of=2, description="pixels, letterboxed")
    fps: float | None = Field(
        None,
        gt=0,
        le=240,
        description="show so many frames per second; default the clip's own frames and times",
    )
    max_seconds: float = Field(6.0, gt=0, description="longer clips are cut")
    quality: Literal["lossless", "web"] = Field(
        "lossless",
        description="lossless: people and networks get the same pixels; web: visually lossless "
        "videos that browsers play, a tenth of the size, with the loss in the sidecars",
    )
    hole: HoleName = Field(
        "box",
        description="what is hidden, in every frame: the box of the clip's masks, their convex "
        "hull, their union (the paper's prototype; its outline tells the pose), or (frame) each "
        "frame's own mask, which moves as the person does",
    )
    least_hole: LeastHole = Field(
        [0.0, 0.0],
        description="box: least width and height of the hole as shares of the picture, so that "
        "its size tells less of the pose",
    )
    dilation: float = Field(
        1.2, ge=1.0, le=3.0, description="linear growth of the hidden region over the person"
    )
    inpainting: InpaintingName = Field(
        "mirror",
        description="telea, navier_stokes: OpenCV's; harmonic: the smoothest fill, colours running "
        "on sideways; biharmonic: the same with the slopes at the rim; mirror: reflections of what "
        "is around, which go on with its texture and hide the hole best; temporal: the true "
        "background of other frames where they show it, else harmonic; torchscript: a network of "
        "yours; flat: the `fill` colour",
    )
    inpaint_radius: float = Field(
        5.0, gt=0, le=100, description="telea, navier_stokes: how far they look, pixels"
    )
    inpaint_model: FilePath | None = Field(
        None,
        description="torchscript: a file; it gets pictures (B, 3, H, W) in 0..1 and masks "
        "(B, 1, H, W), 1 in the hole, and returns pictures, as LaMa does",
    )
    fill: Literal["black", "grey", "mean", "matched"] = Field(
        "black",
        description="colour where a version shows nothing: black, middle grey, the clip's mean "
        "colour there, or the grey that keeps the clip's mean luminance",
    )
    blur: float = Field(
        0.05, gt=0, le=1, description="blurred_background: sigma as a share of the height"
    )
    swap: Literal["other_action", "same_action"] = Field(
        "other_action", description="swapped_background: whose clip lends the background"
    )
    dot_size: float = Field(
        0.02, gt=0, le=0.2, description="point_light: diameter as a share of the height"
    )

    @property
    def hole_name(self) -> str:
        """What the hole is called in tables."""
        return hole_name(self.hole, self.least_hole)

    @model_validator(mode="after")
    def _conditions_once(self) -> Versions:
        if len(set(self.conditions)) < len(self.conditions):
            raise ValueError(f"conditions names a version twice: {self.conditions}")
        if self.inpainting == "torchscript" and self.inpaint_model is None:
            raise ValueError("inpainting = 'torchscript' needs inpaint_model, the file")
        return self


class AuditedFill(Section):
    """One way of hiding the person that the audit compares with the study's own."""

    hole: HoleName = Field(description="as versions.hole")
    inpainting: InpaintingName = Field(description="as versions.inpainting")
    least_hole: LeastHole = Field([0.0, 0.0], description="as versions.least_hole")

    @property
    def hole_name(self) -> str:
        """What the hole is called in tables."""
        return hole_name(self.hole, self.least_hole)


class Audit(Section):
    """How much of the action the versions give away that they should not."""

    run: bool = Field(True, description="whether `bodyscene run` audits the stimuli")
    frames: int = Field(
        1,
        ge=1,
        le=50,
        description="moments of a clip that the probes see, spread evenly; of one, the middle",
    )
    max_clips: int = Field(
        1500, ge=10, description="of a larger data set so many clips, drawn evenly over actions"
    )
    folds: int = Field(
        5, ge=2, description="of the cross-validation by clip (by session where groups are known)"
    )
    n_permutations: int = Field(200, ge=0, description="for every p value")
    compare: list[AuditedFill] = Field(
        [
            AuditedFill(hole="union", inpainting="flat"),
            AuditedFill(hole="union", inpainting="telea"),
            AuditedFill(hole="box", inpainting="telea"),
            AuditedFill(hole="box", inpainting="harmonic"),
        ],
        description="other ways of hiding the person, audited beside the study's own",
    )

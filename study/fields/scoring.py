"""How networks are scored, and what is done to them to see what they rely on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.fields.base import ConditionName, Name, Section

# What segmentation noise may do, and how its level is measured.
NoiseKind = Literal["flips", "flips_in_box", "erosion", "dilation", "missing", "shift"]


class Scoring(Section):
    """How the frames of a clip become its answer."""

    pooling: Literal["log_probability", "probability", "vote"] = Field(
        "log_probability",
        description="over the frames of a clip: mean log-probability, mean probability, or the "
        "share of frames of which a class is the most probable",
    )
    frames_per_clip: int | None = Field(
        None, ge=1, description="evenly spaced frames that are read; default all"
    )
    batch_size: int = Field(64, ge=1, description="frames read at once")
    frame_logits: bool = Field(
        False,
        description="keep the class scores of every single frame too (of networks of clips: of "
        "every span of frames), in `logits/frames/`",
    )
    outside: list[Name] = Field(
        [],
        description="names of networks from elsewhere, whose outputs `bodyscene score STUDY.toml "
        "--logits` brings into the study",
    )
    calibration_bins: int = Field(
        15, ge=2, description="bins of the expected calibration error (ECE)"
    )


class Noise(Section):
    """Segmentation noise: the masks are spoiled, the versions rebuilt, the networks scored."""

    run: bool = Field(False, description="whether `bodyscene run` does it")
    models: list[Name] | None = Field(None, description="of these models; default all")
    levels: dict[NoiseKind, list[float]] = Field(
        {
            "flips": [0.05, 0.1, 0.2],
            "flips_in_box": [0.05, 0.1, 0.2],
            "erosion": [0.05, 0.1],
            "dilation": [0.05, 0.1],
            "missing": [0.1, 0.3],
            "shift": [0.05, 0.1],
        },
        description="flips: share of pixels whose label is turned; flips_in_box: the same within "
        "the person's box alone; erosion, dilation: distance in shares of the person's size (root "
        "of the mask's area); missing: share of frames without a mask; shift: distance in shares "
        "of the person's size, in a random direction",
    )
    keep_stimuli: bool = Field(
        True, description="keep the spoiled stimuli and frames once all networks are scored on them"
    )

    @model_validator(mode="after")
    def _levels_are_shares(self) -> Noise:
        for kind, values in self.levels.items():
            wrong = [value for value in values if not 0 < value <= 1]
            if wrong or len(set(values)) < len(values):
                raise ValueError(
                    f"levels.{kind}: expected different numbers above 0 and up to 1, found {values}"
                )
        return self


class Saliency(Section):
    """Where networks look: Grad-CAM, and its share inside the body."""

    run: bool = Field(False, description="whether `bodyscene run` does it")
    models: list[Name] | None = Field(None, description="of these models; default all")
    conditions: list[ConditionName] | None = Field(
        None, description="versions to look at; default all that a network reads"
    )
    frames_per_clip: int = Field(4, ge=1, description="evenly spaced frames of each test clip")
    pictures: int = Field(4, ge=0, description="test clips shown in the figure")
    target: Literal["right", "answer"] = Field(
        "right", description="the class whose evidence is shown: the right one, or the answer"
    )

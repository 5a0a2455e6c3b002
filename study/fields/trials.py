"""What people and networks choose from, who sees what, and simulated observers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.fields.base import ConditionName, Section, Share


class Trials(Section):
    """What people and networks choose from, and who sees what."""

    n_choices: int = Field(5, ge=2, le=10, description="labels to choose from; chance is 1 in that")
    n_participants: int = Field(28, ge=1, le=10_000, description="lists to write")
    design: Literal["latin_square", "blocked", "between"] = Field(
        "latin_square",
        description="latin_square: everyone sees each test clip once, versions balanced over "
        "people; blocked: all versions, in blocks; between: one version per person",
    )
    max_run: int = Field(2, ge=1, description="most trials of one version in a row")
    actions: Literal["all", "margin"] = Field(
        "all",
        description="all: every action; margin: the n_actions on which `margin_model` has the best "
        "margin on the validation clips",
    )
    n_actions: int | None = Field(None, ge=2, description="margin: how many actions")
    margin_model: str | None = Field(None, description="margin: name of a model of this study")

    @model_validator(mode="after")
    def _margin_is_complete(self) -> Trials:
        if self.actions == "margin" and (self.n_actions is None or self.margin_model is None):
            raise ValueError("actions = 'margin' needs n_actions and margin_model")
        return self


class Observers(Section):
    """Simulated observers: a psychometric model with lapses; always marked as simulated."""

    simulate: bool = Field(True, description="whether simulated observers do the lists at all")
    accuracy: dict[ConditionName, Share] = Field(
        {
            "body_background": 0.95,
            "body_only": 0.88,
            "background_only": 0.72,
            "silhouette": 0.8,
            "point_light": 0.75,
            "blurred_background": 0.92,
            "swapped_background": 0.85,
            "inpaint_control": 0.94,
        },
        description="share correct of a median observer on a median clip, per version",
    )
    observer_sd: float = Field(0.5, ge=0, description="logits between observers")
    item_sd: float = Field(0.8, ge=0, description="logits between clips")
    lapse: Share = Field(0.01, description="share of trials answered at random")
    rt_mu_s: float = Field(0.9, gt=0, description="ex-Gaussian: mean of the normal part, seconds")
    rt_sigma_s: float = Field(0.15, gt=0, description="ex-Gaussian: its deviation, seconds")
    rt_tau_s: float = Field(0.45, gt=0, description="ex-Gaussian: mean of the tail, seconds")

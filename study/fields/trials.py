"""What people and networks choose from, who sees what, and simulated observers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.fields.base import ConditionName, Section, Share


class Trials(Section):
    """What people and networks choose from, and who sees what."""

    n_choices: int = Field(5, ge=2, le=10, description="labels to choose from; chance is 1 in that")
    n_participants: int = Field(
        28, ge=1, le=10_000, description="people who are to take part; each has a list"
    )
    design: Literal["latin_square", "blocked", "between"] = Field(
        "latin_square",
        description="latin_square: everyone sees each test clip once, versions balanced over "
        "people; blocked: all versions, in blocks; between: one version per person",
    )
    n_lists: int | None = Field(
        None,
        ge=1,
        description="lists to write, if more than n_participants; a replacement of somebody who is "
        "excluded needs none, it takes the list of that participant",
    )
    max_run: int = Field(2, ge=1, description="most trials of one version in a row")
    familiarisation: bool = Field(
        True,
        description="whether stills of a validation clip of every action are shown with its label "
        "before the first trial",
    )
    n_practice: int = Field(
        6,
        ge=0,
        description="practice trials with feedback, of validation clips; 6 show each of three "
        "versions twice",
    )
    n_catch: int | None = Field(
        None,
        ge=0,
        description="attention checks: originals of validation clips between the test trials; "
        "default one in 20 test trials, 4 in the published 80, of which a guesser gets 3 right "
        "in less than 3 of 100 sessions",
    )
    catch_clips: list[str] = Field(
        [],
        description="clip_ids of the validation clips that check attention, easy ones for "
        "instance; default any",
    )
    actions: Literal["all", "margin"] = Field(
        "all",
        description="all: every action; margin: the n_actions on which `margin_model` has the best "
        "margin on the validation clips",
    )
    n_actions: int | None = Field(None, ge=2, description="margin: how many actions")
    margin_model: str | None = Field(None, description="margin: name of a model of this study")

    def __hash__(self) -> int:
        """Trials with equal fields are one, lists of clips included: results are kept by them."""
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _margin_is_complete(self) -> Trials:
        if self.actions == "margin" and (self.n_actions is None or self.margin_model is None):
            raise ValueError("actions = 'margin' needs n_actions and margin_model")
        return self

    @model_validator(mode="after")
    def _counts_fit(self) -> Trials:
        if self.n_lists is not None and self.n_lists < self.n_participants:
            raise ValueError(
                f"n_lists = {self.n_lists} is below n_participants = {self.n_participants}"
            )
        if len(set(self.catch_clips)) < len(self.catch_clips):
            raise ValueError(f"catch_clips names a clip twice: {self.catch_clips}")
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
    rt_model: Literal["ex_gaussian", "diffusion"] = Field(
        "ex_gaussian",
        description="ex_gaussian: reaction times do not depend on the trial; diffusion: evidence "
        "drifts to a boundary, the faster the likelier the action is seen",
    )
    rt_mu_s: float = Field(0.9, gt=0, description="ex-Gaussian: mean of the normal part, seconds")
    rt_sigma_s: float = Field(0.15, gt=0, description="ex-Gaussian: its deviation, seconds")
    rt_tau_s: float = Field(0.45, gt=0, description="ex-Gaussian: mean of the tail, seconds")
    diffusion_boundary: float = Field(
        1.6,
        gt=0,
        description="diffusion: distance of the boundaries, for unit noise per square root second",
    )
    diffusion_non_decision_s: float = Field(
        0.5, ge=0, description="diffusion: seconds of a reaction time that decide nothing"
    )

"""Estimates, power, and who is left out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from study.fields.base import ConditionName, Section, Share


class Analysis(Section):
    """Estimates, intervals and the mixed-effects model."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="of every interval")
    n_bootstrap: int = Field(2000, ge=100, description="draws of every bootstrap interval")
    formula: str = Field(
        "correct ~ group * condition + (1 | observer) + (1 | item) + (1 | item:group)",
        description="the mixed-effects model, in lme4's formula syntax; (1 | item:group), for "
        "clips that are harder for one group than another, is left out where there is one group",
    )
    equivalence_bound_pp: float = Field(
        5.0,
        gt=0,
        le=100,
        description="versions or groups count as equal if their accuracies differ by less, "
        "percentage points",
    )
    inference: Literal["t", "z"] = Field(
        "t",
        description="t: Student's t with the levels of the smallest grouping factor less one as "
        "degrees of freedom; z: the normal distribution, a little too sure with few observers",
    )


class Power(Section):
    """What the power analysis and the calibration simulate."""

    source: Literal["assumed", "pilot"] = Field(
        "assumed",
        description="assumed: from the accuracies and deviations below and in `observers`; pilot: "
        "from the study's model, fitted to the answers in the results folder",
    )
    participants: list[Annotated[int, Field(ge=2, le=2000)]] = Field(
        [12, 20, 28, 40, 60], min_length=1, description="numbers of participants to try"
    )
    items: list[Annotated[int, Field(ge=2, le=5000)]] = Field(
        [],
        description="numbers of test clips to try; default half the study's own, its own, twice "
        "as many",
    )
    seeds: list[Annotated[int, Field(ge=1, le=200)]] = Field(
        [1, 3, 5, 10], min_length=1, description="trainings of each network to try"
    )
    n_items: int | None = Field(
        None, ge=2, description="the study's own number of test clips; default from the study file"
    )
    n_simulations: int = Field(500, ge=20, description="studies simulated per design")
    n_calibration: int = Field(2000, ge=20, description="studies simulated by the calibration")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="level of every test, not adjusted")
    contrasts: list[str] = Field(
        [],
        description="what is tested, such as `people: body_only - background_only`, `people: "
        "body_only - chance`, `people - baseline: body_only` or `people - baseline: pattern` "
        "(group by version); default the questions of the paper",
    )
    accuracy: dict[str, dict[ConditionName, Annotated[float, Field(gt=0, lt=1)]]] = Field(
        {
            "baseline": {"body_background": 0.525, "body_only": 0.2, "background_only": 0.5},
            "domainnet": {"body_background": 0.6625, "body_only": 0.625, "background_only": 0.5},
        },
        description="assumed share correct by model name or architecture (and `people`, else "
        "observers.accuracy) and version, for a median observer on a median clip",
    )
    seed_sd: float | None = Field(
        None, ge=0, description="logits between trainings of a network; default observer_sd"
    )
    slope_sd: float = Field(
        0.3, ge=0, description="logits, of each random slope that the formula has"
    )
    item_by_group_sd: float = Field(
        0.0,
        ge=0,
        description="logits by which a clip is harder for one group than for another; the formula "
        "knows it only with (1 | item:group)",
    )


class Exclusions(Section):
    """Which people's answers are left out; rules of observers never touch networks."""

    by_hand: dict[str, str] = Field(
        {}, description='observers to leave out, each with the reason, e.g. `07 = "fell asleep"`'
    )
    catch_clips: list[str] = Field(
        [],
        description="further clip_ids that only check attention, beside the catch trials of the "
        "plan: nobody's answers to them are analysed",
    )
    min_catch_accuracy: Share = Field(
        0.0, description="leave out who is right in a smaller share of the catch trials"
    )
    min_accuracy: Share = Field(
        0.0, description="leave out who is right in a smaller share of the originals"
    )
    min_rt_s: float = Field(
        0.0, ge=0, description="leave out answers faster than this, seconds from the choices"
    )
    max_rt_s: float | None = Field(
        None, gt=0, description="leave out answers slower than this, seconds; default none"
    )
    max_share_fast: Share = Field(
        1.0, description="leave out who answers a larger share of trials faster than min_rt_s"
    )

    @model_validator(mode="after")
    def _rules_fit(self) -> Exclusions:
        if self.max_rt_s is not None and self.max_rt_s <= self.min_rt_s:
            raise ValueError(f"max_rt_s = {self.max_rt_s} is not above min_rt_s = {self.min_rt_s}")
        if self.max_share_fast < 1 and self.min_rt_s == 0:
            raise ValueError("max_share_fast needs min_rt_s, below which an answer is fast")
        if len(set(self.catch_clips)) < len(self.catch_clips):
            raise ValueError(f"catch_clips names a clip twice: {self.catch_clips}")
        return self

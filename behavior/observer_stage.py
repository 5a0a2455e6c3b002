"""A stage without a screen on which a simulated observer answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from behavior.psychometric import probability_correct
from behavior.reaction_times import reaction_time
from behavior.stage import (
    ClipToShow,
    Contents,
    Page,
    PageReply,
    Presentation,
    Question,
    Reply,
    TrialFacts,
)
from study.fields import Observers

DEVICE = "simulated"


@dataclass
class SimulatedObserver:
    """An observer that sees the action with a probability, guesses otherwise, and takes time.

    Attributes
    ----------
    settings : Observers
        Lapse rate and reaction times.
    eta_of_condition : mapping of str to float
        Logit of seeing the action in a version, of a median observer on a median clip.
    effect : float
        How much better this observer is, logits.
    effect_of_clip : mapping of str to float
        How much easier a clip is, logits.
    rng, side_rng : numpy.random.Generator
        For test trials; for practice, attention checks and ratings, so that test trials are
        answered alike with and without them.
    """

    settings: Observers
    eta_of_condition: Mapping[str, float]
    effect: float
    effect_of_clip: Mapping[str, float]
    rng: np.random.Generator
    side_rng: np.random.Generator

    def logit(self, trial: TrialFacts) -> float:
        """Return the logit of seeing the action in a trial."""
        eta = self.eta_of_condition[trial.condition] + self.effect
        return eta + self.effect_of_clip[trial.clip_id]

    def answer(self, trial: TrialFacts, labels: tuple[str, ...]) -> Reply:
        """Choose among the labels."""
        rng = self.rng if trial.kind == "test" else self.side_rng
        eta, k = self.logit(trial), len(labels)
        right = labels.index(trial.action)
        is_correct = rng.random() < probability_correct(eta, k, self.settings.lapse)
        foil = int(rng.integers(k - 1))
        wrong = foil + (foil >= right)
        rt_s = reaction_time(self.settings, eta, rng)
        return Reply(right if is_correct else wrong, rt_s, DEVICE)

    def confidence(
        self, trial: TrialFacts, is_correct: bool, n_choices: int, n_steps: int
    ) -> Reply:
        """Rate an answer: who guesses says so, who sees is surer the stronger the evidence.

        Evidence is logistic around the logit, positive where the action is seen; its strength x
        gives the step ``1 + floor(n (2 logistic(x) - 1))``.
        """
        eta = self.logit(trial)
        seen = _logistic(eta)
        p_correct = probability_correct(eta, n_choices, self.settings.lapse)
        p_seen = (1.0 - self.settings.lapse) * seen / p_correct if is_correct else 0.0
        if seen == 0.0 or self.side_rng.random() >= p_seen:
            return Reply(0, self._rating_time(), DEVICE)
        # The upper `seen` of the distribution is where the evidence is positive.
        upper = 1.0 - seen * self.side_rng.random()
        strength = eta + math.log(upper / (1.0 - upper)) if upper < 1.0 else math.inf
        step = int(n_steps * (2.0 * _logistic(strength) - 1.0))
        return Reply(min(max(step, 0), n_steps - 1), self._rating_time(), DEVICE)

    def _rating_time(self) -> float:
        return round(self.side_rng.exponential(self.settings.rt_tau_s), 4)


@dataclass
class ObserverStage:
    """A stage on which a simulated observer sits; nothing is shown and no time passes.

    Attributes
    ----------
    observer : SimulatedObserver
    clock_s : float
        What a clock would say: clips and answers take their time.
    progress : list of str
        What the assistant would have read.
    """

    observer: SimulatedObserver
    clock_s: float = 0.0
    progress: list[str] = field(default_factory=list)
    _trial: TrialFacts | None = None
    _labels: tuple[str, ...] = ()
    _is_correct: bool = False

    def open(self) -> dict[str, Any]:
        """Say what kind of stage this is."""
        return {"stage": DEVICE}

    def rehearse(self, contents: Contents) -> None:
        """Nothing is drawn."""

    def changes(self) -> dict[str, Any]:
        """Nothing changes."""
        return {}

    def close(self) -> None:
        """Nothing is open."""

    def show_page(self, page: Page) -> PageReply:
        """Agree, and turn the page."""
        self.clock_s += page.least_s
        return PageReply(True, page.least_s)

    def prepare(self, clip: ClipToShow) -> None:
        """Nothing is loaded."""

    def show_clip(self, clip: ClipToShow, trial: TrialFacts) -> Presentation:
        """Let the clip's time pass."""
        self._trial = trial
        onset_s, duration_s = self.clock_s, clip.duration_s
        self.clock_s += duration_s
        n_frames = clip.n_frames
        return Presentation(onset_s, duration_s, duration_s, 0.0, n_frames, 0, 0)

    def ask(self, question: Question) -> Reply:
        """Let the observer choose; who takes too long has no answer."""
        trial = self._shown_trial()
        self._labels = tuple(question.labels)
        reply = self.observer.answer(trial, self._labels)
        limit_s = question.limit_s
        if limit_s is not None and reply.rt_s > limit_s:
            reply = Reply(None, limit_s, DEVICE)
        self.clock_s += reply.rt_s
        self._is_correct = reply.position == self._labels.index(trial.action)
        return reply

    def rate(self, question: Question) -> Reply:
        """Let the observer say how sure it is."""
        reply = self.observer.confidence(
            self._shown_trial(), self._is_correct, len(self._labels), len(question.labels)
        )
        self.clock_s += reply.rt_s
        return reply

    def give_feedback(self, text: str, is_correct: bool) -> None:
        """An observer does not learn."""

    def show_progress(self, text: str) -> None:
        """Keep what the assistant would read."""
        self.progress.append(text)

    def _shown_trial(self) -> TrialFacts:
        if self._trial is None:
            raise RuntimeError("a question was asked before a clip was shown")
        return self._trial


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0

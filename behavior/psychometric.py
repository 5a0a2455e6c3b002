"""The psychometric function of a choice among k labels, with lapses, and its inverse."""

from __future__ import annotations

import math


def probability_correct(eta: float, n_choices: int, lapse: float) -> float:
    """Return the probability of a right answer.

    ``lapse / k + (1 - lapse) * (1 / k + (1 - 1 / k) * logistic(eta))``: an observer who lapses
    picks any label, one who does not sees the action or guesses (the psychometric function of
    Wichmann & Hill, 2001, with the guess rate 1 / k in the lapses too).

    Parameters
    ----------
    eta : float
        Logit of seeing the action; minus or plus infinity are allowed.
    n_choices : int
        Labels to choose from, k.
    lapse : float
        Share of trials answered at random.
    """
    chance = 1.0 / n_choices
    seen = 1.0 / (1.0 + math.exp(-eta)) if eta > -700.0 else 0.0
    return lapse * chance + (1.0 - lapse) * (chance + (1.0 - chance) * seen)


def eta_of_accuracy(accuracy: float, n_choices: int, lapse: float) -> float:
    """Return the logit at which `probability_correct` is `accuracy`.

    Raises
    ------
    ValueError
        When `accuracy` is below chance or above what the lapses leave.
    """
    chance = 1.0 / n_choices
    ceiling = probability_correct(math.inf, n_choices, lapse)
    if not chance <= accuracy <= ceiling:
        raise ValueError(
            f"expected {chance:.4g} (chance) to {ceiling:.4g} (the most that a lapse rate of "
            f"{lapse:g} leaves), found {accuracy:g}"
        )
    if ceiling == chance:
        return -math.inf
    # Both chance and ceiling are reached exactly, by infinite logits.
    seen = (accuracy - chance) / (ceiling - chance)
    if seen in (0.0, 1.0):
        return math.inf if seen else -math.inf
    return math.log(seen / (1.0 - seen))

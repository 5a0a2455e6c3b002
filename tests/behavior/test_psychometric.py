"""The psychometric function and its inverse."""

from __future__ import annotations

import math

import pytest

from behavior.psychometric import eta_of_accuracy, probability_correct


def test_known_values():
    # Half of the way from chance to 1 at logit 0, then a lapse rate of 0.1 with guesses in it.
    assert probability_correct(0.0, 5, 0.0) == pytest.approx(0.6)
    assert probability_correct(0.0, 5, 0.1) == pytest.approx(0.9 * 0.6 + 0.1 / 5)
    assert probability_correct(-math.inf, 4, 0.3) == pytest.approx(0.25)
    assert probability_correct(math.inf, 4, 0.2) == pytest.approx(0.85)
    assert probability_correct(-1e6, 4, 0.0) == pytest.approx(0.25)


@pytest.mark.parametrize("n_choices", [2, 5, 10])
@pytest.mark.parametrize("lapse", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_inverse_gives_the_accuracy_back(n_choices: int, lapse: float, share: float):
    chance, ceiling = 1 / n_choices, probability_correct(math.inf, n_choices, lapse)
    accuracy = chance + share * (ceiling - chance)
    eta = eta_of_accuracy(accuracy, n_choices, lapse)
    assert probability_correct(eta, n_choices, lapse) == pytest.approx(accuracy, abs=1e-12)


@pytest.mark.parametrize("accuracy", [0.19, 0.995])
def test_impossible_accuracies_are_refused(accuracy: float):
    with pytest.raises(ValueError, match=r"expected 0\.2 \(chance\) to 0\.992"):
        eta_of_accuracy(accuracy, 5, 0.01)

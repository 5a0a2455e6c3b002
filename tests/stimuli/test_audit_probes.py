"""Probes find what is there, nothing that is not, and agree with other software."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from stimuli.audit import logistic
from stimuli.audit.features import Features
from stimuli.audit.folds import MOST_SESSIONS, folds_of, permuted_labels, units_of
from stimuli.audit.intervals import accuracy_draws, drawn_weights, swap_p
from stimuli.audit.probes import balanced_accuracy, probe, probe_accuracy

NO_SESSIONS = [""] * 60


def as_features(values_nd: np.ndarray) -> Features:
    return Features(values_nd[:, np.newaxis].astype(np.float32), (values_nd.shape[1],))


def test_all_labellings_are_fitted_as_scikit_learn_fits_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logistic, "N_STEPS", 2000)
    rng = np.random.default_rng(1)
    train, test = rng.normal(size=(60, 8)) * 0.5, rng.normal(size=(20, 8)) * 0.5
    train -= train.mean(axis=0)
    # Equal numbers of every action, so that the correction for their numbers does nothing.
    labels = np.stack([rng.permutation(np.arange(60) % 3) for _ in range(4)])
    found = logistic.log_odds(train, test, labels, 3)
    for row, own_labels in enumerate(labels):
        other = LogisticRegression(C=1 / logistic.RIDGE, max_iter=5000, tol=1e-10)
        expected = other.fit(train, own_labels).predict_log_proba(test) - np.log(1 / 3)
        assert found[row] == pytest.approx(expected, abs=2e-3)


def test_the_steps_taken_choose_the_same_actions_as_a_complete_fit():
    rng = np.random.default_rng(2)
    labels = np.arange(90) % 3
    train = rng.normal(size=(90, 40)) + 0.5 * np.eye(3)[labels] @ rng.normal(size=(3, 40))
    train = (train - train.mean(axis=0)) / np.sqrt(40)
    test = rng.normal(size=(200, 40)) / np.sqrt(40)
    chosen = logistic.log_odds(train, test, labels[np.newaxis], 3)[0].argmax(axis=1)
    other = LogisticRegression(C=1 / logistic.RIDGE, max_iter=5000).fit(train, labels)
    assert (chosen == other.predict(test)).mean() > 0.95


def test_an_action_that_was_never_seen_is_never_chosen():
    rng = np.random.default_rng(3)
    train, test = rng.normal(size=(20, 4)), rng.normal(size=(30, 4))
    chosen = logistic.log_odds(train, test, np.tile(np.arange(20) % 2, (1, 1)), 3).argmax(axis=2)
    assert set(chosen.ravel()) <= {0, 1}


def test_pictures_without_any_difference_say_nothing():
    actions = np.arange(60) % 3
    result = probe(as_features(np.ones((60, 5))), actions, NO_SESSIONS, n_permutations=9)
    assert result.accuracy == pytest.approx(1 / 3, abs=0.1)
    assert result.p > 0.1


def test_what_tells_the_action_is_found():
    rng = np.random.default_rng(4)
    actions = np.arange(60) % 3
    values = rng.normal(size=(60, 6))
    values[:, 0] += 6 * (actions == 1)
    values[:, 1] += 6 * (actions == 2)
    result = probe(as_features(values), actions, NO_SESSIONS, n_permutations=99)
    assert result.accuracy > 0.9
    assert result.p == 0.01
    assert result.permuted.mean() == pytest.approx(1 / 3, abs=0.05)
    assert result.accuracy == pytest.approx(balanced_accuracy_score(actions, result.predicted))


def test_moments_of_a_clip_vote():
    rng = np.random.default_rng(5)
    actions = np.arange(60) % 3
    values = rng.normal(size=(60, 9, 3)) + 0.8 * np.eye(3)[actions][:, np.newaxis]
    many = probe(Features(values.astype(np.float32), (3,)), actions, NO_SESSIONS)
    one = probe(Features(values[:, :1].astype(np.float32), (3,)), actions, NO_SESSIONS)
    assert many.accuracy > one.accuracy + 0.1


@pytest.mark.parametrize("sessions", ["none", "mixed", "one action each"])
def test_noise_is_called_significant_in_about_one_of_twenty(sessions: str):
    """Clips of a session look alike; that alone must not count as telling the action."""
    n_sets, n_permutations, false_alarms = 60, 19, 0
    for number in range(n_sets):
        rng = np.random.default_rng([number, 6])
        session = np.repeat(np.arange(9), 4)
        actions = session % 3 if sessions == "one action each" else np.arange(36) % 3
        alike = rng.normal(size=(9, 4))[session] * (sessions != "none")
        values = alike + 0.3 * rng.normal(size=(36, 4))
        groups = [""] * 36 if sessions == "none" else [f"s{name}" for name in session]
        result = probe(as_features(values), actions, groups, 4, n_permutations, number)
        false_alarms += result.p <= 0.05
    # The binomial of 60 and .05 exceeds 8 less than once in 250 times.
    assert false_alarms <= 8


def test_sessions_are_never_on_both_sides():
    groups = [f"s{number % 7}" for number in range(60)]
    folds = folds_of(np.arange(60) % 3, groups, 5, 0)
    for session in set(groups):
        assert (
            len({fold for fold, group in zip(folds, groups, strict=True) if group == session}) == 1
        )
    assert len(set(folds)) == 7
    many = [f"s{number % (MOST_SESSIONS + 5)}" for number in range(60)]
    dealt = folds_of(np.arange(60) % 3, many, 5, 0)
    assert set(dealt) == set(range(5))
    assert all(len(set(dealt[np.array(many) == session])) == 1 for session in many)


def test_without_sessions_every_fold_holds_every_action():
    actions = np.repeat(np.arange(4), 10)
    folds = folds_of(actions, [""] * 40, 5, 0)
    for fold in range(5):
        assert np.bincount(actions[folds == fold]).tolist() == [2, 2, 2, 2]


def test_a_clip_without_a_session_is_its_own():
    assert len(set(units_of(["a", "a", "", ""]))) == 3


def test_labels_are_exchanged_within_sessions_only():
    groups = np.repeat(["a", "b", "c"], 6)
    actions = np.tile([0, 1, 2], 6)
    actions[:6] = [0, 0, 0, 0, 0, 1]
    labels = permuted_labels(actions, groups.tolist(), 20, 0)
    assert (labels[0] == actions).all()
    assert len(np.unique(labels, axis=0)) > 15
    for session in "abc":
        of_session = np.sort(labels[:, groups == session], axis=1)
        assert (of_session == np.sort(actions[groups == session])).all()


def test_whole_sessions_exchange_labels_where_each_has_one_action():
    groups = np.repeat([f"s{number}" for number in range(6)], 3)
    actions = np.repeat([0, 0, 1, 1, 2, 2], 3)
    labels = permuted_labels(actions, groups.tolist(), 20, 0)
    for session in np.unique(groups):
        assert (np.ptp(labels[:, groups == session], axis=1) == 0).all()
    assert (np.sort(labels, axis=1) == np.sort(actions)).all()


def test_balanced_accuracy_is_scikit_learns():
    rng = np.random.default_rng(7)
    labels = rng.choice(3, size=(5, 50), p=[0.7, 0.2, 0.1])
    predicted = rng.choice(3, size=(5, 50))
    expected = [balanced_accuracy_score(*pair) for pair in zip(labels, predicted, strict=True)]
    assert balanced_accuracy(predicted, labels, 3) == pytest.approx(expected)


def test_equal_runs_are_equal():
    rng = np.random.default_rng(8)
    values, actions = rng.normal(size=(60, 30)), np.arange(60) % 3
    first, second = (
        probe(as_features(values), actions, NO_SESSIONS, 5, 10, seed=3) for _ in range(2)
    )
    assert (first.predicted == second.predicted).all()
    assert (first.permuted == second.permuted).all()


def test_pictures_go_straight_to_an_accuracy():
    rng = np.random.default_rng(9)
    pictures = rng.integers(0, 256, (24, 40, 60, 3), np.uint8)
    pictures[::2, :20] //= 4
    labels = ["dark sky", "bright sky"] * 12
    assert probe_accuracy(pictures, labels) == 1.0
    assert probe_accuracy(pictures, labels, groups=["a", "a", "b", "b", "c", "c"] * 4) == 1.0


def test_intervals_have_the_spread_of_a_share():
    rng = np.random.default_rng(10)
    right, actions = rng.random(400) < 0.7, np.zeros(400, int)
    units = np.arange(400)
    draws = accuracy_draws(right, actions, units, drawn_weights(units, 4000, 0))
    share = right.mean()
    assert draws.mean() == pytest.approx(share, abs=0.003)
    assert draws.std() == pytest.approx(np.sqrt(share * (1 - share) / 399), rel=0.05)


def test_intervals_are_wider_where_whole_sessions_are_drawn():
    session = np.repeat(np.arange(10), 8)
    right, actions = session % 2 == 0, np.zeros(80, int)
    spreads = [
        accuracy_draws(right, actions, units, drawn_weights(units, 2000, 0)).std()
        for units in (np.arange(80), session)
    ]
    assert spreads[1] > 2 * spreads[0]


def test_a_difference_is_judged_by_swapping_answers():
    actions, units = np.zeros(8, int), np.arange(8)
    always, never = np.ones(8, bool), np.zeros(8, bool)
    # Only two of 2**8 ways to swap are as extreme.
    assert swap_p(always, never, actions, units, 0) == pytest.approx(2 / 2**8, abs=0.004)
    assert swap_p(always, always, actions, units, 0) == 1.0
    # One session alone proves nothing.
    assert swap_p(always, never, actions, np.zeros(8, int), 0) == 1.0

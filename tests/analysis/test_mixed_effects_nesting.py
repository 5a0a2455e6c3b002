"""Factors within the levels of another: which are eliminated, and the algebra against dense one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.mixed_effects import fit
from analysis.mixed_effects.blocks import BlockCholesky, BlockLayout
from analysis.mixed_effects.covariance import CovarianceShape, TermShape
from analysis.mixed_effects.families import BinomialFamily
from analysis.mixed_effects.laplace import BinomialArrays, LaplaceDeviance
from analysis.mixed_effects.structure import GroupedColumns

Array = np.ndarray
N_ROWS, N_ITEMS, N_GROUPS = 400, 30, 3
THETA = np.array([0.7, 0.5, 0.9, -0.3, 0.6, 0.4])
BETA = np.array([0.4, 0.3])


def intercepts(index: Array, n_levels: int) -> GroupedColumns:
    return GroupedColumns(index, np.ones((len(index), 1)), n_levels)


def nested_factors(observers: int = 5) -> list[GroupedColumns]:
    """Observers, items, slopes of items by group, items by version; levels without rows.

    Not every group has every item, and the last level of items and of their slopes has no row.
    """
    rng = np.random.default_rng(11)
    item = rng.integers(0, N_ITEMS - 1, N_ROWS)
    group = np.where(item < 3, 0, rng.integers(0, N_GROUPS, N_ROWS))
    slopes = np.column_stack([np.ones(N_ROWS), rng.normal(size=N_ROWS)])
    return [
        intercepts(rng.integers(0, observers, N_ROWS), observers),
        intercepts(item, N_ITEMS),
        GroupedColumns(group * N_ITEMS + item, slopes, N_GROUPS * N_ITEMS),
        intercepts(item * 2 + rng.integers(0, 2, N_ROWS), 2 * N_ITEMS),
    ]


def shape_of_nested() -> CovarianceShape:
    """Theta: observers, items, the three of the slopes, items by version."""
    terms = [TermShape(0, 0, 1), TermShape(1, 0, 1), TermShape(2, 0, 2), TermShape(3, 0, 1)]
    return CovarianceShape(terms, [1, 1, 2, 1])


def dense_random(factors: list[GroupedColumns], lambdas: list[Array]) -> Array:
    """Z Lambda as one dense matrix, the coefficients of a level side by side."""
    blocks = []
    for factor, lam in zip(factors, lambdas, strict=True):
        block = np.zeros((N_ROWS, factor.n_levels, factor.width))
        block[np.arange(N_ROWS), factor.index] = factor.columns @ lam
        blocks.append(block.reshape(N_ROWS, -1))
    return np.hstack(blocks)


def system(theta: Array, weights: Array) -> Array:
    """Lambda' Z'WZ Lambda + I, dense."""
    z = dense_random(nested_factors(), shape_of_nested().factors(theta))
    return z.T @ (weights[:, None] * z) + np.eye(z.shape[1])


def per_factor(flat: Array) -> list[Array]:
    """Coefficients of the dense system by factor, (n_levels, q)."""
    factors = nested_factors()
    edges = np.cumsum([factor.size for factor in factors])[:-1]
    parts = np.split(flat, edges)
    return [part.reshape(f.n_levels, f.width) for part, f in zip(parts, factors, strict=True)]


@pytest.fixture
def weights() -> Array:
    return np.random.default_rng(12).uniform(0.1, 2.0, N_ROWS)


@pytest.fixture
def cholesky(weights: Array) -> BlockCholesky:
    layout = BlockLayout(nested_factors())
    return BlockCholesky(layout, layout.gram(weights), shape_of_nested().factors(THETA))


def test_items_take_what_is_nested_in_them() -> None:
    layout = BlockLayout(nested_factors())
    assert layout.order[0] == 1
    assert set(layout.order[: layout.n_eliminated]) == {1, 2, 3}
    assert layout.n_rest == 5


def test_crossed_factors_stay_apart() -> None:
    """The largest goes alone, even where a few large classes hold it."""
    rng = np.random.default_rng(13)
    item = rng.integers(0, 60, 900)
    observer = intercepts(rng.integers(0, 20, 900), 20)
    few_classes = intercepts(item % 2, 2)
    for factors in ([observer, intercepts(item, 60)], [few_classes, intercepts(item, 60)]):
        layout = BlockLayout(factors)
        assert (layout.order, layout.n_eliminated) == ([1, 0], 1)


def test_level_without_rows() -> None:
    """It adds nothing to the determinant of a factor that is eliminated alone."""
    index, weights = np.array([0, 0, 1, 3]), np.array([0.3, 0.5, 0.2, 0.9])
    layout = BlockLayout([intercepts(index, 5)])
    found = BlockCholesky(layout, layout.gram(weights), [np.array([[2.0]])]).log_determinant
    assert found == pytest.approx(np.log(1 + 4 * np.array([0.8, 0.2, 0.9])).sum(), rel=1e-12)


def test_determinant_and_solution(cholesky: BlockCholesky, weights: Array) -> None:
    dense = system(THETA, weights)
    assert cholesky.log_determinant == pytest.approx(np.linalg.slogdet(dense)[1], rel=1e-12)
    right = np.random.default_rng(14).normal(size=len(dense))
    expected = per_factor(np.linalg.solve(dense, right))
    for found, part in zip(cholesky.solve(per_factor(right)), expected, strict=True):
        np.testing.assert_allclose(found, part, rtol=1e-10, atol=1e-12)


def test_posterior_covariance(cholesky: BlockCholesky, weights: Array) -> None:
    factors, lambdas = nested_factors(), shape_of_nested().factors(THETA)
    inverse = np.linalg.inv(system(THETA, weights))
    z = dense_random(factors, lambdas)
    posterior = cholesky.posterior_blocks()
    leverages = np.einsum("nk,kl,nl->n", z, inverse, z)
    np.testing.assert_allclose(posterior.leverages(), leverages, rtol=1e-10)
    scale = np.zeros_like(inverse)
    first = 0
    for factor, lam in zip(factors, lambdas, strict=True):
        for _ in range(factor.n_levels):
            own = slice(first, first + factor.width)
            scale[own, own] = lam
            first += factor.width
    expected = per_factor(np.diag(scale @ inverse @ scale.T))
    for found, part in zip(posterior.effect_variances(), expected, strict=True):
        np.testing.assert_allclose(found, part, rtol=1e-10)


def test_slopes_of_the_determinant(cholesky: BlockCholesky, weights: Array) -> None:
    """Against central differences of the dense determinant."""
    shape, step = shape_of_nested(), 1e-5
    expected = [
        (
            np.linalg.slogdet(system(THETA + shift, weights))[1]
            - np.linalg.slogdet(system(THETA - shift, weights))[1]
        )
        / (2 * step)
        for shift in step * np.eye(len(THETA))
    ]
    found = shape.gradient(cholesky.posterior_blocks().factor_traces())
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_laplace_gradient(link: str) -> None:
    rng, family = np.random.default_rng(15), BinomialFamily(link)
    fixed = GroupedColumns(np.zeros(N_ROWS, int), rng.normal(size=(N_ROWS, 2)), 1)
    trials, offset = rng.integers(1, 4, N_ROWS).astype(float), 0.1 * rng.normal(size=N_ROWS)
    successes = rng.binomial(trials.astype(int), family.mean(fixed.columns @ BETA)).astype(float)
    arrays = BinomialArrays(fixed, nested_factors(), shape_of_nested(), successes, trials, offset)
    deviance = LaplaceDeviance(arrays, family, tolerance=1e-12)
    point, step = np.concatenate([THETA, BETA]), 1e-5
    expected = [
        (deviance(point + shift)[0] - deviance(point - shift)[0]) / (2 * step)
        for shift in step * np.eye(len(point))
    ]
    np.testing.assert_allclose(deviance(point)[1], expected, rtol=1e-5, atol=1e-5)


def test_order_of_terms_and_levels_does_not_matter() -> None:
    """The formula of a study, with its terms and the names of its clips in two orders."""
    table = study_table()
    random = ["(1 | observer)", "(1 | item)", "(1 | item:group)"]
    one = fit(f"correct ~ group * condition + {' + '.join(random)}", table)
    turned = table.assign(item=[f"x{39 - int(name[1:]):02d}" for name in table["item"]])
    other = fit(f"correct ~ group * condition + {' + '.join(random[::-1])}", turned)
    assert other.loglik == pytest.approx(one.loglik, abs=1e-7)
    np.testing.assert_allclose(other.fixed["se"], one.fixed["se"], rtol=1e-5)
    sds = [model.random.set_index("group")["sd"].sort_index() for model in (one, other)]
    np.testing.assert_allclose(sds[0], sds[1], rtol=1e-4)


def study_table() -> pd.DataFrame:
    """Two groups of six observers, 40 clips in three versions; clips harder for one group."""
    rng = np.random.default_rng(16)
    cells = pd.MultiIndex.from_product(
        [["human", "network"], range(6), range(40), ["full", "body", "background"]],
        names=["group", "observer", "item", "condition"],
    ).to_frame(index=False)
    network = (cells["group"] == "network").to_numpy()
    own = rng.normal(0, 0.8, 40)[cells["item"]]
    own = own + rng.normal(0, 0.6, (2, 40))[network.astype(int), cells["item"]]
    chance = 1 / (1 + np.exp(-(0.8 - 0.5 * network + own)))
    return cells.assign(
        observer=cells["group"] + cells["observer"].astype(str),
        item=[f"i{k:02d}" for k in cells["item"]],
        correct=(rng.random(len(cells)) < chance).astype(int),
    )

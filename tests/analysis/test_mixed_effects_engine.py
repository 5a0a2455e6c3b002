"""The engine's arrays: gradients against differences, blocks against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

from analysis.mixed_effects.covariance import CovarianceShape, TermShape
from analysis.mixed_effects.families import LINKS, BinomialFamily
from analysis.mixed_effects.first_stage import FirstStageDeviance
from analysis.mixed_effects.gaussian import GaussianArrays, GaussianDeviance
from analysis.mixed_effects.laplace import BinomialArrays, LaplaceDeviance
from analysis.mixed_effects.quadrature import QuadratureDeviance
from analysis.mixed_effects.structure import GroupedColumns

THETA = np.array([0.8, 0.2, -0.3, 0.5, 0.1, 0.4, 0.6, 0.3, 0.5])
BETA = np.array([0.4, 0.3, 0.2])
N_ROWS = 300


def family_of(link: str) -> BinomialFamily:
    return BinomialFamily(link, 0.2 if link.startswith("mafc") else 0.0)


def crossed_design() -> tuple[GroupedColumns, list[GroupedColumns], CovarianceShape]:
    """Three crossed factors: correlated factor slopes, two independent terms, an intercept."""
    rng = np.random.default_rng(3)
    level, covariate = rng.integers(0, 3, N_ROWS), rng.normal(size=N_ROWS)
    ones = np.ones(N_ROWS)
    fixed = np.column_stack([ones, level == 1, covariate])
    slopes = np.column_stack([ones, level == 1, level == 2])
    factors = [
        GroupedColumns(rng.integers(0, 9, N_ROWS), slopes, 9),
        GroupedColumns(rng.integers(0, 11, N_ROWS), np.column_stack([ones, covariate]), 11),
        GroupedColumns(rng.integers(0, 4, N_ROWS), ones[:, None], 4),
    ]
    terms = [TermShape(0, 0, 3), TermShape(1, 0, 1), TermShape(1, 1, 1), TermShape(2, 0, 1)]
    single = GroupedColumns(np.zeros(N_ROWS, dtype=int), fixed, 1)
    return single, factors, CovarianceShape(terms, [3, 2, 1])


def binomial_arrays(family: BinomialFamily) -> BinomialArrays:
    rng = np.random.default_rng(4)
    fixed, factors, shape = crossed_design()
    trials = rng.integers(1, 4, N_ROWS).astype(float)
    eta = fixed.columns @ BETA + rng.normal(size=9)[factors[0].index]
    successes = rng.binomial(trials.astype(int), family.mean(eta)).astype(float)
    return BinomialArrays(fixed, factors, shape, successes, trials, 0.1 * rng.normal(size=N_ROWS))


def differences(function, point: np.ndarray, step: float = 1e-5) -> np.ndarray:
    shifts = step * np.eye(len(point))
    return np.array([(function(point + s) - function(point - s)) / (2 * step) for s in shifts])


@pytest.mark.parametrize("link", LINKS)
def test_laplace_gradient(link: str) -> None:
    family = family_of(link)
    deviance = LaplaceDeviance(binomial_arrays(family), family, tolerance=1e-12)
    point = np.concatenate([THETA, BETA])
    expected = differences(lambda x: deviance(x)[0], point)
    np.testing.assert_allclose(deviance(point)[1], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("link", LINKS)
def test_first_stage_gradient(link: str) -> None:
    family = family_of(link)
    deviance = FirstStageDeviance(binomial_arrays(family), family, tolerance=1e-12)
    expected = differences(lambda x: deviance(x)[0], THETA, 1e-4)
    np.testing.assert_allclose(deviance(THETA)[1], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("reml", [True, False])
def test_gaussian_deviance_and_gradient(reml: bool) -> None:
    rng = np.random.default_rng(5)
    fixed, factors, shape = crossed_design()
    response, weights = rng.normal(size=N_ROWS), rng.uniform(0.5, 2.0, N_ROWS)
    deviance = GaussianDeviance(GaussianArrays(fixed, factors, shape, response, weights), reml)
    expected = differences(lambda x: deviance(x)[0], THETA)
    np.testing.assert_allclose(deviance(THETA)[1], expected, rtol=1e-5, atol=1e-5)

    # The same from the marginal covariance of the response.
    z = dense_random(factors, shape)
    covariance = np.diag(1 / weights) + z @ z.T
    x, inverse = fixed.columns, np.linalg.inv(covariance)
    information = x.T @ inverse @ x
    residual = response - x @ np.linalg.solve(information, x.T @ inverse @ response)
    n = N_ROWS - reml * x.shape[1]
    direct = np.linalg.slogdet(covariance)[1]
    direct += n * (1 + np.log(2 * np.pi * (residual @ inverse @ residual) / n))
    direct += reml * np.linalg.slogdet(information)[1]
    assert deviance(THETA)[0] == pytest.approx(direct, rel=1e-10)


def dense_random(factors: list[GroupedColumns], shape: CovarianceShape) -> np.ndarray:
    """Z Lambda as one dense matrix."""
    blocks = []
    for factor, lam in zip(factors, shape.factors(THETA), strict=True):
        block = np.zeros((N_ROWS, factor.n_levels, factor.width))
        block[np.arange(N_ROWS), factor.index] = factor.columns @ lam
        blocks.append(block.reshape(N_ROWS, -1))
    return np.hstack(blocks)


def test_blocks_agree_with_dense_algebra() -> None:
    family = family_of("logit")
    arrays = binomial_arrays(family)
    mode = LaplaceDeviance(arrays, family, tolerance=1e-12).mode(THETA, BETA)
    z = dense_random(arrays.factors, arrays.shape)
    dense = z.T @ (mode.moments.weight[:, None] * z) + np.eye(z.shape[1])
    assert mode.cholesky.log_determinant == pytest.approx(np.linalg.slogdet(dense)[1], rel=1e-12)
    leverages = np.einsum("nq,nq->n", z, np.linalg.solve(dense, z.T).T)
    np.testing.assert_allclose(mode.cholesky.posterior_blocks().leverages(), leverages, rtol=1e-10)


def test_quadrature_is_the_integral() -> None:
    rng = np.random.default_rng(6)
    index, n = np.repeat(np.arange(5), 6), 30
    fixed = GroupedColumns(np.zeros(n, dtype=int), np.ones((n, 1)), 1)
    factor = GroupedColumns(index, np.ones((n, 1)), 5)
    successes = rng.integers(0, 2, n).astype(float)
    shape = CovarianceShape([TermShape(0, 0, 1)], [1])
    arrays = BinomialArrays(fixed, [factor], shape, successes, np.ones(n), np.zeros(n))
    family, parameters = family_of("logit"), np.array([1.3, 0.4])
    exact = 0.0
    for level in range(5):
        y = successes[index == level]

        def density(u: float, y: np.ndarray = y) -> float:
            p = expit(0.4 + 1.3 * u)
            return float(np.prod(np.where(y == 1, p, 1 - p)) * np.exp(-(u**2) / 2))

        exact -= 2 * np.log(quad(density, -12, 12)[0] / np.sqrt(2 * np.pi))
    many = QuadratureDeviance(arrays, family, 25).value(parameters)
    one = QuadratureDeviance(arrays, family, 1).value(parameters)
    assert many == pytest.approx(exact, abs=1e-7)
    assert one == pytest.approx(LaplaceDeviance(arrays, family)(parameters)[0], abs=1e-7)


def test_many_distinct_rows_take_the_general_path() -> None:
    """Few and many distinct rows give the same sums."""
    rng = np.random.default_rng(7)
    index, columns = rng.integers(0, 20, 400), rng.integers(0, 2, (400, 2)).astype(float)
    few = GroupedColumns(index, columns, 20)
    many = GroupedColumns(index, columns, 20)
    many._cells = None
    weights, matrices = rng.random(400), rng.normal(size=(20, 2, 2))
    assert few._cells is not None
    np.testing.assert_allclose(few.collect(weights), many.collect(weights))
    np.testing.assert_allclose(few.gram(weights), many.gram(weights))
    np.testing.assert_allclose(few.quadratic(matrices), many.quadratic(matrices))
    np.testing.assert_allclose(few.expand(matrices[:, 0]), many.expand(matrices[:, 0]))

"""What Baker et al. do for their regressions that takes too long while a decision waits: pure functions.

A caller runs them in the background, and makes a forecaster with what they return.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from estimator.checks import require_count
from estimator.curve import Curve
from estimator.forecasters.learned.regression_data import RegressionData, common_names, regression_data
from estimator.forecasters.learned.regressors import Hyperparameters, Regression, fold_residuals
from estimator.values import Numbers

__all__ = ["leave_one_out_spread", "tune"]

PAPER_COST = (1e-5, 10.0)
PAPER_GAMMA = (1e-5, 10.0)
PAPER_TREES = (10, 800)
PAPER_FEATURE_SHARE = (0.1, 0.5)
"""Ranges of appendix C: C and gamma log-uniform, nu uniform in 0..1, trees and their features uniform."""

LOWEST_NU = 1e-3


def tune(
    curves: Sequence[Curve],
    *,
    length: int,
    regression: Regression,
    described: Sequence[Numbers] = (),
    num_trials: int = 1000,
    num_folds: int = 3,
    seed: int = 0,
) -> Hyperparameters:
    """Random search over the paper's ranges: the hyperparameters of the lowest squared error over folds.

    `curves` are finished ones; the regression is that of the first `length` observations of the first curve.
    `described` gives their further features. The trials begin with the defaults, so what is returned is never
    worse than these over the same folds. OLS has none: it returns the defaults at once.
    """
    data = _data(curves, length, described)
    require_count("num_trials", num_trials, minimum=1)
    require_count("num_folds", num_folds, minimum=2)
    if regression is Regression.OLS:
        return Hyperparameters()
    draw = np.random.default_rng(seed)
    trials = [Hyperparameters()]
    trials += [_drawn(draw, num_features=data.features.shape[1]) for _ in range(num_trials - 1)]
    errors = [_error(data, regression, trial, num_folds) for trial in trials]
    return trials[int(np.argmin(errors))]


def leave_one_out_spread(
    curves: Sequence[Curve],
    *,
    length: int,
    regression: Regression,
    hyperparameters: Hyperparameters,
    described: Sequence[Numbers] = (),
) -> float:
    """The standard deviation, in points, of forecasts of each curve from all others (section 3)."""
    data = _data(curves, length, described)
    return float(np.sqrt(_error(data, regression, hyperparameters, len(curves))))


def _data(curves: Sequence[Curve], length: int, described: Sequence[Numbers]) -> RegressionData:
    require_count("number of curves", len(curves), minimum=4)
    require_count("length", length, minimum=1)
    if length > len(curves[0]):
        raise ValueError(
            f"length = {length} is more than the {len(curves[0])} observations of the first curve"
        )
    names = common_names(described)
    return regression_data(curves, curves[0].epochs[:length], described=described, names=names)


def _drawn(draw: np.random.Generator, *, num_features: int) -> Hyperparameters:
    """One trial. The paper's gamma is that of the kernel: ours is times the number of features."""
    gamma = _log_uniform(draw, PAPER_GAMMA)
    cost = _log_uniform(draw, PAPER_COST)
    return Hyperparameters(
        rbf_cost=cost,
        linear_cost=cost,
        nu=float(draw.uniform(LOWEST_NU, 1.0)),
        width=gamma * num_features,
        num_trees=int(draw.integers(*PAPER_TREES, endpoint=True)),
        feature_share=float(draw.uniform(*PAPER_FEATURE_SHARE)),
    )


def _log_uniform(draw: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(draw.uniform(*np.log(limits))))


def _error(data: RegressionData, regression: Regression, trial: Hyperparameters, num_folds: int) -> float:
    residuals = fold_residuals(
        regression, data.features, data.accuracies, hyperparameters=trial, num_folds=num_folds
    )
    return float(np.mean(residuals**2))

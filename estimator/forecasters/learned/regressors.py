"""The four regressions of Baker et al. (arXiv 1705.10823, section 2.2 and appendix C), fitted and ready to use."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from estimator.checks import require_count, require_positive
from estimator.curve import Array

__all__ = [
    "FittedRegression",
    "Hyperparameters",
    "Regression",
    "fit_regression",
    "fold_residuals",
    "out_of_bag_residuals",
]

FLAT = 1e-9
"""A feature, or an accuracy, with a smaller standard deviation says nothing."""

TOLERANCE = 1e-2
"""Where the solver of nu-SVR ends: scikit-learn's own 1e-3 takes three times as long for the same forecasts."""

MOST_ITERATIONS = 200_000
"""Of that solver: an end for data that it can't fit; 1,000 recorded curves take a twentieth of it."""


class Regression(StrEnum):
    """How final accuracies are regressed on features."""

    NUSVR_RBF = "nusvr-rbf"
    NUSVR_LINEAR = "nusvr-linear"
    FOREST = "forest"
    OLS = "ols"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameters:
    """Of all regressions; each uses its own. Features and accuracies are standardised.

    nu-SVR: `nu`, and C, which is `rbf_cost` or `linear_cost` (the linear kernel gains nothing from a high one,
    and takes minutes for 1,000 curves); for the RBF kernel `width`, its gamma times the number of features, so
    that one value suits short curves and long ones. Forest: `num_trees`, and `feature_share`, the share of the
    features that each split may choose from.
    """

    rbf_cost: float = 10.0
    linear_cost: float = 0.05
    nu: float = 0.5
    width: float = 0.1
    num_trees: int = 80
    feature_share: float = 0.3

    def __post_init__(self) -> None:
        require_positive("rbf_cost", self.rbf_cost)
        require_positive("linear_cost", self.linear_cost)
        require_positive("nu", self.nu)
        require_positive("width", self.width)
        require_count("num_trees", self.num_trees, minimum=1)
        require_positive("feature_share", self.feature_share)
        for name in ("nu", "feature_share"):
            if getattr(self, name) > 1.0:
                raise ValueError(f"{name} = {getattr(self, name)!r} must be a share, 1 or less")


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedRegression:
    """A fitted regression, with the standardisation that it was fitted in."""

    model: Any
    centre: Array  # [k]
    scale: Array  # [k]
    mean: float
    deviation: float

    def predict(self, features: Array) -> Array:
        """Accuracies, percent, of rows of features, [n, k] -> [n]; may lie outside 0..100."""
        predicted = self.model.predict((features - self.centre) / self.scale)
        return self.mean + self.deviation * np.asarray(predicted, dtype=np.float64)


def fit_regression(
    regression: Regression, features: Array, accuracies: Array, *, hyperparameters: Hyperparameters
) -> FittedRegression:
    """Fitted on `features` [n, k] and `accuracies` [n]; n >= 2."""
    centre, spreads = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spreads > FLAT, spreads, np.inf)
    mean, deviation = float(accuracies.mean()), float(accuracies.std())
    model = _unfitted(regression, hyperparameters, num_features=features.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an early end of the solver, and too few trees for every residual
        model.fit((features - centre) / scale, (accuracies - mean) / max(deviation, FLAT))
    return FittedRegression(
        model=model, centre=centre, scale=scale, mean=mean, deviation=max(deviation, FLAT)
    )


def fold_residuals(
    regression: Regression,
    features: Array,
    accuracies: Array,
    *,
    hyperparameters: Hyperparameters,
    num_folds: int,
) -> Array:
    """Errors of each row's accuracy as forecast from the other folds, points, [n]; row i is in fold i mod K."""
    num_folds = min(num_folds, len(accuracies))
    folds = np.arange(len(accuracies)) % num_folds
    residuals = np.empty(len(accuracies))
    for fold in range(num_folds):
        out, kept = folds == fold, folds != fold
        fitted = fit_regression(regression, features[kept], accuracies[kept], hyperparameters=hyperparameters)
        residuals[out] = accuracies[out] - fitted.predict(features[out])
    return residuals


def out_of_bag_residuals(forest: FittedRegression, accuracies: Array) -> Array:
    """Errors of the accuracies that a forest was fitted on, as the trees forecast that have not seen them."""
    predicted = np.asarray(forest.model.oob_prediction_, dtype=np.float64)
    return accuracies - (forest.mean + forest.deviation * predicted)


def _unfitted(regression: Regression, values: Hyperparameters, *, num_features: int) -> Any:
    """scikit-learn is imported here: it takes longer than everything else together."""
    if regression is Regression.FOREST:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(
            n_estimators=values.num_trees,
            max_features=values.feature_share,
            oob_score=True,
            random_state=0,
        )
    if regression is Regression.OLS:
        from sklearn.linear_model import LinearRegression

        return LinearRegression()
    from sklearn.svm import NuSVR

    rbf = regression is Regression.NUSVR_RBF
    return NuSVR(
        kernel="rbf" if rbf else "linear",
        C=values.rbf_cost if rbf else values.linear_cost,
        nu=values.nu,
        gamma=values.width / num_features,
        tol=TOLERANCE,
        max_iter=MOST_ITERATIONS,
    )

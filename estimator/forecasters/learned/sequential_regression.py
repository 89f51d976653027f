"""Forecaster: sequential regression models (SRM) of Baker et al., arXiv 1705.10823, sections 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from estimator.checks import require_count
from estimator.curve import Curve
from estimator.forecasters.base import BestSoFar, Forecaster
from estimator.forecasters.learned.finished_curves import FinishedCurves, first_finished_curves
from estimator.forecasters.learned.regression_data import (
    RegressionData,
    common_names,
    curve_row,
    observed_epochs,
    regression_data,
)
from estimator.forecasters.learned.regressors import (
    FittedRegression,
    Hyperparameters,
    Regression,
    fit_regression,
    fold_residuals,
    out_of_bag_residuals,
)
from estimator.population import ALONE, Population
from estimator.values import Forecast, Numbers

__all__ = ["NUM_FOLDS", "SequentialModel", "SequentialRegression", "fit_length"]

NUM_FOLDS = 5

GROWTH = 1.2
"""A regression is fitted again when the number of finished curves has grown by this factor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SequentialModel:
    """The regression of one observed length, and its spread: points, the same for all candidates."""

    fitted: FittedRegression
    spread: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SequentialRegression(Forecaster):
    """A regression per observed length, of the final accuracy on the curve so far.

    Features are the accuracies with their first and second differences, and whatever numbers the candidate
    and all finished ones were described by (`History.describe`). The spread is that of the residuals over
    `NUM_FOLDS` folds (of the trees that have not seen a curve, for the forest): the paper leaves one out at a
    time, which takes too long while a decision waits; `leave_one_out_spread` does so in the background, and
    `tune` finds hyperparameters. Forecasts are kept between the best so far and 100. With fewer than
    `min_finished` curves to learn from, `fallback` forecasts; from then on the models learn from the first
    20, 24, 28, ... of them, as each refit costs a fit per length.
    """

    alone: ClassVar[bool] = False
    regression: Regression = Regression.NUSVR_RBF
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    min_finished: int = 20
    fallback: Forecaster = field(default_factory=BestSoFar)

    def __post_init__(self) -> None:
        require_count("min_finished", self.min_finished, minimum=4)

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        finished = first_finished_curves(population, fewest=self.min_finished, growth=GROWTH)
        if len(finished) < self.min_finished:
            return self.fallback.forecast(curve, population)
        history = population.history
        own = history.features_of(population.candidate)
        others = tuple(history.features_of(member.candidate) for member in finished.members)
        names = common_names((own, *others)) if own else ()
        key = (self.regression, self.hyperparameters, names, observed_epochs(curve).tobytes())
        model = finished.model(key, lambda: self._fit(finished, curve, others, names))
        predicted = float(model.fitted.predict(curve_row(curve, described=own, names=names))[0])
        value = min(max(predicted, curve.best_accuracy), 100.0)
        return Forecast(value=value, spread=model.spread, at_max_epochs=value, num_points=len(curve))

    def _fit(
        self, finished: FinishedCurves, curve: Curve, others: tuple[Numbers, ...], names: tuple[str, ...]
    ) -> SequentialModel:
        data = regression_data(finished.curves, observed_epochs(curve), described=others, names=names)
        return fit_length(data, regression=self.regression, hyperparameters=self.hyperparameters)


def fit_length(
    data: RegressionData, *, regression: Regression, hyperparameters: Hyperparameters
) -> SequentialModel:
    """The model of one observed length, with its spread by folds."""
    features, accuracies = data.features, data.accuracies
    fitted = fit_regression(regression, features, accuracies, hyperparameters=hyperparameters)
    if regression is Regression.FOREST:
        residuals = out_of_bag_residuals(fitted, accuracies)
    else:
        residuals = fold_residuals(
            regression, features, accuracies, hyperparameters=hyperparameters, num_folds=NUM_FOLDS
        )
    return SequentialModel(fitted=fitted, spread=float(np.sqrt(np.mean(residuals**2))))

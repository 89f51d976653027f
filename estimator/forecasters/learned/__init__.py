"""Forecasters that learn from the finished curves of the same search."""

from estimator.forecasters.learned.regressors import Hyperparameters, Regression
from estimator.forecasters.learned.remaining_gain import RemainingGain
from estimator.forecasters.learned.sequential_regression import SequentialRegression

__all__ = ["Hyperparameters", "Regression", "RemainingGain", "SequentialRegression"]

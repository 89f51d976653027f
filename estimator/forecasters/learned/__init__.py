"""Forecasters that learn from the finished curves of the same search."""

from estimator.forecasters.learned.bayesian_network import BayesianNetwork
from estimator.forecasters.learned.regressors import Hyperparameters, Regression
from estimator.forecasters.learned.remaining_gain import RemainingGain
from estimator.forecasters.learned.sequential_regression import SequentialRegression
from estimator.forecasters.learned.training_signal import RankedSignal, RankingSignal

__all__ = [
    "BayesianNetwork",
    "Hyperparameters",
    "RankedSignal",
    "RankingSignal",
    "Regression",
    "RemainingGain",
    "SequentialRegression",
]

"""Forecasters: from a learning curve so far to the accuracy at the full budget. One file each."""

from estimator.forecasters.base import Forecaster
from estimator.forecasters.best_so_far import BestSoFar
from estimator.forecasters.exponential import Exponential, Target
from estimator.forecasters.joint import Joint
from estimator.forecasters.last_value import LastValue
from estimator.forecasters.learned import (
    BayesianNetwork,
    RankedSignal,
    RemainingGain,
    SequentialRegression,
    Signal,
)
from estimator.forecasters.separable import FamilyBank, SeparableExponential

__all__ = [
    "BayesianNetwork",
    "BestSoFar",
    "Exponential",
    "FamilyBank",
    "Forecaster",
    "Joint",
    "LastValue",
    "RankedSignal",
    "RemainingGain",
    "SeparableExponential",
    "SequentialRegression",
    "Signal",
    "Target",
]

"""Forecasters: from a learning curve so far to the accuracy at the full budget."""

from estimator.forecasters.base import BestSoFar, Forecaster, Joint, LastValue
from estimator.forecasters.exponential import Exponential, Target
from estimator.forecasters.learned import (
    BayesianNetwork,
    RankedSignal,
    RankingSignal,
    RemainingGain,
    SequentialRegression,
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
    "RankingSignal",
    "RemainingGain",
    "SeparableExponential",
    "SequentialRegression",
    "Target",
]

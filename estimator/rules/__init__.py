"""Rules: from a curve and its forecasts to a decision."""

from estimator.rules.base import Rule
from estimator.rules.baselines import Against, IEpoch, MedianStopping, Menndl, NeverStop, Patience
from estimator.rules.combinations import After, AllOf, AnyOf
from estimator.rules.convergence import (
    A4nnConvergence,
    Convergence,
    ListingConvergence,
    NeverLearn,
    PenguinConvergence,
)
from estimator.rules.probability import PredictiveTermination, UnlikelyBest, UnlikelyTop
from estimator.rules.rungs import Bracket, Brackets, PauseAtRungs, Rung, Rungs

__all__ = [
    "A4nnConvergence",
    "After",
    "Against",
    "AllOf",
    "AnyOf",
    "Bracket",
    "Brackets",
    "Convergence",
    "IEpoch",
    "ListingConvergence",
    "MedianStopping",
    "Menndl",
    "NeverLearn",
    "NeverStop",
    "Patience",
    "PauseAtRungs",
    "PenguinConvergence",
    "PredictiveTermination",
    "Rule",
    "Rung",
    "Rungs",
    "UnlikelyBest",
    "UnlikelyTop",
]

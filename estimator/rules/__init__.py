"""Rules: from a curve and its forecasts to a decision. One file each."""

from estimator.rules.a4nn import A4nnConvergence
from estimator.rules.base import Rule
from estimator.rules.brackets import Bracket, Brackets
from estimator.rules.combinations import After, AllOf, AnyOf
from estimator.rules.convergence import Convergence
from estimator.rules.i_epoch import IEpoch
from estimator.rules.listing import ListingConvergence
from estimator.rules.median import Against, MedianStopping
from estimator.rules.menndl import Menndl
from estimator.rules.never_learn import NeverLearn
from estimator.rules.none import NeverStop
from estimator.rules.patience import Patience
from estimator.rules.pause_at_rungs import PauseAtRungs
from estimator.rules.penguin import PenguinConvergence
from estimator.rules.predictive_termination import PredictiveTermination
from estimator.rules.rungs import Rung, Rungs
from estimator.rules.unlikely_best import UnlikelyBest
from estimator.rules.unlikely_top import UnlikelyTop

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

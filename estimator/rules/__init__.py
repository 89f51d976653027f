"""Rules: from a curve and its forecasts to a decision. One file each."""

from estimator.rules.a4nn import A4nnConvergence
from estimator.rules.base import Rule
from estimator.rules.convergence import Convergence
from estimator.rules.i_epoch import IEpoch
from estimator.rules.listing import ListingConvergence
from estimator.rules.menndl import Menndl
from estimator.rules.never_learn import NeverLearn
from estimator.rules.none import NeverStop
from estimator.rules.penguin import PenguinConvergence

__all__ = [
    "A4nnConvergence",
    "Convergence",
    "IEpoch",
    "ListingConvergence",
    "Menndl",
    "NeverLearn",
    "NeverStop",
    "PenguinConvergence",
    "Rule",
]

"""Forecasters by variable projection: curves that are linear in all but their shape."""

from estimator.forecasters.separable.bank import FamilyBank
from estimator.forecasters.separable.exponential import SeparableExponential
from estimator.forecasters.separable.families import DISTINCT, FAMILIES, Family
from estimator.forecasters.separable.least_squares import ExponentialFits, fit_curves, fit_prefixes

__all__ = [
    "DISTINCT",
    "FAMILIES",
    "ExponentialFits",
    "Family",
    "FamilyBank",
    "SeparableExponential",
    "fit_curves",
    "fit_prefixes",
]

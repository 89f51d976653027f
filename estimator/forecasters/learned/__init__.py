"""Forecasters that learn from the finished curves of the same search."""

from estimator.forecasters.learned.remaining_gain import RemainingGain

__all__ = ["RemainingGain"]

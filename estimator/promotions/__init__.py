"""Promotions: which of the paused candidates goes on. One file each."""

from estimator.promotions.asynchronous import AsynchronousHalving
from estimator.promotions.synchronous import SynchronousHalving

__all__ = ["AsynchronousHalving", "SynchronousHalving"]

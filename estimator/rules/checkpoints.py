"""Checkpoints: shares of the full budget at which a rule decides, and says nothing in between."""

from __future__ import annotations

from collections.abc import Sequence

from estimator.checks import require_probability
from estimator.curve import SLACK, Curve

__all__ = ["is_at_checkpoint", "require_checkpoints"]


def is_at_checkpoint(curve: Curve, checkpoints: Sequence[float], *, max_epochs: float) -> bool:
    """Whether the latest observation is the first at or after one of these shares of `max_epochs`."""
    before = curve.epochs[-2] if len(curve) > 1 else 0.0
    return any(before < share * max_epochs - SLACK <= curve.last_epoch for share in checkpoints)


def require_checkpoints(checkpoints: Sequence[float]) -> None:
    """Each is a share between 0 and 1, neither of them; raises ValueError."""
    for share in checkpoints:
        require_probability("checkpoints", share)

"""The i-Epoch front: what any rule must beat (Egele et al., arXiv 2404.04111).

Stop every candidate after the same i epochs, and rank by the best accuracy so far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.score import Score, score
from hpc_nas.replay.values import Replay, Replayed
from hpc_nas.values import Reason

__all__ = ["SHARES", "epochs_at", "i_epoch_front", "replay_i_epoch"]

SHARES = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75)
"""Shares of the full budget at which the front is drawn."""


def epochs_at(curves: CurveSet, share: float) -> float:
    """The validation nearest to that share of the full budget, epochs."""
    return float(curves.epochs[np.argmin(np.abs(curves.epochs - share * curves.max_epochs))])


def replay_i_epoch(curves: CurveSet, *, epochs: float) -> Replay:
    """What preset `i-epoch` gives on these curves, without an engine."""
    column = int(np.searchsorted(curves.epochs, epochs))
    finished = column == len(curves.epochs) - 1
    best = curves.val_accuracy[:, : column + 1].max(axis=1).tolist()
    return Replay(
        candidates=tuple(
            Replayed(
                index=index,
                id=name,
                stop_epoch=float(curves.epochs[column]),
                estimate=estimate,
                spread=0.0 if finished else math.nan,
                low=math.nan,
                high=math.nan,
                reason=Reason.FULL_BUDGET if finished else Reason.BUDGET,
                num_pauses=0,
                num_decisions=column + 1,
                version=column,
            )
            for index, (name, estimate) in enumerate(zip(curves.ids, best, strict=True))
        )
    )


def i_epoch_front(curves: CurveSet, *, menndl_epochs: float, shares: Sequence[float] = SHARES) -> list[Score]:
    """The score at each share of the full budget."""
    return [
        score(replay_i_epoch(curves, epochs=epochs_at(curves, share)), curves, menndl_epochs=menndl_epochs)
        for share in shares
    ]

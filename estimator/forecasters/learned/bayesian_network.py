"""Forecaster: a small Bayesian neural network with a layer of curve basis functions, in the manner of LCNet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.special import stdtrit

from estimator.checks import require_count, require_positive
from estimator.curve import Array, Curve
from estimator.forecasters.base import BestSoFar, Forecaster
from estimator.forecasters.learned.curve_matrix import CurveMatrix, curve_features, signal_features
from estimator.forecasters.learned.finished_curves import first_finished_curves
from estimator.forecasters.learned.network_ensemble import Ensemble, Rows, train
from estimator.forecasters.learned.remaining_gain import forecast_of_gain
from estimator.forecasters.learned.ridge import CLIP, FLAT, NORMAL_OVER_ABSOLUTE
from estimator.population import ALONE, Population
from estimator.values import Forecast

__all__ = ["BayesianNetwork"]

GROWTH = 1.2
"""The network is trained again when the number of finished curves has grown by this factor."""

CUTS = (0.04, 0.08, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75)
"""Shares of its training at which each finished curve is cut to learn what came later."""

LATER = np.array([0.3, 0.6, 1.0])
"""Shares of the rest of the training at which the gain is learned."""

NEAR_SHARE = 0.15
"""Width of the kernel over the share of the budget, for errors of the same stage of training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trained:
    """The ensemble with its standardisation, and its errors on rows that a member has not seen."""

    ensemble: Ensemble
    centre: Array
    scale: Array
    max_epochs: float
    errors: Array  # [r], absolute, of the gain to the end
    shares: Array  # [r]: of the budget, where the row begins
    made: Array  # [r]: the gain that was forecast
    num_curves: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BayesianNetwork(Forecaster):
    """One network for all epochs: features of the curve so far -> parameters of the curve of what is to come.

    On the scale of `RemainingGain`, with its features. The spread is of the members' errors on curves that
    they have not seen, near in share of the budget and in gain, or their disagreement if that is more. Trained
    on the first 12, 15, 18, ... finished curves, once for each number; until `min_finished`, `fallback`
    forecasts.
    """

    alone: ClassVar[bool] = False
    min_finished: int = 12
    precision: float = 1.0
    fallback: Forecaster = field(default_factory=BestSoFar)

    def __post_init__(self) -> None:
        require_count("min_finished", self.min_finished, minimum=4)
        require_positive("precision", self.precision)

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        if not len(curve):
            return None
        finished = first_finished_curves(population, fewest=self.min_finished, growth=GROWTH)
        if len(finished) < self.min_finished:
            return self.fallback.forecast(curve, population)
        trained = finished.model(
            ("bayesian network", self.precision), lambda: _trained(finished.matrix, self.precision)
        )
        features, best = _features(CurveMatrix.of([curve]), curve.last_epoch, trained.max_epochs)
        inputs = np.clip((features - trained.centre) / trained.scale, -CLIP, CLIP)
        share = curve.last_epoch / trained.max_epochs
        gains = trained.ensemble.gains(np.nan_to_num(inputs), np.array([[max(0.0, 1.0 - share)]]))[:, 0, 0]
        gain = float(gains.mean())
        deviation = max(_near_error(trained, share, gain), float(gains.std()))
        margin = float(stdtrit(max(3.0, trained.num_curves - 4.0), 0.95))
        return forecast_of_gain(curve, float(best[0]), gain, deviation=deviation, margin_90=margin)


def _features(curves: CurveMatrix, epoch: float, max_epochs: float) -> tuple[Array, Array]:
    """Those of `RemainingGain`, both signals' included (NaN where unknown), and the share of the budget."""
    features, best = curve_features(curves, epoch)
    unknown = np.full((len(features), 2), np.nan)
    signals = [
        unknown if signal is None else signal_features(curves, signal, epoch) for signal in curves.signals
    ]
    share = np.full((len(features), 1), epoch / max_epochs)
    return np.column_stack((features, *signals, share)), best


def _trained(curves: CurveMatrix, precision: float) -> _Trained:
    rows_of, num_curves = np.arange(len(curves.lengths)), len(curves.lengths)
    max_epochs = float(np.median(curves.epochs[rows_of, curves.lengths - 1]))
    features, gains = [], []
    for cut in CUTS:
        at_cut, best = _features(curves, cut * max_epochs, max_epochs)
        later = [cut + share * (1.0 - cut) for share in LATER]
        reached = [
            curves.best_at(np.maximum(curves.num_observed(share * max_epochs) - 1, 0)) for share in later[:-1]
        ]
        features.append(at_cut)
        gains.append(np.column_stack([*reached, curves.final]) - best[:, None])
    table = np.concatenate(features)
    centre, scale = _standard(table)
    shares = np.repeat(CUTS, num_curves)
    rows = Rows(
        features=np.nan_to_num(np.clip((table - centre) / scale, -CLIP, CLIP)),
        times=(1.0 - shares)[:, None] * LATER,
        gains=np.maximum(np.concatenate(gains), 0.0),
        curves=np.tile(rows_of, len(CUTS)),
    )
    ensemble, unseen = train(rows, precision=precision)
    by_member = ensemble.gains(rows.features, rows.times[:, -1:])[..., 0]
    made = np.sum(by_member * unseen, axis=0) / unseen.sum(axis=0)
    errors = np.abs(rows.gains[:, -1] - made)
    return _Trained(
        ensemble=ensemble,
        centre=centre,
        scale=scale,
        max_epochs=max_epochs,
        errors=errors,
        shares=shares,
        made=made,
        num_curves=num_curves,
    )


def _standard(table: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column's known values; a column that says nothing counts as 0."""
    known = np.isfinite(table)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, table, 0.0).sum(axis=0) / count
    deviation = np.sqrt(np.where(known, (table - centre) ** 2, 0.0).sum(axis=0) / count)
    return centre, np.where(deviation > FLAT, deviation, np.inf)


def _near_error(trained: _Trained, share: float, gain: float) -> float:
    """The standard deviation of errors from nearly this share of the budget, and of nearly this gain."""
    width = 0.5 * float(trained.made.std()) + FLAT
    distances = ((trained.shares - share) / NEAR_SHARE) ** 2 + ((trained.made - gain) / width) ** 2
    weights = np.exp(-0.5 * distances) + 0.002
    return NORMAL_OVER_ABSOLUTE * float(weights @ trained.errors) / float(weights.sum())

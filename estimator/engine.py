"""The engine: one candidate's observations in, decisions out."""

from __future__ import annotations

import math
from dataclasses import replace

from estimator.curve import Curve
from estimator.presets import Preset
from estimator.rules.base import Forecasts, go
from estimator.rules.loss import SLACK
from estimator.values import Decision, Estimate, Forecast, Source

__all__ = ["Engine"]


class Engine:
    """Watches one candidate (one attempt of it) while it trains; deterministic, one forecast per observation.

    The first decision to stop is final and stays in `decision`. A candidate may be trained on all the same
    (to know the truth): then each further observation is still forecast, and answered with that decision and
    its own forecast.
    """

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._curve = Curve()
        self._forecasts: list[Forecast | None] = []
        self._decision: Decision | None = None

    @property
    def preset(self) -> Preset:
        return self._preset

    @property
    def curve(self) -> Curve:
        """The observations so far."""
        return self._curve

    @property
    def forecasts(self) -> Forecasts:
        """The forecast at each observation so far; None where there was none."""
        return tuple(self._forecasts)

    @property
    def decision(self) -> Decision | None:
        """The decision to stop; None while there is none."""
        return self._decision

    def observe(
        self,
        epoch: float,
        *,
        val_accuracy: float,
        val_loss: float = math.nan,
        train_loss: float = math.nan,
        train_accuracy: float = math.nan,
    ) -> Decision:
        """Take one observation (accuracies in percent, NaN where not measured), and decide.

        At and after `max_epochs` it never decides to stop: training ends there by itself, and `conclude` says
        what came of it. Raises InvalidObservation, and takes nothing, if the observation can't be one.
        """
        self._curve.append(
            epoch,
            val_accuracy=val_accuracy,
            val_loss=val_loss,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
        )
        forecast = self._preset.forecaster.forecast(self._curve)
        self._forecasts.append(forecast)
        if self._decision is not None:
            return replace(self._decision, forecast=forecast)
        if self._curve.last_epoch >= self._preset.max_epochs - SLACK:
            return go(forecast)
        decision = self._preset.rule.decide(self._curve, self._forecasts)
        if decision.stop:
            self._decision = decision
        return decision

    def conclude(self) -> Estimate:
        """What this candidate is worth if it was trained to the end, whatever was decided on the way.

        Raises ValueError before the first observation.
        """
        if not len(self._curve):
            raise ValueError("nothing observed yet, so there is nothing to conclude; call observe first")
        source = self._preset.conclusion
        best = source is Source.BEST_OBSERVED
        value = self._curve.best_accuracy if best else self._curve.last_accuracy
        return Estimate(value=value, spread=0.0, source=source)

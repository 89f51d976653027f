"""The engine: one candidate's observations in, decisions out."""

from __future__ import annotations

import math
from dataclasses import replace

from estimator.curve import SLACK, Curve, InvalidObservation
from estimator.history import Ended, History, Observed, Standing
from estimator.population import Population
from estimator.preset_library import Preset
from estimator.rules.base import Forecasts, go
from estimator.values import Decision, Estimate, Forecast, Source

__all__ = ["Engine"]

FRACTIONS_IN_A_ROW = 3
LOWEST_CHANCE = 5.0


class Engine:
    """Watches one candidate (one attempt of it) while it trains; deterministic, one forecast per observation.

    The first decision to stop is final and stays in `decision`. Training may continue nevertheless (to know the
    truth): then each further observation is still forecast, and answered with that decision and its own forecast.
    After a decision to pause, `observe` may be called again: the candidate has been resumed.

    Engines of one population share a `history` and give each candidate a number of its own. The engine tells
    the history what it observes and how its candidate ends; it decides with the history as it was before that.
    `audited` says that this candidate was chosen at random to be trained to the end whatever is decided.
    """

    def __init__(
        self, preset: Preset, *, history: History | None = None, candidate: int = 0, audited: bool = False
    ) -> None:
        self._preset = preset
        self._history = History() if history is None else history
        self._population = Population(history=self._history, candidate=candidate)
        self._candidate = candidate
        self._audited = audited
        self._curve = Curve()
        self._forecasts: list[Forecast | None] = []
        self._decision: Decision | None = None

    @property
    def preset(self) -> Preset:
        return self._preset

    @property
    def history(self) -> History:
        """What is known of the population."""
        return self._history

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

        At and after `max_epochs` it never decides to stop: training ends there anyway, and `conclude` says what
        came of it. Raises InvalidObservation, and takes nothing, if the observation can't be one.
        """
        observed = Observed(
            candidate=self._candidate,
            epoch=float(epoch),
            val_accuracy=float(val_accuracy),
            val_loss=float(val_loss),
            train_loss=float(train_loss),
            train_accuracy=float(train_accuracy),
        )
        decision = self._decide(self._take(observed))
        self._history.observe(observed)
        first_stop = decision.stop and self._decision is None
        if first_stop:
            self._decision = decision
        standing = self._standing_after(decision, first_stop=first_stop)
        if standing is not Standing.RUNNING:
            self._history.end(Ended(candidate=self._candidate, standing=standing, audited=self._audited))
        return decision

    def remember(
        self,
        epoch: float,
        *,
        val_accuracy: float,
        val_loss: float = math.nan,
        train_loss: float = math.nan,
        train_accuracy: float = math.nan,
    ) -> Forecast | None:
        """Take one observation that was decided on before, by another engine: its forecast, and no decision.

        For a candidate that goes on from a checkpoint: once its observations so far are remembered, this engine
        decides as one that has watched it from its first epoch. The history is told nothing, it knows them.
        Raises InvalidObservation, and takes nothing, where `observe` would.
        """
        return self._take(
            Observed(
                candidate=self._candidate,
                epoch=float(epoch),
                val_accuracy=float(val_accuracy),
                val_loss=float(val_loss),
                train_loss=float(train_loss),
                train_accuracy=float(train_accuracy),
            )
        )

    def conclude(self) -> Estimate:
        """The accuracy of a candidate that was trained to the end, whatever was decided on the way.

        Raises ValueError before the first observation.
        """
        if not len(self._curve):
            raise ValueError("nothing observed yet, so there is nothing to conclude; call observe first")
        source = self._preset.conclusion
        best = source is Source.BEST_OBSERVED
        value = self._curve.best_accuracy if best else self._curve.last_accuracy
        return Estimate(value=value, spread=0.0, source=source)

    def _take(self, observed: Observed) -> Forecast | None:
        """Append to the curve, and forecast from it."""
        self._refuse_fractions(observed.val_accuracy, epoch=observed.epoch)
        self._curve.append(
            observed.epoch,
            val_accuracy=observed.val_accuracy,
            val_loss=observed.val_loss,
            train_loss=observed.train_loss,
            train_accuracy=observed.train_accuracy,
        )
        forecast = self._preset.forecaster.forecast(self._curve, self._population)
        self._forecasts.append(forecast)
        return forecast

    def _decide(self, forecast: Forecast | None) -> Decision:
        if self._decision is not None:
            return replace(self._decision, forecast=forecast)
        version = self._population.version
        if self._curve.last_epoch >= self._preset.max_epochs - SLACK:
            return replace(go(forecast), version=version)
        decision = self._preset.rule.decide(self._curve, self._forecasts, self._population)
        return replace(decision, version=version)

    def _standing_after(self, decision: Decision, *, first_stop: bool) -> Standing:
        """The standing of the candidate after this observation; RUNNING if it does not end with it."""
        full = self._preset.max_epochs - SLACK
        if self._curve.last_epoch >= full:
            had_finished = len(self._curve) > 1 and self._curve.epochs[-2] >= full
            return Standing.RUNNING if had_finished else Standing.FINISHED
        if first_stop and not self._audited:
            return Standing.STOPPED
        return Standing.PAUSED if decision.pause and not self._audited else Standing.RUNNING

    def _refuse_fractions(self, val_accuracy: float, *, epoch: float) -> None:
        """Refuse three accuracies in a row that are above 0, at most 1, and lower than guessing would give."""
        chance = self._preset.chance_accuracy
        if len(self._curve) != FRACTIONS_IN_A_ROW - 1 or not chance >= LOWEST_CHANCE:
            return
        if 0.0 < val_accuracy <= 1.0 and 0.0 < self._curve.best_accuracy <= 1.0:
            raise InvalidObservation(
                f"epoch {epoch:g}: val_accuracy = {val_accuracy!r} and no earlier one above 1, while guessing "
                f"gives {chance:g} percent: these look like fractions; give percent, 0..100"
            )

"""From observations to outcomes: the estimator rank's pure half, and the same for recover_outcomes after a crash.

A `AttemptMonitor` follows one attempt of one candidate with an engine of its own. What it decides depends on its
observations and on the history that it is given: whoever reads the same rows with the same versions of the history
comes to the same decisions.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import estimator
from hpc_nas.configuration import Configuration, Mode, TrainingSection
from hpc_nas.errors import ConfigurationError
from hpc_nas.values import Observation, Outcome, Reason, State

_SET_ELSEWHERE = {
    "max_epochs": "[training] max_epochs",
    "epochs_per_interval": "[training] epochs_per_interval",
}


def make_preset(configuration: Configuration, *, chance_accuracy: float) -> estimator.Preset:
    """The configured estimator preset; `chance_accuracy` is the largest class's share in percent.

    Raises ConfigurationError for an unknown preset or setting, for a value out of its range, and for a preset
    that pauses candidates where there are no checkpoints to go on from.
    """
    section, training = configuration.estimator, configuration.training
    settings = dict(section.settings)
    for name, where in _SET_ELSEWHERE.items():
        if name in settings:
            raise ConfigurationError(f"[estimator.settings] {name}: set it as {where}, which all rooms share")
    try:
        chance = float(settings.pop("chance_accuracy", chance_accuracy))
        arguments: dict[str, Any] = settings
        preset = estimator.preset(
            section.preset,
            max_epochs=training.max_epochs,
            epochs_per_interval=training.epochs_per_interval,
            chance_accuracy=chance,
            **arguments,
        )
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"[estimator]: {error}") from error
    if preset.pauses and not configuration.checkpoints.enabled:
        raise ConfigurationError(
            f"[estimator] preset = {section.preset!r} pauses candidates, and with [checkpoints] enabled = false "
            "they could not go on; use enabled = true, or a preset that never pauses: "
            f"{', '.join(_that_never_pause(training))}"
        )
    return preset


def _that_never_pause(training: TrainingSection) -> list[str]:
    """The names of the presets that never pause as they are if nothing is set."""
    names = []
    for name in estimator.presets():
        with suppress(ValueError):  # one whose own settings don't fit this training
            if not estimator.preset(
                name, max_epochs=training.max_epochs, epochs_per_interval=training.epochs_per_interval
            ).pauses:
                names.append(name)
    return names


@dataclass(frozen=True, kw_only=True)
class Signal:
    """To be sent to the trainer now: stop or pause, and why."""

    action: estimator.Action
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one observation led to, and the version of the history that all of it rests on."""

    decision: estimator.Decision
    history_version: int
    signal: Signal | None


class AttemptMonitor:
    """Follows one attempt; `observe` each row in order, then `conclude` when the trainer has left.

    `history` is a mirror: what it observes itself comes back to it from the campaign, in the campaign's order.
    """

    def __init__(
        self,
        preset: estimator.Preset,
        *,
        history: estimator.MirroredHistory,
        mode: Mode,
        candidate: int,
        attempt: int,
    ):
        self._engine = estimator.Engine(
            preset, history=history, candidate=candidate, audited=mode is Mode.OBSERVE
        )
        self._mode = mode
        self._candidate = candidate
        self._attempt = attempt
        self._stop: estimator.Decision | None = None
        self._signalled: Signal | None = None
        self._best = -math.inf
        self._epoch = 0.0
        self.num_observations = 0

    def observe(self, row: Observation) -> Verdict:
        """Forecast from the curve so far, and decide unless an earlier attempt has decided on this row.

        Raises estimator.InvalidObservation for a row that can't be.
        """
        history_version = self._engine.history.version
        decision = self._remember(row) if row.carried else self._engine.observe(row.epoch, **_figures(row))
        self._best = max(self._best, row.val_accuracy)
        self._epoch = row.epoch
        self.num_observations += 1
        if decision.stop and self._stop is None:
            self._stop = decision
        return Verdict(decision=decision, history_version=history_version, signal=self._signal(decision))

    @property
    def signal(self) -> Signal | None:
        """What the trainer was to be told, whether it still heard it or not; None while there was nothing."""
        return self._signalled

    @property
    def epochs(self) -> float:
        """Validated so far, in earlier attempts too."""
        return self._epoch

    def conclude(self, state: State, *, reason: Reason, message: str = "") -> Outcome:
        """The outcome, given how the trainer left: `state` and `reason` are the trainer's word.

        A decision to stop that came too late to be carried out leaves the candidate finished, with what was
        measured; so does mode observe.
        """
        estimate: float | None = None
        spread: float | None = None
        if state is State.STOPPED and self._stop is not None:
            estimate, spread = self._stop.estimate, self._stop.spread
        elif state is State.FINISHED and self.num_observations:
            conclusion = self._engine.conclude()
            estimate, spread = conclusion.value, conclusion.spread
        return Outcome(
            candidate=self._candidate,
            attempt=self._attempt,
            state=state,
            reason=reason,
            estimate=_finite(estimate),
            spread=_finite(spread),
            best_accuracy=_finite(self._best),
            epochs=self._epoch,
            message=message,
        )

    def _remember(self, row: Observation) -> estimator.Decision:
        version = self._engine.history.version
        forecast = self._engine.remember(row.epoch, **_figures(row))
        return estimator.Decision(action=estimator.Action.GO, forecast=forecast, version=version)

    def _signal(self, decision: estimator.Decision) -> Signal | None:
        """One at most in an attempt: after it the trainer leaves, and rows that it had written change nothing."""
        if decision.reason is None or self._signalled is not None or self._mode is not Mode.STOP:
            return None
        self._signalled = Signal(action=decision.action, reason=decision.reason)
        return self._signalled


def _figures(row: Observation) -> dict[str, float]:
    names = ("val_accuracy", "val_loss", "train_loss", "train_accuracy")
    return {name: getattr(row, name) for name in names}


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None

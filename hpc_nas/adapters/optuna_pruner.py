"""An Optuna pruner that follows any preset of the estimator that stops and does not pause."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from estimator import Ended, Engine, InvalidObservation, MirroredHistory, Observed, Preset, Standing

__all__ = ["HpcNasPruner", "from_fraction", "from_loss", "percent"]

SLACK = 1e-9


def percent(value: float) -> float:
    """The score of an accuracy in percent: itself."""
    return value


def from_fraction(value: float) -> float:
    """The score of an accuracy in 0..1."""
    return 100.0 * value


def from_loss(value: float) -> float:
    """A score for losses of 0 or more, to be minimised: 100 / (1 + loss). It keeps their order."""
    return 100.0 / (1.0 + value)


class HpcNasPruner(optuna.pruners.BasePruner):
    """Prunes a trial when the preset decides to stop it; the study's other trials are its population.

    `score` turns what trials report into what the estimator knows, a percentage where more is better; it must
    rise with the objective where the study maximises it, and fall where it minimises it. A report at step s
    is one after `(s - first_step + 1) * epochs_per_step` epochs. Complete trials that reported up to the
    preset's `max_epochs` count as finished, shorter and pruned ones as stopped. A trial that reports what is
    not finite is pruned: it has failed. Losses are not reported to Optuna, so rules that need them never stop.

    Raises ValueError for a preset that pauses, since Optuna can't resume a trial; and, at the first report
    that shows it, for a score outside 0..100 or one that runs against the study's direction.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        score: Callable[[float], float] = percent,
        epochs_per_step: float = 1.0,
        first_step: int = 1,
    ) -> None:
        if preset.pauses:
            raise ValueError(
                f"preset {preset.name!r} pauses candidates, and Optuna can't resume a trial; use one that only "
                "stops (rungs and asha do, with form=stopping)"
            )
        if not 0.0 < epochs_per_step < math.inf:
            raise ValueError(f"epochs_per_step = {epochs_per_step!r} must be a finite number above 0")
        self._preset = preset
        self._score = score
        self._epochs_per_step = epochs_per_step
        self._first_step = first_step
        self._studies: dict[str, _Study] = {}
        self._lock = threading.Lock()

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether to prune this trial, from all that it and the others have reported."""
        with self._lock:
            known = self._studies.setdefault(study.study_name, _Study())
            self._require_direction(trial, study.direction)
            for other in study.get_trials(deepcopy=False):
                if other.number != trial.number and other.number not in known.ended:
                    self._learn(known, other)
            if trial.number not in known.engines:
                known.engines[trial.number] = Engine(
                    self._preset, history=known.history, candidate=trial.number
                )
            return self._judge(known.engines[trial.number], trial)

    def _judge(self, engine: Engine, trial: FrozenTrial) -> bool:
        for epoch, score in self._reports(trial, after=engine.curve.last_epoch):
            if not math.isfinite(score):
                return True
            try:
                engine.observe(epoch, val_accuracy=score)
            except InvalidObservation as error:
                raise _unusable(trial, error) from error
        return engine.decision is not None

    def _learn(self, known: _Study, trial: FrozenTrial) -> None:
        """Tell the history what is new of another trial."""
        failed = trial.state is TrialState.FAIL
        for epoch, score in self._reports(trial, after=known.last_epochs.get(trial.number, 0.0)):
            if not math.isfinite(score):
                failed = True
                break
            try:
                known.history.apply(Observed(candidate=trial.number, epoch=epoch, val_accuracy=score))
            except InvalidObservation as error:
                raise _unusable(trial, error) from error
            known.last_epochs[trial.number] = epoch
        if not trial.state.is_finished():
            return
        known.ended.add(trial.number)
        known.engines.pop(trial.number, None)
        last_epoch = known.last_epochs.get(trial.number, 0.0)
        if last_epoch:
            complete = trial.state is TrialState.COMPLETE and last_epoch >= self._preset.max_epochs - SLACK
            standing = Standing.FINISHED if complete else Standing.STOPPED
            known.history.apply(
                Ended(candidate=trial.number, standing=Standing.FAILED if failed else standing)
            )

    def _reports(self, trial: FrozenTrial, *, after: float) -> Iterator[tuple[float, float]]:
        """Epoch and score of each report after that epoch, in the order of the steps."""
        for step, value in sorted(trial.intermediate_values.items()):
            epoch = (step - self._first_step + 1) * self._epochs_per_step
            if epoch <= 0.0:
                raise ValueError(
                    f"trial {trial.number}: step {step} comes before first_step = {self._first_step}; "
                    f"if steps begin at {step}, use first_step={step}"
                )
            if epoch > after + SLACK:
                yield epoch, self._score(value) if math.isfinite(value) else math.nan

    def _require_direction(self, trial: FrozenTrial, direction: StudyDirection) -> None:
        values = sorted(value for value in trial.intermediate_values.values() if math.isfinite(value))
        if len(values) < 2 or values[0] == values[-1]:
            return
        gain = self._score(values[-1]) - self._score(values[0])
        if gain < 0.0 if direction is StudyDirection.MAXIMIZE else gain > 0.0:
            verb, side = (
                ("maximises", "falls") if direction is StudyDirection.MAXIMIZE else ("minimises", "rises")
            )
            raise ValueError(
                f"the study {verb} its objective, but score {side} with it; give HpcNasPruner a score=... in "
                "0..100 that is higher where a trial is better (from_fraction, from_loss, or your own)"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Settings only: what is known of a study is read again, and a lock can't be pickled."""
        return {
            "preset": self._preset,
            "score": self._score,
            "epochs_per_step": self._epochs_per_step,
            "first_step": self._first_step,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class _Study:
    """What the pruner knows of one study's trials, by number."""

    def __init__(self) -> None:
        self.history = MirroredHistory()
        self.engines: dict[int, Engine] = {}
        self.last_epochs: dict[int, float] = {}
        self.ended: set[int] = set()


def _unusable(trial: FrozenTrial, error: InvalidObservation) -> ValueError:
    return ValueError(f"trial {trial.number}: {error}; give HpcNasPruner a score=... in 0..100")

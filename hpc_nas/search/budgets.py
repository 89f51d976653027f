"""What is known of candidates at each budget: one study per budget, in which those that run are counted as well."""

from __future__ import annotations

import optuna
from optuna import Study
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

__all__ = ["Budgets"]

_DIGITS = 6  # budgets are multiples of the interval, which need not be the same in every bit


class Budgets:
    """Takes in candidates by their trials, in the order of the ledger; each event costs the same however many came.

    A candidate is observed at every budget at which it paused or ended, and stays observed there when it goes on.
    While it is in flight and has not been observed at a budget, it is a RUNNING trial of that budget's study; one that
    is set aside is not: it may never go on.
    """

    def __init__(self) -> None:
        self._known: dict[float, _Known] = {}
        self._running: dict[int, Trial] = {}

    def start(self, trial: Trial) -> None:
        """A candidate is in flight from now on."""
        self._running[trial.number] = trial
        for known in self._known.values():
            known.run(trial)

    def observe(self, trial: Trial | FrozenTrial, *, epochs: float, value: float) -> None:
        """A candidate has this accuracy (percent) after so many epochs, and is not in flight any more."""
        self.leave(trial)
        budget = round(epochs, _DIGITS)
        if budget not in self._known:
            self._known[budget] = _Known()
            for other in self._running.values():
                self._known[budget].run(other)
        self._known[budget].observe(trial, value=value)

    def leave(self, trial: Trial | FrozenTrial) -> None:
        """A candidate is not in flight any more, if it was."""
        self._running.pop(trial.number, None)
        for known in self._known.values():
            known.leave(trial)

    def highest(self, *, min_observations: int) -> Study | None:
        """The study of the highest budget at which so many candidates were observed; None: there is no such budget.

        Its observed candidates are COMPLETE trials.
        """
        for _, known in sorted(self._known.items(), reverse=True):
            if known.num_observed >= min_observations:
                return known.study
        return None


class _Known:
    """One budget."""

    def __init__(self) -> None:
        self.study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=0))
        self._num_trials = 0
        self._running: dict[int, int] = {}  # numbers there and here
        self._observed: set[int] = set()

    @property
    def num_observed(self) -> int:
        return len(self._observed)

    def run(self, trial: Trial) -> None:
        self._running[trial.number] = self._num_trials
        self._add(trial, state=TrialState.RUNNING)

    def observe(self, trial: Trial | FrozenTrial, *, value: float) -> None:
        """The first time counts: an attempt that begins again repeats what it has shown."""
        if trial.number not in self._observed:
            self._observed.add(trial.number)
            self._add(trial, state=TrialState.COMPLETE, value=value)

    def leave(self, trial: Trial | FrozenTrial) -> None:
        number = self._running.pop(trial.number, None)
        if number is not None:
            self.study.tell(number, state=TrialState.FAIL)

    def _add(self, trial: Trial | FrozenTrial, *, state: TrialState, value: float | None = None) -> None:
        self.study.add_trial(
            create_trial(state=state, value=value, params=trial.params, distributions=trial.distributions)
        )
        self._num_trials += 1

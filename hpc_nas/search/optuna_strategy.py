"""Any Optuna sampler as a search strategy, over an in-memory study that the ledger can rebuild.

What the study is told: a finished or stopped candidate is a COMPLETE trial whose value is the outcome's
*estimate* (percent, maximized); the spread stands beside it as the trial's user attribute `spread` (samplers
of Optuna do not use it). A failed or cancelled candidate, or one without an estimate, is a FAIL trial, which
samplers pass over. Every trial of a candidate has the user attribute `candidate`, its number.

A draw that collapses stays a RUNNING trial until its candidate is found: a sampler that counts running trials
as bad ones (TPE with its constant liar) moves away instead of drawing the like again. Then it becomes a FAIL
trial and has no effect any more, so the ledger need not hold it.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import optuna
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import Trial, TrialState, create_trial

from hpc_nas.errors import SpaceError
from hpc_nas.search.seeding import candidate_seed, draw_seed
from hpc_nas.search.strategy import Strategy
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.space import CollapsedShape, Space
from hpc_nas.values import Candidate, Outcome, State

__all__ = ["OptunaStrategy"]

_MEASURED = (State.FINISHED, State.STOPPED)
_MAX_GUIDED_REDRAWS = 20  # then draws are random: a sampler may insist on what collapses


class OptunaStrategy(Strategy):
    """A sampler over a space; every draw gets a sampler of its own, made from the seed of that draw."""

    def __init__(
        self,
        *,
        space: Space,
        problem: Problem,
        seed: int,
        make_sampler: Callable[[int], BaseSampler],
        max_redraws: int = 1000,
    ) -> None:
        """`seed` is the campaign's; `make_sampler` takes the seed of a draw.

        After `max_redraws` collapsed draws for one candidate the space is taken to hold no network.
        """
        self._space = space
        self._problem = problem
        self._seed = seed
        self._make_sampler = make_sampler
        self._max_redraws = max_redraws
        self._known: set[int] = set()
        self._running: dict[int, Trial] = {}
        with _quiet():
            self._study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=0))

    @property
    def study(self) -> optuna.Study:
        """The study behind the strategy, to look at only: the ledger knows nothing of changes made here."""
        return self._study

    def ask(self, number: int) -> Candidate:
        self._claim(number)
        collapsed: list[Trial] = []
        reasons: Counter[str] = Counter()
        try:
            while len(collapsed) <= self._max_redraws:
                with _quiet():
                    self._study.sampler = self._sampler(number, redraw=len(collapsed))
                    trial = self._study.ask()
                try:
                    description = self._space.draw(trial, self._problem)
                except CollapsedShape as error:
                    reasons[str(error).partition(":")[0]] += 1
                    collapsed.append(trial)
                    continue
                except SpaceError:
                    collapsed.append(trial)
                    raise
                self._start(trial, number)
                return Candidate(
                    number=number,
                    seed=candidate_seed(self._seed, number),
                    parameters=trial.params,
                    num_parameters=description.num_parameters,
                    num_layers=description.num_layers,
                    macs=description.macs,
                    redraws=len(collapsed),
                )
        finally:
            with _quiet():
                for trial in collapsed:
                    self._study.tell(trial, state=TrialState.FAIL)
        raise self._no_network(number, reasons)

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        trial = self._running.pop(candidate.number, None)
        if trial is None:
            raise ValueError(f"candidate {candidate.number} is not running: never asked for, or told before")
        for name, value in _attributes(outcome).items():
            trial.set_user_attr(name, value)
        with _quiet():
            self._study.tell(trial, _value(outcome), state=_state(outcome))

    def restore(self, candidate: Candidate, outcome: Outcome | None) -> None:
        self._claim(candidate.number)
        distributions = self._space.distributions(candidate.parameters, self._problem)
        with _quiet():
            if outcome is None:
                self._study.sampler = RandomSampler(seed=0)  # draws nothing: every parameter is given
                self._study.enqueue_trial(candidate.parameters)
                trial = self._study.ask(distributions)
                self._start(trial, candidate.number)
                return
            self._study.add_trial(
                create_trial(
                    state=_state(outcome),
                    value=_value(outcome),
                    params=candidate.parameters,
                    distributions=distributions,
                    user_attrs={"candidate": candidate.number, **_attributes(outcome)},
                )
            )

    def _sampler(self, number: int, *, redraw: int) -> BaseSampler:
        seed = draw_seed(self._seed, number, redraw)
        return self._make_sampler(seed) if redraw <= _MAX_GUIDED_REDRAWS else RandomSampler(seed=seed)

    def _no_network(self, number: int, reasons: Counter[str]) -> SpaceError:
        counts = ", ".join(f"{what} {count} times" for what, count in reasons.most_common())
        return SpaceError(
            f"space {self._space.name!r}: no network for {self._problem} in {reasons.total()} draws of "
            f"candidate {number}; collapsed: {counts}. Loosen these limits under [space]"
        )

    def _claim(self, number: int) -> None:
        if number in self._known:
            raise ValueError(f"candidate {number} was asked for or restored before; use the next number")
        self._known.add(number)

    def _start(self, trial: Trial, number: int) -> None:
        trial.set_user_attr("candidate", number)
        self._running[number] = trial


def _value(outcome: Outcome) -> float | None:
    """What the study maximizes: the estimate in percent; None where there is none to be told."""
    if outcome.state not in _MEASURED or outcome.estimate is None or not math.isfinite(outcome.estimate):
        return None
    return outcome.estimate


def _state(outcome: Outcome) -> TrialState:
    return TrialState.FAIL if _value(outcome) is None else TrialState.COMPLETE


def _attributes(outcome: Outcome) -> dict[str, float | str | None]:
    return {"outcome": outcome.label, "spread": outcome.spread}


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's log lines and warnings of experimental features are for its own users, not for ours."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)

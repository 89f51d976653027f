"""Any sampler of Optuna's kind as a search strategy, over an in-memory study that the ledger can rebuild.

What the study is told: a finished or stopped candidate is a COMPLETE trial whose values are those of the sampling's
objectives: the outcome's *estimate* (percent, maximized) above all; the spread stands beside it as the trial's user
attribute `spread`. A failed or cancelled candidate, or one without an estimate, is a FAIL trial, which
samplers pass over. Every trial of a candidate has the user attribute `candidate`, its number; while it is drawn,
and if it is rejected, it has the number as `drawn_for` only.

A draw that collapses, or is beyond the limits, stays a RUNNING trial until its candidate is found: a sampler that
counts running trials as bad ones (TPE with its constant liar) moves away instead of drawing the like again. Then it
becomes a FAIL trial and has no effect any more, so the ledger need not hold it. A network that was drawn before is
drawn again in the same way, as long as others are likely to be found.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import Trial, TrialState, create_trial

from hpc_nas.errors import SpaceError
from hpc_nas.search.limits import NO_LIMITS, Limits, RejectedDraws, no_network
from hpc_nas.search.repeats import Repeats
from hpc_nas.search.sampling import Sampling, SearchContext
from hpc_nas.search.seeding import candidate_seed, draw_seed
from hpc_nas.search.strategy import NothingLeft, Strategy, Supply
from hpc_nas.spaces.description import Description
from hpc_nas.spaces.space import CollapsedShape, Parameters
from hpc_nas.values import Candidate, Outcome

__all__ = ["OptunaStrategy"]

_MAX_REPEATS = 40
"""After so many repetitions for one candidate the space is taken to hold little else: one is trained again."""
_MAX_GUIDED_REPEATS = 10
"""Of these by the sampler, which may take long, and insist; the others are random."""


class OptunaStrategy(Strategy):
    """A sampling over a space; every draw gets a sampler of its own, made from the seed of that draw."""

    def __init__(
        self,
        sampling: Sampling,
        *,
        context: SearchContext,
        limits: Limits = NO_LIMITS,
        trains_repeats: bool = False,
        max_rejected: int = 1000,
        patience_s: float = math.inf,
    ) -> None:
        """After `max_rejected` rejected draws for one candidate, or `patience_s`, the space is taken to be empty.

        `trains_repeats`: a network that was drawn before counts like any other.
        """
        self._sampling = sampling
        self._context = context
        self._limits = limits
        self._trains_repeats = trains_repeats
        self._repeats = Repeats()
        self._max_rejected = max_rejected
        self._patience_s = patience_s
        self._known: set[int] = set()
        self._num_learnt = 0
        self._running: dict[int, Trial] = {}
        with _quiet():
            self._study = optuna.create_study(
                directions=[objective.direction for objective in sampling.objectives],
                sampler=RandomSampler(seed=0),
            )
        sampling.attach(self._study)

    @property
    def study(self) -> optuna.Study:
        """The study behind the strategy, to look at only: the ledger knows nothing of changes made here."""
        return self._study

    @property
    def supply(self) -> Supply:
        return Supply.EXHAUSTED if self._is_exhausted else Supply.READY

    def ask(self, number: int) -> Candidate:
        self._claim(number)
        rejected, rejected_trials = RejectedDraws(), list[Trial]()
        end_s = time.monotonic() + self._patience_s
        try:
            while (
                len(rejected_trials) <= self._max_rejected
                and time.monotonic() < end_s
                and not self._is_exhausted
            ):
                insists = rejected.num_repeated >= _MAX_GUIDED_REPEATS
                trial = self._begin_draw(number, redraw=len(rejected_trials), guided=not insists)
                try:
                    check = None if self._may_repeat(rejected) else self._repeats.check
                    description = self._draw(trial, check=check)
                except CollapsedShape as error:
                    rejected.add(error)
                    rejected_trials.append(trial)
                    with _quiet():
                        self._sampling.rejected(trial)
                    continue
                except SpaceError:
                    rejected_trials.append(trial)
                    raise
                self._start(trial, number)
                return Candidate(
                    number=number,
                    seed=candidate_seed(self._context.seed, number),
                    parameters=trial.params,
                    num_parameters=description.num_parameters,
                    num_layers=description.num_layers,
                    macs=description.macs,
                    redraws=len(rejected),
                    beyond_limits=rejected.num_beyond_limits,
                )
        finally:
            with _quiet():
                for trial in rejected_trials:
                    self._study.tell(trial, state=TrialState.FAIL)
        none_found = no_network(self._context, rejected, number=number)
        # One that has given candidates before has an end; one that gives none at all is a mistake.
        raise NothingLeft(str(none_found)) if self._is_exhausted and len(self._known) > 1 else none_found

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        trial = self._running.pop(candidate.number, None)
        if trial is None:
            raise ValueError(f"candidate {candidate.number} is not running: never asked for, or told before")
        for name, value in _attributes(outcome).items():
            trial.set_user_attr(name, value)
        values = self._values(candidate, outcome)
        with _quiet():
            self._sampling.told(self._study.tell(trial, values, state=_state(values)))

    def restore(self, candidate: Candidate) -> None:
        self._claim(candidate.number)
        space, problem = self._context.space, self._context.problem
        distributions = space.distributions(candidate.parameters, problem)
        for redraw in range(self._sampling.num_repeated(candidate)):
            self._repeat_rejected_draw(candidate.number, redraw=redraw)
        with _quiet():
            self._study.sampler = RandomSampler(seed=0)  # draws nothing: every parameter is given
            self._study.enqueue_trial(candidate.parameters)
            trial = self._study.ask(distributions)
        self._start(trial, candidate.number)

    def pause(self, candidate: Candidate, *, epochs: float, accuracy: float) -> None:
        """In the study its trial runs on."""
        with _quiet():
            self._sampling.paused(self._running[candidate.number], epochs=epochs, accuracy=accuracy)

    def learn(self, candidate: Candidate, outcome: Outcome) -> None:
        space, problem = self._context.space, self._context.problem
        values = self._values(candidate, outcome)
        trial = create_trial(
            state=_state(values),
            values=values,
            params=candidate.parameters,
            distributions=space.distributions(candidate.parameters, problem),
            user_attrs=_attributes(outcome),
        )
        with _quiet():
            self._study.add_trial(trial)
            self._num_learnt += 1
            self._repeats.add(candidate.parameters)
            self._sampling.told(self._study.get_trials(deepcopy=False)[-1])

    def _draw(self, trial: Trial, *, check: Callable[[Parameters], None] | None = None) -> Description:
        description = self._context.space.draw(trial, self._context.problem, check=check)
        self._limits.check(description)
        self._sampling.check(trial)
        return description

    def _may_repeat(self, rejected: RejectedDraws) -> bool:
        """Also where few draws give any network at all: half of them are left to find one, a known one if need be."""
        return (
            self._trains_repeats
            or rejected.num_repeated >= _MAX_REPEATS
            or len(rejected) >= self._max_rejected // 2
        )

    def _begin_draw(self, number: int, *, redraw: int, guided: bool = True) -> Trial:
        seed = draw_seed(self._context.seed, number, redraw, num_learnt=self._num_learnt)
        guided = guided and redraw <= self._sampling.max_guided_draws
        with _quiet():
            self._study.sampler = self._sampling.sampler(seed) if guided else RandomSampler(seed=seed)
            trial = self._study.ask()
        trial.set_user_attr("drawn_for", number)
        return trial

    def _repeat_rejected_draw(self, number: int, *, redraw: int) -> None:
        """Repeat a rejected draw, which is not in the ledger."""
        trial = self._begin_draw(number, redraw=redraw)
        with suppress(CollapsedShape):
            self._draw(trial)
        with _quiet():
            self._study.tell(trial, state=TrialState.FAIL)

    @property
    def _is_exhausted(self) -> bool:
        with _quiet():
            return self._sampling.is_exhausted

    def _claim(self, number: int) -> None:
        if number in self._known:
            raise ValueError(f"candidate {number} was asked for or restored before; use the next number")
        self._known.add(number)

    def _start(self, trial: Trial, number: int) -> None:
        trial.set_user_attr("candidate", number)
        self._running[number] = trial
        self._repeats.add(trial.params)
        with _quiet():
            self._sampling.started(trial)

    def _values(self, candidate: Candidate, outcome: Outcome) -> list[float] | None:
        """What the study is told, one for each objective; None where one of them is unknown."""
        values = [objective.value(candidate, outcome) for objective in self._sampling.objectives]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None


def _state(values: list[float] | None) -> TrialState:
    return TrialState.FAIL if values is None else TrialState.COMPLETE


def _attributes(outcome: Outcome) -> dict[str, float | str | None]:
    return {"outcome": outcome.label, "spread": outcome.spread, "epochs": outcome.epochs}


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

"""The finished curves that forecasts learn from, the models kept for them, and estimates of all other candidates.

Finished candidates are no random sample once a rule stops some: those that it lets through look better at the
checkpoints where it decided. A regression on the curve so far accounts for what the rule decided by, so it stays about
right where there are finished curves, and extrapolates where there are none; intervals there are rather too narrow.
Audited candidates, trained to the end whatever was decided, are the unbiased sample.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np

from estimator.curve import Array, Curve
from estimator.forecasters.base import Forecaster
from estimator.forecasters.learned.curve_matrix import CurveMatrix
from estimator.history import Member, Standing
from estimator.population import Population

__all__ = ["FinishedCurves", "estimates_of_others", "finished_curves", "first_finished_curves"]

_Model = TypeVar("_Model")


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedCurves:
    """The members, in the order of their first event; `model` keeps what is learned from them."""

    members: tuple[Member, ...]
    _models: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.members)

    @property
    def curves(self) -> list[Curve]:
        """Their curves."""
        return [member.curve for member in self.members]

    @property
    def matrix(self) -> CurveMatrix:
        """Their curves side by side."""
        return self.model("matrix", lambda: CurveMatrix.of(self.curves))

    def model(self, key: Hashable, build: Callable[[], _Model]) -> _Model:
        """What `build` made for this key when it was first asked for; it must rest on these curves alone."""
        if key not in self._models:
            self._models[key] = build()
        return self._models[key]  # type: ignore[no-any-return]


def finished_curves(population: Population) -> FinishedCurves:
    """The curves of the others that were trained to the full budget; made anew when they have changed."""
    members = _finished_others(population)
    return population.history.recall("finished curves", members, lambda: FinishedCurves(members=members))


def first_finished_curves(population: Population, *, fewest: int, growth: float) -> FinishedCurves:
    """The first `fewest` of them, or that many times `growth`, and again, as far as they go; for slow learners.

    So what is learned holds until there are `growth` times as many. All of them, if they are too few.
    """
    members = _finished_others(population)
    used = fewest
    while (following := max(used + 1, int(used * growth))) <= len(members):
        used = following
    first = members[:used]
    key = ("first finished curves", fewest, growth)
    return population.history.recall(key, first, lambda: FinishedCurves(members=first))


def _finished_others(population: Population) -> tuple[Member, ...]:
    history = population.history
    members = history.recall(
        "finished members", history.num_ended, lambda: tuple(history.those(Standing.FINISHED))
    )
    judged = history.members.get(population.candidate)
    if judged is None or judged.standing is not Standing.FINISHED:
        return members
    return tuple(member for member in members if member.candidate != population.candidate)


_Known: TypeAlias = dict[int, tuple[Curve, int, float]]
"""By candidate: the curve and the number of its observations that an estimate rests on, and the estimate."""


def estimates_of_others(population: Population, forecaster: Forecaster) -> Array:
    """Accuracies at the full budget, percent, of all others that have one, in the order of their first event.

    A finished one counts with the best of its curve; a stopped, paused or running one with the forecast from
    all of its curve. `forecaster` must rest on a curve and the finished ones alone: an estimate is made again
    only when one of these has changed.
    """
    history = population.history
    members = finished_curves(population).members
    known: _Known = history.recall(("estimates", forecaster), members, dict)
    values = [_estimate(member, population, forecaster, known) for member in population.others]
    estimates = np.array(values, dtype=np.float64)
    return estimates[np.isfinite(estimates)]


def _estimate(member: Member, population: Population, forecaster: Forecaster, known: _Known) -> float:
    """NaN where there is none."""
    if member.standing is Standing.FINISHED:
        return member.curve.best_accuracy
    curve, length = member.curve, len(member.curve)
    before = known.get(member.candidate)
    if before is not None and before[0] is curve and before[1] == length:
        return before[2]
    forecast = forecaster.forecast(curve, Population(history=population.history, candidate=member.candidate))
    value = np.nan if forecast is None else forecast.value
    known[member.candidate] = (curve, length, value)
    return value

"""The finished curves that a candidate's forecast may learn from, and the models kept for them.

Which candidates are finished is not chosen at random once a rule stops some: those that it lets through look
better *at the checkpoints where it decided*. A regression on the curve so far takes what it decided by into
account, so it stays about right where finished curves are, and extrapolates where none survive; intervals there
are too narrow, if anything. Audited candidates, finished whatever was decided, are the unbiased sample.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from estimator.curve import Curve
from estimator.forecasters.learned.curve_matrix import CurveMatrix
from estimator.history import Member, Standing
from estimator.population import Population

__all__ = ["FinishedCurves", "finished_curves", "first_finished_curves"]

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

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

__all__ = ["FinishedCurves", "finished_curves"]

_Model = TypeVar("_Model")


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedCurves:
    """The members, in the order of their first event, and their curves as a matrix.

    `model` keeps what is learned from them, until they change.
    """

    members: tuple[Member, ...]
    matrix: CurveMatrix
    _models: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.members)

    def model(self, key: Hashable, build: Callable[[], _Model]) -> _Model:
        """What `build` made for this key when it was first asked for; it must rest on these curves alone."""
        if key not in self._models:
            self._models[key] = build()
        return self._models[key]  # type: ignore[no-any-return]


def finished_curves(population: Population) -> FinishedCurves:
    """The curves of the others that were trained to the full budget; made anew when they have changed."""
    history = population.history
    members = history.recall(
        "finished members", history.num_ended, lambda: tuple(history.those(Standing.FINISHED))
    )
    judged = history.members.get(population.candidate)
    if judged is not None and judged.standing is Standing.FINISHED:
        members = tuple(member for member in members if member.candidate != population.candidate)
    return history.recall("finished curves", members, lambda: _side_by_side(members))


def _side_by_side(members: tuple[Member, ...]) -> FinishedCurves:
    curves: list[Curve] = [member.curve for member in members]
    return FinishedCurves(members=members, matrix=CurveMatrix.of(curves))

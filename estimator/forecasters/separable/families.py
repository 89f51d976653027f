"""Parametric families of learning curves, each linear in all but its shape.

    y(x) = offset + gain * shape(t; theta),   t = x / x at the full budget

so that for a given theta a curve is a linear problem. The shapes stand on a grid of theta; the two linear
parameters are expressed as the accuracies at the first observation and at the full budget, which is where
something is known of them beforehand. Families and names: Domhan et al., IJCAI 2015, Table 1; Viering and Loog,
TPAMI 2022, Table 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from estimator.curve import Array

__all__ = ["DISTINCT", "FAMILIES", "Design", "Family", "design_of"]

EARLIEST = 1e-4
"""Shares of the budget below this count as this: a power law has no value at 0."""
DESIGNS_KEPT = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A family of rising curves. `shape(t, theta)` is given t [1, n] and one column of shape [J, 1] per axis of
    the grid, and returns [J, n]. Without `has_offset` the curve is `gain * shape`, and begins at 0.
    """

    name: str
    formula: str
    shape: Callable[..., Array]
    axes: tuple[tuple[float, ...], ...]
    has_offset: bool = True

    def columns(self) -> list[Array]:
        """The grid of theta: one column [J, 1] per parameter of the shape."""
        points = np.array(list(product(*self.axes)), dtype=np.float64)
        return [column[:, None] for column in points.T]


def _spaced(lowest: float, highest: float, count: int) -> tuple[float, ...]:
    return tuple(float(value) for value in np.geomspace(lowest, highest, count))


_PLACES = _spaced(0.01, 1.0, 8)
"""Shares of the budget at which a curve bends."""

_ALL = (
    Family(
        name="exp3",
        formula="c - a exp(-k x)",
        shape=lambda t, k: -np.exp(-k * t),
        axes=(_spaced(0.5, 80.0, 24),),
    ),
    Family(
        name="pow3",
        formula="c - a x**-alpha",
        shape=lambda t, alpha: -(t**-alpha),
        axes=(_spaced(0.05, 4.0, 20),),
    ),
    Family(
        name="pow4",
        formula="c - a (x + b)**-alpha",
        shape=lambda t, b, alpha: -((t + b) ** -alpha),
        axes=(_spaced(0.01, 0.5, 5), _spaced(0.1, 6.0, 9)),
    ),
    Family(
        name="log_power",
        formula="a / (1 + (x / b)**-c), Hill's curve from 0",
        shape=lambda t, b, c: 1.0 / (1.0 + (t / b) ** -c),
        axes=(_PLACES, (0.5, 0.8, 1.2, 1.8, 2.7, 4.0)),
        has_offset=False,
    ),
    Family(
        name="mmf4",
        formula="c - (c - a) / (1 + (x / b)**d)",
        shape=lambda t, b, d: -1.0 / (1.0 + (t / b) ** d),
        axes=(_PLACES, (0.5, 0.8, 1.2, 1.8, 2.7, 4.0)),
    ),
    Family(
        name="ilog2",
        formula="c - a / ln(x + 1), x in hundredths of the budget",
        shape=lambda t, scale: -1.0 / np.log1p(scale * t),
        axes=((100.0,),),
    ),
    Family(
        name="janoschek",
        formula="c - (c - a) exp(-k x**d)",
        shape=lambda t, k, d: -np.exp(-k * t**d),
        axes=(_spaced(1.0, 30.0, 8), (0.35, 0.5, 0.7, 1.5, 2.2)),
    ),
    Family(
        name="weibull",
        formula="c - (c - a) exp(-(k x)**d): Janoschek's curves, on another grid",
        shape=lambda t, k, d: -np.exp(-((k * t) ** d)),
        axes=(_spaced(1.0, 100.0, 8), (0.35, 0.5, 0.7, 1.5, 2.2)),
    ),
    Family(
        name="vapor_pressure",
        formula="a exp(-b / x + c ln x)",
        shape=lambda t, b, c: np.exp(c * np.log(t) - b / t),
        axes=((0.0, *_spaced(0.003, 0.5, 6)), (0.0, 0.03, 0.08, 0.2, 0.4)),
        has_offset=False,
    ),
)
FAMILIES = {family.name: family for family in _ALL}
DISTINCT = tuple(name for name in FAMILIES if name != "weibull")
"""All families but the one that repeats another's curves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """What some families predict at x [n] for unit accuracies: y = final * end + initial * start.

    `end` is the accuracy at the full budget, `start` that at the first x; J counts all shapes of all families.
    """

    final: Array  # [J, n]
    initial: Array  # [J, n]
    log_prior: Array  # [J], of the shape: families are equally likely, and shapes within one
    final_squares: Array  # [J], sums over x of the products of the two
    products: Array
    initial_squares: Array


def design_of(names: tuple[str, ...], x: Array, *, end: float) -> Design:
    """The design of these families for observations at `x` [n], which rises and stays below `end`."""
    return _design(names, x.tobytes(), end)


@functools.lru_cache(maxsize=DESIGNS_KEPT)  # candidates of one search are validated at the same epochs
def _design(names: tuple[str, ...], x_bytes: bytes, end: float) -> Design:
    t = np.maximum(np.frombuffer(x_bytes) / end, EARLIEST)
    parts = [_family_design(FAMILIES[name], t) for name in names]
    final, initial, log_prior = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    return Design(
        final=final,
        initial=initial,
        log_prior=log_prior,
        final_squares=np.einsum("jn,jn->j", final, final),
        products=np.einsum("jn,jn->j", final, initial),
        initial_squares=np.einsum("jn,jn->j", initial, initial),
    )


def _family_design(family: Family, t: Array) -> tuple[Array, Array, Array]:
    columns = family.columns()
    with np.errstate(all="ignore"):
        values = np.broadcast_to(family.shape(t[None, :], *columns), (len(columns[0]), len(t)))
        at_start, at_end = values[:, :1], family.shape(np.ones((1, 1)), *columns)
        final = (values - at_start) / (at_end - at_start) if family.has_offset else values / at_end
    # a shape that has nothing left to gain after the first x, or no value there, says nothing
    known = np.isfinite(final).all(axis=1)
    final = final[known]
    initial = 1.0 - final if family.has_offset else np.zeros_like(final)
    return final, initial, np.full(len(final), -np.log(max(len(final), 1)))

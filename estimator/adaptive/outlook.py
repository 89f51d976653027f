"""The outlook: field, posterior and selection of a history, and forecasts in percent made from them.

It is looked at anew whenever a fortieth of the population has left its trainers since; what it rests on is a
version of the history, so that the same history gives the same outlook.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np

from estimator.adaptive.field import Album, Field
from estimator.adaptive.levels import Levels
from estimator.adaptive.portrait import draw_portrait
from estimator.adaptive.posterior import Posterior, posterior_of, posterior_of_newcomer
from estimator.adaptive.selection import Selection, select
from estimator.curve import Curve
from estimator.forecasters.learned.curve_matrix import Array, accuracy_of
from estimator.history import Ended, History, Standing
from estimator.values import Forecast, Numbers

__all__ = [
    "NUM_IN_FULL",
    "Newcomer",
    "Outlook",
    "begins_in_full",
    "final_outlook",
    "forecast_of",
    "newcomer",
    "outlook_of",
]

NUM_IN_FULL = 4
"""The first so many candidates are trained to the end: something to learn from (ESTIMATORS.md, section 5)."""

LOOKS = 40
"""A new look after each 1 / LOOKS of the population has left a trainer."""

WIDENING = 1.3
"""By which intervals are wider than the posterior's: those that were paused early are few among those that it
learns from. Chosen so that 90 % intervals hold the truth about 9 times in 10, pooled over recorded sets
(docs/decisions/0010)."""

_MEDIAN = 0.5
_PROBABILITIES = (0.05, 0.1587, 0.8413, 0.95)
_GONE = (Standing.FAILED, Standing.LOST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What a population is expected to come to. `rests_on`: the version of the history, and who is left out."""

    rests_on: tuple[int, frozenset[int]]
    field: Field
    posterior: Posterior
    selection: Selection


@dataclass(frozen=True, kw_only=True, slots=True)
class Newcomer:
    """One candidate that has come to a level since the outlook: its posterior, and its place in the selection.

    `errors` [3] and `winning` as in `Selection`; `among_best`: it belongs to the widest share.
    """

    posterior: Posterior
    errors: Array
    winning: float
    among_best: bool
    expected_overlap: float

    @property
    def numbers(self) -> Numbers:
        """The figures behind a decision on this candidate."""
        ten, twenty, thirty = self.errors.tolist()
        return (
            ("error_10", ten),
            ("error_20", twenty),
            ("error_30", thirty),
            ("winning", self.winning),
            ("expected_overlap", self.expected_overlap),
        )


def outlook_of(history: History, levels: Levels) -> Outlook | None:
    """The latest outlook; None before anybody has come to the first level."""
    step = max(1, len(history) // LOOKS)
    version = history.version_after_ends(history.num_ended // step * step)
    if version == 0:
        version = history.version
    gone = frozenset(
        event.candidate
        for event in history.events_since(version)
        if isinstance(event, Ended) and event.standing in _GONE
    )
    return history.recall(
        ("outlook", levels), (version, gone), lambda: _look(history, levels, version=version, gone=gone)
    )


def final_outlook(history: History, levels: Levels) -> Outlook | None:
    """The outlook at the history's very end."""
    return _look(history, levels, version=history.version, gone=frozenset())


def newcomer(history: History, levels: Levels, *, number: int, curve: Curve) -> Newcomer | None:
    """A candidate that is about to be judged, against the outlook; None where that has nothing to say yet."""
    # Forecaster and rule ask for the same one. The curve itself is named, as another attempt has another.
    token = (history.version, number, curve, len(curve))
    return history.recall(
        ("newcomer", levels), token, lambda: _meet(history, levels, number=number, curve=curve)
    )


def _meet(history: History, levels: Levels, *, number: int, curve: Curve) -> Newcomer | None:
    outlook = outlook_of(history, levels)
    portrait = draw_portrait(curve, levels, length=len(curve))
    if outlook is None or portrait.level < 0:
        return None
    features = outlook.field.features_of(portrait)
    posterior = posterior_of_newcomer(
        outlook.field, outlook.posterior, features[portrait.level], level=portrait.level, number=number
    )
    return _place(outlook, posterior)


def forecast_of(posterior: Posterior, *, curves: list[Curve]) -> list[Forecast]:
    """The posterior of n candidates as forecasts in percent, never below what was reached; `value` is its mean."""
    quantiles = posterior.quantiles((_MEDIAN, *_PROBABILITIES))
    medians = quantiles[:, :1]
    scores = np.column_stack([medians + WIDENING * (quantiles[:, 1:] - medians), posterior.mean])
    points = accuracy_of(np.clip(scores, -math.log(101.0), 0.0))
    forecasts = []
    for row, curve in zip(points, curves, strict=True):
        low, below, above, high, value = np.clip(row, curve.best_accuracy, 100.0).tolist()
        forecasts.append(
            Forecast(
                value=value,
                spread=(above - below) / 2.0,
                at_max_epochs=value,
                num_points=len(curve),
                low=min(low, value),
                high=max(high, value),
            )
        )
    return forecasts


def begins_in_full(history: History, number: int) -> bool:
    """Is the candidate one of the first? Of earlier campaigns, those that were trained to the end count as such."""
    first = islice(
        (
            member.candidate
            for member in history.members.values()
            if member.candidate >= 0 or member.standing is Standing.FINISHED
        ),
        NUM_IN_FULL,
    )
    known = list(first)
    return number in known or (number not in history.members and len(known) < NUM_IN_FULL)


def _look(history: History, levels: Levels, *, version: int, gone: frozenset[int]) -> Outlook | None:
    album = history.recall(("album", levels), None, lambda: Album(levels))
    if album.version > version:
        album = Album(levels)
    album.advance(history, version=version)
    field = album.field(without=gone)
    if not len(field):
        return None
    posterior = posterior_of(field)
    return Outlook(rests_on=(version, gone), field=field, posterior=posterior, selection=select(posterior))


def _place(outlook: Outlook, posterior: Posterior) -> Newcomer:
    selection = outlook.selection
    below = posterior.below(np.append(selection.thresholds, selection.top))[0]
    inside = posterior.mean[0] >= selection.thresholds
    open_one = float(posterior.spread[0] > 0.0)
    return Newcomer(
        posterior=posterior,
        errors=np.where(inside, below[:-1], 1.0 - below[:-1]) * open_one,
        winning=float(1.0 - below[-1]) * open_one,
        among_best=bool(inside[-1]),
        expected_overlap=float(selection.overlaps.min()),
    )

"""Populations of recorded curves, for what learns from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from estimator import Curve, Ended, Event, History, Observed, Population, Standing
from estimator.forecasters import Forecaster

Array = NDArray[np.float64]

NOBODY = -1
"""A candidate's number that no member of a history has."""

accuracies_of_any_kind = st.lists(
    st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 10.0, 99.9, 100.0])), min_size=1, max_size=6
)


def lemur(test_data: Path, dataset: str) -> Array:
    """Validation accuracies of one recorded set, percent, [n, 50 epochs], shuffled with a fixed seed."""
    with np.load(test_data / "curves" / "lemur_dev.npz") as file:
        curves = np.clip(file["val_acc"][file["dataset"] == dataset].astype(np.float64), 0.0, 100.0)
    return np.random.default_rng(0).permutation(curves)


def random_cnns(test_data: Path) -> tuple[Array, Array]:
    """Validation accuracies and training losses of random CNNs on digits, [n, 40 half epochs], shuffled."""
    with np.load(test_data / "curves" / "random_cnn_digits.npz") as file:
        accuracies, losses = file["val_acc"].astype(np.float64), file["train_loss"].astype(np.float64)
    order = np.random.default_rng(0).permutation(len(accuracies))
    return accuracies[order], losses[order]


def a4nn(test_data: Path) -> tuple[Array, Array]:
    """Validation and training accuracies of A4NN's complete curves, percent, [n, 25 epochs], shuffled."""
    with np.load(test_data / "curves" / "a4nn_1e14.npz") as file:
        val, train = (np.clip(file[name].astype(np.float64), 0.0, 100.0) for name in ("val_acc", "train_acc"))
    complete = np.random.default_rng(0).permutation(np.flatnonzero(np.isfinite(val).all(axis=1)))
    return val[complete], train[complete]


def curve_of(accuracies: Iterable[float], *, step: float = 1.0, **signals: Sequence[float]) -> Curve:
    """A curve that is observed every `step` epochs; `signals` are its other columns."""
    curve = Curve()
    for index, accuracy in enumerate(accuracies):
        others = {name: float(values[index]) for name, values in signals.items()}
        curve.append(step * (index + 1), val_accuracy=float(accuracy), **others)
    return curve


def events_of(
    candidate: int,
    accuracies: Iterable[float],
    *,
    standing: Standing | None = Standing.FINISHED,
    step: float = 1.0,
    **signals: Sequence[float],
) -> list[Event]:
    """A candidate is observed every `step` epochs, and then stands so (None: it still runs)."""
    events: list[Event] = []
    for index, accuracy in enumerate(accuracies):
        others = {name: float(values[index]) for name, values in signals.items()}
        epoch = step * (index + 1)
        events.append(Observed(candidate=candidate, epoch=epoch, val_accuracy=float(accuracy), **others))
    return events + ([] if standing is None else [Ended(candidate=candidate, standing=standing)])


def finished(curves: Iterable[Iterable[float]], *, step: float = 1.0) -> History:
    """A history of curves that were trained to the end, numbered from 0."""
    return History(
        event for number, curve in enumerate(curves) for event in events_of(number, curve, step=step)
    )


def seen_by(candidate: int, history: History) -> Population:
    return Population(history=history, candidate=candidate)


def mean_error_and_coverage(forecaster: Forecaster, curves: Array, *, known: int) -> tuple[float, float]:
    """At a quarter of the budget, of the curves after the first `known`, which are finished."""
    history, covered, errors = finished(curves[:known]), [], []
    for accuracies in curves[known:]:
        forecast = forecaster.forecast(curve_of(accuracies[: len(accuracies) // 4]), seen_by(NOBODY, history))
        assert forecast is not None
        low, high = forecast.interval_90
        errors.append(abs(forecast.value - max(accuracies)))
        covered.append(low <= max(accuracies) <= high)
    return float(np.mean(errors)), float(np.mean(covered))

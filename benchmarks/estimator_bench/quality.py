"""How well forecasters know the final accuracy from a quarter of the curve (Baker et al., arXiv 1705.10823, Fig. 3).

Each candidate in turn is forecast with the curves of all others finished.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.estimator_bench.values import ForecastQuality
from estimator import Curve, Ended, Forecast, History, Observed, Population, Standing, preset
from estimator.forecasters import (
    BayesianNetwork,
    BestSoFar,
    Forecaster,
    RemainingGain,
    SequentialRegression,
)
from estimator.forecasters.learned import Regression
from hpc_nas.records.curve_set import CurveSet

__all__ = ["FORECASTERS", "SHARE", "ForecastTask", "quality_of"]

SHARE = 0.25
SLACK = 1e-9


def _of_preset(name: str) -> Callable[[CurveSet], Forecaster]:
    return lambda curves: (
        preset(
            name,
            max_epochs=curves.max_epochs,
            epochs_per_interval=min(curves.epochs_per_interval, curves.max_epochs),
        ).forecaster
    )


def _srm(regression: Regression) -> Callable[[CurveSet], Forecaster]:
    return lambda _: SequentialRegression(regression=regression)


FORECASTERS: Mapping[str, Callable[[CurveSet], Forecaster]] = {
    "best so far": lambda _: BestSoFar(),
    "exponential (peng4nn-fast)": _of_preset("peng4nn-fast"),
    "bank of families (lce)": _of_preset("lce"),
    "remaining gain (prob-top)": lambda _: RemainingGain(),
    **{f"SRM {regression.value}": _srm(regression) for regression in Regression},
    "Bayesian network": lambda _: BayesianNetwork(),
    "levels (adaptive)": _of_preset("adaptive"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastTask:
    """One forecaster on one set. Can be pickled."""

    curves: CurveSet
    forecaster: str

    @property
    def size(self) -> int:
        """How many forecasts are made."""
        return len(self.curves)

    def work(self) -> list[Forecast | None]:
        """The forecast of each candidate; those that learn are given all the others."""
        forecaster = FORECASTERS[self.forecaster](self.curves)
        events = [_observed(self.curves, row) for row in range(len(self.curves))]
        count = num_seen(self.curves)
        return [_forecast(forecaster, events, row, count=count) for row in range(len(self.curves))]


def num_seen(curves: CurveSet) -> int:
    """Observations up to the first at or after a quarter of the budget."""
    return int(np.searchsorted(curves.epochs, SHARE * curves.max_epochs - SLACK)) + 1


def quality_of(
    forecasts: Sequence[Forecast | None], curves: CurveSet, *, key: str, source: str, cpu_s: float
) -> ForecastQuality:
    """R^2 against the mean of the truths, of those that were forecast."""
    known = [(item, float(true)) for item, true in zip(forecasts, curves.truth, strict=True) if item]
    errors = np.array([item.value - true for item, true in known])
    truths = np.array([true for _, true in known])
    intervals = [(*item.interval_90, true) for item, true in known]
    finite = [
        (low, high, true) for low, high, true in intervals if math.isfinite(low) and math.isfinite(high)
    ]
    scatter = float(np.sum((truths - truths.mean()) ** 2)) if known else 0.0
    return ForecastQuality(
        key=key,
        source=source,
        cpu_s=round(cpu_s, 3),
        num_candidates=len(curves),
        num_forecasts=len(known),
        r_squared=1.0 - float(np.sum(errors**2)) / scatter if scatter else math.nan,
        mae=float(np.abs(errors).mean()) if known else math.nan,
        num_intervals=len(finite),
        num_covered=sum(low <= true <= high for low, high, true in finite),
    )


def _forecast(
    forecaster: Forecaster, events: Sequence[Sequence[Observed]], row: int, *, count: int
) -> Forecast | None:
    history = History()
    if not forecaster.alone:
        for number, others in enumerate(events):
            if number != row:
                for event in others:
                    history.observe(event)
                history.end(Ended(candidate=number, standing=Standing.FINISHED))
    for event in events[row][:count]:
        history.observe(event)
    curve: Curve = history.members[row].curve
    return forecaster.forecast(curve, Population(history=history, candidate=row))


def _observed(curves: CurveSet, row: int) -> list[Observed]:
    extras = {
        name: values[row].tolist()
        for name in ("val_loss", "train_loss", "train_accuracy")
        if (values := getattr(curves, name)) is not None
    }
    accuracies = curves.val_accuracy[row].tolist()
    return [
        Observed(
            candidate=row,
            epoch=epoch,
            val_accuracy=accuracies[at],
            **{name: values[at] for name, values in extras.items()},
        )
        for at, epoch in enumerate(curves.epochs.tolist())
    ]

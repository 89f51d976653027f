"""Baker's sequential regressions: what they learn from, how often, and what is tuned in the background."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_helpers import (
    NOBODY,
    accuracies_of_any_kind,
    curve_of,
    events_of,
    finished,
    lemur,
    mean_error_and_coverage,
    seen_by,
)

from estimator import History
from estimator.forecasters import (
    BestSoFar,
    SequentialRegression,
)
from estimator.forecasters.learned import Hyperparameters, Regression
from estimator.forecasters.learned.regression_data import (
    MOST_POINTS,
    curve_row,
    observed_epochs,
    regression_data,
)
from estimator.forecasters.learned.regressors import fold_residuals
from estimator.forecasters.learned.sequential_regression import fit_length
from estimator.forecasters.learned.srm_background import leave_one_out_spread, tune


@pytest.mark.parametrize("regression", Regression)
def test_every_regression_beats_best_so_far_at_a_quarter_of_the_budget(
    regression: Regression, test_data: Path
) -> None:
    curves = lemur(test_data, "cifar-10")[:180]
    seen = curves[100:, :12].max(axis=1)
    forecaster = SequentialRegression(
        regression=regression, hyperparameters=Hyperparameters(num_trees=20), min_finished=100
    )
    error, coverage = mean_error_and_coverage(forecaster, curves, known=100)
    assert error < 0.7 * np.mean(curves[100:].max(axis=1) - seen)
    assert 0.8 <= coverage <= 0.98


def test_sequential_regression_learns_again_only_when_there_is_a_fifth_more(test_data: Path) -> None:
    curves = lemur(test_data, "mnist")
    curve, forecaster = curve_of(curves[60][:10]), SequentialRegression()
    history, made = finished(curves[:19]), []
    assert forecaster.forecast(curve, seen_by(60, history)) == BestSoFar().forecast(curve)
    for number in range(19, 25):
        for event in events_of(number, curves[number]):
            history.apply(event)
        made.append(forecaster.forecast(curve, seen_by(60, history)))
        assert made[-1] == forecaster.forecast(curve, seen_by(60, History(history.events)))
    assert made[0] == made[1] == made[2] == made[3] != made[4] == made[5]


def test_what_candidates_are_described_by_is_learned_from(test_data: Path) -> None:
    curves = lemur(test_data, "mnist")[:80]
    plain, told = finished(curves[:40]), finished(curves[:40])
    forecaster = SequentialRegression()
    for number, accuracies in enumerate(curves):  # an oracle among the features
        told.describe(number, (("layers", 3.0), ("outcome", float(max(accuracies)))))
    errors = []
    for history in (plain, told):
        forecasts = [
            forecaster.forecast(curve_of(curves[number][:2]), seen_by(number, history))
            for number in range(40, 80)
        ]
        errors.append(
            np.mean([abs(f.value - max(c)) for f, c in zip(forecasts, curves[40:], strict=True) if f])
        )
    assert errors[1] < 0.8 * errors[0]
    partly = finished(curves[:40])
    partly.describe(0, (("outcome", 1.0),))
    partly.describe(50, (("outcome", 1.0),))
    curve = curve_of(curves[50][:2])
    assert forecaster.forecast(curve, seen_by(50, partly)) == forecaster.forecast(curve, seen_by(50, plain))


def test_a_description_is_given_once() -> None:
    history = History()
    assert history.features_of(3) == ()
    history.describe(3, (("layers", 2.0),))
    history.describe(3, (("layers", 2.0),))
    assert history.features_of(3) == (("layers", 2.0),)
    assert (history.version, len(history)) == (0, 0)
    with pytest.raises(ValueError, match="candidate 3 has been described as"):
        history.describe(3, (("layers", 3.0),))
    with pytest.raises(ValueError, match="each once, with a finite value"):
        history.describe(4, (("layers", math.nan),))
    with pytest.raises(ValueError, match="each once, with a finite value"):
        history.describe(4, (("layers", 1.0), ("layers", 1.0)))


def test_features_are_accuracies_with_first_and_second_differences() -> None:
    curves = [curve_of([10.0, 20.0, 40.0, 5.0]), curve_of([30.0, 50.0], step=2.0)]
    epochs = np.array([1.0, 2.0, 3.0])
    data = regression_data(
        curves, epochs, described=[(("a", 1.0), ("b", 2.0)), (("b", 4.0), ("a", 3.0))], names=("b",)
    )
    assert data.features.tolist() == [
        [10.0, 20.0, 40.0, 10.0, 20.0, 10.0, 2.0],
        [30.0, 30.0, 30.0, 0.0, 0.0, 0.0, 4.0],
    ]
    assert data.accuracies.tolist() == [40.0, 50.0]
    assert curve_row(curves[1]).tolist() == [[30.0, 50.0, 20.0]]


def test_a_very_long_curve_is_thinned_to_its_ends_and_between() -> None:
    curve = curve_of(np.linspace(0.0, 50.0, 100_000), step=5e-4)
    epochs = observed_epochs(curve)
    assert (len(epochs), epochs[0], epochs[-1]) == (MOST_POINTS, 5e-4, 50.0)
    known = finished([np.linspace(0.0, best, 50) for best in range(50, 70)])
    forecast = SequentialRegression().forecast(curve, seen_by(NOBODY, known))
    assert forecast is not None
    assert (forecast.num_points, forecast.value) == (100_000, pytest.approx(50.0, abs=5.0))


def test_tuning_is_never_worse_than_the_defaults_and_repeats_itself(test_data: Path) -> None:
    curves = [curve_of(accuracies) for accuracies in lemur(test_data, "imagenette")[:30]]
    search = functools.partial(tune, curves, length=12, regression=Regression.NUSVR_RBF, num_trials=40)
    found = search(seed=1)
    assert found == search(seed=1)
    data = regression_data(curves, curves[0].epochs[:12])

    def error(values: Hyperparameters) -> float:
        rows = data.features, data.accuracies
        residuals = fold_residuals(Regression.NUSVR_RBF, *rows, hyperparameters=values, num_folds=3)
        return float(np.mean(residuals**2))

    assert error(found) < error(Hyperparameters())
    assert tune(curves, length=12, regression=Regression.OLS) == Hyperparameters()


def test_spread_by_leaving_one_out_is_like_that_by_folds(test_data: Path) -> None:
    curves = [curve_of(accuracies) for accuracies in lemur(test_data, "imagenette")[:60]]
    settings = {"regression": Regression.NUSVR_RBF, "hyperparameters": Hyperparameters()}
    model = fit_length(regression_data(curves, curves[0].epochs[:12]), **settings)
    assert model.spread == pytest.approx(leave_one_out_spread(curves, length=12, **settings), rel=0.15)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    others=st.lists(accuracies_of_any_kind, min_size=4, max_size=9),
    accuracies=accuracies_of_any_kind,
    regression=st.sampled_from([Regression.NUSVR_RBF, Regression.NUSVR_LINEAR, Regression.OLS]),
)
def test_any_curve_has_a_regression_in_range(
    others: list[list[float]], accuracies: list[float], regression: Regression
) -> None:
    history = finished(others)
    forecaster = SequentialRegression(regression=regression, min_finished=4)
    forecast = forecaster.forecast(curve_of(accuracies), seen_by(NOBODY, history))
    assert forecast is not None
    assert max(accuracies) <= forecast.value <= 100.0
    assert 0.0 <= forecast.spread < math.inf


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nu": 1.5}, r"nu = 1\.5 must be a share, 1 or less"),
        ({"rbf_cost": 0.0}, r"rbf_cost = 0\.0 must be a finite number above 0"),
        ({"num_trees": 0}, r"num_trees = 0 must be a whole number, 1 or more"),
    ],
)
def test_hyperparameters_refuse_what_can_not_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Hyperparameters(**settings)

"""What holds for every preset on every valid curve."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import Action, Curve, Decision, Engine, Forecast, InvalidObservation, Reason, preset, presets
from estimator.rules import A4nnConvergence, Convergence, NeverLearn, PenguinConvergence

FEWEST = {"peng4nn": 5, "peng4nn-listing": 4, "penguin": 4, "a4nn": 6, "menndl": 2, "i-epoch": 1, "none": 99}
"""Observations, half an epoch or more apart, before which each preset can't stop."""

FEWEST |= {"prob-top": 99}  # learns from others, and here is nobody

accuracies = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 10.0, 50.0, 99.9, 100.0]))
losses = st.floats(allow_nan=True, allow_infinity=True)
rows = st.lists(
    st.tuples(st.sampled_from([0.5, 0.5, 0.5, 1.0, 6.0]), accuracies, losses, losses), min_size=1, max_size=9
)
Rows = list[tuple[float, float, float, float]]


def replay(name: str, observations: Rows) -> list[Decision]:
    loss_check = {"loss_check": True} if name.startswith("peng4nn") else {}
    engine = Engine(preset(name, max_epochs=20, chance_accuracy=10.0, **loss_check))
    decisions, epoch = [], 0.0
    for step, accuracy, val_loss, train_loss in observations:
        epoch += step
        decisions.append(
            engine.observe(epoch, val_accuracy=accuracy, val_loss=val_loss, train_loss=train_loss)
        )
    return decisions


@pytest.mark.parametrize("name", presets())
@settings(max_examples=20, deadline=None, derandomize=True)
@given(observations=rows)
def test_valid_curves_never_raise_and_replay_the_same(name: str, observations: Rows) -> None:
    decisions = replay(name, observations)
    assert not any(decision.stop for decision in decisions[: FEWEST.get(name, 1) - 1])
    for decision in decisions:
        assert decision.action in (Action.GO, Action.STOP)
        assert math.isfinite(decision.estimate) == decision.stop
        assert decision.forecast is None or math.isfinite(decision.forecast.value)
    assert repr(replay(name, observations)) == repr(decisions)


@pytest.mark.parametrize("name", presets())
@settings(max_examples=10, deadline=None, derandomize=True)
@given(bad=st.sampled_from([math.nan, math.inf, -math.inf, -1e-9, 100.0001, 1e300]), before=st.integers(0, 6))
def test_what_is_no_accuracy_is_refused_and_never_converged(name: str, bad: float, before: int) -> None:
    engine = Engine(preset(name, max_epochs=20))
    for index in range(before):
        engine.observe(0.1 * (index + 1), val_accuracy=5.0 * index)
    forecasts = repr(engine.forecasts)
    for _ in range(4):
        with pytest.raises(InvalidObservation):
            engine.observe(1.0, val_accuracy=bad)
    assert engine.decision is None
    assert repr(engine.forecasts) == forecasts


values = st.one_of(st.none(), st.floats(-1.0, 201.0), st.sampled_from([10.2, 10.4, 70.0, 70.2, 70.4]))
stability_rules = st.sampled_from(
    [
        Convergence(),
        Convergence(window=2, loss_check=True, never_learn=NeverLearn(chance_accuracy=10.0)),
        PenguinConvergence(highest_asymptote=199.99),
        A4nnConvergence(window=5, tolerance=2.0),
    ]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rule=stability_rules, sequence=st.lists(st.tuples(values, losses), min_size=1, max_size=40))
def test_a_stop_rests_on_a_window_of_valid_forecasts(
    rule: Convergence, sequence: list[tuple[float | None, float]]
) -> None:
    curve, forecasts = Curve(), []
    for index, (value, loss) in enumerate(sequence, start=1):
        curve.append(0.5 * index, val_accuracy=50.0, val_loss=loss)
        made = None if value is None else Forecast(value=value, spread=1.0, at_max_epochs=value, num_points=3)
        forecasts.append(made)
    decision = rule.decide(curve, forecasts)
    if decision.stop:
        made_last = [f.value for f in forecasts if f is not None][-rule.window :]
        assert len(made_last) == rule.window
        assert max(made_last) - min(made_last) <= 2 * rule.tolerance + 1e-9
        assert decision.estimate == made_last[-1] <= 100.0
        assert decision.reason in (Reason.CONVERGED, Reason.NEVER_LEARN)
        if rule.loss_check and decision.reason is Reason.NEVER_LEARN:
            assert math.isfinite(curve.val_loss[-1])

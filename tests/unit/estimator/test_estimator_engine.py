"""The engine: observations in, decisions out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy.optimize import curve_fit

from estimator import (
    RULE_REASONS,
    Action,
    Decision,
    Engine,
    Estimate,
    InvalidObservation,
    Reason,
    Source,
    preset,
)
from estimator.forecasters import exponential


def test_a_flat_network_at_chance_is_stopped_as_never_learn() -> None:
    engine = Engine(preset("peng4nn", max_epochs=20, chance_accuracy=10.0))
    decisions = [engine.observe(0.5 * n, val_accuracy=10.0) for n in range(1, 6)]
    assert [decision.stop for decision in decisions] == [False, False, False, False, True]
    assert decisions[-1].reason is Reason.NEVER_LEARN
    assert decisions[-1].estimate == pytest.approx(11.0, abs=0.01)  # the paper's forecast: the asymptote


def test_a_learning_network_is_stopped_as_converged() -> None:
    engine = Engine(preset("peng4nn", max_epochs=20, chance_accuracy=10.0))
    epoch = 0.0
    while not (
        decision := engine.observe(epoch := epoch + 0.5, val_accuracy=80 - 1.5 ** (10 - 2 * epoch))
    ).stop:
        assert epoch < 20
    assert decision.reason is Reason.CONVERGED
    assert decision.estimate == pytest.approx(80.0, abs=0.1)
    assert decision == engine.decision
    assert engine.forecasts[-1] == decision.forecast


def test_the_first_stop_is_final_and_forecasts_go_on() -> None:
    engine = Engine(preset("i-epoch", max_epochs=20, epochs=1.0))
    engine.observe(0.5, val_accuracy=20.0)
    first = engine.observe(1.0, val_accuracy=30.0)
    later = engine.observe(1.5, val_accuracy=60.0)
    assert engine.decision is first
    assert later == replace(first, forecast=engine.forecasts[-1])
    assert later.estimate == 30.0
    assert later.forecast is not None
    assert later.forecast.value == 60.0
    assert len(engine.forecasts) == len(engine.curve) == 3


@pytest.mark.parametrize("name", ["peng4nn", "penguin", "a4nn", "peng4nn-listing", "i-epoch", "menndl"])
def test_at_the_full_budget_there_is_nothing_left_to_stop(name: str) -> None:
    engine = Engine(preset(name, max_epochs=2.5, chance_accuracy=10.0))
    engine.observe(2.5, val_accuracy=50.0, train_loss=1.0)
    assert engine.observe(30.0, val_accuracy=50.0, train_loss=1.0).action is Action.GO


@pytest.mark.parametrize(
    ("name", "estimate"),
    [
        ("peng4nn", Estimate(value=60.0, spread=0.0, source=Source.BEST_OBSERVED)),
        ("peng4nn-listing", Estimate(value=60.0, spread=0.0, source=Source.BEST_OBSERVED)),
        ("penguin", Estimate(value=40.0, spread=0.0, source=Source.LAST_OBSERVED)),
        ("a4nn", Estimate(value=40.0, spread=0.0, source=Source.LAST_OBSERVED)),
        ("menndl", Estimate(value=60.0, spread=0.0, source=Source.BEST_OBSERVED)),
        ("i-epoch", Estimate(value=60.0, spread=0.0, source=Source.BEST_OBSERVED)),
        ("none", Estimate(value=60.0, spread=0.0, source=Source.BEST_OBSERVED)),
    ],
)
def test_a_network_trained_to_the_end_is_worth_what_was_measured(name: str, estimate: Estimate) -> None:
    engine = Engine(preset(name, max_epochs=1.5))
    for epoch, accuracy in [(0.5, 10.0), (1.0, 60.0), (1.5, 40.0)]:
        engine.observe(epoch, val_accuracy=accuracy)
    assert engine.conclude() == estimate


def test_nothing_observed_concludes_nothing() -> None:
    with pytest.raises(ValueError, match="nothing observed yet"):
        Engine(preset("none", max_epochs=1)).conclude()


def test_an_invalid_observation_leaves_the_engine_as_it_was() -> None:
    engine = Engine(preset("peng4nn", max_epochs=20))
    engine.observe(0.5, val_accuracy=10.0)
    with pytest.raises(InvalidObservation):
        engine.observe(1.0, val_accuracy=math.nan)
    assert (len(engine.curve), len(engine.forecasts), engine.decision) == (1, 1, None)
    engine.observe(1.0, val_accuracy=20.0)
    assert engine.curve.epochs.tolist() == [0.5, 1.0]


def test_each_observation_costs_one_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(args)
        return curve_fit(*args, **kwargs)

    monkeypatch.setattr(exponential, "curve_fit", counted)
    engine = Engine(preset("peng4nn", max_epochs=20))
    for n in range(1, 8):
        engine.observe(0.5 * n, val_accuracy=10.0 + n)
    assert len(calls) == 5


def test_a_decision_needs_a_reason_unless_it_is_go() -> None:
    with pytest.raises(ValueError, match="action = stop can't have reason = None"):
        Decision(action=Action.STOP)
    with pytest.raises(ValueError, match="action = go can't have reason = rung"):
        Decision(action=Action.GO, reason=Reason.RUNG)


@pytest.mark.parametrize("reason", sorted(set(Reason) - RULE_REASONS))
def test_a_decision_has_a_reason_that_a_rule_may_give(reason: Reason) -> None:
    with pytest.raises(ValueError, match=f"reason = {reason} is no rule's; use one of budget, converged, "):
        Decision(action=Action.STOP, reason=reason)


def test_outcomes_of_a_campaign_give_their_reasons_in_the_same_enum() -> None:
    values = pytest.importorskip("hpc_nas.values")
    assert values.Reason is Reason
    assert values.REASONS[values.State.STOPPED] == RULE_REASONS
    assert set().union(*values.REASONS.values()) == set(Reason)

"""What holds for every preset, and so for every rule and forecaster, on every valid curve in every company."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from estimator import (
    Action,
    Curve,
    Decision,
    Ended,
    Engine,
    Event,
    Forecast,
    History,
    InvalidObservation,
    MirroredHistory,
    Observed,
    Population,
    Reason,
    Standing,
    preset,
    presets,
)
from estimator.forecasters import Forecaster, LastValue
from estimator.rules import A4nnConvergence, Convergence, NeverLearn, PenguinConvergence

COMBINATIONS = [
    "any(patience:patience_epochs=2, median:min_curves=2)",
    "all(i-epoch:epochs=2, rungs)",
    "after(3, any(rungs:keep=0.9,0.1, patience))",
    "rungs:form=promoting",
    "asha:form=stopping",
]
NAMES = [*presets(), *COMBINATIONS]
WITH = {
    "peng4nn": "loss_check=true",
    "peng4nn-listing": "loss_check=true",
    "baker": "burn_in=5",
    "prob-top": "min_finished=4",
}
"""Settings with which small populations show more of a preset."""
MAX_EXAMPLES = {"peng4nn": 6, "peng4nn-listing": 6, "penguin": 6, "a4nn": 6}  # SciPy's fits take their time
NEVER = 99
FEWEST = {
    "peng4nn": 5,
    "peng4nn-listing": 4,
    "penguin": 4,
    "a4nn": 6,
    "menndl": 2,
    "patience": 2,
} | dict.fromkeys(
    ("none", "median", "rungs", "asha", "successive-halving", "hyperband", "baker", "prob-top"), NEVER
)
"""Observations, half an epoch or more apart, before which a preset can't stop a candidate without company."""

Row = tuple[float, float, float, float]
"""Epochs since the last observation, validation accuracy, validation loss, training loss."""

accuracies = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 10.0, 50.0, 99.9, 100.0]))
losses = st.floats(allow_nan=True, allow_infinity=True)
anything = st.lists(
    st.tuples(st.sampled_from([0.5, 0.5, 0.5, 1.0, 6.0]), accuracies, losses, losses), min_size=1, max_size=9
)
falling = anything.map(lambda rows: sorted(rows, key=lambda row: -row[1]))
constant = anything.map(lambda rows: [(0.5, *rows[0][1:])] * len(rows))
curves = st.one_of(anything, falling, constant).filter(
    lambda rows: (
        not all(0.0 < row[1] <= 1.0 for row in rows[:3])
    )  # those look like fractions, and are refused
)


def few(max_examples: int) -> settings:
    """Explaining a failure would take minutes where a fit takes milliseconds."""
    return settings(
        max_examples=max_examples, deadline=None, derandomize=True, phases=(Phase.generate, Phase.shrink)
    )


def build(name: str) -> Engine:
    return joined(name, History())


def joined(name: str, history: History) -> Engine:
    """An engine for one more candidate of a population."""
    text = f"{name}:{WITH[name]}" if name in WITH else name
    return Engine(preset(text, max_epochs=20, chance_accuracy=10.0), history=history, candidate=CANDIDATE)


def watch(engine: Engine, rows: Sequence[Row]) -> Iterator[Decision]:
    epoch = 0.0
    for step, accuracy, val_loss, train_loss in rows:
        epoch += step
        yield engine.observe(epoch, val_accuracy=accuracy, val_loss=val_loss, train_loss=train_loss)


def check(decision: Decision) -> None:
    """It is whole: what is said is finite, and what can't be said is NaN."""
    assert math.isfinite(decision.estimate) == (decision.action is not Action.GO)
    assert math.isnan(decision.spread) or decision.spread >= 0.0
    assert all(isinstance(name, str) and isinstance(value, int | float) for name, value in decision.numbers)
    check_forecast(decision.forecast)


def check_forecast(forecast: Forecast | None) -> None:
    if forecast is None:
        return
    assert math.isfinite(forecast.value)
    assert math.isfinite(forecast.at_max_epochs)
    assert math.isnan(forecast.spread) or 0.0 <= forecast.spread < math.inf
    low, high = forecast.interval_90
    assert math.isnan(low) or math.isnan(high) or low <= high
    assert forecast.num_points >= 1
    for part in forecast.parts:
        check_forecast(part)


# --- alone


@pytest.mark.parametrize("name", NAMES)
def test_valid_curves_never_raise_and_replay_the_same(name: str) -> None:
    @few(MAX_EXAMPLES.get(name, 40))
    @given(rows=curves)
    def holds(rows: list[Row]) -> None:
        decisions = list(watch(build(name), rows))
        assert not any(decision.stop for decision in decisions[: FEWEST.get(name, 1) - 1])
        for decision in decisions:
            check(decision)
        assert repr(list(watch(build(name), rows))) == repr(decisions)

    holds()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("before", [0, 1, 4])
def test_what_is_no_accuracy_is_refused_and_changes_nothing(name: str, before: int) -> None:
    engine = build(name)
    for index in range(before):
        engine.observe(0.1 * (index + 1), val_accuracy=5.0 * index)
    known = repr((engine.forecasts, engine.curve, engine.decision, engine.history.events))
    for bad in (math.nan, math.inf, -math.inf, -1e-9, 100.0001, 1e300):
        with pytest.raises(InvalidObservation):
            engine.observe(1.0, val_accuracy=bad)
        with pytest.raises(InvalidObservation):
            engine.observe(0.0, val_accuracy=50.0)
        with pytest.raises(InvalidObservation):
            engine.remember(1.0, val_accuracy=bad)
    assert repr((engine.forecasts, engine.curve, engine.decision, engine.history.events)) == known


# --- in company

CANDIDATE = 50


def crowd(seed: int, size: int) -> list[Event]:
    """Others of all kinds, one after the other: most are finished, some were paused, stopped, lost or failed."""
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(size):
        final, speed, noise = random.uniform(5, 99), random.uniform(-0.1, 1.5), random.choice([0.0, 0.5, 5.0])
        standing = random.choice([Standing.FINISHED] * 12 + [*Standing])
        length = 20 if standing is Standing.FINISHED else int(random.integers(1, 20))
        for epoch in range(1, length + 1):
            clean = final * (1 - math.exp(-speed * epoch)) if speed > 0 else final + speed * epoch
            accuracy = float(np.clip(clean + noise * random.standard_normal(), 0, 100))
            loss = float(random.choice([100 - accuracy, math.nan, math.inf], p=[0.8, 0.1, 0.1]))
            train = accuracy if random.random() < 0.5 else math.nan
            events.append(
                Observed(
                    candidate=number,
                    epoch=epoch,
                    val_accuracy=accuracy,
                    train_loss=loss,
                    train_accuracy=train,
                )
            )
        if standing is not Standing.RUNNING:
            events.append(Ended(candidate=number, standing=standing, audited=bool(random.random() < 0.1)))
    return events


in_company = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 1.0, 1.0]), accuracies, losses, losses), min_size=4, max_size=9
).filter(lambda rows: not all(0.0 < row[1] <= 1.0 for row in rows[:3]))
crowds = st.builds(crowd, seed=st.integers(0, 10**6), size=st.sampled_from([1, 3, 14, 20]))


@pytest.mark.parametrize("name", NAMES)
def test_in_company_too_and_the_history_of_a_decision_gives_it_again(name: str) -> None:
    @few(MAX_EXAMPLES.get(name, 30) // 2)
    @given(rows=in_company, others=crowds)
    def holds(rows: list[Row], others: list[Event]) -> None:
        history = History(others[: len(others) // 2])
        decisions = []
        latecomers = np.array_split(np.arange(len(others) // 2, len(others)), len(rows))
        engine = joined(name, history)
        for decision, late in zip(watch(engine, rows), latecomers, strict=True):
            check(decision)
            decisions.append(decision)
            if decision.stop:
                break  # what is forecast later rests on more than the version of the first stop
            for index in late:
                history.apply(others[index])
        mirror = MirroredHistory()
        again = watch(joined(name, mirror), rows)
        for decision in decisions:
            for event in history.events[mirror.version : decision.version]:
                mirror.apply(event)
            assert repr(next(again)) == repr(decision)
        forget = Population(history=History(history.events[: decisions[-1].version]), candidate=CANDIDATE)
        forecaster = engine.preset.forecaster
        assert repr(forecaster.forecast(engine.curve, forget)) == repr(decisions[-1].forecast)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_what_remembers_the_beginning_decides_like_what_has_watched_it(name: str) -> None:
    """Cut anywhere, also where the candidate was paused; what is remembered is told to nobody."""

    @few(MAX_EXAMPLES.get(name, 30) // 2)
    @given(rows=in_company, others=crowds, share=st.floats(0.0, 1.0))
    def holds(rows: list[Row], others: list[Event], share: float) -> None:
        history = History(others)
        decisions = list(watch(joined(name, history), rows))
        first_stop = next((i for i, decision in enumerate(decisions) if decision.stop), len(rows) - 1)
        cut = round(share * first_stop)
        mirror = MirroredHistory(history.events[: decisions[cut].version])
        engine, epoch = joined(name, mirror), 0.0
        for step, accuracy, val_loss, train_loss in rows[:cut]:
            epoch += step
            engine.remember(epoch, val_accuracy=accuracy, val_loss=val_loss, train_loss=train_loss)
        assert engine.decision is None
        assert mirror.version == decisions[cut].version
        for decision, (step, accuracy, val_loss, train_loss) in zip(decisions[cut:], rows[cut:], strict=True):
            for event in history.events[mirror.version : decision.version]:
                mirror.apply(event)
            epoch += step
            again = engine.observe(epoch, val_accuracy=accuracy, val_loss=val_loss, train_loss=train_loss)
            assert repr(again) == repr(decision)
            if decision.stop:
                break  # what is forecast later rests on more than the version of the first stop

    holds()


ORDER_MATTERS = {"baker"}  # its folds are filled in the order in which curves became known


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ORDER_MATTERS])
def test_the_order_of_the_others_does_not_matter_once_they_have_ended(name: str) -> None:
    @few(MAX_EXAMPLES.get(name, 24) // 2)
    @given(rows=in_company, others=crowds, seed=st.integers(0, 10**6))
    def holds(rows: list[Row], others: list[Event], seed: int) -> None:
        blocks = [list(block) for _, block in groupby(others, key=lambda event: event.candidate)]
        permuted = [
            event for index in np.random.default_rng(seed).permutation(len(blocks)) for event in blocks[index]
        ]
        for one, other in zip(
            watch(joined(name, MirroredHistory(others)), rows),
            watch(joined(name, MirroredHistory(permuted)), rows),
            strict=True,
        ):
            assert (one.action, one.reason) == (other.action, other.reason)
            assert one.estimate == pytest.approx(other.estimate, rel=1e-6, nan_ok=True)

    holds()


@pytest.mark.parametrize("name", [name for name in NAMES if preset(name, max_epochs=20).alone])
def test_what_says_that_it_does_not_look_at_others_does_not(name: str) -> None:
    @few(MAX_EXAMPLES.get(name, 10) // 2)
    @given(rows=in_company, others=crowds)
    def holds(rows: list[Row], others: list[Event]) -> None:
        for alone, in_company in zip(
            watch(build(name), rows), watch(joined(name, MirroredHistory(others)), rows), strict=True
        ):
            assert repr((alone.action, alone.estimate, alone.forecast)) == repr(
                (in_company.action, in_company.estimate, in_company.forecast)
            )

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_promotions_name_the_paused_and_settle_all_of_them(name: str) -> None:
    @few(10)
    @given(others=crowds, num_new=st.integers(0, 3))
    def holds(others: list[Event], num_new: int) -> None:
        promotion, history = build(name).preset.promotion, History(others)
        promoted = promotion.promote(history, num_new=num_new)
        paused = {member.candidate for member in history.those(Standing.PAUSED)}
        assert promoted is None or promoted in paused
        assert promotion.promote(History(others), num_new=num_new) == promoted
        decisions = promotion.settle(history)
        assert set(decisions) == (paused if build(name).preset.pauses else set())
        for decision in decisions.values():
            check(decision)
            assert decision.stop

    holds()


# --- parts


@settings(max_examples=20, deadline=None, derandomize=True)
@given(rows=curves)
def test_forecasters_that_no_preset_has_are_whole_too(rows: list[Row]) -> None:
    curve, forecaster = Curve(), LastValue()
    assert isinstance(forecaster, Forecaster)
    assert forecaster.forecast(curve) is None
    for epoch, row in enumerate(rows, start=1):
        curve.append(epoch, val_accuracy=row[1])
        check_forecast(forecaster.forecast(curve))


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

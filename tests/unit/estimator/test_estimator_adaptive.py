"""`adaptive`: levels, features, posterior, selection, knowledge gradient, and the presets on recorded curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from estimator import (
    Action,
    Curve,
    Described,
    Ended,
    Engine,
    History,
    Observed,
    Preset,
    Reason,
    Standing,
    preset,
)
from estimator.adaptive.features import FeatureStore, PopulationFeatures, extract_features
from estimator.adaptive.knowledge_gradient import gradient_for_best, gradient_for_selection
from estimator.adaptive.levels import Levels
from estimator.adaptive.population_posterior import (
    NUM_IN_FULL,
    final_population_posterior,
    population_posterior,
    select,
)
from estimator.adaptive.posterior import Posterior, posterior_of_candidate, posterior_of_population
from hpc_nas.records.curve_file import load_curve_sets
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.score import score
from hpc_nas.replay.simulate import Simulation

LEVELS = Levels(max_epochs=10.0, epochs_per_interval=0.5)


def curve_of(accuracies: Sequence[float], *, interval: float = 0.5, **rows: Sequence[float]) -> Curve:
    curve = Curve()
    for index, accuracy in enumerate(accuracies):
        extra = {name: values[index] for name, values in rows.items()}
        curve.append((index + 1) * interval, val_accuracy=accuracy, **extra)
    return curve


def rising(final: float, *, length: int, seed: int) -> list[float]:
    """A curve on its way to `final`, cut after `length` of 20 observations."""
    noise = np.random.default_rng(seed).normal(0.0, 0.2, 20)
    full = final * (1.0 - np.exp(-np.arange(1, 21) / 4.0)) + noise
    return np.clip(full, 0.0, 100.0)[:length].tolist()


def history_of(lengths: Sequence[int], *, finals: Sequence[float]) -> History:
    """Candidates of which observations are known; those with all 20 have finished, the others are paused."""
    history = History()
    for number, (length, final) in enumerate(zip(lengths, finals, strict=True)):
        for index, accuracy in enumerate(rising(final, length=length, seed=number)):
            history.apply(Observed(candidate=number, epoch=(index + 1) * 0.5, val_accuracy=accuracy))
        standing = Standing.FINISHED if length == 20 else Standing.PAUSED
        history.apply(Ended(candidate=number, standing=standing))
    return history


def features_at_end(history: History) -> PopulationFeatures:
    store = FeatureStore(LEVELS)
    store.advance(history, version=history.version)
    return store.population_features()


FINALS = np.linspace(40.0, 95.0, 24).tolist()
MIXED = history_of([20 if number % 4 == 0 else (2, 4, 8)[number % 3] for number in range(24)], finals=FINALS)


# --- levels and features


def test_levels_are_whole_intervals_and_end_at_the_full_budget() -> None:
    assert LEVELS.epochs.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert Levels(max_epochs=1.0, epochs_per_interval=1.0).epochs.tolist() == [1.0]
    assert LEVELS.reached_by(0.4) == -1
    assert LEVELS.reached_by(0.5) == 0
    assert LEVELS.reached_by(99.0) == len(LEVELS) - 1


def test_features_do_not_see_what_came_later() -> None:
    accuracies = rising(80.0, length=20, seed=1)
    early = extract_features(curve_of(accuracies), LEVELS, length=4)
    assert early.level == 3
    np.testing.assert_array_equal(
        early.validation, extract_features(curve_of(accuracies[:4]), LEVELS, length=4).validation
    )
    assert np.isnan(early.validation[4:]).all()


def test_a_loss_that_is_not_finite_leaves_a_finite_features() -> None:
    losses = [2.0, float("inf"), float("nan"), 1.0]
    features = extract_features(curve_of([10.0, 20.0, 30.0, 40.0], train_loss=losses), LEVELS, length=4)
    assert np.isfinite(features.training[: features.level + 1]).all()


# --- features of the population


def test_the_training_signal_counts_only_if_all_have_it() -> None:
    history = History()
    for number, loss in ((0, 1.0), (1, 0.5)):
        history.apply(Observed(candidate=number, epoch=0.5, val_accuracy=20.0, train_loss=loss))
    assert features_at_end(history).values.shape[2] == 11
    history.apply(Observed(candidate=2, epoch=0.5, val_accuracy=20.0))
    assert features_at_end(history).values.shape[2] == 7


def test_failed_and_lost_candidates_are_left_out() -> None:
    history = history_of([4, 4, 4], finals=[50.0, 60.0, 70.0])
    history.apply(Ended(candidate=0, standing=Standing.FAILED))
    history.apply(Ended(candidate=2, standing=Standing.LOST))
    assert features_at_end(history).numbers.tolist() == [1]
    history.apply(Observed(candidate=0, epoch=9.5, val_accuracy=44.0))
    history.apply(Observed(candidate=2, epoch=0.5, val_accuracy=33.0))
    population = features_at_end(history)
    assert population.numbers.tolist() == [1, 2]
    assert population.level.tolist() == [3, 0]


def test_a_candidate_that_is_only_described_is_not_in_the_population() -> None:
    history = history_of([4], finals=[50.0])
    history.apply(Described(candidate=9, features=(("layers", 2.0),)))
    assert features_at_end(history).numbers.tolist() == [0]


def test_a_store_updated_in_steps_equals_one_filled_at_once() -> None:
    stepwise = FeatureStore(LEVELS)
    for version in range(0, MIXED.version, 7):
        stepwise.advance(MIXED, version=version)
    stepwise.advance(MIXED, version=MIXED.version)
    np.testing.assert_array_equal(stepwise.population_features().values, features_at_end(MIXED).values)


# --- the posterior


def test_finished_candidates_are_known_and_the_others_lie_above_their_best() -> None:
    population = features_at_end(MIXED)
    posterior = posterior_of_population(population)
    finished = population.finished
    np.testing.assert_array_equal(posterior.mean[finished], population.best[finished, -1])
    assert (posterior.spread[finished] == 0.0).all()
    reached = population.best[np.arange(len(population)), population.level]
    assert (posterior.mean >= reached).all()
    assert (posterior.spread[~finished] > 0.0).all()


def test_the_posterior_orders_curves_that_differ_clearly() -> None:
    mean = posterior_of_population(features_at_end(MIXED)).mean
    assert np.corrcoef(mean, FINALS)[0, 1] > 0.97


def test_probabilities_and_quantiles_agree() -> None:
    posterior = posterior_of_population(features_at_end(MIXED))
    open_ones = np.flatnonzero(posterior.spread > 0.0)
    some = posterior.of(open_ones)
    quantiles = some.quantiles((0.05, 0.5, 0.95))
    np.testing.assert_allclose(
        some.below(quantiles), np.tile([0.05, 0.5, 0.95], (len(open_ones), 1)), atol=1e-6
    )


def test_the_expected_improvement_is_that_of_the_distribution() -> None:
    posterior = posterior_of_population(features_at_end(MIXED))
    incumbent = float(np.quantile(posterior.mean, 0.8))
    grid = np.linspace(incumbent, incumbent + 20.0, 40_001)
    above = 1.0 - posterior.below(grid)
    integral = above.sum(axis=1) * (grid[1] - grid[0])
    np.testing.assert_allclose(posterior.expected_improvement(incumbent), integral, atol=2e-3)


def test_nobody_further_on_means_little_is_known() -> None:
    posterior = posterior_of_population(features_at_end(history_of([4, 4], finals=[50.0, 60.0])))
    assert posterior.spread.tolist() == [1.0, 1.0]


def test_a_candidate_is_forecast_alone_as_within_the_population() -> None:
    population = features_at_end(MIXED)
    posterior = posterior_of_population(population)
    place = int(np.flatnonzero(population.level == 1)[0])
    number = int(population.numbers[place])
    one = posterior_of_candidate(population, posterior, population.values[place, 1], level=1, number=number)
    assert one.mean[0] == pytest.approx(posterior.mean[place])
    assert one.spread[0] == pytest.approx(posterior.spread[place])


def test_a_candidate_without_a_training_signal_is_forecast_all_the_same() -> None:
    history = History()
    for number in range(6):
        for index, accuracy in enumerate(rising(50.0 + 5 * number, length=20, seed=number)):
            history.apply(
                Observed(
                    candidate=number,
                    epoch=(index + 1) * 0.5,
                    val_accuracy=accuracy,
                    train_loss=1.0 / (index + 1),
                )
            )
        history.apply(Ended(candidate=number, standing=Standing.FINISHED))
    watched = Engine(engine("adaptive-steady"), history=history, candidate=9)
    assert watched.observe(0.5, val_accuracy=12.0).forecast is not None


# --- selection and knowledge gradient


def known(scores: Sequence[float], spreads: Sequence[float]) -> Posterior:
    return Posterior(
        mean=np.array(scores), spread=np.array(spreads), pooled=np.array([0.4, 0.2, 0.0]), mixtures=()
    )


def test_a_certain_ranking_has_full_overlap() -> None:
    selection = select(known([1.0, 2.0, 3.0, 4.0], [0.0] * 4))
    assert selection.overlaps.tolist() == [1.0, 1.0, 1.0]
    assert selection.errors.sum() == 0.0


def test_errors_are_largest_next_to_the_threshold() -> None:
    selection = select(known(np.arange(20.0).tolist(), [2.0] * 20))
    ten = selection.errors[0]
    assert set(np.argsort(-ten)[:2].tolist()) == {17, 18}
    assert (selection.overlaps < 1.0).all()


def test_one_candidate_is_the_selection() -> None:
    selection = select(known([1.0], [0.0]))
    assert selection.overlaps.tolist() == [1.0, 1.0, 1.0]


def test_the_gradient_is_largest_where_the_ranking_is_undecided() -> None:
    spreads = [0.3] * 20
    posterior = known(np.arange(20.0).tolist(), spreads)
    population = PopulationFeatures(
        numbers=np.arange(20),
        level=np.zeros(20, dtype=np.intp),
        values=np.zeros((20, 3, 7)),
        lengths=np.ones(20, dtype=np.int64),
    )
    epochs = np.array([1.0, 2.0, 5.0])
    gradient = gradient_for_selection(population, posterior, select(posterior), epochs)
    assert set(np.argsort(-gradient)[:6].tolist()) == {13, 14, 15, 16, 17, 18}
    best = gradient_for_best(population, posterior, epochs, incumbent=18.5)
    assert np.argmax(best) == 19


# --- the presets on curves


def engine(name: str, **settings: float) -> Preset:
    return preset(name, max_epochs=10.0, epochs_per_interval=0.5, **settings)


@pytest.mark.parametrize("name", ["adaptive", "adaptive-fast", "adaptive-steady"])
def test_the_first_candidates_are_trained_in_full(name: str) -> None:
    history = History()
    for number in range(NUM_IN_FULL):
        watched = Engine(engine(name), history=history, candidate=number)
        for index, accuracy in enumerate(rising(50.0 + number, length=20, seed=number)):
            assert watched.observe((index + 1) * 0.5, val_accuracy=accuracy).action is Action.GO
    assert history.count(Standing.FINISHED) == NUM_IN_FULL


@pytest.mark.parametrize(("num_known", "action"), [(NUM_IN_FULL, Action.PAUSE), (NUM_IN_FULL - 1, Action.GO)])
def test_of_earlier_candidates_those_trained_to_the_end_count_as_first(
    num_known: int, action: Action
) -> None:
    ends = [Standing.FINISHED] * num_known + [Standing.STOPPED] * 5
    history = History()
    for number, standing in enumerate(ends, start=1):
        for index, accuracy in enumerate(rising(50.0 + number, length=20, seed=number)):
            history.apply(Observed(candidate=-number, epoch=(index + 1) * 0.5, val_accuracy=accuracy))
        history.apply(Ended(candidate=-number, standing=standing))
    watched = Engine(engine("adaptive"), history=history, candidate=0)
    assert watched.observe(0.5, val_accuracy=12.0).action is action


def test_all_others_are_paused_at_the_first_level() -> None:
    history = history_of([20] * 4, finals=[50.0, 60.0, 70.0, 80.0])
    watched = Engine(engine("adaptive"), history=history, candidate=9)
    decision = watched.observe(0.5, val_accuracy=12.0)
    assert (decision.action, decision.reason) == (Action.PAUSE, Reason.RUNG)
    assert decision.forecast is not None
    assert decision.forecast.low <= decision.forecast.value <= decision.forecast.high
    assert decision.version == history.version - 2


def test_new_candidates_come_before_promotions() -> None:
    assert engine("adaptive").promotion.promote(MIXED, num_new=1) is None
    assert engine("adaptive").promotion.promote(MIXED, num_new=0) in range(24)


def test_settling_stops_every_paused_candidate_with_an_interval() -> None:
    decisions = engine("adaptive").promotion.settle(MIXED)
    paused = {member.candidate for member in MIXED.those(Standing.PAUSED)}
    assert set(decisions) == paused
    for number, decision in decisions.items():
        assert decision.stop
        assert decision.reason in (Reason.CONVERGED, Reason.UNLIKELY_BEST)
        assert decision.forecast is not None
        assert decision.estimate >= MIXED.members[number].curve.best_accuracy
        low, high = decision.forecast.interval_90
        assert low <= decision.estimate <= high


def test_the_same_history_gives_the_same_promotion() -> None:
    promotion = engine("adaptive").promotion
    again = History(MIXED.events)
    assert promotion.promote(again, num_new=0) == promotion.promote(MIXED, num_new=0)
    assert promotion.settle(again) == promotion.settle(MIXED)


def test_a_posterior_computed_late_equals_one_computed_in_time() -> None:
    watched, late = History(), History()
    for event in MIXED.events:
        watched.apply(event)
        population_posterior(watched, LEVELS)
        late.apply(event)
    first, second = population_posterior(watched, LEVELS), population_posterior(late, LEVELS)
    assert first is not None
    assert second is not None
    assert first.rests_on == second.rests_on
    np.testing.assert_array_equal(first.posterior.mean, second.posterior.mean)


def test_nothing_is_known_of_nobody() -> None:
    assert population_posterior(History(), LEVELS) is None
    assert final_population_posterior(History(), LEVELS) is None
    assert engine("adaptive").promotion.settle(History()) == {}
    assert engine("adaptive").promotion.promote(History(), num_new=0) is None


def recorded(test_data: Path) -> CurveSet:
    return load_curve_sets(test_data / "curves" / "random_cnn_cifar.npz")[0]


@pytest.mark.parametrize("number", [1, 2, 5, 9])
@pytest.mark.parametrize("name", ["adaptive", "adaptive-fast", "adaptive-steady"])
def test_few_candidates_are_no_problem(test_data: Path, name: str, number: int) -> None:
    curves = recorded(test_data)
    made = preset(name, max_epochs=curves.max_epochs, epochs_per_interval=curves.epochs_per_interval)
    history = History()
    engines = [Engine(made, history=history, candidate=index) for index in range(number)]
    for index, watched in enumerate(engines):
        for epoch, accuracy in zip(curves.epochs, curves.val_accuracy[index], strict=True):
            if watched.observe(float(epoch), val_accuracy=float(accuracy)).action is not Action.GO:
                break
    made.promotion.promote(history, num_new=0)
    assert set(made.promotion.settle(history)) == {
        member.candidate for member in history.those(Standing.PAUSED)
    }


def test_adaptive_keeps_the_best_of_real_networks_for_half_the_epochs(test_data: Path) -> None:
    curves = recorded(test_data)
    made = preset("adaptive", max_epochs=curves.max_epochs, epochs_per_interval=curves.epochs_per_interval)
    replay = Simulation(curves, made, order=range(len(curves))).run()
    figures = score(replay, curves, menndl_epochs=float("nan"))
    assert figures.epochs_used_percent < 55.0
    assert figures.overlap_20 >= 0.85
    assert figures.regret < 0.5

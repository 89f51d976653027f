"""Scores: every figure against what it is by hand, and the i-Epoch front against the engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from estimator import preset
from hpc_nas.replay.front import SHARES, epochs_at, i_epoch_front, replay_i_epoch
from hpc_nas.replay.score import Score, means_of, menndl_epochs, score
from hpc_nas.replay.simulate import replay_alone
from hpc_nas.replay.values import Replay, Replayed
from hpc_nas.values import Reason
from tests.unit.replay.replay_helpers import curve_set, random_set

NAN = math.nan
TRUTH = [90.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0, 5.0]
CURVES = curve_set([[accuracy / 2, accuracy] for accuracy in TRUTH])


def replayed(index: int, **changes: Any) -> Replayed:
    fields: dict[str, Any] = {
        "index": index,
        "id": CURVES.ids[index],
        "stop_epoch": 2.0,
        "estimate": TRUTH[index],
        "spread": 0.0,
        "low": NAN,
        "high": NAN,
        "reason": Reason.FULL_BUDGET,
        "num_pauses": 0,
        "num_decisions": 2,
        "version": 0,
    }
    return Replayed(**{**fields, **changes})


def stopped(index: int, *, estimate: float, low: float = NAN, high: float = NAN) -> Replayed:
    return replayed(
        index, stop_epoch=1.0, estimate=estimate, low=low, high=high, reason=Reason.CONVERGED, num_decisions=1
    )


def scored(*changed: Replayed, menndl: float = NAN) -> Score:
    candidates = {item.index: item for item in map(replayed, range(10))} | {
        item.index: item for item in changed
    }
    return score(Replay(candidates=tuple(candidates.values())), CURVES, menndl_epochs=menndl)


def test_training_everyone_to_the_end_is_perfect_and_saves_nothing() -> None:
    perfect = scored()
    assert (perfect.epochs_used_percent, perfect.epochs_saved_percent, perfect.throughput_factor) == (
        100,
        0,
        1,
    )
    assert (perfect.overlap_10, perfect.overlap_20, perfect.overlap_30) == (1, 1, 1)
    assert (perfect.gap_10, perfect.gap_20, perfect.gap_30) == (0, 0, 0)
    assert (perfect.regret, perfect.regret_retrained_3) == (0, 0)
    assert perfect.kendall_tau == pytest.approx(1)
    assert (perfect.num_stopped, perfect.false_stop_percent) == (0, 0)
    assert math.isnan(perfect.mae)
    assert math.isnan(perfect.coverage_90)
    assert math.isnan(perfect.epochs_saved_vs_menndl_percent)


def test_figures_are_those_of_the_papers() -> None:
    found = scored(
        stopped(0, estimate=65.0, low=60.0, high=70.0),  # the best, taken for the third
        stopped(1, estimate=79.0, low=70.0, high=88.0),
        stopped(9, estimate=8.0, low=4.0, high=12.0),
        menndl=20.0,
    )
    assert found.epochs_used_percent == pytest.approx(100 * 17 / 20)
    assert found.epochs_saved_percent == pytest.approx(15.0)
    assert found.epochs_saved_vs_menndl_percent == pytest.approx(15.0)
    assert found.throughput_factor == pytest.approx(20 / 17)
    assert (found.overlap_10, found.overlap_20, found.overlap_30) == (0, 0.5, 1)
    assert (found.gap_10, found.gap_20, found.gap_30) == (10, 10, 0)
    assert (found.regret, found.regret_retrained_3) == (10, 0)
    assert found.kendall_tau == pytest.approx((45 - 2 * 2) / 45)
    assert found.mae == pytest.approx((25 + 1 + 3) / 3)
    assert found.coverage_90 == pytest.approx(2 / 3)
    assert (found.num_stopped, found.false_stop_percent) == (3, 100)


def test_coverage_counts_only_those_that_have_an_interval() -> None:
    found = scored(stopped(3, estimate=60.0), stopped(4, estimate=50.0, low=45.0, high=55.0))
    assert found.coverage_90 == 1.0
    assert math.isnan(scored(stopped(3, estimate=60.0)).coverage_90)


def test_menndl_is_what_its_rule_trains() -> None:
    assert math.isnan(menndl_epochs(CURVES))
    losses = np.full((2, 15), 2.0)
    losses[1] = np.linspace(3.0, 1.0, 15)
    curves = curve_set([np.linspace(10, 40, 15).tolist()] * 2, train_loss=losses)
    assert menndl_epochs(curves) == 11.0 + 15.0


def test_means_leave_out_what_does_not_exist() -> None:
    several = [scored(stopped(0, estimate=65.0)), scored()]
    means = means_of(several)
    assert means["overlap_10"] == 0.5
    assert means["overlap_10_std"] == 0.5
    assert means["mae"] == 25.0
    assert math.isnan(means["mae_std"])
    assert math.isnan(means["coverage_90"])
    alone = means_of(several[:1])
    assert alone["overlap_10"] == 0.0
    assert math.isnan(alone["overlap_10_std"])


def test_the_front_is_what_preset_i_epoch_gives() -> None:
    curves = random_set(15)
    for share in SHARES:
        epochs = epochs_at(curves, share)
        made = preset("i-epoch", max_epochs=12, epochs_per_interval=1, epochs=epochs)
        (slow,) = replay_alone(curves, [made])
        assert repr(replay_i_epoch(curves, epochs=epochs)) == repr(slow)
    assert repr(replay_i_epoch(curves, epochs=12.0)) == repr(
        replay_alone(curves, [preset("none", max_epochs=12, epochs_per_interval=1)])[0]
    )
    used = [item.epochs_used_percent for item in i_epoch_front(curves, menndl_epochs=NAN)]
    assert used == sorted(used)
    assert used[0] == pytest.approx(100 / 12)
    assert used[-1] == pytest.approx(75.0)


def test_the_share_of_a_budget_is_the_nearest_validation() -> None:
    assert epochs_at(random_set(2), 0.3) == 4.0
    assert epochs_at(random_set(2), 0.01) == 1.0


def test_on_recorded_curves_i_epoch_ranks_as_the_recorded_figures_say(test_data: Any) -> None:
    from hpc_nas.records.curve_file import load_curve_sets

    digits = load_curve_sets(test_data / "curves" / "random_cnn_digits.npz")[0].complete()
    menndl = menndl_epochs(digits)
    assert 0.3 * 400 * 20 < menndl <= 400 * 20
    found = score(replay_i_epoch(digits, epochs=6.0), digits, menndl_epochs=menndl)
    assert found.epochs_used_percent == pytest.approx(30.0)
    assert 0.5 < found.overlap_20 < 1.0
    assert 0.6 < found.kendall_tau < 1.0

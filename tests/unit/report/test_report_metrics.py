"""The papers' metrics, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from hpc_nas.report.metrics import best_of, gap, kendall_tau, num_best, overlap, regret

TRUTH = [90.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0, 5.0]
ESTIMATES = [88.0, 60.0, 75.0, 77.0, 50.0, 40.0, 30.0, 20.0, 10.0, 5.0]  # order: 0, 3, 2, 1, 4, ...


def test_overlap_is_the_shared_part_of_both_best_sets() -> None:
    assert overlap(ESTIMATES, TRUTH, percent=10) == 1.0  # {0} and {0}
    assert overlap(ESTIMATES, TRUTH, percent=20) == 0.5  # {0, 1} and {0, 3}
    assert overlap(ESTIMATES, TRUTH, percent=30) == pytest.approx(2 / 3)  # {0, 1, 2} and {0, 3, 2}
    assert overlap(ESTIMATES, TRUTH, percent=40) == 1.0
    assert overlap([1.0, 2.0], [2.0, 1.0], percent=50) == 0.0


def test_gap_compares_true_accuracies_of_both_best_sets() -> None:
    assert gap(ESTIMATES, TRUTH, percent=10) == 0.0
    assert gap(ESTIMATES, TRUTH, percent=20) == pytest.approx((90 + 80) / 2 - (90 + 60) / 2)
    assert gap(ESTIMATES, TRUTH, percent=30) == pytest.approx(80 - (90 + 60 + 70) / 3)


def test_kendall_tau_counts_pairs_in_order() -> None:
    # Of 45 pairs, those of 1, 2, 3 are turned round.
    assert kendall_tau(ESTIMATES, TRUTH) == pytest.approx((42 - 3) / 45)
    assert kendall_tau(TRUTH, TRUTH) == pytest.approx(1.0)
    assert kendall_tau([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("estimates", "truth"), [([1.0], [1.0]), ([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [3.0, 3.0])]
)
def test_kendall_tau_without_an_order_is_nan(estimates: list[float], truth: list[float]) -> None:
    assert math.isnan(kendall_tau(estimates, truth))


def test_regret_is_what_the_winner_misses() -> None:
    assert regret([50.0, 60.0, 55.0], [90.0, 70.0, 85.0]) == 20.0
    assert regret([50.0, 60.0, 55.0], [90.0, 70.0, 85.0], num_retrained=2) == 5.0
    assert regret([50.0, 60.0, 55.0], [90.0, 70.0, 85.0], num_retrained=3) == 0.0


def test_size_of_the_best_set_is_rounded_up() -> None:
    assert [num_best(n, percent=10) for n in (1, 9, 10, 11, 40, 100, 1000)] == [1, 1, 1, 2, 4, 10, 100]
    assert num_best(40, percent=30) == 12


def test_equals_rank_by_position() -> None:
    assert best_of([5.0, 7.0, 7.0, 7.0], percent=50).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("estimates", "truth", "message"),
    [
        ([], [], "non-empty"),
        ([1.0], [1.0, 2.0], "shape"),
        ([[1.0]], [[1.0]], "shape"),
        ([1.0, math.nan], [1.0, 2.0], r"estimates\[1\] = nan"),
        ([1.0, 2.0], [math.inf, 2.0], r"accuracies\[0\] = inf"),
    ],
)
def test_values_that_cannot_be_compared_are_refused(estimates: list, truth: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        overlap(estimates, truth, percent=10)


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.5])
def test_percent_out_of_range_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="percent = "):
        gap(ESTIMATES, TRUTH, percent=percent)


@pytest.mark.parametrize("num_retrained", [0, 11])
def test_retraining_none_or_too_many_is_refused(num_retrained: int) -> None:
    with pytest.raises(ValueError, match="use 1 to 10"):
        regret(ESTIMATES, TRUTH, num_retrained=num_retrained)

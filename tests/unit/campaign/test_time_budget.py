"""Does another candidate fit into the time that is left?"""

from __future__ import annotations

from hpc_nas.campaign.time_budget import CLOSING_S, Durations, fits, leaves_at


def test_forecast_is_the_time_that_nine_of_ten_need() -> None:
    durations = Durations()
    assert durations.forecast_s is None
    for seconds in (30.0, 10.0, 20.0):
        durations.add(seconds)
    assert durations.forecast_s == 30.0
    for seconds in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0):
        durations.add(seconds)
    assert durations.forecast_s == 20.0  # one of ten takes longer


def test_nothing_is_begun_that_would_end_after_the_others_must_leave() -> None:
    assert leaves_at(1000.0, drain_s=30.0) == 970.0 - CLOSING_S
    for ahead, latest in ((0, 90.0), (1, 90.0), (2, 80.0), (5, 70.0)):  # two trainers: two at a time
        for now, fitting in ((latest - 0.1, True), (latest, False)):
            assert fits(now=now, end_time=100.0, forecast_s=10.0, num_ahead=ahead, num_trainers=2) is fitting


def test_without_a_forecast_there_is_time_until_the_end() -> None:
    assert fits(now=99.0, end_time=100.0, forecast_s=None, num_ahead=9, num_trainers=1)
    assert not fits(now=100.0, end_time=100.0, forecast_s=None, num_ahead=0, num_trainers=1)

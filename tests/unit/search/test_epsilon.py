from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from hpc_nas.search.epsilon import PUBLISHED_SCHEDULE, EpsilonSchedule
from hpc_nas.search.metaqnn import epsilon_schedule

EPSILONS = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]


def test_the_published_schedule_is_that_of_table_2() -> None:
    schedule = epsilon_schedule(counts="exact", num_candidates=40)
    drawn = Counter(schedule.epsilon_of(number) for number in range(2700))
    assert list(drawn) == EPSILONS
    assert list(drawn.values()) == [1500, 100, 100, 100, 150, 150, 150, 150, 150, 150]
    assert schedule.epsilon_of(39) == 1.0
    assert schedule.epsilon_of(5000) == 0.1
    assert epsilon_schedule(num_candidates=2700) == schedule


@pytest.mark.parametrize("num_candidates", [*range(1, 120), 999, 1000, 2699, 2701, 12_345])
def test_the_scaled_steps_make_up_any_number_of_candidates(num_candidates: int) -> None:
    schedule = EpsilonSchedule.parse(PUBLISHED_SCHEDULE)
    scaled = schedule.scaled_to(num_candidates)
    assert scaled.num_candidates == num_candidates
    drawn = [scaled.epsilon_of(number) for number in range(num_candidates)]
    assert all(before >= after for before, after in pairwise(drawn))
    for published, step in zip(schedule.steps, scaled.steps, strict=True):
        assert step.epsilon == published.epsilon
        assert drawn.count(step.epsilon) == step.num_candidates
        assert abs(step.num_candidates - published.num_candidates * num_candidates / 2700) <= 1.0


def test_steps_are_read_with_or_without_blanks() -> None:
    schedule = EpsilonSchedule.parse("1:2,  0.5 : 3,.25:1")
    assert [schedule.epsilon_of(number) for number in range(8)] == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


@pytest.mark.parametrize(
    "text", ["", "1.0", "1.0:0", "1.0:5,", "-0.1:5", "1.1:5", "0.5:2.5", "a:1", "0.5:5 0.1:5"]
)
def test_other_text_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match="is not epsilon:candidates with an epsilon from 0 to 1"):
        EpsilonSchedule.parse(text)

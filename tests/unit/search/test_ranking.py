from __future__ import annotations

import numpy as np
from optuna.trial import FrozenTrial, create_trial
from scipy.stats import norm

from hpc_nas.search.ranking import Ranking, standings


def trial(estimate: float, spread: float | None) -> FrozenTrial:
    return create_trial(value=estimate, user_attrs={"spread": spread})


def drawn(estimate: float, spread: float | None, *, times: int = 4000) -> np.ndarray:
    return standings(
        [trial(estimate, spread)] * times, ranking=Ranking.SPREAD, generator=np.random.default_rng(1)
    )


def test_by_estimate_every_one_is_taken_at_its_word() -> None:
    trials = [trial(80.0, 0.0), trial(90.0, 12.0), trial(50.0, None)]
    ranked = standings(trials, ranking=Ranking.ESTIMATE, generator=np.random.default_rng(1))
    assert ranked.tolist() == [80.0, 90.0, 50.0]


def test_what_was_measured_or_has_no_known_spread_is_drawn_as_it_is() -> None:
    for spread in (0.0, None, float("nan")):
        assert set(drawn(80.0, spread)) == {80.0}


def test_an_estimate_is_drawn_within_its_spread() -> None:
    values = drawn(60.0, 5.0)
    assert abs(values.mean() - 60.0) < 0.3
    assert abs(values.std() - 5.0) < 0.3
    assert abs((values > 65.0).mean() - norm.sf(1.0)) < 0.03


def test_no_draw_leaves_the_range_of_accuracies() -> None:
    for estimate, spread in ((99.0, 5.0), (2.0, 30.0), (101.0, 3.0), (90.0, 1e6), (90.0, float("inf"))):
        values = drawn(estimate, spread)
        assert values.min() >= 0.0
        assert values.max() <= 100.0
    for spread in (1e6, float("inf")):  # as good as unknown
        assert abs(drawn(90.0, spread).mean() - 50.0) < 2.0


def test_an_estimate_beyond_the_range_with_next_to_no_spread_stays_where_it_can_be() -> None:
    assert set(np.round(drawn(100.4, 1e-3), 1)) == {100.0}

"""What strategies are told of an estimate and its spread."""

from __future__ import annotations

import pytest

from hpc_nas.configuration import SearchSection
from hpc_nas.search import make_strategy
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.values import Outcome, Reason, State
from tests.unit.search.test_strategies import context


@pytest.mark.parametrize("name", ["tpe", "bohb"])
@pytest.mark.parametrize(
    ("ranking", "spread", "told"),
    [
        ({}, 4.0, 70.0),
        ({"ranking": "estimate"}, 4.0, 70.0),
        ({"ranking": "pessimistic"}, 4.0, 66.0),
        ({"ranking": "pessimistic"}, 0.0, 70.0),
        ({"ranking": "pessimistic"}, None, 70.0),
    ],
)
def test_a_pessimistic_ranking_takes_the_spread_off(
    name: str, ranking: dict[str, str], spread: float | None, told: float
) -> None:
    strategy = make_strategy(SearchSection(name=name, **ranking), context=context())
    assert isinstance(strategy, OptunaStrategy)
    candidate = strategy.ask(0)
    outcome = Outcome(
        candidate=0,
        attempt=0,
        state=State.STOPPED,
        reason=Reason.CONVERGED,
        estimate=70.0,
        spread=spread,
        epochs=2.0,
    )
    strategy.tell(candidate, outcome)
    (trial,) = strategy.study.get_trials()
    assert trial.value == told

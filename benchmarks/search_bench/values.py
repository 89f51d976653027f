"""What is measured, as frozen values that go into results.json and come back from it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from benchmarks.bench.environment import Conditions
from benchmarks.bench.store import Results
from benchmarks.bench.values import Number, Value
from benchmarks.search_bench.plans import Plan

__all__ = ["Costs", "DrawCost", "Measured", "Pick", "SearchResults", "Simulated"]


class Pick(Value):
    """A candidate that the search names one of its best, by estimate; accuracies in percent.

    `final` is the best validation accuracy that it reaches with the full budget: trained to the end once more with
    the same seed where it was stopped.
    """

    candidate: int
    estimate: Number
    spread: Number
    final: Number
    macs: int


class Measured(Value):
    """One campaign's figures; `accuracies` and `macs` of the evaluated candidates by number, `picks` best first."""

    plan: Plan
    conditions: Conditions
    elapsed_s: Number
    training_span_s: Number
    epochs_trained: Number
    trainer_busy_percent: Number
    outcomes: dict[str, int]
    reasons: dict[str, int]
    redraws: int
    picks: tuple[Pick, ...]
    numbers: tuple[int, ...]
    estimates: tuple[Number, ...]
    accuracies: tuple[Number, ...]
    macs: tuple[int, ...]


class Costs(Value):
    """Milliseconds of processor time of one ask and one tell once so many candidates have ended.

    Median and 90 % of `count`, on a space that costs nothing, so that it is the strategy's own time.
    """

    strategy: str
    num_told: int
    count: int
    ask_ms: Number
    ask_p90_ms: Number
    tell_ms: Number
    tell_p90_ms: Number


class DrawCost(Value):
    """Milliseconds of processor time to draw and describe one network of a space at its default options."""

    space: str
    count: int
    median_ms: Number
    p90_ms: Number


class Simulated(Value):
    """Simulated searches: true accuracy of the best candidate, and of the one with the best estimate; percent.

    Means over seeds with their standard errors.
    """

    label: str
    spreads: str
    num_candidates: int
    num_seeds: int
    best: Number
    best_error: Number
    picked: Number
    picked_error: Number


class SearchResults(Results):
    """The whole file: campaigns by name, costs by strategy and number of candidates."""

    environment: dict[str, Any] = Field(default_factory=dict)
    campaigns: dict[str, Measured] = Field(default_factory=dict)
    costs: tuple[Costs, ...] = ()
    draws: tuple[DrawCost, ...] = ()
    simulated: tuple[Simulated, ...] = ()
    cost_conditions: Conditions | None = None

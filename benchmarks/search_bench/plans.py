"""Which campaigns are run: every strategy with and without early stopping, every space, the agent, generations."""

from __future__ import annotations

from benchmarks.bench.campaigns import Setting
from benchmarks.bench.values import Value

__all__ = [
    *(
        "EPSILON",
        "FREE",
        "FULL",
        "GENERATIONS",
        "GRID",
        "OWN_RULE",
        "PAIRS",
        "PARTS",
        "PRESETS",
        "QUICK",
        "REPEATED",
        "SPACES",
    ),
    *("STRATEGIES", "Plan", "Scale", "plans"),
]

SPACES, STRATEGIES, EPSILON, GENERATIONS = "spaces", "strategies", "epsilon", "generations"
PARTS = (STRATEGIES, SPACES, EPSILON, GENERATIONS)
OWN_RULE = "own rule"
GRID = "grid"

FREE = ("random", "tpe", "nsga2", "regularized-evolution", "metaqnn")
"""Strategies that leave the rule to the user."""
PAIRS = ("asha", "hyperband", "bohb")
"""Strategies that bring their rule."""
REPEATED = ("random", "tpe", "nsga2")
PRESETS = ("none", "peng4nn", "menndl", "peng4nn-fast", "adaptive")
"""`peng4nn-fast` is PEng4NN by our solver: the paper's fits take about as long as an epoch of networks this small."""

SMALL: dict[str, dict[str, Setting]] = {
    "random-cnn": {"max_conv_layers": 3, "max_filters": 16, "batch_size": 64},
    "metaqnn": {"max_layers": 6, "width_divisor": 16, "batch_size": 32},
    "nas-bench-201": {"num_channels": 4, "cells_per_stage": 1, "batch_size": 64},
    "darts": {"num_cells": 3, "num_channels": 4},
    "resnet-scaling": {"base_channels": 4, "batch_size": 64},
    "resnet-random": {"max_blocks": 3, "max_filters": 8},
    "randaugment": {"width_divisor": 16, "batch_size": 64},
    "lstm": {"max_size": 70, "batch_size": 20},
}
"""Options that make a space fit images of 8x8 pixels and two cores; `lstm` has the prose of Python's own help."""


class Plan(Value):
    """One campaign: its part of the report, its name, and what it sets over `digits.toml`."""

    part: str
    name: str
    strategy: str
    space: str
    preset: str
    seed: int
    settings: dict[str, Setting]


class Scale(Value):
    """How much is measured."""

    num_candidates: int
    max_epochs: int
    num_seeds: int
    agent_candidates: int
    agent_epochs: int
    generation: int


FULL = Scale(
    num_candidates=40, max_epochs=20, num_seeds=5, agent_candidates=200, agent_epochs=4, generation=8
)
QUICK = Scale(num_candidates=4, max_epochs=2, num_seeds=1, agent_candidates=6, agent_epochs=1, generation=2)


def plans(scale: Scale) -> list[Plan]:
    """All campaigns, in the order in which they are run: what matters most comes first."""
    size: dict[str, Setting] = {
        "campaign.num_candidates": scale.num_candidates,
        "training.max_epochs": scale.max_epochs,
    }
    agent: dict[str, Setting] = {
        "campaign.num_candidates": scale.agent_candidates,
        "training.max_epochs": scale.agent_epochs,
    }
    few: dict[str, Setting] = {"campaign.num_candidates": 3, "training.max_epochs": 2}
    generational = {**size, "search.generation": scale.generation}
    return [
        *(
            _plan(STRATEGIES, strategy, preset, seed=seed, settings=size)
            for seed in range(1, scale.num_seeds + 1)
            for strategy, preset in _combinations(REPEATED if seed > 1 else FREE + PAIRS)
        ),
        # Its space has to be finite, which random-cnn with its learning rate is not.
        *(_plan(STRATEGIES, GRID, preset, space="nas-bench-201", settings=size) for preset in PRESETS),
        *(_plan(SPACES, "random", "none", space=space, settings=few) for space in SMALL),
        *(_plan(EPSILON, "metaqnn", preset, space="metaqnn", settings=agent) for preset in PRESETS[:2]),
        # Their asynchronous counterparts are among the strategies: same seed, same preset.
        *(_plan(GENERATIONS, name, "peng4nn", settings=generational) for name in FREE[2:4]),
    ]


def _combinations(strategies: tuple[str, ...]) -> list[tuple[str, str]]:
    return [
        (strategy, preset)
        for strategy in strategies
        for preset in ((OWN_RULE,) if strategy in PAIRS else PRESETS)
    ]


def _plan(
    part: str,
    strategy: str,
    preset: str,
    *,
    settings: dict[str, Setting],
    space: str = "random-cnn",
    seed: int = 1,
) -> Plan:
    rule: dict[str, Setting] = {} if preset == OWN_RULE else {"estimator.preset": preset}
    options = {f"space.{key}": value for key, value in SMALL[space].items()}
    return Plan(
        part=part,
        name="-".join([part, space, strategy, preset.replace(" ", "-"), str(seed)]),
        strategy=strategy,
        space=space,
        preset=preset,
        seed=seed,
        settings={
            "search.name": strategy,
            "space.name": space,
            **options,
            **rule,
            "campaign.seed": seed,
            **settings,
        },
    )

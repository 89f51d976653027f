"""Dense networks on the digits: ties, all good and within a point and a half of each other, and late learners.

Late learners are deep sigmoid and tanh networks that sit at chance for a while, some for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.curves.recorder.images import (
    Images,
    Plan,
    digits,
    observe_classifiers,
)
from benchmarks.curves.recorder.networks import DenseNetworks, dense_parameters
from benchmarks.curves.recorder.training import (
    AdamW,
    NesterovSgd,
    Observation,
    Optimizer,
    Recording,
    constant,
    dropout,
    first_units,
    log_uniform,
    torch_generator,
)

TIES_SEED = 5
TIES, TIES_OBSERVATIONS = 100, 25
TIES_TRAIN, TIES_BATCH_SIZE, TIES_HIDDEN = 900, 30, 48


def ties(data: Path) -> Recording:
    """100 networks of 36 to 48 hidden units, learning rates of a factor of 2."""
    random, generator = np.random.default_rng(TIES_SEED), torch_generator(TIES_SEED)
    columns = {
        "width": random.integers(36, TIES_HIDDEN + 1, TIES),
        "learning_rate": log_uniform(random, TIES, low=0.002, high=0.004),
        "dropout": random.uniform(0.05, 0.12, TIES),
        "weight_decay": log_uniform(random, TIES, low=1e-3, high=1e-2),
    }
    networks = DenseNetworks(
        parameters=dense_parameters((64, TIES_HIDDEN, 10), generator, num_networks=TIES),
        units=first_units(columns["width"], of=TIES_HIDDEN),
    )
    optimizer = AdamW(
        networks.parameters, learning_rate=columns["learning_rate"], weight_decay=columns["weight_decay"]
    )
    plan = Plan(
        num_observations=TIES_OBSERVATIONS,
        steps_per_observation=TIES_TRAIN // TIES_BATCH_SIZE,
        batch_size=TIES_BATCH_SIZE,
        schedule=constant,
        drop=dropout(columns["dropout"], torch_generator(TIES_SEED)),
    )
    return Recording(
        num_observations=TIES_OBSERVATIONS,
        observations=observe_classifiers(networks, optimizer, images=digits(num_train=TIES_TRAIN), plan=plan),
        columns=columns,
    )


LATE_SEED = 6
LATE_OBSERVATIONS = 40
LATE_TRAIN, LATE_BATCH_SIZE, MAX_WIDTH, MIN_WIDTH = 1000, 25, 32, 12
SIGMOID, TANH = 1, 0
ADAM, SGD = 1, 0
SCALES = {SIGMOID: (0.5, 1.6), TANH: (0.05, 0.8)}
LEARNING_RATES = {
    (SIGMOID, ADAM): (3e-4, 1e-2),
    (TANH, ADAM): (3e-5, 2e-3),
    (SIGMOID, SGD): (0.3, 4.0),
    (TANH, SGD): (0.02, 0.3),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Networks of one depth, trained together."""

    depth: int
    size: int
    activation: int
    optimizer: int


GROUPS = (
    _Group(depth=3, size=17, activation=SIGMOID, optimizer=ADAM),
    _Group(depth=4, size=17, activation=SIGMOID, optimizer=ADAM),
    _Group(depth=5, size=16, activation=SIGMOID, optimizer=ADAM),
    _Group(depth=3, size=17, activation=SIGMOID, optimizer=SGD),
    _Group(depth=4, size=16, activation=TANH, optimizer=SGD),
    _Group(depth=6, size=17, activation=TANH, optimizer=ADAM),
)


def late_learners(data: Path) -> Recording:
    """100 networks of 3 to 6 hidden layers in six groups, in random order."""
    random, generator = np.random.default_rng(LATE_SEED), torch_generator(LATE_SEED)
    images = digits(num_train=LATE_TRAIN)
    columns = [_columns(group, random) for group in GROUPS]
    groups = [
        _observe(group, drawn, images, generator=generator)
        for group, drawn in zip(GROUPS, columns, strict=True)
    ]
    order = random.permutation(sum(group.size for group in GROUPS))
    return Recording(
        num_observations=LATE_OBSERVATIONS,
        observations=_together(groups, order=order),
        columns={key: np.concatenate([drawn[key] for drawn in columns])[order] for key in columns[0]},
    )


def _columns(group: _Group, random: np.random.Generator) -> dict[str, NDArray[Any]]:
    widths = random.integers(MIN_WIDTH, MAX_WIDTH + 1, group.size)
    low, high = SCALES[group.activation]
    scales = log_uniform(random, group.size, low=low, high=high)
    low, high = LEARNING_RATES[group.activation, group.optimizer]
    return {
        "learning_rate": log_uniform(random, group.size, low=low, high=high),
        "depth": np.full(group.size, group.depth),
        "width": widths,
        "init_scale": scales,
        "sigmoid": np.full(group.size, group.activation),
        "optimizer": np.full(group.size, group.optimizer),
    }


def _observe(
    group: _Group, columns: dict[str, NDArray[Any]], images: Images, *, generator: torch.Generator
) -> Iterator[Observation]:
    sizes = (64, *[MAX_WIDTH] * group.depth, 10)
    networks = DenseNetworks(
        parameters=dense_parameters(
            sizes, generator, num_networks=group.size, scale=columns["init_scale"], hidden_gain=1.0
        ),
        activation=torch.sigmoid if group.activation == SIGMOID else torch.tanh,
        units=first_units(columns["width"], of=MAX_WIDTH),
    )
    plan = Plan(
        num_observations=LATE_OBSERVATIONS,
        steps_per_observation=LATE_TRAIN // LATE_BATCH_SIZE,
        batch_size=LATE_BATCH_SIZE,
        schedule=constant,
        max_gradient_norm=5.0,
    )
    return observe_classifiers(networks, _optimizer(group, networks, columns), images=images, plan=plan)


def _optimizer(group: _Group, networks: DenseNetworks, columns: dict[str, NDArray[Any]]) -> Optimizer:
    if group.optimizer == ADAM:
        return AdamW(networks.parameters, learning_rate=columns["learning_rate"])
    return NesterovSgd(networks.parameters, learning_rate=columns["learning_rate"], momentum=0.8)


def _together(groups: list[Iterator[Observation]], *, order: NDArray[np.int64]) -> Iterator[Observation]:
    """One observation of all networks from one of each group."""
    for parts in zip(*groups, strict=True):
        yield {key: np.concatenate([part[key] for part in parts])[order] for key in parts[0]}

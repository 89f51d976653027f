"""Late learners: deep sigmoid and tanh networks on the digits that sit at chance for a while, some for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recorder.classification import Plan, observe_classifiers
from recorder.data import Images, digits
from recorder.dense import DenseNetworks, dense_parameters
from recorder.draws import first_units, log_uniform, torch_generator
from recorder.optimizers import AdamW, NesterovSgd, Optimizer
from recorder.recordings import Observation, Recording
from recorder.schedules import constant

SEED = 6
NUM_OBSERVATIONS = 40
NUM_TRAIN, BATCH_SIZE, MAX_WIDTH, MIN_WIDTH = 1000, 25, 32, 12
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


def start(data: Path) -> Recording:
    """100 networks of 3 to 6 hidden layers in six groups, in random order."""
    random, generator = np.random.default_rng(SEED), torch_generator(SEED)
    images = digits(num_train=NUM_TRAIN)
    columns = [_columns(group, random) for group in GROUPS]
    groups = [
        _observe(group, drawn, images, generator=generator)
        for group, drawn in zip(GROUPS, columns, strict=True)
    ]
    order = random.permutation(sum(group.size for group in GROUPS))
    return Recording(
        num_observations=NUM_OBSERVATIONS,
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
        num_observations=NUM_OBSERVATIONS,
        steps_per_observation=NUM_TRAIN // BATCH_SIZE,
        batch_size=BATCH_SIZE,
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

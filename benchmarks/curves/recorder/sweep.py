"""Optimizer sweeps: one dense network on Fashion-MNIST under Adam with all its settings drawn over huge ranges.

In the manner of TaskSet's optimizer families (Metz et al., arXiv 2002.11887): most settings learn nothing, some
diverge, few are good. val_acc is a score of the loss; the accuracy is kept as `accuracy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.curves.recorder.images import (
    Plan,
    fashion_mnist,
    observe_classifiers,
)
from benchmarks.curves.recorder.networks import DenseNetworks, dense_parameters
from benchmarks.curves.recorder.training import (
    AdamW,
    Recording,
    below_chance_loss,
    linear_times_exponential,
    log_uniform,
    torch_generator,
)

SIZES = (49, 32, 32, 10)
NUM_OBSERVATIONS = 50
NUM_VALIDATION = 2000
USUAL_EPSILON = 1e-8
LARGEST_DECAY = 0.9
"""Of learning rate x weight decay: at 1 a step would erase the weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setting:
    """What differs between the two sweeps; shares: of networks with the usual epsilon, without weight decay."""

    seed: int
    num_networks: int
    num_train: int
    batch_size: int
    steps_per_observation: int
    lowest_learning_rate: float
    highest_linear_decay: float
    usual_epsilon_share: float
    no_decay_share: float


def wide(data: Path) -> Recording:
    """250 networks over eight decades of learning rate: half of them never learn anything."""
    setting = _Setting(
        seed=7,
        num_networks=250,
        num_train=4000,
        batch_size=32,
        steps_per_observation=40,
        lowest_learning_rate=1e-7,
        highest_linear_decay=1e-2,
        usual_epsilon_share=0.5,
        no_decay_share=0.5,
    )
    return _start(data, setting=setting)


def diverging(data: Path) -> Recording:
    """200 networks over the upper six decades, on fewer images: a fifth of them diverges, others overfit."""
    setting = _Setting(
        seed=17,
        num_networks=200,
        num_train=1500,
        batch_size=16,
        steps_per_observation=50,
        lowest_learning_rate=1e-5,
        highest_linear_decay=1e-3,
        usual_epsilon_share=0.8,
        no_decay_share=0.7,
    )
    return _start(data, setting=setting)


def _start(data: Path, *, setting: _Setting) -> Recording:
    generator, columns = torch_generator(setting.seed), _columns(setting)
    networks = DenseNetworks(parameters=dense_parameters(SIZES, generator, num_networks=setting.num_networks))
    learning_rate = columns["learning_rate"]
    optimizer = AdamW(
        networks.parameters,
        learning_rate=learning_rate,
        beta1=columns["beta1"],
        beta2=columns["beta2"],
        epsilon=columns["epsilon"],
        weight_decay=np.minimum(columns["weight_decay"], LARGEST_DECAY / learning_rate),
    )
    plan = Plan(
        num_observations=NUM_OBSERVATIONS,
        steps_per_observation=setting.steps_per_observation,
        batch_size=setting.batch_size,
        schedule=linear_times_exponential(
            linear=columns["linear_decay"], exponential=columns["exponential_decay"]
        ),
    )
    images = fashion_mnist(data, num_train=setting.num_train, num_validation=NUM_VALIDATION, pool=4)
    return Recording(
        num_observations=NUM_OBSERVATIONS,
        observations=observe_classifiers(networks, optimizer, images=images, plan=plan),
        columns=columns,
        score=below_chance_loss(num_classes=10),
    )


def _columns(setting: _Setting) -> dict[str, np.ndarray]:
    random, size = np.random.default_rng(setting.seed), setting.num_networks
    columns = {
        "learning_rate": log_uniform(random, size, low=setting.lowest_learning_rate, high=10),
        "beta1": 1 - log_uniform(random, size, low=1e-4, high=1),
        "beta2": 1 - log_uniform(random, size, low=1e-6, high=1),
        "epsilon": log_uniform(random, size, low=1e-10, high=1e3),
        "weight_decay": log_uniform(random, size, low=1e-8, high=10),
        "linear_decay": log_uniform(random, size, low=1e-6, high=setting.highest_linear_decay),
        "exponential_decay": log_uniform(random, size, low=1e-6, high=1e-2),
    }
    usual = random.random(size) < setting.usual_epsilon_share
    without = random.random(size) < setting.no_decay_share
    columns["epsilon"] = np.where(usual, USUAL_EPSILON, columns["epsilon"]).astype(np.float32)
    columns["weight_decay"] = np.where(without, 0, columns["weight_decay"]).astype(np.float32)
    return columns

"""Curves that cross: one dense network on Fashion-MNIST, annealed, so that learning rate and decay decide late.

A high learning rate or a strong weight decay holds a network back until the schedule has come down; what leads at
half the budget is not what wins. Label noise, smoothing and dropout keep the winners close together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.classification import Plan, observe_classifiers
from recorder.data import fashion_mnist, with_label_noise
from recorder.dense import DenseNetworks, dense_parameters
from recorder.draws import dropout, log_uniform, per_network, torch_generator
from recorder.optimizers import NesterovSgd
from recorder.recordings import Recording
from recorder.schedules import warmup_then_cosine

SIZES = (196, 48, 32, 10)
NUM_OBSERVATIONS = 40
NUM_VALIDATION = 5000
LABEL_NOISE = 0.2
DROPOUTS = (0.0, 0.05, 0.1)
DECAY_TIME, DECAY_CAP = 60, 0.1

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setting:
    seed: int
    num_train: int
    batch_size: int


def start_wide(data: Path) -> Recording:
    """112 networks over learning rates of a factor of 40 and decays of a factor of 30."""
    random = np.random.default_rng(3)
    effective, momentum = _speeds(random, 112, low=0.03, high=1.2)
    strength = log_uniform(random, 112, low=1e-3, high=3e-2)
    columns = {
        "learning_rate": effective * (1 - momentum),
        "momentum": momentum,
        "weight_decay": strength / effective,
        "label_smoothing": random.choice([0.05, 0.1, 0.2], 112),
        "dropout": random.choice(DROPOUTS, 112),
    }
    return _start(columns, data, setting=_Setting(seed=3, num_train=2000, batch_size=25))


def start_narrow(data: Path) -> Recording:
    """90 networks over learning rates of a factor of 9 and decays of a factor of 10, on fewer images."""
    random = np.random.default_rng(13)
    effective, momentum = _speeds(random, 90, low=0.12, high=1.1)
    strength = log_uniform(random, 90, low=3e-3, high=3e-2)
    columns = {
        "learning_rate": effective * (1 - momentum),
        "momentum": momentum,
        "weight_decay": np.minimum(strength / effective, DECAY_CAP * (1 - np.exp(-strength * DECAY_TIME))),
        "label_smoothing": random.choice([0.1, 0.2], 90),
        "dropout": random.choice(DROPOUTS, 90),
    }
    return _start(columns, data, setting=_Setting(seed=13, num_train=1600, batch_size=20))


def _speeds(random: np.random.Generator, size: int, *, low: float, high: float) -> tuple[Any, Any]:
    """Effective learning rates, learning rate / (1 - momentum), and momenta, [n] each."""
    return log_uniform(random, size, low=low, high=high), 1 - log_uniform(random, size, low=0.02, high=0.3)


def _start(columns: Columns, data: Path, *, setting: _Setting) -> Recording:
    num_networks = len(columns["learning_rate"])
    generator = torch_generator(setting.seed)
    images = fashion_mnist(data, num_train=setting.num_train, num_validation=NUM_VALIDATION, pool=2)
    labels = with_label_noise(images.train_labels, share=LABEL_NOISE, generator=generator)
    networks = DenseNetworks(parameters=dense_parameters(SIZES, generator, num_networks=num_networks))
    optimizer = NesterovSgd(
        networks.parameters,
        learning_rate=columns["learning_rate"],
        momentum=columns["momentum"],
        weight_decay=columns["weight_decay"],
    )
    plan = Plan(
        num_observations=NUM_OBSERVATIONS,
        steps_per_observation=setting.num_train // setting.batch_size,
        batch_size=setting.batch_size,
        schedule=warmup_then_cosine,
        drop=dropout(columns["dropout"], torch_generator(setting.seed)),
        label_smoothing=per_network(columns["label_smoothing"], num_axes=2),
        max_gradient_norm=1.0,
    )
    noisy = replace(images, train_labels=labels)
    return Recording(
        num_observations=NUM_OBSERVATIONS,
        observations=observe_classifiers(networks, optimizer, images=noisy, plan=plan),
        columns=columns,
    )

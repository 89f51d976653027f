"""Ties: dense networks on the digits that are all good, and end within a point and a half of each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recorder.classification import Plan, observe_classifiers
from recorder.data import digits
from recorder.dense import DenseNetworks, dense_parameters
from recorder.draws import dropout, first_units, log_uniform, torch_generator
from recorder.optimizers import AdamW
from recorder.recordings import Recording
from recorder.schedules import constant

SEED = 5
NUM_NETWORKS, NUM_OBSERVATIONS = 100, 25
NUM_TRAIN, BATCH_SIZE, NUM_HIDDEN = 900, 30, 48


def start(data: Path) -> Recording:
    """100 networks of 36 to 48 hidden units, learning rates of a factor of 2."""
    random, generator = np.random.default_rng(SEED), torch_generator(SEED)
    columns = {
        "width": random.integers(36, NUM_HIDDEN + 1, NUM_NETWORKS),
        "learning_rate": log_uniform(random, NUM_NETWORKS, low=0.002, high=0.004),
        "dropout": random.uniform(0.05, 0.12, NUM_NETWORKS),
        "weight_decay": log_uniform(random, NUM_NETWORKS, low=1e-3, high=1e-2),
    }
    networks = DenseNetworks(
        parameters=dense_parameters((64, NUM_HIDDEN, 10), generator, num_networks=NUM_NETWORKS),
        units=first_units(columns["width"], of=NUM_HIDDEN),
    )
    optimizer = AdamW(
        networks.parameters, learning_rate=columns["learning_rate"], weight_decay=columns["weight_decay"]
    )
    plan = Plan(
        num_observations=NUM_OBSERVATIONS,
        steps_per_observation=NUM_TRAIN // BATCH_SIZE,
        batch_size=BATCH_SIZE,
        schedule=constant,
        drop=dropout(columns["dropout"], torch_generator(SEED)),
    )
    return Recording(
        num_observations=NUM_OBSERVATIONS,
        observations=observe_classifiers(networks, optimizer, images=digits(num_train=NUM_TRAIN), plan=plan),
        columns=columns,
    )

"""Optimizer sweep: one GRU over characters under Adam with all its settings drawn over huge ranges.

In the manner of TaskSet's optimizer families (Metz et al., arXiv 2002.11887). val_acc is 100 exp(-loss / 2).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from recorder.draws import log_uniform, torch_generator
from recorder.language import Plan, observe_language_models
from recorder.optimizers import AdamW
from recorder.recordings import Recording
from recorder.recurrent import RecurrentNetworks, recurrent_parameters
from recorder.schedules import linear_times_exponential
from recorder.scores import exponential_of_loss
from recorder.text import VOCABULARY, python_topics

SEED = 8
NUM_NETWORKS, NUM_OBSERVATIONS = 200, 40
NUM_HIDDEN = 24
USUAL_EPSILON = 1e-8


def start(data: Path) -> Recording:
    """200 networks over eight decades of learning rate."""
    columns = _columns(np.random.default_rng(SEED))
    all_gates = torch.ones(NUM_NETWORKS, 1, 1)
    networks = RecurrentNetworks(
        parameters=recurrent_parameters(
            torch_generator(SEED),
            num_networks=NUM_NETWORKS,
            num_characters=VOCABULARY,
            num_hidden=NUM_HIDDEN,
            embedding_spread=0.5,
        ),
        update_gate=all_gates,
        reset_gate=all_gates,
        units=torch.ones(NUM_NETWORKS, 1, NUM_HIDDEN),
    )
    optimizer = AdamW(
        networks.parameters, **{key: columns[key] for key in ("learning_rate", "beta1", "beta2", "epsilon")}
    )
    plan = Plan(
        num_observations=NUM_OBSERVATIONS,
        steps_per_observation=14,
        batch_size=12,
        segment_length=20,
        schedule=linear_times_exponential(
            linear=columns["linear_decay"], exponential=columns["exponential_decay"]
        ),
    )
    return Recording(
        num_observations=NUM_OBSERVATIONS,
        observations=observe_language_models(networks, optimizer, text=python_topics(), plan=plan),
        columns=columns,
        score=exponential_of_loss(scale=2.0),
    )


def _columns(random: np.random.Generator) -> dict[str, np.ndarray]:
    columns = {
        "learning_rate": log_uniform(random, NUM_NETWORKS, low=1e-7, high=10),
        "beta1": 1 - log_uniform(random, NUM_NETWORKS, low=1e-4, high=1),
        "beta2": 1 - log_uniform(random, NUM_NETWORKS, low=1e-6, high=1),
    }
    usual = random.random(NUM_NETWORKS) < 0.5
    epsilon = log_uniform(random, NUM_NETWORKS, low=1e-10, high=1e3)
    return {
        **columns,
        "epsilon": np.where(usual, USUAL_EPSILON, epsilon).astype(np.float32),
        "linear_decay": log_uniform(random, NUM_NETWORKS, low=1e-6, high=1e-2),
        "exponential_decay": log_uniform(random, NUM_NETWORKS, low=1e-6, high=1e-2),
    }

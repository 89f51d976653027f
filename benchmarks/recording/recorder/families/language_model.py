"""Language models: recurrent networks of different cells and sizes over characters, which improve to the very end.

In the manner of NAS-Bench-NLP (Klyuchnikov et al., arXiv 2006.07116): recurrent architectures, trained and judged
by the loss. val_acc is the share of the uniform guess's loss that is gone, percent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recorder.draws import dropout, first_units, log_uniform, per_network, torch_generator
from recorder.language import Plan, observe_language_models
from recorder.optimizers import AdamW
from recorder.recordings import Recording
from recorder.recurrent import RecurrentNetworks, recurrent_parameters
from recorder.schedules import constant
from recorder.scores import below_chance_loss
from recorder.text import VOCABULARY, python_topics

SEED = 9
NUM_NETWORKS, NUM_OBSERVATIONS = 150, 50
NUM_HIDDEN, MIN_HIDDEN = 32, 6
NUM_CELLS = 4
"""0 plain, 1 with an update gate, 2 with a reset gate, 3 with both (GRU)."""
LARGEST_ACTIVATION = 6


def start(data: Path) -> Recording:
    """150 networks: 6 to 32 hidden units, four cells, tanh or clipped ReLU."""
    random, generator = np.random.default_rng(SEED), torch_generator(SEED)
    hidden = random.integers(MIN_HIDDEN, NUM_HIDDEN + 1, NUM_NETWORKS)
    cell = random.integers(0, NUM_CELLS, NUM_NETWORKS)
    rectified = random.random(NUM_NETWORKS) < 0.25
    columns = {
        "learning_rate": log_uniform(random, NUM_NETWORKS, low=6e-4, high=2e-2),
        "hidden": hidden,
        "cell": cell,
        "relu": rectified,
        "dropout": random.choice([0.0, 0.1, 0.2, 0.3], NUM_NETWORKS),
        "init_scale": log_uniform(random, NUM_NETWORKS, low=0.3, high=1.2),
    }
    momentum = 1 - log_uniform(random, NUM_NETWORKS, low=0.03, high=0.3)
    networks = _networks(columns, generator)
    plan = Plan(
        num_observations=NUM_OBSERVATIONS,
        steps_per_observation=12,
        batch_size=12,
        segment_length=20,
        schedule=constant,
        drop=dropout(columns["dropout"], torch_generator(SEED)),
        max_gradient_norm=1.0,
    )
    optimizer = AdamW(networks.parameters, learning_rate=columns["learning_rate"], beta1=momentum)
    return Recording(
        num_observations=NUM_OBSERVATIONS,
        observations=observe_language_models(networks, optimizer, text=python_topics(), plan=plan),
        columns=columns,
        score=below_chance_loss(num_classes=VOCABULARY),
    )


def _networks(columns: dict[str, NDArray[Any]], generator: torch.Generator) -> RecurrentNetworks:
    rectified = torch.tensor(columns["relu"])[:, None, None]

    def activation(values: Tensor) -> Tensor:
        return torch.where(rectified, values.clamp(0, LARGEST_ACTIVATION), torch.tanh(values))

    return RecurrentNetworks(
        parameters=recurrent_parameters(
            generator,
            num_networks=NUM_NETWORKS,
            num_characters=VOCABULARY,
            num_hidden=NUM_HIDDEN,
            embedding_spread=0.4,
            scale=columns["init_scale"],
        ),
        update_gate=per_network(columns["cell"] % 2 == 1),
        reset_gate=per_network(columns["cell"] >= 2),
        units=first_units(columns["hidden"], of=NUM_HIDDEN),
        activation=activation,
    )

"""Models of the next character of the language reference that Python itself carries: sets, text and training.

The sweep is in the manner of TaskSet's optimizer families (Metz et al., arXiv 2002.11887): one GRU under Adam with all
its settings drawn over huge ranges; val_acc is 100 exp(-loss / 2). The language models are in the manner of
NAS-Bench-NLP (Klyuchnikov et al., arXiv 2006.07116): recurrent networks of different cells and sizes, which improve to
the very end; val_acc is the share of the uniform guess's loss that is gone, percent.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.curves.recorder.networks import RecurrentNetworks, recurrent_parameters
from benchmarks.curves.recorder.training import (
    AdamW,
    Drop,
    Observation,
    Optimizer,
    Recording,
    Schedule,
    below_chance_loss,
    clip_gradients,
    constant,
    dropout,
    exponential_of_loss,
    first_units,
    keep,
    linear_times_exponential,
    log_uniform,
    per_network,
    torch_generator,
)

VOCABULARY = 40
TRAIN_SHARE = 0.9
STORED_DIGEST = "a00b772cfd2f9dfed87ab8eb42501c3b74cd68ef7dfd06a8c78240652932a3eb"
STORED_PYTHON = "3.11.7"


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """Characters as numbers below VOCABULARY, int64: the beginning trains, the end validates."""

    train: Tensor
    validation: Tensor


def python_topics() -> Text:
    """`pydoc_data.topics` in lower case, white space collapsed; the 39 commonest characters, and one for the rest.

    The text changes from one Python to the next: says so on stderr where it is not the one of the stored curves.
    """
    from pydoc_data.topics import topics

    joined = " ".join(topics[key] for key in sorted(topics)).lower()
    text = " ".join(joined.split())
    if hashlib.sha256(text.encode()).hexdigest() != STORED_DIGEST:
        print(
            f"this Python's text is not that of Python {STORED_PYTHON}, which the stored curves were recorded with",
            file=sys.stderr,
        )
    common = [character for character, _ in Counter(text).most_common(VOCABULARY - 1)]
    numbers = {character: number for number, character in enumerate(common)}
    characters = torch.tensor([numbers.get(character, VOCABULARY - 1) for character in text])
    num_train = int(len(characters) * TRAIN_SHARE)
    return Text(train=characters[:num_train], validation=characters[num_train:])


SEGMENT_SEED = 1
VALIDATION_SEGMENTS, VALIDATION_LENGTH, WARMUP_CHARACTERS = 16, 40, 8


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPlan:
    """How long and how. A batch is `batch_size` random segments; `max_gradient_norm` may be None."""

    num_observations: int
    steps_per_observation: int
    batch_size: int
    segment_length: int
    schedule: Schedule
    drop: Drop = keep
    max_gradient_norm: float | None = None


def observe_language_models(
    networks: RecurrentNetworks, optimizer: Optimizer, *, text: Text, plan: TextPlan
) -> Iterator[Observation]:
    """Yield val_loss and train_loss (nats per character) after every `steps_per_observation` steps.

    Every network draws its own segments; all are validated on the same ones.
    """
    num_networks = len(networks.parameters[0])
    generator = torch_generator(SEGMENT_SEED)
    validation = _validation_segments(text, generator).expand(num_networks, -1, -1)
    within, last = torch.arange(plan.segment_length + 1), len(text.train) - plan.segment_length - 1
    step, total = 0, plan.num_observations * plan.steps_per_observation
    for _ in range(plan.num_observations):
        losses = torch.zeros(num_networks)
        for _ in range(plan.steps_per_observation):
            starts = torch.randint(0, last, (num_networks, plan.batch_size), generator=generator)
            loss = networks.losses(text.train[starts[..., None] + within], plan.drop)
            loss.sum().backward()
            if plan.max_gradient_norm is not None:
                clip_gradients(optimizer.parameters, max_norm=plan.max_gradient_norm)
            optimizer.step(plan.schedule(step, total))
            step += 1
            losses += loss.detach()
        with torch.no_grad():
            val_loss = networks.losses(validation, keep, skip=WARMUP_CHARACTERS)
        yield {"val_loss": val_loss.numpy(), "train_loss": (losses / plan.steps_per_observation).numpy()}


def _validation_segments(text: Text, generator: torch.Generator) -> Tensor:
    last = len(text.validation) - VALIDATION_LENGTH - 1
    starts = torch.randint(0, last, (VALIDATION_SEGMENTS,), generator=generator)
    return torch.stack([text.validation[start : start + VALIDATION_LENGTH + 1] for start in starts])[None]


SWEEP_SEED = 8
SWEEP_NETWORKS, SWEEP_OBSERVATIONS = 200, 40
SWEEP_HIDDEN = 24
USUAL_EPSILON = 1e-8


def optimizer_sweep(data: Path) -> Recording:
    """200 networks over eight decades of learning rate."""
    columns = _sweep_columns(np.random.default_rng(SWEEP_SEED))
    all_gates = torch.ones(SWEEP_NETWORKS, 1, 1)
    networks = RecurrentNetworks(
        parameters=recurrent_parameters(
            torch_generator(SWEEP_SEED),
            num_networks=SWEEP_NETWORKS,
            num_characters=VOCABULARY,
            num_hidden=SWEEP_HIDDEN,
            embedding_spread=0.5,
        ),
        update_gate=all_gates,
        reset_gate=all_gates,
        units=torch.ones(SWEEP_NETWORKS, 1, SWEEP_HIDDEN),
    )
    optimizer = AdamW(
        networks.parameters, **{key: columns[key] for key in ("learning_rate", "beta1", "beta2", "epsilon")}
    )
    plan = TextPlan(
        num_observations=SWEEP_OBSERVATIONS,
        steps_per_observation=14,
        batch_size=12,
        segment_length=20,
        schedule=linear_times_exponential(
            linear=columns["linear_decay"], exponential=columns["exponential_decay"]
        ),
    )
    return Recording(
        num_observations=SWEEP_OBSERVATIONS,
        observations=observe_language_models(networks, optimizer, text=python_topics(), plan=plan),
        columns=columns,
        score=exponential_of_loss(scale=2.0),
    )


def _sweep_columns(random: np.random.Generator) -> dict[str, np.ndarray]:
    columns = {
        "learning_rate": log_uniform(random, SWEEP_NETWORKS, low=1e-7, high=10),
        "beta1": 1 - log_uniform(random, SWEEP_NETWORKS, low=1e-4, high=1),
        "beta2": 1 - log_uniform(random, SWEEP_NETWORKS, low=1e-6, high=1),
    }
    usual = random.random(SWEEP_NETWORKS) < 0.5
    epsilon = log_uniform(random, SWEEP_NETWORKS, low=1e-10, high=1e3)
    return {
        **columns,
        "epsilon": np.where(usual, USUAL_EPSILON, epsilon).astype(np.float32),
        "linear_decay": log_uniform(random, SWEEP_NETWORKS, low=1e-6, high=1e-2),
        "exponential_decay": log_uniform(random, SWEEP_NETWORKS, low=1e-6, high=1e-2),
    }


MODELS_SEED = 9
MODELS, MODELS_OBSERVATIONS = 150, 50
MODELS_HIDDEN, MODELS_MIN_HIDDEN = 32, 6
NUM_CELLS = 4
"""0 plain, 1 with an update gate, 2 with a reset gate, 3 with both (GRU)."""
LARGEST_ACTIVATION = 6


def language_models(data: Path) -> Recording:
    """150 networks: 6 to 32 hidden units, four cells, tanh or clipped ReLU."""
    random, generator = np.random.default_rng(MODELS_SEED), torch_generator(MODELS_SEED)
    hidden = random.integers(MODELS_MIN_HIDDEN, MODELS_HIDDEN + 1, MODELS)
    cell = random.integers(0, NUM_CELLS, MODELS)
    rectified = random.random(MODELS) < 0.25
    columns = {
        "learning_rate": log_uniform(random, MODELS, low=6e-4, high=2e-2),
        "hidden": hidden,
        "cell": cell,
        "relu": rectified,
        "dropout": random.choice([0.0, 0.1, 0.2, 0.3], MODELS),
        "init_scale": log_uniform(random, MODELS, low=0.3, high=1.2),
    }
    momentum = 1 - log_uniform(random, MODELS, low=0.03, high=0.3)
    networks = _models(columns, generator)
    plan = TextPlan(
        num_observations=MODELS_OBSERVATIONS,
        steps_per_observation=12,
        batch_size=12,
        segment_length=20,
        schedule=constant,
        drop=dropout(columns["dropout"], torch_generator(MODELS_SEED)),
        max_gradient_norm=1.0,
    )
    optimizer = AdamW(networks.parameters, learning_rate=columns["learning_rate"], beta1=momentum)
    return Recording(
        num_observations=MODELS_OBSERVATIONS,
        observations=observe_language_models(networks, optimizer, text=python_topics(), plan=plan),
        columns=columns,
        score=below_chance_loss(num_classes=VOCABULARY),
    )


def _models(columns: dict[str, NDArray[Any]], generator: torch.Generator) -> RecurrentNetworks:
    rectified = torch.tensor(columns["relu"])[:, None, None]

    def activation(values: Tensor) -> Tensor:
        return torch.where(rectified, values.clamp(0, LARGEST_ACTIVATION), torch.tanh(values))

    return RecurrentNetworks(
        parameters=recurrent_parameters(
            generator,
            num_networks=MODELS,
            num_characters=VOCABULARY,
            num_hidden=MODELS_HIDDEN,
            embedding_spread=0.4,
            scale=columns["init_scale"],
        ),
        update_gate=per_network(columns["cell"] % 2 == 1),
        reset_gate=per_network(columns["cell"] >= 2),
        units=first_units(columns["hidden"], of=MODELS_HIDDEN),
        activation=activation,
    )

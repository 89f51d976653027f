"""Trains n models of the next character at once, and observes them as often as the plan says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recorder.draws import Drop, keep, torch_generator
from recorder.optimizers import Optimizer, clip_gradients
from recorder.recordings import Observation
from recorder.recurrent import RecurrentNetworks
from recorder.schedules import Schedule
from recorder.text import Text

SEGMENT_SEED = 1
VALIDATION_SEGMENTS, VALIDATION_LENGTH, WARMUP_CHARACTERS = 16, 40, 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How long and how. A batch is `batch_size` random segments; `max_gradient_norm` may be None."""

    num_observations: int
    steps_per_observation: int
    batch_size: int
    segment_length: int
    schedule: Schedule
    drop: Drop = keep
    max_gradient_norm: float | None = None


def observe_language_models(
    networks: RecurrentNetworks, optimizer: Optimizer, *, text: Text, plan: Plan
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

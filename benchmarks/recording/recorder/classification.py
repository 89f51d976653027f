"""Trains n classifiers of images at once, and observes them as often as the plan says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from recorder.data import Images
from recorder.draws import Drop, keep, torch_generator
from recorder.optimizers import Optimizer, clip_gradients
from recorder.recordings import Observation
from recorder.schedules import Schedule

BATCH_SEED = 1


class Networks(Protocol):
    """n networks of one architecture."""

    @property
    def parameters(self) -> Sequence[Tensor]:
        """Each [n, ., .]."""

    def logits(self, inputs: Tensor, drop: Drop) -> Tensor:
        """Of inputs [n, B, ...]: [n, B, classes]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How long and how. `label_smoothing` [n, 1] and `max_gradient_norm`: None for none."""

    num_observations: int
    steps_per_observation: int
    batch_size: int
    schedule: Schedule
    drop: Drop = keep
    label_smoothing: Tensor | None = None
    max_gradient_norm: float | None = None
    validation_chunk: int = 1000


def observe_classifiers(
    networks: Networks, optimizer: Optimizer, *, images: Images, plan: Plan
) -> Iterator[Observation]:
    """Yield val_acc, val_loss, train_acc and train_loss after every `steps_per_observation` steps.

    The training ones are means over these steps, as the networks were at each. Every network draws its own batches.
    """
    num_networks = len(networks.parameters[0])
    batches = _batches(images, num_networks=num_networks, batch_size=plan.batch_size)
    step, total = 0, plan.num_observations * plan.steps_per_observation
    for _ in range(plan.num_observations):
        hits, losses = torch.zeros(num_networks), torch.zeros(num_networks)
        for _ in range(plan.steps_per_observation):
            inputs, labels = next(batches)
            loss, smooth, hit = _losses(networks.logits(inputs, plan.drop), labels)
            smoothing = plan.label_smoothing
            objective = loss if smoothing is None else (1 - smoothing) * loss + smoothing * smooth
            objective.mean(1).sum().backward()
            if plan.max_gradient_norm is not None:
                clip_gradients(optimizer.parameters, max_norm=plan.max_gradient_norm)
            optimizer.step(plan.schedule(step, total))
            step += 1
            hits += hit.mean(1)
            losses += loss.detach().mean(1)
        yield {
            **_validate(networks, images, chunk=plan.validation_chunk),
            "train_acc": (100 * hits / plan.steps_per_observation).numpy(),
            "train_loss": (losses / plan.steps_per_observation).numpy(),
        }


def _batches(images: Images, *, num_networks: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs [n, B, ...] and labels [n, B] for ever: each network goes through its own order, then draws a new one."""
    num_images = len(images.train_labels)
    num_views = len(images.train_inputs) // num_images
    generator = torch_generator(BATCH_SEED)
    while True:
        order = torch.stack([torch.randperm(num_images, generator=generator) for _ in range(num_networks)])
        for start in range(0, num_images - batch_size + 1, batch_size):
            chosen = order[:, start : start + batch_size]
            labels = images.train_labels[chosen]
            if num_views > 1:
                views = torch.randint(0, num_views, chosen.shape, generator=generator)
                chosen = chosen + num_images * views
            yield images.train_inputs[chosen], labels


@torch.no_grad()
def _validate(networks: Networks, images: Images, *, chunk: int) -> Observation:
    num_networks, num_images = len(networks.parameters[0]), len(images.validation_labels)
    hits, losses = torch.zeros(num_networks), torch.zeros(num_networks)
    for start in range(0, num_images, chunk):
        inputs = images.validation_inputs[start : start + chunk]
        labels = images.validation_labels[start : start + chunk].expand(num_networks, -1)
        shared = inputs.expand(num_networks, *inputs.shape)
        loss, _, hit = _losses(networks.logits(shared, keep), labels)
        hits += hit.sum(1)
        losses += loss.sum(1)
    return {"val_acc": (100 * hits / num_images).numpy(), "val_loss": (losses / num_images).numpy()}


def _losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross entropy with the labels, cross entropy with the uniform distribution, hit or miss: each [n, B]."""
    log_probabilities = F.log_softmax(logits, -1)
    loss = -log_probabilities.gather(-1, labels[..., None])[..., 0]
    return loss, -log_probabilities.mean(-1), (logits.argmax(-1) == labels).float()

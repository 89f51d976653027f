"""Curves that cross: one small convolutional network on CIFAR-10 at 8 pixels, AdamW, annealed to zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recorder.classification import Plan, observe_classifiers
from recorder.data import Images, cifar10_subset, with_label_noise
from recorder.draws import Drop, biases, dropout, log_uniform, per_network, torch_generator, weights
from recorder.optimizers import AdamW
from recorder.recordings import Recording
from recorder.schedules import warmup_then_linear

SEED = 4
NUM_NETWORKS, NUM_OBSERVATIONS = 100, 40
NUM_TRAIN, NUM_VALIDATION, BATCH_SIZE = 1600, 3400, 32
BLOCK_VALUES, NUM_BLOCKS = 12, 16
CHANNELS = (16, 32)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockNetworks:
    """Two convolutions of 2 x 2 with stride 2 and a dense layer: blocks don't overlap, so each is a product."""

    parameters: Sequence[Tensor]

    def logits(self, inputs: Tensor, drop: Drop) -> Tensor:
        """Of inputs [n, B, 192] as `_blocks` orders them: [n, B, 10]."""
        weight1, bias1, weight2, bias2, weight3, bias3 = self.parameters
        num_networks, size = inputs.shape[:2]
        blocks = inputs.reshape(num_networks, size * NUM_BLOCKS, BLOCK_VALUES)
        hidden = torch.baddbmm(bias1, blocks, weight1).relu().view(num_networks, size * 4, -1)
        hidden = torch.baddbmm(bias2, hidden, weight2).relu().view(num_networks, size, -1)
        return torch.baddbmm(bias3, drop(hidden), weight3)


def start(data: Path) -> Recording:
    """100 networks over learning rates of a factor of 13, with mirrored images as augmentation."""
    random, generator = np.random.default_rng(SEED), torch_generator(SEED)
    images = _prepare(
        cifar10_subset(data, num_train=NUM_TRAIN, num_validation=NUM_VALIDATION, pool=4), generator
    )
    learning_rate = log_uniform(random, NUM_NETWORKS, low=3e-3, high=4e-2)
    columns = {
        "learning_rate": learning_rate,
        "beta1": 1 - log_uniform(random, NUM_NETWORKS, low=0.03, high=0.5),
        "beta2": 1 - log_uniform(random, NUM_NETWORKS, low=1e-3, high=0.1),
        "weight_decay": log_uniform(random, NUM_NETWORKS, low=4e-4, high=6e-3) / learning_rate,
        "label_smoothing": random.choice([0.05, 0.1, 0.2], NUM_NETWORKS),
        "dropout": random.choice([0.0, 0.05, 0.1], NUM_NETWORKS),
    }
    networks = BlockNetworks(parameters=_parameters(generator))
    hyperparameters = {key: columns[key] for key in ("learning_rate", "beta1", "beta2", "weight_decay")}
    plan = Plan(
        num_observations=NUM_OBSERVATIONS,
        steps_per_observation=NUM_TRAIN // BATCH_SIZE,
        batch_size=BATCH_SIZE,
        schedule=warmup_then_linear,
        drop=dropout(columns["dropout"], torch_generator(SEED)),
        label_smoothing=per_network(columns["label_smoothing"], num_axes=2),
        max_gradient_norm=1.0,
        validation_chunk=170,
    )
    optimizer = AdamW(networks.parameters, **hyperparameters)
    return Recording(
        num_observations=NUM_OBSERVATIONS,
        observations=observe_classifiers(networks, optimizer, images=images, plan=plan),
        columns=columns,
    )


def _prepare(images: Images, generator: torch.Generator) -> Images:
    """Blocks, the training images as they are and mirrored.

    No label is replaced; the draw for it comes before the weights' and stays, since the stored curves have it.
    """
    return replace(
        images,
        train_inputs=torch.cat([_blocks(images.train_inputs), _blocks(images.train_inputs.flip(3))]),
        train_labels=with_label_noise(images.train_labels, share=0.0, generator=generator),
        validation_inputs=_blocks(images.validation_inputs),
    )


def _blocks(images: Tensor) -> Tensor:
    """Images [N, 3, 8, 8] as blocks of 2 x 2, the four that the second convolution joins next to each other."""
    blocks = images.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5)
    blocks = blocks.reshape(len(images), 2, 2, 2, 2, BLOCK_VALUES).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(len(images), NUM_BLOCKS * BLOCK_VALUES).contiguous()


def _parameters(generator: torch.Generator) -> list[Tensor]:
    first, second = CHANNELS
    return [
        weights((NUM_NETWORKS, BLOCK_VALUES, first), generator),
        biases(NUM_NETWORKS, first),
        weights((NUM_NETWORKS, 4 * first, second), generator),
        biases(NUM_NETWORKS, second),
        weights((NUM_NETWORKS, 4 * second, 10), generator, gain=1.0),
        biases(NUM_NETWORKS, 10),
    ]

"""Curves that cross, annealed: a dense network on Fashion-MNIST, and a small convolutional one on CIFAR-10 at 8 pixels.

A high learning rate or a strong weight decay holds a network back until the schedule has come down; what leads at
half the budget is not what wins. Label noise, smoothing and dropout keep the winners close together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.curves.recorder.images import (
    Images,
    Plan,
    cifar10_subset,
    fashion_mnist,
    observe_classifiers,
    with_label_noise,
)
from benchmarks.curves.recorder.networks import DenseNetworks, dense_parameters
from benchmarks.curves.recorder.training import (
    AdamW,
    Drop,
    NesterovSgd,
    Recording,
    biases,
    dropout,
    log_uniform,
    per_network,
    torch_generator,
    warmup_then_cosine,
    warmup_then_linear,
    weights,
)

SIZES = (196, 48, 32, 10)
MLP_OBSERVATIONS = 40
MLP_VALIDATION = 5000
LABEL_NOISE = 0.2
DROPOUTS = (0.0, 0.05, 0.1)
DECAY_TIME, DECAY_CAP = 60, 0.1

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _MlpSetting:
    seed: int
    num_train: int
    batch_size: int


def mlp(data: Path) -> Recording:
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
    return _mlp(columns, data, setting=_MlpSetting(seed=3, num_train=2000, batch_size=25))


def narrow_mlp(data: Path) -> Recording:
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
    return _mlp(columns, data, setting=_MlpSetting(seed=13, num_train=1600, batch_size=20))


def _speeds(random: np.random.Generator, size: int, *, low: float, high: float) -> tuple[Any, Any]:
    """Effective learning rates, learning rate / (1 - momentum), and momenta, [n] each."""
    return log_uniform(random, size, low=low, high=high), 1 - log_uniform(random, size, low=0.02, high=0.3)


def _mlp(columns: Columns, data: Path, *, setting: _MlpSetting) -> Recording:
    num_networks = len(columns["learning_rate"])
    generator = torch_generator(setting.seed)
    images = fashion_mnist(data, num_train=setting.num_train, num_validation=MLP_VALIDATION, pool=2)
    labels = with_label_noise(images.train_labels, share=LABEL_NOISE, generator=generator)
    networks = DenseNetworks(parameters=dense_parameters(SIZES, generator, num_networks=num_networks))
    optimizer = NesterovSgd(
        networks.parameters,
        learning_rate=columns["learning_rate"],
        momentum=columns["momentum"],
        weight_decay=columns["weight_decay"],
    )
    plan = Plan(
        num_observations=MLP_OBSERVATIONS,
        steps_per_observation=setting.num_train // setting.batch_size,
        batch_size=setting.batch_size,
        schedule=warmup_then_cosine,
        drop=dropout(columns["dropout"], torch_generator(setting.seed)),
        label_smoothing=per_network(columns["label_smoothing"], num_axes=2),
        max_gradient_norm=1.0,
    )
    noisy = replace(images, train_labels=labels)
    return Recording(
        num_observations=MLP_OBSERVATIONS,
        observations=observe_classifiers(networks, optimizer, images=noisy, plan=plan),
        columns=columns,
    )


CNN_SEED = 4
CNN_NETWORKS, CNN_OBSERVATIONS = 100, 40
CNN_TRAIN, CNN_VALIDATION, CNN_BATCH_SIZE = 1600, 3400, 32
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


def cnn(data: Path) -> Recording:
    """100 networks over learning rates of a factor of 13, with mirrored images as augmentation."""
    random, generator = np.random.default_rng(CNN_SEED), torch_generator(CNN_SEED)
    images = _in_blocks(
        cifar10_subset(data, num_train=CNN_TRAIN, num_validation=CNN_VALIDATION, pool=4), generator
    )
    learning_rate = log_uniform(random, CNN_NETWORKS, low=3e-3, high=4e-2)
    columns = {
        "learning_rate": learning_rate,
        "beta1": 1 - log_uniform(random, CNN_NETWORKS, low=0.03, high=0.5),
        "beta2": 1 - log_uniform(random, CNN_NETWORKS, low=1e-3, high=0.1),
        "weight_decay": log_uniform(random, CNN_NETWORKS, low=4e-4, high=6e-3) / learning_rate,
        "label_smoothing": random.choice([0.05, 0.1, 0.2], CNN_NETWORKS),
        "dropout": random.choice([0.0, 0.05, 0.1], CNN_NETWORKS),
    }
    networks = BlockNetworks(parameters=_cnn_parameters(generator))
    hyperparameters = {key: columns[key] for key in ("learning_rate", "beta1", "beta2", "weight_decay")}
    plan = Plan(
        num_observations=CNN_OBSERVATIONS,
        steps_per_observation=CNN_TRAIN // CNN_BATCH_SIZE,
        batch_size=CNN_BATCH_SIZE,
        schedule=warmup_then_linear,
        drop=dropout(columns["dropout"], torch_generator(CNN_SEED)),
        label_smoothing=per_network(columns["label_smoothing"], num_axes=2),
        max_gradient_norm=1.0,
        validation_chunk=170,
    )
    optimizer = AdamW(networks.parameters, **hyperparameters)
    return Recording(
        num_observations=CNN_OBSERVATIONS,
        observations=observe_classifiers(networks, optimizer, images=images, plan=plan),
        columns=columns,
    )


def _in_blocks(images: Images, generator: torch.Generator) -> Images:
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


def _cnn_parameters(generator: torch.Generator) -> list[Tensor]:
    first, second = CHANNELS
    return [
        weights((CNN_NETWORKS, BLOCK_VALUES, first), generator),
        biases(CNN_NETWORKS, first),
        weights((CNN_NETWORKS, 4 * first, second), generator),
        biases(CNN_NETWORKS, second),
        weights((CNN_NETWORKS, 4 * second, 10), generator, gain=1.0),
        biases(CNN_NETWORKS, 10),
    ]

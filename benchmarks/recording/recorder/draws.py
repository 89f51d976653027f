"""Random beginnings: hyperparameters, weights and dropout of n networks; the networks are the first axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Drop = Callable[[Tensor], Tensor]
"""What is done to hidden values [n, ..., units] before the next layer."""


def log_uniform(generator: np.random.Generator, size: int, *, low: float, high: float) -> NDArray[np.float32]:
    """`size` numbers whose logarithms are uniform."""
    return np.exp(generator.uniform(np.log(low), np.log(high), size)).astype(np.float32)


def per_network(values: ArrayLike, *, num_axes: int = 3) -> Tensor:
    """Values [n] as a float32 tensor [n, 1, ...] that broadcasts against `num_axes` axes."""
    return torch.tensor(np.array(values, np.float32)).view(-1, *([1] * (num_axes - 1)))


def torch_generator(seed: int) -> torch.Generator:
    """A generator of its own for weights, batches or dropout."""
    return torch.Generator().manual_seed(seed)


def weights(
    shape: tuple[int, int, int], generator: torch.Generator, *, scale: ArrayLike = 1.0, gain: float = 2.0
) -> Tensor:
    """Normal weights [n, inputs, outputs] of variance gain / inputs (He et al. for 2), times scale, one or [n]."""
    num_networks, inputs, _ = shape
    scales = per_network(np.broadcast_to(np.asarray(scale, np.float32), (num_networks,)))
    return (torch.randn(*shape, generator=generator) * scales * math.sqrt(gain / inputs)).requires_grad_()


def biases(num_networks: int, outputs: int) -> Tensor:
    """Zeros [n, 1, outputs]."""
    return torch.zeros(num_networks, 1, outputs).requires_grad_()


def first_units(widths: NDArray[np.int64], *, of: int) -> Tensor:
    """1 for the units that a network of this width has, 0 for the others: [n, 1, of]."""
    return (torch.arange(of)[None] < torch.tensor(widths)[:, None]).float()[:, None]


def keep(hidden: Tensor) -> Tensor:
    """No dropout."""
    return hidden


def dropout(rates: ArrayLike, generator: torch.Generator) -> Drop:
    """Dropout by each network's own rate, [n]."""
    shares = per_network(rates)

    def drop(hidden: Tensor) -> Tensor:
        return hidden * (torch.rand(hidden.shape, generator=generator) >= shares) / (1 - shares)

    return drop

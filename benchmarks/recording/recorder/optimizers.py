"""Optimizers of n networks at once: every hyperparameter is one number per network, [n]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from recorder.draws import per_network

Factor = float | NDArray[np.floating]
"""What a schedule multiplies the learning rates by: one number, or one per network."""


class Optimizer(Protocol):
    """What trains: `parameters` [n, ., .] each, and a step by their gradients."""

    parameters: Sequence[Tensor]

    def step(self, factor: Factor) -> None:
        """Move the parameters, at `factor` times the learning rates, and clear their gradients."""


class NesterovSgd:
    """Stochastic gradient descent with Nesterov's momentum; weight decay apart from the gradient."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        learning_rate: ArrayLike,
        momentum: ArrayLike,
        weight_decay: ArrayLike = 0.0,
    ) -> None:
        self.parameters = parameters
        self._learning_rate = np.asarray(learning_rate, np.float64)
        self._momentum = per_network(momentum)
        self._weight_decay = np.asarray(weight_decay, np.float64)
        self._velocities = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def step(self, factor: Factor) -> None:
        """As the protocol says."""
        learning_rate = self._learning_rate * factor
        kept, rate = per_network(1 - learning_rate * self._weight_decay), per_network(learning_rate)
        for parameter, velocity in zip(self.parameters, self._velocities, strict=True):
            gradient = parameter.grad
            parameter.mul_(kept)
            velocity.mul_(self._momentum).add_(gradient)
            parameter.sub_(rate * (gradient + self._momentum * velocity))
            parameter.grad = None


class AdamW:
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter)."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        learning_rate: ArrayLike,
        beta1: ArrayLike = 0.9,
        beta2: ArrayLike = 0.999,
        epsilon: ArrayLike = 1e-8,
        weight_decay: ArrayLike = 0.0,
    ) -> None:
        self.parameters = parameters
        self._learning_rate = np.asarray(learning_rate, np.float64)
        self._beta1, self._beta2 = np.asarray(beta1, np.float64), np.asarray(beta2, np.float64)
        self._epsilon = per_network(epsilon)
        self._weight_decay = np.asarray(weight_decay, np.float64)
        self._means = [torch.zeros_like(parameter) for parameter in parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in parameters]
        self._num_steps = 0

    @torch.no_grad()
    def step(self, factor: Factor) -> None:
        """As the protocol says."""
        self._num_steps += 1
        learning_rate = self._learning_rate * factor
        kept = per_network(1 - learning_rate * self._weight_decay)
        rate = per_network(learning_rate / (1 - self._beta1**self._num_steps))
        unbias = per_network(1 - self._beta2**self._num_steps)
        beta1, other1 = per_network(self._beta1), per_network(1 - self._beta1)
        beta2, other2 = per_network(self._beta2), per_network(1 - self._beta2)
        for parameter, mean, square in zip(self.parameters, self._means, self._squares, strict=True):
            gradient = parameter.grad
            parameter.mul_(kept)
            mean.mul_(beta1).add_(gradient * other1)
            square.mul_(beta2).add_((gradient * gradient).mul_(other2))
            root = (square / unbias).sqrt_().add_(self._epsilon)
            parameter.sub_(mean.div(root).mul_(rate))
            parameter.grad = None


@torch.no_grad()
def clip_gradients(parameters: Sequence[Tensor], *, max_norm: float) -> None:
    """Scale down each network's gradient, all its parameters together, to at most this Euclidean norm."""
    gradients = [parameter.grad for parameter in parameters]
    norms = sum((gradient.flatten(1) ** 2).sum(1) for gradient in gradients).sqrt()
    scales = (max_norm / (norms + 1e-9)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(scales.view(-1, 1, 1))

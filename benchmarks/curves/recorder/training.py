"""Networks are trained n at once: their random beginnings, schedules, optimizers, scores, and what is observed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Observation = Mapping[str, NDArray[np.float32]]
"""Key of the curve file (val_acc, val_loss, ...) to one value per network, [n]; what is not measured has no key."""

Curves = dict[str, NDArray[np.float32]]
"""Key of the curve file to the values of all networks and observations, [n, T]."""


def as_observed(curves: Curves) -> Curves:
    """For recordings whose val_acc is the accuracy itself."""
    return curves


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """What a family hands over: `observations` yields `num_observations` times, and trains as it is drawn from.

    `columns` hold one number per network, [n]; `score` completes the curves, at least by val_acc in 0..100. It
    must not look ahead: the score of the first observations is the same without the later ones.
    """

    num_observations: int
    observations: Iterator[Observation]
    columns: Mapping[str, NDArray[Any]]
    score: Callable[[Curves], Curves] = as_observed


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


Schedule = Callable[[int, int], Factor]

WARMUP = 0.05


def constant(step: int, total: int) -> float:
    """The learning rate as it is."""
    return 1.0


def warmup_then_cosine(step: int, total: int) -> float:
    """Up linearly in the first 5 % of the steps, then down to zero along half a cosine."""
    if step < WARMUP * total:
        return (step + 1) / (WARMUP * total)
    return 0.5 * (1 + math.cos(math.pi * _after_warmup(step, total)))


def warmup_then_linear(step: int, total: int) -> float:
    """Up linearly in the first 5 % of the steps, then down to zero linearly."""
    if step < WARMUP * total:
        return (step + 1) / (WARMUP * total)
    return 1 - _after_warmup(step, total)


def linear_times_exponential(*, linear: NDArray[np.float32], exponential: NDArray[np.float32]) -> Schedule:
    """Each network's own two decays per step, [n] (Metz et al., TaskSet, arXiv 2002.11887)."""

    def factor(step: int, total: int) -> NDArray[np.float32]:
        return np.maximum(1 - linear * step, 0) * np.exp(-exponential * step)

    return factor


def _after_warmup(step: int, total: int) -> float:
    return (step - WARMUP * total) / (total - WARMUP * total)


LARGEST_LOSS = 1e4
_ANY_LOSS = 9.0
"""Stands for the losses of diverged networks, whose score is 0 whatever they are."""


def below_chance_loss(*, num_classes: int) -> Callable[[Curves], Curves]:
    """The share of the uniform guess's loss that is gone, percent: 100 (1 - loss / log classes), at least 0."""

    def score(losses: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(100 * (1 - losses / math.log(num_classes)), 0, 100)

    return lambda curves: _scored(curves, score)


def exponential_of_loss(*, scale: float) -> Callable[[Curves], Curves]:
    """100 exp(-loss / scale)."""
    return lambda curves: _scored(curves, lambda losses: 100 * np.exp(-losses / scale))


def _scored(curves: Curves, score: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Curves:
    """With the score as val_acc, 0 from the moment that a network diverged; accuracies, if any, as `accuracy`."""
    losses = curves["val_loss"]
    lost = ~np.isfinite(losses) | (losses > LARGEST_LOSS)
    diverged = np.maximum.accumulate(lost, axis=1)
    scores = np.where(diverged, 0, score(np.where(diverged, _ANY_LOSS, losses))).astype(np.float32)
    kept = {"accuracy": curves["val_acc"]} if "val_acc" in curves else {}
    return {**curves, **kept, "val_acc": scores}

"""Regularization that lives inside a network, and acts while it trains: cutout, path dropout, auxiliary towers.

All randomness is torch's default generator of the device and all state is in buffers, so a training can be cut and
go on at any batch.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import nn

__all__ = [
    "Cutout",
    "Growth",
    "PathDropout",
    "PlansTraining",
    "add_auxiliary_loss",
    "drop_paths",
    "plan_training",
]

Growth = Literal["linear", "none"]


@runtime_checkable
class PlansTraining(Protocol):
    """A layer whose work depends on how long the network is to be trained."""

    def plan_training(self, *, num_batches: int) -> None:
        """The full budget; told once a network is built, before its first batch, and again where it goes on."""


def plan_training(module: nn.Module, *, num_batches: int) -> None:
    """Tell all layers of a network that want to know how many batches its full budget has."""
    for layer in module.modules():
        if isinstance(layer, PlansTraining):
            layer.plan_training(num_batches=num_batches)


class Cutout(nn.Module):
    """Blacks out one square of each training image (DeVries & Taylor, arXiv 1708.04552).

    Its centre is drawn from all pixels, so a part of the square may lie outside. Zero is the mean of normalized
    images.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return images
        count, _, height, width = images.shape
        rows = self._kept(count, height, images.device)[:, None, :, None]
        columns = self._kept(count, width, images.device)[:, None, None, :]
        return images * (rows | columns)

    def extra_repr(self) -> str:
        return f"length={self.length}"

    def _kept(self, count: int, pixels: int, device: torch.device) -> torch.Tensor:
        """For each image, which rows (or columns) lie outside of the square: [count, pixels]."""
        start = torch.randint(0, pixels, (count, 1), device=device) - self.length // 2
        place = torch.arange(pixels, device=device)
        return (place < start) | (place >= start + self.length)


class PathDropout(nn.Module):
    """The rate of path dropout. `linear`: it grows with the batches trained, to `max_rate` at the full budget.

    So it does in DARTS, where it grows from epoch to epoch. `none`, or before the budget is known: `max_rate` at
    once. Each call while training counts as one batch.
    """

    num_batches: torch.Tensor

    def __init__(self, *, max_rate: float, growth: Growth) -> None:
        super().__init__()
        self.max_rate = max_rate
        self.growth: Growth = growth
        self.planned_batches = 0
        self.register_buffer("num_batches", torch.zeros((), dtype=torch.int64))

    def plan_training(self, *, num_batches: int) -> None:
        self.planned_batches = num_batches

    def forward(self) -> torch.Tensor:
        """The rate of the next batch, on the network's device."""
        share = torch.ones_like(self.num_batches, dtype=torch.float32)
        if self.growth == "linear" and self.planned_batches > 0:
            share = (self.num_batches / self.planned_batches).clamp(max=1.0)
        if self.training:
            self.num_batches += 1
        return share * self.max_rate

    def extra_repr(self) -> str:
        return f"max_rate={self.max_rate}, growth={self.growth}"


def drop_paths(images: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
    """Each sample's images set to zero with probability `rate`, else enlarged so that the mean stays."""
    kept = torch.rand(len(images), 1, 1, 1, device=images.device) >= rate
    return images * kept / (1.0 - rate)


def add_auxiliary_loss(logits: torch.Tensor, auxiliary: torch.Tensor, *, weight: float) -> torch.Tensor:
    """The same logits; their gradient brings that of `weight` times the auxiliary logits' cross entropy.

    The gradient of a batch's mean cross entropy is (softmax - target) / n, so from that of the logits follow the
    targets, and from them the gradient of the auxiliary loss. It is exact where the loss is the mean cross entropy,
    unscaled; the loss that is reported has no auxiliary part.
    """
    result: torch.Tensor = _AuxiliaryLoss.apply(logits, auxiliary, weight)  # type: ignore[no-untyped-call]
    return result


class _AuxiliaryLoss(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, logits: torch.Tensor, auxiliary: torch.Tensor, weight: float) -> torch.Tensor:
        context.save_for_backward(logits, auxiliary)
        context.weight = weight
        return logits.clone()

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[torch.Tensor, torch.Tensor, None]:
        (gradient,) = gradients
        logits, auxiliary = context.saved_tensors
        difference = (auxiliary.softmax(dim=1) - logits.softmax(dim=1)) / len(logits)
        return gradient, context.weight * (difference + gradient), None

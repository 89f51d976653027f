"""Fully connected networks, n at once, all of the same depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from recorder.draws import Drop, biases, weights


@dataclass(frozen=True, kw_only=True, slots=True)
class DenseNetworks:
    """Layers of weights [n, inputs, outputs] and biases [n, 1, outputs], in turn in `parameters`.

    `units` [n, 1, hidden], 1 or 0, switches off the hidden units that a narrower network lacks; None: all are on.
    """

    parameters: Sequence[Tensor]
    activation: Callable[[Tensor], Tensor] = torch.relu
    units: Tensor | None = None

    def logits(self, inputs: Tensor, drop: Drop) -> Tensor:
        """Of inputs [n, B, inputs]: [n, B, classes]."""
        layers = list(zip(self.parameters[::2], self.parameters[1::2], strict=True))
        hidden = inputs
        for weight, bias in layers[:-1]:
            hidden = self.activation(torch.baddbmm(bias, hidden, weight))
            hidden = drop(hidden if self.units is None else hidden * self.units)
        weight, bias = layers[-1]
        return torch.baddbmm(bias, hidden, weight)


def dense_parameters(
    sizes: Sequence[int],
    generator: torch.Generator,
    *,
    num_networks: int,
    scale: ArrayLike = 1.0,
    hidden_gain: float = 2.0,
) -> list[Tensor]:
    """Weights and biases of layers of these sizes, inputs and classes included; the last layer's gain is 1."""
    parameters = []
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        gain = 1.0 if layer == len(sizes) - 2 else hidden_gain
        shape = (num_networks, inputs, outputs)
        parameters += [weights(shape, generator, scale=scale, gain=gain), biases(num_networks, outputs)]
    return parameters

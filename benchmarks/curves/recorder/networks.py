"""Dense and recurrent networks, n at once, all of the same depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from benchmarks.curves.recorder.training import Drop, biases, per_network, weights


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


@dataclass(frozen=True, kw_only=True, slots=True)
class RecurrentNetworks:
    """h' = h + z (act(x + U (r h)) - h), with gates z (update) and r (reset): a GRU where both are there.

    - `parameters`: embedding [n, characters, 3 H], recurrent weights [n, H, 3 H], biases [n, 1, 3 H] (update, reset
      and candidate state, in this order), output weights [n, H, characters], output biases [n, 1, characters].
    - `update_gate`, `reset_gate` [n, 1, 1]: 1 where a network has the gate, 0 where it is always open.
    - `units` [n, 1, H]: 1 for the hidden units that a network has.
    """

    parameters: Sequence[Tensor]
    update_gate: Tensor
    reset_gate: Tensor
    units: Tensor
    activation: Callable[[Tensor], Tensor] = torch.tanh

    def losses(self, characters: Tensor, drop: Drop, *, skip: int = 0) -> Tensor:
        """Mean cross entropy (nats) of the next character, [n], over segments [n, B, S + 1]; the state starts at 0.

        The first `skip` characters of a segment only warm the state up.
        """
        _, _, _, weight, bias = self.parameters
        num_networks, num_hidden = len(weight), weight.shape[1]
        states = torch.stack(self._states(characters)[skip:], 2).reshape(num_networks, -1, num_hidden)
        logits = torch.baddbmm(bias, drop(states), weight)
        following = characters[:, :, 1 + skip :].reshape(num_networks, -1)
        return -F.log_softmax(logits, -1).gather(-1, following[..., None])[..., 0].mean(1)

    def _states(self, characters: Tensor) -> list[Tensor]:
        """The hidden state [n, B, H] after each character but the last."""
        recurrent = self.parameters[1]
        num_networks, num_hidden = recurrent.shape[:2]
        gate_weights = recurrent[:, :, : 2 * num_hidden].contiguous()
        candidate_weights = recurrent[:, :, 2 * num_hidden :].contiguous()
        inputs = self._inputs(characters)
        gate_inputs = inputs[..., : 2 * num_hidden].unbind(0)
        candidate_inputs = inputs[..., 2 * num_hidden :].unbind(0)
        state, states = torch.zeros(num_networks, characters.shape[1], num_hidden), []
        for gate_input, candidate_input in zip(gate_inputs, candidate_inputs, strict=True):
            gates = torch.sigmoid(torch.baddbmm(gate_input, state, gate_weights))
            update = gates[..., :num_hidden] * self.update_gate + (1 - self.update_gate)
            reset = gates[..., num_hidden:] * self.reset_gate + (1 - self.reset_gate)
            candidate = self.activation(torch.baddbmm(candidate_input, reset * state, candidate_weights))
            state = (state + update * (candidate - state)) * self.units
            states.append(state)
        return states

    def _inputs(self, characters: Tensor) -> Tensor:
        """What each character adds, [S, n, B, 3 H]: one look-up in the embeddings of all networks."""
        embedding, _, bias, _, _ = self.parameters
        num_networks, num_characters = embedding.shape[:2]
        offsets = torch.arange(num_networks)[:, None] * num_characters
        rows = (characters[:, :, :-1] + offsets[:, :, None]).permute(2, 0, 1)
        return F.embedding(rows, embedding.reshape(num_networks * num_characters, -1)) + bias[None]


def recurrent_parameters(
    generator: torch.Generator,
    *,
    num_networks: int,
    num_characters: int,
    num_hidden: int,
    embedding_spread: float,
    scale: ArrayLike = 1.0,
) -> list[Tensor]:
    """What `RecurrentNetworks` takes; `scale`, one number or [n], multiplies all random weights."""
    scales = per_network(scale)
    embedding = torch.randn(num_networks, num_characters, 3 * num_hidden, generator=generator)
    return [
        (embedding * scales * embedding_spread).requires_grad_(),
        weights((num_networks, num_hidden, 3 * num_hidden), generator, scale=scale, gain=1.0),
        biases(num_networks, 3 * num_hidden),
        weights((num_networks, num_hidden, num_characters), generator, scale=scale, gain=1.0),
        biases(num_networks, num_characters),
    ]

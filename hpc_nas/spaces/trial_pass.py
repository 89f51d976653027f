"""Run a network on a few samples, and check that what it gives fits the problem."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from hpc_nas.spaces.problem import AnyProblem, Problem

__all__ = ["try_out"]

_SAMPLES = 2  # one sample would hide a network that loses its batch dimension
_WINDOWS = 2  # of a text: the first has no state before it
_LENGTH = 3  # of a window: a whole one, token by token, would take a second for each candidate


def try_out(module: nn.Module, problem: AnyProblem, *, device: str = "meta") -> tuple[float, int]:
    """Run the network; on how many samples, and on how many images, or tokens of a text, which are few of a sample.

    `device` is the network's. Raises ValueError, saying what does not fit; whatever the network's own forward pass
    raises goes through.
    """
    if isinstance(problem, Problem):
        # Numbers, not what lies in fresh memory: on the CPU a network may look at them.
        images = torch.zeros(_SAMPLES, *problem.input_shape, device=device)
        _check(module(images), (_SAMPLES, problem.num_classes), what="samples", wanted="[batch, num_classes]")
        return _SAMPLES, _SAMPLES
    state: tuple[torch.Tensor, ...] = ()
    length = min(_LENGTH, problem.sequence_length)
    tokens = torch.zeros(_SAMPLES, length, dtype=torch.int64, device=device)
    for _ in range(_WINDOWS):
        outputs = module(tokens, state)
        if not isinstance(outputs, tuple) or len(outputs) != 2:
            raise ValueError(f"tokens and a state give {_seen(outputs)}, not logits and the next state")
        logits, state = outputs
        expected = (*tokens.shape, problem.vocabulary_size)
        _check(logits, expected, what="sequences", wanted="[batch, length, vocabulary_size]")
        if not isinstance(state, tuple) or not all(isinstance(part, torch.Tensor) for part in state):
            raise ValueError(f"the next state is {_seen(state)}, not a tuple of tensors (which may be empty)")
        # The loss keeps a number for each token and word of the vocabulary: often more than all else.
        functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())
    num_tokens = _WINDOWS * tokens.numel()
    return num_tokens / problem.sequence_length, num_tokens


def _check(outputs: object, expected: tuple[int, ...], *, what: str, wanted: str) -> None:
    if not isinstance(outputs, torch.Tensor) or tuple(outputs.shape) != expected:
        raise ValueError(f"{_SAMPLES} {what} give {_seen(outputs)}, not {wanted} = {list(expected)}")
    if not outputs.dtype.is_floating_point:
        raise ValueError(
            f"its outputs are {outputs.dtype}, not real floating-point numbers: there is no loss of them"
        )


def _seen(outputs: object) -> list[int] | str:
    return list(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__

"""Count multiply-adds, and what autograd would keep, without asking torch for every operation: several times faster.

On the meta device torch runs normalisations and rectifiers as dozens of small operations in Python, and its flop
counter looks at each of them. Here the functions that convolutional networks are made of are known by what they cost
and keep; a network that calls any other function is not counted here (`is_whole`), but by torch (see `description`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from hpc_nas.spaces.memory import KeptTensors

__all__ = ["QuickCount"]


class QuickCount(TorchFunctionMode):
    """Watches forward passes in evaluation on the meta device; all of the module's weights must be trained."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.kept = KeptTensors(module)
        self.macs = 0
        self.is_whole = all(parameter.requires_grad for parameter in module.parameters())

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        known = _KNOWN.get(func)
        if known is None:
            self.is_whole = False
            return func(*args, **(kwargs or {}))
        return known(self, func, *args, **(kwargs or {}))


def _free(count: QuickCount, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Costs nothing, keeps nothing."""
    return function(*args, **kwargs)


def _weighted(
    count: QuickCount, function: Callable[..., Any], inputs: Tensor, weight: Tensor, *args: Any, **kwargs: Any
) -> Any:
    """A convolution, or a layer over vectors: each number of its output costs one row of weights."""
    output = function(inputs, weight, *args, **kwargs)
    count.macs += output.numel() * weight[0].numel()
    count.kept.take(inputs)
    count.kept.take(weight)  # the module's own is not counted, one made of it is
    return output


def _dropped(
    count: QuickCount,
    function: Callable[..., Any],
    inputs: Tensor,
    p: float = 0.5,
    training: bool = True,
    **kwargs: Any,
) -> Any:
    """In evaluation nothing is done; a function that is not told so drops there, too."""
    if training:
        count.is_whole = False
    return function(inputs, p, training, **kwargs)


def _padded(
    count: QuickCount,
    function: Callable[..., Any],
    inputs: Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    *args: Any,
    **kwargs: Any,
) -> Any:
    if mode != "constant":
        count.is_whole = False  # it keeps what it mirrors
    return function(inputs, pad, mode, *args, **kwargs)


def _indexed(count: QuickCount, function: Callable[..., Any], inputs: Tensor, index: Any) -> Any:
    """A view, but for places in a list or a tensor, which are kept."""
    parts = index if isinstance(index, tuple) else (index,)
    if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
        count.is_whole = False
    return function(inputs, index)


def _normalized(
    count: QuickCount,
    function: Callable[..., Any],
    inputs: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    **kwargs: Any,
) -> Any:
    by_channel = (running_mean, running_var, weight, bias)
    if training or any(t is None or t.shape != inputs.shape[1:2] for t in by_channel):
        count.is_whole = False  # torch says what is wrong, if anything is
        return function(inputs, *by_channel, training, **kwargs)
    count.kept.take(inputs)
    count.kept.take(inputs.new_empty(2 * inputs.shape[1]))  # mean and deviation of the batch
    return torch.empty_like(inputs)


def _rectified(
    count: QuickCount, function: Callable[..., Any], inputs: Tensor, inplace: bool = False
) -> Tensor:
    return count.kept.take(inputs if inplace else torch.empty_like(inputs))


def _pooled(
    count: QuickCount, function: Callable[..., Any], inputs: Tensor, *args: Any, **kwargs: Any
) -> Any:
    count.kept.take(inputs)
    return function(inputs, *args, **kwargs)


def _pooled_by_maximum(
    count: QuickCount, function: Callable[..., Any], inputs: Tensor, *args: Any, **kwargs: Any
) -> Any:
    """It also keeps where each maximum was."""
    output = _pooled(count, function, inputs, *args, **kwargs)
    if isinstance(output, Tensor):
        count.kept.take(torch.empty_like(output, dtype=torch.int64))
    else:
        count.is_whole = False  # asked for by the caller: torch keeps it only once
    return output


_KNOWN: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.conv2d: _weighted,
    functional.linear: _weighted,
    functional.batch_norm: _normalized,
    functional.relu: _rectified,
    torch.relu: _rectified,
    functional.avg_pool2d: _pooled,
    functional.max_pool2d: _pooled_by_maximum,
    functional.dropout: _dropped,
    functional.pad: _padded,
    torch.cat: _free,
    torch.empty: _free,
    torch.zeros: _free,
    torch.add: _free,
    torch.flatten: _free,
    torch.zeros_like: _free,
    Tensor.__add__: _free,
    Tensor.add: _free,
    Tensor.dim: _free,
    Tensor.flatten: _free,
    Tensor.mean: _free,
    # Properties, which mypy takes for their values.
    Tensor.shape.__get__: _free,  # type: ignore[attr-defined]
    Tensor.dtype.__get__: _free,  # type: ignore[attr-defined]
    Tensor.size: _free,
    Tensor.__getitem__: _indexed,
}

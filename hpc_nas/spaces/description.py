"""Count parameters, layers and multiply-adds of a network; on torch's meta device nothing is allocated."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.flop_counter import FlopCounterMode

from hpc_nas.spaces.memory import Footprint, kept_tensors
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.quick_count import QuickCount
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.trial_pass import try_out

__all__ = ["Description", "OnCpu", "describe_module"]

_PLAIN = Recipe()


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of a network before it is trained.

    `num_parameters` counts trainable weights. `num_layers` counts layers with weights: modules that own a
    parameter of two or more dimensions (convolutions, fully connected layers, LSTMs, embeddings, not normalisations).
    `macs` counts multiply-adds of one forward pass of one image, or of one token of a text (half of what torch's flop
    counter says). `footprint` is what its training by `recipe` takes of memory. `on_cpu` says how it had to be built.
    """

    num_parameters: int
    num_layers: int
    macs: int
    footprint: Footprint = field(default_factory=Footprint)
    recipe: Recipe = field(default_factory=Recipe)
    on_cpu: OnCpu | None = None


@dataclass(frozen=True, kw_only=True)
class OnCpu:
    """A network that the meta device can't carry: it was built, weights and all, and counted on the CPU."""

    why: str
    seconds: float


def describe_module(
    module: nn.Module, problem: AnyProblem, *, recipe: Recipe = _PLAIN, device: str = "meta"
) -> Description:
    """Describe a network that was built on this device, and check that it fits the problem.

    Raises ValueError, saying what does not fit; whatever the network's own forward pass raises goes through.
    """
    if any(is_lazy(parameter) for parameter in module.parameters()):
        raise ValueError("the network has lazy layers, whose weights do not exist yet; give input sizes")
    num_parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    if num_parameters == 0:
        num_frozen = sum(p.numel() for p in module.parameters())
        why = f"all of its {num_frozen} weights are frozen" if num_frozen else "it has no weights"
        raise ValueError(f"there is nothing to train: {why}")
    module.eval()
    macs, footprint = (_count_quickly(module, problem) if device == "meta" else None) or _count(
        module, problem, device=device
    )
    return Description(
        num_parameters=num_parameters,
        num_layers=sum(_has_weights(layer) for layer in module.modules()),
        macs=macs,
        footprint=footprint,
        recipe=recipe,
    )


def _count_quickly(module: nn.Module, problem: AnyProblem) -> tuple[int, Footprint] | None:
    """Multiply-adds and footprint; None where it takes `_count`, which also says what does not fit."""
    try:
        with torch.no_grad(), QuickCount(module) as count:
            num_samples, num_units = try_out(module, problem)
    except Exception:  # or one that only this way of looking is to blame for
        return None
    return (
        (count.macs // num_units, count.kept.footprint(num_samples=num_samples)) if count.is_whole else None
    )


def _count(module: nn.Module, problem: AnyProblem, *, device: str = "meta") -> tuple[int, Footprint]:
    """The same by torch's own flop counter and hooks, whatever the network is made of."""
    with kept_tensors(module) as kept, FlopCounterMode(display=False) as counter:
        num_samples, num_units = try_out(module, problem, device=device)
    return counter.get_total_flops() // (2 * num_units), kept.footprint(num_samples=num_samples)


def _has_weights(layer: nn.Module) -> bool:
    return any(parameter.dim() >= 2 for parameter in layer.parameters(recurse=False))

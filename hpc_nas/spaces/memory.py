"""What a network's training takes of memory, from what autograd would keep of a forward pass; and the lack of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from hpc_nas.spaces.recipe import Recipe

__all__ = ["Footprint", "KeptTensors", "causes", "kept_tensors", "lacks_memory", "says_out_of_memory"]

_OUT_OF_MEMORY = (
    "defaultcpuallocator",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "cudaerrormemoryallocation",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "std::bad_alloc",
    "storage size calculation overflowed",
)


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes: of the trained weights, of what is not trained (buffers, frozen weights), and of what one sample's
    forward pass leaves for the backward pass, the sample itself included.
    """

    trained_bytes: int = 0
    fixed_bytes: int = 0
    sample_bytes: int = 0

    def training_bytes(self, recipe: Recipe) -> int:
        """Of a training by this recipe: weights, their gradients, the optimizer's slots, buffers, and one batch.

        An estimate, for float32. It leaves out what the backward pass holds for moments only, the workspaces of
        libraries, what only a network in training has (auxiliary outputs; what dropout makes, which may double a
        sample), and the few hundred MiB of a device's own context.
        """
        copies = 2 + _num_slots(recipe)
        return copies * self.trained_bytes + self.fixed_bytes + recipe.batch_size * self.sample_bytes


def _num_slots(recipe: Recipe) -> int:
    """Numbers that the recipe's optimizer keeps for each weight."""
    if recipe.optimizer in ("adam", "adamw"):
        return 2
    return int(recipe.optimizer == "rmsprop") + int(recipe.momentum > 0.0)


@dataclass
class KeptTensors:
    """The storages that autograd keeps for a backward pass, each once; those of the module itself left out."""

    module: nn.Module
    _storages: dict[int, torch.UntypedStorage] = field(default_factory=dict)

    def take(self, tensor: torch.Tensor) -> torch.Tensor:
        """Note a tensor that is kept, and hand it on."""
        storage = tensor.untyped_storage()
        self._storages[storage._cdata] = storage  # held, so that no other one gets its place
        return tensor

    @property
    def num_bytes(self) -> int:
        own = {tensor.untyped_storage()._cdata for tensor in _state_of(self.module)}
        return sum(storage.nbytes() for key, storage in self._storages.items() if key not in own)

    def footprint(self, *, num_samples: float) -> Footprint:
        """That of the module, from what was kept of a forward pass of so many samples."""
        trained = sum(p.nbytes for p in self.module.parameters() if p.requires_grad)
        return Footprint(
            trained_bytes=trained,
            fixed_bytes=sum(tensor.nbytes for tensor in _state_of(self.module)) - trained,
            sample_bytes=int(self.num_bytes / num_samples),
        )


def _state_of(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()


@contextmanager
def kept_tensors(module: nn.Module) -> Iterator[KeptTensors]:
    """Collect what autograd keeps of the forward passes of `module` in this context; meta tensors do."""
    kept = KeptTensors(module)

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        # Detached: a function that kept its own output whole would hold itself, and no collector sees such a cycle.
        return kept.take(tensor).detach()

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def lacks_memory(error: BaseException) -> bool:
    """Is it, or what it was raised from, a lack of memory?"""
    return any(says_out_of_memory(cause) for cause in causes(error))


def says_out_of_memory(error: BaseException) -> bool:
    """By its class, or the words of torch and its libraries; what it was raised from is not looked at."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _OUT_OF_MEMORY)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__

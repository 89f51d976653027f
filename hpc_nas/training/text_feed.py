"""A text as batches: truncated backpropagation through time, the state carried from window to window.

The training text is cut into `batch_size` streams of equal length, which advance together by `sequence_length` tokens a
batch. A network begins an epoch without a state and then goes on with the one it gave last, detached, so gradients end
where a window begins (Zaremba et al., arXiv 1409.2329, section 4; Baker's appendix A does not say). So the order is the
text's own in every epoch, and the state belongs to a checkpoint.

Validation does the same on streams whose number does not depend on the batch size: every candidate is measured on the
same tokens, all but the fewer than `MAX_STREAMS` that are left over.
"""

from __future__ import annotations

import torch
from torch import nn

from hpc_nas.spaces.recipe import Recipe
from hpc_nas.training.checkpoint import Plain
from hpc_nas.training.device_data import TextData
from hpc_nas.training.intervals import Intervals

MAX_STREAMS = 50  # of validation; Baker's size of a batch
MIN_WINDOWS = (
    10  # of a stream of validation, where the text allows: beginning without a state costs perplexity
)

State = tuple[torch.Tensor, ...]


class TextFeed:
    """Windows of a text, in order; holds the network's states."""

    def __init__(self, data: TextData, *, recipe: Recipe, intervals: Intervals) -> None:
        if recipe.augmentation != "none":
            raise ValueError(f"augmentation = {recipe.augmentation!r} is for images; use 'none' for text")
        length = data.sequence_length
        self._length = length
        self._batches_per_epoch = intervals.batches_per_epoch
        self._train = _Streams(
            data.train_tokens, count=recipe.batch_size, length=intervals.batches_per_epoch * length
        )
        num_targets = len(data.validation_tokens) - 1
        count = min(MAX_STREAMS, max(1, num_targets // (MIN_WINDOWS * length)))
        self._validation = _Streams(data.validation_tokens, count=count, length=num_targets // count)
        self.num_validation_batches = -(-self._validation.length // length)
        self._batch_in_epoch = 0
        self._train_state: State = ()
        self._validation_state: State = ()
        self._device = data.train_tokens.device

    def train(self, module: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        state = self._train_state if self._batch_in_epoch else ()
        tokens, labels = self._train.window(self._batch_in_epoch, length=self._length)
        logits, state = module(tokens, state)
        self._train_state = tuple(part.detach() for part in state)
        self._batch_in_epoch = (self._batch_in_epoch + 1) % self._batches_per_epoch
        return logits.flatten(0, 1), labels

    def validate(self, module: nn.Module, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        tokens, labels = self._validation.window(index, length=self._length)
        logits, self._validation_state = module(tokens, self._validation_state if index else ())
        return logits.flatten(0, 1), labels

    def state(self) -> Plain:
        return {
            "batch_in_epoch": self._batch_in_epoch,
            "train_state": self._train_state,
            "validation_state": self._validation_state,
        }

    def restore(self, state: Plain) -> None:
        self._batch_in_epoch = state["batch_in_epoch"]
        self._train_state = self._own(state["train_state"])
        self._validation_state = self._own(state["validation_state"])

    def _own(self, state: State) -> State:
        return tuple(part.to(self._device, copy=True) for part in state)


class _Streams:
    """The first `count * length` tokens as streams [count, length], and the tokens that follow each."""

    def __init__(self, tokens: torch.Tensor, *, count: int, length: int) -> None:
        self.length = length
        self._inputs = tokens[: count * length].view(count, length)
        self._targets = tokens[1 : count * length + 1].view(count, length)

    def window(self, index: int, *, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [count, length], the last window's fewer, and what is to be predicted, flat."""
        part = slice(index * length, (index + 1) * length)
        return self._inputs[:, part].clone(), self._targets[:, part].flatten()

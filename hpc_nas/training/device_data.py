"""Training and validation data resident on one device: normalised images, or the tokens of a text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hpc_nas.training.dataset import Images
from hpc_nas.training.datasets import AnySplits
from hpc_nas.training.normalization import Normalization
from hpc_nas.training.splits import Splits


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceData:
    """Images float32 [n, c, h, w] with mean 0 and deviation 1 per channel over the training part; labels
    int64 [n]. All candidates of a rank share it; nothing writes to it.
    """

    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor
    normalization: Normalization

    @property
    def num_train(self) -> int:
        """Samples to train on."""
        return len(self.train_labels)

    @classmethod
    def from_splits(cls, splits: Splits, *, device: torch.device) -> DeviceData:
        """Copy the data to `device`; 4 bytes per pixel and channel stay there."""
        mean, deviation = channel_statistics(splits.train_images)
        normalization = Normalization(mean=mean.to(device), deviation=deviation.to(device))

        def images(source: Images) -> torch.Tensor:
            return normalization.apply(torch.from_numpy(source).to(device))

        return cls(
            train_images=images(splits.train_images),
            train_labels=torch.from_numpy(splits.train_labels).to(device),
            validation_images=images(splits.validation_images),
            validation_labels=torch.from_numpy(splits.validation_labels).to(device),
            normalization=normalization,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TextData:
    """Tokens int64 [n], in the order of the text, in samples of `sequence_length`. Shared as `DeviceData`."""

    train_tokens: torch.Tensor
    validation_tokens: torch.Tensor
    sequence_length: int

    @property
    def num_train(self) -> int:
        """Samples to train on: the last token is only predicted."""
        return (len(self.train_tokens) - 1) // self.sequence_length


AnyData = DeviceData | TextData


def to_device(splits: AnySplits, *, device: torch.device) -> AnyData:
    """Images or text, resident on `device`; 8 bytes per token."""
    if isinstance(splits, Splits):
        return DeviceData.from_splits(splits, device=device)
    return TextData(
        train_tokens=torch.from_numpy(splits.train).to(device),
        validation_tokens=torch.from_numpy(splits.validation).to(device),
        sequence_length=splits.sequence_length,
    )


def channel_statistics(images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation per channel, each [c, 1, 1], from exact integer sums."""
    axes, count = (0, 2, 3), images.size // images.shape[1]
    mean = images.sum(axis=axes, dtype=np.uint64) / count
    mean_square = np.square(images, dtype=np.uint16).sum(axis=axes, dtype=np.uint64) / count
    deviation = np.sqrt(np.maximum(mean_square - mean**2, 0.0))
    deviation[deviation < 1e-6] = 1.0  # a channel without any contrast
    return (
        torch.from_numpy(mean.astype(np.float32)).reshape(-1, 1, 1),
        torch.from_numpy(deviation.astype(np.float32)).reshape(-1, 1, 1),
    )

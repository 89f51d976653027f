"""Whole batches, intervals and epochs: where in a training validations fall (PEng4NN, section III-A)."""

from __future__ import annotations

from dataclasses import dataclass

from hpc_nas.configuration import TrainingSection
from hpc_nas.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """A training of `num_intervals` intervals, each a whole number of batches and ending in a validation.

    An epoch passes once over `samples_per_epoch` training samples (images, or windows of a text): the paper
    truncates the data so that an epoch is a whole number of intervals. `epoch_numerator / epoch_denominator` is E,
    exactly.
    """

    batch_size: int
    batches_per_epoch: int
    batches_per_interval: int
    num_intervals: int
    epoch_numerator: int
    epoch_denominator: int

    @property
    def samples_per_epoch(self) -> int:
        return self.batches_per_epoch * self.batch_size

    @property
    def num_batches(self) -> int:
        return self.num_intervals * self.batches_per_interval

    def epoch_after(self, num_intervals: int) -> float:
        """The epoch reached after so many intervals: 0.5, 1.0, ... without accumulated rounding."""
        return num_intervals * self.epoch_numerator / self.epoch_denominator


def plan_intervals(num_train: int, batch_size: int, *, section: TrainingSection) -> Intervals:
    """The intervals of one training; ConfigurationError where one interval has not a single batch."""
    interval = section.epochs_per_interval
    parts, epochs = (round(1.0 / interval), 1) if interval < 1.0 else (1, round(interval))
    batches = num_train // (batch_size * parts)
    if batches == 0:
        most = num_train // parts
        allowed = f"use batch_size <= {most}, or more data" if most else "use more data or longer intervals"
        raise ConfigurationError(
            f"[training]: batch_size = {batch_size} with epochs_per_interval = {interval:g} needs "
            f"{batch_size * parts} training samples for a batch in every interval, there are {num_train}; "
            f"{allowed}"
        )
    return Intervals(
        batch_size=batch_size,
        batches_per_epoch=batches * parts,
        batches_per_interval=batches * epochs,
        num_intervals=round(section.max_epochs / interval),
        epoch_numerator=epochs,
        epoch_denominator=parts,
    )


def check_batches(num_train: int, batch_size: int, section: TrainingSection) -> None:
    """Raise ConfigurationError where the training data are too few for one batch in every interval."""
    plan_intervals(num_train, batch_size, section=section)

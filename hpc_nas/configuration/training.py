"""The table [training]: how long candidates are trained, and what is set in place of their space's recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hpc_nas.configuration.section import MAX_COUNT, Section

Optimizer = Literal["sgd", "nesterov", "adam", "adamw", "rmsprop"]
Schedule = Literal["constant", "linear", "cosine", "step"]
Augmentation = Literal["none", "shift", "shift_flip", "randaugment"]

MAX_OPERATIONS = 16
MAX_MAGNITUDE = 30.0
"""Of RandAugment; at the largest magnitude operations are as strong as AutoAugment's strongest."""


class TrainingSection(Section):
    """How every candidate is trained. A key that is not set is the space's own recipe (`hpc_nas.spaces.Recipe`)."""

    max_epochs: float = Field(default=20.0, gt=0.0, le=1e6, description="e_max of PEng4NN, Table II")
    epochs_per_interval: float = Field(
        default=0.5, ge=1e-6, le=1e6, description="E: epochs between validations"
    )
    batch_size: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    optimizer: Optimizer | None = None
    learning_rate: float | None = Field(default=None, gt=0.0, le=1e4)
    momentum: float | None = Field(default=None, ge=0.0, lt=1.0)
    weight_decay: float | None = Field(default=None, ge=0.0, le=100.0)
    max_gradient_norm: float | None = Field(default=None, ge=0.0, le=1e6, description="0: not clipped")
    schedule: Schedule | None = None
    step_factor: float | None = Field(default=None, gt=0.0, le=1.0)
    step_epochs: float | None = Field(
        default=None, ge=0.0, le=1e6, description="0: at a half and three quarters"
    )
    augmentation: Augmentation | None = None
    randaugment_operations: int | None = Field(default=None, ge=0, le=MAX_OPERATIONS, description="N")
    randaugment_magnitude: float | None = Field(default=None, ge=0.0, le=MAX_MAGNITUDE, description="M")
    deterministic: bool = Field(default=True, description="ask for deterministic kernels")

    @model_validator(mode="after")
    def _whole_intervals(self) -> TrainingSection:
        interval = self.epochs_per_interval
        parts = 1.0 / interval if interval < 1.0 else interval
        if abs(parts - round(parts)) > 1e-9:
            raise ValueError(
                f"epochs_per_interval = {interval} must be a whole number of epochs or one epoch's whole "
                "fraction; use 0.25, 0.5, 1, 2, ..."
            )
        count = self.max_epochs / interval
        if count < 1 or abs(count - round(count)) > 1e-9:
            raise ValueError(
                f"max_epochs = {self.max_epochs} is not a whole number of intervals of {interval} epochs; "
                f"use {max(1, round(count)) * interval:g}"
            )
        return self

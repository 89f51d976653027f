"""How a space wants its networks trained; the campaign file overrides it key by key."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hpc_nas.configuration import TrainingSection

__all__ = ["Augmentation", "Optimizer", "Recipe", "Schedule"]

Optimizer = Literal["sgd", "adam", "adamw", "rmsprop"]
Schedule = Literal["constant", "cosine", "step"]
Augmentation = Literal["none", "shift", "shift_flip"]


class Recipe(BaseModel):
    """Optimizer, its settings, batches and augmentation of one candidate's training.

    `momentum` is that of sgd and rmsprop; `batch_size` counts samples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    optimizer: Optimizer = "sgd"
    learning_rate: float = Field(default=0.01, gt=0.0)
    momentum: float = Field(default=0.0, ge=0.0, lt=1.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    schedule: Schedule = "constant"
    batch_size: int = Field(default=64, ge=1)
    augmentation: Augmentation = "none"

    def override(self, section: TrainingSection) -> Recipe:
        """This recipe, with every key that the campaign file sets in place of the space's own."""
        configured = section.model_dump(include=set(Recipe.model_fields), exclude_none=True)
        return Recipe.model_validate({**self.model_dump(), **configured})

"""How a space wants its networks trained; the campaign file overrides it key by key."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hpc_nas.configuration.training import (
    MAX_MAGNITUDE,
    MAX_OPERATIONS,
    Augmentation,
    Optimizer,
    Schedule,
    TrainingSection,
)

__all__ = ["Augmentation", "Optimizer", "Recipe", "Schedule"]


class Recipe(BaseModel):
    """Optimizer, its settings, batches and augmentation of one candidate's training.

    `optimizer`: `nesterov` is `sgd` with Nesterov's momentum. `momentum` is that of both, and of rmsprop.
    `max_gradient_norm`: a gradient over all weights that is longer is scaled down to it; 0: never.
    `schedule`: over the full budget of epochs, batch by batch: `linear` and `cosine` fall to 0; `step` multiplies by
    `step_factor` every `step_epochs` epochs, with 0 of them at a half and at three quarters of the budget.
    `batch_size` counts samples.
    `augmentation`: `shift` moves, `shift_flip` also mirrors; `randaugment` first applies `randaugment_operations`
    random operations (N) of `randaugment_magnitude` (M, up to 30) to each image, then both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    optimizer: Optimizer = "sgd"
    learning_rate: float = Field(default=0.01, gt=0.0)
    momentum: float = Field(default=0.0, ge=0.0, lt=1.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    max_gradient_norm: float = Field(default=0.0, ge=0.0)
    schedule: Schedule = "constant"
    step_factor: float = Field(default=0.1, gt=0.0, le=1.0)
    step_epochs: float = Field(default=0.0, ge=0.0)
    batch_size: int = Field(default=64, ge=1)
    augmentation: Augmentation = "none"
    randaugment_operations: int = Field(default=2, ge=0, le=MAX_OPERATIONS)
    randaugment_magnitude: float = Field(default=9.0, ge=0.0, le=MAX_MAGNITUDE)

    def override(self, section: TrainingSection) -> Recipe:
        """This recipe, with every key that the campaign file sets in place of the space's own."""
        configured = section.model_dump(include=set(Recipe.model_fields), exclude_none=True)
        return Recipe.model_validate({**self.model_dump(), **configured})

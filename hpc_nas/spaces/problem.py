"""What a network has to fit: images and their classes, or text and its vocabulary."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hpc_nas.spaces.objective import Objective, perplexity_score

__all__ = ["AnyProblem", "Problem", "TextProblem"]


class Problem(BaseModel):
    """A classification problem as a search space sees it; sizes in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    channels: int = Field(ge=1)
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    num_classes: int = Field(ge=2)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one sample."""
        return (self.channels, self.height, self.width)

    @property
    def objective(self) -> Objective:
        return Objective.ACCURACY

    def score(self, *, loss: float, hits: int, count: int) -> float:
        """Percent: the share of `count` samples that are `hits`."""
        return 100.0 * hits / count

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width} images, {self.num_classes} classes"


class TextProblem(BaseModel):
    """A text whose next token, word or character, is to be predicted.

    `sequence_length` tokens are a sample: so far back reaches the gradient, while the state of a network is carried on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    vocabulary_size: int = Field(ge=2)
    sequence_length: int = Field(ge=1)

    @property
    def objective(self) -> Objective:
        return Objective.PERPLEXITY

    def score(self, *, loss: float, hits: int, count: int) -> float:
        """Percent: that of the mean cross entropy `loss`, see `objective`."""
        return perplexity_score(loss, vocabulary_size=self.vocabulary_size)

    def __str__(self) -> str:
        return f"text with a vocabulary of {self.vocabulary_size}, in sequences of {self.sequence_length}"


AnyProblem = Problem | TextProblem

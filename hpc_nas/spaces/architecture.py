"""An architecture as JSON: what rebuilds a network, how it was trained, and what it expects of its input."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hpc_nas.configuration import SpaceSection
from hpc_nas.configuration.search import Scalar
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Network, Space

__all__ = ["ARCHITECTURE_NAME", "Architecture", "json_options"]

ARCHITECTURE_NAME = "architecture.json"


class Architecture(BaseModel):
    """One network of a space. `recipe` is the one that it was trained by, the campaign's own settings included."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    hpc_nas_version: str
    space: str
    options: dict[str, Scalar]
    parameters: dict[str, bool | int | float | str]
    problem: AnyProblem
    normalization: dict[str, list[float]] | None = Field(
        description="pixels 0..255 less `mean`, over `deviation`, by channel, as in training; null for a text"
    )
    recipe: Recipe
    num_parameters: int = Field(ge=0, description="trainable weights")
    num_layers: int = Field(ge=0, description="layers with weights")
    macs: int = Field(ge=0, description="multiply-adds of one image, or one token")

    def rebuild(self) -> Network:
        """The network, its weights drawn anew. Raises SpaceError where the space is not what it was."""
        space = load_space(SpaceSection.model_validate({"name": self.space, **self.options}))
        return space.rebuild(self.parameters, self.problem)


def json_options(space: Space) -> dict[str, Scalar]:
    """The options of a space that JSON carries. Any other (None, a tuple) is a default, as no file can set one."""
    return {
        name: value
        for name, value in space.options.items()
        if isinstance(value, Scalar) and not (isinstance(value, float) and not math.isfinite(value))
    }

"""The tables that say what is searched, and how: space, search, constraints, finalists."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hpc_nas.configuration.section import MAX_COUNT, Positive, Section

Scalar = bool | int | float | str


def _scalar(value: Any) -> Any:
    if not isinstance(value, Scalar):
        raise ValueError("an option is true or false, a number, or a text; no date, list or table")
    return value


_Option = Annotated[Any, AfterValidator(_scalar)]


class SpaceSection(BaseModel):
    """The search space by name; every other key is an option of that space."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, _Option]
    name: str = "random-cnn"

    @property
    def options(self) -> dict[str, Scalar]:
        return dict(self.__pydantic_extra__ or {})


class SearchSection(BaseModel):
    """The search strategy by name; every key but those named here is an option of that strategy."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, _Option]
    name: str = "random"
    generation: Positive | None = Field(
        default=None,
        description="candidates of which all must end before the next is drawn; unset: none waits",
    )
    draw_ahead: Annotated[int, Field(ge=0, le=1)] = Field(
        default=1,
        description="candidates drawn before a group asks: 1, or 0: by all that is known at the time",
    )
    train_repeats: bool = Field(
        default=False,
        description="train a network again that was drawn before, instead of drawing another one",
    )
    warm_start: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="run directories or archives whose candidates the strategy begins with",
    )

    @property
    def options(self) -> dict[str, Scalar]:
        return dict(self.__pydantic_extra__ or {})


class ConstraintsSection(Section):
    """What no candidate may exceed: a network beyond it is drawn again before it costs a GPU."""

    max_parameters: int | None = Field(default=None, ge=1, le=10**12, description="trainable weights")
    max_macs: int | None = Field(default=None, ge=1, le=10**15, description="multiply-adds of one sample")
    max_memory_mib: int | None = Field(
        default=None, ge=1, le=10**8, description="estimate of what its training takes"
    )


class FinalistsSection(Section):
    """The best candidates by estimate, trained to the full budget once the search is over, and exported."""

    count: int = Field(default=0, ge=0, le=10_000, description="how many; 0: none")
    max_epochs: float | None = Field(
        default=None, gt=0.0, le=1e6, description="budget of each; unset: that of the search"
    )
    origins: tuple[Annotated[int, Field(ge=0, le=MAX_COUNT)], ...] = Field(
        default=(),
        description="filled in by hpc-nas, for the campaign that trains them: the candidates that they are",
    )

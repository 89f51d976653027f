"""The strategy `given`: networks that are already known, in the order of a list; the finalists of a search are such."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hpc_nas.errors import ConfigurationError, SpaceError
from hpc_nas.search.sampling import SearchContext
from hpc_nas.search.seeding import candidate_seed
from hpc_nas.search.strategy import Strategy, Supply
from hpc_nas.values import Candidate, Outcome

__all__ = ["Given", "GivenNetwork", "as_option", "given", "networks_of"]


class GivenNetwork(BaseModel):
    """What rebuilds a network, and the seed of its training; without one it gets a new one, by its place."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    parameters: dict[str, bool | int | float | str]
    seed: int | None = Field(default=None, ge=0)


_NETWORKS = TypeAdapter(tuple[GivenNetwork, ...])


def as_option(networks: Sequence[GivenNetwork]) -> str:
    """The networks as the option `networks` takes them."""
    return _NETWORKS.dump_json(tuple(networks)).decode()


def networks_of(option: str) -> tuple[GivenNetwork, ...]:
    """What the option `networks` lists. Raises pydantic.ValidationError for a text that is no such list."""
    return _NETWORKS.validate_json(option)


def given(context: SearchContext, *, networks: str) -> Strategy:
    """`networks` is a JSON list of `{"parameters": {...}, "seed": N}`, the seed as wanted.

    Parameters are those of a candidate of the same space, as a ledger or `hpc-nas space --json` shows them. No limits
    apply, and nothing is learnt. Raises ConfigurationError for a text that is no such list.
    """
    try:
        found = networks_of(networks)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigurationError(
            f"[search] given: networks is no JSON list of networks: {where + ': ' if where else ''}{first['msg']}; "
            'write [{"parameters": {...}, "seed": 1}, ...]'
        ) from None
    if not found:
        raise ConfigurationError("[search] given: networks is an empty list; give one at least")
    return Given(found, context=context)


class Given(Strategy):
    """Candidate i is network i; after the last the space counts as exhausted."""

    def __init__(self, networks: Sequence[GivenNetwork], *, context: SearchContext) -> None:
        self._networks = tuple(networks)
        self._context = context
        self._drawn: set[int] = set()

    @property
    def supply(self) -> Supply:
        return Supply.READY if len(self._drawn) < len(self._networks) else Supply.EXHAUSTED

    def ask(self, number: int) -> Candidate:
        network = self._claim(number)
        description = self._context.space.describe(network.parameters, self._context.problem)
        return Candidate(
            number=number,
            seed=candidate_seed(self._context.seed, number) if network.seed is None else network.seed,
            parameters=network.parameters,
            num_parameters=description.num_parameters,
            num_layers=description.num_layers,
            macs=description.macs,
        )

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        pass

    def restore(self, candidate: Candidate) -> None:
        network = self._claim(candidate.number)
        if network.parameters != candidate.parameters:
            raise SpaceError(
                f"[search] given: candidate {candidate.number} was drawn with {candidate.parameters}, but the list has "
                f"{network.parameters} there; go on with the list that the campaign was begun with"
            )

    def pause(self, candidate: Candidate, *, epochs: float, accuracy: float) -> None:
        pass

    def learn(self, candidate: Candidate, outcome: Outcome) -> None:
        pass

    def _claim(self, number: int) -> GivenNetwork:
        if number in self._drawn or not 0 <= number < len(self._networks):
            raise ValueError(f"candidate {number} of {len(self._networks)} given: none such, or drawn before")
        self._drawn.add(number)
        return self._networks[number]

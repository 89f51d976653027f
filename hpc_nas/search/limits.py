"""The limits of `[constraints]`: which drawn networks are worth a GPU, and what to say where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from hpc_nas.configuration import Configuration, ConstraintsSection, TrainingSection
from hpc_nas.errors import SpaceError
from hpc_nas.search.repeats import Repeated
from hpc_nas.search.sampling import SearchContext
from hpc_nas.spaces.description import Description
from hpc_nas.spaces.space import CollapsedShape

__all__ = ["NO_LIMITS", "BeyondLimits", "Limits", "RejectedDraws", "no_network"]

MIB = 2**20


class BeyondLimits(CollapsedShape):
    """A network that is larger than the campaign allows; it is drawn again."""

    def __init__(self, key: str, *, seen: int, allowed: int) -> None:
        super().__init__(f"{_said(key)}: {seen:,} of {allowed:,}")
        self.seen = seen
        self.allowed = allowed


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What no candidate may exceed; how much memory it takes depends on how the campaign trains it."""

    constraints: ConstraintsSection = field(default_factory=ConstraintsSection)
    training: TrainingSection = field(default_factory=TrainingSection)

    @classmethod
    def of(cls, configuration: Configuration) -> Limits:
        return cls(constraints=configuration.constraints, training=configuration.training)

    def check(self, description: Description) -> None:
        """Raises BeyondLimits, its text beginning with `[constraints]`, the limit's key and a colon."""
        for key, seen in self._sizes(description):
            allowed = getattr(self.constraints, key)
            if allowed is not None and seen > allowed:
                raise BeyondLimits(key, seen=seen, allowed=allowed)

    def _sizes(self, description: Description) -> Iterator[tuple[str, int]]:
        yield "max_parameters", description.num_parameters
        yield "max_macs", description.macs
        recipe = description.recipe.override(self.training)
        yield "max_memory_mib", -(-description.footprint.training_bytes(recipe) // MIB)


NO_LIMITS = Limits()


@dataclass
class RejectedDraws:
    """The draws that were rejected for one candidate, and why."""

    num_beyond_limits: int = 0
    num_repeated: int = 0
    _reasons: Counter[str] = field(default_factory=Counter)
    _nearest: dict[str, BeyondLimits] = field(
        default_factory=dict
    )  # of each limit, the least that was beyond it

    def add(self, error: CollapsedShape) -> None:
        what = str(error).partition(":")[0]
        self._reasons[what] += 1
        self.num_repeated += isinstance(error, Repeated)
        if isinstance(error, BeyondLimits):
            self.num_beyond_limits += 1
            nearest = self._nearest.setdefault(what, error)
            if error.seen < nearest.seen:
                self._nearest[what] = error

    def __len__(self) -> int:
        return self._reasons.total()

    def __str__(self) -> str:
        """The reasons with their counts, the most frequent first, and the least that was seen beyond each limit."""
        return ", ".join(self._say(what, count) for what, count in self._reasons.most_common())

    def _say(self, what: str, count: int) -> str:
        times = {1: "once", 2: "twice"}.get(count, f"{count} times")
        if (nearest := self._nearest.get(what)) is None:
            return f"{what} {times}"
        return f"{what} {times} ({nearest.allowed:,} allowed, {nearest.seen:,} at least)"


def no_network(context: SearchContext, rejected: RejectedDraws, *, number: int) -> SpaceError:
    """What is said when draws for a candidate are given up."""
    return SpaceError(
        f"space {context.space.name!r}: no network for {context.problem} in {len(rejected)} draws of candidate "
        f"{number}; rejected: {rejected}. Loosen these limits under [space] or [constraints]"
    )


def _said(key: str) -> str:
    return f"[constraints] {key}"  # a space may have an option of the same name

"""The limits of `[constraints]`: which drawn networks are worth a GPU."""

from __future__ import annotations

from hpc_nas.configuration import ConstraintsSection
from hpc_nas.spaces.description import Description
from hpc_nas.spaces.space import CollapsedShape

__all__ = ["BeyondLimits", "check_limits"]


class BeyondLimits(CollapsedShape):
    """A network that is larger than the campaign allows; it is drawn again."""


def check_limits(description: Description, limits: ConstraintsSection) -> None:
    """Raises BeyondLimits, its text beginning with the limit's key and a colon."""
    for key, seen in (("max_parameters", description.num_parameters), ("max_macs", description.macs)):
        allowed = getattr(limits, key)
        if allowed is not None and seen > allowed:
            raise BeyondLimits(f"{key}: {seen:,} of {allowed:,}")

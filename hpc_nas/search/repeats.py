"""Networks that were drawn before: a GPU that trains one of them again finds out what is known already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpc_nas.spaces.space import CollapsedShape

__all__ = ["Repeated", "Repeats"]


class Repeated(CollapsedShape):
    """A network with the parameters of an earlier candidate; it is drawn again."""

    def __init__(self) -> None:
        super().__init__("repeated: this network was drawn before")


class Repeats:
    """The parameters of all candidates so far, those of earlier campaigns among them; a network without any is none."""

    def __init__(self) -> None:
        self._known: set[frozenset[tuple[str, Any]]] = set()

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raises Repeated for the network of an earlier candidate."""
        if parameters and frozenset(parameters.items()) in self._known:
            raise Repeated

    def add(self, parameters: Mapping[str, Any]) -> None:
        """A candidate has these parameters."""
        self._known.add(frozenset(parameters.items()))

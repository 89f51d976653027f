"""Strategies that are a pair of sampler and rung rule: which estimator preset each of them goes with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpc_nas.configuration.schema import Configuration

__all__ = ["PAIRS", "pair_problems", "with_preset_of_pair"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """`sampler` is the strategy that draws in the same way and goes with any preset."""

    sampler: str
    preset: str


PAIRS = {
    "asha": Pair(sampler="random", preset="asha"),
    "hyperband": Pair(sampler="random", preset="hyperband"),
    "bohb": Pair(sampler="tpe", preset="hyperband"),
}
"""By the strategy's name."""


def with_preset_of_pair(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tables as a file holds them, with the preset that goes with the strategy where none is given."""
    name = tables.get("search", {}).get("name")
    if not isinstance(name, str) or name not in PAIRS:
        return tables
    return {**tables, "estimator": {"preset": PAIRS[name].preset, **tables.get("estimator", {})}}


def pair_problems(configuration: Configuration) -> Iterator[str]:
    """A strategy with another preset than its own, as `[table]: what was seen; what to do`. Settings are free."""
    name, preset = configuration.search.name, configuration.estimator.preset
    pair = PAIRS.get(name)
    if pair is not None and preset.partition(":")[0].strip() != pair.preset:
        yield (
            f"[estimator]: preset = {preset!r}, but [search] name = {name!r} stands for the draws of {pair.sampler!r} "
            f"with the preset {pair.preset!r}; leave preset out, or keep it and use [search] name = {pair.sampler!r}"
        )

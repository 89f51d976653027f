"""Presets made of presets: any of them, all of them, or one after a number of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from estimator.forecasters import Joint
from estimator.presets.base import Preset
from estimator.presets.expression import Combination
from estimator.rules import After, AllOf, AnyOf

__all__ = ["after", "combine"]

_RULES = {Combination.ANY: AnyOf, Combination.ALL: AllOf}


def combine(members: Sequence[Preset], *, combination: Combination, name: str) -> Preset:
    """Stop when any or all of the members do; each keeps its forecaster.

    A candidate that is trained to the end is worth what the first member says. Raises ValueError for a
    member that pauses: its promotion could not know what the others decided.
    """
    for member in members:
        _refuse_pauses(member)
    return replace(
        members[0],
        name=name,
        forecaster=Joint(members=tuple(member.forecaster for member in members)),
        rule=_RULES[combination](members=tuple(member.rule for member in members)),
    )


def after(epochs: float, member: Preset, *, name: str) -> Preset:
    """As `member`, but not before `epochs`. Raises ValueError for a member that pauses."""
    _refuse_pauses(member)
    if epochs > member.max_epochs:
        raise ValueError(f"epochs = {epochs} is more than max_epochs = {member.max_epochs}")
    return replace(member, name=name, rule=After(epochs=epochs, member=member.rule))


def _refuse_pauses(member: Preset) -> None:
    if member.pauses:
        raise ValueError(
            f"{member.name!r} pauses candidates, which a combination can't; "
            "combine presets that only stop (rungs and asha do, with form=stopping)"
        )

"""The work of a comparison, in pieces that any process can do: which sets, which presets, which orders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from estimator import Preset
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.simulate import Simulation, replay_alone
from hpc_nas.replay.values import Replay

__all__ = ["Part", "Piece", "Plan", "gathered", "pieces"]

CURVES_AT_ONCE = 8
"""Small pieces keep all processes busy to the end, and the time left honest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One preset on one set: once if it is alone, else once for each order."""

    curves: CurveSet
    preset: Preset
    orders: tuple[tuple[int, ...], ...]
    num_trainers: int = 1

    @property
    def num_curves(self) -> int:
        """How many curves are replayed in all."""
        return len(self.curves) * (1 if self.preset.alone else len(self.orders))


Part = tuple[int, int]
"""Which replay this belongs to: position of its plan, position of its order."""


class Piece(ABC):
    """Some of the work. Can be pickled; needs nothing but itself."""

    __slots__ = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """How many curves are replayed."""

    @abstractmethod
    def work(self) -> Mapping[Part, Replay]:
        """Do it: what comes of it for each replay that it belongs to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Alone(Piece):
    """A few curves under all presets that share a forecaster."""

    curves: CurveSet
    presets: tuple[Preset, ...]
    plans: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.curves) * len(self.presets)

    def work(self) -> Mapping[Part, Replay]:
        replays = replay_alone(self.curves, self.presets)
        return {(plan, 0): replay for plan, replay in zip(self.plans, replays, strict=True)}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ordered(Piece):
    """One whole set in one order."""

    plan: Plan
    part: Part

    @property
    def size(self) -> int:
        return len(self.plan.curves)

    def work(self) -> Mapping[Part, Replay]:
        order = self.plan.orders[self.part[1]]
        simulation = Simulation(
            self.plan.curves, self.plan.preset, order=order, num_trainers=self.plan.num_trainers
        )
        return {self.part: simulation.run()}


def pieces(plans: Sequence[Plan]) -> list[Piece]:
    """All of the work: long pieces first, and those of different presets mixed, so that no process waits."""
    ordered: list[Piece] = [
        _Ordered(plan=plan, part=(index, order))
        for index, plan in enumerate(plans)
        if not plan.preset.alone
        for order in range(len(plan.orders))
    ]
    alone: list[tuple[int, Piece]] = []
    for group in _sharing(plans):
        curves = plans[group[0]].curves
        for start in range(0, len(curves), CURVES_AT_ONCE):
            rows = range(start, min(start + CURVES_AT_ONCE, len(curves)))
            piece = _Alone(
                curves=curves.only(list(rows)),
                presets=tuple(plans[index].preset for index in group),
                plans=tuple(group),
            )
            alone.append((start, piece))
    alone.sort(key=lambda item: item[0])
    return ordered + [piece for _, piece in alone]


def _sharing(plans: Sequence[Plan]) -> list[list[int]]:
    """Positions of the plans whose presets are alone, those together that forecast the same curves alike."""
    groups: list[list[int]] = []
    for index, plan in enumerate(plans):
        if not plan.preset.alone:
            continue
        for group in groups:
            other = plans[group[0]]
            if other.curves is plan.curves and other.preset.forecaster == plan.preset.forecaster:
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def gathered(plans: Sequence[Plan], done: Sequence[Mapping[Part, Replay]]) -> list[list[Replay]]:
    """The replays of each plan, one per order, from the results of `pieces(plans)` in their order."""
    replays: list[list[Replay]] = []
    for index, plan in enumerate(plans):
        num_orders = 1 if plan.preset.alone else len(plan.orders)
        parts = [
            [part[index, order] for part in done if (index, order) in part] for order in range(num_orders)
        ]
        replays.append([_joined(part) for part in parts])
    return replays


def _joined(parts: Sequence[Replay]) -> Replay:
    """Replays of consecutive rows as one."""
    candidates = [candidate for part in parts for candidate in part.candidates]
    return Replay(
        candidates=tuple(replace(candidate, index=index) for index, candidate in enumerate(candidates))
    )

"""Replays recorded curves under a preset: what would have been trained, and what would have been believed.

The clock counts epochs: every trainer trains at the same speed. Nothing is random; two events at the same time
are taken in the order of the trainers.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from estimator import Curve, Ended, Forecast, History, Population, Preset, Resumed, Standing
from estimator.forecasters import Forecaster
from estimator.population import ALONE
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.values import Replay, Replayed
from hpc_nas.replay.watch import Watch

__all__ = ["Simulation", "replay_alone"]


def replay_alone(curves: CurveSet, presets: Sequence[Preset]) -> list[Replay]:
    """One replay per preset of curves that don't look at each other. All presets must share one forecaster.

    Each curve's forecasts are made once, and none after the last of the presets has stopped it.
    """
    forecaster = presets[0].forecaster
    if any(preset.forecaster != forecaster or not preset.alone for preset in presets):
        raise ValueError("presets that are replayed together must be alone, and share one forecaster")
    results: list[list[Replayed]] = [[] for _ in presets]
    for index in range(len(curves)):
        remembered = _Remembered(forecaster=forecaster)
        for preset, replayed in zip(presets, results, strict=True):
            watch = Watch(curves, index, preset=replace(preset, forecaster=remembered))
            while watch.result is None:
                watch.observe()
            replayed.append(watch.result)
    return [Replay(candidates=tuple(replayed)) for replayed in results]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Remembered(Forecaster):
    """Forecasts of one curve, each made once for all presets that ask."""

    forecaster: Forecaster
    known: dict[int, Forecast | None] = field(default_factory=dict)

    def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
        length = len(curve)
        if length not in self.known:
            self.known[length] = self.forecaster.forecast(curve, population)
        return self.known[length]


class Simulation:
    """`num_trainers` trainers work through the candidates in this order; all share one history.

    A free trainer resumes what the preset's promotion names, else starts the next candidate. A candidate's
    number in the history is its place in the order. A paused candidate goes on where it was.
    """

    def __init__(self, curves: CurveSet, preset: Preset, *, order: Sequence[int], num_trainers: int = 1):
        if sorted(order) != list(range(len(curves))):
            raise ValueError(f"order must name each of the {len(curves)} candidates once")
        if num_trainers < 1:
            raise ValueError(f"num_trainers = {num_trainers}; at least 1 is needed")
        self.history = History()
        self._preset = preset
        self._watches = [
            Watch(curves, index, preset=preset, history=self.history, number=number)
            for number, index in enumerate(order)
        ]
        self._num_started = 0
        self._idle = list(range(num_trainers))  # a heap: the lowest number is asked first
        self._events: list[tuple[float, int, int]] = []  # a heap of time in epochs, trainer, candidate
        self._now = 0.0

    def run(self) -> Replay:
        """Play it to the end."""
        self._assign()
        while self._events:
            self._now, trainer, number = heapq.heappop(self._events)
            watch = self._watches[number]
            decision = watch.observe()
            if watch.result is None and not decision.pause:
                self._schedule(trainer, number)
            else:
                heapq.heappush(self._idle, trainer)
            self._assign()
        self._settle()
        results = [watch.result for watch in self._watches if watch.result is not None]
        return Replay(candidates=tuple(sorted(results, key=lambda result: result.index)))

    def _assign(self) -> None:
        """Give every free trainer something to do, as far as there is anything."""
        while self._idle:
            number = self._next()
            if number is None:
                return
            self._schedule(heapq.heappop(self._idle), number)

    def _next(self) -> int | None:
        num_new = len(self._watches) - self._num_started
        number = self._preset.promotion.promote(self.history, num_new=num_new)
        if number is not None:
            self._resume(number)
            return number
        if not num_new:
            return None
        self._num_started += 1
        return self._num_started - 1

    def _resume(self, number: int) -> None:
        member = self.history.members.get(number)
        if member is None or member.standing is not Standing.PAUSED:
            raise ValueError(f"preset {self._preset.name} promotes candidate {number}, which is not paused")
        self.history.apply(Resumed(candidate=number))

    def _schedule(self, trainer: int, number: int) -> None:
        time = self._now + self._watches[number].epochs_to_next
        heapq.heappush(self._events, (time, trainer, number))

    def _settle(self) -> None:
        version = self.history.version
        decisions = self._preset.promotion.settle(self.history)
        for number, watch in enumerate(self._watches):
            if watch.result is not None:
                continue
            if number not in decisions:
                raise ValueError(
                    f"preset {self._preset.name} leaves candidate {number} paused for ever; settle must end it"
                )
            watch.stop(replace(decisions[number], version=version))
            self.history.end(Ended(candidate=number, standing=Standing.STOPPED))

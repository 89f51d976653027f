"""MetaQNN's state space: states, the actions that a state allows, and where an action leads (Baker, Table 1).

No torch and no Optuna: a network is a sequence of actions, and what a search or a learning agent needs of it is

    position = rules.start(size=32)
    while not position.state.final:
        position = rules.step(position, choose(rules.actions(position.state)))

`State` is what an agent may know; it is hashable, and `str(state)` is a stable key. `Position` adds the
exact size of the representation, of which the state has only the bin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Literal

__all__ = [
    "Action",
    "Convolution",
    "FullyConnected",
    "Pooling",
    "Position",
    "Rules",
    "State",
    "Termination",
    "parse_action",
    "size_bin",
]

BINS = (8, 4, 1)
"""The bins of the representation size by their smallest size: (inf, 8], (8, 4], (4, 1]."""
FULLY_CONNECTED_BELOW = 8
"""Pixels: a convolution or pooling layer leads to a fully connected one only below this size."""


@dataclass(frozen=True)
class Convolution:
    """Square, stride 1, padded so that the image keeps its size."""

    filters: int
    kernel: int

    def __str__(self) -> str:
        return f"C({self.filters},{self.kernel},1)"


@dataclass(frozen=True)
class Pooling:
    """Square, not padded."""

    kernel: int
    stride: int

    def __str__(self) -> str:
        return f"P({self.kernel},{self.stride})"


@dataclass(frozen=True)
class FullyConnected:
    neurons: int

    def __str__(self) -> str:
        return f"FC({self.neurons})"


class Termination(StrEnum):
    """How a network ends: both have a softmax over the classes behind them."""

    GLOBAL_AVERAGE = "GAP"
    SOFTMAX = "SM"


Action = Convolution | Pooling | FullyConnected | Termination

_ACTION = re.compile(r"(C)\((\d+),(\d+),1\)|(P)\((\d+),(\d+)\)|(FC)\((\d+)\)|(GAP|SM)")


def parse_action(text: str) -> Action:
    """The action that `str` writes as this text: C(filters,kernel,1), P(kernel,stride), FC(neurons), GAP, SM."""
    match = _ACTION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no layer; write C(64,3,1), P(2,2), FC(128), GAP or SM")
    kind, *numbers = (group for group in match.groups() if group is not None)
    values = [int(number) for number in numbers]
    if kind == "C":
        return Convolution(*values)
    if kind == "P":
        return Pooling(*values)
    if kind == "FC":
        return FullyConnected(*values)
    return Termination(kind)


def size_bin(size: int) -> int:
    """The bin of a representation of `size` x `size` pixels, named by its smallest size: 8, 4 or 1."""
    return next(smallest for smallest in BINS if size >= smallest)


@dataclass(frozen=True, kw_only=True)
class State:
    """A layer as an agent sees it: what it is, how deep it lies, how large its images are (a bin).

    `depth` counts the layers up to and with this one, terminations not counted. `num_fully_connected` counts the
    fully connected layers in a row. The starting state has depth 0 and no layer.
    """

    depth: int
    layer: Action | None
    size_bin: int
    num_fully_connected: int = 0

    @property
    def final(self) -> bool:
        return isinstance(self.layer, Termination)

    @property
    def group(self) -> str:
        """What the allowed actions depend on besides the depth: start8, conv8, pool4, fc256 and so on."""
        match self.layer:
            case None:
                return f"start{self.size_bin}"
            case Convolution():
                return f"conv{self.size_bin}"
            case Pooling():
                return f"pool{self.size_bin}"
            case FullyConnected(neurons=neurons):
                return f"fc{neurons}"
            case Termination():
                return "end"

    def __str__(self) -> str:
        layer = "start" if self.layer is None else str(self.layer)
        return f"{self.depth}:{layer}@{self.size_bin}x{self.num_fully_connected}"


@dataclass(frozen=True, kw_only=True)
class Position:
    """A state and the exact size of its representation: the image's smaller side, in pixels."""

    state: State
    size: int


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Table 1 of Baker; the defaults are its values (at most 12 layers; 18 are theirs for CIFAR-10).

    What Table 1 leaves open is a field. `first`: their code begins with a convolution. `windows`: their code has
    windows smaller than the smallest size of the bin; `fitting` allows an equal size too. From their code also: a
    fully connected layer is never wider than the one before it. A global average ends convolutions and pooling only.
    """

    max_layers: int = 12
    filters: tuple[int, ...] = (64, 128, 256, 512)
    kernels: tuple[int, ...] = (1, 3, 5)
    poolings: tuple[tuple[int, int], ...] = ((5, 3), (3, 2), (2, 2))
    neurons: tuple[int, ...] = (512, 256, 128)
    max_fully_connected: int = 2
    first: Literal["convolution", "convolution_or_pooling"] = "convolution"
    windows: Literal["smaller", "fitting"] = "smaller"

    def start(self, *, size: int) -> Position:
        """The position before the first layer, for images whose smaller side has `size` pixels."""
        return Position(state=State(depth=0, layer=None, size_bin=size_bin(size)), size=size)

    def actions(self, state: State) -> tuple[Action, ...]:
        """What may follow, in a fixed order, terminations last. Nothing follows a final state.

        Empty also for a starting state whose images are too small for any first layer.
        """
        return _actions(self, state)

    def _actions(self, state: State) -> tuple[Action, ...]:
        ends = self._ends(state)
        if state.final or state.depth >= self.max_layers:
            return ends
        if isinstance(state.layer, FullyConnected):
            return (*self._narrower(state.layer, state.num_fully_connected), *ends)
        after_pooling = isinstance(state.layer, Pooling)
        at_start = state.layer is None
        pooled = not after_pooling and not (at_start and self.first == "convolution")
        dense = not at_start and state.size_bin < FULLY_CONNECTED_BELOW
        return (
            *(
                Convolution(filters, kernel)
                for filters in self.filters
                for kernel in self.kernels
                if self._fits(kernel, state)
            ),
            *(Pooling(*pooling) for pooling in self.poolings if pooled and self._fits(pooling[0], state)),
            *(FullyConnected(neurons) for neurons in self.neurons if dense and self.max_fully_connected > 0),
            *ends,
        )

    def step(self, position: Position, action: Action) -> Position:
        """Where an action leads. Raises ValueError for one that the state does not allow."""
        state, size = position.state, position.size
        if action not in self.actions(state):
            allowed = ", ".join(map(str, self.actions(state))) or "nothing"
            raise ValueError(f"{action} may not follow {state}; allowed: {allowed}")
        if isinstance(action, Pooling):
            size = (size - action.kernel) // action.stride + 1
        dense = isinstance(action, FullyConnected)
        size = 1 if dense else size  # the image is gone; the state of such a layer has no size
        return Position(
            state=State(
                depth=state.depth + (0 if isinstance(action, Termination) else 1),
                layer=action,
                size_bin=size_bin(size),
                num_fully_connected=state.num_fully_connected + 1 if dense else 0,
            ),
            size=size,
        )

    def choice(self, position: Position) -> Position:
        """This position, or the next one that leaves a choice, or the end: states of one action are passed."""
        while not position.state.final and len(self.actions(position.state)) == 1:
            position = self.step(position, self.actions(position.state)[0])
        return position

    def _ends(self, state: State) -> tuple[Action, ...]:
        match state.layer:
            case None | Termination():
                return ()
            case FullyConnected():
                return (Termination.SOFTMAX,)
            case _:
                return (Termination.GLOBAL_AVERAGE, Termination.SOFTMAX)

    def _narrower(self, layer: FullyConnected, in_a_row: int) -> tuple[Action, ...]:
        if in_a_row >= self.max_fully_connected:
            return ()
        return tuple(FullyConnected(neurons) for neurons in self.neurons if neurons <= layer.neurons)

    def _fits(self, window: int, state: State) -> bool:
        return window < state.size_bin or (self.windows == "fitting" and window == state.size_bin)


@lru_cache(maxsize=10_000)
def _actions(rules: Rules, state: State) -> tuple[Action, ...]:
    """Kept, since an agent asks again and again about the same states."""
    return rules._actions(state)

"""The cell of NAS-Bench-201 as text: one of five operations on each of six edges, 15,625 cells in all.

`|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|`: nodes 1, 2 and 3, apart by `+`,
each with `operation~node` for every node before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

__all__ = ["EDGES", "Cell", "Operation", "all_cells"]


class Operation(StrEnum):
    """What an edge does with the images of its node."""

    NONE = "none"
    SKIP = "skip_connect"
    CONVOLUTION_1X1 = "nor_conv_1x1"
    CONVOLUTION_3X3 = "nor_conv_3x3"
    AVERAGE_POOLING = "avg_pool_3x3"


EDGES = tuple((node, source) for node in (1, 2, 3) for source in range(node))
"""(node, source) of each edge, in the order of the text."""


@dataclass(frozen=True)
class Cell:
    """The operations of the six edges, in the order of `EDGES`."""

    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(EDGES):
            raise ValueError(f"a cell has {len(EDGES)} operations, not {len(self.operations)}")

    def __str__(self) -> str:
        return "+".join(self._node(node) for node in (1, 2, 3))

    @classmethod
    def parse(cls, text: str) -> Cell:
        """The cell that is written so. Raises ValueError, which says what is expected."""
        try:
            operations = tuple(
                Operation(entry.partition("~")[0])
                for node in text.strip().split("+")
                for entry in node.strip("|").split("|")
            )
            cell = cls(operations)
        except ValueError as error:
            raise ValueError(f"{text!r} is no cell of NAS-Bench-201: {error}") from None
        if str(cell) != text.strip():
            raise ValueError(f"{text!r} is no cell of NAS-Bench-201; operations so arranged are {cell}")
        return cell

    def _node(self, node: int) -> str:
        entries = (
            f"{operation}~{source}"
            for operation, (target, source) in zip(self.operations, EDGES, strict=True)
            if target == node
        )
        return f"|{'|'.join(entries)}|"


def all_cells() -> Iterator[Cell]:
    """All 5 ** 6 = 15,625 cells. Some of them compute the same."""
    return (Cell(operations) for operations in product(Operation, repeat=len(EDGES)))

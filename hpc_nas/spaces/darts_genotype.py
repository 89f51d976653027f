"""What DARTS draws: a normal and a reduction cell of four nodes, two inputs and two operations each (Liu et al.).

No torch here. Sampled as in Cao A.4: for each node, uniformly from the valid choices, first the pair of different
earlier nodes, then an operation for each. Nodes 0 and 1 are the outputs of the two cells before; 2 to 5 are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from optuna.trial import BaseTrial

__all__ = ["CellPlan", "Edge", "Genotype", "Operation", "draw_genotype", "pairs_of"]

NUM_INPUTS = 2
NUM_NODES = 4


class Operation(StrEnum):
    """The operations of a discrete cell; `none` is one only while DARTS relaxes the space."""

    MAX_POOLING = "max_pool_3x3"
    AVERAGE_POOLING = "avg_pool_3x3"
    SKIP = "skip_connect"
    SEPARABLE_3X3 = "sep_conv_3x3"
    SEPARABLE_5X5 = "sep_conv_5x5"
    DILATED_3X3 = "dil_conv_3x3"
    DILATED_5X5 = "dil_conv_5x5"


@dataclass(frozen=True)
class Edge:
    """An operation on the output of an earlier node."""

    operation: Operation
    source: int


@dataclass(frozen=True)
class CellPlan:
    """The two edges of each drawn node; the cell's output is all four nodes side by side."""

    nodes: tuple[tuple[Edge, Edge], ...]

    def __post_init__(self) -> None:
        if len(self.nodes) != NUM_NODES:
            raise ValueError(f"a cell has {NUM_NODES} nodes, not {len(self.nodes)}")
        for node, (first, second) in enumerate(self.nodes, start=NUM_INPUTS):
            if first.source == second.source or not {first.source, second.source} <= set(range(node)):
                raise ValueError(
                    f"node {node} takes two different nodes before it, not {first.source} and {second.source}"
                )


@dataclass(frozen=True, kw_only=True)
class Genotype:
    normal: CellPlan
    reduction: CellPlan


def pairs_of(node: int) -> list[str]:
    """The pairs of nodes before `node` (2 to 5), as the choices of its parameter: "0,1", "0,2", ..."""
    return [f"{first},{second}" for first, second in combinations(range(node), 2)]


def draw_genotype(trial: BaseTrial) -> Genotype:
    """Ask for both cells by the names normal_node3_inputs, normal_node3_first, normal_node3_second and so on."""
    return Genotype(normal=_draw_cell(trial, "normal"), reduction=_draw_cell(trial, "reduction"))


def _draw_cell(trial: BaseTrial, cell: str) -> CellPlan:
    operations = [str(operation) for operation in Operation]
    nodes = []
    for node in range(NUM_INPUTS, NUM_INPUTS + NUM_NODES):
        name = f"{cell}_node{node}"
        pairs = pairs_of(node)
        pair = trial.suggest_categorical(f"{name}_inputs", pairs) if len(pairs) > 1 else pairs[0]
        first, second = (
            Edge(Operation(trial.suggest_categorical(f"{name}_{which}", operations)), int(source))
            for which, source in zip(("first", "second"), pair.split(","), strict=True)
        )
        nodes.append((first, second))
    return CellPlan(tuple(nodes))

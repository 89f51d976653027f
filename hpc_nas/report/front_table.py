"""Table: the Pareto front of estimates against what the networks cost."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from hpc_nas.report.formatting import accuracy, count
from hpc_nas.report.pareto import Cost, FrontMember
from hpc_nas.report.ruled_table import ruled_table

__all__ = ["front_table"]

NAMES = {Cost.MACS: "MACs", Cost.PARAMETERS: "weights"}


def front_table(members: Sequence[FrontMember]) -> Table:
    """One row for each member, in their order, with the costs for which it is on the front."""
    title = f"Pareto front: {len(members)} unbeaten in estimate and cost"
    table = ruled_table(title, "candidate", "estimate %", "MACs", "weights")
    table.add_column("front of", justify="left", no_wrap=True)
    for member in members:
        table.add_row(
            str(member.candidate),
            accuracy(member.estimate, member.spread),
            count(member.macs),
            count(member.num_parameters),
            ", ".join(NAMES[cost] for cost in member.fronts),
        )
    return table

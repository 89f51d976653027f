"""Which nodes kill every group: they are given up, and group tasks that find themselves there park."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from hpc_nas.campaign.patience import Patience
from hpc_nas.platforms.processes.excluded_nodes import excluded_nodes, publish_excluded_nodes
from hpc_nas.records.ledger import NodeExcluded
from hpc_nas.records.run_directory import RunDirectory

logger = logging.getLogger(__name__)

MAX_EARLY_DEATHS = 2


class Nodes:
    """Counts on each node the groups that died before their first observation.

    A node that was given up stays so when the campaign is resumed; whoever has it repaired removes the list.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        *,
        on_excluded: Callable[[NodeExcluded], None],
        patience: Patience,
    ):
        self._run_directory = run_directory
        self._patience = patience
        self._on_excluded = on_excluded
        self._early_deaths: Counter[str] = Counter()
        self.excluded = excluded_nodes(run_directory)
        if self.excluded:
            logger.warning(
                "no group starts on %s: given up earlier; remove %s once they are repaired",
                ", ".join(sorted(self.excluded)),
                run_directory.excluded_nodes_path,
            )

    def observed(self, host: str) -> None:
        """A group on this node has made an observation: the node is sound."""
        self._early_deaths.pop(host, None)

    def died_early(self, host: str, *, why: str) -> None:
        """A group on this node died before its first observation; after the second one the node is given up.

        Raises RecordError or RunDirectoryError where that can't be written down.
        """
        self._early_deaths[host] += 1
        count = self._early_deaths[host]
        if count < MAX_EARLY_DEATHS or host in self.excluded:
            return
        told = f"{count} groups in a row died there before a first observation; the last one: {why}"
        logger.warning("node %s is given up: %s", host, told)
        self.excluded = self.excluded | {host}
        self._on_excluded(NodeExcluded(host=host, why=told, time_s=time.time()))
        self._patience.insist(lambda: publish_excluded_nodes(self._run_directory, self.excluded))

"""Parsl's blocks, each with a worker pool on each of its nodes: are they any use?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.parsl_session import Block

logger = logging.getLogger(__name__)


class BlockWatch:
    """Tells of each block that ends before a group takes up a candidate, and ends the campaign when all do.

    Parsl starts another one each time, for ever, and says nothing: a broken `setup` line, a module that is missing on
    the nodes, a queue that takes no job. Such blocks in a row are counted as groups that take up no candidate are:
    `max_failed_starts` of them, where one death of each block may be one fault. As long as a group is at work
    elsewhere, they are told of and end nothing.
    """

    def __init__(
        self, configuration: Configuration, *, parsl_dir: Path, clock: Callable[[], float] = time.monotonic
    ):
        self._limit = configuration.group.max_failed_starts + configuration.platform.num_blocks - 1
        self._parsl_dir = parsl_dir
        self._clock = clock
        self._begun_at: float | None = None
        self._first_seen: dict[str, float] = {}
        self._ended: set[str] = set()
        self._in_vain = 0

    @property
    def ended(self) -> frozenset[str]:
        """Those whose end was told."""
        return frozenset(self._ended)

    def mark_begun(self) -> None:
        """A group has taken up a candidate: blocks can be of use."""
        self._begun_at = self._clock()
        self._in_vain = 0

    def look(self, blocks: list[Block], *, at_work: bool) -> None:
        """Take in how they stand; `at_work`: a group that has taken up a candidate lives.

        Raises LaunchError when too many blocks in a row have died before a group began.
        """
        for block in blocks:
            seen = self._first_seen.setdefault(block.name, self._clock())
            if not block.how or block.name in self._ended:
                continue
            self._ended.add(block.name)
            if self._begun_at is None or self._begun_at < seen:
                self._tell(block, at_work=at_work)

    def _tell(self, block: Block, *, at_work: bool) -> None:
        what = f"block {block.name} {block.how}: {block.said or 'it said nothing'}"
        if not at_work:
            self._in_vain += 1
        if self._in_vain >= self._limit:
            raise LaunchError(
                f"{self._in_vain} worker pools in a row ended before a group on them took up a candidate; the last "
                f"one: {what}; check [platform] setup and node_launcher, and that the nodes reach this Python; what "
                f"they wrote is in {self._parsl_dir}"
            )
        logger.warning(
            "a worker pool ended before a group on it took up a candidate: %s; Parsl starts another", what
        )

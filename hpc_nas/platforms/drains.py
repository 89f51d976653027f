"""Drains a group's local files in the background while it lives, and for good once it has ended.

The same thread first sees to what dead agents have left behind on this node.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from hpc_nas.platforms.scratch import left_behind, remove
from hpc_nas.records.draining import Drainer
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory

logger = logging.getLogger(__name__)

RETRY_S = 0.5


class Drains:
    """The drains of one group that has a local directory."""

    def __init__(self, files: GroupFiles, *, interval_s: float):
        self._files = files
        self._interval_s = interval_s
        self._drainer = Drainer(files)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drains", daemon=True)

    def start(self) -> None:
        """Drain at every interval from now on."""
        self._thread.start()

    def finish(self, *, within_s: float) -> str:
        """The last drain, tried again until it succeeds or time runs out; then the local directory is removed.

        Returns what is left on the node's disk and where, or an empty text. Call it when the group has ended.
        """
        assert self._files.local_dir is not None
        until = time.monotonic() + within_s
        self._ended.set()
        self._thread.join(within_s)
        if self._thread.is_alive():
            return f"{self._files.local_dir}: a drain did not end within {within_s:.0f} s"
        return drain_and_remove(self._drainer, local_dir=self._files.local_dir, until=until)

    def _run(self) -> None:
        assert self._files.local_dir is not None
        rescue(self._files.local_dir.parent, run_directory=self._files.run_directory)
        while not self._ended.wait(self._interval_s):
            for problem in self._drainer.drain():
                logger.warning(
                    "not drained, to be tried again in %g s: group %d: %s",
                    self._interval_s,
                    self._files.group,
                    problem,
                )


def rescue(parent: Path, *, run_directory: RunDirectory) -> None:
    """Drain the groups whose agents have died on this node without doing so."""
    for files in left_behind(parent, run_directory=run_directory):
        assert files.local_dir is not None
        problem = drain_and_remove(Drainer(files), local_dir=files.local_dir, until=time.monotonic())
        if problem:
            logger.warning("left behind by group %d and not drained: %s", files.group, problem)
        else:
            logger.info("drained what group %d had left behind in %s", files.group, files.local_dir)


def drain_and_remove(drainer: Drainer, *, local_dir: Path, until: float) -> str:
    """Drain all and remove the local directory; what is left and where if that failed until then."""
    while problems := drainer.drain_all():
        if time.monotonic() + RETRY_S > until:
            return f"{local_dir}: {'; '.join(problems)}"
        time.sleep(RETRY_S)
    remove(local_dir)
    return ""

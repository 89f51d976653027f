"""Worker groups as Parsl tasks: started, watched, replaced with backoff."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

import parsl

from hpc_nas.configuration import GroupSection
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.parsl_config import EXECUTOR_LABEL
from hpc_nas.platforms.supervisor import GroupExit, run_group
from hpc_nas.records.run_directory import RunDirectory

logger = logging.getLogger(__name__)


class GroupPool:
    """Keeps `num_groups` groups running; each launch has a number of its own.

    Parsl places the groups and tells when one has ended; whether it is replaced, and when, is decided here:
    after a group that died before it took up a candidate the wait is `backoff_s`, doubled each time, and after
    `max_failed_starts` of them in a row the campaign gives up.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        *,
        section: GroupSection,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._run_directory = run_directory
        self._section = section
        self._clock = clock
        self._submit = parsl.python_app(run_group, executors=[EXECUTOR_LABEL], cache=False)
        self._futures: dict[int, Future[GroupExit]] = {}
        self._started: dict[int, float] = {}
        self._fruitful: set[int] = set()
        self._failed_starts = 0
        self._not_before = 0.0

    @property
    def running(self) -> list[int]:
        """Numbers of the groups that Parsl has not reported as ended."""
        return sorted(self._futures)

    def start_missing(self, *, before_start: Callable[[int], None]) -> list[int]:
        """Start groups up to `num_groups`, unless backing off; `before_start` sees each number first."""
        started: list[int] = []
        if self._clock() < self._not_before:
            return started
        while len(self._futures) < self._section.num_groups:
            group = self._run_directory.new_group_number()
            self._run_directory.create_group_dir(group)
            before_start(group)
            self._futures[group] = self._submit(str(self._run_directory.path), group)
            self._started[group] = self._clock()
            started.append(group)
        return started

    def check_overdue(self, heard: set[int]) -> None:
        """Raises LaunchError for a group that has not reported within twice `start_timeout_s`.

        A launched group that never reports is ended by its supervisor after `start_timeout_s`; one that is
        overdue all the same was never launched: Parsl has no worker for it.
        """
        limit_s = 2 * self._section.start_timeout_s
        for group in self._futures:
            if group not in heard and self._clock() - self._started[group] > limit_s:
                raise LaunchError(
                    f"group {group} has not reported within {limit_s:g} s: Parsl found no worker to start it on; "
                    f"its logs are in {self._run_directory.parsl_dir}"
                )

    def mark_fruitful(self, group: int) -> None:
        """This group has taken up a candidate: its death is not a failed start."""
        self._fruitful.add(group)
        self._failed_starts = 0

    def take_ended(self) -> list[tuple[int, GroupExit | None, str]]:
        """(group, exit, error) of the groups that have ended since the last call; no exit if Parsl lost it."""
        ended: list[tuple[int, GroupExit | None, str]] = []
        for group, future in list(self._futures.items()):
            if not future.done():
                continue
            del self._futures[group]
            error = future.exception()
            if error is None:
                ended.append((group, future.result(), ""))
            else:
                ended.append((group, None, f"{type(error).__name__}: {error}"))
        return ended

    def back_off(self, group: int, *, message: str) -> None:
        """A group died unasked: wait before the next start. Raises LaunchError after too many failed starts."""
        if group in self._fruitful:
            self._not_before = self._clock() + self._section.backoff_s
            return
        self._failed_starts += 1
        if self._failed_starts >= self._section.max_failed_starts:
            raise LaunchError(
                f"{self._failed_starts} worker groups in a row died before they took up a candidate; the last one, "
                f"group {group}: {message}; its log is {self._run_directory.launch_log_path(group)}"
            )
        self._not_before = self._clock() + self._section.backoff_s * 2**self._failed_starts
        logger.warning("group %d died before it took up a candidate: %s", group, message)

"""Worker groups as Parsl tasks: started, watched, replaced with backoff."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

import parsl

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.parsl_config import EXECUTOR_LABEL
from hpc_nas.platforms.supervisor import GroupExit, run_group
from hpc_nas.records.run_directory import RunDirectory

logger = logging.getLogger(__name__)

MAX_FRUITLESS = 8
MAX_BACKOFF_S = 60.0


class GroupPool:
    """Keeps `num_groups` groups running; each launch has a number of its own.

    Parsl places the groups and tells when one has ended; whether it is replaced, and when, is decided here:
    the wait before a new one is `backoff_s`, doubled with each death until there is an outcome again. After
    `max_failed_starts` groups in a row that took up no candidate, or `MAX_FRUITLESS` that brought no outcome,
    the campaign gives up: something kills groups that no candidate can be charged for.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        *,
        configuration: Configuration,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._run_directory = run_directory
        self._section = configuration.group
        self._num_groups = configuration.num_groups
        self._clock = clock
        self._submit = parsl.python_app(run_group, executors=[EXECUTOR_LABEL], cache=False)
        self._futures: dict[int, Future[GroupExit]] = {}
        self._started: dict[int, float] = {}
        self._began: set[int] = set()
        self._failed_starts = 0
        self._fruitless = 0
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
        while len(self._futures) < self._num_groups:
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

    def mark_begun(self, group: int) -> None:
        """This group has taken up a candidate: its death is not a failed start."""
        self._began.add(group)
        self._failed_starts = 0

    def mark_outcome(self) -> None:
        """There is an outcome: the campaign gets on."""
        self._fruitless = 0

    def check_interchange(self) -> None:
        """Raises LaunchError when Parsl's interchange has died: no task's end would ever be told."""
        process = getattr(parsl.dfk().executors[EXECUTOR_LABEL], "interchange_proc", None)
        if process is not None and process.poll() is not None:
            raise LaunchError(
                f"Parsl's interchange has died (exit code {process.returncode}); resume the campaign with "
                f"hpc-nas run --resume --run-dir {self._run_directory.path}"
            )

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
        """A group died unasked: wait before the next start. Raises LaunchError when that has become hopeless."""
        self._fruitless += 1
        self._failed_starts += group not in self._began
        hopeless = ""
        if self._failed_starts >= self._section.max_failed_starts:
            hopeless = f"{self._failed_starts} worker groups in a row died before they took up a candidate"
        elif self._fruitless >= MAX_FRUITLESS:
            hopeless = f"{self._fruitless} worker groups in a row died without bringing an outcome"
        if hopeless:
            raise LaunchError(
                f"{hopeless}; the last one, group {group}: {message}; "
                f"its log is {self._run_directory.launch_log_path(group)}"
            )
        wait_s = min(MAX_BACKOFF_S, self._section.backoff_s * 2 ** (self._fruitless - 1))
        self._not_before = self._clock() + wait_s
        logger.warning("group %d is gone: %s; the next one starts in %g s", group, message, wait_s)

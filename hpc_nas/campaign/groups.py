"""Worker groups as Parsl tasks: started, watched, replaced with backoff."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Collection, KeysView
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue

import parsl
from parsl.executors.high_throughput.errors import WorkerLost

from hpc_nas.campaign.blocks import BlockWatch
from hpc_nas.campaign.looks import Looks
from hpc_nas.campaign.nodes import Nodes
from hpc_nas.campaign.parsl_errors import in_words
from hpc_nas.campaign.patience import Patience
from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError, RunDirectoryError
from hpc_nas.platforms.parsl_config import EXECUTOR_LABEL
from hpc_nas.platforms.parsl_session import blocks, blocks_wait
from hpc_nas.platforms.processes.group_status import GroupStatus, read_status
from hpc_nas.platforms.processes.group_task import GroupExit, run_group
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.ledger import NodeExcluded
from hpc_nas.records.run_directory import RunDirectory

logger = logging.getLogger(__name__)

MAX_FRUITLESS = 8
MAX_BACKOFF_S = 60.0


class GroupPool:
    """Keeps `num_groups` groups running; each launch has a number of its own.

    Parsl places the groups and tells when one has ended; where its worker pool was killed, the agent's file tells
    sooner (`Looks` says when it is opened). Whether a group is replaced, and when, is decided here: at once if it had
    taken up a candidate, else after `backoff_s`, doubled with each death until there is an outcome again. After
    `max_failed_starts` groups in a row that took up no candidate, or `MAX_FRUITLESS` (more with many groups) that
    brought no outcome, the campaign gives up: something kills groups that no candidate can be charged for. With several
    nodes, one whose groups die before their first observation is given up instead; groups that park there are not
    running, and not replaced.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        *,
        configuration: Configuration,
        patience: Patience,
        on_excluded: Callable[[NodeExcluded], None] = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._run_directory = run_directory
        self._section = configuration.group
        self._num_groups = configuration.num_groups
        self._has_nodes = configuration.num_groups > configuration.group.groups_per_node
        self._nodes = Nodes(run_directory, on_excluded=on_excluded, patience=patience)
        self._blocks = BlockWatch(configuration, parsl_dir=run_directory.parsl_dir, clock=clock)
        self._clock = clock
        self._submit = parsl.python_app(run_group, executors=[EXECUTOR_LABEL], cache=False)
        self._futures: dict[int, Future[GroupExit]] = {}  # in order of number
        self._done: SimpleQueue[int] = SimpleQueue()  # filled by Parsl's threads
        self._concluded: list[int] = []  # Parsl has done with them
        self._new: list[int] = []  # numbers with a directory, and nothing more yet
        self._next_number: int | None = None
        self._looks = Looks(clock)
        self._holding: dict[int, Future[GroupExit]] = {}
        self._ended: dict[int, GroupExit | None] = {}
        self._started: dict[int, float] = {}
        self._lost: dict[int, float] = {}
        self._hosts: dict[int, str] = {}
        self._begun: set[int] = set()
        self._observed: set[int] = set()
        self._failed_starts = 0
        self._fruitless = 0
        self._not_before = 0.0

    @property
    def running(self) -> KeysView[int]:
        """The groups whose end is not known yet, in order; those that only hold a node's slot do not count."""
        return self._futures.keys()

    def start_missing(self, *, before_start: Callable[[list[int]], None]) -> list[int]:
        """Start groups up to `num_groups`, unless backing off; `before_start` sees their numbers first.

        Raises LaunchError when every node is given up, RunDirectoryError where there can be no directory for one, and
        what `before_start` raises; then it may be called again.
        """
        self._collect()
        self._check_nodes()
        missing = self._num_groups - len(self._futures) - len(self._holding)
        if missing <= 0 or self._clock() < self._not_before:
            return []
        while len(self._new) < missing:
            self._new.append(self._new_group())
        started = self._new[:missing]
        before_start(started)
        del self._new[:missing]
        for group in started:
            self._futures[group] = self._submit(str(self._run_directory.path), group)
            self._futures[group].add_done_callback(partial(self._on_done, group))
            self._started[group] = self._clock()
            self._looks.started(group)
        return started

    def _on_done(self, group: int, future: Future[GroupExit]) -> None:
        """In a thread of Parsl's."""
        self._done.put(group)

    def _new_group(self) -> int:
        """A number with a directory of its own. The directories are listed once, not for each group."""
        if self._next_number is None:
            self._next_number = self._run_directory.new_group_number()
        while True:
            group = self._next_number
            try:
                self._run_directory.create_group_dir(group)
            except RunDirectoryError as error:
                if not isinstance(error.__cause__, FileExistsError):
                    raise
                self._next_number += 1  # made by a call that failed all the same
            else:
                self._next_number += 1
                return group

    def _collect(self) -> None:
        """Take in what Parsl's threads have told."""
        while True:
            try:
                group = self._done.get_nowait()
            except Empty:
                return
            if self._holding.pop(group, None) is None and group in self._futures:
                self._concluded.append(group)

    def _check_nodes(self) -> None:
        excluded = self._nodes.excluded
        if (
            len(self._holding) < self._num_groups
            or {self._hosts.get(group) for group in self._holding} - excluded
        ):
            return
        raise LaunchError(
            f"every node is given up ({', '.join(sorted(excluded))}): groups died there before a first observation; "
            f"their logs are in {self._run_directory.groups_dir}. Once they are repaired, remove "
            f"{self._run_directory.excluded_nodes_path} and resume the campaign"
        )

    def check_overdue(self, heard: set[int]) -> None:
        """Raises LaunchError for a group that has not reported within twice `start_timeout_s`, or whose pools die.

        A launched group that never reports is ended by its agent after `start_timeout_s`; one that is
        overdue all the same was never launched: Parsl has no worker for it. It may wait as long as others work: a
        node may be lost for good, and its group then waits for a place of theirs.
        """
        self._blocks.look(blocks(known=self._blocks.ended), at_work=not self._begun.isdisjoint(self._futures))
        limit_s = 2 * self._section.start_timeout_s
        if not heard.isdisjoint(self._futures) or blocks_wait():  # blocks queue for as long as it takes
            self._started.update(dict.fromkeys(self._futures, self._clock()))
        for group in self._futures:
            if group not in heard and self._clock() - self._started[group] > limit_s:
                raise LaunchError(
                    f"group {group} has not reported within {limit_s:g} s: Parsl found no worker to start it on; "
                    f"its logs are in {self._run_directory.parsl_dir}"
                )

    def host_of(self, group: int, host: str) -> None:
        """Where this group runs, as it says itself when it reports; what its agent says goes before that."""
        self._hosts.setdefault(group, host)
        self._looks.forget(group)

    def expect_end(self, group: int) -> None:
        """This group has said goodbye, or is silent."""
        if group in self._futures:
            self._looks.expect(group)

    def calm(self, groups: Collection[int]) -> None:
        """These have reported, and speak: only those that Parsl has lost are still looked at."""
        for group in groups:
            if group not in self._lost:
                self._looks.forget(group)

    def mark_begun(self, group: int) -> None:
        """This group has taken up a candidate: its death is not a failed start."""
        self._begun.add(group)
        self._failed_starts = 0
        self._blocks.mark_begun()

    def mark_observed(self, group: int) -> None:
        """This group has made an observation: its node is sound."""
        if group not in self._observed:
            self._observed.add(group)
            self._nodes.observed(self._host(group))

    def mark_outcome(self) -> None:
        """There is an outcome: the campaign gets on."""
        self._fruitless = 0

    def check_interchange(self) -> None:
        """Raises LaunchError when Parsl's interchange has died: no task's end would ever be told."""
        process = getattr(parsl.dfk().executors[EXECUTOR_LABEL], "interchange_proc", None)
        if process is not None and process.poll() is not None:
            raise LaunchError(
                f"Parsl's interchange has died (exit code {process.returncode}); resume the campaign with "
                f"hpc-nas run --resume --run-dir {shlex.quote(str(self._run_directory.path))}"
            )

    def take_ended(self) -> list[tuple[int, GroupExit | None, str]]:
        """(group, exit, error) of the groups that have ended since the last call; no exit if Parsl lost it."""
        self._collect()
        ended: list[tuple[int, GroupExit | None, str]] = []
        for group in [group for group in self._concluded if group in self._futures]:
            if (conclusion := self._conclude(group, self._futures[group])) is not None:
                ended.append((group, *conclusion))
        self._concluded.clear()
        told = {group for group, _, _ in ended}
        ended += [(group, exit, "") for group, exit in self._look_around() if group not in told]
        ended += self._given_up(told | {group for group, _, _ in ended})
        for group, exit, _ in ended:
            del self._futures[group]
            self._lost.pop(group, None)
            self._looks.forget(group)
            self._ended[group] = exit
            if exit is not None and exit.undrained:
                logger.warning("group %d: on the disk of %s is still %s", group, exit.host, exit.undrained)
        return ended

    def _conclude(self, group: int, future: Future[GroupExit]) -> tuple[GroupExit | None, str] | None:
        """(exit, error) of a group that Parsl has done with; None while its agent still has a say."""
        error = future.exception()
        if error is None:
            return future.result(), ""
        status = self._status_of(group)
        if status is not None and status.exit is not None:
            return status.exit, ""
        if isinstance(error, WorkerLost) and status is not None:
            # Its node lives: the group is leaving in order.
            self._lost.setdefault(group, self._clock())
            self._looks.expect(group)
            return None
        return None, in_words(error)

    def _given_up(self, told: set[int]) -> list[tuple[int, GroupExit | None, str]]:
        """Groups whose worker was killed, and of whom nothing more was seen since."""
        limit_s = self._section.orphan_grace_s / 2
        over = [group for group, since in self._lost.items() if self._clock() >= since + limit_s]
        found: list[tuple[int, GroupExit | None, str]] = []
        for group in over:
            error = self._futures[group].exception()
            if group not in told and error is not None:
                found.append((group, None, in_words(error)))
        return found

    def _look_around(self) -> list[tuple[int, GroupExit]]:
        """What is written of groups that Parsl has not told of: those that ended, those that only hold a slot."""
        ended: list[tuple[int, GroupExit]] = []
        for group in self._looks.due():
            status = self._status_of(group)
            if status is None:
                continue
            self._hosts[group] = status.host
            if status.exit is not None:
                ended.append((group, status.exit))
            elif status.state == "holding":
                self._holding[group] = self._futures[group]
                told = f"holds its slot: {status.why}"
                ended.append(
                    (group, GroupExit(group=group, exit_code=0, killed="", host=status.host, told=told))
                )
        return ended

    def back_off(self, group: int, *, message: str) -> None:
        """A group has ended unasked: when the next one may start. Raises LaunchError when that has become hopeless."""
        if group in self._holding:
            logger.warning("a slot is held without being used: %s", message)
            return
        productive = group in self._begun
        self._fruitless += 1
        if self._has_nodes and (host := self._host(group)):
            if group not in self._observed:
                self._nodes.died_early(host, why=message)
        else:
            self._failed_starts += not productive
        self._check_hope(group, message=message)
        # One death of each group may be one fault.
        repeats = self._fruitless - (self._num_groups if productive else 0)
        wait_s = min(MAX_BACKOFF_S, self._section.backoff_s * 2.0 ** (repeats - 1)) if repeats > 0 else 0.0
        self._not_before = self._clock() + wait_s
        when = f"in {wait_s:g} s" if wait_s else "now"
        logger.warning("%s; the next one starts %s", message, when)

    def _check_hope(self, group: int, *, message: str) -> None:
        hopeless = ""
        if self._failed_starts >= self._section.max_failed_starts:
            hopeless = f"{self._failed_starts} worker groups in a row died before they took up a candidate"
        elif self._fruitless >= max(MAX_FRUITLESS, 3 * self._num_groups):
            hopeless = f"{self._fruitless} worker groups in a row died without bringing an outcome"
        if hopeless:
            raise LaunchError(
                f"{hopeless}; the last one: {message}; "
                f"its log is {self._run_directory.launch_log_path(group)}"
            )

    def _host(self, group: int) -> str:
        """The scheduler's name of the node where the group ran; empty where nobody could say."""
        exit = self._ended.get(group)
        if exit is not None and exit.host:
            return exit.host
        status = self._status_of(group)
        return status.host if status is not None else self._hosts.get(group, "")

    def _status_of(self, group: int) -> GroupStatus | None:
        return read_status(GroupFiles(run_directory=self._run_directory, group=group).status_path)

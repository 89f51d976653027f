"""Which groups are started, when, and when the campaign gives up. Parsl is played by the test."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import parsl
import pytest
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.parsl_errors import in_words
from hpc_nas.campaign.patience import Patience
from hpc_nas.configuration import Configuration, GroupSection, PlatformSection
from hpc_nas.errors import LaunchError, RecordError
from hpc_nas.platforms.processes.excluded_nodes import excluded_nodes
from hpc_nas.platforms.processes.group_status import GroupExit, GroupStatus, publish_status
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.ledger import NodeExcluded
from hpc_nas.records.run_directory import RunDirectory


class Grounds:
    """A pool whose Parsl places groups on nodes as the test says, and whose clock the test turns."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, nodes: int, per_node: int = 1):
        self.now = 100.0
        self.submitted: dict[int, Future[GroupExit]] = {}
        self.excluded: list[NodeExcluded] = []
        monkeypatch.setattr(parsl, "python_app", lambda function, **options: self._submit)
        self.directory = RunDirectory.create(tmp_path / "run")
        platform: dict[str, Any] = {"num_nodes": nodes}
        if nodes > 1:
            platform |= {"scheduler": "slurm", "node_launcher": "srun"}
        self.configuration = Configuration(
            platform=PlatformSection(**platform), group=GroupSection(groups_per_node=per_node)
        )
        self.pool = self.open()

    def open(self) -> GroupPool:
        return GroupPool(
            self.directory,
            configuration=self.configuration,
            patience=Patience(),
            on_excluded=self.excluded.append,
            clock=lambda: self.now,
        )

    def _submit(self, run_dir: str, group: int) -> Future[GroupExit]:
        self.submitted[group] = Future()
        return self.submitted[group]

    def start(self) -> list[int]:
        return self.pool.start_missing(before_start=lambda groups: None)

    def stands(self, group: int, **more: Any) -> None:
        """The group task of this group writes its file."""
        values: dict[str, Any] = {"group": group, "host": "n1", "pid": 1, "state": "running", **more}
        files = GroupFiles(run_directory=self.directory, group=group)
        publish_status(files, GroupStatus(**values))

    def dies(self, group: int, *, host: str = "n1", exit_code: int = 9) -> None:
        """Parsl tells of the group's end, and the campaign draws its conclusions."""
        exit = GroupExit(group=group, exit_code=exit_code, killed="", host=host)
        self.submitted[group].set_result(exit)
        assert self.pool.take_ended() == [(group, exit, "")]
        self.pool.back_off(group, message=f"group {group} died")

    def take(self, *, after_s: float = 2.0) -> list[tuple[int, GroupExit | None, str]]:
        self.now += after_s
        return self.pool.take_ended()


@pytest.fixture
def one_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grounds:
    return Grounds(tmp_path, monkeypatch, nodes=1)


@pytest.fixture
def three_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grounds:
    return Grounds(tmp_path, monkeypatch, nodes=3)


def test_as_many_groups_run_as_the_nodes_have_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grounds = Grounds(tmp_path, monkeypatch, nodes=3, per_node=2)
    assert grounds.start() == [0, 1, 2, 3, 4, 5]
    assert grounds.start() == []


def test_productive_group_is_replaced_at_once_and_a_second_death_waits(one_node: Grounds) -> None:
    one_node.start()
    waits = []
    for group in range(5):
        one_node.pool.mark_begun(group)
        one_node.dies(group)
        begun = one_node.now
        while not one_node.start():
            one_node.now += 0.5
        waits.append(one_node.now - begun)
    assert waits == [0.0, 1.0, 2.0, 4.0, 8.0]


def test_outcome_between_two_deaths_makes_the_next_replacement_immediate_again(one_node: Grounds) -> None:
    one_node.start()
    for group in range(4):
        one_node.pool.mark_begun(group)
        one_node.pool.mark_outcome()
        one_node.dies(group)
        assert one_node.start() == [group + 1]


def test_group_that_took_up_nothing_is_replaced_after_a_wait(one_node: Grounds) -> None:
    one_node.start()
    one_node.dies(0)
    assert one_node.start() == []
    one_node.now += 1.0
    assert one_node.start() == [1]


def test_one_fault_that_kills_every_group_holds_none_of_them_up(three_nodes: Grounds) -> None:
    three_nodes.start()
    for group in range(3):
        three_nodes.pool.mark_begun(group)
        three_nodes.pool.mark_observed(group)
    for group in range(3):
        three_nodes.dies(group, host=f"n{group}")
    assert three_nodes.start() == [3, 4, 5]


def test_failed_starts_in_a_row_on_a_single_node_end_the_campaign(one_node: Grounds) -> None:
    for group in range(2):
        one_node.now += 60.0
        one_node.start()
        one_node.dies(group)
    one_node.now += 60.0
    one_node.start()
    with pytest.raises(
        LaunchError, match=r"3 worker groups in a row died before they took up a candidate.*group 2 died"
    ):
        one_node.dies(2)
    assert one_node.excluded == []


def test_deaths_without_an_outcome_end_the_campaign(one_node: Grounds) -> None:
    one_node.start()
    for group in range(7):
        one_node.pool.mark_begun(group)
        one_node.dies(group)
        one_node.now += 60.0
        one_node.start()
    one_node.pool.mark_begun(7)
    with pytest.raises(LaunchError, match="8 worker groups in a row died without bringing an outcome"):
        one_node.dies(7)


def test_end_that_a_supervisor_has_written_is_known_before_parsl_tells(one_node: Grounds) -> None:
    one_node.start()
    exit = GroupExit(
        group=0, exit_code=0, killed="", host="n1", told="the worker pool that started it has died"
    )
    one_node.stands(0)
    assert one_node.take() == []
    one_node.stands(0, state="ended", exit=exit)
    assert one_node.take(after_s=4.0) == [(0, exit, "")]
    assert one_node.pool.running == set()
    one_node.submitted[0].set_exception(ManagerLost(b"m", "n1"))  # old news
    assert one_node.take() == []


def test_parsls_errors_are_told_in_plain_words(one_node: Grounds) -> None:
    one_node.start()
    one_node.submitted[0].set_exception(ManagerLost(b"m", "n1"))
    assert one_node.take() == [
        (0, None, "node n1 was lost, or the worker pool there was killed: Parsl heard nothing from it")
    ]
    assert in_words(WorkerLost(3, "n2")) == "Parsl's worker process on node n2 was killed"
    assert in_words(ValueError("no")) == "ValueError: no"


def test_group_whose_worker_was_killed_may_leave_in_order_first(one_node: Grounds) -> None:
    one_node.start()
    one_node.stands(0)
    one_node.submitted[0].set_exception(WorkerLost(0, "n1"))
    assert one_node.take() == []
    exit = GroupExit(group=0, exit_code=0, killed="", host="n1", told="the worker that started it has died")
    one_node.stands(0, state="ended", exit=exit)
    assert one_node.take() == [(0, exit, "")]


def test_group_whose_worker_was_killed_and_that_says_nothing_is_lost_after_a_while(one_node: Grounds) -> None:
    one_node.start()
    one_node.stands(0)
    one_node.submitted[0].set_exception(WorkerLost(0, "n1"))
    assert one_node.take() == []
    one_node.now += 15.0
    assert one_node.take() == [(0, None, "Parsl's worker process on node n1 was killed")]


def lose_twice(grounds: Grounds, host: str) -> None:
    """The two newest groups of this host die before they observe anything."""
    for _ in range(2):
        grounds.now += 60.0
        grounds.start()
        grounds.dies(max(grounds.pool.running), host=host)


def test_node_whose_groups_die_twice_before_an_observation_is_given_up(three_nodes: Grounds) -> None:
    lose_twice(three_nodes, "n1")
    (event,) = three_nodes.excluded
    assert event.host == "n1"
    assert event.why.startswith("2 groups in a row died there before a first observation")
    assert excluded_nodes(three_nodes.directory) == {"n1"}


def test_observation_on_a_node_speaks_for_it(three_nodes: Grounds) -> None:
    three_nodes.start()
    three_nodes.dies(0)
    three_nodes.now += 60.0
    three_nodes.start()
    three_nodes.stands(3)
    three_nodes.pool.mark_observed(3)
    three_nodes.dies(3)
    three_nodes.now += 60.0
    three_nodes.start()
    three_nodes.dies(4)
    assert three_nodes.excluded == []


def test_host_that_only_the_group_itself_has_named_counts(three_nodes: Grounds) -> None:
    for group in (0, 3):
        three_nodes.now += 60.0
        three_nodes.start()
        three_nodes.pool.host_of(group, "n2")
        three_nodes.submitted[group].set_exception(ManagerLost(b"m", "some-alias"))
        three_nodes.take()
        three_nodes.pool.back_off(group, message="lost")
    assert [event.host for event in three_nodes.excluded] == ["n2"]


def test_held_back_group_is_told_as_ended_and_holds_its_slot(three_nodes: Grounds) -> None:
    three_nodes.start()
    three_nodes.stands(1, state="holding", why="node n1 is excluded")
    ((group, exit, error),) = three_nodes.take()
    assert (group, error) == (1, "")
    assert exit is not None
    assert exit.told == "holds its slot: node n1 is excluded"
    three_nodes.pool.back_off(1, message="holding")
    assert three_nodes.pool.running == {0, 2}
    assert three_nodes.start() == []
    three_nodes.submitted[1].set_result(exit)  # it has given its slot back
    assert three_nodes.start() == [3]


def test_campaign_ends_when_every_node_is_given_up(three_nodes: Grounds) -> None:
    for node in ("n1", "n2", "n3"):
        lose_twice(three_nodes, node)
    three_nodes.now += 60.0
    three_nodes.start()
    for group, node in zip(three_nodes.pool.running, ("n1", "n2", "n3"), strict=True):
        three_nodes.stands(group, host=node, state="holding", why=f"node {node} is excluded")
    assert len(three_nodes.take()) == 3
    with pytest.raises(LaunchError, match=r"every node is given up \(n1, n2, n3\).*excluded-nodes.json"):
        three_nodes.start()


def test_nodes_given_up_stay_so_when_the_campaign_is_resumed(three_nodes: Grounds) -> None:
    lose_twice(three_nodes, "n1")
    again = three_nodes.open()
    assert again._nodes.excluded == {"n1"}


def test_slots_held_until_an_allocation_ends_do_not_end_the_campaign(three_nodes: Grounds) -> None:
    three_nodes.start()
    for group in range(3):
        three_nodes.stands(group, state="holding", why="the allocation of node n1 ends in 20 s")
    assert len(three_nodes.take()) == 3
    assert three_nodes.start() == []


def test_group_that_was_never_launched_is_overdue(one_node: Grounds) -> None:
    one_node.start()
    one_node.now += 361.0
    with pytest.raises(LaunchError, match="Parsl found no worker to start it on"):
        one_node.pool.check_overdue(set())
    one_node.pool.check_overdue({0})


def test_group_whose_node_is_lost_waits_for_a_place_as_long_as_others_work(three_nodes: Grounds) -> None:
    three_nodes.start()
    three_nodes.submitted[2].set_exception(ManagerLost(b"m", "n3"))
    three_nodes.take(after_s=1.0)
    three_nodes.pool.back_off(2, message="lost")
    three_nodes.now += 60.0
    assert three_nodes.start() == [3]
    for _ in range(10):  # an hour
        three_nodes.now += 359.0
        three_nodes.pool.check_overdue({0, 1})
    for group in (0, 1):
        three_nodes.submitted[group].set_exception(ManagerLost(b"m", f"n{group + 1}"))
    three_nodes.take(after_s=1.0)
    three_nodes.now += 359.0
    three_nodes.pool.check_overdue(set())
    three_nodes.now += 2.0
    with pytest.raises(LaunchError, match="group 3 has not reported within 360 s"):
        three_nodes.pool.check_overdue(set())


def test_no_group_is_overdue_while_a_block_waits_in_the_queue(
    one_node: Grounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_node.start()
    with monkeypatch.context() as queued:
        queued.setattr("hpc_nas.campaign.groups.blocks_wait", lambda: True)
        one_node.now += 86400.0
        one_node.pool.check_overdue(set())
    one_node.now += 361.0
    with pytest.raises(LaunchError, match="Parsl found no worker to start it on"):
        one_node.pool.check_overdue(set())


def test_groups_beyond_one_look_are_looked_at_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grounds = Grounds(tmp_path, monkeypatch, nodes=70)
    assert len(grounds.start()) == 70
    exit = GroupExit(group=69, exit_code=0, killed="", host="n1")
    grounds.stands(69, state="ended", exit=exit)
    assert [grounds.take(after_s=wait_s) for wait_s in (2.0, 0.1, 0.1)] == [[], [], [(69, exit, "")]]


def looks(grounds: Grounds, monkeypatch: pytest.MonkeyPatch, *, seconds: int) -> int:
    """How many files of agents are opened in so many seconds, with twenty turns a second."""
    opened: list[Path] = []
    monkeypatch.setattr("hpc_nas.campaign.groups.read_status", lambda path: opened.append(path))
    for _ in range(20 * seconds):
        assert grounds.take(after_s=0.05) == []
    return len(opened)


def test_groups_that_speak_are_never_looked_at(three_nodes: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a file opened on the shared file system."""
    three_nodes.start()
    for group in range(3):
        three_nodes.pool.host_of(group, "n1")
    assert looks(three_nodes, monkeypatch, seconds=60) == 0
    three_nodes.pool.expect_end(1)  # it was silent
    assert 1 <= looks(three_nodes, monkeypatch, seconds=2) <= 4
    three_nodes.pool.calm({0, 1, 2})  # it has spoken again
    assert looks(three_nodes, monkeypatch, seconds=60) == 0


def test_group_that_stays_silent_is_looked_at_less_and_less_often(
    one_node: Grounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_node.start()
    one_node.pool.host_of(0, "n1")
    one_node.pool.expect_end(0)
    looks(one_node, monkeypatch, seconds=60)
    assert looks(one_node, monkeypatch, seconds=60) <= 6
    one_node.pool.expect_end(0)
    assert looks(one_node, monkeypatch, seconds=60) <= 6  # the same silence is no new reason


def test_end_that_follows_a_goodbye_is_seen_within_half_a_second(one_node: Grounds) -> None:
    one_node.start()
    one_node.pool.host_of(0, "n1")
    one_node.pool.expect_end(0)
    exit = GroupExit(group=0, exit_code=0, killed="", host="n1", told="its worker pool has died")
    one_node.stands(0, state="ended", exit=exit)
    assert one_node.take(after_s=0.5) == [(0, exit, "")]


def test_directories_of_groups_are_listed_once(three_nodes: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    lists: list[RunDirectory] = []
    count = RunDirectory.groups
    monkeypatch.setattr(RunDirectory, "groups", lambda self: lists.append(self) or count(self))
    assert three_nodes.start() == [0, 1, 2]
    for group in range(3):
        three_nodes.pool.mark_begun(group)
    three_nodes.dies(0)
    assert three_nodes.start() == [3]
    assert len(lists) == 1
    three_nodes.directory.create_group_dir(4)  # by a call that seemed to fail
    three_nodes.dies(1)
    assert three_nodes.start() == [5]


def test_no_group_is_launched_that_the_ledger_does_not_know(three_nodes: Grounds) -> None:
    def fail(groups: list[int]) -> None:
        raise RecordError("the disk is away")

    with pytest.raises(RecordError):
        three_nodes.pool.start_missing(before_start=fail)
    assert three_nodes.submitted == {}
    assert three_nodes.start() == [0, 1, 2]

"""What the campaign's loop makes of single messages; its parts are played by the test."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest.mock import MagicMock, create_autospec

import pytest
from recorder_helpers import Campaign, campaign

from hpc_nas.campaign import control_loop
from hpc_nas.campaign.control_loop import ControlLoop
from hpc_nas.campaign.dispatch import Dispatcher
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.history_feed import HistoryFeed
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.patience import Patience
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.stop import StopRequest
from hpc_nas.campaign.view import View
from hpc_nas.configuration import CampaignSection, Configuration, GroupSection
from hpc_nas.errors import LaunchError
from hpc_nas.group import protocol
from hpc_nas.records.ledger import read_ledger
from hpc_nas.values import Outcome, Reason, State

PATIENT = GroupSection(orphan_grace_s=3600.0)


class Loop:
    """A control_loop whose group 0 runs; `heard` are the messages of its next turn."""

    def __init__(self, subject: Campaign, *, num_candidates: int = 3) -> None:
        self.pool: MagicMock = create_autospec(GroupPool, instance=True)
        self.pool.running = [0]
        self.pool.take_ended.return_value = []
        self.endpoint: MagicMock = create_autospec(Endpoint, instance=True)
        self.endpoint.poll.return_value = []
        self.stop = StopRequest()
        self.losses: MagicMock = create_autospec(LossAssessor, instance=True)
        self.dispatch: MagicMock = create_autospec(Dispatcher, instance=True)
        self.control_loop = ControlLoop(
            Configuration(campaign=CampaignSection(num_candidates=num_candidates), group=PATIENT),
            recorder=subject.recorder,
            endpoint=self.endpoint,
            pool=self.pool,
            losses=self.losses,
            dispatch=self.dispatch,
            feed=create_autospec(HistoryFeed, instance=True),
            progress=Progress(max_epochs=2.0),
            chance_accuracy=10.0,
            view=create_autospec(View, instance=True),
            stop=self.stop,
            patience=Patience(),
        )


def test_a_group_has_observed_something_once_a_row_is_its_own(tmp_path: Path) -> None:
    """Carried rows say nothing of its node: one that kills all that is trained there must not pass as sound."""
    with campaign(tmp_path) as subject:
        subject.begin()
        loop = Loop(subject)
        for carried, calls in ((True, 0), (False, 1)):
            message = protocol.Progress(
                candidate=0, attempt=0, trainer=0, epoch=1.0, val_accuracy=50.0, carried=carried
            )
            loop.control_loop._hear(0, message)
            assert loop.pool.mark_observed.call_count == calls


def test_what_is_lost_while_groups_leave_makes_no_error_of_a_campaign_that_stops(tmp_path: Path) -> None:
    """A signal to all processes of a job may end Parsl's interchange before the groups have left."""
    with campaign(tmp_path) as subject:
        subject.begin()
        loop = Loop(subject)
        loop.stop.request("stopped by SIGTERM")
        loop.pool.check_interchange.side_effect = LaunchError("Parsl's interchange has died")
        turns = iter([[0], [0], [0]])

        def running() -> list[int]:
            return next(turns, [])

        type(loop.pool).running = property(lambda pool: running())
        assert loop.control_loop.run() == "stopped by SIGTERM"


def test_campaign_does_not_wait_out_its_end_for_a_group_that_never_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be that of a lost node: there is no place for it any more, and Parsl never tells of its end."""
    monkeypatch.setattr(control_loop, "LEAVING_S", 0.1)
    with campaign(tmp_path) as subject:
        subject.begin()
        loop = Loop(subject)
        loop.stop.request("stopped by SIGTERM")
        assert loop.control_loop.run() == "stopped by SIGTERM"  # or this test runs out of its time


@pytest.mark.parametrize(("how", "stops"), [("paused", True), ("drained", False)])
def test_only_a_pause_that_could_not_be_saved_counts_against_the_disk(
    tmp_path: Path, how: str, stops: bool
) -> None:
    with campaign(tmp_path) as subject:
        subject.begin()
        loop = Loop(subject)
        subject.state.entries[0].unsaved_pauses = 2
        subject.observe(0, 1.0)
        message = protocol.Interrupted.model_validate(
            {"trainer": 0, "candidate": 0, "attempt": 0, "how": how, "epochs": 1.0, "checkpoint": None}
        )
        loop.control_loop._hear(0, message)
        assert (loop.stop.reason is not None) is stops


def ended(candidate: int) -> protocol.Ended:
    outcome = Outcome(candidate=candidate, attempt=0, state=State.FINISHED, reason=Reason.FULL_BUDGET)
    return protocol.Ended(trainer=0, outcome=outcome)


def kinds_sent(loop: Loop) -> list[str]:
    return [call.args[1].kind for call in loop.endpoint.send.call_args_list]


def test_group_hears_that_its_result_is_taken_once_that_stands_on_the_disk(tmp_path: Path) -> None:
    with campaign(tmp_path) as subject:
        subject.begin()
        loop = Loop(subject)
        on_disk: list[list[str]] = []
        loop.endpoint.send.side_effect = lambda group, message: on_disk.append(subject.told_on_disk)
        for number in range(2):
            loop.control_loop._hear(0, ended(number))
        assert on_disk == []
        loop.control_loop._answer()
        assert kinds_sent(loop) == ["acknowledge", "acknowledge"]
        assert on_disk == [["candidate_ended", "candidate_ended"]] * 2


def test_candidate_is_handed_out_once_its_attempt_stands_on_the_disk(tmp_path: Path) -> None:
    """Else a campaign that is killed in between would hand the same attempt to another group."""
    with campaign(tmp_path) as subject:
        entry = subject.recorder.draw()
        loop = Loop(subject)
        loop.dispatch.next_for.side_effect = [entry, None]
        loop.control_loop._hear(0, protocol.Beat(credits=2))
        on_disk: list[list[str]] = []

        def send(group: int, message: protocol.FromCampaign) -> bool:
            on_disk.append([e.event for e in read_ledger(tmp_path / "ledger.jsonl").events])
            return True

        loop.endpoint.send.side_effect = send
        assert loop.control_loop._dispatch()
        assert on_disk == []
        loop.control_loop._answer()
        assert kinds_sent(loop) == ["assign"]
        assert on_disk == [["candidate_drawn", "attempt_started"]]


def test_groups_that_ask_for_nothing_cost_nothing(tmp_path: Path) -> None:
    with campaign(tmp_path) as subject:
        loop = Loop(subject)
        loop.pool.running = dict.fromkeys(range(500)).keys()
        loop.dispatch.next_for.return_value = None
        loop.dispatch.is_empty = False
        for group in (3, 7):
            loop.control_loop._hear(group, protocol.Beat(credits=1))
        loop.control_loop._hear(7, protocol.Goodbye(reason="done"))
        assert not loop.control_loop._dispatch()
        assert [call.args for call in loop.dispatch.next_for.call_args_list] == [(3,)]
        loop.dispatch.is_empty = True  # and nobody else is asked once there is nothing for anybody
        for group in range(500):
            loop.control_loop._hear(group, protocol.Beat(credits=1))
        loop.dispatch.next_for.reset_mock()
        loop.control_loop._dispatch()
        assert loop.dispatch.next_for.call_count == 1


def test_disk_that_is_away_holds_answers_back_and_signs_of_life_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with campaign(tmp_path) as subject:
        subject.begin()
        subject.recorder.commit()
        loop = Loop(subject)
        loop.control_loop._hear(0, protocol.Hello(host="n1", pid=1))
        loop.control_loop._answer()
        loop.endpoint.send.reset_mock()
        monkeypatch.setattr(control_loop, "BEAT_INTERVAL_S", 0.0)
        loop.control_loop._next_beat = 0.0
        fsync, failures = os.fsync, iter([errno.EIO, errno.ESTALE])

        def sometimes(descriptor: int) -> None:
            if (number := next(failures, 0)) != 0:
                raise OSError(number, os.strerror(number))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", sometimes)
        loop.control_loop._hear(0, ended(0))
        loop.control_loop._answer()
        assert kinds_sent(loop) == ["beat", "beat", "acknowledge", "beat"]
        assert subject.told_on_disk[-1] == "candidate_ended"


def test_group_whose_remains_can_not_be_read_is_buried_all_the_same(tmp_path: Path) -> None:
    with campaign(tmp_path) as subject:
        subject.begin()
        loop = Loop(subject)
        loop.control_loop._patience = Patience(limit_s=0.0)
        loop.losses.examine.side_effect = OSError(errno.EIO, os.strerror(errno.EIO))
        loop.control_loop._on_group_end(0, None, error="lost")
        assert subject.told == ["attempt_lost"] * 3 + ["group_ended"]
        assert not any(entry.charges or entry.quarantined for entry in subject.state.entries.values())

"""What the campaign's loop makes of single messages; its parts are played by the test."""

from __future__ import annotations

import time
from pathlib import Path
from unittest.mock import MagicMock, create_autospec

import pytest
from book_helpers import Campaign, campaign

from hpc_nas.campaign import conductor
from hpc_nas.campaign.conductor import Conductor
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.handout import HandOut
from hpc_nas.campaign.history_feed import HistoryFeed
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.patience import Patience
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.stop import StopRequest
from hpc_nas.campaign.view import View
from hpc_nas.configuration import CampaignSection, Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.group import protocol


class Loop:
    """A conductor whose group 0 runs; `heard` are the messages of its next turn."""

    def __init__(self, subject: Campaign, *, num_candidates: int = 3) -> None:
        self.pool: MagicMock = create_autospec(GroupPool, instance=True)
        self.pool.running = [0]
        self.pool.take_ended.return_value = []
        self.endpoint: MagicMock = create_autospec(Endpoint, instance=True)
        self.endpoint.poll.return_value = []
        self.stop = StopRequest()
        self.handout: MagicMock = create_autospec(HandOut, instance=True)
        self.conductor = Conductor(
            Configuration(campaign=CampaignSection(num_candidates=num_candidates)),
            books=subject.books,
            endpoint=self.endpoint,
            pool=self.pool,
            losses=create_autospec(LossAssessor, instance=True),
            handout=self.handout,
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
            loop.conductor._hear(0, message)
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
        assert loop.conductor.run() == "stopped by SIGTERM"


def test_campaign_does_not_wait_out_its_end_for_a_group_that_never_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be that of a lost node: there is no place for it any more, and Parsl never tells of its end."""
    monkeypatch.setattr(conductor, "LEAVING_S", 0.1)
    with campaign(tmp_path) as subject:
        subject.begin()
        loop = Loop(subject)
        loop.stop.request("stopped by SIGTERM")
        begun = time.monotonic()
        assert loop.conductor.run() == "stopped by SIGTERM"
        assert time.monotonic() - begun < 10.0


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
        loop.conductor._hear(0, message)
        assert (loop.stop.reason is not None) is stops

"""Who is handed out next, what fits into the time that is left, and when the search is over."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorder_helpers import Campaign, campaign, finished

import estimator
from hpc_nas.campaign.dispatch import Dispatcher
from hpc_nas.campaign.promoter import Promoter
from hpc_nas.campaign.time_budget import CLOSING_S
from hpc_nas.configuration import Configuration, GroupSection, SearchSection
from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.group import protocol
from hpc_nas.records.ledger import AttemptLost, CandidateEnded, read_ledger
from hpc_nas.values import State

DRAIN_S = 20.0


class Desk:
    """A hand-out over three candidates, with a promotion at epochs 1 and 3."""

    def __init__(
        self,
        recorder: Campaign,
        *,
        enabled: bool = True,
        deadline_time: float | None = None,
        search: SearchSection | None = None,
        preset: str = "asha",
    ):
        self.recorder = recorder
        self.now = 0.0
        made = estimator.preset(preset, max_epochs=9.0, epochs_per_interval=1.0, chance_accuracy=10.0)
        self.promoter = Promoter(made.promotion, history=recorder.agent, state=recorder.state)
        self.dispatch = Dispatcher(
            Configuration(
                group=GroupSection(drain_s=DRAIN_S, trainers_per_node=2),
                checkpoints=CheckpointsSection(enabled=enabled),
                search=search or SearchSection(),
            ),
            recorder=recorder.recorder,
            promoter=self.promoter,
            deadline_time=deadline_time,
            clock=lambda: self.now,
        )

    def hand_out(self, group: int = 0) -> int | None:
        """The number of the candidate that the group gets; it is started there."""
        entry = self.dispatch.next_for(group)
        if entry is None:
            return None
        self.recorder.recorder.start(entry, group=group)
        return entry.candidate.number

    def pause(self, candidate: int, *, epoch: float, accuracy: float) -> None:
        """The candidate runs to a rung and is paused there."""
        entry = self.recorder.state.entries[candidate]
        message = protocol.Progress(
            candidate=candidate, attempt=entry.attempt, trainer=0, epoch=epoch, val_accuracy=accuracy
        )
        self.recorder.recorder.observe(message, group=entry.group)
        name = self.recorder.save(candidate, attempt=entry.attempt, batches=int(10 * epoch))
        self.recorder.interrupt(candidate, "paused", epochs=epoch, checkpoint=name, attempt=entry.attempt)

    def lose(self, candidate: int, *, quarantined: bool = False) -> None:
        entry = self.recorder.state.entries[candidate]
        self.recorder.recorder.lose(entry, group=entry.group, message="gone", quarantined=quarantined)


def test_lost_ones_come_before_promoted_ones_and_these_before_new_ones(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        recorder.state.num_candidates = 6
        desk = Desk(recorder)
        assert [desk.hand_out() for _ in range(5)] == [0, 1, 2, 3, 4]
        for number, accuracy in ((0, 30.0), (1, 50.0), (2, 40.0)):
            desk.pause(number, epoch=1.0, accuracy=accuracy)
        desk.lose(4)
        assert [desk.hand_out() for _ in range(4)] == [4, 1, 5, None]


def test_one_candidate_is_drawn_ahead_and_promoted_ones_come_before_it(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        recorder.state.num_candidates = 6
        desk = Desk(recorder)
        assert [desk.hand_out() for _ in range(3)] == [0, 1, 2]
        for _ in range(2):
            desk.dispatch.draw_ahead()
            assert recorder.state.num_drawn == 4
        for number, accuracy in ((0, 30.0), (1, 50.0), (2, 40.0)):
            desk.pause(number, epoch=1.0, accuracy=accuracy)
        assert [desk.hand_out() for _ in range(3)] == [1, 3, 4]


@pytest.mark.parametrize("preset", ["successive-halving", "adaptive"])
def test_the_last_candidate_begins_before_those_that_are_to_be_compared_with_it_go_on(
    tmp_path: Path, preset: str
) -> None:
    with campaign(tmp_path) as recorder:
        recorder.state.num_candidates = 8
        desk = Desk(recorder, preset=preset)
        for number in range(7):
            assert desk.hand_out() == number
            desk.pause(number, epoch=1.0, accuracy=30.0 + number)
        desk.dispatch.draw_ahead()
        assert recorder.state.num_new == 0
        assert desk.hand_out() == 7


def test_nothing_is_drawn_ahead_where_draws_are_to_know_all_there_is(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder, search=SearchSection(draw_ahead=0))
        desk.dispatch.draw_ahead()
        assert recorder.state.num_drawn == 0


def test_suspects_come_first_and_run_alone(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder)
        assert [desk.hand_out() for _ in range(2)] == [0, 1]
        for number in (0, 1):
            desk.lose(number, quarantined=True)
        assert [desk.hand_out(), desk.hand_out()] == [0, None]
        assert [desk.hand_out(7), desk.hand_out(7)] == [1, None]


def test_promoted_candidate_is_handed_out_once(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder)
        assert [desk.hand_out() for _ in range(4)] == [0, 1, 2, None]
        for number, accuracy in ((0, 30.0), (1, 50.0), (2, 40.0)):
            desk.pause(number, epoch=1.0, accuracy=accuracy)
        assert [desk.hand_out(group=3), desk.hand_out(group=4)] == [1, None]
        assert recorder.state.entries[1].group == 3


def test_while_others_run_the_paused_wait_and_then_they_are_settled(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder)
        for _ in range(3):
            desk.hand_out()
        desk.pause(0, epoch=1.0, accuracy=30.0)
        desk.pause(1, epoch=1.0, accuracy=50.0)
        desk.dispatch.settle()
        assert recorder.state.paused == {0, 1}, "2 still runs and may change who is promoted"
        desk.pause(2, epoch=1.0, accuracy=40.0)
        desk.dispatch.settle()
        assert recorder.state.paused == {0, 1, 2}, "1 is to be promoted first"
        assert desk.hand_out() == 1
        desk.pause(1, epoch=3.0, accuracy=55.0)
        version = recorder.agent.version
        desk.dispatch.settle()
        assert recorder.state.complete
        recorder.recorder.commit()
        ended = [
            e for e in read_ledger(recorder.path / "ledger.jsonl").events if isinstance(e, CandidateEnded)
        ]
        assert [(e.outcome.label, e.outcome.estimate, e.outcome.epochs) for e in ended] == [
            ("stopped: rung", 30.0, 1.0),
            ("stopped: rung", 55.0, 3.0),
            ("stopped: rung", 40.0, 1.0),
        ]
        assert {e.history_version for e in ended} == {version}
        assert list(recorder.checkpoints.iterdir()) == []


def test_paused_ones_wait_for_a_lost_one(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder)
        for _ in range(3):
            desk.hand_out()
        for number in (0, 1):
            desk.pause(number, epoch=1.0, accuracy=30.0)
        desk.lose(2)
        desk.dispatch.settle()
        assert recorder.state.paused == {0, 1}


def test_promotion_is_asked_once_for_each_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder)
        for _ in range(3):
            desk.hand_out()
        desk.pause(0, epoch=1.0, accuracy=30.0)
        asked: list[int] = []
        promotion = desk.promoter._promotion

        class Counting(estimator.Promotion):
            def promote(self, history: estimator.History, *, num_new: int) -> int | None:
                asked.append(history.version)
                return promotion.promote(history, num_new=num_new)

            def settle(self, history: estimator.History) -> dict[int, estimator.Decision]:
                return dict(promotion.settle(history))

        monkeypatch.setattr(desk.promoter, "_promotion", Counting())
        for _ in range(50):
            assert desk.hand_out() is None
        desk.pause(1, epoch=1.0, accuracy=20.0)
        assert desk.hand_out() is None
        assert len(asked) == 2


# --- the time that is left -----------------------------------------------------------------------------------


def test_what_can_be_saved_is_handed_out_until_the_campaign_must_leave(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder, deadline_time=1000.0)
        desk.now = 1000.0 - DRAIN_S - CLOSING_S - 0.1
        assert desk.hand_out() == 0
        assert not desk.dispatch.is_out_of_time
        desk.now += 0.1
        assert desk.hand_out() is None
        assert desk.dispatch.is_out_of_time


def test_what_can_not_be_saved_is_handed_out_only_where_it_fits(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        recorder.state.num_candidates = 9
        desk = Desk(recorder, enabled=False, deadline_time=1000.0)
        assert [desk.hand_out(), desk.hand_out()] == [0, 1]
        for number in (0, 1):
            desk.dispatch.started(protocol.Started(candidate=number, attempt=0, trainer=number))
        desk.now = 100.0
        for number in (0, 1):
            desk.dispatch.left(number, 0)
            recorder.recorder.take(finished(number), group=0)
        desk.now = 1000.0 - DRAIN_S - CLOSING_S - 150.0
        assert [desk.hand_out() for _ in range(3)] == [2, 3, None], "a third would have to wait its turn"
        desk.dispatch.group_reported(5, deadline_time=desk.now + 100.0 + DRAIN_S + CLOSING_S)
        assert desk.hand_out(group=5) is None, "that group leaves sooner than the campaign"
        assert not desk.dispatch.is_out_of_time
        desk.now += 60.0
        assert not desk.dispatch.is_out_of_time, "two candidates still run"
        for number in (2, 3):
            recorder.recorder.take(finished(number), group=0)
        assert desk.dispatch.is_out_of_time


def test_without_a_deadline_there_is_always_time(tmp_path: Path) -> None:
    with campaign(tmp_path) as recorder:
        desk = Desk(recorder, enabled=False)
        desk.now = 1e12
        assert desk.hand_out() == 0
        assert not desk.dispatch.is_out_of_time
        assert recorder.state.entries[0].state is State.RUNNING
        assert not any(isinstance(e, AttemptLost) for e in read_ledger(recorder.path / "ledger.jsonl").events)

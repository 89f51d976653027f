"""The training loop: observations, signals, determinism, failures of a network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from hpc_nas.errors import RecordError
from hpc_nas.training.failures import DeviceLost
from hpc_nas.training.signals import Signal
from hpc_nas.values import Observation, Reason, State

from .training_helpers import CANCEL, Trainer, dense, one_network_space, stop


def signal_at(call: int, signal: Signal) -> Iterator[Signal | None]:
    """None, until the given call (from 1)."""
    return itertools.chain(itertools.repeat(None, call - 1), itertools.repeat(signal))


class Raises(nn.Module):
    """A network whose forward pass raises at the given call."""

    def __init__(self, error: BaseException, *, call: int = 1) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)
        self.error = error
        self.calls_left = call

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls_left -= 1
        if self.calls_left == 0:
            raise self.error
        logits: torch.Tensor = self.layer(images.flatten(1))
        return logits


def test_full_budget_gives_an_observation_per_interval(trainer: Trainer) -> None:
    ticks = itertools.count(1000.0)
    end = trainer(
        one_network_space(dense), max_epochs=2.0, epochs_per_interval=0.5, clock=lambda: next(ticks)
    )

    assert (end.state, end.reason, end.message) == (State.FINISHED, Reason.FULL_BUDGET, "")
    assert (end.epochs, end.batches) == (2.0, 16)
    assert end.first_batch_time == 1000.0
    assert math.isnan(end.signal_time)
    assert [row.epoch for row in trainer.observations] == [0.5, 1.0, 1.5, 2.0]
    assert [row.time_s for row in trainer.observations] == [1001.0, 1002.0, 1003.0, 1004.0]
    assert {(row.candidate, row.attempt, row.learning_rate) for row in trainer.observations} == {(3, 2, 0.05)}
    assert sum(row.train_s for row in trainer.observations) == pytest.approx(end.train_s)
    assert sum(row.validate_s for row in trainer.observations) == pytest.approx(end.validate_s)
    assert 0 < end.last_batch_s < end.train_s


def test_a_network_learns(trainer: Trainer) -> None:
    trainer(one_network_space(dense), max_epochs=20.0)
    first, last = trainer.observations[0], trainer.observations[-1]
    assert last.val_accuracy > 90 > first.val_accuracy
    assert last.val_loss < first.val_loss
    assert last.train_loss < first.train_loss
    assert last.train_accuracy > first.train_accuracy


def test_intervals_of_several_epochs_are_numbered_by_their_end(trainer: Trainer) -> None:
    end = trainer(one_network_space(dense, batch_size=7), max_epochs=6.0, epochs_per_interval=3.0)
    assert [row.epoch for row in trainer.observations] == [3.0, 6.0]
    assert end.batches == 6 * (80 // 7)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_curve_depends_on_the_seed_alone(trainer: Trainer, optimizer: str, schedule: str) -> None:
    recipe = {"optimizer": optimizer, "schedule": schedule, "augmentation": "shift_flip", "momentum": 0.5}
    space = one_network_space(dense, **recipe)
    trainer(space, seed=5)
    curve = trainer.curve
    assert len(curve) == 4

    trainer(one_network_space(lambda: nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(16, 4))), seed=6)
    torch.rand(3)
    trainer(space, seed=5)
    assert trainer.curve == curve

    trainer(space, seed=6)
    assert trainer.curve != curve


def test_learning_rate_is_that_of_the_interval_s_last_batch(trainer: Trainer) -> None:
    trainer(one_network_space(dense, schedule="step"))
    assert [row.learning_rate for row in trainer.observations] == pytest.approx([0.05, 0.05, 0.005, 0.0005])
    trainer(one_network_space(dense, schedule="cosine"))
    expected = [0.05 * (1 + math.cos(math.pi * batch / 16)) / 2 for batch in (3, 7, 11, 15)]
    assert [row.learning_rate for row in trainer.observations] == pytest.approx(expected)


def test_configuration_overrides_the_recipe_of_the_space(trainer: Trainer) -> None:
    end = trainer(one_network_space(dense), batch_size=20, learning_rate=0.25)
    assert end.batches == 8
    assert {row.learning_rate for row in trainer.observations} == {0.25}


@pytest.mark.parametrize("reason", sorted({Reason.CONVERGED, Reason.NEVER_LEARN, Reason.UNLIKELY_BEST}))
def test_a_signal_ends_the_training_before_the_next_batch(trainer: Trainer, reason: Reason) -> None:
    # 4 batches and 1 validation batch an interval: call 8 is before the third batch of the second one.
    end = trainer(one_network_space(dense), signals=signal_at(8, stop(reason)), clock=lambda: 5.0)
    assert (end.state, end.reason, end.epochs, end.batches) == (State.STOPPED, reason, 0.5, 6)
    assert end.signal_time == 5.0
    assert [row.epoch for row in trainer.observations] == [0.5]


def test_a_signal_during_a_validation_drops_it(trainer: Trainer) -> None:
    end = trainer(one_network_space(dense), signals=signal_at(10, stop(Reason.CONVERGED)))
    assert (end.state, end.epochs, end.batches) == (State.STOPPED, 0.5, 8)
    assert [row.epoch for row in trainer.observations] == [0.5]


def test_a_candidate_cancelled_before_its_first_batch_trains_none(trainer: Trainer) -> None:
    end = trainer(one_network_space(dense), signals=signal_at(1, CANCEL))
    assert (end.state, end.reason, end.epochs, end.batches) == (State.CANCELLED, Reason.CANCELLED, 0.0, 0)
    assert math.isnan(end.first_batch_time)
    assert math.isnan(end.last_batch_s)
    assert trainer.observations == []


@pytest.mark.parametrize(
    ("state", "reason", "complaint"),
    [
        (
            State.FINISHED,
            Reason.FULL_BUDGET,
            "a signal can't ask for finished; use one of stopped, paused, cancelled",
        ),
        (State.FAILED, Reason.HUNG, "a signal can't ask for failed"),
        (
            State.STOPPED,
            Reason.CANCELLED,
            "stopped can't have reason cancelled; use one of budget, converged",
        ),
        (State.PAUSED, Reason.FULL_BUDGET, "paused can't have reason full_budget"),
    ],
)
def test_a_signal_that_ends_nothing_is_refused(state: State, reason: Reason, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Signal(state=state, reason=reason)


def test_a_huge_learning_rate_fails_as_non_finite(trainer: Trainer) -> None:
    end = trainer(one_network_space(dense, learning_rate=1e30), max_epochs=20.0)
    assert (end.state, end.reason, end.message) == (
        State.FAILED,
        Reason.NON_FINITE,
        "training loss is not finite",
    )
    assert end.batches < 4  # noticed within the interval
    assert trainer.observations == []


class LosesItselfInValidation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layer(images.flatten(1))
        return logits if self.training else logits / 0.0


def test_a_non_finite_validation_is_no_observation(trainer: Trainer) -> None:
    end = trainer(one_network_space(LosesItselfInValidation))
    assert (end.state, end.reason, end.message) == (
        State.FAILED,
        Reason.NON_FINITE,
        "validation loss is not finite",
    )
    assert (end.epochs, end.batches, trainer.observations) == (0.0, 4, [])


def test_a_network_that_is_too_large_to_build_fails_as_out_of_memory(trainer: Trainer) -> None:
    end = trainer(one_network_space(lambda: nn.Linear(10**7, 10**8)))
    assert (end.state, end.reason, end.batches) == (State.FAILED, Reason.OUT_OF_MEMORY, 0)
    assert "building the network: RuntimeError" in end.message


class HugeActivations(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight * torch.empty(10**15)


def test_a_network_that_is_too_large_to_train_fails_as_out_of_memory(trainer: Trainer) -> None:
    end = trainer(one_network_space(HugeActivations))
    assert (end.state, end.reason) == (State.FAILED, Reason.OUT_OF_MEMORY)
    assert "training the network: RuntimeError" in end.message


def test_a_gpu_s_lack_of_memory_fails_as_out_of_memory(trainer: Trainer) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation")
    end = trainer(one_network_space(lambda: Raises(error, call=6)))
    assert (end.state, end.reason, end.epochs, end.batches) == (State.FAILED, Reason.OUT_OF_MEMORY, 0.5, 4)
    assert end.message == (
        "training the network: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    )


def test_an_exception_while_building_fails_as_build(trainer: Trainer) -> None:
    def broken() -> nn.Module:
        raise KeyError("no such layer")

    end = trainer(one_network_space(broken))
    assert (end.state, end.reason, end.epochs, end.batches) == (State.FAILED, Reason.BUILD, 0.0, 0)
    assert "KeyError: 'no such layer'" in end.message


def test_a_shape_that_does_not_fit_fails_as_build(trainer: Trainer) -> None:
    end = trainer(one_network_space(lambda: nn.Sequential(nn.Flatten(), nn.Linear(15, 4))))
    assert (end.state, end.reason) == (State.FAILED, Reason.BUILD)
    assert end.message.startswith("training the network: RuntimeError: mat1 and mat2 shapes")


def test_a_batch_size_that_leaves_an_interval_empty_fails_as_build(trainer: Trainer) -> None:
    end = trainer(one_network_space(dense, batch_size=41))
    assert (end.state, end.reason) == (State.FAILED, Reason.BUILD)
    assert "batch_size = 41 with epochs_per_interval = 0.5 needs 82 training samples" in end.message


@pytest.mark.parametrize("lost", ["CUDA error: device-side assert triggered", "CUDA error: unknown error"])
def test_a_lost_device_ends_the_rank(trainer: Trainer, lost: str) -> None:
    with pytest.raises(DeviceLost, match=f"device lost: training the network: RuntimeError: {lost}"):
        trainer(one_network_space(lambda: Raises(RuntimeError(lost))))


def test_an_interrupt_is_nobody_s_failure(trainer: Trainer) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer(one_network_space(lambda: Raises(KeyboardInterrupt())))


def test_a_network_that_exits_fails_as_build(trainer: Trainer) -> None:
    end = trainer(one_network_space(lambda: Raises(SystemExit(3))))
    assert (end.state, end.reason) == (State.FAILED, Reason.BUILD)
    assert end.message == "training the network: SystemExit: 3"


def test_what_the_callbacks_raise_is_not_charged_to_the_candidate(trainer: Trainer) -> None:
    def disk_full(observation: Observation) -> None:
        raise RecordError("disk full")

    def broken_link() -> Iterator[None]:
        yield None
        raise RuntimeError("MPI: out of memory")

    with pytest.raises(RecordError, match="disk full"):
        trainer(one_network_space(dense), on_observation=disk_full)
    with pytest.raises(RuntimeError, match="MPI: out of memory"):
        trainer(one_network_space(dense), signals=broken_link())


def test_training_does_not_touch_the_shared_data(trainer: Trainer) -> None:
    before = [trainer.data.train_images.clone(), trainer.data.validation_images.clone()]
    in_place = nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True), nn.Linear(16, 4))
    trainer(one_network_space(lambda: in_place))
    assert torch.equal(before[0], trainer.data.train_images)
    assert torch.equal(before[1], trainer.data.validation_images)

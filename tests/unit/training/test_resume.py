"""A training that was cut and goes on elsewhere ends bit by bit where the uninterrupted one does."""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hpc_nas.configuration import DataSection
from hpc_nas.tasks.images import ImageData, split
from hpc_nas.training.checkpoint import Checkpoint, Checkpoints, NoCheckpoint, Occasion
from hpc_nas.training.checkpoint_file import Origin, read_checkpoint, write_checkpoint
from hpc_nas.training.progress import TrainingEnd
from hpc_nas.training.signals import Signal
from hpc_nas.values import Reason, State

from ..tasks.task_helpers import make_dataset
from .training_helpers import (
    CANCEL,
    CPU,
    PAUSE,
    Shelf,
    Trainer,
    candidate,
    dense,
    one_network_space,
)

BATCHES, VALIDATIONS, INTERVALS = 6, 3, 4
CALLS = (BATCHES + VALIDATIONS) * INTERVALS
"""Looks at the signal in one whole training: one before each batch."""

ORIGIN = Origin(training="{}", space="{}", data="abc")
SCHEDULES: tuple[dict[str, Any], ...] = (
    {"schedule": "constant", "max_gradient_norm": 0.5},
    {"schedule": "linear"},
    {"schedule": "cosine", "max_gradient_norm": 0.5},
    {"schedule": "step"},
    {"schedule": "step", "step_factor": 0.5, "step_epochs": 0.25},
)
RECIPES: tuple[dict[str, Any], ...] = tuple(
    {
        "optimizer": optimizer,
        "momentum": 0.9,
        "augmentation": "randaugment" if row == column else "shift_flip",
        "batch_size": 50,
        **SCHEDULES[(row + column) % len(SCHEDULES)],
    }
    for row in range(3)
    for column, optimizer in enumerate(("sgd", "nesterov", "adam", "adamw", "rmsprop"))
)


class Drift(nn.Module):
    """Keeps a running mean in buffers, one of them left out of the state_dict, and adds both."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(4))
        self.register_buffer("left_out", torch.zeros(4), persistent=False)
        self.kept: torch.Tensor
        self.left_out: torch.Tensor

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.kept += 0.01 * logits.detach().mean(0)
            self.left_out += 0.02 * logits.detach().mean(0)
        return logits + self.kept + self.left_out


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(48, 4),
        Drift(),
    )


@functools.cache
def larger_data() -> ImageData:
    """600 training images; as many for validation, three batches of them."""
    splits = split(make_dataset(1200), DataSection(validation_fraction=0.5))
    return splits.to_device(CPU)


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One attempt: how it ended, what it told, and the network that it leaves."""

    end: TrainingEnd
    curve: list[tuple[float, ...]]
    carried: int
    weights: dict[str, torch.Tensor]


def attempt_of(
    recipe: dict[str, Any],
    *,
    attempt: int = 0,
    checkpoints: Checkpoints | None = None,
    signals: Iterator[Signal | None] | None = None,
) -> Run:
    made: list[nn.Module] = []

    def make() -> nn.Module:
        made.append(network())
        return made[-1]

    trainer = Trainer(larger_data())
    end = trainer(
        one_network_space(make, **recipe), attempt=attempt, checkpoints=checkpoints, signals=signals
    )
    rows = trainer.observations
    assert {row.attempt for row in rows} <= {attempt}
    last = made[-1]
    flags = [row.carried for row in rows]
    assert flags == sorted(flags, reverse=True)  # carried rows come first
    timed = {"train_s", "validate_s", "time_s", "attempt", "carried"}
    return Run(
        end=end,
        curve=[tuple(row.model_dump(exclude=timed).values()) for row in rows],
        carried=sum(flags),
        weights={name: tensor.clone() for name, tensor in (*last.named_parameters(), *last.named_buffers())},
    )


@functools.cache
def whole(index: int) -> Run:
    """The uninterrupted training of a recipe."""
    run = attempt_of(RECIPES[index])
    assert run.end.state is State.FINISHED
    assert len(run.curve) == INTERVALS
    return run


def cut_at(call: int, signal: Signal) -> Iterator[Signal | None]:
    """None before so many calls, then the signal."""
    return itertools.chain(itertools.repeat(None, call), itertools.repeat(signal))


def disturb(seed: int) -> None:
    """What else a process may have done in between: another training, and draws from every generator."""
    Trainer(larger_data())(one_network_space(dense, optimizer="adam"), seed=seed, max_epochs=0.5)
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def assert_same(run: Run, reference: Run) -> None:
    """Bit by bit: the curve and every tensor of the network."""
    assert run.curve == reference.curve
    assert run.weights.keys() == reference.weights.keys()
    for name, tensor in run.weights.items():
        assert torch.equal(tensor, reference.weights[name]), name


def through_a_file(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Written, and read back."""
    write_checkpoint(path, checkpoint, origin=ORIGIN)
    read = read_checkpoint(path, candidate=checkpoint.position.candidate, origin=ORIGIN, device=CPU)
    assert isinstance(read, Checkpoint), read
    return read


def run_in_parts(index: int, cuts: list[int], *, path: Path | None = None, signal: Signal = PAUSE) -> Run:
    """Attempt after attempt, each cut after so many more batches; the last one goes to the end."""
    start, batches = None, 0
    for attempt, cut in enumerate(cuts):
        part = attempt_of(
            RECIPES[index],
            attempt=attempt,
            checkpoints=Shelf(start, occasions=[Occasion.LEAVING]),
            signals=cut_at(cut, signal),
        )
        if part.end.state is State.FINISHED:
            return part
        assert (part.end.state, part.end.reason) == (signal.state, signal.reason)
        assert part.end.start_batch == batches
        batches += part.end.batches
        assert isinstance(part.end.checkpoint, Checkpoint)
        start = part.end.checkpoint if path is None else through_a_file(part.end.checkpoint, path)
        assert (start.position.batches, start.position.epochs) == (batches, part.end.epochs)
        disturb(attempt)
    looks = itertools.count()
    signals = (None for _ in looks)
    last = attempt_of(RECIPES[index], attempt=len(cuts), checkpoints=Shelf(start), signals=signals)
    assert next(looks) == CALLS - sum(cuts)  # no batch of a validation twice either
    assert last.end.start_batch == batches
    assert batches + last.end.batches == BATCHES * INTERVALS  # none twice, none left out
    assert last.end.epochs == INTERVALS / 2
    assert last.carried == last.end.start_epoch * 2
    return last


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    index=st.integers(0, len(RECIPES) - 1), cuts=st.lists(st.integers(0, CALLS - 1), min_size=1, max_size=5)
)
def test_cut_anywhere_the_training_ends_as_if_it_had_not_been(index: int, cuts: list[int]) -> None:
    assert_same(run_in_parts(index, cuts), whole(index))


@pytest.mark.parametrize("call", range(CALLS))
def test_every_single_cut_goes_through_a_file_unharmed(call: int, tmp_path: Path) -> None:
    """Before the first batch, in training, in validation, exactly between two intervals."""
    index = call % len(RECIPES)
    assert_same(run_in_parts(index, [call], path=tmp_path / "checkpoint.pt", signal=CANCEL), whole(index))


def test_several_cuts_without_a_batch_in_between_lose_nothing(tmp_path: Path) -> None:
    cuts = [BATCHES + 1, 0, 0, 1, 0]
    assert_same(run_in_parts(1, cuts, path=tmp_path / "checkpoint.pt"), whole(1))


def test_a_checkpoint_of_a_validation_is_one_to_go_on_from(tmp_path: Path) -> None:
    """Those against crashes; the last interval needs none."""
    shelf = Shelf(occasions=[Occasion.VALIDATED])
    assert_same(attempt_of(RECIPES[4], checkpoints=shelf), whole(4))
    assert [each.position.epochs for each in shelf.kept] == [0.5, 1.0, 1.5]
    for kept in shelf.kept:
        disturb(9)
        start = through_a_file(kept, tmp_path / "checkpoint.pt")
        run = attempt_of(RECIPES[4], attempt=1, checkpoints=Shelf(start))
        assert_same(run, whole(4))
        assert run.end.start_epoch == kept.position.epochs


def test_a_checkpoint_is_a_copy_that_no_training_touches() -> None:
    """Kept while the training it comes from and one that goes on from it run to their ends."""
    shelf = Shelf(occasions=[Occasion.VALIDATED])
    attempt_of(RECIPES[3], checkpoints=shelf)
    first = shelf.kept[0]
    before = flatten(first.state)
    first_time = attempt_of(RECIPES[3], checkpoints=Shelf(first))
    second_time = attempt_of(RECIPES[3], checkpoints=Shelf(first))
    assert_same(first_time, whole(3))
    assert_same(second_time, whole(3))
    assert flatten(first.state) == before


def flatten(value: Any) -> Any:
    """Comparable content."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: flatten(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [flatten(item) for item in value]
    return value


def test_carried_rows_are_those_of_the_attempts_before_with_their_figures() -> None:
    ticks = itertools.count(1000.0)
    clock = lambda: next(ticks)  # noqa: E731
    trainer, shelf = Trainer(larger_data()), Shelf()
    space = one_network_space(network, **RECIPES[0])
    end = trainer(
        space, attempt=0, checkpoints=shelf, signals=cut_at(BATCHES + VALIDATIONS + 2, PAUSE), clock=clock
    )
    first = trainer.observations
    assert isinstance(end.checkpoint, Checkpoint)
    end = trainer(space, attempt=4, checkpoints=Shelf(end.checkpoint), clock=clock)
    rows = trainer.observations
    assert rows[0] == first[0].model_copy(update={"attempt": 4, "carried": True})
    assert [row.carried for row in rows] == [True, False, False, False]
    assert (end.start_epoch, end.start_batch, end.batches) == (0.5, BATCHES + 2, BATCHES * 3 - 2)
    assert not math.isnan(end.first_batch_time)


def test_the_time_of_an_interval_counts_the_part_before_the_cut() -> None:
    trainer = Trainer(larger_data())
    space = one_network_space(network, **RECIPES[0])
    end = trainer(space, checkpoints=Shelf(), signals=cut_at(BATCHES + 1, PAUSE))
    assert isinstance(end.checkpoint, Checkpoint)
    position = end.checkpoint.position
    assert (position.train_s, position.validate_s) == (end.train_s, end.validate_s)
    later = trainer(space, checkpoints=Shelf(end.checkpoint))
    own = [row for row in trainer.observations if not row.carried]
    assert sum(row.train_s for row in own) == pytest.approx(later.train_s + end.train_s)
    assert sum(row.validate_s for row in own) == pytest.approx(later.validate_s + end.validate_s)


def test_only_candidates_that_go_on_have_a_checkpoint() -> None:
    ends = [
        attempt_of(RECIPES[0], checkpoints=Shelf(), signals=cut_at(3, signal)).end
        for signal in (PAUSE, CANCEL)
    ]
    assert all(isinstance(end.checkpoint, Checkpoint) for end in ends)
    stopped = Signal(state=State.STOPPED, reason=Reason.CONVERGED)
    assert attempt_of(
        RECIPES[0], checkpoints=Shelf(), signals=cut_at(3, stopped)
    ).end.checkpoint == NoCheckpoint(message="it does not go on")
    off = attempt_of(RECIPES[0], checkpoints=Shelf(occasions=()), signals=cut_at(3, PAUSE)).end
    assert off.state is State.PAUSED
    assert off.checkpoint == NoCheckpoint(
        message="checkpoints are switched off ([checkpoints] enabled = false)"
    )


class HoldsCode(nn.Linear):
    """A network whose state_dict holds what only running its own code could bring back."""

    def __init__(self) -> None:
        super().__init__(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images.flatten(1))

    def get_extra_state(self) -> object:
        return {"history": random.Random(3)}

    def set_extra_state(self, state: object) -> None:
        pass


def test_a_state_that_no_file_may_hold_costs_the_checkpoint_not_the_training(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trainer = Trainer(larger_data())
    shelf = Shelf()
    end = trainer(one_network_space(HoldsCode, batch_size=50), checkpoints=shelf, signals=cut_at(12, PAUSE))
    assert (end.state, end.epochs, shelf.kept) == (State.PAUSED, 0.5, [])
    assert isinstance(end.checkpoint, NoCheckpoint)
    assert "session.module.state._extra_state.history is a Random" in end.checkpoint.message
    assert "candidate 3 attempt 2: no checkpoint" in caplog.text


def test_a_checkpoint_that_does_not_fit_the_network_begins_from_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trainer = Trainer(larger_data())
    end = trainer(one_network_space(dense, batch_size=50), checkpoints=Shelf(), signals=cut_at(12, PAUSE))
    assert isinstance(end.checkpoint, Checkpoint)
    run = attempt_of(RECIPES[0], attempt=1, checkpoints=Shelf(end.checkpoint, occasions=()))
    assert_same(run, whole(0))
    assert (run.carried, run.end.start_epoch, run.end.start_batch) == (0, 0.0, 0)
    assert "candidate 3 attempt 1 begins from the start: its checkpoint does not fit" in caplog.text


def test_a_checkpoint_whose_state_and_curve_disagree_begins_from_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = attempt_of(RECIPES[0], checkpoints=Shelf(), signals=cut_at(12, PAUSE)).end.checkpoint
    assert isinstance(first, Checkpoint)
    shorter = Checkpoint(position=first.position.model_copy(update={"observations": ()}), state=first.state)
    shelf = Shelf(shorter)
    assert_same(attempt_of(RECIPES[0], checkpoints=shelf), whole(0))
    assert shelf.num_refused == 1
    assert (
        "its state stands at (epochs, batches, validations) (0.5, 9, 1), its curve at (0.5, 9, 0)"
        in caplog.text
    )


def test_standing_names_its_candidate() -> None:
    end = attempt_of(RECIPES[0], checkpoints=Shelf(), signals=cut_at(0, PAUSE)).end
    assert isinstance(end.checkpoint, Checkpoint)
    position = end.checkpoint.position
    assert (position.candidate, position.attempt, position.device) == (candidate(), 0, "cpu")
    assert (position.batches, position.epochs, position.observations) == (0, 0.0, ())

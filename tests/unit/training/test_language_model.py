"""Language models train on windows of a text in its order, and go on bit by bit from wherever they were cut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hpc_nas.configuration import SpaceSection, TrainingSection
from hpc_nas.spaces.problem import TextProblem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.registry import load_space
from hpc_nas.tasks.text import TextData, TextFeed
from hpc_nas.training.checkpoint import Checkpoint, WithoutCheckpoints
from hpc_nas.training.intervals import plan_intervals
from hpc_nas.training.program import Job
from hpc_nas.training.progress import TrainingEnd
from hpc_nas.training.signals import Signal
from hpc_nas.training.trainer import train
from hpc_nas.values import Candidate, Observation, Reason, State

from .test_resume import through_a_file
from .training_helpers import CPU, PAUSE, Shelf

PROBLEM = TextProblem(vocabulary_size=12, sequence_length=4)
SPACE = load_space(
    SpaceSection(
        name="lstm", max_size=30, batch_size=5, num_layers=2, learning_rate=2.0, max_gradient_norm=1.0
    )
)
SECTION = TrainingSection(max_epochs=1.0, epochs_per_interval=0.5)


@pytest.fixture(scope="module")
def data() -> TextData:
    """A text in which the next token follows from the last one, but for one in ten: 16 windows of 5 streams."""
    random = np.random.default_rng(3)
    tokens = np.where(random.random(500) < 0.1, random.integers(0, 12, 500), np.arange(500) * 5 % 12)
    return TextData(
        train_tokens=torch.from_numpy(tokens[:330]),
        validation_tokens=torch.from_numpy(tokens[330:]),
        problem=PROBLEM,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One attempt: how it ended and what it told, but for times."""

    end: TrainingEnd
    curve: list[dict[str, Any]]


def run(
    data: TextData,
    *,
    shelf: Shelf | None = None,
    signals: Iterator[Signal | None] | None = None,
    section: TrainingSection = SECTION,
) -> Run:
    rows: list[Observation] = []
    end = train(
        Job(
            candidate=Candidate(
                number=3,
                seed=1,
                parameters={"num_inputs": 30, "num_cells": 10},
                num_parameters=1,
                num_layers=1,
                macs=1,
            ),
            attempt=0,
            device=CPU,
            max_epochs=section.max_epochs,
            checkpoints=shelf or WithoutCheckpoints(),
            report=rows.append,
            check_signal=lambda: next(signals) if signals is not None else None,
        ),
        space=SPACE,
        data=data,
        section=section,
    )
    timed = {"train_s", "validate_s", "time_s", "carried"}
    return Run(end=end, curve=[row.model_dump(exclude=timed) for row in rows])


def test_a_language_model_learns_and_its_score_is_that_of_its_loss(data: TextData) -> None:
    done = run(data, section=TrainingSection(max_epochs=8.0, epochs_per_interval=2.0))
    assert (done.end.state, done.end.reason, done.end.message) == (State.FINISHED, Reason.FULL_BUDGET, "")
    assert done.curve[-1]["val_loss"] < 0.9 * math.log(12)
    for row in done.curve:
        for part in ("train", "val"):
            expected = max(0.0, 100.0 * (1.0 - row[f"{part}_loss"] / math.log(12)))
            assert row[f"{part}_accuracy"] == pytest.approx(expected)


def test_cut_before_any_batch_the_training_ends_bit_by_bit_as_if_it_had_not_been(
    data: TextData, tmp_path: Path
) -> None:
    """In the middle of an epoch, where states were carried, in a validation, and between two intervals."""
    whole = run(data)
    looks = 2 * (8 + 4)
    for cut in range(looks):
        first = run(data, shelf=Shelf(), signals=chain(repeat(None, cut), repeat(PAUSE)))
        assert isinstance(first.end.checkpoint, Checkpoint)
        torch.manual_seed(cut)
        start = through_a_file(first.end.checkpoint, tmp_path / "checkpoint.pt")
        second = run(data, shelf=Shelf(start))
        assert second.curve == whole.curve, cut
        assert first.end.batches + second.end.batches == 16


class Recorder(nn.Module):
    """Foretells nothing, keeps what it is shown; its state counts the windows of a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(12))
        self.seen: list[torch.Tensor] = []
        self.states: list[int] = []

    def forward(
        self, tokens: torch.Tensor, state: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        self.seen.append(tokens)
        count = state[0] if state else torch.zeros(())
        assert not count.requires_grad
        self.states.append(int(count))
        return self.weight.expand(*tokens.shape, 12), (count + 1 + 0 * self.weight[0],)


def test_streams_advance_together_and_states_are_carried_within_an_epoch() -> None:
    text = TextData(problem=PROBLEM, train_tokens=torch.arange(47), validation_tokens=torch.arange(100, 125))
    recipe = Recipe(batch_size=3)
    intervals = plan_intervals(
        text.num_train, 3, section=SECTION.model_copy(update={"epochs_per_interval": 1.0})
    )
    feed = TextFeed(text, recipe=recipe, batches_per_epoch=intervals.batches_per_epoch)
    module = Recorder()
    labels = [feed.train(module)[1] for _ in range(2 * intervals.batches_per_epoch)]
    assert intervals.batches_per_epoch == 3
    assert torch.equal(torch.cat(module.seen[:3], dim=1), torch.arange(36).view(3, 12))
    assert torch.equal(labels[0], module.seen[0].flatten() + 1)
    assert module.states == [0, 1, 2, 0, 1, 2]
    assert all(torch.equal(left, right) for left, right in zip(module.seen[:3], module.seen[3:], strict=True))


def test_every_token_is_validated_on_whatever_the_size_of_a_batch() -> None:
    text = TextData(problem=PROBLEM, train_tokens=torch.arange(47), validation_tokens=torch.arange(91))
    shown = []
    for batch_size in (1, 3):
        intervals = plan_intervals(text.num_train, batch_size, section=SECTION)
        feed = TextFeed(
            text, recipe=Recipe(batch_size=batch_size), batches_per_epoch=intervals.batches_per_epoch
        )
        module = Recorder()
        feed.train(module)
        with torch.no_grad():
            parts = [feed.validate(module, index) for index in range(feed.num_validation_batches)]
        shown.append(torch.cat([labels for _, labels in parts]))
        assert module.states[1:] == list(range(feed.num_validation_batches))
        feed.train(module)
        assert module.states[-1] == 1  # training goes on from its own state
    assert torch.equal(shown[0], shown[1])
    assert sorted(shown[0].tolist()) == list(range(1, 91))


def test_a_text_is_not_augmented(data: TextData) -> None:
    done = run(data, section=SECTION.model_copy(update={"augmentation": "shift"}))
    assert (done.end.state, done.end.reason) == (State.FAILED, Reason.BUILD)
    assert "augmentation = 'shift' is for images; use 'none' for text" in done.end.message

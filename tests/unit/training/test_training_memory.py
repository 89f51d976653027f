"""After a candidate, whatever its end, its memory is free again, without waiting for a garbage collection."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from hpc_nas.errors import RecordError
from hpc_nas.training.checkpoint import Checkpoint
from hpc_nas.training.signals import Signal
from hpc_nas.values import Observation, Reason

from .training_helpers import PAUSE, Shelf, Trainer, dense, one_network_space, stop

CONVERGED = stop(Reason.CONVERGED)


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living_tensors() -> int:
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


class Watched:
    """Makes networks, and knows which of their weights are still alive."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        self._make = make
        self._weights: list[weakref.ref[torch.Tensor]] = []

    def __call__(self) -> nn.Module:
        module = self._make()
        self._weights += [weakref.ref(weight) for weight in module.parameters()]
        return module

    @property
    def living(self) -> int:
        assert self._weights
        return sum(weight() is not None for weight in self._weights)


class RaisesInForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layer(images.flatten(1))
        raise RuntimeError(f"holds {len(logits)} activations in its frame")


def signals_after(calls: int, signal: Signal = CONVERGED) -> Iterator[Signal | None]:
    return itertools.chain(itertools.repeat(None, calls), itertools.repeat(signal))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
@pytest.mark.usefixtures("no_collection")
def test_a_finished_candidate_leaves_nothing(trainer: Trainer, optimizer: str, schedule: str) -> None:
    networks = Watched(dense)
    before = living_tensors()
    trainer(one_network_space(networks, optimizer=optimizer, schedule=schedule))
    assert (networks.living, living_tensors() - before) == (0, 0)


@pytest.mark.usefixtures("no_collection")
def test_a_stopped_candidate_leaves_nothing(trainer: Trainer) -> None:
    networks = Watched(dense)
    before = living_tensors()
    trainer(one_network_space(networks, momentum=0.9), signals=signals_after(7))
    assert (networks.living, living_tensors() - before) == (0, 0)


@pytest.mark.usefixtures("no_collection")
def test_a_paused_and_a_resumed_candidate_leave_nothing_but_the_checkpoint(trainer: Trainer) -> None:
    networks = Watched(dense)
    space = one_network_space(networks, optimizer="adam")
    before = living_tensors()
    end = trainer(space, signals=signals_after(7, PAUSE), checkpoints=Shelf())
    checkpoint = end.checkpoint
    assert isinstance(checkpoint, Checkpoint)
    assert networks.living == 0
    trainer(space, checkpoints=Shelf(checkpoint, occasions=()))
    assert networks.living == 0
    del end, checkpoint
    assert living_tensors() == before


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (RaisesInForward, Reason.BUILD),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(15, 4)), Reason.BUILD),
        (lambda: nn.Linear(10**7, 10**8), Reason.OUT_OF_MEMORY),
    ],
)
def test_a_failed_candidate_leaves_nothing(
    trainer: Trainer, make: Callable[[], nn.Module], reason: Reason
) -> None:
    before = living_tensors()
    assert trainer(one_network_space(make)).reason is reason
    assert living_tensors() == before


def test_a_non_finite_candidate_with_a_reference_cycle_leaves_nothing(trainer: Trainer) -> None:
    def cyclic() -> nn.Module:
        module = dense()
        module.__dict__["itself"] = module
        return module

    networks = Watched(cyclic)
    before = living_tensors()
    assert trainer(one_network_space(networks, learning_rate=1e30)).reason is Reason.NON_FINITE
    assert (networks.living, living_tensors() - before) == (0, 0)


@pytest.mark.usefixtures("no_collection")
def test_an_error_of_the_group_leaves_no_network_behind(trainer: Trainer) -> None:
    networks = Watched(dense)

    def disk_full(observation: Observation) -> None:
        raise RecordError("disk full")

    with pytest.raises(RecordError) as caught:
        trainer(one_network_space(networks), on_observation=disk_full)
    assert networks.living == 0  # while the error, with its frames, is still held
    assert "disk full" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "signals", "reason"),
    [
        (dense, None, Reason.FULL_BUDGET),
        (dense, 7, Reason.CONVERGED),
        (RaisesInForward, None, Reason.BUILD),
    ],
)
def test_cached_gpu_memory_is_given_back_after_every_candidate(
    trainer: Trainer,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], nn.Module],
    signals: int | None,
    reason: Reason,
) -> None:
    """By then the network is gone: a trainer that shares the GPU can have its memory."""
    networks, living = Watched(make), []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: living.append(networks.living))
    end = trainer(one_network_space(networks), signals=None if signals is None else signals_after(signals))
    assert (end.reason, living) == (reason, [0])

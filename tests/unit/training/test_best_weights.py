"""The weights of a training's best validation: which they are, and that a checkpoint carries them along."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from hpc_nas.training.best_weights import BestWeights
from hpc_nas.values import Observation, Reason, State

from .training_helpers import Shelf, Trainer, dense, one_network_space


def observation(*, epoch: float, accuracy: float) -> Observation:
    losses = {"val_loss": epoch / 10, "train_accuracy": 0.0, "train_loss": 0.0, "learning_rate": 0.1}
    times = {"train_s": 0.0, "validate_s": 0.0, "time_s": 0.0}
    return Observation(candidate=0, attempt=0, epoch=epoch, val_accuracy=accuracy, **losses, **times)


class Remembers(BestWeights):
    """Keeps a copy of the network at every validation, to compare with."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, torch.Tensor]] = []

    def validated(self, module: nn.Module, observation: Observation) -> None:
        super().validated(module, observation)
        self.all.append({name: tensor.clone() for name, tensor in module.state_dict().items()})


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_highest_accuracy_counts_and_of_equals_the_first() -> None:
    weights, module = BestWeights(), nn.Linear(2, 2)
    for epoch, accuracy in ((1.0, 50.0), (2.0, 70.0), (3.0, 70.0), (4.0, 60.0)):
        nn.init.constant_(module.bias, epoch)
        weights.validated(module, observation(epoch=epoch, accuracy=accuracy))
    assert (weights.epoch, weights.accuracy, weights.loss) == (2.0, 70.0, 0.2)
    assert weights.module["state"]["bias"].tolist() == [2.0, 2.0]  # a copy: the network went on


def test_training_leaves_the_weights_of_its_best_validation(trainer: Trainer) -> None:
    weights = Remembers()
    trainer(one_network_space(dense, learning_rate=0.5), weights=weights, max_epochs=10.0)
    accuracies = [row.val_accuracy for row in trainer.observations]
    best = accuracies.index(max(accuracies))
    assert best < len(accuracies) - 1, "the recipe was chosen so that the last epoch is not the best"
    assert weights.accuracy == accuracies[best]
    assert weights.epoch == trainer.observations[best].epoch
    assert same(weights.module["state"], weights.all[best])


def test_training_that_goes_on_from_a_checkpoint_has_the_best_of_its_whole_curve(trainer: Trainer) -> None:
    space, whole, shelf = one_network_space(dense, learning_rate=0.5), BestWeights(), Shelf()
    trainer(space, weights=whole, checkpoints=shelf, max_epochs=10.0)
    after_the_best = next(c for c in shelf.kept if c.position.epochs > whole.epoch)
    resumed = BestWeights()
    trainer(space, weights=resumed, checkpoints=Shelf(after_the_best, occasions=()), max_epochs=10.0)
    assert (resumed.epoch, resumed.accuracy) == (whole.epoch, whole.accuracy)
    assert same(resumed.module["state"], whole.module["state"])


def test_checkpoint_without_the_best_weights_is_refused(trainer: Trainer) -> None:
    space, shelf = one_network_space(dense), Shelf()
    trainer(space, checkpoints=shelf)  # a search's: it keeps no weights
    again, weights = Shelf(shelf.kept[0]), BestWeights()
    end = trainer(space, weights=weights, checkpoints=again)
    assert (again.num_refused, end.start_epoch, end.state) == (1, 0.0, State.FINISHED)
    assert weights.epoch > 0
    other = replace(shelf.kept[0], state=shelf.kept[0].state | {"weights": {"epoch": 1.0}})
    with pytest.raises(ValueError, match=r"best weights of \['epoch'\]; expected \['accuracy', 'epoch'"):
        weights.restore(other.state["weights"])


class Secretive(nn.Module):
    """A network whose state can't be written into a file."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layer(images.flatten(1))
        return logits

    def get_extra_state(self) -> object:
        return object()

    def set_extra_state(self, state: object) -> None:
        pass


def test_network_whose_weights_can_not_be_kept_fails_with_the_reason(trainer: Trainer) -> None:
    end = trainer(one_network_space(Secretive), weights=BestWeights())
    assert (end.state, end.reason) == (State.FAILED, Reason.BUILD)
    assert "network.state._extra_state is a object" in end.message

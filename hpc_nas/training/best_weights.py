"""The weights at a training's best validation, kept on the host while it goes on."""

from __future__ import annotations

import math
from typing import Protocol

from torch import nn

from hpc_nas.training.checkpoint import Plain, copy_to_host
from hpc_nas.training.module_state import module_state
from hpc_nas.values import Candidate, Observation


class Weights(Protocol):
    """What is kept of a network's weights beside its checkpoints, which carry it along."""

    def validated(self, module: nn.Module, observation: Observation) -> None:
        """The network has this observation now. TypeError where its `state_dict` holds what no file can."""

    def state(self) -> Plain:
        """For a checkpoint: what `restore` takes back. Nothing changes it later."""

    def restore(self, state: Plain) -> None:
        """Stand where this state was taken. Raises ValueError for one that does not fit."""


class BestWeights:
    """Those of the highest validation accuracy, of equals the first; a network has them even if it then fails."""

    def __init__(self) -> None:
        self.epoch = 0.0
        self.accuracy = -math.inf
        self.loss = math.nan
        self.module: Plain = {}  # `module_state`'s, on the host

    def validated(self, module: nn.Module, observation: Observation) -> None:
        if observation.val_accuracy <= self.accuracy:
            return
        self.module = copy_to_host(module_state(module), where="network")
        self.epoch, self.accuracy = observation.epoch, observation.val_accuracy
        self.loss = observation.val_loss

    def state(self) -> Plain:
        return dict(vars(self))

    def restore(self, state: Plain) -> None:
        if state.keys() != vars(self).keys():
            raise ValueError(f"best weights of {sorted(state)}; expected {sorted(vars(self))}")
        vars(self).update(state)


class NoWeights:
    """Keeps nothing: a search only wants the curve."""

    def validated(self, module: nn.Module, observation: Observation) -> None:
        pass

    def state(self) -> Plain:
        return {}

    def restore(self, state: Plain) -> None:
        pass


class Finish(Protocol):
    """What a campaign wants of its networks beside their curves."""

    def weights(self) -> Weights:
        """What is kept of them during one attempt."""

    def finished(self, candidate: Candidate, weights: Weights, *, epochs: float) -> None:
        """The candidate is trained to its end. Raises RecordError, DataError, DeviceLost."""


class NothingKept:
    """A search's: the curve is all."""

    def weights(self) -> Weights:
        return NoWeights()

    def finished(self, candidate: Candidate, weights: Weights, *, epochs: float) -> None:
        pass

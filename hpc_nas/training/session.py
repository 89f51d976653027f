"""The state of one training: network, optimizer, schedule, generators, position; it can be copied and restored."""

from __future__ import annotations

import torch
from torch import nn

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.regularization import plan_training
from hpc_nas.spaces.space import Space
from hpc_nas.tasks.base import TaskData
from hpc_nas.tasks.sums import Means
from hpc_nas.training.checkpoint import Plain, copy_to_host
from hpc_nas.training.intervals import plan_intervals
from hpc_nas.training.module_state import module_state, restore_module
from hpc_nas.training.optimization import clip_gradients, make_optimizer, make_schedule
from hpc_nas.values import Candidate

FINITE_CHECK_BATCHES = 32
"""Batches between looks at the loss on a GPU, where each look waits for all that is queued."""
_SHUFFLING = 0x5DEECE66D1B54A32  # keeps the draws of shuffling apart from those of the weights


class Session:
    """One candidate in training. Everything random in it comes from `candidate.seed`.

    An interval is `intervals.batches_per_interval` training batches, then `num_validation_batches` of validation,
    then `next_interval`. The methods run the network's own code and raise whatever that raises, NonFiniteLoss
    besides. On a GPU they only queue work; the means and `capture` wait for it.
    """

    def __init__(
        self,
        candidate: Candidate,
        *,
        space: Space,
        data: TaskData,
        section: TrainingSection,
        device: torch.device,
    ) -> None:
        """Build the network on the CPU, so that all devices begin with the same weights, and move it."""
        torch.manual_seed(candidate.seed)  # weights and dropout; every device
        network = space.rebuild(candidate.parameters, data.problem)
        self.recipe = network.recipe.override(section)
        self.intervals = plan_intervals(data.num_train, self.recipe.batch_size, section=section)
        self.learning_rate = self.recipe.learning_rate
        self._module = network.module.to(device)
        plan_training(self._module, num_batches=self.intervals.num_batches)
        self._optimizer = make_optimizer(self._module, self.recipe)
        self._schedule = make_schedule(self._optimizer, self.recipe, intervals=self.intervals)
        self._device = device
        self._generator = torch.Generator(device).manual_seed(candidate.seed ^ _SHUFFLING)
        self._check_batches = 1 if device.type == "cpu" else FINITE_CHECK_BATCHES
        self._feed = data.feed(
            self.recipe, batches_per_epoch=self.intervals.batches_per_epoch, generator=self._generator
        )
        self.num_validation_batches = self._feed.num_validation_batches
        self._data = data
        self._training = data.sums()
        self._validation = data.sums()
        self.intervals_done = 0

    @property
    def module(self) -> nn.Module:
        """The network as it stands; to be looked at only."""
        return self._module

    @property
    def batches(self) -> int:
        """Trained, from the candidate's start."""
        return self.intervals_done * self.intervals.batches_per_interval + self._training.num_batches

    @property
    def batches_left(self) -> int:
        """To be trained in this interval."""
        return self.intervals.batches_per_interval - self._training.num_batches

    @property
    def validation_batches_left(self) -> int:
        """To be validated in this interval."""
        return self.num_validation_batches - self._validation.num_batches

    @property
    def epochs(self) -> float:
        """Validated, from the candidate's start."""
        return self.intervals.epoch_after(self.intervals_done)

    def train_batch(self) -> None:
        """One optimizer step on the next batch."""
        self._module.train()
        self._optimizer.zero_grad(set_to_none=True)
        outputs, targets = self._feed.train(self._module)
        loss = self._data.loss(outputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        clip_gradients(self._module, self.recipe)
        self._optimizer.step()
        self._training.add(loss.detach(), outputs.detach(), targets)
        if self._training.num_batches % self._check_batches == 0:
            self._training.check_finite("training")
        self.learning_rate = self._optimizer.param_groups[0]["lr"]
        self._schedule.step()

    def training_means(self) -> Means:
        """Over the interval's batches so far; accuracy as seen while training."""
        return self._training.means("training")

    @torch.no_grad()
    def validate_batch(self) -> None:
        """The next part of the validation data."""
        self._module.eval()
        outputs, targets = self._feed.validate(self._module, self._validation.num_batches)
        self._validation.add(self._data.loss(outputs, targets), outputs, targets)

    def validation_means(self) -> Means:
        """Over the interval's validation batches so far."""
        return self._validation.means("validation")

    def next_interval(self) -> None:
        """The interval is trained and validated: count it, and sum anew."""
        self.intervals_done += 1
        self._training = self._data.sums()
        self._validation = self._data.sums()

    def capture(self) -> Plain:
        """A deep copy, on the host, of all that the rest of this training depends on.

        TypeError where the network's `state_dict` holds what no checkpoint can.
        """
        state = {
            "module": module_state(self._module),
            "optimizer": self._optimizer.state_dict(),
            # What a schedule is made of (dicts of milestones) follows from the recipe; what it counts does not.
            "schedule": {
                name: value
                for name, value in self._schedule.state_dict().items()
                if not isinstance(value, dict)
            },
            "generators": {
                "shuffle": self._generator.get_state(),
                "host": torch.get_rng_state(),
                "device": torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None,
            },
            "feed": self._feed.state(),
            "intervals_done": self.intervals_done,
            "learning_rate": self.learning_rate,
            "training": self._training.state(),
            "validation": self._validation.state(),
        }
        copied: Plain = copy_to_host(state, where="session")
        return copied

    def restore(self, state: Plain) -> None:
        """Stand where the session stood from which `state` was captured: the same candidate's, on such a device.

        Raises whatever torch raises for a state that does not fit; this session is then of no use.
        """
        restore_module(self._module, state["module"], device=self._device)
        # Copied, since torch would go on in these very tensors where they are on the right device.
        self._optimizer.load_state_dict(copy_to_host(state["optimizer"], where="optimizer"))
        self._schedule.load_state_dict(state["schedule"])
        self._feed.restore(state["feed"])
        self.intervals_done = state["intervals_done"]
        self.learning_rate = state["learning_rate"]
        self._training.restore(state["training"])
        self._validation.restore(state["validation"])
        generators = state["generators"]  # last: what is above may have drawn
        self._generator.set_state(generators["shuffle"])
        torch.set_rng_state(generators["host"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(generators["device"], self._device)

    def close(self) -> None:
        """Let go of the network and all that was made for it; nothing else may be called afterwards."""
        self.__dict__.clear()

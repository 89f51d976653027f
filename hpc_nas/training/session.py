"""The state of one training: network, optimizer, schedule, generators, position; it can be copied and restored."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.regularization import plan_training
from hpc_nas.spaces.space import Space
from hpc_nas.training.augmentation import augment
from hpc_nas.training.checkpoint import Plain, copy_to_host
from hpc_nas.training.device_data import DeviceData
from hpc_nas.training.intervals import plan_intervals
from hpc_nas.training.module_state import module_state, restore_module
from hpc_nas.training.optimization import clip_gradients, make_optimizer, make_schedule
from hpc_nas.training.sums import Means, Sums
from hpc_nas.values import Candidate

VALIDATION_BATCH = 256
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
        problem: Problem,
        data: DeviceData,
        section: TrainingSection,
        device: torch.device,
    ) -> None:
        """Build the network on the CPU, so that all devices begin with the same weights, and move it."""
        torch.manual_seed(candidate.seed)  # weights and dropout; every device
        network = space.rebuild(candidate.parameters, problem)
        self.recipe = network.recipe.override(section)
        self.intervals = plan_intervals(len(data.train_labels), self.recipe.batch_size, section=section)
        self.learning_rate = self.recipe.learning_rate
        self.num_validation_batches = -(-len(data.validation_labels) // self._validation_batch)
        self._data = data
        self._module = network.module.to(device)
        plan_training(self._module, num_batches=self.intervals.num_batches)
        self._optimizer = make_optimizer(self._module, self.recipe)
        self._schedule = make_schedule(self._optimizer, self.recipe, intervals=self.intervals)
        self._device = device
        self._generator = torch.Generator(device).manual_seed(candidate.seed ^ _SHUFFLING)
        self._check_batches = 1 if device.type == "cpu" else FINITE_CHECK_BATCHES
        self._order = torch.empty(0, dtype=torch.int64, device=device)
        self._batch_in_epoch = 0
        self._training = Sums(device)
        self._validation = Sums(device)
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

    @property
    def _validation_batch(self) -> int:
        return max(VALIDATION_BATCH, self.recipe.batch_size)

    def train_batch(self) -> None:
        """One optimizer step on the next batch."""
        indices = self._next_indices()
        images = augment(
            self._data.train_images[indices], self.recipe.augmentation, generator=self._generator
        )
        labels = self._data.train_labels[indices]
        self._module.train()
        self._optimizer.zero_grad(set_to_none=True)
        logits = self._module(images)
        loss = cross_entropy(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        clip_gradients(self._module, self.recipe)
        self._optimizer.step()
        self._training.add(loss.detach(), logits.detach(), labels)
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
        start = self._validation.num_batches * self._validation_batch
        part = slice(start, start + self._validation_batch)
        labels = self._data.validation_labels[part]
        self._module.eval()
        images = self._data.validation_images[part].clone()  # a network may work in place
        logits = self._module(images)
        self._validation.add(cross_entropy(logits, labels), logits, labels)

    def validation_means(self) -> Means:
        """Over the interval's validation batches so far."""
        return self._validation.means("validation")

    def next_interval(self) -> None:
        """The interval is trained and validated: count it, and sum anew."""
        self.intervals_done += 1
        self._training = Sums(self._device)
        self._validation = Sums(self._device)

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
            "order": self._order,
            "batch_in_epoch": self._batch_in_epoch,
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
        self._order = state["order"].to(self._device, copy=True)
        self._batch_in_epoch = state["batch_in_epoch"]
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

    def _next_indices(self) -> torch.Tensor:
        if self._batch_in_epoch == 0:
            self._order = torch.randperm(
                self.intervals.samples_per_epoch, generator=self._generator, device=self._order.device
            )
        start = self._batch_in_epoch * self.recipe.batch_size
        self._batch_in_epoch = (self._batch_in_epoch + 1) % self.intervals.batches_per_epoch
        return self._order[start : start + self.recipe.batch_size]

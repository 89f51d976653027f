"""Train a drawn network for a few batches, before a job is spent on the like of it: can it be trained at all?

On the CPU, on samples of noise of the data's own shape: batches are tiny, but all else is what a trainer does, from the
augmentation to the optimizer's step and the validation after it.
"""

from __future__ import annotations

import torch

from hpc_nas.configuration import TrainingSection
from hpc_nas.errors import SpaceError
from hpc_nas.spaces.memory import lacks_memory
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.put_off_compiler import put_off_compiler
from hpc_nas.spaces.space import Network, Space
from hpc_nas.spaces.trial_pass import try_out
from hpc_nas.tasks.registry import noise
from hpc_nas.tasks.sums import NonFiniteLoss
from hpc_nas.training.session import Session
from hpc_nas.values import Candidate

__all__ = ["say_how_counted", "try_training"]

BATCH_SIZE = 2
NUM_BATCHES = 2
"""The second finds what the first leaves behind, as a state that still hangs on the first one's graph."""
MAX_MACS = 50e9
"""Of a sample: what is larger takes minutes on a CPU, and is not tried."""


def try_training(
    candidate: Candidate, *, space: Space, problem: AnyProblem, section: TrainingSection | None = None
) -> None:
    """Train the candidate's network for a few batches. Raises SpaceError, naming its parameters, where it can't be.

    A loss that is not finite, or a lack of memory here, says nothing of others. No generator is moved on.
    """
    if candidate.macs > MAX_MACS:
        return
    put_off_compiler()
    try:
        with torch.random.fork_rng(devices=[]):
            _check_outputs(space.rebuild(candidate.parameters, problem), problem)
            _train(candidate, space=space, problem=problem, section=section or TrainingSection())
    except NonFiniteLoss:
        pass
    except Exception as error:
        if lacks_memory(error):
            return
        if isinstance(error, SpaceError):
            raise
        what = " ".join(str(error).split()) or "no message"
        if not isinstance(error, _Untrainable):
            what = f"{type(error).__name__}: {what}"
        raise space.untrainable(what, candidate.parameters, problem) from error


def say_how_counted(candidate: Candidate, *, space: Space, problem: AnyProblem) -> str | None:
    """Where such networks had to be built on the CPU to be counted: why, and how long it takes. Else None."""
    on_cpu = space.describe(candidate.parameters, problem).on_cpu
    if on_cpu is None:
        return None
    return (
        f"space {space.name!r}: its networks are built and counted on the CPU, {on_cpu.seconds:.2g} s for the first, "
        f"since torch's meta device can't carry them ({' '.join(on_cpu.why.split())[:200]})"
    )


class _Untrainable(Exception):
    """Says in words what torch does not."""


def _check_outputs(network: Network, problem: AnyProblem) -> None:
    network.module.train()
    try:
        with torch.no_grad():
            try_out(network.module, problem, device="cpu")
    except ValueError as error:
        raise _Untrainable(f"in training mode {error}") from error


def _train(candidate: Candidate, *, space: Space, problem: AnyProblem, section: TrainingSection) -> None:
    recipe = space.rebuild(candidate.parameters, problem).recipe.override(section)
    batch_size = min(recipe.batch_size, BATCH_SIZE)
    section = section.model_copy(
        update={"batch_size": batch_size, "epochs_per_interval": 1.0, "max_epochs": 1.0}
    )
    session = Session(
        candidate,
        space=space,
        data=noise(problem, num_samples=NUM_BATCHES * batch_size, seed=candidate.seed),
        section=section,
        device=torch.device("cpu"),
    )
    for _ in range(NUM_BATCHES):
        session.train_batch()
    if all(parameter.grad is None for parameter in session.module.parameters()):
        raise _Untrainable(
            "none of its weights has a gradient after a batch: its outputs don't depend on them"
        )
    session.validate_batch()

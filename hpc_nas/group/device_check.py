"""Do a group's trainers sit on GPUs of their own? Two that were both shown the same one both call it cuda:0."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from mpi4py import MPI

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.group.trainer_resources import bind_device


def check_own_device(trainers: MPI.Comm, *, configuration: Configuration) -> None:
    """Compare this trainer's GPU with the others'; all trainers of the group call it together.

    Raises LaunchError where a GPU has more trainers than `gpu_share`, or this trainer has none. On the CPU there is
    nothing to compare.
    """
    if configuration.platform.gpus_per_node == 0:
        return
    problem, name = "", ""
    try:
        name = _identity(bind_device(configuration, local_rank=trainers.rank))
    except LaunchError as error:
        problem = str(error)  # raised below: the others wait for this rank's word
    names = trainers.allgather(name)
    if problem:
        raise LaunchError(problem)
    check_shares(
        names,
        rank=trainers.rank,
        share=configuration.group.gpu_share,
        visible=os.environ.get(configuration.platform.device_variable, "not set"),
    )


def check_shares(names: Sequence[str], *, rank: int, share: int, visible: str) -> None:
    """Raises LaunchError where this rank's GPU has more trainers than may share one; `names` by rank."""
    together = [other for other, name in enumerate(names) if name == names[rank]]
    if len(together) > share:
        raise LaunchError(
            f"trainers {together} all sit on GPU {names[rank]}, and gpu_share = {share}; trainer {rank} was shown "
            f"{visible}: every rank of a group must see all of its GPUs, so don't let the launcher bind them to tasks "
            "(srun --gpu-bind=none, jsrun -g ALL_GPUS)"
        )


def _identity(device: torch.device) -> str:
    """A name that no other GPU of this node has, whatever its index is here."""
    properties = torch.cuda.get_device_properties(device)
    return str(getattr(properties, "uuid", None) or f"{properties.name} {device}")

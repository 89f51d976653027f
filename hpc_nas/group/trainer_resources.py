"""What a trainer rank needs once and keeps: device, data on it, search space, thread counts."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from pathlib import Path

import torch

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Space
from hpc_nas.tasks.base import TaskData
from hpc_nas.tasks.registry import load_task
from hpc_nas.training.checkpoint_file import Origin
from hpc_nas.training.torch_setup import configure_torch


@dataclass(frozen=True, kw_only=True)
class TrainerResources:
    """Held by a trainer rank from its start to its end; no candidate changes it. `origin` marks its checkpoints."""

    device: torch.device
    space: Space
    data: TaskData
    origin: Origin


def prepare_resources(configuration: Configuration, *, cache_dir: Path, local_rank: int) -> TrainerResources:
    """Bind the device, load the data onto it, load the space. Raises DataError, SpaceError, LaunchError."""
    configure_torch(configuration.training, threads=configuration.group.threads_per_rank)
    device = bind_device(configuration, local_rank=local_rank)
    task = load_task(configuration.data, cache_dir=cache_dir)
    space = load_space(configuration.space)
    return TrainerResources(
        device=device,
        space=space,
        data=task.to_device(device),
        origin=Origin(
            training=configuration.training.model_dump_json(),
            space=f"{configuration.space.model_dump_json()} {_source_fingerprint(space)}",
            data=task.fingerprint,
        ),
    )


def _source_fingerprint(space: Space) -> str:
    """SHA-256 of the file that defines the space: another network may stand under the same parameters in another."""
    try:
        path = inspect.getsourcefile(space.function)
        return "" if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, TypeError):  # a callable that comes from no file
        return ""


def bind_device(configuration: Configuration, *, local_rank: int) -> torch.device:
    """The trainer's GPU by local rank, `gpu_share` trainers to a GPU; the CPU where the platform has none."""
    gpus = configuration.platform.gpus_per_node
    if gpus == 0:
        return torch.device("cpu")
    visible = torch.cuda.device_count()
    index = local_rank // configuration.group.gpu_share
    if index >= visible:
        raise LaunchError(
            f"trainer {local_rank} wants GPU {index} but sees {visible} (the platform file says {gpus} per node); "
            "check CUDA_VISIBLE_DEVICES and what the scheduler granted"
        )
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    return device

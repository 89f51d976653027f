"""Set up torch once per process: threads, and deterministic kernels."""

from __future__ import annotations

import os

import torch

from hpc_nas.configuration import TrainingSection


def configure_torch(section: TrainingSection, *, threads: int) -> None:
    """Use `threads` CPU threads, and deterministic kernels if `section.deterministic`.

    Call it before the first use of a GPU: cuBLAS reads its workspace setting when its context is made.
    Where an operation has no deterministic kernel, torch warns and goes on.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False  # networks change all the time; a search per shape does not pay
    torch.backends.cudnn.deterministic = section.deterministic
    if section.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(section.deterministic, warn_only=True)
    # Filling fresh memory costs time, and nothing of ours reads it before writing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

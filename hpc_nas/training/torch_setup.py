"""Set up torch once per process: threads, deterministic kernels, and what is slow the first time."""

from __future__ import annotations

import gc
import os

import torch

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.put_off_compiler import put_off_compiler


def configure_torch(section: TrainingSection, threads: int) -> None:
    """Use `threads` CPU threads, and deterministic kernels if `section.deterministic`.

    Call it before the first use of a GPU: cuBLAS reads its workspace setting when its context is made.
    Where an operation has no deterministic kernel, torch warns and goes on.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False  # networks change all the time; a search per shape does not pay
    torch.backends.cudnn.deterministic = section.deterministic
    if section.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As torch.use_deterministic_algorithms(..., warn_only=True) does, which imports the compiler to tell it as well.
    torch.set_deterministic_debug_mode("warn" if section.deterministic else "default")
    # Filling fresh memory costs time, and nothing of ours reads it before writing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    _warm_up()


def _warm_up() -> None:
    """Pay now, not in the first candidate's time, and keep what is loaded out of every later collection.

    A full garbage collection walks all that torch has loaded (a tenth of a second and more); frozen, it is left alone.
    """
    put_off_compiler()
    torch.optim.SGD([torch.zeros(1)], lr=1.0)
    gc.collect()
    gc.freeze()

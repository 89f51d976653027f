"""What an exception means: a failed candidate, or a lost device."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from hpc_nas.errors import HpcNasError
from hpc_nas.spaces.memory import causes, says_out_of_memory
from hpc_nas.tasks.sums import NonFiniteLoss
from hpc_nas.values import Reason

_Result = TypeVar("_Result")

MAX_MESSAGE = 500
_STICKY = (
    "cuda error",
    "hip error",
    "device-side assert",
    "illegal memory access",
    "unspecified launch failure",
    "cudaerrorlaunchfailure",
    "uncorrectable ecc",
    "cublas_status_execution_failed",
    "cudnn_status_execution_failed",
)
# Errors of one launch, which leave the device usable: what the network asked for can't be launched.
_REFUSED_LAUNCH = ("invalid configuration argument", "invalid argument", "too many resources requested")
_AcceleratorError: type[Exception] | None = getattr(torch, "AcceleratorError", None)  # since torch 2.8


class DeviceLost(HpcNasError):
    """The device serves this process no longer (CUDA assert, illegal access, ...): the rank ends."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a candidate failed; holds no reference to the error, its frames or their tensors."""

    reason: Reason
    message: str


def guarded(action: Callable[[], _Result], *, building: bool) -> _Result | Failure:
    """The result of `action`, which runs a network's own code, or the failure that its exception means.

    Raises DeviceLost, and whatever is not the network's doing. All else that a trainer calls runs outside.
    """
    try:
        return action()
    except (Exception, SystemExit) as error:
        meaning = classify(error, building=building)
        if meaning is None:
            raise
    reason, message = meaning
    return Failure(reason=reason, message=message)


def classify(error: BaseException, *, building: bool) -> tuple[Reason, str] | None:
    """The reason that an exception gives a candidate, and a message of one line; None: not the candidate's.

    A network that calls sys.exit() ends itself, not the rank; an interrupt is nobody's failure.
    Looks also at what the error was raised from. Raises DeviceLost for an error after which the device
    serves no other network either.
    """
    if not isinstance(error, Exception | SystemExit):
        return None  # KeyboardInterrupt
    if isinstance(error, NonFiniteLoss):
        return Reason.NON_FINITE, str(error)
    for cause in causes(error):
        if says_out_of_memory(cause):
            return Reason.OUT_OF_MEMORY, _describe(cause, building=building)
        if isinstance(cause, DeviceLost) or _is_sticky(cause):
            raise DeviceLost(f"device lost: {_describe(cause, building=building)}") from error
    return Reason.BUILD, _describe(error, building=building)


def release_memory() -> None:
    """Give back what a failed network may have left in reference cycles and in CUDA's cache."""
    gc.collect()
    release_cache()


def release_cache() -> None:
    """Give back the memory that torch keeps for later, which trainers on the same GPU may lack. Cheap."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def _is_sticky(error: BaseException) -> bool:
    text = str(error).lower()
    if any(sign in text for sign in _REFUSED_LAUNCH):
        return False
    if _AcceleratorError is not None and isinstance(error, _AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and any(sign in text for sign in _STICKY)


def _describe(error: BaseException, *, building: bool) -> str:
    lines = str(error).strip().splitlines() or [""]
    doing = "building" if building else "training"
    return f"{doing} the network: {type(error).__name__}: {lines[0]}"[:MAX_MESSAGE]

"""What an exception means."""

from __future__ import annotations

import pickle
import sys

import pytest
import torch

from hpc_nas.errors import ConfigurationError, HpcNasError, SpaceError
from hpc_nas.training.failures import MAX_MESSAGE, DeviceLost, Failure, NonFiniteLoss, classify, guarded
from hpc_nas.values import Reason


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("Storage size calculation overflowed with sizes=[10000000000, 10000000000]"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("HIP error: out of memory"),
    ],
)
def test_lack_of_memory_is_told_from_other_errors(error: Exception) -> None:
    for building in (True, False):
        meaning = classify(error, building=building)
        assert meaning is not None
        assert meaning[0] is Reason.OUT_OF_MEMORY


def test_the_cause_behind_a_space_s_error_counts() -> None:
    wrapped = SpaceError("space 'x': raised RuntimeError")
    wrapped.__cause__ = RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"
    )
    assert classify(wrapped, building=True) == (
        Reason.OUT_OF_MEMORY,
        "building the network: RuntimeError: DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 4 bytes",
    )


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (10x16 and 15x4)"),
        RuntimeError("CUDA error: invalid configuration argument"),
        ValueError("optimizer got an empty parameter list"),
        ConfigurationError("batch_size"),
        ZeroDivisionError("division by zero"),
    ],
)
def test_every_other_exception_of_a_network_is_its_build(error: Exception) -> None:
    expected = f"{type(error).__name__}: {error}"
    assert classify(error, building=True) == (Reason.BUILD, f"building the network: {expected}")
    assert classify(error, building=False) == (Reason.BUILD, f"training the network: {expected}")


def test_a_non_finite_loss_is_non_finite() -> None:
    assert classify(NonFiniteLoss("training loss is not finite"), building=False) == (
        Reason.NON_FINITE,
        "training loss is not finite",
    )


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: unspecified launch failure",
        "CUDA error: uncorrectable ECC error encountered",
        "cudaErrorLaunchFailure",
        "HIP error: the operation cannot be performed in the present state",
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`",
    ],
)
def test_a_sticky_device_error_ends_the_rank(message: str) -> None:
    with pytest.raises(DeviceLost) as caught:
        classify(RuntimeError(message), building=False)
    assert str(caught.value) == f"device lost: training the network: RuntimeError: {message.splitlines()[0]}"
    assert isinstance(caught.value, HpcNasError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.skipif(not hasattr(torch, "AcceleratorError"), reason="torch before 2.8")
def test_torch_s_own_accelerator_error_ends_the_rank() -> None:
    with pytest.raises(DeviceLost, match="AcceleratorError: CUDA: something new"):
        classify(torch.AcceleratorError("CUDA: something new"), building=False)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()])
def test_an_interrupt_is_not_the_candidate_s(error: BaseException) -> None:
    assert classify(error, building=False) is None


@pytest.mark.parametrize(("code", "told"), [(1, "1"), (None, ""), ("no such layer", "no such layer")])
def test_a_network_that_exits_ends_itself(code: int | str | None, told: str) -> None:
    """Not the rank, with all that it holds."""

    def leave() -> None:
        sys.exit(code)

    found = guarded(leave, building=True)
    assert found == Failure(reason=Reason.BUILD, message=f"building the network: SystemExit: {told}")


def test_an_interrupt_goes_through() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(interrupted, building=False)


def test_messages_are_one_line_and_short() -> None:
    meaning = classify(RuntimeError("x" * 2000 + "\nsecond line"), building=False)
    assert meaning is not None
    assert meaning[1].startswith("training the network: RuntimeError: xxx")
    assert (len(meaning[1]), "\n" in meaning[1]) == (MAX_MESSAGE, False)


def test_guarded_returns_what_the_action_returns() -> None:
    assert guarded(lambda: 5, building=False) == 5

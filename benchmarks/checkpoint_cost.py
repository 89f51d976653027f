"""What a checkpoint of the largest `random-cnn` of the paper costs here: the copy that holds a trainer up, write, read.

`python -m benchmarks.checkpoint_cost [DIRECTORY]`: files are written below DIRECTORY (default: the system's temporary
one). Ten layers of 400 filters with 5x5 kernels; SGD as the space has it, and Adam, which triples the state.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.problem import Problem
from hpc_nas.spaces.random_cnn import random_cnn
from hpc_nas.spaces.space import Space
from hpc_nas.tasks.augmentation import Normalization
from hpc_nas.tasks.images import ImageData
from hpc_nas.training.checkpoint import Checkpoint, TrainingPosition
from hpc_nas.training.checkpoint_file import Origin, read_checkpoint, write_checkpoint
from hpc_nas.training.session import Session
from hpc_nas.values import Candidate

LAYERS, FILTERS, KERNEL = 10, 400, 5
REPEATS = 7
CPU = torch.device("cpu")
ORIGIN = Origin(training="", space="", data="")

_Result = TypeVar("_Result")


def main() -> None:
    """Print one line per optimizer."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as directory:
        for optimizer in ("sgd", "adam"):
            print(measure(optimizer, path=Path(directory) / "checkpoint.pt"))


def measure(optimizer: str, *, path: Path) -> str:
    """The line of one optimizer: medians, smallest and largest of `REPEATS`."""
    candidate = _candidate()
    session = _session(candidate, optimizer)
    session.train_batch()  # only then has the optimizer a state
    copies, writes, reads = [], [], []
    for _ in range(REPEATS):
        state, seconds = _timed(session.capture)
        copies.append(seconds)
        checkpoint = Checkpoint(position=_position(candidate), state=state)
        writes.append(_timed(lambda: write_checkpoint(path, checkpoint, origin=ORIGIN))[1])  # noqa: B023
        found, seconds = _timed(lambda: read_checkpoint(path, candidate=candidate, origin=ORIGIN, device=CPU))
        assert isinstance(found, Checkpoint)
        reads.append(seconds)
    return f"{optimizer}: {path.stat().st_size / 1e6:.0f} MB; " + ", ".join(
        f"{name} {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"
        for name, values in (("copy", copies), ("write", writes), ("read", reads))
    )


def _candidate() -> Candidate:
    parameters: dict[str, bool | int | float | str] = {"learning_rate": 0.01, "num_conv_layers": LAYERS}
    for index in range(1, LAYERS + 1):
        convolution = {"filters": FILTERS, "kernel": KERNEL, "stride": 1, "padding": KERNEL // 2}
        parameters |= {f"conv{index}_{name}": value for name, value in convolution.items()}
        pooling = {"kernel": 1, "stride": 1, "padding": 0}
        parameters |= {f"pool{index}_{name}": value for name, value in pooling.items()}
    return Candidate(number=0, seed=1, parameters=parameters, num_parameters=0, num_layers=LAYERS, macs=0)


def _session(candidate: Candidate, optimizer: str) -> Session:
    problem = Problem(channels=1, height=8, width=8, num_classes=10)  # small images: only weights matter
    images, labels = torch.zeros(64, 1, 8, 8), torch.zeros(64, dtype=torch.int64)
    return Session(
        candidate,
        space=Space(
            name="random-cnn", function=random_cnn, options={"optimizer": optimizer, "batch_size": 4}
        ),
        data=ImageData(
            problem=problem,
            train_images=images,
            train_labels=labels,
            validation_images=images,
            validation_labels=labels,
            normalization=Normalization(mean=torch.zeros(1, 1, 1), deviation=torch.ones(1, 1, 1)),
        ),
        section=TrainingSection(),
        device=CPU,
    )


def _position(candidate: Candidate) -> TrainingPosition:
    return TrainingPosition(
        candidate=candidate,
        attempt=0,
        device="cpu",
        epochs=0.0,
        batches=1,
        train_s=0.0,
        validate_s=0.0,
        observations=(),
    )


def _timed(action: Callable[[], _Result]) -> tuple[_Result, float]:
    started = time.perf_counter()
    return action(), time.perf_counter() - started


if __name__ == "__main__":
    main()

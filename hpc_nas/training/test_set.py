"""The test set, which nothing but the last look at a finished network ever sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.spaces.space import Space
from hpc_nas.training.checkpoint import Plain
from hpc_nas.training.datasets import load_dataset
from hpc_nas.training.device_data import AnyData, TextData
from hpc_nas.training.session import Session
from hpc_nas.training.sums import Means
from hpc_nas.training.text import load_text
from hpc_nas.values import Candidate


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """A campaign's data with the test set where validation data stand, normalised as the training data are.

    `normalization` is the mean and the deviation of the pixels that were applied, by channel; a text has none.
    """

    data: AnyData
    num_samples: int
    checksum: str
    normalization: dict[str, list[float]] | None


def load_test_set(section: DataSection, *, cache_dir: Path, data: AnyData) -> HeldOut:
    """Load it from where trainers found `data`, which stay where they are, and are not copied. Raises DataError."""
    if isinstance(data, TextData):
        text = load_text(section)
        tokens = torch.from_numpy(text.test).to(data.validation_tokens.device)
        return HeldOut(
            data=replace(data, validation_tokens=tokens),
            num_samples=text.num_test,
            checksum=text.checksum,
            normalization=None,
        )
    dataset = load_dataset(section, cache_dir=cache_dir)
    device, by_channel = data.validation_labels.device, data.normalization
    on_test = replace(
        data,
        validation_images=by_channel.apply(torch.from_numpy(dataset.test_images).to(device)),
        validation_labels=torch.from_numpy(dataset.test_labels).to(device),
    )
    return HeldOut(
        data=on_test,
        num_samples=len(dataset.test_labels),
        checksum=dataset.checksum,
        normalization={
            "mean": by_channel.mean.flatten().tolist(),
            "deviation": by_channel.deviation.flatten().tolist(),
        },
    )


def evaluate(
    candidate: Candidate,
    weights: Plain,
    *,
    space: Space,
    problem: AnyProblem,
    held_out: HeldOut,
    section: TrainingSection,
    device: torch.device,
) -> Means:
    """Loss and accuracy on the test set of the candidate's network with this state dict, as a validation has them.

    Raises whatever the network's own code raises, NonFiniteLoss besides.
    """
    session = Session(
        candidate, space=space, problem=problem, data=held_out.data, section=section, device=device
    )
    try:
        session.module.load_state_dict(weights, strict=True)
        for _ in range(session.validation_batches_left):
            session.validate_batch()
        return session.validation_means()
    finally:
        session.close()

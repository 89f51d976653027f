"""Whole batches, intervals and epochs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc_nas.configuration import TrainingSection
from hpc_nas.errors import ConfigurationError
from hpc_nas.training.intervals import check_batches, plan_intervals


@pytest.mark.parametrize(
    (
        "num_train",
        "batch_size",
        "max_epochs",
        "interval",
        "batches_per_epoch",
        "batches_per_interval",
        "samples",
    ),
    [
        (100, 10, 20.0, 0.5, 10, 5, 100),
        (1150, 32, 20.0, 0.5, 34, 17, 1088),  # 35 whole batches, but an epoch is two intervals
        (48000, 64, 20.0, 0.5, 750, 375, 48000),
        (100, 10, 20.0, 1.0, 10, 10, 100),
        (109, 10, 20.0, 2.0, 10, 20, 100),
        (100, 10, 3.0, 0.1, 10, 1, 100),
        (20, 10, 1.0, 0.5, 2, 1, 20),
    ],
)
def test_an_epoch_is_a_whole_number_of_intervals(
    num_train: int,
    batch_size: int,
    max_epochs: float,
    interval: float,
    batches_per_epoch: int,
    batches_per_interval: int,
    samples: int,
) -> None:
    section = TrainingSection(max_epochs=max_epochs, epochs_per_interval=interval)
    plan = plan_intervals(num_train, batch_size, section=section)
    assert plan.batches_per_epoch == batches_per_epoch
    assert plan.batches_per_interval == batches_per_interval
    assert plan.samples_per_epoch == samples
    assert plan.num_batches == round(max_epochs * batches_per_epoch)
    assert plan.epoch_after(plan.num_intervals) == max_epochs


def test_fractional_epochs_are_numbered_exactly() -> None:
    plan = plan_intervals(1000, 10, section=TrainingSection(max_epochs=1.0, epochs_per_interval=0.1))
    numbers = [plan.epoch_after(count) for count in range(1, 11)]
    assert numbers == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


@given(
    num_train=st.integers(1, 5000),
    batch_size=st.integers(1, 300),
    parts=st.integers(1, 12),
    num_intervals=st.integers(1, 50),
)
def test_plans_are_whole_or_refused(num_train: int, batch_size: int, parts: int, num_intervals: int) -> None:
    section = TrainingSection(max_epochs=num_intervals / parts, epochs_per_interval=1 / parts)
    if num_train < batch_size * parts:
        with pytest.raises(ConfigurationError):
            plan_intervals(num_train, batch_size, section=section)
        return
    plan = plan_intervals(num_train, batch_size, section=section)
    assert plan.num_intervals == num_intervals
    assert plan.batches_per_interval >= 1
    assert plan.batches_per_epoch == parts * plan.batches_per_interval
    assert 0 <= num_train - plan.samples_per_epoch < batch_size * parts


def test_too_few_data_for_a_batch_size_name_what_is_allowed() -> None:
    section = TrainingSection(epochs_per_interval=0.25, max_epochs=1.0)
    check_batches(1149, 287, section)
    with pytest.raises(ConfigurationError) as caught:
        check_batches(1149, 288, section)
    assert str(caught.value) == (
        "[training]: batch_size = 288 with epochs_per_interval = 0.25 needs 1152 training samples for a batch "
        "in every interval, there are 1149; use batch_size <= 287, or more data"
    )

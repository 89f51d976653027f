"""What every space of images does: it draws, rebuilds, is described without memory, fits its problems, and trains."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from optuna.trial import FixedTrial
from space_helpers import CPU, DIGITS, PROBLEMS, draw, space, train_on, weights

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Problem
from hpc_nas.spaces.registry import SPACES
from hpc_nas.spaces.space import CollapsedShape
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.images import ImageData, split
from hpc_nas.training.torch_setup import configure_torch
from hpc_nas.values import Reason, State

SMALL: dict[str, dict[str, Any]] = {
    "random-cnn": {"max_conv_layers": 3, "max_filters": 16, "batch_size": 32},
    "metaqnn": {"max_layers": 4, "width_divisor": 16, "batch_size": 32},
    "nas-bench-201": {"num_channels": 4, "cells_per_stage": 1, "batch_size": 32},
    "darts": {"num_cells": 3, "num_channels": 4, "batch_size": 32},
    "resnet-random": {"max_blocks": 3, "max_filters": 8, "batch_size": 32},
    "resnet-scaling": {"base_channels": 4, "batch_size": 32},
    "randaugment": {"network": "mobilenet-v2", "width_divisor": 16, "batch_size": 32},
}
"""Options with which a network of the space trains on a CPU in seconds."""
TOO_SMALL = {
    "metaqnn": Problem(channels=1, height=3, width=9, num_classes=10),
    "nas-bench-201": Problem(channels=1, height=3, width=9, num_classes=10),
    "darts": Problem(channels=1, height=9, width=4, num_classes=10),
}
"""A problem that no network of the space fits, where there is one."""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageData:
    configure_torch(TrainingSection(), threads=1)
    section = DataSection(max_train_samples=160)
    dataset = load_dataset(section, cache_dir=tmp_path_factory.mktemp("cache"))
    return split(dataset, section).to_device(CPU)


def test_every_space_of_images_is_tested_here() -> None:
    assert set(SMALL) == {name for name in SPACES if space(name).problem_kind is Problem}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_recorded_parameters_rebuild_the_same_network(name: str, problem: Problem) -> None:
    some_space = space(name)
    drawn, description = draw(some_space, problem, seed=3)
    recorded = json.loads(json.dumps(drawn))
    assert recorded == drawn
    with torch.device("meta"):
        first = some_space.build(FixedTrial(drawn), problem)
        second = some_space.rebuild(recorded, problem)
    assert str(second.module) == str(first.module)
    assert second.recipe == first.recipe
    assert some_space.describe(recorded, problem) == description
    assert min(description.num_parameters, description.num_layers, description.macs) > 0


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_a_real_network_has_the_described_size_and_seeded_weights(name: str, problem: Problem) -> None:
    some_space = space(name, **SMALL[name])
    drawn, description = draw(some_space, problem, seed=4)
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        module = some_space.rebuild(drawn, problem).module
        states.append(weights(module))
    outputs = module(torch.zeros(2, *problem.input_shape))
    assert outputs.shape == (2, problem.num_classes)
    assert sum(weight.numel() for weight in module.parameters()) == description.num_parameters
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])


@pytest.mark.parametrize("name", SMALL)
def test_a_study_takes_many_draws_of_one_space(name: str) -> None:
    """Optuna refuses a parameter whose choices change from trial to trial."""
    import optuna

    some_space = space(name, **SMALL[name])
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=4))
    for value in range(12):
        trial = study.ask()
        try:
            some_space.draw(trial, DIGITS)
        except CollapsedShape:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value % 5)


@pytest.mark.parametrize("name", SMALL)
def test_a_candidate_trains_on_digits(name: str, digits: ImageData) -> None:
    some_space = space(name, **SMALL[name])
    drawn, _ = draw(some_space, DIGITS, seed=5)
    end, rows = train_on(digits, some_space, drawn)
    assert (end.state, end.reason, end.message) == (State.FINISHED, Reason.FULL_BUDGET, "")
    assert [row.epoch for row in rows] == [1.0]
    again = train_on(digits, some_space, drawn)[1]
    assert [row.val_loss for row in again] == [row.val_loss for row in rows]


@pytest.mark.parametrize("name", TOO_SMALL)
def test_images_that_are_too_small_are_named(name: str) -> None:
    with pytest.raises(SpaceError, match=rf"space '{name}' for .*: images of .* are too small"):
        draw(space(name), TOO_SMALL[name], seed=1)

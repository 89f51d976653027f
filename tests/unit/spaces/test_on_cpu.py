"""Networks that torch's meta device can't carry are drawn, counted and rebuilt on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from optuna.distributions import IntDistribution
from optuna.trial import BaseTrial, FixedTrial
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces import Problem
from hpc_nas.spaces.space import CollapsedShape, Space

PROBLEM = Problem(channels=1, height=4, width=4, num_classes=3)
MACS = 16 * 5 + 5 * 3


def _net(width: int, *extra: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, width), *extra, nn.Linear(width, 3))


def plain(trial: BaseTrial, problem: Problem) -> nn.Module:
    return _net(trial.suggest_int("width", 1, 8))


def rates_of_linspace(trial: BaseTrial, problem: Problem) -> nn.Module:
    rates = [rate.item() for rate in torch.linspace(0, 0.2, 3)]
    return _net(trial.suggest_int("width", 1, 8), *(nn.Dropout(rate) for rate in rates))


def checked_init(trial: BaseTrial, problem: Problem) -> nn.Module:
    module = _net(trial.suggest_int("width", 1, 8))
    if module[1].weight.std() < 1e-9:
        raise ValueError("dead initialisation")
    return module


def scale_of_weights(trial: BaseTrial, problem: Problem) -> nn.Module:
    module = _net(trial.suggest_int("width", 1, 8))
    scale = float(module[1].weight.abs().max())
    return nn.Sequential(module, nn.Threshold(-1e9 * scale, 0.0))


class _Shifted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.from_numpy(np.ones(16, dtype=np.float32)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.shift


def buffer_of_numpy(trial: BaseTrial, problem: Problem) -> nn.Module:
    module = _net(trial.suggest_int("width", 1, 8))
    module.insert(1, _Shifted())
    return module


class _LooksAtNumbers(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images / max(1.0, float(images.abs().max()))


def looks_in_forward(trial: BaseTrial, problem: Problem) -> nn.Module:
    return nn.Sequential(_LooksAtNumbers(), _net(trial.suggest_int("width", 1, 8)))


@pytest.mark.parametrize(
    "function", [rates_of_linspace, checked_init, scale_of_weights, buffer_of_numpy, looks_in_forward]
)
def test_a_network_whose_numbers_are_looked_at_is_counted_on_the_cpu(
    function: Callable[..., nn.Module],
) -> None:
    space = Space(name="own", function=function)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    seen = space.draw(FixedTrial({"width": 5}), PROBLEM)
    assert torch.equal(torch.rand(3), expected), "no generator is moved on"
    assert (seen.num_parameters, seen.num_layers, seen.macs) == (16 * 5 + 5 + 5 * 3 + 3, 2, MACS)
    assert seen.on_cpu is not None
    assert seen.on_cpu.seconds > 0.0
    assert seen.on_cpu.why
    assert space.distributions({"width": 5}, PROBLEM) == {"width": IntDistribution(1, 8)}
    assert space.recipe({"width": 5}, PROBLEM).optimizer == "sgd"


@pytest.mark.parametrize(
    "dress",
    [
        nn.utils.parametrizations.orthogonal,
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        nn.utils.spectral_norm,
    ],
)
def test_a_parametrized_layer_is_drawn(dress: Callable[[nn.Module], nn.Module]) -> None:
    def dressed(trial: BaseTrial, problem: Problem) -> nn.Module:
        module = _net(trial.suggest_int("width", 1, 8))
        module[1] = dress(module[1])
        return module

    assert Space(name="own", function=dressed).draw(FixedTrial({"width": 5}), PROBLEM).num_layers == 2


def test_weights_that_are_looked_at_are_the_same_each_time() -> None:
    seen = []

    def looks(trial: BaseTrial, problem: Problem) -> nn.Module:
        module = _net(trial.suggest_int("width", 1, 8))
        seen.append(module[1].weight.sum().item())
        return module

    for seed in (1, 2):
        torch.manual_seed(seed)
        Space(name="own", function=looks).draw(FixedTrial({"width": 5}), PROBLEM)
    assert seen[0] == seen[1]


def test_what_the_meta_device_carries_is_not_built_on_the_cpu() -> None:
    calls = []

    def counted(trial: BaseTrial, problem: Problem) -> nn.Module:
        calls.append(torch.empty(0).device.type)
        return plain(trial, problem)

    assert Space(name="own", function=counted).draw(FixedTrial({"width": 5}), PROBLEM).on_cpu is None
    assert calls == ["meta"]


def test_a_network_that_is_wrong_on_the_cpu_too_is_refused_by_what_is_wrong_there() -> None:
    def dead(trial: BaseTrial, problem: Problem) -> nn.Module:
        module = _net(trial.suggest_int("width", 1, 8))
        nn.init.zeros_(module[1].weight)
        if module[1].weight.std() < 1e-9:
            raise ValueError("dead initialisation")
        return module

    with pytest.raises(
        SpaceError, match=r"raised ValueError: dead initialisation; parameters drawn: width=5"
    ):
        Space(name="own", function=dead).draw(FixedTrial({"width": 5}), PROBLEM)


def test_a_network_too_large_for_the_cpu_is_drawn_again() -> None:
    def huge(trial: BaseTrial, problem: Problem) -> nn.Module:
        torch.zeros(1).item()
        torch.empty(2**60, device="cpu")
        return plain(trial, problem)

    with pytest.raises(CollapsedShape, match=r"^memory: "):
        Space(name="own", function=huge).draw(FixedTrial({"width": 5}), PROBLEM)


def test_a_space_s_own_word_is_not_asked_for_twice() -> None:
    calls = []

    def refuses(trial: BaseTrial, problem: Problem) -> nn.Module:
        calls.append(1)
        raise SpaceError("images must be square")

    with pytest.raises(SpaceError, match="images must be square"):
        Space(name="own", function=refuses).draw(FixedTrial({}), PROBLEM)
    assert len(calls) == 1

"""A drawn network is trained for a few batches before a job starts; what can never be trained is refused there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from optuna.trial import BaseTrial, FixedTrial
from torch import nn

from hpc_nas.configuration import SearchSection, SpaceSection, TrainingSection
from hpc_nas.errors import SpaceError
from hpc_nas.search import SearchContext, make_strategy
from hpc_nas.spaces import Problem, Recipe, TextProblem
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Network, Space
from hpc_nas.training import tryout
from hpc_nas.training.tryout import say_how_counted, try_training
from hpc_nas.values import Candidate

PROBLEM = Problem(channels=1, height=4, width=4, num_classes=3)


class Module(nn.Module):
    """A layer over all pixels, and a forward pass of one's own."""

    def __init__(self, forward: Callable[[Module, torch.Tensor], Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 3)
        self.own = forward
        self.state: torch.Tensor | None = None

    def forward(self, images: torch.Tensor) -> Any:
        return self.own(self, images.flatten(1))


def _keeps_its_graph(module: Module, images: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = module.layer(images)
    if module.training:
        kept, module.state = module.state, logits.mean()
        return logits if kept is None else logits * kept
    return logits


def _in_place(module: Module, images: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = module.layer(images).sigmoid()
    return logits.mul_(2.0) if module.training else logits


def _fresh_leaf(module: Module, images: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = module.layer(images)
    return logits.detach() + torch.zeros(3, requires_grad=True)


REFUSED = {
    "a tuple in training": (
        lambda module, images: (module.layer(images), 0) if module.training else module.layer(images),
        "in training mode 2 samples give tuple, not [batch, num_classes] = [2, 3]",
    ),
    "a dictionary in training": (
        lambda module, images: {"out": module.layer(images)} if module.training else module.layer(images),
        "in training mode 2 samples give dict, not",
    ),
    "more classes in training": (
        lambda module, images: module.layer(images).repeat(1, 2) if module.training else module.layer(images),
        "in training mode 2 samples give [2, 6], not",
    ),
    "complex in training": (
        lambda module, images: module.layer(images) * (1j if module.training else 1.0),
        "in training mode its outputs are torch.complex64, not real",
    ),
    "no gradient": (lambda module, images: module.layer(images).detach(), "does not require grad"),
    "no gradient of a choice": (lambda module, images: module.layer(images).round().int().float(), "grad"),
    "gradient of others": (_fresh_leaf, "none of its weights has a gradient after a batch"),
    "in place": (_in_place, "modified by an inplace operation"),
    "a graph kept": (_keeps_its_graph, "backward through the graph a second time"),
}


def _space(forward: Callable[..., Any], **recipe: Any) -> Space:
    def function(trial: BaseTrial, problem: Problem) -> Network:
        trial.suggest_int("width", 1, 8)
        return Network(module=Module(forward), recipe=Recipe(**recipe))

    return Space(name="own", function=function)


def _candidate(space: Space, problem: Problem | TextProblem = PROBLEM, **parameters: Any) -> Candidate:
    seen = space.draw(FixedTrial(parameters), problem)
    return Candidate(
        number=0,
        seed=5,
        parameters=parameters,
        num_parameters=seen.num_parameters,
        num_layers=seen.num_layers,
        macs=seen.macs,
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_can_never_be_trained_is_refused_with_what_was_drawn(name: str) -> None:
    forward, message = REFUSED[name]
    space = _space(forward)
    with pytest.raises(SpaceError) as caught:
        try_training(_candidate(space, width=5), space=space, problem=PROBLEM)
    said = str(caught.value)
    assert said.startswith(
        "space 'own' for 1x4x4 images, 3 classes: yields a network that can't be trained: "
    )
    assert message in said
    assert said.endswith("; parameters drawn: width=5")
    assert "\n" not in said


def test_a_network_that_trains_passes_and_leaves_random_numbers_alone() -> None:
    space = _space(lambda module, images: module.layer(images), optimizer="adam", augmentation="shift_flip")
    candidate = _candidate(space, width=5)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    section = TrainingSection(max_epochs=1.0, epochs_per_interval=0.001, batch_size=4096)
    try_training(candidate, space=space, problem=PROBLEM, section=section)
    assert torch.equal(torch.rand(3), expected)


def test_a_text_network_passes() -> None:
    problem = TextProblem(vocabulary_size=11, sequence_length=3)
    space = load_space(SpaceSection(name="lstm"))
    context = SearchContext(space=space, problem=problem, seed=1, num_candidates=1)
    candidate = make_strategy(SearchSection(name="random"), context=context).ask(0)
    try_training(candidate, space=space, problem=problem)


def test_normalization_over_batches_of_one_is_refused() -> None:
    def function(trial: BaseTrial, problem: Problem) -> Network:
        module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 3))
        return Network(module=module, recipe=Recipe(batch_size=1))

    space = Space(name="own", function=function)
    with pytest.raises(SpaceError, match="more than 1 value per channel"):
        try_training(_candidate(space), space=space, problem=PROBLEM)


@pytest.mark.parametrize(
    "forward",
    [
        lambda module, images: module.layer(images) * (torch.inf if module.training else 1.0),
        lambda module, images: module.layer(images) + _no_memory(module),
    ],
    ids=["infinite", "no memory"],
)
def test_a_failure_of_one_candidate_is_not_the_space_s(forward: Callable[..., Any]) -> None:
    space = _space(forward)
    try_training(_candidate(space, width=5), space=space, problem=PROBLEM)


def _no_memory(module: Module) -> float:
    if module.training:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    return 0.0


def test_a_network_too_large_for_a_cpu_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tryout, "MAX_MACS", 1.0)
    space = _space(REFUSED["no gradient"][0])
    try_training(_candidate(space, width=5), space=space, problem=PROBLEM)


def test_building_on_the_cpu_is_said_with_its_time() -> None:
    def looks(trial: BaseTrial, problem: Problem) -> nn.Module:
        torch.zeros(1).item()
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    space = Space(name="own", function=looks)
    said = say_how_counted(_candidate(space), space=space, problem=PROBLEM)
    assert said is not None
    assert said.startswith("space 'own': its networks are built and counted on the CPU, ")
    assert " s for the first, since " in said
    plain = _space(lambda module, images: module.layer(images))
    assert say_how_counted(_candidate(plain, width=5), space=plain, problem=PROBLEM) is None

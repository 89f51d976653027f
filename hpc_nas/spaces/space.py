"""A search space: one define-by-run function that draws networks, rebuilds them and has them described."""

from __future__ import annotations

import inspect
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from optuna.distributions import BaseDistribution
from optuna.trial import BaseTrial, FixedTrial
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces.description import Description, OnCpu, describe_module
from hpc_nas.spaces.memory import lacks_memory
from hpc_nas.spaces.options import type_hints
from hpc_nas.spaces.problem import AnyProblem, Problem, TextProblem
from hpc_nas.spaces.put_off_compiler import put_off_compiler
from hpc_nas.spaces.recipe import Recipe

__all__ = ["CollapsedShape", "Network", "Parameters", "Space", "SpaceFunction"]

Parameters = Mapping[str, bool | int | float | str]

_Result = TypeVar("_Result")
_CPU_SEED = 0  # of weights that are looked at while networks are drawn


class CollapsedShape(Exception):
    """A space function raises it for a draw that is no network: a size below 1, or far too many weights.

    The strategy draws again, and counts by the text before the first colon: what collapsed, as in
    `pool2: a window of 5 does not fit ...`.
    """


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a space function returns: a module, and how to train it. One without a recipe may return the bare module.

    For images it goes from [batch, channels, height, width] to logits [batch, num_classes]. For text from tokens
    [batch, length] and a state (a tuple of tensors, empty where a text begins) to logits [batch, length,
    vocabulary_size] and the state behind the last token.
    """

    module: nn.Module
    recipe: Recipe = field(default_factory=Recipe)


SpaceFunction = Callable[..., Network | nn.Module]
"""`function(trial, problem, **options)`; it asks `trial` by Optuna's `suggest_*` methods. Where `problem` is annotated
as `Problem` it is for images alone, as `TextProblem` for text alone."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """A space function under its name, with all its options."""

    name: str
    function: SpaceFunction
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problem_kind(self) -> type[AnyProblem] | None:
        """What its function says it is for; None where it does not say, or takes both."""
        parameters = list(inspect.signature(self.function).parameters)
        annotation = type_hints(self.function).get(parameters[1])
        return annotation if annotation in (Problem, TextProblem) else None

    def build(self, trial: BaseTrial, problem: AnyProblem) -> Network:
        """Draw a network from `trial`, on torch's default device, weights by torch's default generator.

        Raises CollapsedShape for a draw to be repeated, SpaceError where the function raises (SpaceError itself
        for a problem that none of its networks fits) or returns no module. Lack of memory is no fault of the
        space: MemoryError and torch.OutOfMemoryError go through.
        """
        kind = self.problem_kind
        if kind is not None and not isinstance(problem, kind):
            wanted = "a text" if kind is TextProblem else "images"
            raise SpaceError(
                f"space {self.name!r} is for {wanted}, but the data are {problem}; choose another [space] or [data]"
            )
        try:
            result = self.function(trial, problem, **self.options)
        except (CollapsedShape, MemoryError, torch.OutOfMemoryError):
            raise
        except SpaceError as error:  # a space's own word, without the name of its class
            raise self._error(str(error), trial.params, problem) from error
        except Exception as error:
            raise self._error(f"raised {_say(error)}", trial.params, problem) from error
        if isinstance(result, nn.Module):
            return Network(module=result)
        if not isinstance(result, Network) or not isinstance(result.module, nn.Module):
            seen = type(result.module if isinstance(result, Network) else result).__name__
            raise self._error(f"returned {seen}, not a torch module or a Network", trial.params, problem)
        return result

    def draw(
        self, trial: BaseTrial, problem: AnyProblem, *, check: Callable[[Parameters], None] | None = None
    ) -> Description:
        """Draw a network from `trial`, check that it fits the problem, and describe it.

        It is built on the meta device, which allocates nothing; where that can't be (a function that looks at a
        weight or at any other number), once more from the same draws on the CPU.
        `check` is shown what was drawn before the rest, which takes longer; what it raises goes through.
        Raises CollapsedShape as `build`, also where the CPU lacks the memory; SpaceError also for a network that does
        not give what `Network` says or has nothing to train, and for parameters that JSON does not carry.
        """
        put_off_compiler()
        try:
            description = self._describe(trial, problem, check=check, device="meta")
        except SpaceError as error:
            if isinstance(error.__cause__, SpaceError):
                raise  # a space's own word
            description = self._describe_on_cpu(trial, problem, check=check, why=error)
        for name, value in trial.params.items():
            if not _is_json_scalar(value):
                what = (
                    f"parameter {name!r} is {value!r} ({type(value).__name__}), which JSON does not carry; "
                    "use finite numbers, booleans or text"
                )
                raise self._error(what, trial.params, problem)
        return description

    def _describe(
        self,
        trial: BaseTrial,
        problem: AnyProblem,
        *,
        check: Callable[[Parameters], None] | None,
        device: str,
    ) -> Description:
        with torch.device(device):
            network = self.build(trial, problem)
            if check is not None:
                check(trial.params)
            try:
                return describe_module(network.module, problem, recipe=network.recipe, device=device)
            except Exception as error:
                what = f"yields a network that does not fit: {_say(error)}"
                raise self._error(what, trial.params, problem) from error

    def _describe_on_cpu(
        self,
        trial: BaseTrial,
        problem: AnyProblem,
        *,
        check: Callable[[Parameters], None] | None,
        why: SpaceError,
    ) -> Description:
        """What is wrong here, too, is wrong with the network; the numbers that it looks at are the same each time."""
        begun = time.perf_counter()
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_CPU_SEED)
                description = self._describe(trial, problem, check=check, device="cpu")
        except (SpaceError, MemoryError, torch.OutOfMemoryError) as error:
            if lacks_memory(error):
                raise CollapsedShape(f"memory: to build it on the CPU: {error}") from error
            raise
        cause = why.__cause__ if isinstance(why.__cause__, Exception) else why
        return replace(description, on_cpu=OnCpu(why=_say(cause), seconds=time.perf_counter() - begun))

    def rebuild(self, parameters: Parameters, problem: AnyProblem) -> Network:
        """The network that was drawn with these parameters; device and weights as in `build`.

        Raises SpaceError, also where the parameters are not of this space with these options.
        """
        return self._replay(parameters, problem, self.build)[0]

    def untrainable(self, what: str, parameters: Parameters, problem: AnyProblem) -> SpaceError:
        """To be raised where a drawn network was tried in training."""
        return self._error(f"yields a network that can't be trained: {what}", parameters, problem)

    def describe(self, parameters: Parameters, problem: AnyProblem) -> Description:
        """Count parameters, layers and MACs of a drawn network; raises as `rebuild` and `draw`."""
        return self._replay(parameters, problem, self.draw)[0]

    def recipe(self, parameters: Parameters, problem: AnyProblem) -> Recipe:
        """How a drawn network wants to be trained; raises as `rebuild`."""
        return self._replay_quickly(parameters, problem)[0].recipe

    def distributions(self, parameters: Parameters, problem: AnyProblem) -> dict[str, BaseDistribution]:
        """From what each parameter was drawn, by name; raises as `rebuild`."""
        return self._replay_quickly(parameters, problem)[1]

    def _replay_quickly(
        self, parameters: Parameters, problem: AnyProblem
    ) -> tuple[Network, dict[str, BaseDistribution]]:
        """A network whose weights nobody looks at; on the CPU where the meta device can't carry it, as in `draw`."""
        try:
            with torch.device("meta"):
                return self._replay(parameters, problem, self.build)
        except SpaceError as error:
            if isinstance(error.__cause__, SpaceError):
                raise
            with torch.random.fork_rng(devices=[]), torch.device("cpu"):
                torch.manual_seed(_CPU_SEED)
                return self._replay(parameters, problem, self.build)

    def _replay(
        self, parameters: Parameters, problem: AnyProblem, action: Callable[[BaseTrial, AnyProblem], _Result]
    ) -> tuple[_Result, dict[str, BaseDistribution]]:
        """Run `action` on a trial that suggests the recorded values; also the distributions it asked for."""
        trial = FixedTrial(dict(parameters))
        try:
            with warnings.catch_warnings():
                # Optuna only warns of a recorded value that the space no longer allows.
                warnings.filterwarnings("error", message="The value .* of the parameter")
                result = action(trial, problem)
        except CollapsedShape as error:
            raise self._error(f"can't rebuild a network: {error}", parameters, problem) from error
        unused = sorted(set(parameters) - set(trial.params))
        if unused:
            raise self._error(f"does not know the parameters {', '.join(unused)}", parameters, problem)
        return result, dict(trial.distributions)

    def _error(self, what: str, parameters: Mapping[str, Any], problem: AnyProblem) -> SpaceError:
        drawn = ", ".join(f"{name}={value!r}" for name, value in parameters.items()) or "none"
        return SpaceError(f"space {self.name!r} for {problem}: {what}; parameters drawn: {drawn}")


def _is_json_scalar(value: object) -> bool:
    return type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _say(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

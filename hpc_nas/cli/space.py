"""The command `hpc-nas space`: draws networks of a search space and says what they are. Torch is loaded late."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hpc_nas.console import plain_console
from hpc_nas.errors import ConfigurationError

if TYPE_CHECKING:
    from hpc_nas.spaces.problem import AnyProblem
    from hpc_nas.spaces.recipe import Recipe
    from hpc_nas.spaces.space import Space
    from hpc_nas.values import Candidate

__all__ = ["SPACE_HELP", "space"]

MILLION = 1e6
PATIENCE_S = 2.0
IMAGE_SHAPE, TEXT_SHAPE = "3x32x32", "10000x35"  # the latter: Penn Treebank


SPACE_HELP = (
    "Draw networks of a search space: parameters drawn, layers, weights, multiply-adds.\n\n"
    "They are the first candidates of a campaign with the strategy `random` and this seed. They are tried on a few "
    "batches of noise, as a campaign tries its first one: a space whose networks can't be trained is refused."
)
"""Given to the command: docstrings are gone where Python is told to optimize."""


def space(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="a space, or a function of one's own: my_file.py:my_space")
    ] = "",
    sample: Annotated[int, typer.Option(min=1, help="how many networks to draw")] = 5,
    shape: Annotated[
        str,
        typer.Option(
            help="channels x height x width of an image (default 3x32x32), or vocabulary x sequence length of a text "
            "(10000x35, for spaces of text)"
        ),
    ] = "",
    classes: Annotated[int, typer.Option(min=2, help="classes of images to tell apart")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="of the draws: a campaign's [campaign] seed")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="an option of the space; repeatable"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="show the spaces and what they are")] = False,
) -> None:
    """Draw networks of a search space: parameters drawn, layers, weights, multiply-adds.

    They are the first candidates of a campaign with the strategy `random` and this seed. They are tried on a few
    batches of noise, as a campaign tries its first one: a space whose networks can't be trained is refused.
    """
    from hpc_nas.spaces.registry import SPACES

    if show_list:
        plain_console().print(_list_table({key: function.__module__ for key, function in SPACES.items()}))
        return
    if not name:
        raise ConfigurationError(f"name a space: {', '.join(SPACES)}, or my_file.py:my_space")
    some_space = _space(name, settings or [])
    problem = _problem(shape, some_space=some_space, classes=classes)
    candidates = _draw(some_space, problem, seed=seed, count=sample)
    _try(candidates, some_space=some_space, problem=problem)
    recipe = some_space.recipe(candidates[0].parameters, problem)
    if as_json:
        print(json.dumps(_as_json(some_space, problem, recipe, candidates), indent=2))
    else:
        console = plain_console()
        console.print(_table(some_space, problem, candidates))
        said = ", ".join(f"{key} = {value}" for key, value in recipe.model_dump().items())
        console.print(f"recipe of the first: {said}", highlight=False)


def _problem(shape: str, *, some_space: Space, classes: int) -> AnyProblem:
    from hpc_nas.spaces.problem import Problem, TextProblem

    shape = shape or (TEXT_SHAPE if some_space.problem_kind is TextProblem else IMAGE_SHAPE)
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)(?:x([1-9]\d*))?", shape)
    if match is None or (shape.startswith("1x") and match[3] is None):
        raise ConfigurationError(
            f"--shape {shape!r} is not channels x height x width of an image ({IMAGE_SHAPE}), nor vocabulary x "
            f"sequence length of a text ({TEXT_SHAPE})"
        )
    if match[3] is None:
        return TextProblem(vocabulary_size=int(match[1]), sequence_length=int(match[2]))
    return Problem(channels=int(match[1]), height=int(match[2]), width=int(match[3]), num_classes=classes)


def _space(name: str, settings: Sequence[str]) -> Space:
    from hpc_nas.configuration import SpaceSection, parse_setting
    from hpc_nas.configuration.search import Scalar
    from hpc_nas.spaces.registry import load_space

    options: dict[str, Any] = {}
    for setting in settings:
        if "=" not in setting:
            raise ConfigurationError(f"--set {setting}: not of the form option=value")
        keys, value = parse_setting(f"space.{setting}")
        option = ".".join(keys[1:])
        if option == "name" or not isinstance(value, Scalar):
            raise ConfigurationError(
                f"--set {setting}: an option of the space is true or false, a number, or a text"
            )
        options[option] = value
    return load_space(SpaceSection(**{"name": name, **options}))


def _draw(some_space: Space, problem: AnyProblem, *, seed: int, count: int) -> list[Candidate]:
    from hpc_nas.configuration import SearchSection
    from hpc_nas.search import SearchContext, make_strategy

    context = SearchContext(space=some_space, problem=problem, seed=seed, num_candidates=count)
    strategy = make_strategy(SearchSection(name="random"), context=context)
    return [strategy.ask(number) for number in range(count)]


def _try(candidates: Sequence[Candidate], *, some_space: Space, problem: AnyProblem) -> None:
    """In order, the first in any case, and no longer than a user waits gladly."""
    from hpc_nas.training.tryout import say_how_counted, try_training

    end_s = time.monotonic() + PATIENCE_S
    for candidate in candidates:
        try_training(candidate, space=some_space, problem=problem)
        if time.monotonic() > end_s:
            break
    if said := say_how_counted(candidates[0], space=some_space, problem=problem):
        print(said, file=sys.stderr)


def _as_json(
    some_space: Space, problem: AnyProblem, recipe: Recipe, candidates: Sequence[Candidate]
) -> dict[str, Any]:
    keys = {"parameters", "num_layers", "num_parameters", "macs", "redraws", "beyond_limits"}
    return {
        "space": some_space.name,
        "options": dict(some_space.options),
        "problem": problem.model_dump(),
        "recipe": recipe.model_dump(),
        "networks": [candidate.model_dump(include=keys) for candidate in candidates],
    }


def _table(some_space: Space, problem: AnyProblem, candidates: Sequence[Candidate]) -> Table:
    table = Table(title=f"{some_space.name}: {problem}", title_justify="left")
    for heading in ("layers", "weights (M)", "MACs (M)", "redraws"):
        table.add_column(heading, justify="right")
    table.add_column("parameters drawn", overflow="fold")
    for candidate in candidates:
        drawn = candidate.parameters.items()
        table.add_row(
            str(candidate.num_layers),
            f"{candidate.num_parameters / MILLION:.3f}",
            f"{candidate.macs / MILLION:.3f}",
            str(candidate.redraws),
            ", ".join(f"{key}={_short(value)}" for key, value in drawn) or "none",
        )
    return table


def _short(value: bool | int | float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _list_table(modules: dict[str, str]) -> Table:
    table = Table()
    table.add_column("space")
    table.add_column("what it is", overflow="fold")
    for name, module in modules.items():
        # Of the source: a docstring is gone where Python is told to optimize.
        source = ast.parse(inspect.getsource(sys.modules[module]))
        first_line = (ast.get_docstring(source) or "").partition("\n")[0]
        table.add_row(name, first_line.partition(": ")[2])
    return table

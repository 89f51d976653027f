"""Presets from a user's own file: `path/to/file.py:name` names a function or a class there.

A function takes the training, and settings by keyword; it returns a Preset, or a Rule alone. A class is a Rule, whose
arguments are its settings. The forecast that goes with a rule alone is the best accuracy so far.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from estimator.checks import nearest
from estimator.forecasters import BestSoFar
from estimator.preset_library.base import Preset, Training
from estimator.preset_library.expression import Setting
from estimator.rules import Rule
from estimator.user_file import callables_of, load_file
from estimator.values import Source

__all__ = ["user_preset"]


def user_preset(name: str, settings: Mapping[str, Setting], training: Training) -> Preset:
    """The preset that a function or class of a user's file makes.

    Raises ValueError, which names file and function, whatever is wrong with either.
    """
    location, _, function_name = name.rpartition(":")
    module = load_file(Path(location))
    maker = getattr(module, function_name, None)
    if not callable(maker):
        own = nearest(function_name, sorted(callables_of(module)))
        raise ValueError(f"{module.__file__} has no function {function_name!r}{own}")
    where = f"{module.__file__}:{function_name}"
    is_rule = isinstance(maker, type) and issubclass(maker, Rule)
    arguments: tuple[Training, ...] = () if is_rule else (training,)
    _check_call(where, maker, arguments, settings)
    try:
        made = maker(*arguments, **settings)
    except Exception as error:
        raise ValueError(f"{where}: raised {type(error).__name__}: {error}") from error
    return _as_preset(where, made, training)


def _check_call(
    where: str, maker: Any, arguments: tuple[Training, ...], settings: Mapping[str, Setting]
) -> None:
    """Whether it can be called so: an unknown setting and a missing one are named."""
    try:
        signature = inspect.signature(maker)
        parameters = list(signature.parameters.values())[len(arguments) :]
        known = [
            each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        ]
        is_open = any(each.kind is each.VAR_KEYWORD for each in parameters)
        for setting in settings:
            if setting not in known and not is_open:
                raise ValueError(f"{where}: unknown setting {setting!r}{nearest(setting, known)}")
        signature.bind(*arguments, **settings)
    except TypeError as error:
        wanted = "takes the training and settings by keyword" if arguments else "takes settings by keyword"
        raise ValueError(f"{where}: {error}; a rule of one's own {wanted}") from error


def _as_preset(where: str, made: object, training: Training) -> Preset:
    if isinstance(made, Rule):
        return Preset(
            name=where,
            max_epochs=training.max_epochs,
            forecaster=BestSoFar(),
            rule=made,
            conclusion=Source.BEST_OBSERVED,
        )
    if not isinstance(made, Preset):
        raise ValueError(
            f"{where}: returned {type(made).__name__}; return an estimator.Preset or an estimator.Rule"
        )
    if made.max_epochs != training.max_epochs:
        raise ValueError(
            f"{where}: returned a preset with max_epochs = {made.max_epochs:g}, but the training has "
            f"{training.max_epochs:g}; use training.max_epochs"
        )
    return made

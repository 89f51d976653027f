"""Presets by name, with settings, and combined."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from estimator.checks import nearest
from estimator.forecasters import Joint
from estimator.preset_library import adaptive, baselines, peng4nn, probability, rungs
from estimator.preset_library.base import Preset, Training
from estimator.preset_library.expression import Combination, Delayed, Expression, Named, Setting, parse
from estimator.preset_library.user_rule import user_preset
from estimator.rules import After, AllOf, AnyOf

__all__ = ["preset", "presets"]

_BUILDERS: dict[str, Callable[..., Preset]] = {
    "peng4nn": peng4nn.peng4nn,
    "peng4nn-listing": peng4nn.peng4nn_listing,
    "penguin": peng4nn.penguin,
    "a4nn": peng4nn.a4nn,
    "menndl": baselines.menndl,
    "i-epoch": baselines.i_epoch,
    "none": baselines.none,
    "peng4nn-fast": peng4nn.peng4nn_fast,
    "lce": probability.lce,
    "patience": baselines.patience,
    "median": baselines.median,
    "rungs": rungs.rungs,
    "asha": rungs.asha,
    "successive-halving": rungs.successive_halving,
    "hyperband": rungs.hyperband,
    "baker": probability.baker,
    "prob-top": probability.prob_top,
    "adaptive": adaptive.adaptive,
    "adaptive-fast": adaptive.adaptive_fast,
    "adaptive-steady": adaptive.adaptive_steady,
}
_RULES = {Combination.ANY: AnyOf, Combination.ALL: AllOf}


def preset(
    name: str,
    *,
    max_epochs: float,
    epochs_per_interval: float = 0.5,
    chance_accuracy: float = math.nan,
    **settings: Setting,
) -> Preset:
    """The preset of that name, with its own settings (`docs/estimator.md` lists them).

    `name` may bring settings along, or combine presets: `peng4nn:window=4`, `any(peng4nn, patience)`; it may also be a
    function in a user's own file, `my_rules.py:my_rule`, whose path begins at the working directory.
    `max_epochs` is the full budget (e_max), `epochs_per_interval` the epochs between validations (E), and
    `chance_accuracy` the largest class's share of the validation set in percent (NaN: unknown, and no
    candidate is recognised as one that never learns). Raises ValueError for an unknown name or setting, or a
    value that can't be.
    """
    expression = parse(name)
    if settings:
        expression = _with_settings(expression, settings)
    try:
        training = Training(
            max_epochs=max_epochs, epochs_per_interval=epochs_per_interval, chance_accuracy=chance_accuracy
        )
    except ValueError as error:
        raise ValueError(f"preset {name}: {error}") from error
    return replace(_build(expression, training), chance_accuracy=training.chance_accuracy)


def presets() -> dict[str, str]:
    """Every preset's name, with one line that says what it is."""
    return {name: inspect.getdoc(builder) or "" for name, builder in _BUILDERS.items()}


def _with_settings(expression: Expression, settings: dict[str, Setting]) -> Named:
    if not isinstance(expression, Named):
        raise ValueError(
            f"preset {expression}: settings {', '.join(settings)} belong to one of its members; "
            "write them there, as NAME:key=value"
        )
    for key, _ in expression.settings:
        if key in settings:
            raise ValueError(f"preset {expression}: setting {key!r} is given twice")
    return replace(expression, settings=(*expression.settings, *settings.items()))


def _build(expression: Expression, training: Training) -> Preset:
    if isinstance(expression, Named):
        build = user_preset if expression.is_file else _build_named
        return build(expression.name, dict(expression.settings), training)
    inner = [expression.member] if isinstance(expression, Delayed) else expression.members
    members, name = [_build(member, training) for member in inner], str(expression)
    try:
        if isinstance(expression, Delayed):
            return _after(expression.epochs, members[0], name=name)
        return _combine(members, combination=expression.combination, name=name)
    except ValueError as error:
        raise ValueError(f"preset {name}: {error}") from error


def _build_named(name: str, settings: dict[str, Setting], training: Training) -> Preset:
    if name not in _BUILDERS:
        raise ValueError(
            f"unknown preset {name!r}{nearest(name, list(_BUILDERS))}, or my_rules.py:my_rule for one of your own"
        )
    builder = _BUILDERS[name]
    known = list(inspect.signature(builder).parameters)[1:]
    for setting in settings:
        if setting not in known:
            raise ValueError(f"preset {name}: unknown setting {setting!r}{nearest(setting, known)}")
    try:
        return builder(training, **settings)
    except ValueError as error:
        raise ValueError(f"preset {name}: {error}") from error


def _combine(members: Sequence[Preset], *, combination: Combination, name: str) -> Preset:
    """Stop when any or all of the members do; each keeps its forecaster.

    The first member's conclusion holds for candidates that are trained to the end. Raises ValueError for a member that
    pauses: its promotion could not know what the others decided.
    """
    for member in members:
        _refuse_pauses(member)
    return replace(
        members[0],
        name=name,
        forecaster=Joint(members=tuple(member.forecaster for member in members)),
        rule=_RULES[combination](members=tuple(member.rule for member in members)),
    )


def _after(epochs: float, member: Preset, *, name: str) -> Preset:
    """As `member`, but not before `epochs`. Raises ValueError for a member that pauses."""
    _refuse_pauses(member)
    if epochs > member.max_epochs:
        raise ValueError(f"epochs = {epochs} is more than max_epochs = {member.max_epochs}")
    return replace(member, name=name, rule=After(epochs=epochs, member=member.rule))


def _refuse_pauses(member: Preset) -> None:
    if member.pauses:
        raise ValueError(
            f"{member.name!r} pauses candidates, which a combination can't; "
            "combine presets that only stop (rungs and asha do, with form=stopping)"
        )

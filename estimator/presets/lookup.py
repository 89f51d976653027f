"""Presets by name."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable
from dataclasses import replace

from estimator.presets import baselines, peng4nn, prob_top, simple
from estimator.presets.base import Preset, Training

__all__ = ["preset", "presets"]

_BUILDERS: dict[str, Callable[..., Preset]] = {
    "peng4nn": peng4nn.peng4nn,
    "peng4nn-listing": peng4nn.peng4nn_listing,
    "penguin": peng4nn.penguin,
    "a4nn": peng4nn.a4nn,
    "menndl": baselines.menndl,
    "i-epoch": baselines.i_epoch,
    "none": baselines.none,
    "patience": simple.patience,
    "median": simple.median,
    "prob-top": prob_top.prob_top,
}


def preset(
    name: str,
    *,
    max_epochs: float,
    epochs_per_interval: float = 0.5,
    chance_accuracy: float = math.nan,
    **settings: bool | int | float | str,
) -> Preset:
    """The preset of that name, with its own settings (`docs/estimator.md` lists them).

    `max_epochs` is the full budget (e_max), `epochs_per_interval` the epochs between validations (E), and
    `chance_accuracy` the largest class's share of the validation set in percent (NaN: unknown, and no
    candidate is recognised as one that never learns). Raises ValueError for an unknown name or setting, or a
    value that can't be.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown preset {name!r}{_nearest(name, list(_BUILDERS))}")
    builder = _BUILDERS[name]
    known = list(inspect.signature(builder).parameters)[1:]
    for setting in settings:
        if setting not in known:
            raise ValueError(f"preset {name}: unknown setting {setting!r}{_nearest(setting, known)}")
    try:
        training = Training(
            max_epochs=max_epochs, epochs_per_interval=epochs_per_interval, chance_accuracy=chance_accuracy
        )
        return replace(builder(training, **settings), chance_accuracy=training.chance_accuracy)
    except ValueError as error:
        raise ValueError(f"preset {name}: {error}") from error


def presets() -> dict[str, str]:
    """Every preset's name, with one line that says what it is."""
    return {name: inspect.getdoc(builder) or "" for name, builder in _BUILDERS.items()}


def _nearest(word: str, known: list[str]) -> str:
    """The rest of a message about an unknown word."""
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} known: {', '.join(known) or 'none'}"

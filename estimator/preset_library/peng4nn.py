"""Presets: the four versions of PEng4NN's engine, each as its source has it, and one over our own solver.

| | `peng4nn` | `peng4nn-listing` | `penguin` | `a4nn` |
|---|---|---|---|---|
| asymptote a, at most | 102.5 | 102.5 | 200 | 200 |
| start of the fit | (10, 1.001, 100) | same | same | SciPy's |
| x of the first interval | 1 | 1 | 1 | 0 |
| first fit, points | 3 | 3 | 2 | 4 |
| forecast | a | a | curve at max_epochs | curve at max_epochs |
| trained to the end | best accuracy | best | last | last |
"""

from __future__ import annotations

from estimator.forecasters import Exponential, SeparableExponential, Target
from estimator.preset_library.base import Preset, Training
from estimator.rules import A4nnConvergence, Convergence, ListingConvergence, PenguinConvergence
from estimator.values import Source

__all__ = ["a4nn", "peng4nn", "peng4nn_fast", "peng4nn_listing", "penguin"]

START = (10.0, 1.001, 100.0)
"""Where the fit starts: a, b and c of PEng4NN, section III-B2."""

SCIPY_START = (100.25, 2.0, 1.0)
"""Where SciPy starts if given nothing: the middle of a's bounds, one above the lower bounds of b and c."""

PAPER_ASYMPTOTE = 102.5
CODE_ASYMPTOTE = 200.0
"""Upper bounds of a, percent: in the paper, and in the released codes."""


def peng4nn(
    training: Training,
    *,
    window: int = 3,
    tolerance: float = 0.5,
    min_points: int = 3,
    loss_check: bool = False,
    loss_patience_epochs: float = 5.0,
    never_learn_margin: float = 1.0,
) -> Preset:
    """PEng4NN as its paper's text says (arXiv 2101.04185): stop when the asymptote's forecast is stable."""
    return Preset(
        name="peng4nn",
        max_epochs=training.max_epochs,
        forecaster=_paper_curve(training, min_points=min_points),
        rule=Convergence(
            window=window,
            tolerance=tolerance,
            loss_check=loss_check,
            loss_patience_epochs=loss_patience_epochs,
            never_learn=training.never_learn(never_learn_margin),
        ),
        conclusion=Source.BEST_OBSERVED,
    )


def peng4nn_listing(
    training: Training,
    *,
    window: int = 3,
    tolerance: float = 0.5,
    min_points: int = 3,
    loss_check: bool = False,
    loss_patience_epochs: float = 5.0,
    never_learn_margin: float = 1.0,
) -> Preset:
    """PEng4NN as its Algorithms 1 and 2 say: stop when the measured accuracy is stable."""
    return Preset(
        name="peng4nn-listing",
        max_epochs=training.max_epochs,
        forecaster=_paper_curve(training, min_points=min_points),
        rule=ListingConvergence(
            window=window,
            tolerance=tolerance,
            loss_check=loss_check,
            loss_patience_epochs=loss_patience_epochs,
            never_learn=training.never_learn(never_learn_margin),
            epochs_per_interval=training.epochs_per_interval,
            min_points=min_points,
        ),
        conclusion=Source.BEST_OBSERVED,
    )


def penguin(
    training: Training,
    *,
    window: int = 3,
    tolerance: float = 0.5,
    min_points: int = 2,
    never_learn_margin: float = 1.0,
) -> Preset:
    """PENGUIN, the code that PEng4NN's authors released in 2022."""
    return Preset(
        name="penguin",
        max_epochs=training.max_epochs,
        forecaster=_code_curve(training, min_points=min_points, start=START, first_x=1.0),
        rule=PenguinConvergence(
            window=window,
            tolerance=tolerance,
            never_learn=training.never_learn(never_learn_margin),
            highest_asymptote=CODE_ASYMPTOTE - 0.01,
        ),
        conclusion=Source.LAST_OBSERVED,
    )


def a4nn(
    training: Training,
    *,
    window: int = 3,
    tolerance: float = 0.5,
    min_points: int = 4,
    never_learn_margin: float = 1.0,
) -> Preset:
    """A4NN's engine (ICPP 2023), the code that followed PENGUIN."""
    return Preset(
        name="a4nn",
        max_epochs=training.max_epochs,
        forecaster=_code_curve(training, min_points=min_points, start=SCIPY_START, first_x=0.0),
        rule=A4nnConvergence(
            window=window, tolerance=tolerance, never_learn=training.never_learn(never_learn_margin)
        ),
        conclusion=Source.LAST_OBSERVED,
    )


def peng4nn_fast(
    training: Training,
    *,
    window: int = 3,
    tolerance: float = 0.5,
    min_points: int = 3,
    loss_check: bool = False,
    loss_patience_epochs: float = 5.0,
    never_learn_margin: float = 1.0,
) -> Preset:
    """PEng4NN's rule over our own solver: global optima, no failed fits; not all decisions are the same."""
    return Preset(
        name="peng4nn-fast",
        max_epochs=training.max_epochs,
        forecaster=SeparableExponential(
            max_epochs=training.max_epochs,
            epochs_per_interval=training.epochs_per_interval,
            min_points=min_points,
        ),
        rule=Convergence(
            window=window,
            tolerance=tolerance,
            loss_check=loss_check,
            loss_patience_epochs=loss_patience_epochs,
            never_learn=training.never_learn(never_learn_margin),
        ),
        conclusion=Source.BEST_OBSERVED,
    )


def _paper_curve(training: Training, *, min_points: int) -> Exponential:
    return Exponential(
        max_epochs=training.max_epochs,
        epochs_per_interval=training.epochs_per_interval,
        min_points=min_points,
        highest_asymptote=PAPER_ASYMPTOTE,
        start=START,
        first_x=1.0,
        target=Target.ASYMPTOTE,
    )


def _code_curve(
    training: Training, *, min_points: int, start: tuple[float, float, float], first_x: float
) -> Exponential:
    return Exponential(
        max_epochs=training.max_epochs,
        epochs_per_interval=training.epochs_per_interval,
        min_points=min_points,
        highest_asymptote=CODE_ASYMPTOTE,
        start=start,
        first_x=first_x,
        target=Target.MAX_EPOCHS,
    )

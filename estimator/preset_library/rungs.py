"""Presets: successive halving in its forms. Rungs compare candidates by their best accuracy so far."""

from __future__ import annotations

from enum import StrEnum
from math import ceil, log

from estimator.checks import require_at_least, require_positive, to_choice
from estimator.curve import SLACK
from estimator.forecasters import BestSoFar
from estimator.preset_library.base import Preset, Training
from estimator.promotions import AsynchronousHalving, NoPromotion, Promotion, SynchronousHalving
from estimator.rules import Bracket, Brackets, PauseAtRungs, Rule, Rung, Rungs
from estimator.values import Source

__all__ = ["Form", "asha", "hyperband", "rungs", "successive_halving"]


class Form(StrEnum):
    """What a rung does with those that are not good enough."""

    STOPPING = "stopping"  # they are stopped finally
    PROMOTING = "promoting"  # all are paused, and those that turn out to be good enough are resumed


def rungs(
    training: Training,
    *,
    fractions: str | float = "0.1,0.3",
    keep: str | float = "0.5,0.4",
    form: str = Form.STOPPING,
) -> Preset:
    """At these fractions of the full budget, only the best shares of the candidates go on."""
    epochs = [fraction * training.max_epochs for fraction in _numbers("fractions", fractions)]
    shares = _numbers("keep", keep)
    if len(epochs) != len(shares):
        raise ValueError(f"fractions = {fractions!r} and keep = {keep!r} must be equally many numbers")
    if any(epoch >= training.max_epochs for epoch in epochs):
        raise ValueError(f"fractions = {fractions!r} must be below 1, the full budget")
    made = tuple(Rung(epoch=epoch, keep=share) for epoch, share in zip(epochs, shares, strict=True))
    return _asynchronous("rungs", training, made, form=form)


def asha(
    training: Training, *, eta: float = 3.0, min_epochs: float = 1.0, form: str = Form.PROMOTING
) -> Preset:
    """ASHA (Li et al., MLSys 2020): at epochs 1, eta, eta^2, ... the best 1/eta go on, as soon as they are."""
    return _asynchronous("asha", training, _geometric(training, eta=eta, min_epochs=min_epochs), form=form)


def successive_halving(training: Training, *, eta: float = 3.0, min_epochs: float = 1.0) -> Preset:
    """Successive halving (AISTATS 2016): as asha, but each rung waits until all of a cohort are there."""
    made = _geometric(training, eta=eta, min_epochs=min_epochs)
    bracket = Bracket(num_candidates=ceil(eta ** len(made) - SLACK), rungs=made)
    return _synchronous("successive-halving", training, Brackets(brackets=(bracket,)))


def hyperband(training: Training, *, eta: float = 3.0, min_epochs: float = 1.0) -> Preset:
    """Hyperband (Li et al., JMLR 2018): brackets of successive halving that begin at different rungs."""
    _require(training, eta=eta, min_epochs=min_epochs)
    highest = int(log(training.max_epochs / min_epochs) / log(eta) + SLACK)
    made = [
        Bracket(
            num_candidates=ceil((highest + 1) / (most + 1) * eta**most - SLACK),
            rungs=tuple(
                Rung(epoch=training.max_epochs / eta**left, keep=1 / eta) for left in range(most, 0, -1)
            ),
        )
        for most in range(highest, -1, -1)
    ]
    return _synchronous("hyperband", training, Brackets(brackets=tuple(made)))


def _asynchronous(name: str, training: Training, made: tuple[Rung, ...], *, form: str) -> Preset:
    if to_choice("form", form, Form) is Form.STOPPING:
        return _preset(name, training, Rungs(rungs=made), NoPromotion())
    everyone = Brackets(brackets=(Bracket(num_candidates=1, rungs=made),))
    return _preset(name, training, PauseAtRungs(brackets=everyone), AsynchronousHalving(rungs=made))


def _synchronous(name: str, training: Training, brackets: Brackets) -> Preset:
    return _preset(name, training, PauseAtRungs(brackets=brackets), SynchronousHalving(brackets=brackets))


def _preset(name: str, training: Training, rule: Rule, promotion: Promotion) -> Preset:
    return Preset(
        name=name,
        max_epochs=training.max_epochs,
        forecaster=BestSoFar(),
        rule=rule,
        conclusion=Source.BEST_OBSERVED,
        promotion=promotion,
    )


def _geometric(training: Training, *, eta: float, min_epochs: float) -> tuple[Rung, ...]:
    """Rungs at min_epochs, min_epochs * eta, ... below the full budget, each of which keeps 1/eta."""
    _require(training, eta=eta, min_epochs=min_epochs)
    made, epoch = [], min_epochs
    while epoch < training.max_epochs - SLACK:
        made.append(Rung(epoch=epoch, keep=1 / eta))
        epoch *= eta
    return tuple(made)


def _require(training: Training, *, eta: float, min_epochs: float) -> None:
    require_at_least("eta", eta, minimum=1.5)
    require_positive("min_epochs", min_epochs)
    if min_epochs > training.max_epochs:
        raise ValueError(f"min_epochs = {min_epochs} is more than max_epochs = {training.max_epochs}")


def _numbers(name: str, text: str | float) -> list[float]:
    """The numbers of a setting such as "0.1,0.3"."""
    try:
        return [float(number) for number in str(text).split(",")]
    except ValueError:
        raise ValueError(f'{name} = {text!r} must be numbers with commas, as in "0.1,0.3"') from None

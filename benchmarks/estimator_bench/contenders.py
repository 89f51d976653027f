"""What is replayed: every preset, i-Epoch at shares of the budget, and what each costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from estimator import Preset, preset, presets
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.front import epochs_at

__all__ = ["AGREEING", "I_EPOCH", "REFERENCE", "Contender", "contenders"]

REFERENCE, FAST = "peng4nn", "peng4nn-fast"
AGREEING = "peng4nn-fast on peng4nn's sample"
"""Replayed beside `peng4nn` on the same candidates, only to compare the two."""

I_EPOCH = "i-epoch"
"""The family that is drawn as a front."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One rule of the comparison.

    - `name`: its name in results and report; `text`: its preset, with `{epochs}` for a share of the budget.
    - `family`: those that are one method with different settings; `share`: of each set's full budget.
    - `num_orders`: random orders, if it looks at other candidates.
    - `sampled`: its fits are slow, so it is replayed on a sample of each set unless all are asked for.
    - `cost_ms`: roughly, CPU time per candidate and order; for the time left.
    - `needs_train_loss`: left out on sets without; `shown`: in tables and plots.
    """

    name: str
    text: str
    family: str
    share: float = 0.0
    num_orders: int = 10
    sampled: bool = False
    cost_ms: float = 1.0
    needs_train_loss: bool = False
    shown: bool = True

    def preset(self, curves: CurveSet) -> Preset:
        """The preset for this set. Raises ValueError for what its budget forbids."""
        text = self.text.format(epochs=repr(epochs_at(curves, self.share))) if self.share else self.text
        return preset(
            text,
            max_epochs=curves.max_epochs,
            epochs_per_interval=min(curves.epochs_per_interval, curves.max_epochs),
            chance_accuracy=curves.chance_accuracy,
        )


def contenders() -> list[Contender]:
    """All of them: those named here, then every other preset that is registered, except `none`."""
    named = [*_papers(), *_fixed_budgets(), *_cheap(), *_learning(), *_ours()]
    known = {item.text.partition(":")[0] for item in named} | {"none"}
    others = [
        Contender(name=name, text=name, family=name, num_orders=3, cost_ms=40.0)
        for name in presets()
        if name not in known
    ]
    return [*named, *others]


def _papers() -> Iterator[Contender]:
    for name, cost_ms in (
        (REFERENCE, 250.0),
        ("peng4nn-listing", 250.0),
        ("penguin", 400.0),
        ("a4nn", 110.0),
    ):
        yield Contender(name=name, text=name, family="PEng4NN", sampled=True, cost_ms=cost_ms)
    yield Contender(name=FAST, text=FAST, family="PEng4NN", cost_ms=12.0)
    yield Contender(name=AGREEING, text=FAST, family="PEng4NN", sampled=True, cost_ms=12.0, shown=False)
    yield Contender(name="menndl", text="menndl", family="menndl", needs_train_loss=True)


def _fixed_budgets() -> Iterator[Contender]:
    for percent in (5, 10, 20, 30, 50):
        yield Contender(
            name=f"{I_EPOCH} at {percent} %",
            text=I_EPOCH + ":epochs={epochs}",
            family=I_EPOCH,
            share=percent / 100.0,
        )
    for percent in (10, 20, 30):
        yield Contender(
            name=f"{I_EPOCH} blend at {percent} %",
            text=I_EPOCH + ":epochs={epochs},signal=blend",
            family="i-epoch blend",
            share=percent / 100.0,
            num_orders=5,
            cost_ms=4.0,
        )


def _cheap() -> Iterator[Contender]:
    yield Contender(name="patience", text="patience", family="patience")
    yield Contender(name="median", text="median", family="median")
    for name in ("rungs", "asha", "successive-halving", "hyperband"):
        yield Contender(name=name, text=name, family="rungs", cost_ms=3.0)


def _learning() -> Iterator[Contender]:
    yield Contender(name="lce", text="lce", family="lce", num_orders=5, cost_ms=8.0)
    yield Contender(name="baker", text="baker", family="baker", num_orders=3, cost_ms=5.0)
    for text in ("prob-top", "prob-top:top=.1"):
        yield Contender(name=text, text=text, family="prob-top", num_orders=3, cost_ms=10.0)


def _ours() -> Iterator[Contender]:
    for name in ("adaptive", "adaptive-fast", "adaptive-steady"):
        if name in presets():
            yield Contender(name=name, text=name, family="adaptive", num_orders=3, cost_ms=25.0)

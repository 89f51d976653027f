"""Rules as a user names them, and as presets for one set of curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from estimator import Preset, preset, presets
from hpc_nas.errors import ConfigurationError
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.front import epochs_at

__all__ = ["Rule", "default_rules", "named_rules"]

_BY_DEFAULT = ("peng4nn", "prob-top", "adaptive", "adaptive-fast")
_SHARES = (0.1, 0.3, 0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What is replayed. `text` is how the user named it, and the key of its figures.

    `share`, where it is above 0, says that this is i-Epoch at that share of each set's full budget.
    """

    text: str
    share: float = 0.0

    def preset(self, curves: CurveSet) -> Preset:
        """The preset for this set. Raises ConfigurationError for an unknown name, or what its budget forbids."""
        text = f"i-epoch:epochs={epochs_at(curves, self.share)!r}" if self.share else self.text
        try:
            return preset(
                text,
                max_epochs=curves.max_epochs,
                epochs_per_interval=min(curves.epochs_per_interval, curves.max_epochs),
                chance_accuracy=curves.chance_accuracy,
            )
        except ValueError as error:
            raise ConfigurationError(f"--rule {self.text} on {curves.name}: {error}") from error


def named_rules(texts: Sequence[str]) -> list[Rule]:
    """The rules of the command line, each once."""
    return [Rule(text=text) for text in dict.fromkeys(texts)]


def default_rules() -> list[Rule]:
    """What is compared if nothing is named: PEng4NN, i-Epoch at 10, 30 and 50 % of the budget, and ours."""
    i_epochs = [Rule(text=f"i-epoch at {share:.0%}".replace("%", " %"), share=share) for share in _SHARES]
    first, *ours = [Rule(text=name) for name in _BY_DEFAULT if name in presets()]
    return [first, *i_epochs, *ours]

"""Searches over a made-up space whose accuracies are known at once: does a strategy find better ones than chance?

The space is a caricature of convolutional networks: a best learning rate, a best depth, a best width for each layer.
Estimates are off by normal errors as large as their spread says, up to 8 points, and 30 % are measured. With
`honest` spreads that is all; with `blind` ones, candidates below 72 % are stopped with an estimate between 10 and 18
and a spread of 80 points, as a rule does that fits a curve to a network that never learns.
"""

from __future__ import annotations

import math
from statistics import mean, stdev

import numpy as np
from optuna.trial import BaseTrial, FixedTrial
from torch import nn

from benchmarks.search_bench.costs import IN_FLIGHT, Undescribed, converged
from benchmarks.search_bench.values import Simulated
from hpc_nas.configuration import SearchSection
from hpc_nas.search import SearchContext, make_strategy
from hpc_nas.spaces import Problem
from hpc_nas.values import Candidate, Outcome

__all__ = ["SIMULATED", "simulate"]

SIMULATED: dict[str, dict[str, str]] = {
    "random": {},
    "tpe": {},
    "tpe, pessimistic": {"ranking": "pessimistic"},
    "regularized-evolution": {},
    "regularized-evolution, spread": {"ranking": "spread"},
    "nsga2": {},
    "nsga2, spread": {"ranking": "spread"},
    "metaqnn": {},
}
"""Options by label; the strategy's name comes before the comma."""

MEASURED_SHARE = 0.3
SPREADS = (0.5, 1.0, 2.0, 4.0, 8.0)
NEVER_LEARNS = 72.0
PROBLEM = Problem(channels=3, height=1, width=1, num_classes=2)


def accuracy(trial: BaseTrial) -> float:
    """The true accuracy in percent of what is drawn; the best there is has 94."""
    rate = trial.suggest_float("learning_rate", 1e-5, 1.0, log=True)
    depth = trial.suggest_int("depth", 1, 6)
    value = 94.0 - 4.0 * (math.log10(rate) + 2.0) ** 2 - 1.5 * (depth - 4) ** 2
    for layer in range(depth):
        filters = trial.suggest_int(f"filters{layer}", 1, 64, log=True)
        kernel = trial.suggest_categorical(f"kernel{layer}", (1, 3, 5))
        pooling = trial.suggest_int(f"pooling{layer}", 1, 3)
        value -= 1.2 * abs(math.log2(filters) - 3.0 - 0.5 * layer) + 0.8 * (pooling == 3)
        value -= {1: 1.5, 3: 0.0, 5: 0.7}[int(kernel)] * (layer < 3)
    return max(value, 10.0)


def _space(trial: BaseTrial, problem: Problem) -> nn.Module:
    accuracy(trial)
    return nn.Flatten()


def simulate(label: str, *, spreads: str, num_candidates: int, num_seeds: int) -> Simulated:
    """Mean over the seeds of the best true accuracy, and of the one with the best estimate."""
    found = [_search(label, spreads, num_candidates=num_candidates, seed=seed) for seed in range(num_seeds)]
    best, picked = zip(*found, strict=True)
    return Simulated(
        label=label,
        spreads=spreads,
        num_candidates=num_candidates,
        num_seeds=num_seeds,
        best=mean(best),
        best_error=stdev(best) / math.sqrt(num_seeds) if num_seeds > 1 else math.nan,
        picked=mean(picked),
        picked_error=stdev(picked) / math.sqrt(num_seeds) if num_seeds > 1 else math.nan,
    )


def _search(label: str, spreads: str, *, num_candidates: int, seed: int) -> tuple[float, float]:
    random = np.random.default_rng([seed, num_candidates])
    context = SearchContext(
        space=Undescribed(name="made-up", function=_space),
        problem=PROBLEM,
        seed=seed,
        num_candidates=num_candidates,
    )
    section = SearchSection.model_validate({"name": label.partition(",")[0], **SIMULATED[label]})
    strategy, running, told = (
        make_strategy(section, context=context),
        list[Candidate](),
        list[tuple[float, float]](),
    )
    for number in range(num_candidates):
        running.append(strategy.ask(number))
        if len(running) > IN_FLIGHT:
            ended = running.pop(int(random.integers(len(running))))
            truth = accuracy(FixedTrial(ended.parameters))
            outcome = _outcome(ended, truth, spreads, random)
            strategy.tell(ended, outcome)
            told.append((truth, outcome.estimate or 0.0))
    return max(truth for truth, _ in told), max(told, key=lambda pair: pair[1])[0]


def _outcome(candidate: Candidate, truth: float, spreads: str, random: np.random.Generator) -> Outcome:
    spread = 0.0 if random.random() < MEASURED_SHARE else float(random.choice(SPREADS))
    estimate = float(np.clip(truth + spread * random.standard_normal(), 0.0, 100.0))
    if spreads == "blind" and truth < NEVER_LEARNS:
        estimate, spread = 10.0 + 8.0 * float(random.random()), 80.0
    return converged(candidate, estimate=estimate, spread=spread)

"""report.md of the searches: what early stopping saves and costs, every campaign, what ask and tell cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev

from benchmarks.bench.environment import Conditions
from benchmarks.bench.report import figures as figure_lines
from benchmarks.bench.report import publish_report, table, verdict
from benchmarks.search_bench.campaigns import NUM_PICKS
from benchmarks.search_bench.epsilon import agent_figures
from benchmarks.search_bench.figures import draw_figures
from benchmarks.search_bench.plans import FREE, GENERATIONS, GRID, OWN_RULE, PRESETS, SPACES, STRATEGIES
from benchmarks.search_bench.values import Costs, Measured, SearchResults, Simulated
from hpc_nas.report.formatting import MISSING, number

__all__ = ["write_report"]

AIM_ASK_MS = 10.0
DRAWN_AHEAD = "drawn ahead of need"
AIMED = ("random", "regularized-evolution", "nsga2")

READING = """## How to read this

- Every campaign is a real one: `hpc-nas run`, two trainers, handwritten digits (8x8 pixels), the space made small
  enough for two cores (`benchmarks/search_bench/plans.py` has the settings). `none` trains everything to the end.
- **Best found** is the candidate with the best estimate; its accuracy is the best validation accuracy that it reaches
  with the full budget (where it was stopped it is trained to the end once more, with the same seed). **Regret** is how
  much better the best found of the same strategy with the same seed is without stopping; negative: stopping found a
  better one. For `random` both see the same candidates; the other searches part as soon as an estimate differs.
  **Of 3 finalists**: the regret where the three with the best estimates are trained to the end, as
  `[finalists] count = 3` does, and the best of these is taken.
- Validated every epoch, not every half as in the paper: on two cores half epochs of networks this small come faster
  than PEng4NN's fits, and decisions would come too late. `peng4nn-fast` is the same rule with our solver, which fits
  in a tenth of the time (`benchmarks/results/estimator/report.md`). `adaptive` is our own rule, which pauses.
- ± is the standard deviation over seeds; where there is one seed there is none.
"""


def write_report(results: SearchResults, directory: Path, *, notice: str) -> Path:
    """Publish report.md and its figures in `directory`; a notice comes first."""
    figures = draw_figures(results, directory)
    body = [READING, *_stopping(results), *_campaigns(results), *_generations(results)]
    body += [*_agent(results), *_spaces(results), *_simulated(results), *_costs(results), *_draws(results)]
    body += [*figure_lines(figures), *_conditions(results)]
    text = "Written by `make bench-search` from `results.json`; not edited by hand."
    return publish_report(directory, "Search benchmark report", text, notice=notice, body=body)


def _of(results: SearchResults, part: str) -> list[Measured]:
    return [one for one in results.campaigns.values() if one.plan.part == part]


def _stopping(results: SearchResults) -> list[str]:
    """One line for each strategy and preset: what is saved, and what it costs."""
    campaigns = _of(results, STRATEGIES)
    if not campaigns:
        return []
    rows = []
    for strategy in (*FREE, GRID):
        truth = {one.plan.seed: one for one in _matching(campaigns, strategy, PRESETS[0])}
        for preset in PRESETS[1:]:
            pairs = [
                (one, truth[one.plan.seed])
                for one in _matching(campaigns, strategy, preset)
                if one.plan.seed in truth
            ]
            if pairs:
                rows.append(_pair_row(strategy, preset, pairs))
    header = [
        "strategy",
        "preset",
        "seeds",
        "best found %",
        "regret, points",
        f"of {NUM_PICKS} finalists",
        "epochs saved %",
        "wall time, ratio",
    ]
    return ["## What early stopping saves, and what it costs", "", *table(header, rows)]


def _pair_row(strategy: str, preset: str, pairs: Sequence[tuple[Measured, Measured]]) -> list[str]:
    return [
        strategy,
        preset,
        str(len(pairs)),
        _spread(_final(one) for one, _ in pairs),
        _spread(_final(full) - _final(one) for one, full in pairs),
        _spread(_final(full) - _final(one, of=NUM_PICKS) for one, full in pairs),
        _spread((100.0 * (1.0 - one.epochs_trained / full.epochs_trained) for one, full in pairs), digits=1),
        _spread(one.elapsed_s / full.elapsed_s for one, full in pairs),
    ]


def _campaigns(results: SearchResults) -> list[str]:
    campaigns = _of(results, STRATEGIES)
    if not campaigns:
        return []
    rows = []
    for strategy, preset in dict.fromkeys((one.plan.strategy, one.plan.preset) for one in campaigns):
        same = _matching(campaigns, strategy, preset)
        rows.append(
            [
                strategy,
                preset,
                str(len(same)),
                _spread((one.elapsed_s for one in same), digits=0),
                _spread((one.epochs_trained for one in same), digits=0),
                _spread(_final(one) for one in same),
                _spread((one.trainer_busy_percent for one in same), digits=1),
            ]
        )
    header = ["strategy", "preset", "seeds", "wall time s", "epochs", "best found %", "trainers busy %"]
    pairs = f"Strategies with their {OWN_RULE} bring it: `asha`, and `hyperband` for the other two."
    if any(one.plan.strategy == GRID for one in campaigns):
        pairs += " `grid` searches `nas-bench-201`: `random-cnn` is not finite."
    count = len(campaigns[0].numbers)
    return [f"## Every strategy on `random-cnn`, {count} candidates", "", *table(header, rows), pairs, ""]


def _generations(results: SearchResults) -> list[str]:
    rows = []
    for one in _of(results, GENERATIONS):
        name = f"{STRATEGIES}-{one.plan.space}-{one.plan.strategy}-{one.plan.preset}-{one.plan.seed}"
        free = results.campaigns.get(name)
        for label, run in (("asynchronous", free), ("generations", one)):
            if run is not None:
                rows.append(
                    [
                        one.plan.strategy,
                        label,
                        number(run.training_span_s, digits=0),
                        number(run.trainer_busy_percent, digits=1),
                        number(run.epochs_trained, digits=0),
                        number(_final(run), digits=2),
                    ]
                )
    if not rows:
        return []
    header = ["strategy", "draws", "training s", "trainers busy %", "epochs", "best found %"]
    text = "From the first batch to the last trainer's leaving, preset `peng4nn`, one seed."
    return ["## Generations against asynchronous draws", "", text, "", *table(header, rows)]


def _agent(results: SearchResults) -> list[str]:
    rows = []
    for label, found in agent_figures(results).items():
        trend = found["trend"]
        rows.append(
            [
                label,
                str(sum(step["count"] for step in found["steps"])),
                _interval(trend),
                MISSING if trend["spearman"] is None else number(trend["spearman"], digits=2),
                MISSING if trend["p_value"] is None else f"{trend['p_value']:.2g}",
            ]
        )
    if not rows:
        return []
    header = ["agent with", "candidates", "points as epsilon falls from 1 to 0 (95 %)", "Spearman", "p"]
    text = "Best accuracy against falling epsilon (Baker's Figure 5); the plot is below."
    return ["## Does the agent `metaqnn` learn?", "", text, "", *table(header, rows)]


def _interval(trend: dict[str, float | None]) -> str:
    slope, low, high = trend["slope"], trend["slope_low"], trend["slope_high"]
    if slope is None or low is None or high is None:
        return MISSING
    return f"{slope:+.1f} ({low:+.1f} to {high:+.1f})"


def _spaces(results: SearchResults) -> list[str]:
    rows = [
        [
            one.plan.space,
            ", ".join(f"{count} {state}" for state, count in one.outcomes.items() if count),
            number(max(one.accuracies, default=math.nan), digits=1),
            number(sum(one.macs) / max(len(one.macs), 1) / 1e6, digits=2),
            number(one.elapsed_s, digits=0),
        ]
        for one in _of(results, SPACES)
    ]
    if not rows:
        return []
    header = ["space", "outcomes", "best accuracy %", "mean MACs (M)", "wall time s"]
    text = "Strategy `random`, 3 candidates, 2 epochs each: that every space trains, not how well."
    return ["## Every space", "", text, "", *table(header, rows)]


def _simulated(results: SearchResults) -> list[str]:
    if not results.simulated:
        return []
    columns = list(dict.fromkeys((one.spreads, one.num_candidates) for one in results.simulated))
    by_label: dict[str, dict[tuple[str, int], Simulated]] = {}
    for one in results.simulated:
        by_label.setdefault(one.label, {})[one.spreads, one.num_candidates] = one
    rows = [
        [label, *(f"{found[key].best:.2f} ± {found[key].best_error:.2f}" for key in columns)]
        for label, found in by_label.items()
    ]
    header = ["strategy", *(f"{count} candidates, {spreads}" for spreads, count in columns)]
    text = (
        f"Best true accuracy in percent, mean over {results.simulated[0].num_seeds} seeds ± its standard error, over "
        "a made-up space (`benchmarks/search_bench/simulated.py`); `honest` spreads are as large as the errors."
    )
    return ["## Simulated searches", "", text, "", *table(header, rows)]


def _costs(results: SearchResults) -> list[str]:
    if not results.costs:
        return []
    numbers = sorted({cost.num_told for cost in results.costs})
    by_strategy: dict[str, dict[int, Costs]] = {}
    for cost in results.costs:
        by_strategy.setdefault(cost.strategy, {})[cost.num_told] = cost
    rows = []
    for strategy, costs in by_strategy.items():
        worst = max(cost.ask_ms + cost.tell_ms for cost in costs.values())
        rows.append(
            [
                strategy,
                *(
                    f"{costs[n].ask_ms:.2f} + {costs[n].tell_ms:.2f}" if n in costs else MISSING
                    for n in numbers
                ),
                verdict(worst, below=AIM_ASK_MS) if worst < AIM_ASK_MS or strategy in AIMED else DRAWN_AHEAD,
            ]
        )
    header = ["strategy", *(f"after {n:,}" for n in numbers), f"below {AIM_ASK_MS:g} ms"]
    text = (
        "Milliseconds of processor time of one ask + one tell, median, over twelve parameters, without the network "
        "itself: that costs what the next table says, whatever the strategy. `tpe` and `bohb` were given their "
        "earlier candidates as from another campaign, the others drew them."
    )
    return ["## What ask and tell cost", "", text, "", *table(header, rows)]


def _draws(results: SearchResults) -> list[str]:
    if not results.draws:
        return []
    rows = [[cost.space, f"{cost.median_ms:.1f}", f"{cost.p90_ms:.1f}"] for cost in results.draws]
    text = (
        "Milliseconds of processor time: draw, build on the meta device and describe one network at the space's "
        "defaults, 3x32x32 images."
    )
    return [
        "## What the draw of a network costs",
        "",
        text,
        "",
        *table(["space", "median ms", "90 % ms"], rows),
    ]


def _conditions(results: SearchResults) -> list[str]:
    conditions = [one.conditions for one in results.campaigns.values()]
    conditions += [results.cost_conditions] if results.cost_conditions is not None else []
    if not conditions:
        return []
    commits = sorted({one.commit[:12] for one in conditions})
    environment = results.environment
    return [
        "## Conditions",
        "",
        f"{environment['cpu']}, {environment['cores']} cores, {environment['os']}; commits {', '.join(commits)}; "
        f"others used {_busy(conditions)} of the machine when a campaign began.",
        "",
    ]


def _busy(conditions: Sequence[Conditions]) -> str:
    shares = sorted(one.background_cpu_percent for one in conditions)
    return f"{shares[0]:.0f} to {shares[-1]:.0f} % (median {shares[len(shares) // 2]:.0f} %)"


def _matching(campaigns: Iterable[Measured], strategy: str, preset: str) -> list[Measured]:
    return [one for one in campaigns if (one.plan.strategy, one.plan.preset) == (strategy, preset)]


def _final(one: Measured, *, of: int = 1) -> float:
    """The best of the first so many picks, trained to the end."""
    return max((pick.final for pick in one.picks[:of]), default=math.nan)


def _spread(values: Iterable[float], *, digits: int = 2) -> str:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return MISSING
    text = number(mean(known), digits=digits)
    return f"{text} ± {number(stdev(known), digits=digits)}" if len(known) > 1 else text

"""The searches' benchmark: which campaigns it plans, and what its report says of regret, savings and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.bench.environment import Conditions
from benchmarks.search_bench import plans, report, values
from hpc_nas.configuration import load_configuration
from hpc_nas.search.registry import STRATEGIES

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


def test_every_plan_has_a_name_of_its_own_and_is_a_valid_campaign() -> None:
    planned = plans.plans(plans.FULL)
    assert len({plan.name for plan in planned}) == len(planned)
    for plan in planned:
        assert plan.strategy in STRATEGIES
        settings = tuple(f"{name}={value}" for name, value in plan.settings.items())
        load_configuration(BENCHMARKS / "search_bench" / "digits.toml", settings=settings)


def test_regret_is_against_the_same_strategy_and_seed_without_stopping(tmp_path: Path) -> None:
    found = [
        _measured("tpe", "none", seed=1, final=90.0, epochs=800.0, elapsed_s=100.0),
        _measured("tpe", "none", seed=2, final=92.0, epochs=800.0, elapsed_s=100.0),
        _measured("tpe", "peng4nn", seed=1, final=89.0, epochs=400.0, elapsed_s=50.0),
        _measured("tpe", "peng4nn", seed=2, final=93.0, epochs=200.0, elapsed_s=70.0),
        _measured("random", "peng4nn", seed=1, final=99.0, epochs=1.0, elapsed_s=1.0),
    ]
    text = _report(found, tmp_path)
    assert (
        "| tpe | peng4nn | 2 | 91.00 ± 2.83 | 0.00 ± 1.41 | -0.50 ± 1.41 | 62.5 ± 17.7 | 0.60 ± 0.14 |"
        in text
    )
    assert "| random | peng4nn | 1 | 99.00 |" not in text, "there is nothing to compare it with"
    assert (tmp_path / "strategies.png").stat().st_size > 5000


def test_costs_are_judged_where_there_is_an_aim(tmp_path: Path) -> None:
    costs = tuple(
        values.Costs(
            strategy=name, num_told=told, count=5, ask_ms=ask_ms, ask_p90_ms=9.0, tell_ms=0.5, tell_p90_ms=1.0
        )
        for name, told, ask_ms in (
            ("random", 100, 1.0),
            ("random", 1000, 2.0),
            ("nsga2", 100, 11.0),
            ("tpe", 100, 99.0),
        )
    )
    text = report.write_report(values.SearchResults(costs=costs), tmp_path, notice="").read_text()
    assert "| random | 1.00 + 0.50 | 2.00 + 0.50 | met |" in text
    assert "| nsga2 | 11.00 + 0.50 | - | **missed** |" in text
    assert "| tpe | 99.00 + 0.50 | - | drawn ahead of need |" in text


def _report(found: list[Any], directory: Path) -> str:
    results = values.SearchResults(
        environment={"cpu": "a processor", "cores": 2, "os": "an operating system"},
        campaigns={one.plan.name: one for one in found},
    )
    text: str = report.write_report(results, directory, notice="").read_text(encoding="utf-8")
    return text


def _measured(strategy: str, preset: str, *, seed: int, final: float, epochs: float, elapsed_s: float) -> Any:
    return values.Measured(
        plan=plans.Plan(
            part=plans.STRATEGIES,
            name=f"{strategy}-{preset}-{seed}",
            strategy=strategy,
            space="random-cnn",
            preset=preset,
            seed=seed,
            settings={},
        ),
        conditions=Conditions(commit="0" * 40, started="2026-01-01T00:00:00", background_cpu_percent=1.0),
        elapsed_s=elapsed_s,
        training_span_s=elapsed_s,
        epochs_trained=epochs,
        trainer_busy_percent=90.0,
        outcomes={"finished": 2},
        reasons={},
        redraws=0,
        picks=tuple(
            values.Pick(candidate=number, estimate=final - number, spread=1.0, final=reached, macs=1)
            for number, reached in enumerate((final, final + 0.5))
        ),
        numbers=(0, 1),
        estimates=(final, 1.0),
        accuracies=(final, 1.0),
        macs=(1, 1),
    )

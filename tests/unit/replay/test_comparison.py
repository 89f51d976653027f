"""A whole comparison: pieces, processes and orders change nothing but the time it takes."""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from estimator import preset
from hpc_nas.errors import ConfigurationError, LaunchError
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay import workers
from hpc_nas.replay.comparison import Comparison, compare, orders_of
from hpc_nas.replay.output import comparison_json, comparison_tables
from hpc_nas.replay.pareto import draw_pareto
from hpc_nas.replay.rules import Rule, default_rules, named_rules
from hpc_nas.replay.values import Replay
from hpc_nas.replay.work import Part, Piece, Plan, gathered, pieces
from tests.unit.replay.replay_helpers import curve_set, random_set

SILENT = Console(file=io.StringIO())


def compared(
    sets: Sequence[CurveSet], *texts: str, num_orders: int = 2, num_processes: int = 1, seed: int = 0
) -> Comparison:
    return compare(
        sets,
        named_rules(texts),
        num_orders=num_orders,
        num_trainers=2,
        seed=seed,
        num_processes=num_processes,
        console=SILENT,
    )


def test_pieces_in_processes_give_what_one_process_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = random_set(20)
    texts = ("peng4nn-fast", "peng4nn-fast:window=4", "i-epoch:epochs=3", "median", "asha")
    here = compared([curves], *texts)
    monkeypatch.setattr(workers, "PATIENCE_S", 0.0)
    there = compared([curves], *texts, num_processes=2)
    assert repr(here.entries) == repr(there.entries)
    assert not multiprocessing.active_children()


OWN = """
from dataclasses import dataclass
from estimator import Reason, Rule, go, stop

@dataclass(frozen=True)
class Crowded(Rule):
    alone = False

    def decide(self, curve, forecasts, population):
        better = sum(curve.best_accuracy < other.curve.best_accuracy for other in population.others)
        return stop(forecasts[-1], reason=Reason.UNLIKELY_BEST) if better > 3 else go(forecasts[-1])

def crowded(training):
    return Crowded()
"""


def test_a_rule_of_ones_own_is_replayed_in_processes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_rules.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    sets = [random_set(20), replace(random_set(20), name="again")]
    texts = ("my_rules.py:crowded", "any(none, my_rules.py:crowded)", "none")
    here = compared(sets, *texts)
    monkeypatch.setattr(workers, "PATIENCE_S", 0.0)
    there = compared(sets, *texts, num_processes=2)
    assert repr(here.entries) == repr(there.entries)
    own, combined, none = (here.entries["again"][text].figures["epochs_used_percent"] for text in texts)
    assert own == combined < none


def test_small_work_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **settings: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(workers, "ProcessPoolExecutor", refuse)
    assert compared([random_set(5)], "i-epoch:epochs=3", "none", num_processes=8).entries


class Dying(Piece):
    """Work that kills whoever does it."""

    @property
    def size(self) -> int:
        return workers.SMALL + 1

    def work(self) -> Mapping[Part, Replay]:
        os._exit(3)


def test_a_process_that_dies_is_an_error_not_a_wait() -> None:
    with pytest.raises(LaunchError, match="a process of the replay died"):
        workers.do_all([Dying(), Dying()], num_processes=2, advance=lambda count: None)


def test_presets_that_share_a_forecaster_share_their_pieces_and_come_apart_again() -> None:
    curves = random_set(10)
    texts = ("peng4nn-fast", "none", "peng4nn-fast:window=4", "median", "i-epoch:epochs=2")
    plans = [
        Plan(
            curves=curves,
            preset=preset(text, max_epochs=12, epochs_per_interval=1),
            orders=orders_of(10, num_orders=3, seed=0),
        )
        for text in texts
    ]
    work = pieces(plans)
    assert [piece.size for piece in work] == [10, 10, 10, 16, 16, 4, 4]
    assert sum(piece.size for piece in work) == sum(plan.num_curves for plan in plans) == 70
    replays = gathered(plans, [piece.work() for piece in work])
    assert [len(found) for found in replays] == [1, 1, 1, 3, 1]
    for found in (replay for several in replays for replay in several):
        assert [item.index for item in found.candidates] == list(range(10))
        assert [item.id for item in found.candidates] == list(curves.ids)
    assert replays[4][0].epochs == 20.0
    assert replays[1][0].epochs == 120.0


def test_orders_are_the_files_own_or_random_by_seed() -> None:
    assert orders_of(4, num_orders=1, seed=9) == ((0, 1, 2, 3),)
    several = orders_of(30, num_orders=3, seed=9)
    assert len(set(several)) == 3
    assert all(sorted(order) == list(range(30)) for order in several)
    assert several == orders_of(30, num_orders=3, seed=9)
    assert several[:2] == orders_of(30, num_orders=2, seed=9)
    assert several != orders_of(30, num_orders=3, seed=8)


def test_only_rules_that_look_at_others_are_replayed_in_every_order() -> None:
    found = compared([random_set(12)], "median", "i-epoch:epochs=3", num_orders=4).entries["random"]
    assert (len(found["median"].replays), len(found["i-epoch:epochs=3"].replays)) == (4, 1)
    assert found["median"].figures["overlap_20_std"] >= 0.0
    assert math.isnan(found["i-epoch:epochs=3"].figures["overlap_20_std"])


def test_sets_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="sets need names that differ: random, random"):
        compared([random_set(4), random_set(4)], "none")


# --- rules ---------------------------------------------------------------------------------------------------


def test_rules_keep_their_text_and_stand_once() -> None:
    rules = named_rules(["none", "i-epoch:epochs=2", "none"])
    assert [rule.text for rule in rules] == ["none", "i-epoch:epochs=2"]


def test_default_rules_suit_every_budget() -> None:
    for num_epochs in (1, 3, 12):
        curves = random_set(4, num_epochs=num_epochs)
        assert [rule.preset(curves).max_epochs for rule in default_rules()] == [num_epochs] * len(
            default_rules()
        )
    texts = [rule.text for rule in default_rules()]
    assert texts[:4] == ["peng4nn", "i-epoch at 10 %", "i-epoch at 30 %", "i-epoch at 50 %"]
    assert "adaptive" in texts
    thirty = Rule(text="i-epoch at 30 %", share=0.3).preset(random_set(4))
    assert thirty.rule == preset("i-epoch:epochs=4", max_epochs=12, epochs_per_interval=1).rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "i-epoch:epochs=13",
            "--rule i-epoch:epochs=13 on random: .*epochs = 13 is more than max_epochs = 12",
        ),
        ("penq", "--rule penq on random: .*unknown preset 'penq'"),
        ("i-epoch:epoch=3", "unknown setting 'epoch'; did you mean 'epochs'"),
        ("i-epoch:epochs", "--rule i-epoch:epochs on random"),
        ("", "--rule  on random"),
    ],
)
def test_rules_that_cannot_be_are_refused_before_anything_is_replayed(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compared([random_set(4)], "none", text)


# --- what is shown -------------------------------------------------------------------------------------------


def test_json_has_exactly_sets_rules_and_figures() -> None:
    sets = [random_set(12), curve_set([[10, 20], [30, 40], [5, 6]])]
    comparison = compared(sets, "median", "i-epoch:epochs=2")
    content = json.loads(comparison_json(comparison, per_candidate=False))
    assert list(content) == ["sets"]
    assert list(content["sets"]) == ["random", "by hand"]
    for rules in content["sets"].values():
        assert list(rules) == ["median", "i-epoch:epochs=2"]
        for figures in rules.values():
            named = [name for name in figures if not name.endswith("_std")]
            assert named == [
                *("epochs_used_percent", "epochs_saved_percent", "epochs_saved_vs_menndl_percent"),
                *(
                    "throughput_factor",
                    "overlap_10",
                    "overlap_20",
                    "overlap_30",
                    "gap_10",
                    "gap_20",
                    "gap_30",
                ),
                *("kendall_tau", "regret", "regret_retrained_3", "mae", "coverage_90", "num_stopped"),
                "false_stop_percent",
            ]
            assert sorted(figures) == sorted(named + [f"{name}_std" for name in named])
    assert content["sets"]["by hand"]["median"]["epochs_saved_vs_menndl_percent"] is None
    assert content["sets"]["random"]["median"]["epochs_saved_vs_menndl_percent"] is not None
    assert content["sets"]["by hand"]["i-epoch:epochs=2"]["mae"] is None


def test_json_per_candidate_tells_how_each_ended_in_the_first_order() -> None:
    comparison = compared([curve_set([[10, 20], [30, 40], [5, 6]])], "i-epoch:epochs=1")
    content = json.loads(comparison_json(comparison, per_candidate=True))
    assert content["sets"]["by hand"]["i-epoch:epochs=1"]["candidates"] == [
        {"id": "a", "stop_epoch": 1.0, "estimate": 10.0, "spread": None, "reason": "budget"},
        {"id": "b", "stop_epoch": 1.0, "estimate": 30.0, "spread": None, "reason": "budget"},
        {"id": "c", "stop_epoch": 1.0, "estimate": 5.0, "spread": None, "reason": "budget"},
    ]


def shown(comparison: Comparison, *, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(comparison_tables(comparison))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue().splitlines()


def test_tables_fit_a_narrow_terminal_and_show_the_figures() -> None:
    sets = [curve_set([[10, 20], [30, 40], [5, 6]]), curve_set([[10, 20], [30, 25], [5, 60]], name="other")]
    lines = shown(compared(sets, "i-epoch:epochs=1", "none"))
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("by hand: 3 candidates, 2 epochs each")
    assert lines[1].split() == [
        "rule",
        "used",
        "overlap",
        "gap",
        "tau",
        "regret",
        "MAE",
        "90",
        "%",
        "lost",
    ]
    assert lines[3].split() == [
        "i-epoch:epochs=1",
        "50.0",
        "1/1/1",
        ".00/.00/.00",
        "1.00",
        "0.00",
        "7.0",
        "-",
        "100",
    ]
    assert lines[4].split() == ["none", "100.0", "1/1/1", ".00/.00/.00", "1.00", "0.00", "-", "-", "0"]
    means = lines[lines.index(next(line for line in lines if line.startswith("mean over 2 sets"))) + 3]
    assert means.split()[:3] == ["i-epoch:epochs=1", "50.0", ".50/.50/.50"]


def test_rules_with_brackets_are_not_read_as_markup() -> None:
    comparison = compared([random_set(6)], "any(median, i-epoch:epochs=5)")
    assert any("any(median, i-epoch:epochs=5)" in line for line in shown(comparison, width=120))
    assert any("MENNDL" in line for line in shown(comparison))


def test_the_figure_is_drawn_for_one_set_and_for_several(tmp_path: Path) -> None:
    sets = [random_set(12), curve_set(np.linspace(5, 95, 40).reshape(10, 4).tolist())]
    for number, chosen in enumerate((sets[:1], sets)):
        path = draw_pareto(
            compared(chosen, "median", "i-epoch:epochs=2", "none"), tmp_path / f"new/{number}.png"
        )
        assert path.read_bytes().startswith(b"\x89PNG")

"""The Pareto front: who is on it, and where it is shown."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from report_records import NAN, make_record
from rich.console import Console

from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.report.figures.pareto import draw_pareto
from hpc_nas.report.figures.style import house_style
from hpc_nas.report.pareto import Cost, FrontMember, not_dominated, pareto_front
from hpc_nas.report.summary import summarize
from hpc_nas.report.tables import report_tables


def searched(*, by: str = "nsga2") -> CampaignRecord:
    """Four with an estimate: the best, the cheapest in MACs, the cheapest in weights, and one that is beaten."""
    rows = [
        (90.0, 3_000, 300, "finished", 0.0),
        (70.0, 1_000, 200, "stopped", 2.5),
        (60.0, 2_000, 100, "stopped", NAN),
        (69.0, 1_000, 250, "finished", 0.0),
    ]
    candidates = [
        {
            "number": number,
            "estimate": estimate,
            "macs": macs,
            "num_parameters": weights,
            "state": state,
            "spread": spread,
        }
        for number, (estimate, macs, weights, state, spread) in enumerate(rows)
    ]
    failed = {"number": 4, "state": "failed", "reason": "build", "macs": 1, "num_parameters": 1}
    record = make_record(candidates=[*candidates, failed])
    record.configuration["search"]["name"] = by
    return record


def printed(record: CampaignRecord) -> list[str]:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(report_tables(record, summarize(record)))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_front_is_what_nobody_beats() -> None:
    both, macs, weights = (Cost.MACS, Cost.PARAMETERS), (Cost.MACS,), (Cost.PARAMETERS,)
    found = pareto_front(searched())
    assert [(member.candidate, member.fronts) for member in found] == [(0, both), (1, both), (2, weights)]
    assert found[0] == FrontMember(
        candidate=0, estimate=90.0, spread=0.0, macs=3_000, num_parameters=300, fronts=both
    )
    record = searched()
    record.candidates["num_parameters"][:3] = [100, 200, 300]
    assert [(member.candidate, member.fronts) for member in pareto_front(record)] == [(0, both), (1, macs)]


def test_the_fast_way_agrees_with_the_definition() -> None:
    generator = np.random.default_rng(1)
    for _ in range(50):
        gain, cost = generator.integers(0, 6, size=(2, 12))  # with many ties
        expected = [
            not any(
                gain[other] >= gain[one]
                and cost[other] <= cost[one]
                and (gain[other], cost[other]) != (gain[one], cost[one])
                for other in range(12)
            )
            for one in range(12)
        ]
        assert not_dominated(gain, cost).tolist() == expected


def test_nobody_is_on_the_front_of_nothing() -> None:
    assert not_dominated([], []).tolist() == []
    assert pareto_front(make_record()) == ()


def test_a_report_shows_the_front_of_a_search_for_two_goals() -> None:
    lines = printed(searched())
    title = lines.index("Pareto front: 3 unbeaten in estimate and cost")
    assert [line.split() for line in lines[title + 1 :] if not line.startswith("─")][:4] == [
        ["candidate", "estimate", "%", "MACs", "weights", "front", "of"],
        ["0", "90.00", "3.00", "k", "300", "MACs,", "weights"],
        ["1", "70.00", "±", "2.50", "1.00", "k", "200", "MACs,", "weights"],
        ["2", "60.00", "2.00", "k", "100", "weights"],
    ]
    assert not any("Pareto" in line for line in printed(searched(by="random")))


def test_the_json_has_the_front_of_any_search() -> None:
    figures = json.loads(summarize(searched(by="random")).to_json())
    assert [member["candidate"] for member in figures["pareto"]] == [0, 1, 2]
    assert figures["pareto"][2] == {
        "candidate": 2,
        "estimate": 60.0,
        "spread": None,
        "macs": 2_000,
        "num_parameters": 100,
        "fronts": ["num_parameters"],
    }


def test_the_figure_has_a_panel_for_each_cost_with_its_front_as_steps() -> None:
    record = searched()
    with house_style():
        figure = draw_pareto(record, summarize(record))
    expected = {
        "MACs of one sample": ([1_000, 3_000, 3_000], [70.0, 90.0, 90.0], {"1", "0"}),
        "weights": ([100, 200, 300, 300], [60.0, 70.0, 90.0, 90.0], {"2", "1", "0"}),
    }
    for axes in figure.axes:
        x, y, numbers = expected.pop(axes.get_xlabel())
        (steps,) = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
        assert steps.get_xdata().tolist() == x
        assert steps.get_ydata().tolist() == y
        assert {text.get_text() for text in axes.texts} == numbers
    assert not expected
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "Pareto front",
        "finished: measured",
        "stopped: estimated, ± spread",
        "beaten",
    ]


@pytest.mark.parametrize(("macs", "weights"), [(0, 0), (0, 5), (5, 0), (5, 5)])
def test_networks_of_no_cost_have_their_place(macs: int, weights: int) -> None:
    rows = [
        {"number": n, "estimate": 50.0 + n, "macs": macs, "num_parameters": weights * n} for n in range(2)
    ]
    record = make_record(candidates=rows)
    with house_style():
        figure = draw_pareto(record, summarize(record))
    for axes in figure.axes:
        assert all(
            np.isfinite(line.get_xdata()).all() and (line.get_xdata() > 0).all() for line in axes.lines
        )

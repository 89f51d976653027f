"""What the user sees: the standing in one line, and as a panel of 80 columns."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from hpc_nas.campaign import progress as progress_module
from hpc_nas.campaign import view as view_module
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.state import CampaignState
from hpc_nas.campaign.view import LineView, LiveView, duration, line, make_view, render
from hpc_nas.group import protocol
from hpc_nas.records.ledger import AttemptStarted, CandidateDrawn, CandidateEnded
from hpc_nas.values import Candidate, Outcome, Reason, State

NUM_CANDIDATES = 4
MAX_EPOCHS = 20.0
STARTED = 1000.0


class Standing:
    """A campaign of four candidates that a test leads from event to event."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.now = STARTED
        monkeypatch.setattr(progress_module, "time", SimpleNamespace(time=lambda: self.now))
        self.state = CampaignState(num_candidates=NUM_CANDIDATES)
        self.progress = Progress(max_epochs=MAX_EPOCHS)

    def ready(self) -> None:
        self.progress.group_ready(0, ["cuda:0", "cuda:1"])

    def train(self, number: int, *, trainer: int) -> None:
        candidate = Candidate(number=number, seed=1, parameters={}, num_parameters=0, num_layers=0, macs=0)
        self.state.apply(CandidateDrawn(candidate=candidate, time_s=0.0))
        self.state.apply(AttemptStarted(candidate=number, attempt=0, group=0, time_s=0.0))
        self.progress.started(0, protocol.Started(candidate=number, attempt=0, trainer=trainer))

    def observe(self, number: int, *, trainer: int, forecast: float | None) -> None:
        message = protocol.Progress(
            candidate=number, attempt=0, trainer=trainer, epoch=1.5, val_accuracy=71.254, forecast=forecast
        )
        self.progress.observed(0, message)

    def end(self, outcome: Outcome, *, trainer: int) -> None:
        self.state.apply(CandidateEnded(outcome=outcome, group=0, time_s=0.0))
        self.progress.ended(0, protocol.Ended(trainer=trainer, outcome=outcome))
        self.progress.outcome(outcome)

    @property
    def panel(self) -> list[str]:
        """The panel at 80 columns, line by line."""
        console = Console(width=80, file=io.StringIO(), force_terminal=False)
        with console.capture() as capture:
            console.print(render(self.state, self.progress, title="digits"))
        return [text.rstrip() for text in capture.get().splitlines()]


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Standing:
    return Standing(monkeypatch)


def stopped(number: int, *, estimate: float) -> Outcome:
    return Outcome(
        candidate=number,
        attempt=0,
        state=State.STOPPED,
        reason=Reason.CONVERGED,
        estimate=estimate,
        spread=0.5,
        best_accuracy=estimate - 1.0,
        epochs=7.5,
    )


def failed(number: int) -> Outcome:
    return Outcome(candidate=number, attempt=0, state=State.FAILED, reason=Reason.NON_FINITE, epochs=2.0)


def half_way(standing: Standing) -> None:
    """Two outcomes within a minute, one candidate in training, one trainer free."""
    standing.ready()
    for trainer in (0, 1):
        standing.train(trainer, trainer=trainer)
    standing.end(stopped(0, estimate=91.259), trainer=0)
    standing.end(failed(1), trainer=1)
    standing.train(2, trainer=1)
    standing.observe(2, trainer=1, forecast=88.5)
    standing.now = STARTED + 60.0


# --- one line ------------------------------------------------------------------------------------------------


def test_line_before_anything_has_happened(standing: Standing) -> None:
    assert line(standing.state, standing.progress) == (
        "0/4 candidates | 0/0 trainers busy | best none yet | epochs 0 spent, 0 saved | 0 candidates/h | left ?"
    )


def test_paused_candidates_are_counted(standing: Standing) -> None:
    standing.state.paused = {1, 3}
    assert "| 0/0 trainers busy | 2 paused | best none yet" in line(standing.state, standing.progress)
    assert "trainers 0/0 busy   2 paused" in " ".join(standing.panel)


def test_line_half_way(standing: Standing) -> None:
    half_way(standing)
    assert line(standing.state, standing.progress) == (
        "2/4 candidates | 1/2 trainers busy | best 91.26 % (candidate 0) | epochs 9.5 spent, 12.5 saved | "
        "120 candidates/h | left 0:01:00 | 1 stopped: converged, 1 failed: non_finite"
    )


def test_line_at_the_end(standing: Standing) -> None:
    half_way(standing)
    standing.end(stopped(2, estimate=95.0), trainer=1)
    standing.train(3, trainer=0)
    standing.end(stopped(3, estimate=50.0), trainer=0)
    standing.progress.group_gone(0)
    standing.now = STARTED + 3600.0
    assert line(standing.state, standing.progress) == (
        "4/4 candidates | 0/0 trainers busy | best 95.00 % (candidate 2) | epochs 24.5 spent, 37.5 saved | "
        "4 candidates/h | left 0:00:00 | 3 stopped: converged, 1 failed: non_finite"
    )


def test_panel_without_a_group_says_whether_one_is_to_come(standing: Standing) -> None:
    assert standing.panel[-1] == "starting the worker group ..."
    half_way(standing)
    standing.progress.group_gone(0)  # it died, and another one takes its place
    assert standing.panel[-1] == "starting the worker group ..."
    standing.progress.stopping = "stopped by SIGINT"
    assert standing.panel[-1] == "no worker group any more: stopped by SIGINT"


def test_panel_shows_trainers_as_long_as_they_leave(standing: Standing) -> None:
    half_way(standing)
    standing.progress.stopping = "stopped by SIGINT"
    assert standing.panel[-1].startswith("  0.1")


def test_outcomes_of_an_earlier_process_count_but_not_as_speed(standing: Standing) -> None:
    standing.progress.outcome(stopped(0, estimate=80.0), restored=True)
    standing.now = STARTED + 60.0
    assert standing.progress.candidates_per_hour == 0.0
    assert standing.progress.remaining_s(3) is None
    assert standing.progress.epochs_saved == 12.5
    assert standing.progress.best == stopped(0, estimate=80.0)


# --- the panel -----------------------------------------------------------------------------------------------


def test_panel_before_anything_has_happened(standing: Standing) -> None:
    panel = standing.panel
    assert panel[0].startswith("digits  ")
    assert panel[0].endswith("0/4 candidates  left ?")
    assert panel[1:3] == [
        "best none yet   epochs 0 spent, 0 saved   0 candidates/h   trainers 0/0 busy",
        "no outcome yet",
    ]
    assert panel[-1].split() == ["starting", "the", "worker", "group", "..."]


def test_panel_half_way(standing: Standing) -> None:
    half_way(standing)
    panel = standing.panel
    assert panel[0].endswith("2/4 candidates  left 0:01:00")
    assert " ".join(panel[1:3]).startswith(
        "best 91.26 % (candidate 0)   epochs 9.5 spent, 12.5 saved   120 candidates/h"
    )
    assert "stopped: converged 1   failed: non_finite 1" in panel
    assert [row.split() for row in panel[-2:]] == [
        ["0.0", "cuda:0", "free"],
        ["0.1", "cuda:1", "2", "1.5", "71.25", "88.50"],
    ]


def test_panel_shows_no_forecast_where_there_is_none(standing: Standing) -> None:
    standing.ready()
    standing.train(0, trainer=0)
    assert standing.panel[-2].split() == ["0.0", "cuda:0", "0", "0"]
    standing.observe(0, trainer=0, forecast=None)
    assert standing.panel[-2].split() == ["0.0", "cuda:0", "0", "1.5", "71.25"]


def test_panel_at_the_end(standing: Standing) -> None:
    half_way(standing)
    standing.end(stopped(2, estimate=95.0), trainer=1)
    standing.train(3, trainer=0)
    standing.end(stopped(3, estimate=50.0), trainer=0)
    panel = standing.panel
    assert panel[0].endswith("4/4 candidates  left 0:00:00")
    assert [row.split()[2] for row in panel[-2:]] == ["free", "free"]


def test_panel_fits_into_80_columns_whole(standing: Standing) -> None:
    half_way(standing)
    assert max(map(len, standing.panel)) <= 80
    assert not any("…" in text for text in standing.panel)


def test_observation_of_a_candidate_that_has_left_changes_nothing(standing: Standing) -> None:
    half_way(standing)
    before = standing.panel
    standing.observe(0, trainer=1, forecast=1.0)
    standing.observe(0, trainer=5, forecast=1.0)
    assert standing.panel == before


# --- where it goes -------------------------------------------------------------------------------------------


def test_log_gets_lines_and_a_terminal_a_panel() -> None:
    log, terminal = io.StringIO(), io.StringIO()
    assert isinstance(make_view(Console(file=log), title="digits"), LineView)
    assert isinstance(make_view(Console(file=terminal, force_terminal=True), title="digits"), LiveView)


def test_log_gets_a_line_when_one_is_due_and_something_has_happened(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 50.0
    monkeypatch.setattr(view_module, "time", SimpleNamespace(monotonic=lambda: clock))
    output = io.StringIO()
    printed: list[list[str]] = []

    def update() -> None:
        view.update(standing.state, standing.progress)
        printed.append([text.split(" ")[0] for text in output.getvalue().splitlines()])

    with make_view(Console(file=output, width=80), title="digits") as view:
        update()
        update()  # at once again: neither due nor news
        half_way(standing)
        update()  # news, but the last line is fresh
        clock += view_module.LINE_INTERVAL_S
        update()
        clock += view_module.LINE_INTERVAL_S
        update()  # due, but nothing has happened
        for number, trainer in ((2, 1), (3, 0)):
            if number == 3:
                standing.train(number, trainer=trainer)
            standing.end(stopped(number, estimate=60.0), trainer=trainer)
        update()  # the end is always told
        update()
    assert printed == [
        ["0/4"],
        ["0/4"],
        ["0/4"],
        ["0/4", "2/4"],
        ["0/4", "2/4"],
        ["0/4", "2/4", "4/4"],
        ["0/4", "2/4", "4/4"],
    ]


def test_live_panel_shows_the_last_standing(standing: Standing) -> None:
    output = io.StringIO()
    half_way(standing)
    with make_view(Console(file=output, width=80, force_terminal=True), title="digits") as view:
        view.update(standing.state, standing.progress)
    assert "2/4 candidates" in output.getvalue()
    assert "71.25" in output.getvalue()


class Closed(io.StringIO):
    """A terminal that can be written to `writes` times, and is closed then."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.writes, self.attempts_after = writes, 0

    def write(self, text: str) -> int:
        if self.writes == 0:
            self.attempts_after += 1
            raise OSError(errno.EIO, "Input/output error")
        self.writes -= 1
        return super().write(text)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("writes", [0, 1])
def test_output_that_is_closed_ends_the_showing_alone(
    standing: Standing,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_terminal: bool,
    writes: int,
) -> None:
    clock = 50.0
    monkeypatch.setattr(view_module, "time", SimpleNamespace(monotonic=lambda: clock))
    streams = sys.stdout, sys.stderr
    output = Closed(writes)
    console = Console(file=output, width=80, force_terminal=is_terminal)
    attempts = []
    with make_view(console, title="digits") as view:
        standing.ready()
        for number in range(NUM_CANDIDATES):
            standing.train(number, trainer=0)
            standing.end(failed(number), trainer=0)
            clock += view_module.LINE_INTERVAL_S
            view.update(standing.state, standing.progress)
            attempts.append(output.attempts_after)
    assert attempts[1:] == [1, 1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "the campaign's standing is shown no longer: [Errno 5] Input/output error"
    ]
    assert (sys.stdout, sys.stderr) == streams


@pytest.mark.parametrize("is_terminal", [True, False])
def test_pipe_that_nobody_reads_ends_the_showing_alone(is_terminal: bool) -> None:
    """In a program of its own: rich would end it."""
    program = (
        "from rich.console import Console; from hpc_nas.campaign.view import make_view; "
        "from hpc_nas.campaign.state import CampaignState; from hpc_nas.campaign.progress import Progress; "
        f"view = make_view(Console(force_terminal={is_terminal}), title='digits').__enter__(); "
        "view.update(CampaignState(num_candidates=1), Progress(max_epochs=1.0)); "
        "view.__exit__(None, None, None); raise SystemExit(7)"
    )
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60.0
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (
        7,
        "the campaign's standing is shown no longer: [Errno 32] Broken pipe\n",
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0.0, "0:00:00"),
        (0.6, "0:00:01"),
        (59.4, "0:00:59"),
        (59.6, "0:01:00"),
        (3599.9, "1:00:00"),
        (3661.0, "1:01:01"),
        (100 * 3600.0, "100:00:00"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text

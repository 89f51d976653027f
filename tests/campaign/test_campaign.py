"""Whole campaigns on this machine: Parsl, MPI, HDF5, the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import h5py
import psutil
import pytest

from tests.campaign.harness import (
    BIN,
    FAULTY_SPACE,
    HANG_S,
    QUICK,
    ROOT,
    Gate,
    arguments,
    children_left,
    count,
    events,
    open_when_leaving,
    processes_of,
    run,
    start,
    wait_for,
    write_campaign,
)
from tests.disks import tiny_disk

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

BATCHES_PER_INTERVAL = 8  # of 64 of digits' 1150 training images, half an epoch

LEFTOVERS = {
    "PMI_RANK": "3",
    "PMI_SIZE": "8",
    "PMI_FD": "9",
    "PMIX_NAMESPACE": "outer.1",
    "PMIX_RANK": "3",
    "PALS_RANKID": "3",
    "OMPI_COMM_WORLD_SIZE": "8",
    "OMPI_COMM_WORLD_RANK": "3",
}


def test_campaign_under_another_launchers_leftovers_ends_in_an_archive(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    line = arguments(write_campaign(tmp_path / "c.toml"), run_dir, *QUICK, "campaign.num_candidates=6")
    done = run(line, extra=LEFTOVERS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_of(run_dir) == []

    with h5py.File(run_dir / "campaign.h5") as archive:
        numbers = archive["candidates"]["number"][:].tolist()
        observations = archive["observations"][:]
        assert numbers == list(range(6))
        assert {"observations", "attempts", "forecasts", "outcomes"} <= set(archive)
    epochs = Counter(observations["candidate"].tolist())
    ended = {
        e["outcome"]["candidate"]: e["outcome"] for e in events(run_dir) if e["event"] == "candidate_ended"
    }
    for number, outcome in ended.items():
        assert epochs[number] * 0.5 == outcome["epochs"]

    report = run([str(BIN / "hpc-nas"), "report", str(run_dir), "--json"])
    figures = json.loads(report.stdout)
    assert figures["candidates"] == sum(figures["outcomes"].values()) == 6
    assert {"epochs_trained", "epochs_full", "epochs_saved_percent", "best", "elapsed_s"} <= set(figures)
    assert run([str(BIN / "hpc-nas"), "report", str(run_dir)]).returncode == 0
    assert list((run_dir / "report").glob("*.png"))
    assert run([str(BIN / "hpc-nas"), "status", str(run_dir)]).returncode == 0

    again = run(line)
    assert again.returncode == 2
    assert "already holds a campaign" in again.stderr
    assert "--resume" in again.stderr


def start_gated(
    tmp_path: Path, *, num_candidates: int, run_dir: Path | None = None
) -> tuple[subprocess.Popen[str], Gate]:
    """A campaign that has its first outcome, and whose other candidates wait in the middle of their trainings."""
    run_dir, gate = run_dir or tmp_path / "run", Gate(tmp_path / "gate")
    gate.close(batches=BATCHES_PER_INTERVAL + 3, passing=1)
    settings = (
        *QUICK,
        *gate.settings(),
        f"campaign.num_candidates={num_candidates}",
        "estimator.preset=none",
    )
    process = start(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *settings))
    wait_for(lambda: count(run_dir, "candidate_ended") >= 1, what="an outcome")
    return process, gate


def test_dead_worker_pool_is_replaced_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process, gate = start_gated(tmp_path, num_candidates=8)
    family = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
    pools = [p for p in psutil.process_iter(["cmdline"]) if _is_pool(p.info["cmdline"] or [], run_dir)]
    assert len(pools) == 1
    family |= {child.pid for child in pools[0].children(recursive=True)}
    pools[0].kill()
    open_when_leaving(gate, run_dir)
    output, _ = process.communicate(timeout=HANG_S)
    assert process.returncode == 0, output
    ended = Counter(e["outcome"]["candidate"] for e in events(run_dir) if e["event"] == "candidate_ended")
    assert ended == Counter(range(8))
    set_back = [e for e in events(run_dir) if e["event"] in ("attempt_lost", "attempt_interrupted")]
    assert set_back
    assert not any(e.get("charged") or e.get("quarantined") for e in set_back)
    wait_for(lambda: children_left(family) == [], what="everything it started to leave")


def test_dead_interchange_ends_the_campaign_with_the_reason_and_it_can_be_resumed(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process, gate = start_gated(tmp_path, num_candidates=8)
    children = psutil.Process(process.pid).children(recursive=True)
    interchange = [child for child in children if "interchange" in " ".join(child.cmdline()[:3])]
    assert len(interchange) == 1
    interchange[0].kill()
    open_when_leaving(gate, run_dir)
    output, _ = process.communicate(timeout=HANG_S)
    assert process.returncode == 2, output
    assert "interchange has died" in output
    assert "--resume" in output
    assert events(run_dir)[-1]["event"] == "campaign_closed"
    pids = {child.pid for child in children}
    wait_for(lambda: children_left(pids) == [], what="everything it started to leave")
    assert processes_of(run_dir) == []


def _is_pool(line: list[str], run_dir: Path) -> bool:
    return any(part.endswith("process_worker_pool.py") for part in line[:4]) and str(run_dir) in " ".join(
        line
    )


def test_interrupted_campaign_stops_in_order_and_goes_on(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process, gate = start_gated(tmp_path, num_candidates=8)
    os.killpg(process.pid, signal.SIGINT)  # the whole foreground group, as a terminal does
    open_when_leaving(gate, run_dir)
    output, _ = process.communicate(timeout=HANG_S)
    assert process.returncode == 3, output
    assert "--resume" in output
    assert processes_of(run_dir) == []
    assert events(run_dir)[-1] == {
        "event": "campaign_closed",
        "reason": "stopped by SIGINT",
        "time_s": events(run_dir)[-1]["time_s"],
    }
    # It may go on with more candidates, never with another search.
    line = process.args
    refused = run([*line, "--set", "campaign.seed=99", "--resume"])
    assert refused.returncode == 2
    assert "[campaign] seed: 1 there, 99 now" in refused.stderr
    done = run([*line, "--set", "campaign.num_candidates=10", "--resume"])
    assert done.returncode == 0, done.stdout + done.stderr
    ended = Counter(e["outcome"]["candidate"] for e in events(run_dir) if e["event"] == "candidate_ended")
    assert ended == Counter(range(10))
    assert json.loads((run_dir / "configuration.json").read_text())["campaign"]["num_candidates"] == 10


def test_network_that_kills_its_rank_is_charged_twice_and_its_neighbours_finish(tmp_path: Path) -> None:
    """Candidates draw their own faults; the rank that dies under one ends its group, never the campaign."""
    run_dir = tmp_path / "run"
    settings = (
        *(s for s in QUICK if not s.startswith("space.")),
        f'space.name="{FAULTY_SPACE}:faulty"',
        "campaign.num_candidates=8",
        "campaign.seed=3",
        "estimator.preset=none",
        "group.backoff_s=0",
    )
    done = run(arguments(write_campaign(tmp_path / "c.toml"), run_dir, *settings))
    assert done.returncode == 0, done.stdout + done.stderr
    drawn = {
        e["candidate"]["number"]: e["candidate"]["parameters"]
        for e in events(run_dir)
        if e["event"] == "candidate_drawn"
    }
    ended = {
        e["outcome"]["candidate"]: e["outcome"] for e in events(run_dir) if e["event"] == "candidate_ended"
    }
    num_batches = 2 * (1150 // 64)  # at_batch beyond the training: the fault never strikes
    expected = {
        "raise": ("failed", "build"),
        "nan": ("failed", "non_finite"),
        "oom": ("failed", "out_of_memory"),
        "kill": ("failed", "crashed"),
        "exit": ("failed", "crashed"),
        "device_lost": ("failed", "crashed"),
    }
    for number, parameters in drawn.items():
        strikes = parameters["fault"] in expected and parameters["at_batch"] <= num_batches - 2
        outcome = (ended[number]["state"], ended[number]["reason"])
        if strikes:
            assert outcome == expected[parameters["fault"]], (number, parameters, ended[number])
        elif parameters["fault"] not in expected:
            assert outcome == ("finished", "full_budget"), (number, parameters, ended[number])
    charged = Counter(
        e["candidate"] for e in events(run_dir) if e["event"] == "attempt_lost" and e["charged"]
    )
    crashed = {number for number, outcome in ended.items() if outcome["reason"] == "crashed"}
    assert crashed, "the seed was chosen so that some network kills its rank"
    assert charged == Counter(dict.fromkeys(crashed, 2))


def test_campaign_script_runs_under_parsl_run(tmp_path: Path) -> None:
    campaign = tmp_path / "c.toml"
    campaign.write_text(
        "[campaign]\nnum_candidates = 2\n[training]\nmax_epochs = 1\nbatch_size = 64\n"
        "[space]\nmax_conv_layers = 1\nmax_filters = 4\n"
    )
    platform = ROOT / "configs" / "platforms" / "local.toml"
    run_dir = tmp_path / "run"
    done = run(
        [
            str(BIN / "parsl"),
            "run",
            str(ROOT / "jobs" / "campaign.py"),
            str(campaign),
            str(platform),
            str(run_dir),
        ]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (run_dir / "campaign.h5").exists()
    analysis = run([BIN / "python", str(ROOT / "jobs" / "analyze.py"), str(run_dir)])
    assert analysis.returncode == 0, analysis.stdout + analysis.stderr


def test_full_disk_stops_the_campaign_with_the_reason_and_files_stay_readable(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", num_bytes=2 << 20) as disk:
        run_dir = disk / "run"
        filler = disk / "filler"
        process, gate = start_gated(tmp_path, run_dir=run_dir, num_candidates=400)
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        gate.open()
        output, _ = process.communicate(timeout=HANG_S)
        assert process.returncode == 2, output
        assert "can't be written" in output or "No space left" in output
        filler.unlink()
        assert run([str(BIN / "hpc-nas"), "report", str(run_dir), "--json"]).returncode == 0

"""Runs whole campaigns as a user does, by the command line, and reads their records."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.bench.command import NotMeasured
from benchmarks.bench.environment import ROOT
from hpc_nas.records.archive import CampaignRecord, load_record

TIMEOUT_S = 3 * 3600.0
LAST_LINES = 15
Setting = bool | int | float | str


def run_campaign(file: str, *, settings: Mapping[str, Setting], run_dir: Path) -> CampaignRecord:
    """Run `configs/campaigns/FILE` with settings; prints its progress. Raises NotMeasured.

    Nobody is audited unless the settings say so: each candidate is trained as the measured rule has it.
    """
    settings = {"estimator.audit_share": 0, **settings}
    line = [str(Path(sys.executable).parent / "hpc-nas"), "run", str(ROOT / "configs" / "campaigns" / file)]
    line += ["--run-dir", str(run_dir)]
    for name, value in settings.items():
        line += ["--set", f"{name}={json.dumps(value)}"]
    print(f"  {run_dir.name}: {' '.join(f'{name}={value}' for name, value in settings.items())}", flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120"}
    last: deque[str] = deque(maxlen=LAST_LINES)
    with _started(line, environment) as process:
        assert process.stdout is not None
        for text in process.stdout:
            last.append(text.rstrip())
            if " candidates | " in text:
                print(f"    {text.rstrip()}", flush=True)
    if process.returncode != 0:
        raise NotMeasured(
            f"{run_dir}: hpc-nas run ended with exit code {process.returncode}, expected 0; its last words:\n"
            + "\n".join(last)
        )
    return load_record(run_dir)


@contextlib.contextmanager
def _started(line: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The campaign's process, stopped in order (SIGTERM) if the time runs out or this process gives up."""
    process = subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    timer = threading.Timer(TIMEOUT_S, process.send_signal, args=(signal.SIGTERM,))
    timer.start()
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        raise
    finally:
        timer.cancel()
        process.wait(timeout=120)

"""The generated script under a real bash, with real signals and a stand-in for the campaign."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpc_nas.platforms.job_script import job_script
from tests.unit.platforms.job_cases import SLURM, configuration, submission

# Writes down each signal, and ends when told to with the code that it is told.
CAMPAIGN = """\
#!/bin/bash
for name in USR1 USR2 TERM INT HUP; do trap "echo $name >> heard" "$name"; done
printf '%s\\n' "$@" > arguments
echo "$$" > pid
while [ ! -s code ]; do sleep 0.02; done
exit "$(cat code)"
"""
# Ends at once when it gets USR1, as a campaign does that has nothing left to close.
HASTY = """\
#!/bin/bash
trap 'exit 7' USR1
echo "$$" > pid
for count in $(seq 500); do sleep 0.01; done
"""
# Minds no signal, and ends by itself.
DEAF = """\
#!/bin/bash
trap '' USR1 USR2 TERM
echo "$$" > pid
sleep 0.3
exit 5
"""
NUMBERS = {"USR1": signal.SIGUSR1, "USR2": signal.SIGUSR2, "TERM": signal.SIGTERM, "INT": signal.SIGINT}
PLAIN = {**SLURM, "platform": {**SLURM["platform"], "setup": ["export SEEN_BY_CAMPAIGN=1"]}}


class Job:
    """A job script that runs as a scheduler's daemon runs it: in a session of its own."""

    def __init__(self, directory: Path, campaign: str):
        self.directory = directory
        stand_in = directory / "campaign"
        stand_in.write_text(campaign)
        stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
        values = submission(directory / "run", command=(str(stand_in),), working_dir=directory)
        script = directory / "job.sbatch"
        script.write_text(job_script(configuration(PLAIN), values))
        # Tests that run in a shell's background have SIGINT ignored, which bash hands on and can't trap.
        line = ["env", "--default-signal=INT", "bash", str(script)]
        self.process = subprocess.Popen(
            line, start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _wait_for(lambda: bool(self.read("pid")), what="the campaign's start")

    def read(self, name: str) -> list[str]:
        path = self.directory / name
        return path.read_text().split() if path.exists() else []

    def send(self, name: str) -> None:
        """To the batch shell alone, as `scancel --batch` and `--signal=B:` do."""
        os.kill(self.process.pid, NUMBERS[name])

    def end_campaign(self, code: int) -> None:
        (self.directory / "code").write_text(str(code))

    def result(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors.decode()


def _wait_for(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Job]]:
    jobs: list[Job] = []

    def begin(campaign: str) -> Job:
        jobs.append(Job(tmp_path, campaign))
        return jobs[-1]

    yield begin
    for job in jobs:
        try:
            os.killpg(job.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        job.process.communicate(timeout=20)


@pytest.mark.parametrize("code", [0, 2, 3, 127, 138])
def test_the_job_ends_with_the_code_of_its_campaign(start: Callable[[str], Job], code: int) -> None:
    job = start(CAMPAIGN)
    job.end_campaign(code)
    assert job.result() == (code, "")
    expected = ["run", "/shared/user/fashion.toml", "--platform", "/shared/user/platform.toml", "--run-dir"]
    assert job.read("arguments")[: len(expected)] == expected


@pytest.mark.parametrize(
    ("sent", "heard"), [("USR1", "USR1"), ("USR2", "USR2"), ("TERM", "TERM"), ("INT", "TERM")]
)
def test_a_signal_reaches_the_campaign_and_the_job_waits_for_its_end(
    start: Callable[[str], Job], sent: str, heard: str
) -> None:
    job = start(CAMPAIGN)
    job.send(sent)
    _wait_for(lambda: job.read("heard") == [heard], what="the signal")
    assert job.process.poll() is None  # the campaign closes its groups, and its job lives
    job.end_campaign(3)
    assert job.result() == (3, "")


def test_every_signal_of_several_is_handed_on(start: Callable[[str], Job]) -> None:
    job = start(CAMPAIGN)
    sent = ["USR1", "USR1", "TERM", "USR2", "TERM"]
    for count in range(len(sent)):
        job.send(sent[count])
        _wait_for(lambda count=count: job.read("heard") == sent[: count + 1], what=sent[count])  # type: ignore[misc]
    job.end_campaign(3)
    assert job.result() == (3, "")


def test_a_campaign_that_is_killed_gives_its_signal_to_the_job(start: Callable[[str], Job]) -> None:
    job = start(CAMPAIGN)
    os.kill(int(job.read("pid")[0]), signal.SIGKILL)
    code, _ = job.result()
    assert code == 128 + signal.SIGKILL


@pytest.mark.parametrize("attempt", range(15))
def test_the_code_is_the_campaigns_also_when_it_ends_as_the_signal_comes(
    start: Callable[[str], Job], attempt: int
) -> None:
    job = start(HASTY)
    time.sleep(random.Random(attempt).uniform(0, 0.05))
    job.send("USR1")
    job.send("USR1")  # the second may find the campaign gone
    assert job.result() == (7, "")


def test_signals_without_end_do_not_change_the_code(start: Callable[[str], Job]) -> None:
    job = start(DEAF)
    while job.process.poll() is None:
        job.send("TERM")
        time.sleep(0.001)
    assert job.result()[0] == 5


@pytest.mark.parametrize("attempt", range(10))
def test_the_code_is_the_campaigns_also_when_a_signal_comes_as_it_ends_by_itself(
    start: Callable[[str], Job], attempt: int
) -> None:
    job = start(DEAF)
    time.sleep(0.295 + attempt / 1000)
    job.send("TERM")
    assert job.result()[0] == 5

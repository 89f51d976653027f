"""The generated script under a real bash, with real signals and a stand-in for the campaign."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpc_nas.platforms.job_script import job_script
from tests.gate import HANG_S, wait_for
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
# Minds no signal, and ends when told to.
DEAF = """\
#!/bin/sh
trap '' USR1 USR2 TERM
echo "$$" > pid
while [ ! -s code ]; do sleep 0.02; done
exit "$(cat code)"
"""
# Read by the job's shell before its script: it sends itself a signal at the moment before a command begins, once the
# campaign minds none.
MOMENT = """\
trap 'case "$BASH_COMMAND" in "$MOMENT"*) [ -s pid ] && { echo 1 >> moments; kill -s "$SENT" "$$"; } ;; esac' DEBUG
"""
NUMBERS = {"USR1": signal.SIGUSR1, "USR2": signal.SIGUSR2, "TERM": signal.SIGTERM, "INT": signal.SIGINT}
PLAIN = {**SLURM, "platform": {**SLURM["platform"], "setup": ["export SEEN_BY_CAMPAIGN=1"]}}


class Job:
    """A job script that runs as a scheduler's daemon runs it: in a session of its own."""

    def __init__(self, directory: Path, campaign: str, **environment: str):
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
            line,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        wait_for(lambda: bool(self.read("pid")), what="the campaign's start")

    def read(self, name: str) -> list[str]:
        path = self.directory / name
        return path.read_text().split() if path.exists() else []

    def send(self, name: str) -> None:
        """To the batch shell alone, as `scancel --batch` and `--signal=B:` do."""
        os.kill(self.process.pid, NUMBERS[name])

    def end_campaign(self, code: int) -> None:
        (self.directory / "code").write_text(str(code))

    def result(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=HANG_S)
        return self.process.returncode, errors.decode()


def state_of(pid: int) -> str:
    """As the kernel calls it: T for stopped, Z for one that has ended and waits for its parent to notice."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    jobs: list[Job] = []

    def begin(campaign: str, **environment: str) -> Job:
        jobs.append(Job(tmp_path, campaign, **environment))
        return jobs[-1]

    yield begin
    for job in jobs:
        try:
            os.killpg(job.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        job.process.communicate(timeout=HANG_S)


@pytest.mark.parametrize("code", [0, 2, 3, 127, 138])
def test_the_job_ends_with_the_code_of_its_campaign(start: Callable[..., Job], code: int) -> None:
    job = start(CAMPAIGN)
    job.end_campaign(code)
    assert job.result() == (code, "")
    expected = ["run", "/shared/user/fashion.toml", "--platform", "/shared/user/platform.toml", "--run-dir"]
    assert job.read("arguments")[: len(expected)] == expected


@pytest.mark.parametrize(
    ("sent", "heard"), [("USR1", "USR1"), ("USR2", "USR2"), ("TERM", "TERM"), ("INT", "TERM")]
)
def test_a_signal_reaches_the_campaign_and_the_job_waits_for_its_end(
    start: Callable[..., Job], sent: str, heard: str
) -> None:
    job = start(CAMPAIGN)
    job.send(sent)
    wait_for(lambda: job.read("heard") == [heard], what="the signal")
    assert job.process.poll() is None  # the campaign closes its groups, and its job lives
    job.end_campaign(3)
    assert job.result() == (3, "")


def test_every_signal_of_several_is_handed_on(start: Callable[..., Job]) -> None:
    job = start(CAMPAIGN)
    sent = ["USR1", "USR1", "TERM", "USR2", "TERM"]
    for count in range(len(sent)):
        job.send(sent[count])
        wait_for(lambda count=count: job.read("heard") == sent[: count + 1], what=sent[count])  # type: ignore[misc]
    job.end_campaign(3)
    assert job.result() == (3, "")


def test_a_campaign_that_is_killed_gives_its_signal_to_the_job(start: Callable[..., Job]) -> None:
    job = start(CAMPAIGN)
    os.kill(int(job.read("pid")[0]), signal.SIGKILL)
    code, _ = job.result()
    assert code == 128 + signal.SIGKILL


@pytest.mark.parametrize("sent", ["USR1", "USR2", "TERM"])
def test_the_code_is_the_campaigns_also_when_the_signal_finds_it_ended(
    start: Callable[..., Job], sent: str
) -> None:
    """The shell is stopped meanwhile: it learns of the campaign's end and of the signal at once."""
    job = start(DEAF)
    os.kill(job.process.pid, signal.SIGSTOP)
    wait_for(lambda: state_of(job.process.pid) == "T", what="the shell to stop")
    job.end_campaign(7)
    wait_for(lambda: state_of(int(job.read("pid")[0])) == "Z", what="the campaign's end")
    job.send(sent)
    os.kill(job.process.pid, signal.SIGCONT)
    assert job.result() == (7, "")


@pytest.mark.parametrize("sent", ["USR1", "USR2", "TERM"])
@pytest.mark.parametrize("moment", ["kill -0", "read", "trap ''", "wait"])
def test_no_signal_at_any_moment_changes_the_code(
    start: Callable[..., Job], tmp_path: Path, moment: str, sent: str
) -> None:
    """One before each of the commands by which the script waits, however often it does."""
    (tmp_path / "moment.sh").write_text(MOMENT)
    job = start(DEAF, BASH_ENV=str(tmp_path / "moment.sh"), MOMENT=moment, SENT=sent)
    if moment in ("kill -0", "read"):
        wait_for(lambda: len(job.read("moments")) > 4, what="several of them")
    job.end_campaign(5)
    assert job.result()[0] == 5  # bash may remark that there was nobody to hand the signal on to
    assert job.read("moments")

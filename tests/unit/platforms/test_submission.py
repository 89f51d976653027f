"""Handing scripts to a scheduler; the commands here are stand-ins that write down what they were given."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hpc_nas.configuration import Scheduler
from hpc_nas.errors import ConfigurationError, LaunchError
from hpc_nas.platforms.scheduler import SCHEDULERS
from hpc_nas.platforms.submission import check_can_submit, submit_chain

SCRIPT = Path("/runs/a.jobs/job.sbatch")
REAL = [Scheduler.SLURM, Scheduler.LSF, Scheduler.PBS]

# Answers as the vendors' own commands do; the third job is refused.
STAND_IN = """\
#!/bin/bash
number=$(( $(cat count 2>/dev/null || echo 100) + 1 ))
echo "$number" > count
echo "$@" >> lines
cat >> scripts
if [ "$number" = 103 ] && [ -e limit ]; then echo "error: QOSMaxSubmitJobLimit" >&2; exit 1; fi
printf "ANSWER\\n" "$number"
"""
ANSWERS = {
    Scheduler.SLURM: ("sbatch", "%s"),
    Scheduler.LSF: ("bsub", "Job <%s> is submitted to queue <batch>."),
    Scheduler.PBS: ("qsub", "%s.server-01.cluster"),
}


@pytest.mark.parametrize(
    ("scheduler", "answer", "job"),
    [
        (Scheduler.SLURM, "1234\n", "1234"),
        (Scheduler.SLURM, "1234;frontier\n", "1234"),
        (Scheduler.SLURM, "sbatch: lua: a word of the site's\n1234\n", "1234"),
        (Scheduler.LSF, "Job <1234> is submitted to queue <batch>.\n", "1234"),
        (Scheduler.LSF, "Verifying project\nJob <7> is submitted to default queue <normal>.\n", "7"),
        (Scheduler.PBS, "123.server\n", "123.server"),
        (Scheduler.PBS, "Request is within limits\n4567.polaris-pbs-01.hsn.cm.polaris.alcf.anl.gov\n",
         "4567.polaris-pbs-01.hsn.cm.polaris.alcf.anl.gov"),
    ],
)  # fmt: skip
def test_the_job_id_is_found_in_what_the_command_prints(scheduler: Scheduler, answer: str, job: str) -> None:
    assert SCHEDULERS[scheduler].parse_job_id(answer) == job


@pytest.mark.parametrize("scheduler", REAL)
def test_an_answer_without_a_job_id_is_an_error_that_shows_it(scheduler: Scheduler) -> None:
    with pytest.raises(LaunchError, match="printed no job id: 'Sorry'; look whether the job is queued"):
        SCHEDULERS[scheduler].parse_job_id("Sorry\n")


@pytest.mark.parametrize(
    ("scheduler", "first", "later"),
    [
        (
            Scheduler.SLURM,
            ["sbatch", "--parsable", str(SCRIPT)],
            ["sbatch", "--parsable", "--dependency=afterany:12", str(SCRIPT)],
        ),
        (Scheduler.LSF, ["bsub"], ["bsub", "-w", "ended(12)"]),
        (Scheduler.PBS, ["qsub", str(SCRIPT)], ["qsub", "-W", "depend=afterany:12", str(SCRIPT)]),
    ],
)
def test_a_later_job_waits_for_the_end_of_the_one_before(
    scheduler: Scheduler, first: list[str], later: list[str]
) -> None:
    assert SCHEDULERS[scheduler].submit_line(SCRIPT) == first
    assert SCHEDULERS[scheduler].submit_line(SCRIPT, after="12") == later


def test_a_script_is_called_by_its_schedulers_habits() -> None:
    assert [f"job.{SCHEDULERS[scheduler].extension}" for scheduler in REAL] == [
        "job.sbatch",
        "job.lsf",
        "job.pbs",
    ]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose sbatch, bsub and qsub come first on PATH, and a script in it."""
    for command, answer in ANSWERS.values():
        path = tmp_path / command
        path.write_text(STAND_IN.replace("ANSWER", answer))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "script").write_text("#!/bin/bash\n")
    return tmp_path


def _chain(scheduler: Scheduler, directory: Path, *, length: int) -> list[str]:
    return list(
        submit_chain(SCHEDULERS[scheduler], script=directory / "script", length=length, working_dir=directory)
    )


@pytest.mark.parametrize(
    ("scheduler", "jobs", "last"),
    [
        (Scheduler.SLURM, ["101", "102", "103"], "--parsable --dependency=afterany:102 {script}"),
        (Scheduler.LSF, ["101", "102", "103"], "-w ended(102)"),
        (
            Scheduler.PBS,
            [f"{number}.server-01.cluster" for number in (101, 102, 103)],
            "-W depend=afterany:102.server-01.cluster {script}",
        ),
    ],
)
def test_a_chain_is_one_script_submitted_several_times(
    stand_in: Path, scheduler: Scheduler, jobs: list[str], last: str
) -> None:
    assert _chain(scheduler, stand_in, length=3) == jobs
    lines = (stand_in / "lines").read_text().splitlines()
    assert len(lines) == 3
    assert lines[-1] == last.format(script=stand_in / "script")


def test_bsub_reads_the_script_from_its_input(stand_in: Path) -> None:
    _chain(Scheduler.LSF, stand_in, length=2)
    assert (stand_in / "scripts").read_text() == 2 * "#!/bin/bash\n"


def test_a_chain_that_breaks_says_why_and_what_is_queued(stand_in: Path) -> None:
    (stand_in / "limit").touch()
    with pytest.raises(LaunchError) as caught:
        _chain(Scheduler.SLURM, stand_in, length=5)
    message = str(caught.value)
    assert "exit code 1: error: QOSMaxSubmitJobLimit" in message
    assert message.endswith("2 of 5 jobs are queued and stay (scancel 101 102 takes them back)")


def test_a_chain_of_no_jobs_is_refused(stand_in: Path) -> None:
    with pytest.raises(ConfigurationError, match="--chain 0"):
        _chain(Scheduler.SLURM, stand_in, length=0)


@pytest.mark.parametrize("scheduler", REAL)
def test_a_machine_without_the_scheduler_is_told_before_anything_is_done(
    scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ANSWERS[scheduler][0]
    with pytest.raises(LaunchError, match=rf"no {command} on this machine, .* \(--dry-run\)"):
        check_can_submit(SCHEDULERS[scheduler])

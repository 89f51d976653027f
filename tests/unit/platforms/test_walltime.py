"""When an allocation ends: from whoever knows, and never a guess that nobody is told of."""

from __future__ import annotations

import logging
import os
import time
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from hpc_nas.configuration import Configuration, GroupSection, PlatformSection, Scheduler
from hpc_nas.platforms import walltime
from hpc_nas.platforms.scheduler import SCHEDULERS, current_job
from hpc_nas.platforms.walltime import find_deadline

STORED = Path(__file__).parent / "stored"
SLURM, LSF, PBS = (SCHEDULERS[each] for each in (Scheduler.SLURM, Scheduler.LSF, Scheduler.PBS))
NOW = 1_795_336_400.0  # 2026-11-22 08:33:20 UTC
LOCAL = Configuration()


def local(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def timed(limit: str | None, *, blocks: str = "script") -> Configuration:
    return Configuration(
        platform=PlatformSection(walltime=limit, scheduler=Scheduler.SLURM, placement=blocks, warn_s=1.0),
        group=GroupSection(drain_s=1.0),
    )


# --- answers, as they are ------------------------------------------------------------------------------------


def test_slurms_answers_are_read_with_and_without_the_time_format() -> None:
    """Written by Slurm 22.05.8; the job had 120 seconds."""
    text = (STORED / "scontrol_job.txt").read_text()
    started = int(text.split("StartTime=")[1].split()[0])
    ended = int(text.split(" EndTime=")[1].split()[0])
    assert 0 < ended - started <= 120
    assert SLURM.read_end(text, now=NOW) == float(ended)
    assert SLURM.read_end("1795336632\n", now=NOW) == 1795336632.0
    assert SLURM.read_end("2026-11-22T08:37:12\n", now=NOW) == local("2026-11-22T08:37:12")
    standard = "   StartTime=2026-11-22T08:32:12 EndTime=2026-11-22T08:37:12 Deadline=N/A\n"
    assert SLURM.read_end(standard, now=NOW) == local("2026-11-22T08:37:12")


@pytest.mark.parametrize(
    "answer", ["", "N/A\n", "NONE\n", "StartTime=Unknown EndTime=Unknown Deadline=N/A\n"]
)
def test_slurm_job_without_an_end_has_none(answer: str) -> None:
    assert SLURM.read_end(answer, now=NOW) is None


@pytest.mark.parametrize(
    ("answer", "left_s"),
    [
        ("00:01:15|01:00:00|0:58 L\n", 3480),  # minutes are rounded down: the earlier one counts
        ("00:01:15|01:00:00|0:59 L\n", 3525),
        ("75 second(s)|60.0|0:59 L\n", 3525),  # releases without -hms in effect
        ("75 second(s)|60.0/hostA|-\n", 3525),
        ("00:01:15|-|0:30 L\n", 1800),
        ("00:10:00|02:00:00|0:05 E\n", 6600),  # E: an estimate (bsub -We), which is no limit
        ("00:10:00|02:00:00|0:00 X\n", 6600),
    ],
)
def test_lsfs_answer_is_read(answer: str, left_s: int) -> None:
    """Formats and status letters by IBM's reference of bjobs -o, -hms and -WL (see schedulers.py)."""
    assert LSF.read_end(answer, now=NOW) == NOW + left_s


@pytest.mark.parametrize(
    "answer", ["", "-|-|-\n", "00:01:15|-|0:30 E\n", "Job <17> is not found\n", "a|b|c\n", "|\n"]
)
def test_lsf_job_without_a_limit_has_none(answer: str) -> None:
    assert LSF.read_end(answer, now=NOW) is None


QSTAT = """Job Id: 1234.polaris-pbs-01.hsn.cm.polaris.alcf.anl.gov
    Job_Name = hpc-nas
    Job_Owner = user@polaris-login-01.hsn.cm.polaris.alcf.anl.gov
    resources_used.cpupercent = 0
    resources_used.walltime = 00:00:30
    job_state = R
    queue = debug
    exec_host = x3005c0s37b0n0/0*64
    Resource_List.filesystems = home:eagle
    Resource_List.nodect = 1
    Resource_List.select = 1:ncpus=64
    Resource_List.walltime = 01:00:00
    stime = Sun Nov 22 08:32:12 2026
    Variable_List = PBS_O_HOME=/home/user,PBS_O_LANG=en_US.UTF-8,
\tPBS_O_PATH=/usr/bin:/bin
"""


def test_pbss_answer_is_read() -> None:
    """The full display of a running job: qstat(1B), pbs_job_attributes(7B)."""
    assert PBS.read_end(QSTAT, now=NOW) == local("2026-11-22T09:32:12")
    without_start = QSTAT.replace("    stime = Sun Nov 22 08:32:12 2026\n", "")
    assert PBS.read_end(without_start, now=NOW) == NOW + 3570
    queued = without_start.replace("    resources_used.walltime = 00:00:30\n", "")
    assert PBS.read_end(queued, now=NOW) is None
    assert PBS.read_end(QSTAT.replace("01:00:00", "UNLIMITED"), now=NOW) is None
    assert PBS.read_end(QSTAT.replace("01:00:00", "100:00:00"), now=NOW) == local("2026-11-26T12:32:12")


def test_job_is_told_by_its_schedulers_variable() -> None:
    def asked(environment: dict[str, str]) -> list[list[str]]:
        job = current_job(environment)
        return [] if job is None else job.scheduler.end_questions(job.number)

    bjobs = ["bjobs", "-noheader", "-o", "run_time runtimelimit time_left delimiter='|'", "-hms"]
    assert asked({}) == []
    assert asked({"SLURM_JOB_ID": "7"}) == [
        ["squeue", "-h", "-j", "7", "-o", "%e"],
        ["scontrol", "show", "job", "7"],
    ]
    assert asked({"LSB_JOBID": "7", "LSB_JOBINDEX": "0"}) == [[*bjobs, "7"]]
    assert asked({"LSB_JOBID": "7", "LSB_JOBINDEX": "3"}) == [[*bjobs, "7[3]"]]
    assert asked({"PBS_JOBID": "7.server"}) == [["qstat", "-f", "7.server"]]


# --- who is asked in which order ------------------------------------------------------------------------------


def command(path: Path, *, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_environments_word_comes_first() -> None:
    environment = {"HPC_NAS_DEADLINE": str(NOW + 60), "SLURM_JOB_END_TIME": str(NOW + 90)}
    assert find_deadline(timed("01:00:00"), environment=environment, now=NOW) == NOW + 60
    del environment["HPC_NAS_DEADLINE"]
    assert find_deadline(timed("01:00:00"), environment=environment, now=NOW) == NOW + 90


@pytest.mark.parametrize("text", ["soon", "nan", "inf", str(NOW - 1)])
def test_word_that_can_not_be_is_passed_over_with_a_warning(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert find_deadline(LOCAL, environment={"HPC_NAS_DEADLINE": text}, now=NOW) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "HPC_NAS_DEADLINE" in record.getMessage()


def test_scheduler_is_asked_in_seconds_since_1970(tmp_path: Path) -> None:
    command(
        tmp_path / "squeue",
        script=f'test "$SLURM_TIME_FORMAT" = %s && test "$*" = "-h -j 7 -o %e" && echo {NOW + 5:.0f}',
    )
    environment = {"SLURM_JOB_ID": "7", "PATH": str(tmp_path)}
    assert find_deadline(timed("01:00:00"), environment=environment, now=NOW) == NOW + 5


def test_second_question_is_asked_when_the_first_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command(tmp_path / "squeue", script="echo slurm_load_jobs error: Socket timed out >&2; exit 1")
    command(tmp_path / "scontrol", script=f"echo JobId=7; echo '   EndTime={NOW + 9:.0f} Deadline=N/A'")
    environment = {"SLURM_JOB_ID": "7", "PATH": str(tmp_path)}
    assert find_deadline(LOCAL, environment=environment, now=NOW) == NOW + 9
    assert caplog.messages == ["squeue -h -j 7 -o %e: exit code 1: slurm_load_jobs error: Socket timed out"]


def test_walltime_counts_from_the_start_of_the_process_when_nobody_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = psutil.Process().create_time()
    command(tmp_path / "qstat", script="echo qstat: Unknown Job Id >&2; exit 153")
    environment = {"PBS_JOBID": "7", "PATH": str(tmp_path)}
    assert find_deadline(timed("00:10:00"), environment=environment, now=time.time()) == started + 600
    assert caplog.messages[-1] == "pbs tells no end of job 7; [platform] walltime counts instead"
    assert find_deadline(timed("00:10:00"), environment={}, now=time.time()) == started + 600
    assert find_deadline(timed(None), environment={}, now=time.time()) is None


def test_missing_and_silent_commands_are_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(walltime, "ANSWER_WITHIN_S", 0.2)
    command(tmp_path / "squeue", script="exec /bin/sleep 30")
    environment = {"SLURM_JOB_ID": "7", "PATH": str(tmp_path)}
    assert find_deadline(LOCAL, environment=environment, now=NOW) is None
    assert "timed out after" in caplog.messages[0]
    assert caplog.messages[1] == "no scontrol on PATH"


def test_campaign_outside_of_its_blocks_has_no_deadline() -> None:
    configuration = timed("01:00:00", blocks="blocks")
    assert find_deadline(configuration, environment={"PATH": os.defpath}, now=time.time()) is None

"""What Slurm, LSF and PBS are asked about a job's end, and how their answers are read: pure, without a subprocess.

Slurm: `squeue -h -j ID -o %e` and `scontrol show job ID`, with SLURM_TIME_FORMAT=%s, so that both answer in seconds
since 1970 whatever the time zone (squeue(1), scontrol(1), "ENVIRONMENT VARIABLES"; tried with 22.05).

LSF: `bjobs -noheader -o "run_time runtimelimit time_left delimiter='|'" -hms ID`. `finish_time` is not used: it has
no year and whole minutes, and ends in `E` where it only estimates. Fields, `-hms` and the status letters X, L, E:
https://www.ibm.com/docs/en/SSWRJV_10.1.0/lsf_command_ref/bjobs.o.1.html
https://www.ibm.com/support/knowledgecenter/SSWRJV_10.1.0/lsf_command_ref/bjobs.hms.1.html
https://www.ibm.com/support/knowledgecenter/SSWRJV_10.1.0/lsf_command_ref/bjobs.__w__l.1.html

PBS: `qstat -f ID`: `stime` (when it started) and `Resource_List.walltime`; without `stime`
`resources_used.walltime`, which lags behind by as much as the server's polling. The text is read rather than
`-F json`, which is invalid where a job's environment holds certain characters. pbs_job_attributes(7B), qstat(1B).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hpc_nas.configuration import Scheduler

JOB_VARIABLES = {
    Scheduler.SLURM: "SLURM_JOB_ID",
    Scheduler.LSF: "LSB_JOBID",
    Scheduler.PBS: "PBS_JOBID",
}
SUBMIT_COMMANDS = {Scheduler.SLURM: "sbatch", Scheduler.LSF: "bsub", Scheduler.PBS: "qsub"}

_BJOBS_FIELDS = "run_time runtimelimit time_left delimiter='|'"
_MINUTE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """The job that this process runs in."""

    scheduler: Scheduler
    number: str


def current_job(environment: Mapping[str, str]) -> Job | None:
    """The job that the environment speaks of; None outside of one."""
    for scheduler, variable in JOB_VARIABLES.items():
        if number := environment.get(variable, ""):
            index = environment.get("LSB_JOBINDEX", "0") if scheduler == Scheduler.LSF else "0"
            return Job(scheduler=scheduler, number=number if index == "0" else f"{number}[{index}]")
    return None


def questions(job: Job) -> list[list[str]]:
    """The commands that tell a job's end, best first."""
    match job.scheduler:
        case Scheduler.SLURM:
            return [["squeue", "-h", "-j", job.number, "-o", "%e"], ["scontrol", "show", "job", job.number]]
        case Scheduler.LSF:
            return [["bjobs", "-noheader", "-o", _BJOBS_FIELDS, "-hms", job.number]]
        case Scheduler.PBS:
            return [["qstat", "-f", job.number]]
        case Scheduler.NONE:
            return []


def read_end(scheduler: Scheduler, answer: str, *, now: float) -> float | None:
    """A scheduler's answer -> the job's end in seconds since 1970; None where it tells none."""
    match scheduler:
        case Scheduler.SLURM:
            return read_slurm(answer)
        case Scheduler.LSF:
            return read_bjobs(answer, now=now)
        case Scheduler.PBS:
            return read_qstat(answer, now=now)
        case Scheduler.NONE:
            return None


def read_slurm(answer: str) -> float | None:
    """squeue's %e or scontrol's EndTime=; "N/A", "NONE" and "Unknown" are jobs without an end."""
    found = re.search(r"\bEndTime=(\S+)", answer)
    text = found.group(1) if found else answer.strip()
    if text.isdigit():
        return float(text)
    try:
        return datetime.fromisoformat(text).timestamp()  # local time, as the command prints it
    except ValueError:
        return None


def read_bjobs(answer: str, *, now: float) -> float | None:
    """`RUN_TIME|RUNTIMELIMIT|TIME_LEFT`, each as hh:mm:ss, `75 second(s)`, or minutes; `-` where there is none.

    The end is the earlier one of the limit less the time used, and of the time left where that comes from a limit
    (`L`): a limit is normalised by the host's CPU factor unless ABS_RUNLIMIT is set, and time left is in minutes.
    """
    for line in answer.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 3:
            continue
        used_s, limit_s = _lsf_seconds(fields[0]), _lsf_seconds(fields[1].partition("/")[0])
        left_text, _, status = fields[2].partition(" ")
        ends = []
        if used_s is not None and limit_s is not None:
            ends.append(now + limit_s - used_s)
        if status == "L" and (left_s := _clock_seconds(left_text)) is not None:
            ends.append(now + left_s)
        return min(ends, default=None)
    return None


def read_qstat(answer: str, *, now: float) -> float | None:
    """The full display of one job, as text."""
    fields = dict(re.findall(r"^\s+([\w.]+) = (.*?)\s*$", answer, re.MULTILINE))
    limit_s = _clock_seconds(fields.get("Resource_List.walltime", ""))
    if limit_s is None:
        return None
    try:
        return datetime.strptime(fields["stime"], "%a %b %d %H:%M:%S %Y").timestamp() + limit_s
    except (KeyError, ValueError):
        used_s = _clock_seconds(fields.get("resources_used.walltime", ""))
        return None if used_s is None else now + limit_s - used_s


def _lsf_seconds(text: str) -> float | None:
    if found := re.fullmatch(r"([\d.]+) second\(s\)", text):
        return float(found.group(1))
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text) * _MINUTE_S
    return _clock_seconds(text)


def _clock_seconds(text: str) -> float | None:
    """`HH:MM:SS`, or `HH:MM` -> seconds."""
    found = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d))?", text)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600.0 + minutes * _MINUTE_S + seconds

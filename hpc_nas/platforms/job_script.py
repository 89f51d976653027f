"""The job script: a configuration and what is to be run -> the text that a scheduler is given.

Whatever the scheduler, the script starts the campaign in the background, hands on each signal, and waits until the
campaign has really ended: a shell that waits for a foreground command runs no trap before that command's end,
and the scheduler's warning would arrive with the kill.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.configuration import Configuration, Placement, Scheduler
from hpc_nas.errors import ConfigurationError
from hpc_nas.platforms.directives import lsf_options, pbs_options, slurm_options

_PREFIXES = {Scheduler.SLURM: "#SBATCH", Scheduler.LSF: "#BSUB", Scheduler.PBS: "#PBS"}
_OPTIONS: dict[Scheduler, Callable[[Configuration, Path], list[str]]] = {
    Scheduler.SLURM: slurm_options,
    Scheduler.LSF: lsf_options,
    Scheduler.PBS: pbs_options,
}
_PLAIN_PATH = re.compile(r"[^\s'\"`$;&|<>\\%#*?]+")

# USR1: Slurm's --signal. USR2: LSF's -wa, and its run limit. TERM: PBS, and every scheduler's cancel. INT: LSF's
# bkill, handed on as TERM, since a second interrupt would end the campaign without any order.
#
# `read` on a pipe that stays empty is a sleep that a trap interrupts. `wait` would be one as well, but bash loses a
# command's exit code when the command ends in the moment in which a signal interrupts its wait (measured with
# 5.2: 53 of 400, for signals within 4 ms of the end). So the code is asked for last, with nothing to interrupt.
_WAIT = """\
trap 'kill -s USR1 "$!"' USR1
trap 'kill -s USR2 "$!"' USR2
trap 'kill -s TERM "$!"' TERM INT HUP
exec 3<> <(:)  # a pipe that stays empty: reading it is a sleep that a trap interrupts
{command} 3>&- &
campaign=$!
while kill -0 "$campaign"; do read -rt 0.2 -u 3; done 2>/dev/null  # until it has really ended
trap '' USR1 USR2 TERM INT HUP
wait "$campaign"  # its exit code is the job's
"""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a job is to run, and where. Paths are absolute; `command` starts hpc-nas."""

    command: tuple[str, ...]
    working_dir: Path
    campaign_path: Path
    platform_path: Path | None
    run_dir: Path
    settings: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()  # more of `hpc-nas run`

    @property
    def jobs_dir(self) -> Path:
        """Beside the run directory, which holds a campaign or nothing: the script and what its jobs print."""
        return self.run_dir.with_name(f"{self.run_dir.name}.jobs")

    @property
    def run_line(self) -> list[str]:
        """Starts the campaign, or goes on with the one that lies in the run directory."""
        line = [*self.command, "run", str(self.campaign_path)]
        if self.platform_path is not None:
            line += ["--platform", str(self.platform_path)]
        line += ["--run-dir", str(self.run_dir), "--auto-resume", *self.flags]
        for setting in self.settings:
            line += ["--set", setting]
        return line


def job_script(configuration: Configuration, submission: Submission) -> str:
    """The whole script. Raises ConfigurationError where no job script can run this campaign."""
    platform = configuration.platform
    if platform.scheduler == Scheduler.NONE:
        raise ConfigurationError(
            f"platform {platform.name!r}: scheduler = 'none' takes no jobs; run it here (hpc-nas run), or name a "
            "platform file with a scheduler (--platform configs/platforms/slurm.toml)"
        )
    if platform.placement == Placement.BLOCKS:
        raise ConfigurationError(
            f"platform {platform.name!r}: placement = 'blocks' runs the campaign outside its jobs, and Parsl "
            "submits them; start it where it is to stay (hpc-nas run), or set placement = 'script'"
        )
    check_plain(submission.jobs_dir)
    prefix = _PREFIXES[platform.scheduler]
    options = _OPTIONS[platform.scheduler](configuration, submission.jobs_dir)
    own = {_name(option) for option in platform.directives}
    lines = [f"{prefix} {option}" for option in options if _name(option) not in own]
    lines += [f"{prefix} {option}" for option in platform.directives]
    setup = "".join(f"{line}\n" for line in platform.setup)
    return (
        "#!/bin/bash\n"
        + "".join(f"{line}\n" for line in lines)
        + "\n# Written by hpc-nas submit. Submitted again, after anything, it goes on with the campaign.\n"
        + f"cd {shlex.quote(str(submission.working_dir))} || exit 1\n"
        + setup
        + _WAIT.format(command=_folded(submission.run_line))
    )


def check_plain(path: Path) -> None:
    """Raises ConfigurationError for a path that can't stand on a scheduler's line as it is."""
    if not _PLAIN_PATH.fullmatch(str(path)):
        raise ConfigurationError(
            f"--run-dir {path}: it stands on a line of the job script; use a path without blanks, quotes or "
            "any of $ ; & | < > % # * ?"
        )


def _name(option: str) -> str:
    """What an option sets, so that one of the platform's own takes its place: `--time`, `-l select`, `-q`."""
    head, equals, _ = option.partition("=")
    return head if equals else option.split()[0]


def _folded(words: list[str]) -> str:
    """One command over several lines, an option and its value on each."""
    lines: list[str] = []
    for word in words:
        starts = word.startswith("--")
        if starts or not lines:
            lines.append(shlex.quote(word))
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return " \\\n    ".join(lines)

"""The job script: a configuration and what is to be run -> the text that a scheduler is given.

Whatever the scheduler, the script starts the campaign in the background, hands on each signal, and waits until the
campaign has really ended: a shell that waits for a foreground command runs no trap before that command's end,
and the scheduler's warning would arrive with the kill.
"""

from __future__ import annotations

import shlex
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.configuration import Configuration, Placement, Scheduler
from hpc_nas.errors import ConfigurationError
from hpc_nas.platforms.parsl_directory import is_plain
from hpc_nas.platforms.scheduler import SCHEDULERS

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
    prefix = SCHEDULERS[platform.scheduler].prefix
    own = {_name(option) for option in platform.directives}
    options, output = _output(configuration, submission.jobs_dir, own=own)
    lines = [f"{prefix} {option}" for option in options if _name(option) not in own]
    lines += [f"{prefix} {option}" for option in platform.directives]
    setup = "".join(f"{line}\n" for line in platform.setup)
    return (
        "#!/bin/bash\n"
        + "".join(f"{line}\n" for line in lines)
        + "\n# Written by hpc-nas submit. Submitted again, after anything, it goes on with the campaign.\n"
        + output
        + f"cd {shlex.quote(str(submission.working_dir))} || exit 1\n"
        + setup
        + _WAIT.format(command=_folded(submission.run_line))
    )


def _output(configuration: Configuration, jobs_dir: Path, *, own: Set[str]) -> tuple[list[str], str]:
    """(options, a line of the script): where the job's output goes; `own` are those that the platform sets itself.

    Schedulers read quotes, blanks and patterns (%j) on their own lines in ways of their own: a path that has such a
    thing stands quoted on a line of the shell.
    """
    scheduler = SCHEDULERS[configuration.platform.scheduler]
    options, nowhere = scheduler.options(configuration, jobs_dir), scheduler.no_output
    if is_plain(jobs_dir) or _name(nowhere) in own:
        return options, ""
    options = [nowhere if _name(option) == _name(nowhere) else option for option in options]
    start = shlex.quote(f"{jobs_dir}/{scheduler.key}-")
    return options, f'exec >>{start}"${scheduler.job_variable}.out" 2>&1\n'


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

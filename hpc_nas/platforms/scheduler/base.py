"""What a batch scheduler is to us: one class in one file says all of its words; here is what they have in common.

A new scheduler is a file beside this one, an entry of `SCHEDULERS`, a member of `configuration.Scheduler`, and at most
a launcher in `platforms.providers`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError

if TYPE_CHECKING:
    from parsl.providers.base import ExecutionProvider

MINUTE_S = 60.0


class BatchScheduler(ABC):
    """One kind of scheduler.

    Class variables: `key` as a platform file has it, `name` as people say it; `job_variable` holds a job's number
    within it, `end_variable` (if any) its end in seconds since 1970; `prefix` begins the script's lines for it,
    `no_output` is the option by which a job's output goes nowhere; `ping` asks whether it answers. The commands are
    those that submit (`submit`, with `after` for a job that waits for another's end, however that ended) and cancel;
    `job_id` finds the job's number in what the submitting one prints; `extension` is a job script's.
    """

    key: ClassVar[str]
    name: ClassVar[str]
    job_variable: ClassVar[str]
    end_variable: ClassVar[str] = ""
    prefix: ClassVar[str]
    no_output: ClassVar[str]
    ping: ClassVar[tuple[str, ...]]
    submit: ClassVar[tuple[str, ...]]
    after: ClassVar[tuple[str, ...]]
    cancel: ClassVar[str]
    job_id: ClassVar[re.Pattern[str]]
    extension: ClassVar[str]

    # --- a job's script -----------------------------------------------------------------------------------

    @abstractmethod
    def options(self, configuration: Configuration, jobs_dir: Path) -> list[str]:
        """What a job asks for, one option an entry, without the prefix. Its output goes below `jobs_dir`.

        Each was checked against the vendor's documentation; the references stand beside the stored scripts of the
        tests.
        """

    def submit_line(self, script: Path, *, after: str = "") -> list[str]:
        """The command that submits `script`, to start once job `after` has ended."""
        return [*self._submit_words(after), str(script)]

    def _submit_words(self, after: str) -> list[str]:
        return [*self.submit, *((part.format(after) for part in self.after) if after else ())]

    def parse_job_id(self, answer: str) -> str:
        """The job's number in what the submitting command printed. Raises LaunchError when it says none."""
        found = self.job_id.search(answer.strip())
        if found is None:
            raise LaunchError(
                f"{self.submit[0]} printed no job id: {answer.strip()[-300:]!r}; look whether the job is queued "
                "before submitting again"
            )
        return found[1]

    # --- within a job --------------------------------------------------------------------------------------

    def job_number(self, environment: Mapping[str, str]) -> str:
        """Of the job that the environment speaks of; empty outside of one."""
        return environment.get(self.job_variable, "")

    @abstractmethod
    def end_questions(self, number: str) -> list[list[str]]:
        """The commands that tell a job's end, best first."""

    @abstractmethod
    def read_end(self, answer: str, *, now: float) -> float | None:
        """An answer -> the job's end in seconds since 1970; None where it tells none."""

    # --- Parsl's blocks ------------------------------------------------------------------------------------

    @abstractmethod
    def provider(self, configuration: Configuration, blocks: dict[str, Any]) -> ExecutionProvider:
        """Parsl's provider; `blocks` is what all providers are told alike."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that this process runs in."""

    scheduler: BatchScheduler
    number: str


def cores_asked_for(configuration: Configuration) -> int:
    """On each node: all that it has, or as many as the ranks keep busy where that is not said."""
    return configuration.platform.cores_per_node or configuration.cores_used_per_node


def given(pattern: str, value: object) -> list[str]:
    """The option, if there is a value for it."""
    return [] if value is None else [pattern.format(value)]


def directives(prefix: str, options: list[str]) -> str:
    """Options as lines of a script, as Parsl's providers take them."""
    return "\n".join(f"{prefix} {option}" for option in options)


def clock_seconds(text: str) -> float | None:
    """`HH:MM:SS`, or `HH:MM` -> seconds."""
    found = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d))?", text)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600.0 + minutes * MINUTE_S + seconds

"""The platform table: the machine, its scheduler, what is asked of it, and how nodes and ranks are started."""

from __future__ import annotations

import datetime
import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from hpc_nas.configuration.section import DAY_S, HOUR_S, Section


class Scheduler(StrEnum):
    """Who hands out nodes."""

    NONE = "none"  # nobody: this machine alone
    SLURM = "slurm"
    LSF = "lsf"
    PBS = "pbs"


class NodeLauncher(StrEnum):
    """What starts one Parsl manager on each node of an allocation."""

    NONE = "none"  # it is started where the block's script runs: one node
    SRUN = "srun"  # Slurm
    JSRUN = "jsrun"  # LSF with IBM's Job Step Manager (Summit's class of machine)
    BLAUNCH = "blaunch"  # LSF without it
    MPIEXEC = "mpiexec"  # PBS: the site's mpiexec over $PBS_NODEFILE


class RankLauncher(StrEnum):
    """What starts the ranks of a worker group inside a node."""

    MPIEXEC = "mpiexec"


class Placement(StrEnum):
    """Where the campaign runs."""

    SCRIPT = "script"  # inside the allocation, started by the job script
    BLOCKS = "blocks"  # on a login node; Parsl submits the blocks


class DeviceVariable(StrEnum):
    """The environment variable by which a process is shown its GPUs."""

    CUDA = "CUDA_VISIBLE_DEVICES"
    ROCR = "ROCR_VISIBLE_DEVICES"
    HIP = "HIP_VISIBLE_DEVICES"
    ZE = "ZE_AFFINITY_MASK"


_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*")
_WALLTIME = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)")
_CONSTRAINT = re.compile(r"[\w.&|*,()\[\]-]+", re.ASCII)
_WORD = re.compile(r"[^\s'\"`$;&|<>\\]+")


def _address(text: str) -> str:
    """An IPv4 address or a host name (RFC 1123; underscores as well, its last label not a number alone)."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        last = text.rpartition(".")[2]
        if len(text) > 253 or not _HOST_NAME.fullmatch(text) or last.isdigit():
            raise ValueError("neither an IPv4 address nor a host name") from None
    return text


def parse_walltime(text: str) -> int:
    """`HH:MM:SS` -> seconds. Raises ValueError for anything else, and for no time at all."""
    found = _WALLTIME.fullmatch(text)
    if found is None:
        raise ValueError("not of the form HH:MM:SS, as in 01:30:00")
    hours, minutes, seconds = map(int, found.groups())
    if not (total := hours * 3600 + minutes * 60 + seconds):
        raise ValueError("no time at all")
    return total


def _walltime(text: str) -> str:
    parse_walltime(text)
    return text


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ValueError(
            "it stands on a line of a job script: one word, without blanks, quotes or $ ; & | < >"
        )
    return text


def _constraint(text: str) -> str:
    if not _CONSTRAINT.fullmatch(text):
        raise ValueError('features of nodes, as in "gpu" or "gpu&hbm80g", without blanks')
    return text


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("it is one line of a job script: neither empty nor with line breaks")
    return text


def _directive(text: str) -> str:
    if not _line(text).startswith("-"):
        raise ValueError('a directive is an option of the scheduler, as in "--exclusive" or "-l place=excl"')
    return text


def _scratch(text: str) -> str:
    if not text.startswith(("/", "$")):
        raise ValueError("a path on the node is absolute, or begins with a $VARIABLE that is")
    return text


def _names(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not name or "=" in name or "\0" in name + text:
            raise ValueError(f"{name!r} can't be the name of an environment variable, or its value has a NUL")
    return value


def _as_text(value: Any) -> Any:
    """TOML reads 01:30:00 without quotes as a time of day."""
    return value.isoformat() if isinstance(value, datetime.time) else value


Walltime = Annotated[str, BeforeValidator(_as_text), AfterValidator(_walltime)]
_Word = Annotated[str, AfterValidator(_word)]


class PlatformSection(Section):
    """The machine. `gpus_per_node = 0` trains on the CPU."""

    name: str = "local"
    scheduler: Scheduler = Field(default=Scheduler.NONE, strict=False)
    placement: Placement = Field(
        default=Placement.SCRIPT,
        strict=False,
        description="script: the campaign runs in the allocation; blocks: outside, Parsl submits the blocks",
    )
    node_launcher: NodeLauncher = Field(
        default=NodeLauncher.NONE, strict=False, description="what reaches the nodes of an allocation"
    )
    launcher: RankLauncher = Field(
        default=RankLauncher.MPIEXEC, strict=False, description="what starts ranks inside a node"
    )
    mpiexec: str = Field(default="mpiexec", description="command or path that starts ranks inside a node")
    num_nodes: int = Field(default=1, ge=1, le=100_000, description="of the allocation, or of each block")
    num_blocks: int = Field(
        default=1, ge=1, le=10_000, description="jobs that Parsl submits, with placement = blocks"
    )
    cores_per_node: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="as the scheduler counts them (hardware threads, on some machines); None: the machine is asked",
    )
    gpus_per_node: int = Field(default=0, ge=0, le=1024)
    device_variable: DeviceVariable = Field(
        default=DeviceVariable.CUDA, strict=False, description="by which a group is shown its GPUs"
    )
    walltime: Walltime | None = Field(default=None, description="HH:MM:SS asked for; None: the queue's own")
    warn_s: float | None = Field(
        default=None,
        ge=1.0,
        le=DAY_S,
        description="the scheduler's signal comes this long before the limit; None: drain_s + 30",
    )
    account: _Word | None = Field(default=None, description="who is charged: account, project, allocation")
    queue: _Word | None = Field(default=None, description="queue or partition")
    qos: _Word | None = Field(default=None, description="Slurm's quality of service")
    constraint: Annotated[str, AfterValidator(_constraint)] | None = Field(
        default=None, description="Slurm's features of a node, as in gpu"
    )
    directives: list[Annotated[str, AfterValidator(_directive)]] = Field(
        default_factory=list, description="more options of the scheduler, one each, in its own words"
    )
    setup: list[Annotated[str, AfterValidator(_line)]] = Field(
        default_factory=list, description="shell lines before anything is started: module load ..."
    )
    addresses: list[Annotated[str, AfterValidator(_address)]] = Field(
        default_factory=list, description="the campaign's addresses that groups try; empty: all interfaces"
    )
    environment: Annotated[dict[str, str], AfterValidator(_names)] = Field(
        default_factory=dict, description="set for every rank"
    )
    scratch: Annotated[str, AfterValidator(_scratch)] | None = Field(
        default=None, description="node-local directory for rank files, $VARIABLES expanded on the node"
    )
    drain_interval_s: float = Field(
        default=30.0,
        ge=0.1,
        le=HOUR_S,
        description="what lies on scratch is copied to the run directory this often",
    )

    @property
    def walltime_s(self) -> int | None:
        """The time asked for, in seconds; None for the queue's own."""
        return None if self.walltime is None else parse_walltime(self.walltime)

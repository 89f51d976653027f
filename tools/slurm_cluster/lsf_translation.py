"""What LSF's and jsrun's options come nearest to in Slurm, beside what the vendors say of them: part of a SIMULATION.

The pages are named in `tests/unit/platforms/job_references.py`; jsrun's is
https://docs.olcf.ornl.gov/systems/summit_user_guide.html#job-launcher-jsrun. What is not known here is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping


class NotSimulated(Exception):
    """An option that has no translation."""


_Translation = Callable[[str], list[str]]


def _minutes(value: str) -> int:
    """LSF's [hour:]minute."""
    hours, _, minutes = value.rpartition(":")
    return 60 * int(hours or 0) + int(minutes)


def _after(value: str) -> list[str]:
    """-w "ended(ID)": true once that job is done or has exited -> afterany."""
    found = re.fullmatch(r"ended\((\d+)\)", value)
    if found is None:
        raise NotSimulated(f"-w {value}")
    return [f"--dependency=afterany:{found[1]}"]


def _gpus(value: str) -> list[str]:
    """-gpu "num=N/host": so many physical GPUs on each host."""
    found = re.fullmatch(r"num=(\d+)/host", value)
    if found is None:
        raise NotSimulated(f"-gpu {value}")
    return [f"--gpus-per-node={found[1]}"]


WITH_VALUE: dict[str, _Translation] = {
    "-J": lambda value: [f"--job-name={value}"],  # the job's name
    # appends standard output and error; %J is the job's id
    "-o": lambda value: [f"--output={value.replace('%J', '%j')}", "--open-mode=append"],
    "-nnodes": lambda value: [f"--nodes={value}", "--exclusive"],  # whole compute nodes of a CSM system
    "-W": lambda value: [f"--time={_minutes(value)}"],  # run limit; Slurm counts in minutes, too
    "-w": _after,
    "-gpu": _gpus,
    "-P": lambda value: [],  # the project that pays: the fixture counts nothing
    "-q": lambda value: [],  # the queue: the fixture has one partition
    "-alloc_flags": lambda value: [],  # Summit's burst buffer: the fixture's nodes have no disk of this kind
}
ALONE = {
    "-r": ["--requeue"],  # queued again under the same id when the execution host fails
    "-x": ["--exclusive"],  # no other job on these hosts
}


def script_options(script: str) -> list[str]:
    """The words of its #BSUB lines."""
    lines = [line.removeprefix("#BSUB ") for line in script.splitlines() if line.startswith("#BSUB ")]
    return [word for line in lines for word in shlex.split(line)]


def sbatch_options(options: list[str]) -> list[str]:
    """bsub's options, from the command line and the script's #BSUB lines -> sbatch's."""
    found: dict[str, str] = {}
    translated: list[str] = []
    words = iter(options)
    for name in words:
        if name in ALONE:
            translated += ALONE[name]
            continue
        value = next(words, "")
        if name in WITH_VALUE:
            translated += WITH_VALUE[name](value)
        elif name in ("-n", "-R", "-wa", "-wt"):
            found[name] = value
        else:
            raise NotSimulated(name)
    return translated + _slots(found) + _warning(found)


def _slots(found: Mapping[str, str]) -> list[str]:
    """-n S -R "span[ptile=P]": S slots, P on each host -> S / P nodes with P processors each."""
    if "-n" not in found:
        return []
    tile = re.fullmatch(r"span\[ptile=(\d+)\]", found.get("-R", ""))
    if tile is None or int(found["-n"]) % int(tile[1]):
        raise NotSimulated(f"-n {found['-n']} -R {found.get('-R', '')}")
    return [
        f"--nodes={int(found['-n']) // int(tile[1])}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={tile[1]}",
    ]


def _warning(found: Mapping[str, str]) -> list[str]:
    """-wa SIGNAL -wt [h:]m: sent to the job so long before a job control action, as the end of its run limit."""
    if "-wa" not in found:
        return []
    return [f"--signal=B:{found['-wa']}@{60 * _minutes(found['-wt'])}"]


# What a task finds: variables of Spectrum MPI and PMIx, which must not mislead an inner mpiexec, and none of Slurm.
TASK = """\
export PMIX_NAMESPACE=simulation PMIX_RANK=$SLURM_PROCID JSM_NAMESPACE_RANK=$SLURM_PROCID
export OMPI_COMM_WORLD_RANK=$SLURM_PROCID OMPI_COMM_WORLD_SIZE=$SLURM_NTASKS
unset $(compgen -v SLURM | grep -vx SLURM_CONF)
exec "$@"
"""


def srun_line(arguments: list[str], *, cores: int) -> list[str]:
    """jsrun -n N -r 1 -a 1 -c ALL_CPUS -g ALL_GPUS -b none COMMAND -> srun."""
    options, rest = {}, list(arguments)
    while rest and rest[0].startswith("-"):
        options[rest[0]] = rest[1]
        rest = rest[2:]
    wanted = {
        "-r": "1",  # resource sets on each host
        "-a": "1",  # tasks in each resource set
        "-c": "ALL_CPUS",  # cores of each resource set; the default is one
        "-g": "ALL_GPUS",  # GPUs of each resource set; the default is none
        "-b": "none",  # tasks are bound to nothing within their resource set
    }
    count = options.pop("-n", "")  # resource sets in all
    if options != wanted or not count.isdigit():
        raise NotSimulated(f"jsrun {shlex.join(arguments)}")
    return [
        "srun",
        *(f"--nodes={count}", f"--ntasks={count}", "--ntasks-per-node=1"),
        *(f"--cpus-per-task={cores}", "--cpu-bind=none", "--gpu-bind=none"),
        # jsrun knows no steps that wait for each other, and no process manager of Slurm's.
        *("--overlap", "--mpi=none", "--mem=0", "--export=ALL"),
        *("bash", "-c", TASK, "task", *rest),
    ]


def hms(text: str) -> str:
    """Slurm's [[hours:]minutes:]seconds with all its parts."""
    parts = [int(part) for part in text.split(":")]
    return ":".join(f"{part:02d}" for part in [0] * (3 - len(parts)) + parts)

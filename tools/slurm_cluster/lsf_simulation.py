"""A SIMULATION of LSF's commands over the Slurm fixture: it shows our control flow through them, and nothing of LSF.

`install` makes a directory with `bsub`, `jsrun`, `bjobs` and `bkill` for a PATH; `lsf_translation` says what they make
of their options. A job sees LSF's variables and none of Slurm's, so that nothing in it can ask Slurm.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.slurm_cluster.lsf_translation import NotSimulated, hms, sbatch_options, script_options, srun_line

DIRECTORY = "LSF_SIMULATION_DIR"
"""Environment variable: where the simulation keeps what a job's Slurm knows, for its jsrun."""

COMMANDS = ("bsub", "jsrun", "bjobs", "bkill")
KEPT = ("SLURM_CONF",)  # without it nothing finds the fixture


def install(directory: Path) -> dict[str, str]:
    """Write the four commands; the environment that finds them, to be laid over that of the Slurm fixture."""
    bin_dir = directory / "lsf-bin"
    bin_dir.mkdir(parents=True)
    for name in COMMANDS:
        path = bin_dir / name
        path.write_text(f'#!/bin/bash\nexec {_line(name)} "$@"\n')
        path.chmod(stat.S_IRWXU)
    return {"PATH": f"{bin_dir}:{os.environ['PATH']}", DIRECTORY: str(directory)}


PROLOGUE = """\
eval "$({line})"  # SIMULATION: LSF's variables instead of Slurm's
"""


def bsub(arguments: list[str], *, script: str) -> str:
    """Submit the script that comes as standard input; what bsub prints."""
    options = [*arguments, *script_options(script)]
    # They are taken out, for sbatch reads such lines, too, in its own way.
    kept = [line for line in script.splitlines(keepends=True) if not line.startswith("#BSUB ")]
    prologue = PROLOGUE.format(line=_line("variables"))
    done = subprocess.run(
        ["sbatch", "--parsable", *sbatch_options(options)],
        input="".join([kept[0], prologue, *kept[1:]]),
        env={**os.environ, "LS_SUBCWD": os.getcwd()},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stderr.strip()}\nRequest aborted by esub. Job not submitted.")
    return f"Job <{done.stdout.strip()}> is submitted to queue <simulation>."


def variables(environment: Mapping[str, str]) -> str:
    """Shell lines at a job's start: keep what Slurm says for jsrun, take it away, and say it as LSF does."""
    job, cores = environment["SLURM_JOB_ID"], int(environment["SLURM_CPUS_ON_NODE"])
    hosts = _output("scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]).split()
    slurms = {name: value for name, value in environment.items() if name.startswith("SLURM")}
    directory = Path(environment[DIRECTORY])
    (directory / f"job-{job}.json").write_text(json.dumps(slurms))
    host_file = directory / f"job-{job}.hosts"
    host_file.write_text("".join(f"{host}\n" * cores for host in hosts))
    lsf = {
        "LSB_JOBID": job,
        "LSB_JOBINDEX": "0",  # not one of an array
        "LSB_HOSTS": " ".join(host for host in hosts for _ in range(cores)),
        "LSB_MCPU_HOSTS": " ".join(f"{host} {cores}" for host in hosts),
        "LSB_DJOB_HOSTFILE": str(host_file),  # a line for each slot
        "LSB_DJOB_NUMPROC": str(cores * len(hosts)),
    }
    gone = [name for name in slurms if name not in KEPT]
    return "".join(
        [
            f"unset {shlex.join(gone)}\n",
            *(f"export {name}={shlex.quote(value)}\n" for name, value in lsf.items()),
        ]
    )


def jsrun(arguments: list[str]) -> None:
    """Becomes srun, with what the job's Slurm has told."""
    known = Path(os.environ[DIRECTORY]) / f"job-{os.environ['LSB_JOBID']}.json"
    slurms: dict[str, str] = json.loads(known.read_text())
    line = srun_line(arguments, cores=int(slurms["SLURM_CPUS_ON_NODE"]))
    os.execvpe(line[0], line, {**os.environ, **slurms})


def bjobs(arguments: list[str]) -> str:
    """-noheader -o "run_time runtimelimit time_left delimiter='|'" -hms ID: times as hh:mm:ss; L: left of the limit."""
    *asked, job = arguments
    if asked != ["-noheader", "-o", "run_time runtimelimit time_left delimiter='|'", "-hms"]:
        raise NotSimulated(f"bjobs {shlex.join(arguments)}")
    used, limit, left = _output("squeue", "-h", "-j", job, "-o", "%M|%l|%L").strip().split("|")
    return f"{hms(used)}|{hms(limit)}|{hms(left)} L"


def bkill(arguments: list[str]) -> str:
    """-s SIGNAL ID: the signal to the job, here to its script, as -wa sends it; ID: SIGTERM, and SIGKILL later."""
    *options, job = arguments
    if options and (len(options) != 2 or options[0] != "-s"):
        raise NotSimulated(f"bkill {shlex.join(arguments)}")
    how = [f"--signal={options[1]}", "--batch"] if options else []
    _output("scancel", *how, job)
    return f"Job <{job}> is being {'signaled' if options else 'terminated'}"


def _line(name: str) -> str:
    """The shell's words that run one of the commands, from any directory."""
    root = str(Path(__file__).resolve().parents[2])
    program = (
        f"import sys; sys.path.insert(0, {root!r}); from {__name__} import main; main({name!r}, sys.argv[1:])"
    )
    return shlex.join([sys.executable, "-c", program])


def _output(*line: str) -> str:
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def main(name: str, arguments: list[str]) -> None:
    """One of the commands; `variables` is what a job's script begins with."""
    try:
        if name == "bsub":
            print(bsub(arguments, script=sys.stdin.read()))
        elif name == "variables":
            print(variables(os.environ), end="")
        elif name == "jsrun":
            jsrun(arguments)
        else:
            print({"bjobs": bjobs, "bkill": bkill}[name](arguments))
    except NotSimulated as error:
        sys.exit(f"{name}: not simulated: {error}")

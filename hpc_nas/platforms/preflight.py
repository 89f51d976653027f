"""Does the launcher start MPI jobs of the right size? Asked with a real job, before anything else is started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.interpreter import python_line
from hpc_nas.platforms.devices import SLOT_VARIABLE
from hpc_nas.platforms.launch_line import find_mpiexec, group_environment, mpi_line

TIMEOUT_S = 60.0
KILLED_WITHIN_S = 5.0
# One write per rank: lines of several ranks share one pipe.
_ASK = (
    "import os; from mpi4py import MPI; library = MPI.Get_library_version().split(chr(10))[0]; "
    "os.write(1, f'size {MPI.COMM_WORLD.size} {library}{chr(10)}'.encode())"
)


def check_launcher(configuration: Configuration, *, num_ranks: int = 2) -> str:
    """Start `num_ranks` ranks and ask each for the world size; returns the MPI library's version.

    Raises LaunchError when there is no launcher, when it fails, or when the ranks come up as singletons
    (launcher and library are of different MPIs): found and expected sizes stand in the message.
    """
    mpiexec = find_mpiexec(configuration.platform.mpiexec)
    line = mpi_line(mpiexec, num_ranks=num_ranks, command=python_line("-c", _ASK))
    try:
        # Not in a worker of this campaign, even where it was started in one of another.
        inherited = {name: value for name, value in os.environ.items() if name != SLOT_VARIABLE}
        done = _run(line, environment=group_environment(configuration, inherited=inherited))
    except subprocess.TimeoutExpired:
        raise LaunchError(f"{' '.join(line[:5])} ...: no answer within {TIMEOUT_S:g} s") from None
    except OSError as error:
        raise LaunchError(f"{mpiexec}: can't be started: {error}") from error
    answers = [text.split(" ", 2) for text in done.stdout.splitlines() if text.startswith("size ")]
    if done.returncode != 0 or not answers:
        tail = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise LaunchError(f"{' '.join(line[:5])} ...: exit code {done.returncode}: {tail}")
    sizes = sorted({int(answer[1]) for answer in answers})
    if sizes != [num_ranks] or len(answers) != num_ranks:
        raise LaunchError(
            f"{mpiexec} -n {num_ranks} gave {len(answers)} rank(s) that see world sizes {sizes}, expected "
            f"{num_ranks}: launcher and mpi4py's MPI ({answers[0][2]}) do not belong together; set [platform] "
            "mpiexec to the launcher of that MPI"
        )
    return answers[0][2]


def _run(line: list[str], *, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run to the end, or kill the launcher with all of its session after TIMEOUT_S (TimeoutExpired)."""
    with subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=TIMEOUT_S)
        except BaseException:  # also an interrupt, which no longer reaches the session by itself
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=KILLED_WITHIN_S)  # until nobody holds the pipes any more
            raise
    return subprocess.CompletedProcess(line, process.returncode, output, errors)

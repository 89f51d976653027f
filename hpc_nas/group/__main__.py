"""One rank of a worker group: `python -m mpi4py -m hpc_nas.group RUN_DIR --group N --expect-size S`.

The last rank is the estimator, all others are trainers: trainer rank r writes rank-r.h5 and trains on GPU r.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_nas.configuration import Configuration, read_configuration
from hpc_nas.errors import HpcNasError, LaunchError
from hpc_nas.group.hangs import NobodyToCharge
from hpc_nas.group.placement import check_placement, granted_cores, own_seat
from hpc_nas.group.shutdown import Notice, Shutdown
from hpc_nas.platforms.processes.rank_wrapper import die_with_parent
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory

if TYPE_CHECKING:
    from mpi4py import MPI  # importing it starts MPI

logger = logging.getLogger("hpc_nas.group")


def main() -> None:
    """Check that the rank is where it should be, then play its role; leave last words on any error."""
    arguments = _parse_arguments()
    die_with_parent()
    notice = Notice()
    notice.listen()  # trainers, too: they leave when the estimator rank says so
    run_directory = RunDirectory.open(arguments.run_dir)
    configuration = read_configuration(run_directory.configuration_path)
    files = GroupFiles(
        run_directory=run_directory,
        group=arguments.group,
        local_dir=arguments.local_dir,
        watch_dir=arguments.watch_dir,
    )
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s group {arguments.group} rank {comm.rank} %(levelname)s %(message)s",
    )
    try:
        _check_world(comm.size, expected=arguments.expect_size)
        _check_seats(comm, configuration=configuration)
        estimator = comm.size - 1
        trainers = comm.Split(color=int(comm.rank == estimator))
        if comm.rank == estimator:
            from hpc_nas.group.estimator_rank import run_estimator

            shutdown = Shutdown(
                configuration.group,
                deadline_time=arguments.deadline,
                notice=notice,
                request=files.leave_request,
            )
            run_estimator(comm, configuration=configuration, files=files, shutdown=shutdown)
        else:
            from hpc_nas.group.device_check import check_own_device
            from hpc_nas.group.trainer_rank import TrainerRank

            check_own_device(trainers, configuration=configuration)
            TrainerRank(comm, configuration=configuration, files=files, estimator=estimator).run()
    except BaseException as error:
        _leave_last_words(
            run_directory.last_words_path(arguments.group, comm.rank), rank=comm.rank, error=error
        )
        if isinstance(error, SystemExit):
            comm.Abort(1)  # an exit in order would leave the other ranks waiting
        raise


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mpi4py -m hpc_nas.group", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--group", type=int, required=True, help="number of this launch, never used twice")
    parser.add_argument(
        "--expect-size", type=int, required=True, help="world size that the launcher asked for"
    )
    parser.add_argument(
        "--deadline",
        type=float,
        help="when the allocation ends, seconds since the Unix epoch; not given: never",
    )
    parser.add_argument(
        "--local-dir", type=Path, help="where the ranks write their files on this node's own disk"
    )
    parser.add_argument(
        "--watch-dir", type=Path, required=True, help="where agent and ranks watch each other, on this node"
    )
    return parser.parse_args()


def _check_world(size: int, *, expected: int) -> None:
    """A launcher that does not speak this MPI's process manager yields silent singletons."""
    if size != expected:
        raise LaunchError(
            f"this MPI job has {size} rank(s), {expected} were asked for: the launcher and mpi4py's MPI do not "
            "belong together; run `hpc-nas doctor`, or set [platform] mpiexec to the MPI that mpi4py loads"
        )


def _check_seats(comm: MPI.Comm, *, configuration: Configuration) -> None:
    section = configuration.group
    seats = comm.allgather(own_seat(comm.rank))
    granted = granted_cores(os.environ) // section.groups_per_node
    warning = check_placement(seats, rank=comm.rank, threads=section.threads_per_rank, granted=granted)
    if warning:
        logger.warning(warning)


def _leave_last_words(path: Path, *, rank: int, error: BaseException) -> None:
    """What this rank died of, for the campaign to charge the right candidate and to tell the user."""
    words = {
        "rank": rank,
        "error": f"{type(error).__name__}: {error}",
        "traceback": "" if isinstance(error, HpcNasError) else traceback.format_exc(),
        "time_s": time.time(),
        "charge": not isinstance(error, NobodyToCharge),
    }
    try:
        path.write_text(json.dumps(words), encoding="utf-8")
    except OSError as problem:
        print(f"rank {rank}: can't leave last words: {problem}", file=sys.stderr)


if __name__ == "__main__":
    main()

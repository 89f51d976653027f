"""The text of slurm.conf and its companions, for a Slurm that fits into one directory of one machine."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

GPUS_PER_NODE = 4
CPUS_PER_NODE = 8
KILL_WAIT_S = 8
NODE_TIMEOUT_S = 6
REQUEUE_S = 10


@dataclass(frozen=True, kw_only=True)
class Node:
    """One slurmd. `address` and `hostname` are its own only on a host of its own (see `network`)."""

    name: str
    hostname: str
    address: str
    port: int


def write_configuration(
    directory: Path, *, nodes: list[Node], controller: Node, socket_path: Path
) -> dict[str, str]:
    """Write slurm.conf, gres.conf, cgroup.conf and the fake GPUs; what the daemons and commands need to be told.

    The fake GPUs are clones of /dev/null: all that Slurm asks of a GPU is that its device file is there.
    """
    for index in range(GPUS_PER_NODE):
        path = directory / f"fakegpu{index}"
        if not path.exists():
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    names = ",".join(node.name for node in nodes)
    (directory / "gres.conf").write_text(
        f"AutoDetect=off\nNodeName={names} Name=gpu File={directory}/fakegpu[0-{GPUS_PER_NODE - 1}]\n"
    )
    (directory / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    path = directory / "slurm.conf"
    path.write_text(_slurm_conf(directory, nodes=nodes, controller=controller, socket_path=socket_path))
    return {"SLURM_CONF": str(path)}


def _slurm_conf(directory: Path, *, nodes: list[Node], controller: Node, socket_path: Path) -> str:
    """No systemd, no cgroups, no data base. All waits are as short as a busy machine of two cores bears."""
    partition = ",".join(node.name for node in nodes)
    lines = [
        "ClusterName=fixture",
        f"SlurmctldHost={controller.hostname}({controller.address})",
        f"SlurmctldPort={controller.port}",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        # A requeued job waits for the life time of a credential: two minutes by default.
        f"AuthInfo=socket={socket_path},cred_expire={REQUEUE_S}",
        f"StateSaveLocation={directory}/state",
        f"SlurmdSpoolDir={directory}/spool.%n",
        f"SlurmctldPidFile={directory}/slurmctld.pid",
        f"SlurmdPidFile={directory}/slurmd.%n.pid",
        f"SlurmctldLogFile={directory}/slurmctld.log",
        f"SlurmdLogFile={directory}/slurmd.%n.log",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SwitchType=switch/none",
        "MpiDefault=none",
        "JobAcctGatherType=jobacct_gather/none",
        "AccountingStorageType=accounting_storage/none",
        "JobCompType=jobcomp/none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core",
        "SchedulerType=sched/backfill",
        "SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1",
        "GresTypes=gpu",
        "SlurmdParameters=config_overrides",
        "ReturnToService=2",
        f"SlurmdTimeout={NODE_TIMEOUT_S}",
        "SlurmctldTimeout=15",
        "InactiveLimit=0",
        f"KillWait={KILL_WAIT_S}",
        "MessageTimeout=5",
        "MinJobAge=3600",
        "OverTimeLimit=0",
        "TreeWidth=16",
        "PropagateResourceLimits=NONE",
    ]
    lines += [
        f"NodeName={node.name} NodeHostname={node.hostname} NodeAddr={node.address} Port={node.port} "
        f"CPUs={CPUS_PER_NODE} Boards=1 SocketsPerBoard=1 CoresPerSocket={CPUS_PER_NODE} ThreadsPerCore=1 "
        f"RealMemory=4000 Gres=gpu:{GPUS_PER_NODE} State=UNKNOWN"
        for node in nodes
    ]
    lines.append(f"PartitionName=debug Nodes={partition} Default=YES MaxTime=01:00:00 State=UP")
    return "\n".join(lines) + "\n"

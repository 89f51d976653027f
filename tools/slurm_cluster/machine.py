"""What this machine must have for a Slurm of our own, and which ports are free on it."""

from __future__ import annotations

import os
import random
import shutil
import socket

from tools.slurm_cluster.network import problem_with_namespaces

BINARIES = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "scancel",
    "scontrol",
    "sinfo",
    "squeue",
    "ip",
    "unshare",
)
PORTS = range(20_000, 32_000)  # below those that the kernel gives to whoever connects


def problem_with_slurm() -> str:
    """Why no Slurm can be started here; empty where it can."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    places = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [name for name in BINARIES if shutil.which(name, path=places) is None]:
        packages = "slurm-wlm slurm-wlm-basic-plugins munge iproute2"
        return f"not installed: {', '.join(missing)} (apt-get install {packages})"
    return ""


def problem_with_hosts() -> str:
    """Why its nodes can't be hosts of their own here; empty where they can."""
    return problem_with_slurm() or problem_with_namespaces()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now, on any address."""
    found: list[int] = []
    for port in random.sample(PORTS, k=len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"fewer than {count} free ports in {PORTS}")

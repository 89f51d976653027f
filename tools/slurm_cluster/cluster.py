"""A whole Slurm of several nodes on this machine, for tests and benchmarks: real daemons, fake GPUs, no systemd.

Whom Slurm 22.05 tells what, as measured here (see `test_signals.py`). "Children" are processes that the batch script
started itself, the clients of srun among them; "tasks" those that an srun started.

- `scancel JOB`: SIGCONT and SIGTERM to batch shell, children and tasks, all at once. All live on for KillWait, then
  SIGKILL. When the batch script returns earlier, the job is over and what is left of it is killed at once. srun prints
  "forcing job termination", but its tasks live on for KillWait all the same.
- `scancel --signal=X JOB`: tasks only. Without a step nobody gets it.
- `scancel --signal=X --batch JOB`: the batch shell only.
- `scancel --signal=X --full JOB`: batch shell, children, tasks. With X = TERM srun takes it as an order: its tasks are
  killed at once, most often before they have seen it.
- `--signal=B:X@T`: X and SIGCONT to the batch shell only; `--signal=X@T`: to the tasks only. Slurm looks every 30 s: T
  seconds before the limit, or up to a minute earlier.
- The time limit: SIGTERM to the tasks; then SIGCONT and SIGTERM to batch shell, children and tasks (which thus get
  SIGTERM twice); SIGKILL after KillWait. Slurm looks every 30 s, so it comes up to half a minute late.

bash runs a trap only once its foreground child has ended, but `wait` returns at once (128 + the signal's number). A job
that must live on when one of its nodes is lost needs `--no-kill`, as does each srun in it; but when the node of its
batch script is lost, such a job goes on without a script, on its other nodes, until its time limit. KillWait is 30 s
by default and 8 s here.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from tools.slurm_cluster.client import ENDED, SlurmClient, Whom
from tools.slurm_cluster.configuration import Node, write_configuration
from tools.slurm_cluster.daemons import ClusterError, Daemons
from tools.slurm_cluster.machine import free_ports
from tools.slurm_cluster.network import Network, free_subnet
from tools.slurm_cluster.processes import end, processes_in_network, processes_naming, runs_in_network

__all__ = ["ENDED", "Cluster", "ClusterError", "Placement", "Whom"]

START_S = 40.0


class Placement(StrEnum):
    """What a node is."""

    SHARED = "shared"  # a slurmd beside others on this host: quick
    HOSTS = "hosts"  # a host of its own (namespaces), with its own address and a link that can be cut


class Cluster(SlurmClient):
    """Start it with `with`; all that it starts is stopped at its end, whatever happens."""

    def __init__(self, directory: Path, *, num_nodes: int, placement: Placement):
        self.names = [f"n{index}" for index in range(1, num_nodes + 1)]
        tag = secrets.token_hex(2)
        hosts = placement is Placement.HOSTS
        self._network = Network(tag=tag, subnet=free_subnet(), num_hosts=num_nodes) if hosts else None
        directory = directory.resolve()
        super().__init__(directory, daemons=Daemons(directory, network=self._network))

    # --- start and stop ------------------------------------------------------------------------------------

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End all jobs and daemons and remove the network. Raises ClusterError for what could not be ended."""
        left = self._daemons.stop()
        if left:
            raise ClusterError(f"these processes of {self.directory} could not be ended: {left}")

    def _start(self) -> None:
        for name in ("state", "jobs", "local", *(f"spool.{n}" for n in self.names)):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self._daemons.start_guard()
        if self._network is not None:
            self._network.make()
        controller, *nodes = self._layout()
        self._environment = write_configuration(
            self.directory, nodes=nodes, controller=controller, socket_path=self._daemons.munge_socket
        )
        self._daemons.start_munged()
        self.wait_for(self._daemons.munge_socket.exists, timeout_s=START_S, what="munged's socket")
        configuration = self._environment["SLURM_CONF"]
        self._daemons.start(
            "slurmctld", ["slurmctld", "-D", "-c", "-f", configuration], environment=self.environment
        )
        self.wait_for(self._answers, timeout_s=START_S, what="slurmctld to answer")
        for name in self.names:
            self._start_slurmd(name)
        self.wait_for(self._all_idle, timeout_s=START_S, what="all nodes to be idle")

    def _layout(self) -> list[Node]:
        """Controller and nodes with free ports; hosts of their own all use the same."""
        hostname = socket.gethostname().split(".")[0]
        ports = free_ports(1 + len(self.names))
        if self._network is None:
            local = {"hostname": hostname, "address": "127.0.0.1"}
            return [Node(name=n, port=p, **local) for n, p in zip(["", *self.names], ports, strict=True)]
        net = self._network
        nodes = [
            Node(name=name, hostname=name, address=net.address(index), port=ports[1])
            for index, name in enumerate(self.names, start=1)
        ]
        table = [f"{node.address} {node.name}" for node in nodes]
        lines = ["127.0.0.1 localhost", f"{net.gateway} {hostname}", *table]
        (self.directory / "hosts").write_text("\n".join(lines) + "\n")
        return [Node(name="", hostname=hostname, address=net.gateway, port=ports[0]), *nodes]

    def _start_slurmd(self, name: str) -> None:
        line = ["slurmd", "-D", "-N", name, "-f", self._environment["SLURM_CONF"]]
        if self._network is not None:
            own = self.directory / f"local.{name}"
            own.mkdir(exist_ok=True)
            binds = {Path("/etc/hosts"): self.directory / "hosts", self.local_dir: own}
            line = self._network.host_line(self._index(name), hostname=name, binds=binds, command=line)
        self._daemons.start(f"slurmd.{name}", line, environment=self.environment)

    # --- what jobs and tests need to know --------------------------------------------------------------------

    @property
    def local_dir(self) -> Path:
        """A node's own disk: with hosts of their own a different directory on each under this one name."""
        return self.directory / "local"

    # --- faults ----------------------------------------------------------------------------------------------

    def kill_slurmd(self, name: str) -> None:
        """Only the daemon: what it started goes on, but Slurm soon holds the node for lost."""
        self._daemons.kill(f"slurmd.{name}")

    def kill_node(self, name: str) -> None:
        """As if the power went: the daemon and all processes of the node."""
        if self._network is not None:
            self.cut(name)
        self.kill_slurmd(name)
        left = end(lambda: self.processes_of(name))
        if left:
            raise self._error(f"these processes of node {name} could not be ended: {left}")

    def restart_node(self, name: str, *, timeout_s: float = START_S) -> None:
        """Start its slurmd again and wait until Slurm takes jobs there."""
        if self._network is not None:
            self.mend(name)
        self._start_slurmd(name)
        good = {"idle", "allocated", "mixed"}
        self.wait_for(lambda: self.nodes()[name] in good, timeout_s=timeout_s, what=f"node {name} to be back")

    def cut(self, name: str) -> None:
        """Take the host's link down: a partition. Nothing on the host is told."""
        self._net().cut(self._index(name))

    def mend(self, name: str) -> None:
        """Put the host's link up again."""
        self._net().mend(self._index(name))

    def lost_nodes(self) -> list[str]:
        """Those that are dead or cut off now, whether Slurm knows it or not."""
        cut = (
            set() if self._network is None else {self.names[index - 1] for index in self._network.links_down}
        )
        return [name for name in self.names if name in cut or not self._daemons.runs(f"slurmd.{name}")]

    def node_of(self, pid: int) -> str:
        """The host that a process runs on, empty for none; only where nodes are hosts of their own."""
        net = self._net()
        found = (index for index in range(1, net.num_hosts + 1) if runs_in_network(pid, net.namespace(index)))
        return next((self.names[index - 1] for index in found), "")

    def processes_of(self, name: str) -> list[int]:
        """Pids of the node's slurmd, its slurmstepd and all that they started."""
        if self._network is not None:
            return processes_in_network(self._network.namespace(self._index(name)))
        tasks = processes_naming(str(self.directory), f"SLURMD_NODENAME={name}\0")
        return sorted({*processes_naming(f"{self.directory}/slurmd.{name}.log"), *tasks})

    def reset(self) -> None:
        """End all jobs, put every link up and every node back to work; for the next test."""
        for job in self.command("squeue", "-h", "-o", "%A").split():
            with suppress(ClusterError):  # it may be waiting, or about to end
                self.command("scancel", "--quiet", "--signal=KILL", "--full", job)
            self.command("scancel", "--quiet", job)
        for name in self.names:
            if self._network is not None:
                self.mend(name)
            if self._daemons.runs(f"slurmd.{name}"):
                if not self.nodes()[name].endswith("*"):
                    continue
                self.kill_slurmd(
                    name
                )  # a new one reports at once; Slurm asks the old one after half a minute
            self._start_slurmd(name)
        self.wait_for(self._all_idle, timeout_s=START_S, what="all nodes to be idle again")

    # --- in here ---------------------------------------------------------------------------------------------

    def _answers(self) -> bool:
        with suppress(ClusterError):
            self.nodes()
            return True
        return False

    def _all_idle(self) -> bool:
        nodes = self.nodes()
        for name, state in nodes.items():
            if state.startswith(("down", "drain")) and not state.endswith("*"):
                self.command("scontrol", "update", f"NodeName={name}", "State=RESUME")
        return set(nodes.values()) == {"idle"}

    def _net(self) -> Network:
        if self._network is None:
            raise ClusterError("only hosts of their own have links; start the cluster with Placement.HOSTS")
        return self._network

    def _index(self, name: str) -> int:
        return self.names.index(name) + 1

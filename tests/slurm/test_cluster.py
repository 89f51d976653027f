"""The fixture itself: what is built on it rests on these."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gate import HANG_S
from tests.slurm.conftest import NUM_NODES
from tools.slurm_cluster.cluster import Cluster, ClusterError, Placement
from tools.slurm_cluster.daemons import ROOT
from tools.slurm_cluster.machine import problem_with_hosts
from tools.slurm_cluster.network import Network
from tools.slurm_cluster.processes import processes_naming

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]

ASK = "echo $SLURMD_NODENAME $SLURM_JOB_NUM_NODES $CUDA_VISIBLE_DEVICES"


def test_job_runs_a_task_on_each_of_its_nodes_with_the_gpus_it_asked_for(slurm: Cluster) -> None:
    job = slurm.submit(f"srun --gpus-per-node=2 bash -c '{ASK}'", nodes=4, gpus_per_node=2)
    assert slurm.wait(job, timeout_s=HANG_S) == "COMPLETED"
    assert sorted(slurm.output(job).splitlines()) == [f"n{index} 4 0,1" for index in range(1, NUM_NODES + 1)]


def test_steps_of_one_node_get_disjoint_gpus(slurm: Cluster, tmp_path: Path) -> None:
    step = f"srun --ntasks=1 --exact --mem=100 --gpus-per-node=2 bash -c '{ASK}; {_meet(tmp_path, 2)}' &"
    job = slurm.submit(f"{step}\n{step}\nwait", nodes=1, ntasks=2, gpus_per_node=4)
    assert slurm.wait(job, timeout_s=HANG_S) == "COMPLETED"
    granted = sorted(line.split()[2] for line in slurm.output(job).splitlines())
    assert granted == ["0,1", "2,3"], slurm.output(job)


def test_more_gpus_than_a_node_has_are_refused(slurm: Cluster) -> None:
    with pytest.raises(ClusterError, match="Requested node configuration is not available"):
        slurm.submit("true", gpus_per_node=9)


def test_hosts_have_their_own_name_address_and_disk(hosts: Cluster, tmp_path: Path) -> None:
    meet = _meet(tmp_path, NUM_NODES)
    ask = f"hostname; ls /sys/class/net | xargs; hostname > $LOCAL/name; {meet}; cat $LOCAL/name"
    job = hosts.submit(f"export LOCAL={hosts.local_dir}\nsrun --label bash -c '{ask}'", nodes=4)
    assert hosts.wait(job, timeout_s=HANG_S) == "COMPLETED"
    lines = sorted(hosts.output(job).splitlines(), key=lambda line: line.split(":")[0])
    said = {}
    for line in lines:
        task, _, text = line.partition(": ")
        said.setdefault(task, []).append(text)
    assert {tuple(texts) for texts in said.values()} == {
        (f"n{index}", "eth0 lo", f"n{index}") for index in range(1, NUM_NODES + 1)
    }


def test_job_with_no_kill_lives_on_when_one_of_its_nodes_is_lost(hosts: Cluster) -> None:
    script = "srun --no-kill --kill-on-bad-exit=0 sleep 600 & wait; echo srun: $?; sleep 600 & wait"
    job = hosts.submit(script, nodes=2, no_kill="", nodelist="n1,n2")
    hosts.wait_for(lambda: hosts.state(job) == "RUNNING", timeout_s=HANG_S, what="the job", job=job)
    hosts.kill_node("n2")
    assert hosts.processes_of("n2") == []
    hosts.wait_for(lambda: "down" in hosts.nodes()["n2"], timeout_s=HANG_S, what="n2 to be down", job=job)
    assert hosts.state(job) == "RUNNING"
    hosts.restart_node("n2")


def test_job_with_no_kill_stays_without_its_script_when_the_first_node_is_lost(hosts: Cluster) -> None:
    """Slurm neither ends nor requeues it: its other nodes are kept, with nobody who makes use of them."""
    job = hosts.submit("echo run; sleep 600 & wait", nodes=2, no_kill="", requeue="", nodelist="n1,n2")
    hosts.wait_for(lambda: "run" in hosts.output(job), timeout_s=HANG_S, what="the job", job=job)
    hosts.kill_node(hosts.field(job, "BatchHost"))
    hosts.wait_for(
        lambda: hosts.job_nodes(job) == ["n2"], timeout_s=HANG_S, what="n1 to be taken off", job=job
    )
    assert hosts.state(job) == "RUNNING"
    assert hosts.output(job).split() == ["run"]


def test_job_without_no_kill_is_requeued_when_one_of_its_nodes_is_lost(slurm: Cluster) -> None:
    job = slurm.submit(
        "echo run $SLURM_RESTART_COUNT; sleep 600 & wait", nodes=2, requeue="", nodelist="n1,n2"
    )
    slurm.wait_for(lambda: "run" in slurm.output(job), timeout_s=HANG_S, what="the job", job=job)
    slurm.kill_node("n2")
    slurm.wait_for(lambda: slurm.state(job) == "PENDING", timeout_s=HANG_S, what="the requeue", job=job)
    slurm.restart_node("n2")
    slurm.wait_for(lambda: "run 1" in slurm.output(job), timeout_s=HANG_S, what="the second start", job=job)


def test_cut_link_makes_slurm_lose_a_host_that_lives_on(hosts: Cluster) -> None:
    assert hosts.nodes()["n3"] == "idle"
    hosts.cut("n3")
    hosts.wait_for(lambda: "down" in hosts.nodes()["n3"], timeout_s=HANG_S, what="n3 to be down")
    assert hosts.processes_of("n3")
    hosts.mend("n3")
    hosts.kill_slurmd("n3")  # a new one reports at once; Slurm asks the old one after half a minute
    hosts.restart_node("n3")


def test_time_out_shows_the_daemons_logs(slurm: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"(?s)waiting for a miracle.*slurmctld.log"):
        slurm.wait_for(lambda: False, timeout_s=0.2, what="a miracle")


PROGRAM = """
import sys, time
from pathlib import Path
from tests.gate import HANG_S
from tools.slurm_cluster.cluster import Cluster, Placement
with Cluster(Path(sys.argv[1]), num_nodes=2, placement=Placement.HOSTS) as cluster:
    cluster.submit("trap '' TERM; srun sleep 100", nodes=2)
    cluster.wait_for(lambda: set(cluster.nodes().values()) == {"mixed"}, timeout_s=300, what="the job")
    print(cluster._network.tag, flush=True)
    time.sleep(100)
"""


def test_nothing_is_left_when_the_process_that_holds_the_fixture_is_killed(tmp_path: Path) -> None:
    if problem := problem_with_hosts():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Slurm: {problem}")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    tag = process.stdout.readline().strip()
    assert tag, "it has not started"
    assert processes_naming(str(tmp_path))
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + HANG_S
    while processes_naming(str(tmp_path)) or _links(tag):
        assert time.monotonic() < deadline, (processes_naming(str(tmp_path)), _links(tag))
        time.sleep(0.1)


def test_failed_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if problem := problem_with_hosts():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Slurm: {problem}")
    cluster = Cluster(tmp_path, num_nodes=2, placement=Placement.HOSTS)
    network = cluster._network
    assert isinstance(network, Network)
    monkeypatch.setattr(Cluster, "_start_slurmd", lambda self, name: _raise(OSError("no more processes")))
    with pytest.raises(OSError, match="no more processes"), cluster:
        pass
    assert processes_naming(str(tmp_path)) == []
    assert _links(network.tag) == ""


def _meet(directory: Path, number: int) -> str:
    """A line of the shell: goes on once so many have come to it."""
    come = f"touch {directory}/$SLURM_STEP_ID.$SLURM_PROCID"
    return f"{come}; until [ $(ls {directory} | wc -l) = {number} ]; do sleep .1; done"


def _raise(error: BaseException) -> None:
    raise error


def _links(tag: str) -> str:
    """Links and namespaces that carry the tag."""
    lines = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    lines += subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in lines.splitlines() if f"hn{tag}" in line)

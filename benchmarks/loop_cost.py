"""What the campaign's loop costs with many groups: the real control_loop and its parts, and groups that only talk.

    python benchmarks/loop_cost.py [--groups 500] [--seconds 30] [--against ANOTHER_CHECKOUT]

The groups are sockets of one other process. Each has two trainers, shows life once a second, tells a row every 3 s
for each trainer, and an end every minute or so. Given another checkout (`git worktree add`), it is measured in the same
run: the ratio holds on any machine, the shares do not.
"""

from __future__ import annotations

import argparse
import heapq
import inspect
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
WARM_UP_S = 12.0
ROW_S, SHORTEST_S, LONGEST_S = 3.0, 30.0, 90.0
TRAINERS, PREFETCH = 2, 2
BEAT_S = 1.0


def main() -> None:
    """Measure this checkout, and another one beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--groups", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument(
        "--part", choices=["campaign", "groups"], help="what a child process does; not for users"
    )
    parser.add_argument("--connection", help="where the groups call; not for users")
    given = parser.parse_args()
    if given.part == "campaign":
        run_campaign(given.groups, seconds=given.seconds)
    elif given.part == "groups":
        run_groups(given.groups, connection=given.connection)
    else:
        compare(given.groups, seconds=given.seconds, against=given.against)


def compare(num_groups: int, *, seconds: float, against: Path | None) -> None:
    """Run the checkouts one after the other, and print what each took."""
    trees = [HERE.parent.parent, *([against.resolve()] if against is not None else [])]
    shares = []
    for tree in trees:
        line = [sys.executable, str(HERE), "--part", "campaign"]
        done = subprocess.run(
            [*line, "--groups", str(num_groups), "--seconds", str(seconds)],
            env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        figures = json.loads(done.stdout.splitlines()[-1])
        shares.append(figures["share_of_a_core"])
        print(f"{tree}: {json.dumps(figures)}", flush=True)
    if len(shares) == 2:
        print(f"this checkout takes {shares[0] / shares[1]:.2f} of the other one's time")


# --- the campaign --------------------------------------------------------------------------------------------


class Counted:
    """What was done in the window."""

    def __init__(self) -> None:
        self.fsyncs = self.messages = self.polls = 0


def run_campaign(num_groups: int, *, seconds: float) -> None:
    """Serve the groups with the loop of the checkout on PYTHONPATH; the last line printed has the figures."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with tempfile.TemporaryDirectory() as place:
        counted = Counted()
        control_loop, connection = make_conductor(Path(place) / "run", num_groups=num_groups, counted=counted)
        groups = subprocess.Popen(
            [
                *(sys.executable, str(HERE), "--part", "groups"),
                *("--groups", str(num_groups), "--connection", connection),
            ]
        )

        def measure() -> None:
            time.sleep(WARM_UP_S)
            began, cpu_s = time.monotonic(), time.process_time()
            before = dict(vars(counted))
            time.sleep(seconds)
            elapsed_s = time.monotonic() - began
            figures = {
                name: round((value - before[name]) / elapsed_s, 1) for name, value in vars(counted).items()
            }
            share = (time.process_time() - cpu_s) / elapsed_s
            print(json.dumps({"share_of_a_core": round(share, 3), "a second": figures}), flush=True)
            groups.kill()
            groups.wait()
            os._exit(0)

        threading.Thread(target=measure, daemon=True).start()
        control_loop.run()


def make_conductor(run_dir: Path, *, num_groups: int, counted: Counted) -> tuple[Any, str]:
    """All parts of a campaign but Parsl, whose groups never end here."""
    import parsl

    from hpc_nas.campaign.checkpoint_store import CheckpointStore
    from hpc_nas.campaign.control_loop import ControlLoop
    from hpc_nas.campaign.dispatch import Dispatcher
    from hpc_nas.campaign.endpoint import Endpoint
    from hpc_nas.campaign.groups import GroupPool
    from hpc_nas.campaign.history_feed import HistoryFeed
    from hpc_nas.campaign.history_recorder import HistoryRecorder
    from hpc_nas.campaign.losses import LossAssessor
    from hpc_nas.campaign.progress import Progress
    from hpc_nas.campaign.promoter import Promoter
    from hpc_nas.campaign.recorder import Recorder
    from hpc_nas.campaign.state import CampaignState
    from hpc_nas.campaign.stop import StopRequest
    from hpc_nas.configuration import load_configuration
    from hpc_nas.group.attempt_monitor import make_preset
    from hpc_nas.group.connection import new_keys
    from hpc_nas.records.ledger import LedgerWriter
    from hpc_nas.records.run_directory import RunDirectory

    class Pool(GroupPool):
        def check_interchange(self) -> None:
            """There is none."""

    class Hearing(Endpoint):
        def poll(self, timeout_ms: int) -> Any:
            heard = super().poll(timeout_ms)
            counted.polls += 1
            counted.messages += len(heard)
            return heard

    parsl.python_app = lambda function, **options: lambda *arguments: Future()
    count_fsyncs(counted)
    configuration = load_configuration(
        None,
        settings=(
            "campaign.num_candidates=1000000",
            "estimator.preset=none",
            "platform.scheduler=slurm",
            "platform.node_launcher=srun",
            f"platform.num_nodes={num_groups}",
        ),
    )
    directory = RunDirectory.create(run_dir)
    preset = make_preset(configuration, chance_accuracy=10.0)
    state = CampaignState(num_candidates=configuration.campaign.num_candidates)
    ledger = LedgerWriter(directory.ledger_path)
    history = _make(
        HistoryRecorder,
        directory.history_path,
        is_audited=lambda number: False,
        before_write=getattr(ledger, "sync", None),
    )
    recorder = Recorder(
        state,
        ledger=ledger,
        history=history,
        checkpoints=CheckpointStore(directory.checkpoints_dir, section=configuration.checkpoints),
        strategy=make_strategy(),
    )
    endpoint = Hearing(new_keys(), addresses=["127.0.0.1"])
    patience = make_patience()
    control_loop = _make(
        ControlLoop,
        configuration,
        recorder=recorder,
        endpoint=endpoint,
        pool=_make(Pool, directory, configuration=configuration, patience=patience),
        losses=LossAssessor(directory, configuration=configuration, preset=preset),
        dispatch=Dispatcher(
            configuration,
            recorder=recorder,
            promoter=Promoter(preset.promotion, history=history, state=state),
            deadline_time=None,
        ),
        feed=HistoryFeed(history, send=endpoint.send),
        progress=Progress(max_epochs=configuration.max_epochs),
        chance_accuracy=10.0,
        view=Blind(),
        stop=StopRequest(),
        patience=patience,
    )
    return control_loop, endpoint.connection.model_dump_json()


def _make(kind: Any, *arguments: Any, **more: Any) -> Any:
    """Checkouts differ in the parts that they know."""
    known = inspect.signature(kind).parameters
    return kind(*arguments, **{name: value for name, value in more.items() if name in known})


def make_patience() -> Any:
    """None where the checkout has none."""
    try:
        from hpc_nas.campaign.patience import Patience
    except ImportError:
        return None
    return Patience()


def make_strategy() -> Any:
    """Draws at once: what is measured is the loop."""
    from hpc_nas.search.strategy import Strategy
    from hpc_nas.values import Candidate, Outcome

    class Same(Strategy):
        def ask(self, number: int) -> Candidate:
            parameters: dict[str, bool | int | float | str] = {f"filters{layer}": 16 for layer in range(12)}
            return Candidate(
                number=number, seed=number, parameters=parameters, num_parameters=1, num_layers=1, macs=1
            )

        def tell(self, candidate: Candidate, outcome: Outcome) -> None: ...

        def restore(self, candidate: Candidate) -> None: ...

        def pause(self, candidate: Candidate, *, epochs: float, accuracy: float) -> None: ...

        def learn(self, candidate: Candidate, outcome: Outcome) -> None: ...

    return Same()


class Blind:
    """Shows nothing."""

    def update(self, state: Any, progress: Any) -> None: ...


def count_fsyncs(counted: Counted) -> None:
    """From now on."""
    fsync = os.fsync

    def counting(descriptor: int) -> None:
        counted.fsyncs += 1
        fsync(descriptor)

    os.fsync = counting  # type: ignore[assignment]


# --- the groups ----------------------------------------------------------------------------------------------


class Group:
    """One group as its campaign hears it."""

    def __init__(self, number: int, socket: Any):
        self.number = number
        self.socket = socket
        self.num_received = 0
        self.waiting: list[dict[str, Any]] = []
        self.free = list(range(TRAINERS))

    def send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message).encode())

    def beat(self) -> None:
        credits = self.num_received - len(self.waiting) + len(self.free) + PREFETCH
        self.send(kind="beat", credits=credits, history_version=None)


def run_groups(num_groups: int, *, connection: str) -> None:
    """Play all groups until killed."""
    import zmq

    known = json.loads(connection)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4 * num_groups)
    poller = zmq.Poller()
    groups: dict[Any, Group] = {}
    due: list[tuple[float, int, Any]] = []
    chance = random.Random(1)

    def later(after_s: float, action: Any) -> None:
        heapq.heappush(due, (time.monotonic() + after_s, chance.getrandbits(60), action))

    for number in range(num_groups):
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, f"group-{number}.0".encode())
        socket.curve_serverkey = known["server_public"].encode()
        socket.curve_publickey = known["group_public"].encode()
        socket.curve_secretkey = known["group_secret"].encode()
        socket.connect(known["endpoints"][0])
        groups[socket] = Group(number, socket)
        groups[socket].send(kind="hello", host=f"n{number}", pid=1, deadline_time=None)
        poller.register(socket, zmq.POLLIN)
    scene = Scene(later, chance)
    while True:
        for socket, _ in poller.poll(5):
            while True:
                try:
                    scene.hear(groups[socket], json.loads(socket.recv(zmq.DONTWAIT)))
                except zmq.Again:
                    break
        while due and due[0][0] <= time.monotonic():
            heapq.heappop(due)[2]()


class Scene:
    """What groups do, and when."""

    def __init__(self, later: Any, chance: random.Random):
        self.later = later
        self.chance = chance

    def hear(self, group: Group, message: dict[str, Any]) -> None:
        if message["kind"] == "welcome":
            group.send(kind="ready", devices=["cpu"] * TRAINERS)
            self.later(self.chance.random() * BEAT_S, lambda: self.beat(group))
        elif message["kind"] == "assign":
            group.num_received += len(message["assignments"])
            group.waiting += message["assignments"]
            self.place(group)

    def beat(self, group: Group) -> None:
        group.beat()
        self.later(BEAT_S, lambda: self.beat(group))

    def place(self, group: Group) -> None:
        while group.waiting and group.free:
            trainer, item = group.free.pop(), group.waiting.pop(0)
            key = {"candidate": item["candidate"]["number"], "attempt": item["attempt"]}
            group.send(kind="started", trainer=trainer, **key)
            num_rows = int(self.chance.uniform(SHORTEST_S, LONGEST_S) / ROW_S)
            if group.num_received <= TRAINERS:  # the first ones do not end all at once
                num_rows = self.chance.randrange(1, num_rows)
            self.later(ROW_S * self.chance.random(), partial(self.row, group, trainer, key, 1, num_rows))

    def row(self, group: Group, trainer: int, key: dict[str, int], number: int, num_rows: int) -> None:
        epoch = 0.5 * number
        group.send(kind="progress", trainer=trainer, epoch=epoch, val_accuracy=50.0, forecast=60.0, **key)
        if number < num_rows:
            self.later(ROW_S, partial(self.row, group, trainer, key, number + 1, num_rows))
            return
        outcome = {"state": "finished", "reason": "full_budget", "estimate": 50.0, "epochs": epoch, **key}
        group.send(kind="ended", trainer=trainer, outcome=outcome)
        group.free.append(trainer)
        self.place(group)
        group.beat()


if __name__ == "__main__":
    main()

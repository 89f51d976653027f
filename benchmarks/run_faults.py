"""`make bench-faults`: faults, walltime chains, the use of an allocation, on a Slurm that it starts itself (root).

Everything is kept after each step: stopped at any time (Ctrl-C, --max-minutes), it goes on where it was when it is
started again with the same arguments.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from fault_bench.jobs import NotMeasured, measure_chain, measure_utilisation
from fault_bench.report import write_report
from fault_bench.store import conditions, continued, load_results, save_results
from fault_bench.storm import StormDriver
from fault_bench.storm_campaign import Shape
from fault_bench.values import FULL_PLAN, SMALL_PLAN, Results, Storm

from tools.slurm_cluster.cluster import Cluster, ClusterError, Placement
from tools.slurm_cluster.machine import problem_with_hosts

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_OUTPUT = ROOT / "benchmarks" / "results" / "faults"
DEFAULT_WORK = ROOT / "runs" / "faults"
SMALL_NOTICE = "A small run, to see that everything works: its figures mean little."
NUM_HOSTS = 4
PARTS = ("storm", "chain", "utilisation")
HOUR = 'platform.walltime="00:55:00"'
SHORT = ("training.max_epochs=6", "estimator.preset=none", HOUR)
SECONDS = (
    "training.max_epochs=20",
    "estimator.preset=none",
    "space.max_filters=16",
    "training.batch_size=32",
    HOUR,
)


def main() -> int:
    """Measure what is missing, then write the report; 1 if a part could not be measured or a zero is none."""
    arguments = _parse_arguments()
    if problem := problem_with_hosts():
        print(f"no Slurm can be started here: {problem}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as for Ctrl-C, so that nothing is left
    output = arguments.output or (
        Path(tempfile.mkdtemp(prefix="hpc-nas-faults-")) if arguments.small else DEFAULT_OUTPUT
    )
    work_dir = arguments.work or (DEFAULT_WORK if output == DEFAULT_OUTPUT else output / "work")
    until = time.monotonic() + 60 * arguments.max_minutes
    failed = False
    with tempfile.TemporaryDirectory(prefix="hpc-nas-slurm-") as directory:
        for part in arguments.only or PARTS:
            with Cluster(Path(directory) / part, num_nodes=NUM_HOSTS, placement=Placement.HOSTS) as cluster:
                try:
                    _measure(
                        part, cluster, output=output, work_dir=work_dir, small=arguments.small, until=until
                    )
                except (NotMeasured, ClusterError) as error:
                    failed = True
                    print(f"{part}: not measured: {error}", file=sys.stderr, flush=True)
                except KeyboardInterrupt:
                    print("stopped; the same command goes on", file=sys.stderr, flush=True)
                    return 130
    results = load_results(output)
    print(f"wrote {write_report(results, output, notice=SMALL_NOTICE if arguments.small else '')}")
    return 1 if failed or not _is_clean(results) else 0


def _measure(part: str, cluster: Cluster, *, output: Path, work_dir: Path, small: bool, until: float) -> None:
    results = load_results(output)
    if part == "storm":
        _storm(cluster, results, output=output, work_dir=work_dir, small=small, until=until)
        return
    if getattr(results, part) is not None:
        print(f"{part}: measured already; remove it from {output}/results.json to measure again", flush=True)
        return
    if time.monotonic() > until:
        print(f"{part}: no time left", flush=True)
        return
    count = {"chain": (60, 24), "utilisation": (240, 24)}[part][small]
    nodes = {"chain": 2, "utilisation": NUM_HOSTS}[part]
    settings = SHORT if small else SECONDS
    print(f"{part}: {count} candidates on {nodes} nodes", flush=True)
    known = conditions(num_candidates=count, num_nodes=nodes, settings=" ".join(settings))
    measure = measure_chain if part == "chain" else measure_utilisation
    found = measure(
        cluster, work_dir=work_dir / part, num_nodes=nodes, num_candidates=count, settings=settings
    )
    results = load_results(output)
    save_results(
        results.model_copy(update={part: found, "conditions": {**results.conditions, part: known}}), output
    )


def _storm(
    cluster: Cluster, results: Results, *, output: Path, work_dir: Path, small: bool, until: float
) -> None:
    shape = Shape(num_candidates=40 if small else 120, num_nodes=2, settings=SHORT)
    storm = results.storm or Storm(seed=1, plan=SMALL_PLAN if small else FULL_PLAN)
    known = conditions(
        num_candidates=shape.num_candidates, num_nodes=shape.num_nodes, settings=" ".join(SHORT)
    )
    if before := results.conditions.get("storm"):
        known = continued(before, known)
    results = results.model_copy(update={"conditions": {**results.conditions, "storm": known}})
    print(f"storm: {len(storm.faults)} faults done, {sum(storm.remaining.values())} to come", flush=True)

    def keep(standing: Storm) -> None:
        save_results(results.model_copy(update={"storm": standing}), output)

    StormDriver(cluster, storm, shape=shape, work_dir=work_dir / "storm", keep=keep).run(until=until)


def _is_clean(results: Results) -> bool:
    campaigns = results.storm.campaigns if results.storm is not None else ()
    left_over = results.storm.left_over if results.storm is not None else ()
    return not left_over and not any(
        one.observations_lost
        or one.candidates_lost
        or one.counted_twice
        or one.left_over
        or one.batches_repeated_after_planned_ends
        for one in campaigns
    )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--small", action="store_true", help="a few faults, short campaigns; not into results/"
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; repeatable")
    parser.add_argument("--output", type=Path, help=f"default: {DEFAULT_OUTPUT.relative_to(ROOT)}")
    parser.add_argument("--work", type=Path, help="where run directories go; default: runs/faults")
    parser.add_argument(
        "--max-minutes", type=float, default=float("inf"), help="stop in order then, to go on later"
    )
    arguments = parser.parse_args()
    if arguments.small and arguments.output and arguments.output.resolve() == DEFAULT_OUTPUT:
        parser.error(f"--small does not write into {DEFAULT_OUTPUT}; name another --output")
    return arguments


if __name__ == "__main__":
    sys.exit(main())

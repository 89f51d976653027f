"""`make bench-faults`: faults, walltime chains, the use of an allocation, on a Slurm that it starts itself (root).

Everything is kept after each step: stopped at any time (Ctrl-C, --max-minutes), it goes on where it was when it is
started again with the same arguments.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.bench.command import RESULTS_DIR, Run, add_work, parse, parser_of, start
from benchmarks.bench.environment import ROOT, Conditions, describe_environment, measured
from benchmarks.fault_bench.jobs import measure_chain, measure_utilisation
from benchmarks.fault_bench.report import write_report
from benchmarks.fault_bench.storm import StormDriver
from benchmarks.fault_bench.storm_campaign import Shape
from benchmarks.fault_bench.values import FULL_PLAN, SMALL_PLAN, FaultResults, Storm
from tools.slurm_cluster.cluster import Cluster, Placement
from tools.slurm_cluster.machine import problem_with_hosts

DEFAULT_OUTPUT = RESULTS_DIR / "faults"
DEFAULT_WORK = ROOT / "runs" / "faults"
NUM_HOSTS = 4
STORM, CHAIN, UTILISATION = PARTS = ("storm", "chain", "utilisation")
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
    parser = parser_of(__doc__, output=DEFAULT_OUTPUT, parts=PARTS)
    add_work(parser, help="where run directories go; default: runs/faults, or work/ in another --output")
    options = parse(parser)
    if problem := problem_with_hosts():
        print(f"no Slurm can be started here: {problem}", file=sys.stderr)
        return 2
    run = Run(options, FaultResults)
    work_dir = options.work or (DEFAULT_WORK if run.output == DEFAULT_OUTPUT else run.output / "work")
    with tempfile.TemporaryDirectory(prefix="hpc-nas-slurm-") as directory:
        for part in run.chosen(PARTS):
            if options.force:  # else what was begun there would go on
                shutil.rmtree(work_dir / part, ignore_errors=True)
            with (
                run.measuring(part),
                Cluster(Path(directory) / part, num_nodes=NUM_HOSTS, placement=Placement.HOSTS) as cluster,
            ):
                (_storm if part == STORM else _jobs)(run, part, cluster, work_dir=work_dir / part)
    if not _is_clean(run.results):
        run.failed("what must be zero is not: see the report")
    return run.end(write_report(run.results, run.output, notice=options.notice))


def _jobs(run: Run[FaultResults], part: str, cluster: Cluster, *, work_dir: Path) -> None:
    """The chain, or the use of an allocation."""
    if not run.is_due(part, known=getattr(run.results, part) is not None):
        return
    count = {CHAIN: (60, 24), UTILISATION: (240, 24)}[part][run.options.quick]
    nodes = {CHAIN: 2, UTILISATION: NUM_HOSTS}[part]
    settings = SHORT if run.options.quick else SECONDS
    print(f"{part}: {count} candidates on {nodes} nodes", flush=True)
    measure = {CHAIN: measure_chain, UTILISATION: measure_utilisation}[part]
    conditions, found = measured(
        part,
        lambda: measure(cluster, work_dir=work_dir, num_nodes=nodes, num_candidates=count, settings=settings),
        **_asked(count, nodes, settings),
    )
    run.keep(run.results.with_part(part, found, conditions))


def _storm(run: Run[FaultResults], part: str, cluster: Cluster, *, work_dir: Path) -> None:
    """Goes on where it stands, unless it is forced to begin again."""
    quick = run.options.quick
    shape = Shape(num_candidates=40 if quick else 120, num_nodes=2, settings=SHORT)
    known = None if run.options.force else run.results.storm
    storm = known or Storm(seed=1, plan=SMALL_PLAN if quick else FULL_PLAN)
    now = Conditions.now(**_asked(shape.num_candidates, shape.num_nodes, SHORT))
    begun = run.results.conditions.get(part)
    conditions = begun.before(now) if known is not None and begun is not None else now
    print(f"storm: {len(storm.faults)} faults done, {sum(storm.remaining.values())} to come", flush=True)
    StormDriver(
        cluster,
        storm,
        shape=shape,
        work_dir=work_dir,
        keep=lambda standing: run.keep(run.results.with_part(part, standing, conditions)),
    ).run(until=run.until)


def _asked(num_candidates: int, num_nodes: int, settings: tuple[str, ...]) -> dict[str, object]:
    configuration = {
        "num_candidates": num_candidates,
        "num_nodes": num_nodes,
        "settings": " ".join(settings),
    }
    return {"environment": describe_environment(), "configuration": configuration}


def _is_clean(results: FaultResults) -> bool:
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


if __name__ == "__main__":
    start(main)

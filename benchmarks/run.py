"""`make bench`: measures what the README claims, part by part, and writes one report.

A part that results.json already holds for the same source, configuration and machine is not measured again.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.campaigns import ROOT, CampaignFailed, Workspace
from bench.environment import background_cpu_percent, describe_environment
from bench.figures import draw_figures
from bench.parts import NAMES, Part, full_parts, quick_parts
from bench.report import write_report
from bench.store import Entry, Results, load_results, part_key, save_results
from bench.values import Conditions

from hpc_nas.campaign.provenance import source_commit
from hpc_nas.errors import HpcNasError

DEFAULT_OUTPUT = ROOT / "benchmarks" / "results"
QUICK_NOTICE = "A quick run, to see that everything works: its figures mean nothing."


def main() -> int:
    """Measure what is missing, then write report and figures; 1 if a part could not be measured."""
    arguments = _parse_arguments()
    output = arguments.output or _default_output(quick=arguments.quick)
    parts = quick_parts() if arguments.quick else full_parts(repeats=arguments.repeats)
    results = load_results(output)
    failed = []
    with _runs_dir(arguments.keep) as runs_dir:
        workspace = Workspace(runs_dir=runs_dir, output_dir=output)
        for name in arguments.only or NAMES:
            try:
                results = _update(results, name, part=parts[name], workspace=workspace, force=arguments.force)
            except (CampaignFailed, HpcNasError, RuntimeError) as error:
                failed.append(name)
                print(f"{name}: not measured: {error}", file=sys.stderr, flush=True)
            save_results(results, output)
    notice = QUICK_NOTICE if arguments.quick else ""
    write_report(results, output, figures=draw_figures(results, output), notice=notice)
    print(f"wrote {output / 'report.md'}")
    return 1 if failed else 0


def _update(results: Results, name: str, *, part: Part, workspace: Workspace, force: bool) -> Results:
    """The results with this part in them, measured now if need be."""
    if part.skip_reason:
        print(f"{name}: skipped: {part.skip_reason}", flush=True)
        return results.with_skipped(name, part.skip_reason)
    environment = describe_environment()
    key = part_key(part.configuration, environment)
    known = results.parts.get(name)
    if known is not None and known.conditions.key == key and not force:
        print(f"{name}: measured on {known.conditions.started}, nothing has changed (--force)", flush=True)
        return results
    background = background_cpu_percent()
    print(f"{name}: measuring; others use {background:.0f} % of the machine's cores", flush=True)
    started, clock = datetime.now(UTC), time.monotonic()
    result = part.measure(workspace)
    conditions = Conditions(
        key=key,
        commit=source_commit(),
        environment=environment,
        configuration=dict(part.configuration),
        started=started.isoformat(timespec="seconds"),
        duration_s=round(time.monotonic() - clock, 1),
        background_cpu_percent=background,
    )
    return results.with_part(name, Entry(conditions=conditions, result=result))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="tiny numbers, to see that it works; not into results/"
    )
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--output", type=Path, help="default: benchmarks/results; quick: a temporary directory"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the run directories of campaigns here")
    parser.add_argument("--force", action="store_true", help="measure again what has been measured")
    parser.add_argument(
        "--repeats", type=int, default=1, help="of each stopping campaign in the comparisons (1)"
    )
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats {arguments.repeats}: use 1 or more")
    if arguments.quick and arguments.output and arguments.output.resolve() == DEFAULT_OUTPUT:
        parser.error(f"--quick does not write into {DEFAULT_OUTPUT}; name another --output")
    return arguments


def _default_output(*, quick: bool) -> Path:
    return Path(tempfile.mkdtemp(prefix="hpc-nas-bench-quick-")) if quick else DEFAULT_OUTPUT


@contextlib.contextmanager
def _runs_dir(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="hpc-nas-bench-") as temporary:
            yield Path(temporary)
    else:
        directory = keep.absolute() / datetime.now().strftime("%Y%m%d-%H%M%S")
        directory.mkdir(parents=True)
        yield directory


if __name__ == "__main__":
    sys.exit(main())

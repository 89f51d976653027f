"""`make bench`: measures what the README claims, part by part, and writes one report.

A part that results.json already holds for the same source, configuration and machine is not measured again.
"""

from __future__ import annotations

import argparse

from benchmarks.bench.command import RESULTS_DIR, Run, Workspace, add_work, parse, parser_of, start
from benchmarks.bench.environment import describe_environment, digest_of, measured
from benchmarks.campaign_bench.figures import draw_figures
from benchmarks.campaign_bench.parts import NAMES, Part, full_parts, quick_parts
from benchmarks.campaign_bench.report import write_report
from benchmarks.campaign_bench.values import CampaignResults, Entry

MEASURED = ("hpc_nas/**/*.py", "estimator/**/*.py", "configs/campaigns/*.toml", "constraints.txt")


def main() -> int:
    """Measure what is missing, then write report and figures; 1 if a part could not be measured."""
    options = _options()
    run = Run(options, CampaignResults)
    parts = quick_parts() if options.quick else full_parts(repeats=options.repeats)
    with run.workspace() as workspace:
        for name in run.chosen(NAMES):
            with run.measuring(name):
                _measure(run, name, parts[name], workspace=workspace)
    figures = draw_figures(run.results, run.output)
    return run.end(write_report(run.results, run.output, figures=figures, notice=options.notice))


def _measure(run: Run[CampaignResults], name: str, part: Part, *, workspace: Workspace) -> None:
    """Keep the results with this part in them, measured now if need be."""
    if part.skip_reason:
        print(f"{name}: skipped: {part.skip_reason}", flush=True)
        run.keep(run.results.with_skipped(name, part.skip_reason))
        return
    environment = describe_environment()
    key = digest_of([part.configuration, environment], MEASURED)[:16]
    known = run.results.parts.get(name)
    if run.is_due(name, known=known is not None and known.conditions.key == key):
        conditions, result = measured(
            name,
            lambda: part.measure(workspace),
            key=key,
            environment=environment,
            configuration=dict(part.configuration),
        )
        run.keep(run.results.with_part(name, Entry(conditions=conditions, result=result)))


def _options() -> argparse.Namespace:
    parser = parser_of(__doc__, output=RESULTS_DIR, parts=NAMES)
    add_work(parser)
    parser.add_argument(
        "--repeats", type=int, default=1, help="of each stopping campaign in the comparisons (1)"
    )
    options = parse(parser)
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: use 1 or more")
    return options


if __name__ == "__main__":
    start(main)

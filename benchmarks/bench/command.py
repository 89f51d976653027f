"""How every benchmark runs: its arguments, what it already knows, what could not be measured, when to stop."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.bench.environment import ROOT
from benchmarks.bench.store import Results
from hpc_nas.errors import HpcNasError

RESULTS_DIR = ROOT / "benchmarks" / "results"
QUICK_NOTICE = "A quick run, to see that everything works: its figures mean nothing."
GOES_ON = "the same command goes on"
_Results = TypeVar("_Results", bound=Results)


class NotMeasured(RuntimeError):
    """A measurement did not come to its end."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where run directories go."""

    runs_dir: Path

    def new_run_dir(self, name: str) -> Path:
        """A directory name that is not taken."""
        taken = sum(1 for path in self.runs_dir.glob(f"{name}-*"))
        return self.runs_dir / f"{name}-{taken}"


def parser_of(
    text: str | None, *, output: Path, parts: Sequence[str], **options: Any
) -> argparse.ArgumentParser:
    """What all benchmarks take; `output` is where the committed report lies."""
    parser = argparse.ArgumentParser(description=text, **options)
    add = parser.add_argument
    add("--quick", action="store_true", help="tiny numbers, to see that it works; not into results/")
    add(
        "--only",
        action="append",
        choices=parts,
        metavar="PART",
        help=f"repeatable; {', '.join(parts)}".replace("%", "%%"),
    )
    add("--output", type=Path, help=f"default: {output.relative_to(ROOT)}; quick: a temporary directory")
    add("--force", action="store_true", help="measure again what has been measured")
    add("--max-minutes", type=float, default=float("inf"), help="stop in order then, to go on later")
    parser.set_defaults(committed=output, work=None)
    return parser


def add_work(
    parser: argparse.ArgumentParser, *, help: str = "keep the run directories of campaigns here"
) -> None:
    """For benchmarks that run campaigns."""
    parser.add_argument("--work", type=Path, metavar="DIR", help=help)


def parse(parser: argparse.ArgumentParser, line: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, `output` and `notice` filled in. Exits with a message where they do not fit together."""
    options = parser.parse_args(line)
    if options.quick and options.output and options.output.resolve() == options.committed:
        parser.error(f"--quick does not write into {options.committed}; name another --output")
    if options.output is None:
        options.output = (
            Path(tempfile.mkdtemp(prefix="hpc-nas-bench-quick-")) if options.quick else options.committed
        )
    options.notice = QUICK_NOTICE if options.quick else ""
    return options


def start(main: Callable[[], int]) -> None:
    """Run it and exit; SIGTERM stops it as Ctrl-C does, so that nothing is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main()
    except KeyboardInterrupt:
        print(f"stopped; {GOES_ON}", file=sys.stderr)
        code = 130
    sys.exit(code)


class Run(Generic[_Results]):
    """One call of a benchmark. What is measured is kept at once, so that a call that is stopped is gone on with."""

    def __init__(self, options: argparse.Namespace, kind: type[_Results]):
        self.options = options
        self.output: Path = options.output
        self.results = kind.load(self.output)
        self.until: float = time.monotonic() + 60 * options.max_minutes
        self.failures: list[str] = []
        self._said_over = False

    def chosen(self, parts: Sequence[str]) -> list[str]:
        """Those of the parts that were asked for."""
        return [part for part in parts if not self.options.only or part in self.options.only]

    def is_due(self, name: str, *, known: bool) -> bool:
        """Is it to be measured now? Says why not."""
        if known and not self.options.force:
            print(f"{name}: measured already, nothing has changed (--force)", flush=True)
            return False
        return not self.is_over(f"{name} and what comes after it")

    def is_over(self, left: str) -> bool:
        """Is the time of this call up? Says once what is left to do."""
        over = time.monotonic() > self.until
        if over and not self._said_over:
            print(f"no time left for {left}; {GOES_ON}", flush=True)
        self._said_over = over
        return over

    def keep(self, results: _Results) -> None:
        """From now on these are the results."""
        self.results = results
        results.save(self.output)

    @contextlib.contextmanager
    def measuring(self, name: str) -> Iterator[None]:
        """What cannot be measured is said, and does not keep the others from being measured."""
        try:
            yield
        except (HpcNasError, RuntimeError) as error:
            self.failed(f"{name}: not measured: {error}")

    def failed(self, message: str) -> None:
        """Say it now, and by the exit code in the end."""
        self.failures.append(message)
        print(message, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Campaigns run in `--work`, or in a directory that goes with this call."""
        with contextlib.ExitStack() as stack:
            runs_dir = self.options.work or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="hpc-nas-bench-"))
            )
            yield Workspace(runs_dir=runs_dir.absolute())

    def end(self, report: Path) -> int:
        """The exit code: 1 if something could not be measured."""
        print(f"wrote {report}")
        return 1 if self.failures else 0

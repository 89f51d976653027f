"""Records the benchmark's hard learning curves again: many tiny networks, trained at once on one core.

Each set takes one to four minutes. The recorded curves are compared with the stored ones: with the same torch on
a like processor they are the same bit by bit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from recorder.data import data_dir
from recorder.families import SETS
from recorder.store import compare, record, save

from hpc_nas.errors import DataError

STORED_DIR = Path(__file__).resolve().parents[1] / "curves"


def main() -> int:
    """Record the named sets; 2 where the data is missing."""
    arguments = _parse_arguments()
    torch.set_num_threads(1)  # other thread counts sum in another order
    torch.set_flush_denormal(True)
    names = list(SETS) if "all" in arguments.name else arguments.name
    try:
        directory = data_dir()
        for name in dict.fromkeys(names):
            _record(name, directory, arguments)
    except DataError as error:
        print(f"record.py: {error}", file=sys.stderr)
        return 2
    return 0


def _record(name: str, directory: Path, arguments: argparse.Namespace) -> None:
    recording = SETS[name](directory)
    total = recording.num_observations
    first = min(arguments.first or total, total)
    table = record(recording, first=first, progress=_progress(name, first))
    path = arguments.output / f"{name}.npz"
    verdict = (
        compare(table, STORED_DIR / path.name) if (STORED_DIR / path.name).exists() else "not stored yet"
    )
    save(table, path)
    print(f"{path}: {verdict}", flush=True)


def _progress(name: str, total: int) -> Callable[[int], None]:
    """Prints one line that grows old in place; only its last state where stdout is no terminal."""
    started = time.monotonic()

    def show(done: int) -> None:
        if sys.stdout.isatty() or done == total:
            end = "\n" if done == total else ""
            text = f"{name}: {done} of {total} observations, {time.monotonic() - started:.0f} s"
            print(f"\r{text}" if sys.stdout.isatty() else text, end=end, flush=True)

    return show


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="sets:\n  " + "\n  ".join(SETS) + "\n\nHPC_NAS_TEST_DATA names the directory of the images "
        "(default: shared/data beside the checkout).",
    )
    parser.add_argument("name", nargs="+", choices=[*SETS, "all"], metavar="NAME", help="a set, or all")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the .npz files go")
    parser.add_argument(
        "--first",
        type=int,
        metavar="N",
        help="only the first N observations of each set, as a quick check (schedules stay those of all)",
    )
    arguments = parser.parse_args()
    if arguments.first is not None and arguments.first < 1:
        parser.error(f"--first {arguments.first}: use 1 or more")
    if arguments.first is not None and arguments.output.resolve() == STORED_DIR:
        parser.error(f"--first would overwrite whole curves in {STORED_DIR}; name another --output")
    return arguments


if __name__ == "__main__":
    sys.exit(main())

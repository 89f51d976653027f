"""Records the hard learning curves again: many tiny networks, trained at once on one core.

    python -m benchmarks.curves.recorder NAME --output DIR

An archive: it has made the curves beside it, and is kept to show how. Each set takes one to four minutes. The recorded
curves are compared with the stored ones: with the same torch on a like processor they are the same bit by bit.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.bench.environment import DATA_VARIABLE, data_dir
from benchmarks.curves.recorder import characters, crossing, digits, sweep
from benchmarks.curves.recorder.training import Curves, Recording
from hpc_nas.errors import DataError

STORED_DIR = Path(__file__).resolve().parent.parent
SETS: dict[str, Callable[[Path], Recording]] = {
    "crossing_mlp_fashion": crossing.mlp,
    "crossing_narrow_mlp_fashion": crossing.narrow_mlp,
    "crossing_cnn_cifar": crossing.cnn,
    "ties_mlp_digits": digits.ties,
    "late_learners_mlp_digits": digits.late_learners,
    "optimizer_sweep_mlp": sweep.wide,
    "optimizer_sweep_diverging_mlp": sweep.diverging,
    "optimizer_sweep_char_rnn": characters.optimizer_sweep,
    "language_model_char_rnn": characters.language_models,
}
"""Each starts from the directory of images: networks drawn, nothing trained yet."""


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
        print(f"{error}", file=sys.stderr)
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
        prog="python -m benchmarks.curves.recorder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="sets:\n  " + "\n  ".join(SETS) + f"\n\n{DATA_VARIABLE} names the directory of the images "
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


Table = dict[str, NDArray[np.float32]]
"""What a curve file holds: curves [n, T], columns [n], epochs [T]."""


def record(recording: Recording, *, first: int, progress: Callable[[int], None]) -> Table:
    """Train up to observation `first`; `progress` is told the number of observations made."""
    observations = []
    for observation in itertools.islice(recording.observations, first):
        observations.append(observation)
        progress(len(observations))
    curves: Curves = {
        key: np.stack([observation[key] for observation in observations], axis=1) for key in observations[0]
    }
    table: dict[str, Any] = {
        "epochs": np.arange(1, len(observations) + 1),
        **recording.score(curves),
        **recording.columns,
    }
    return {key: np.asarray(values, np.float32) for key, values in table.items()}


def save(table: Table, path: Path) -> None:
    """Write the compressed file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez_compressed(temporary, **table)
    os.replace(temporary, path)


def compare(table: Table, stored: Path) -> str:
    """Whether the stored file begins with these curves bit by bit; if not, what is how far apart."""
    with np.load(stored) as content:
        known = dict(content)
    if known.keys() != table.keys():
        return f"other keys than {stored.name}: {', '.join(sorted(known.keys() ^ table.keys()))}"
    length = len(table["epochs"])
    differing = []
    for key, values in table.items():
        part = known[key][..., :length] if known[key].ndim == 2 or key == "epochs" else known[key]
        if part.shape != values.shape:
            differing.append(f"{key} of shape {part.shape}, here {values.shape}")
        elif part.tobytes() != values.tobytes():
            distance = np.nanmax(np.abs(part.astype(np.float64) - values))
            differing.append(f"{key} by up to {distance:.3g}")
    if differing:
        return f"differs from {stored.name}: {'; '.join(differing)}"
    return f"bit by bit the first {length} of {len(known['epochs'])} observations of {stored.name}"


if __name__ == "__main__":
    sys.exit(main())

"""The recorded curves: where they are, to which group they belong, and what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.bench.environment import DATA_VARIABLE, ROOT, data_dir
from hpc_nas.errors import HpcNasError
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.sources import Choice, load_sets

__all__ = ["CNN", "HARD", "LEMUR", "BenchSet", "find_sets", "sampled"]

OWN_DIR = ROOT / "benchmarks" / "curves"
LEMUR = "lemur_dev.npz"
CNN, HARD = "cnn", "hard"
SEED = 20210417
COMPLETE_A4NN_SEARCH = ("run_index", 0.0)
"""The search 1gpu_1e14, whose 100 curves are complete; of the others only those reached the end that were let."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchSet:
    """One set of complete curves; `num_left_out` candidates had incomplete ones."""

    curves: CurveSet
    group: str
    num_left_out: int

    @property
    def content(self) -> str:
        """One word for all that a replay reads of it."""
        return content_of(self.curves)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    path: Path
    group: str
    prefix: str = ""
    where: tuple[tuple[str, float], ...] = ()


def find_sets() -> tuple[list[BenchSet], dict[str, str]]:
    """All sets that are there, and for each file that is not why: its name -> reason."""
    found: list[BenchSet] = []
    skipped: dict[str, str] = {}
    for source in _sources():
        if not source.path.is_file():
            skipped[source.path.stem] = f"not there; set {DATA_VARIABLE} to a directory that holds curves/"
            continue
        try:
            loaded = load_sets([source.path], Choice(where=source.where))
        except HpcNasError as error:
            skipped[source.path.stem] = str(error)
            continue
        for part in loaded:
            curves = replace(part.curves, name=source.prefix + part.curves.name)
            found.append(BenchSet(curves=curves, group=source.group, num_left_out=part.num_left_out))
    return found, skipped


def sampled(curves: CurveSet, *, num_candidates: int) -> CurveSet:
    """A seeded sample of the candidates, in the order of the set; the set itself if it has no more."""
    if len(curves) <= num_candidates:
        return curves
    chosen = np.random.default_rng(SEED).permutation(len(curves))[:num_candidates]
    return curves.only(np.sort(chosen))


def content_of(curves: CurveSet) -> str:
    """A hash of the curves and of what is known of their training."""
    digest = hashlib.sha256(repr((curves.max_epochs, curves.chance_accuracy)).encode())
    arrays: Mapping[str, object] = {
        name: getattr(curves, name)
        for name in ("epochs", "val_accuracy", "val_loss", "train_loss", "train_accuracy")
    }
    for name, values in arrays.items():
        digest.update(name.encode() + (np.ascontiguousarray(values).tobytes() if values is not None else b""))
    return digest.hexdigest()[:16]


def _sources() -> Iterator[_Source]:
    data = data_dir() / "curves"
    yield _Source(path=data / LEMUR, group=CNN, prefix="lemur ")
    yield _Source(path=data / "random_cnn_digits.npz", group=CNN)
    yield _Source(path=data / "random_cnn_cifar.npz", group=CNN)
    for name in ("digits_random_cnn", "fashion_mnist_2000_random_cnn"):
        yield _Source(path=OWN_DIR / f"{name}.npz", group=CNN)
    yield _Source(path=data / "a4nn_1e14.npz", group=HARD, where=(COMPLETE_A4NN_SEARCH,))
    for kind in ("ties", "crossing", "late", "optimizer", "language"):
        for path in sorted(OWN_DIR.glob(f"{kind}*.npz")):
            yield _Source(path=path, group=HARD)

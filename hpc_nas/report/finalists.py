"""The finalists of a search: what was estimated, what they reached, and what the test set says of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from hpc_nas.errors import RecordError
from hpc_nas.records.archive import load_record
from hpc_nas.records.network_files import NOT_EXPORTED, network_dir, read_result
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.report.formatting import accuracy, outcome
from hpc_nas.report.rows import texts
from hpc_nas.report.ruled_table import ruled_table

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

__all__ = ["FinalistFigures", "finalists_of", "finalists_table"]


@dataclass(frozen=True, kw_only=True)
class FinalistFigures:
    """One finalist. Accuracies in percent, NaN where there is none (yet).

    `estimate`, `spread` are the search's; `val_accuracy` and `test_accuracy` those of the saved weights, from epoch
    `weights_epoch` of `epochs`. `outcome` is where its training stands or how it ended, `message` why it failed or
    could not be tested. `directory` is empty until the network is saved; `files` names what lies there by kind, or says
    why it does not. `test_set` is `untouched`, or `validated on` where the search chose by it.
    """

    candidate: int
    estimate: float
    spread: float
    val_accuracy: float
    test_accuracy: float
    test_set: str
    epochs: float
    weights_epoch: float
    outcome: str
    message: str
    directory: str
    files: dict[str, str]


def finalists_of(run_dir: Path, search: CampaignRecord) -> tuple[FinalistFigures, ...]:
    """The finalists of the search in this run directory, the best by estimate first; none where there are none.

    Raises RecordError for records that can't be read.
    """
    directory = RunDirectory(RunDirectory(run_dir).finalists_dir)
    if not run_dir.is_dir() or not directory.holds_campaign():
        return ()
    record = load_record(directory.path)
    origins = [int(number) for number in record.configuration["finalists"]["origins"]]
    trained = {int(row["number"]): row for row in record.candidates}
    estimates = {int(row["number"]): row for row in search.candidates}
    return tuple(
        _figures(directory, trained.get(number), estimates.get(origin), candidate=origin)
        for number, origin in enumerate(origins)
    )


def _figures(
    directory: RunDirectory, trained: np.void | None, searched: np.void | None, *, candidate: int
) -> FinalistFigures:
    result, message = None, ""
    try:
        result = read_result(directory, candidate)
    except RecordError as error:
        message = str(error)
    state, reason, said = ("queued", "", "")
    if trained is not None:
        state, reason, said = texts([trained["state"], trained["reason"], trained["message"]])
    seen = math.nan if trained is None else float(trained["best_accuracy"])
    tested = result.test_accuracy if result is not None else None
    return FinalistFigures(
        candidate=candidate,
        estimate=math.nan if searched is None else float(searched["estimate"]),
        spread=math.nan if searched is None else float(searched["spread"]),
        val_accuracy=result.val_accuracy if result is not None else seen,
        test_accuracy=math.nan if tested is None else tested,
        test_set=result.test_set if result is not None else "",
        epochs=0.0 if trained is None else float(trained["epochs"]),
        weights_epoch=result.weights_epoch if result is not None else math.nan,
        outcome=outcome(state, reason),
        message=message or said or (result.test_message if result is not None else ""),
        directory=str(network_dir(directory, candidate)) if result is not None else "",
        files=result.files if result is not None else {},
    )


def finalists_table(finalists: tuple[FinalistFigures, ...]) -> RenderableType:
    """One line each, below it what is to be known of it, and where the networks lie."""
    columns = ("candidate", "estimate %", "validation %", "test %", "epochs", "weights of")
    table = ruled_table(f"finalists {len(finalists)}", *columns)
    table.add_column("outcome", justify="left")
    for row in finalists:
        table.add_row(
            str(row.candidate),
            accuracy(row.estimate, row.spread),
            accuracy(row.val_accuracy),
            accuracy(row.test_accuracy),
            f"{row.epochs:g}",
            f"epoch {row.weights_epoch:g}" if math.isfinite(row.weights_epoch) else "-",
            row.outcome,
        )
    return Group(table, *_notes(finalists))


def _notes(finalists: tuple[FinalistFigures, ...]) -> list[Text]:
    notes = [f"candidate {row.candidate}: {row.message}" for row in finalists if row.message]
    if any(row.test_set == "validated on" for row in finalists):
        notes.append(
            "test: the search validated on these very samples ([data] validate_on_test), it chose by them"
        )
    missing: dict[str, list[str]] = {}
    for row in finalists:
        for kind, text in row.files.items():
            if text.startswith(NOT_EXPORTED):
                missing.setdefault(f"{kind} {text}", []).append(str(row.candidate))
    notes += [f"candidate {', '.join(numbers)}: {what}" for what, numbers in missing.items()]
    saved = [row.directory for row in finalists if row.directory]
    if saved:
        notes.append(f"saved in {Path(saved[0]).parent}")
    return [Text(note, style="dim") for note in notes]

"""The rows that rank files and the archive hold: dtypes, units, codes. `docs/records.md` is its public text.

Every table has fixed-size rows only: variable-length data can't be written under SWMR. Times (`*_time`) are
seconds since the Unix epoch, durations (`*_s`) seconds, accuracies percent, losses means per sample. A quantity
that does not exist is NaN; a text field is UTF-8, cut to its width and padded with NUL.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 4

COMMIT = "commit"  # the table of counters
CHUNK_ROWS = 16  # what a lost page takes with it, and what is written again for each row

Rows = NDArray[np.void]
"""Rows of one table: a structured array with one dimension."""

Attribute = str | int | float
"""What a file says of itself."""

WORD = "S16"  # an enum's value
TEXT = "S240"  # a message for people
FOREIGN = "foreign"  # the state of a candidate of a program that is not ours
CARRIED = "carried"  # the reason of a forecast whose row was decided on in an earlier attempt

OBSERVATION = np.dtype(
    [
        ("candidate", "<i8"),
        ("attempt", "<i4"),
        ("epoch", "<f8"),
        ("val_accuracy", "<f8"),
        ("val_loss", "<f8"),
        ("train_accuracy", "<f8"),
        ("train_loss", "<f8"),
        ("learning_rate", "<f8"),
        ("train_s", "<f8"),
        ("validate_s", "<f8"),
        ("time_s", "<f8"),
        ("carried", "i1"),  # 1: measured in an earlier attempt, came with the checkpoint
    ]
)
"""One validation. Written by the trainer; the fields of `values.Observation`."""

ATTEMPT = np.dtype(
    [
        ("candidate", "<i8"),
        ("attempt", "<i4"),
        ("received_time", "<f8"),  # assignment taken from the mailbox
        ("first_batch_time", "<f8"),  # NaN: never got there
        ("signal_time", "<f8"),  # stop signal seen; NaN: none
        ("left_time", "<f8"),  # the trainer is free again
        (
            "start_epoch",
            "<f8",
        ),  # validated before this attempt: where its checkpoint stood; 0: from the start
        ("start_batch", "<i8"),  # batches trained before this attempt
        ("epochs", "<f8"),  # validated in all, with those before this attempt
        ("batches", "<i8"),  # trained by this attempt
        ("train_s", "<f8"),
        ("validate_s", "<f8"),
        ("last_batch_s", "<f8"),  # duration of the last batch
        ("state", WORD),  # values.State
        ("reason", WORD),  # values.Reason
        ("message", TEXT),
    ]
)
"""One execution of a candidate, appended when the trainer has left it. Written by the trainer."""

FORECAST = np.dtype(
    [
        ("candidate", "<i8"),
        ("attempt", "<i4"),
        ("epoch", "<f8"),
        ("num_points", "<i4"),
        ("a", "<f8"),
        ("b", "<f8"),
        ("c", "<f8"),
        ("forecast", "<f8"),  # percent; NaN: no forecast at this point
        ("spread", "<f8"),  # standard deviation, points
        ("low", "<f8"),  # the forecast's 90 % interval, percent; NaN: none
        ("high", "<f8"),
        ("action", WORD),  # estimator.Action
        ("reason", WORD),  # empty while going on; "carried": the row was decided on in an earlier attempt
        ("estimate", "<f8"),
        ("history_version", "<i8"),  # of the population's history that all this rests on
        ("fit_s", "<f8"),  # the time the forecast took
        ("read_lag_s", "<f8"),  # row written -> row read by the estimator
        ("time_s", "<f8"),
    ]
)
"""One look of the estimator at one candidate, also where it had no forecast. Written by the estimator."""

OUTCOME = np.dtype(
    [
        ("candidate", "<i8"),
        ("attempt", "<i4"),
        ("trainer", "<i4"),
        ("state", WORD),
        ("reason", WORD),
        ("estimate", "<f8"),
        ("spread", "<f8"),
        ("best_accuracy", "<f8"),
        ("epochs", "<f8"),
        ("decided_time", "<f8"),  # decision to stop; NaN: none was carried out
        ("signal_time", "<f8"),  # signal sent; NaN: none
        ("ended_time", "<f8"),
        ("message", TEXT),
    ]
)
"""The fields of `values.Outcome`, with the times of its decision. Written by the estimator."""

TRAINER_TABLES = {"observations": OBSERVATION, "attempts": ATTEMPT}
ESTIMATOR_TABLES = {"forecasts": FORECAST, "outcomes": OUTCOME}

CANDIDATE = np.dtype(
    [
        ("number", "<i8"),
        ("seed", "<u8"),
        ("num_parameters", "<i8"),
        ("num_layers", "<i4"),
        ("macs", "<i8"),
        ("redraws", "<i4"),
        ("beyond_limits", "<i4"),  # of these, networks beyond the constraints
        ("audited", "i1"),  # 1: trained to the end whatever is decided
        ("state", WORD),
        ("reason", WORD),
        ("estimate", "<f8"),
        ("spread", "<f8"),
        ("best_accuracy", "<f8"),
        ("epochs", "<f8"),  # of the attempt that counts
        ("epochs_all_attempts", "<f8"),
        ("epochs_twice", "<f8"),  # of these, trained again after a loss
        ("attempts", "<i4"),
        ("resumptions", "<i4"),  # attempts that went on from a checkpoint
        ("pauses", "<i4"),  # how often a rule gave its trainer to another candidate
        ("message", TEXT),
    ]
)
"""One candidate in the archive, one row each, in order of number; parameters stand beside it as JSON."""

"""The recorded sets by name. Each starts from the directory of images: networks drawn, nothing trained yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recorder.families import (
    crossing_cnn,
    crossing_mlp,
    language_model,
    late_learners,
    optimizer_sweep_char_rnn,
    optimizer_sweep_mlp,
    ties,
)
from recorder.recordings import Recording

SETS: dict[str, Callable[[Path], Recording]] = {
    "crossing_mlp_fashion": crossing_mlp.start_wide,
    "crossing_narrow_mlp_fashion": crossing_mlp.start_narrow,
    "crossing_cnn_cifar": crossing_cnn.start,
    "ties_mlp_digits": ties.start,
    "late_learners_mlp_digits": late_learners.start,
    "optimizer_sweep_mlp": optimizer_sweep_mlp.start_wide,
    "optimizer_sweep_diverging_mlp": optimizer_sweep_mlp.start_diverging,
    "optimizer_sweep_char_rnn": optimizer_sweep_char_rnn.start,
    "language_model_char_rnn": language_model.start,
}

"""What does not suit a text is refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpc_nas.campaign.preparation import prepare_campaign
from hpc_nas.configuration import Configuration
from hpc_nas.errors import ConfigurationError, HpcNasError, SpaceError


def configuration(tmp_path: Path, *, space: str = "lstm", **training: Any) -> Configuration:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat and the dog sat on the cat\n" * 40)
    return Configuration.model_validate(
        {
            "data": {"name": str(path), "text": {"sequence_length": 5}},
            "space": {"name": space, "batch_size": 4},
            "training": {"max_epochs": 1.0, **training},
        }
    )


def test_a_search_over_a_text_is_prepared(tmp_path: Path) -> None:
    prepared = prepare_campaign(configuration(tmp_path))
    assert (prepared.summary.num_train, prepared.summary.num_validation) == (71, 17)
    assert prepared.preset.chance_accuracy == prepared.summary.chance_accuracy
    assert set(prepared.strategy.ask(0).parameters) == {"num_inputs", "num_cells"}


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"augmentation": "shift"},
            ConfigurationError,
            "augmentation = 'shift' is for images, the data are text with",
        ),
        ({"space": "random-cnn"}, SpaceError, "space 'random-cnn' is for images, but the data are text with"),
        (
            {"batch_size": 40},
            ConfigurationError,
            "needs 80 training samples for a batch in every interval, there are 71",
        ),
    ],
    ids=["augmentation", "space", "batch size"],
)
def test_what_is_for_images_is_refused(
    changes: dict[str, Any], kind: type[HpcNasError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        prepare_campaign(configuration(tmp_path, **changes))

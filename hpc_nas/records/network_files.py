"""The directory of one trained network of a search: what lies there, and how it did.

networks/candidate-00012/  by the number that the search gave it
    weights.pt             its state dict
    architecture.json      what rebuilds it
    model.pt2, model.onnx  the network itself, where they could be made
    result.json            how it did, and what lies beside it; written last: where it is, all is
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hpc_nas.errors import RecordError
from hpc_nas.records.run_directory import RunDirectory

RESULT_NAME = "result.json"
NOT_EXPORTED = "not exported: "
"""What stands in the place of a file's name, before the reason."""


class NetworkResult(BaseModel):
    """How a network did. Accuracies in percent, losses means per sample, of exactly the weights that were saved.

    The test figures are None where the test set could not be evaluated; `test_message` says why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    candidate: int = Field(ge=0, description="number in the search")
    finalist: int = Field(ge=0, description="number among the finalists, from 0")
    seed: int = Field(ge=0, description="of its training: the candidate's own")
    epochs: float = Field(ge=0.0, description="trained")
    weights_epoch: float = Field(ge=0.0, description="of the saved weights: the best validation")
    val_accuracy: float
    val_loss: float
    test_accuracy: float | None
    test_loss: float | None
    test_message: str = ""
    num_test: int = Field(ge=0, description="samples of the test set")
    test_set: Literal["untouched", "validated on"] = Field(
        description="validated on: the search chose by these very samples, and so did the weights' epoch"
    )
    checksum: str = Field(description="of the data set")
    files: dict[str, str] = Field(description="by kind, the file's name, or `not exported: why`")


def network_dir(directory: RunDirectory, candidate: int) -> Path:
    """Where the network of this candidate of the search lies; `directory` is that of the finalists."""
    return directory.path / "networks" / f"candidate-{candidate:05d}"


def read_result(directory: RunDirectory, candidate: int) -> NetworkResult | None:
    """How the network did; None where it has not been saved yet. Raises RecordError for a file that is not ours."""
    path = network_dir(directory, candidate) / RESULT_NAME
    try:
        return NetworkResult.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}") from error
    except ValidationError as error:
        raise RecordError(
            f"{path}: not the result of a network of this version; move it away: {error.errors()[0]['msg']}"
        ) from error

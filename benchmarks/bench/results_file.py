"""results.json of every benchmark: read whole and checked, published whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

RESULTS_NAME = "results.json"
_Results = TypeVar("_Results", bound=BaseModel)


def load_results_file(directory: Path, kind: type[_Results]) -> _Results:
    """The results so far; empty without a file. Raises ValueError for a file that is none of this benchmark's."""
    path = directory / RESULTS_NAME
    if not path.exists():
        return kind()
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"{path}: no results of this benchmark; move it away, or give --output: {error}"
        ) from error


def publish_results_file(text: str, directory: Path) -> None:
    """Publish at once or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{RESULTS_NAME}.{os.getpid()}.tmp"
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, directory / RESULTS_NAME)

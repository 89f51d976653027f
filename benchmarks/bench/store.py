"""results.json of every benchmark: read whole and checked, published whole or not at all after each step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from benchmarks.bench.values import Value

RESULTS_NAME = "results.json"
SCHEMA_VERSION = 1


class Results(Value):
    """Base of what a benchmark's file holds."""

    schema_version: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The results so far; empty without a file. Raises ValueError for a file that is none of this benchmark's."""
        path = directory / RESULTS_NAME
        if not path.exists():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ValueError(
                f"{path}: no results of this benchmark; move it away, or give --output: {error}"
            ) from error

    def save(self, directory: Path) -> None:
        """Publish at once or not at all."""
        directory.mkdir(parents=True, exist_ok=True)
        publish(directory / RESULTS_NAME, _text(json.loads(self.model_dump_json()), indent=""))

    def changed(self, **update: Any) -> Self:
        """A copy with these fields replaced."""
        return self.model_copy(update=update)


def publish(path: Path, text: str) -> None:
    """Write the whole file, with a line's end at its end, or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text.rstrip() + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _text(value: Any, *, indent: str) -> str:
    """JSON with one line for each innermost list or object."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(isinstance(part, dict | list) for part in parts):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    texts = [_text(part, indent=inner) for part in parts]
    if isinstance(value, dict):
        texts = [f"{json.dumps(key)}: {text}" for key, text in zip(value, texts, strict=True)]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return start + "\n" + ",\n".join(inner + text for text in texts) + f"\n{indent}{end}"

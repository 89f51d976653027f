"""Standard output that can't be written is an error in one line; one that nobody reads any more is none to speak of."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from hpc_nas.errors import HpcNasError

__all__ = ["OutputError", "whole_output"]

EXIT_CLOSED_PIPE = 1  # as click has it


class OutputError(HpcNasError):
    """Standard output can't be written: the disk that it goes to is full, or fails."""


class _Output(io.TextIOWrapper):
    """Tells its own errors from those of other files; of a closed pipe the one that click expects."""

    def write(self, text: str) -> int:
        with _named():
            return super().write(text)

    def flush(self) -> None:
        with _named():
            super().flush()


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"can't write to standard output: {error.strerror or error}") from error


@contextlib.contextmanager
def whole_output(*, failure_code: int) -> Iterator[None]:
    """All that is printed in it is written at its end, or the process exits with `failure_code`; closed pipe: 1."""
    plain: Any = sys.stdout
    if not isinstance(plain, io.TextIOWrapper):  # closed, or captured
        yield
        return
    sys.stdout = _Output(
        plain.buffer, encoding=plain.encoding, errors=plain.errors, line_buffering=plain.line_buffering
    )
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more(plain)
        sys.exit(EXIT_CLOSED_PIPE)
    except OutputError as error:
        _write_no_more(plain)
        print(f"hpc-nas: {error}", file=sys.stderr)
        sys.exit(failure_code)


def _write_no_more(plain: io.TextIOWrapper) -> None:
    """What is still buffered goes nowhere, else Python tries once more as it exits and says so at length."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, plain.fileno())
        os.close(nowhere)

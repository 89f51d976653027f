"""Where the campaign process logs: everything into the run directory, warnings to the user as well."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from rich.console import Console

from hpc_nas.errors import RecordError


class _ConsoleHandler(logging.Handler):
    """Prints warnings above the live view, instead of through it."""

    def __init__(self, console: Console):
        super().__init__(level=logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(self.format(record), highlight=False, markup=False, soft_wrap=True)


class _FileHandler(logging.FileHandler):
    """A log that can't be written ends nothing, and is told once instead of with a traceback for every line."""

    def __init__(self, path: Path, *, console: Console):
        super().__init__(path, encoding="utf-8")
        self._console = console
        self._told = False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._told:
            self._told = True
            self._console.print(
                f"WARNING {self.baseFilename} can't be written: {error.strerror}",
                highlight=False,
                markup=False,
            )


def log_to(path: Path, *, console: Console, stack: ExitStack) -> None:
    """Log this process into the run directory, and its warnings to the user as well."""
    try:
        file = _FileHandler(path, console=console)
    except OSError as error:
        raise RecordError(f"{path}: can't be written: {error}") from error
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    to_both, to_file = (file, _ConsoleHandler(console)), (file,)
    for name, level, handlers in (("hpc_nas", logging.INFO, to_both), ("parsl", logging.WARNING, to_file)):
        log = logging.getLogger(name)
        stack.callback(log.setLevel, log.level)
        stack.callback(setattr, log, "propagate", log.propagate)
        log.setLevel(level)
        log.propagate = False  # Parsl's tracebacks of what the campaign handles are not for the terminal
        for handler in handlers:
            log.addHandler(handler)
            stack.callback(log.removeHandler, handler)
    stack.callback(_close, file)


def _close(file: logging.FileHandler) -> None:
    """On a full disk the last lines are lost; that ends nothing, and hides no other error."""
    with suppress(OSError):
        file.close()

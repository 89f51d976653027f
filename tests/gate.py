"""Holds the trainings of a test's campaign at a gate until the test has seen what it waits for.

No campaign is then sized so that it probably lasts long enough, and no machine is too quick or too slow: trainings
wait at the gate (`gated_space`) for as long as it takes, and go on when the test opens it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.gated_space import CLOSED

SPACE = Path(__file__).with_name("gated_space.py")
HANG_S = 300.0
"""Bounds a hang, and nothing else: far beyond what a busy machine needs for anything that a test waits for."""


class Gate:
    """The test's side of a gate; it is open at first."""

    def __init__(self, directory: Path):
        self.directory = directory
        directory.mkdir(exist_ok=True)

    @property
    def space(self) -> dict[str, str]:
        """The table [space], but for the options of the space behind the gate, and its name, `inner`."""
        return {"name": f"{SPACE}:gated", "gate": str(self.directory)}

    def settings(self, inner: str = "random-cnn") -> tuple[str, ...]:
        """For a campaign of the space `inner`, whose options stay as they are."""
        return (
            *(f"space.{name}={json.dumps(value)}" for name, value in self.space.items()),
            f"space.inner={json.dumps(inner)}",
            "group.hang_floor_s=3600",  # who waits at the gate does not hang
            "group.hang_limit_s=3600",
        )

    def close(self, *, batches: int = 0, passing: int = 0) -> None:
        """From now on an attempt waits once it has done so many training batches; the first so many that come pass."""
        temporary = self.directory / f"{CLOSED}.tmp"
        temporary.write_text(f"{passing} {batches}")
        temporary.replace(self.directory / CLOSED)

    def open(self) -> None:
        """All go on."""
        (self.directory / CLOSED).unlink(missing_ok=True)

    @property
    def num_arrived(self) -> int:
        """Trainings that have come to it while it was closed."""
        return sum(path.name.isdigit() for path in self.directory.iterdir())


def told_to_leave(launch_logs: Iterable[Path]) -> bool:
    """Has each of these groups said that it leaves? Its trainers have been told when it says so."""
    texts = [path.read_text(errors="replace") for path in launch_logs]
    return bool(texts) and all(" leaves: " in text for text in texts)


def wait_for(
    condition: Callable[[], bool], *, what: str | Callable[[], str], timeout_s: float = HANG_S
) -> None:
    """Until the condition holds; fails loudly when time runs out."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, (
            f"timed out waiting for {what if isinstance(what, str) else what()}"
        )
        time.sleep(0.05)

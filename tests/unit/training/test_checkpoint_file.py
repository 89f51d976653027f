"""Checkpoints as files: whole or not there, read without running anything, refused where they do not belong."""

from __future__ import annotations

import itertools
import os
import pickle
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from hpc_nas.training import checkpoint_file
from hpc_nas.training.checkpoint import Checkpoint, NoCheckpoint
from hpc_nas.training.checkpoint_file import Origin, read_checkpoint, write_checkpoint
from hpc_nas.values import Candidate
from tests.disks import tiny_disk

from .training_helpers import CPU, PAUSE, Shelf, Trainer, candidate, dense, one_network_space

ORIGIN = Origin(training='{"max_epochs":2.0}', space='{"name":"test"}', data="abc")


@pytest.fixture
def checkpoint(trainer: Trainer) -> Checkpoint:
    signals = itertools.chain(itertools.repeat(None, 7), itertools.repeat(PAUSE))
    end = trainer(one_network_space(dense, optimizer="adam"), checkpoints=Shelf(), signals=signals)
    assert isinstance(end.checkpoint, Checkpoint)
    return end.checkpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "checkpoint.pt"


def read(
    path: Path, *, of: Candidate | None = None, origin: Origin = ORIGIN, device: torch.device = CPU
) -> Checkpoint | NoCheckpoint:
    return read_checkpoint(path, candidate=of or candidate(), origin=origin, device=device)


def refusal(path: Path, **expected: Any) -> str:
    found = read(path, **expected)
    assert isinstance(found, NoCheckpoint)
    assert str(path) in found.message
    return found.message


def test_what_is_read_is_what_was_written(checkpoint: Checkpoint, path: Path) -> None:
    write_checkpoint(path, checkpoint, origin=ORIGIN)
    found = read(path)
    assert isinstance(found, Checkpoint)
    assert found.position == checkpoint.position
    assert str(found.state) == str(checkpoint.state)
    assert os.listdir(path.parent) == [path.name]  # nothing half-written beside it


@pytest.mark.parametrize(
    ("expected", "complaint"),
    [
        ({"of": candidate(number=4)}, "of candidate 3 with seed 1, or other parameters; this is 4"),
        ({"of": candidate(seed=2)}, "of candidate 3 with seed 1"),
        ({"of": candidate().model_copy(update={"parameters": {"width": 3}})}, "or other parameters"),
        (
            {"origin": ORIGIN.model_copy(update={"training": "{}"})},
            'of another [training]: {"max_epochs":2.0}; now {}',
        ),
        (
            {"origin": ORIGIN.model_copy(update={"space": "other"})},
            'of another [space]: {"name":"test"}; now other',
        ),
        ({"origin": ORIGIN.model_copy(update={"data": "abd"})}, "of another [data]: abc; now abd"),
        ({"device": torch.device("cuda", 0)}, "made on cpu; the generators of cuda can't go on from it"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    checkpoint: Checkpoint, path: Path, expected: dict[str, Any], complaint: str
) -> None:
    write_checkpoint(path, checkpoint, origin=ORIGIN)
    assert complaint in refusal(path, **expected)


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_schema_is_refused_by_its_number(
    checkpoint: Checkpoint, path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_file, "SCHEMA_VERSION", version)
        write_checkpoint(path, checkpoint, origin=ORIGIN)
    assert f"schema version {version}; this hpc-nas reads 1: go on with the one that wrote it" in refusal(
        path
    )


def test_every_flipped_byte_is_noticed_or_harmless(checkpoint: Checkpoint, path: Path) -> None:
    """Bytes between records carry nothing; no other change may pass."""
    write_checkpoint(path, checkpoint, origin=ORIGIN)
    whole, good = path.read_bytes(), read(path)
    assert isinstance(good, Checkpoint)
    draw = random.Random(4)
    noticed = 0
    for place in draw.sample(range(len(whole)), 150):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ (1 << draw.randrange(8))]) + whole[place + 1 :]
        )
        found = read(path)
        if isinstance(found, Checkpoint):
            assert (found.position, str(found.state)) == (good.position, str(good.state))
        else:
            noticed += 1
    assert noticed > 50


def test_every_truncation_is_noticed(checkpoint: Checkpoint, path: Path) -> None:
    write_checkpoint(path, checkpoint, origin=ORIGIN)
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "damaged, or no checkpoint" in refusal(path)


class RunsCode:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["RAN"],)


def test_nothing_in_a_file_is_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write to the shared directory may not run code in the trainers."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    path.parent.mkdir()
    torch.save({"schema_version": 1, "state": RunsCode()}, path)
    assert "damaged, or no checkpoint: UnpicklingError" in refusal(path)
    path.write_bytes(pickle.dumps(RunsCode()))
    refusal(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {},
        {"schema_version": 1},
        {"schema_version": 1, "origin": "{}", "position": "{}", "state": {}},
        {"schema_version": 1, "origin": 3, "position": None, "state": {}},
        {"schema_version": 1, "origin": "{}", "position": "{}", "state": [], "more": 1},
    ],
)
def test_another_torch_file_is_refused(path: Path, content: Any) -> None:
    path.parent.mkdir()
    torch.save(content, path)
    assert "no checkpoint of hpc-nas" in refusal(path) or "schema version None" in refusal(path)


def test_a_missing_file_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(path)


def test_a_full_disk_leaves_the_older_one_and_no_rest(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", num_bytes=1 << 16) as disk:
        path = disk / "checkpoint.pt"
        write_checkpoint(path, checkpoint, origin=ORIGIN)
        large = Checkpoint(
            position=checkpoint.position, state={**checkpoint.state, "more": torch.zeros(1 << 16)}
        )
        with pytest.raises(OSError, match="No space left on device"):
            write_checkpoint(path, large, origin=ORIGIN)
        assert os.listdir(disk) == [path.name]
        assert isinstance(read(path), Checkpoint)


_WRITER = """
import sys, torch
from pathlib import Path
from hpc_nas.training.checkpoint_file import Origin, read_checkpoint, write_checkpoint
from hpc_nas.values import Candidate
path = Path(sys.argv[1])
origin = Origin(training=sys.argv[2], space=sys.argv[3], data=sys.argv[4])
candidate = Candidate.model_validate_json(sys.argv[5])
checkpoint = read_checkpoint(path, candidate=candidate, origin=origin, device=torch.device("cpu"))
checkpoint.state["more"] = torch.zeros(1 << 20)
print("ready", flush=True)
while True:
    write_checkpoint(path, checkpoint, origin=origin)
    print("written", flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_file(checkpoint: Checkpoint, path: Path) -> None:
    write_checkpoint(path, checkpoint, origin=ORIGIN)
    values = [str(path), ORIGIN.training, ORIGIN.space, ORIGIN.data, candidate().model_dump_json()]
    draw = random.Random(8)
    with subprocess.Popen([sys.executable, "-c", _WRITER, *values], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        assert writer.stdout.readline() == b"written\n"
        for _ in range(draw.randrange(1, 4)):  # then somewhere in the middle of the next one
            writer.stdout.readline()
        writer.kill()
    assert isinstance(read(path), Checkpoint)


def test_a_copy_written_by_a_thread_while_training_goes_on_is_not_torn(trainer: Trainer, path: Path) -> None:
    """The writer reads the copy while every later batch changes the network that it was made of."""
    space = one_network_space(dense, optimizer="adam", augmentation="shift")
    trainer(space, max_epochs=8.0)
    whole = trainer.curve
    paths = [path.with_name(f"{number}.pt") for number in range(15)]
    threads: list[threading.Thread] = []

    class Writing(Shelf):
        def keep(self, checkpoint: Checkpoint) -> None:
            target = paths[len(threads)]
            threads.append(
                threading.Thread(
                    target=write_checkpoint, args=(target, checkpoint), kwargs={"origin": ORIGIN}
                )
            )
            threads[-1].start()

    trainer(space, max_epochs=8.0, checkpoints=Writing())
    for thread in threads:
        thread.join()
    assert trainer.curve == whole
    for target in paths:
        start = read(target)
        assert isinstance(start, Checkpoint)
        trainer(space, max_epochs=8.0, checkpoints=Shelf(start, occasions=()))
        assert [row[:-1] for row in trainer.curve] == [row[:-1] for row in whole]  # all but `carried`

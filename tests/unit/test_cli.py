"""The command line: bad input ends with one clear message and exit code 2, before anything is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpc_nas.configuration import Configuration, load_configuration
from tests.unit.cli_harness import move_apart, refusal, started_run, write_campaign

BIN = Path(sys.executable).parent
SINGLETONS = """#!/bin/sh
# mpiexec -launcher fork -n N COMMAND ...: starts the command N times, without any process manager
n=$4; shift 4
while [ $n -gt 0 ]; do "$@" & n=$((n - 1)); done
wait
"""


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_apart(tmp_path, monkeypatch)


# --- run: the configuration ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("campaign.sed=1", "unknown key 'sed'; did you mean 'seed'?"),
        ("campain.seed=1", "unknown table 'campain'; did you mean 'campaign'?"),
        ("training.max_epochs=ten", "max_epochs = 'ten' is not allowed: Input should be a valid number"),
        ("training.max_epochs=-1", "max_epochs = -1.0 is not allowed: Input should be greater than 0"),
        ("data.name=digit", "nor a text (a file *.txt, a directory); did you mean 'digits'?"),
        ("space.name=random-cn", "unknown space 'random-cn'"),
        ("space.max_filter=3", "unknown option 'max_filter'; did you mean 'max_filters'?"),
        ("search.name=randm", "unknown strategy 'randm'; did you mean 'random'?"),
        ("search.sed=1", "unknown option 'sed'"),
        ("estimator.preset=peng4n", "did you mean 'peng4nn'?"),
        ("estimator.settings.tolerence=1", "tolerence"),
        ("estimator.settings.max_epochs=3", "set it as [training] max_epochs"),
        ("platform.mpiexec=nonexistent", "no 'nonexistent' beside"),
        ("training.batch_size=100000", "batch_size"),
    ],
)
def test_mistaken_setting_is_refused(tmp_path: Path, setting: str, message: str) -> None:
    arguments = ("run", write_campaign(tmp_path / "c.toml"), "--run-dir", tmp_path / "run", "--set", setting)
    assert message in refusal(*arguments, tree=tmp_path)


def test_unknown_key_of_the_file_is_refused_with_its_file_and_table(tmp_path: Path) -> None:
    path = tmp_path / "fashion.toml"
    path.write_text("[training]\nmax_epoch = 3\n", encoding="utf-8")
    assert refusal("run", path, tree=tmp_path) == (
        "fashion.toml [training]: unknown key 'max_epoch'; did you mean 'max_epochs'?"
    )


def test_missing_campaign_file_is_refused(tmp_path: Path) -> None:
    assert refusal("run", "none.toml", tree=tmp_path) == "none.toml: no such file"


@pytest.mark.parametrize("has_example", [True, False])
def test_nothing_to_run_shows_how_to_begin_by_a_command_that_works(tmp_path: Path, has_example: bool) -> None:
    example = Path("configs", "campaigns", "digits.toml")
    if has_example:
        example.parent.mkdir(parents=True)
        write_campaign(example)
    first, command, *rest = refusal("run", tree=tmp_path).splitlines()
    assert first.startswith("name a campaign file, ")
    assert len(rest) == 2
    make, _, line = command.strip().rpartition(" && ")
    assert bool(make) != has_example
    subprocess.run(make, shell=True, check=True)
    program, run, file = line.split()
    assert (program, run) == ("hpc-nas", "run")
    assert load_configuration(Path(file)).data.name == "digits"


# --- files of the wrong kind ---------------------------------------------------------------------------------

CAMPAIGN, PLATFORM = b"[campaign]\nseed = 2\n", b"[platform]\ngpus_per_node = 1\n"
BINARY = bytes(range(256))


@pytest.mark.parametrize("command", [("run",), ("submit", "--platform", "slurm.toml")])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.toml: says nothing; a campaign file has at least one setting, see "),
        (b"# nothing yet\n", "file.toml: says nothing; "),
        (b"[campaign]\n[training]\n", "file.toml: says nothing; "),
        (BINARY, "file.toml: no text in UTF-8, so no campaign file; name a campaign file (TOML), such as "),
        (PLATFORM, "file.toml: only [platform] in it: a platform file, where a campaign file is to be named"),
        (b'{"campaign": {}}', "file.toml: not valid TOML: "),
        (None, "file.toml: a directory; name a campaign file (TOML), such as "),
    ],
)
def test_file_that_is_no_campaign_file_is_refused(
    tmp_path: Path, command: tuple[str, ...], content: bytes | None, message: str
) -> None:
    Path("slurm.toml").write_text('[platform]\nscheduler = "slurm"\nnode_launcher = "srun"\n')
    name, *options = command
    assert refusal(name, _made("file.toml", content), *options, tree=tmp_path).startswith(message)


@pytest.mark.parametrize("command", [("run", "c.toml"), ("submit", "c.toml"), ("doctor",)])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.toml: says nothing; a platform file has at least one setting, see "),
        (b"[platform]\n[group]\n", "file.toml: says nothing; "),
        (BINARY, "file.toml: no text in UTF-8, so no platform file; name a platform file (TOML), such as "),
        (CAMPAIGN, "file.toml: [campaign] in it: a campaign file, where a platform file is to be named; "),
        (None, "file.toml: a directory; name a platform file (TOML), such as "),
    ],
)
def test_file_that_is_no_platform_file_is_refused(
    tmp_path: Path, command: tuple[str, ...], content: bytes | None, message: str
) -> None:
    write_campaign(Path("c.toml"))
    assert refusal(*command, "--platform", _made("file.toml", content), tree=tmp_path).startswith(message)


def test_run_directory_in_place_of_a_campaign_file_is_told_how_it_goes_on(tmp_path: Path) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    message = refusal("run", directory.path, tree=tmp_path)
    assert message.endswith(f"; its campaign goes on with: hpc-nas run --resume --run-dir {directory.path}")


def _made(name: str, content: bytes | None) -> Path:
    """A file with this content, or a directory."""
    path = Path(name)
    path.mkdir() if content is None else path.write_bytes(content)
    return path


WITH_FILES = [
    ("status",),
    ("report",),
    ("finalists",),
    ("replay",),
    ("space",),
    ("import", "a4nn", "-o", "out.h5"),
    ("import", "penguin", "-o", "out.h5"),
]


@pytest.mark.parametrize("command", WITH_FILES, ids=" ".join)
@pytest.mark.parametrize("suffix", ["h5", "npz", "toml", "csv", "txt", "py", "py:space"])
@pytest.mark.parametrize(
    "content", [b"", BINARY, CAMPAIGN, None], ids=["empty", "binary", "campaign", "directory"]
)
def test_every_command_refuses_what_is_nothing_for_it_in_one_line(
    tmp_path: Path, command: tuple[str, ...], suffix: str, content: bytes | None
) -> None:
    _made(f"file.{suffix.partition(':')[0]}", content)
    assert f"file.{suffix.partition(':')[0]}" in refusal(*command, f"file.{suffix}", tree=tmp_path)


def test_data_dir_may_have_any_name(tmp_path: Path) -> None:
    strange = tmp_path / 'a "quoted" \\ name'
    settings = ("--set", "data.name=fashion_mnist", "--data-dir", strange)
    message = refusal("run", write_campaign(tmp_path / "c.toml"), *settings, tree=tmp_path)
    assert message.startswith(f"data_dir = {strange}: no such directory; expected ")


# --- run: the data -------------------------------------------------------------------------------------------


def test_corrupt_official_file_is_named_with_both_checksums(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "train-images-idx3-ubyte.gz").write_bytes(b"not what it should be")
    settings = ("--set", "data.name=fashion_mnist", "--data-dir", images)
    message = refusal("run", write_campaign(tmp_path / "c.toml"), *settings, tree=tmp_path)
    assert message.startswith(f"{images}/train-images-idx3-ubyte.gz: damaged or not the official file: ")
    assert "MD5 expected 8d4fb7e6c68d591d4c3dfef9ec88bf0d, found 0f08038d9133fe4ee1c037296a90451d" in message


def test_labels_out_of_range_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    images = np.zeros((20, 8, 8), dtype=np.uint8)
    labels = np.arange(20) % 4
    labels[7] = 9
    np.savez(path, images=images, labels=labels, num_classes=np.array(4))
    settings = ("--run-dir", tmp_path / "run", "--set", f"data.name={path}")
    assert refusal("run", write_campaign(tmp_path / "c.toml"), *settings, tree=tmp_path) == (
        f"{path}: 1 label(s) out of range, the first at index 7: 9; expected 0..3 for 4 classes"
    )


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_corrupt_data_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(b"PK\x03\x04 cut short")
    settings = ("--run-dir", tmp_path / "run", "--set", f"data.name={path}")
    message = refusal("run", write_campaign(tmp_path / "c.toml"), *settings, tree=tmp_path)
    assert message.startswith(f"{path}: truncated, corrupt or not a {suffix} file (14 bytes found)")


# --- run: the launcher ---------------------------------------------------------------------------------------


def test_launcher_that_yields_singletons_is_refused_with_both_world_sizes(tmp_path: Path) -> None:
    fake = tmp_path / "mpiexec"
    fake.write_text(SINGLETONS)
    fake.chmod(0o755)
    settings = ("--run-dir", tmp_path / "run", "--set", f"platform.mpiexec={fake}")
    message = refusal("run", write_campaign(tmp_path / "c.toml"), *settings, tree=tmp_path)
    assert message.startswith(f"{fake} -n 2 gave 2 rank(s) that see world sizes [1], expected 2: ")
    assert "[platform] mpiexec" in message


# --- what starts fast ----------------------------------------------------------------------------------------

LOADED = (
    "import sys\nfrom hpc_nas.cli.main import main\ntry:\n    main()\nexcept SystemExit as end:\n"
    "    print('code', end.code or 0)\n"
    "print('heavy', sorted({'torch', 'torchvision', 'parsl', 'mpi4py', 'matplotlib', 'optuna'} & set(sys.modules)))"
)


def test_help_and_status_load_neither_torch_nor_parsl(tmp_path: Path) -> None:
    directory = started_run(tmp_path / "run", Configuration())
    for arguments in (["--help"], ["run", "--help"], ["status", str(directory.path)]):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", LOADED, *arguments],
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.stdout.splitlines()[-2:] == ["code 0", "heavy []"], done.stdout + done.stderr


def test_installed_command_fails_with_a_message_and_no_traceback(tmp_path: Path) -> None:
    for executable in ([str(BIN / "hpc-nas")], [sys.executable, "-m", "hpc_nas"]):
        done = subprocess.run(
            [*executable, "run", "none.toml"],
            capture_output=True,
            text=True,
            cwd=tmp_path / "here",
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
        )
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "hpc-nas: none.toml: no such file\n")
    assert list((tmp_path / "here").iterdir()) == []

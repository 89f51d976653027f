"""Every platform file: what it asks for, and the whole script of a block, compared with a stored one.

The stored scripts were read against the vendors' documentation, which stands beside the lines below and in the
platform files:
- `#SBATCH`: https://slurm.schedmd.com/sbatch.html; `srun ...`: https://slurm.schedmd.com/srun.html (tried: 22.05)
- `#BSUB`, blaunch: https://www.ibm.com/docs/en/spectrum-lsf/10.1.0 (bsub, blaunch); jsrun: OLCF, Summit User Guide,
  "Job Launcher (jsrun)": -n resource sets, -r sets per host, -a tasks, -c cores, -g GPUs of a set, -b binding
- `#PBS`: https://docs.alcf.anl.gov/running-jobs/; `mpiexec --cpu-bind none --ppn 1 -n N --hostfile F`: HPE PALS, as
  in https://docs.alcf.anl.gov/aurora/workflows/parsl/
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

from hpc_nas.configuration import Configuration, DeviceVariable, NodeLauncher, Scheduler, load_configuration
from hpc_nas.platforms.parsl_config import parsl_config

ROOT = Path(__file__).parents[3]
STORED = Path(__file__).parent / "stored" / "blocks"
FILES = sorted((ROOT / "configs" / "platforms").glob("*.toml"))
CLUSTERS = [path.stem for path in FILES if path.stem not in ("local", "one_gpu")]
SETTINGS = ('platform.addresses=["10.0.0.1"]', "platform.account=abc123")


def load(name: str, *settings: str) -> Configuration:
    path = ROOT / "configs" / "platforms" / f"{name}.toml"
    return load_configuration(None, platform_path=path, settings=settings)


def executor(config: Config) -> HighThroughputExecutor:
    (found,) = config.executors
    assert isinstance(found, HighThroughputExecutor)
    return found


def render(
    name: str, *, placement: str, script_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[str]]:
    """The script of a block, and the commands that Parsl would have run; POOL stands for the worker pool."""
    commands: list[str] = []

    def note(cmd: str, walltime: int | None = None) -> tuple[int, str, str]:
        commands.append(cmd)
        answers = {"sbatch": "Submitted batch job 7", "bsub": "Job <7> is submitted to queue <batch>."}
        return 0, answers.get(cmd.split()[0], "PID:7"), ""

    monkeypatch.setattr("parsl.providers.cluster_provider.execute_wait", note)
    monkeypatch.setattr("parsl.providers.local.local.execute_wait", note)
    monkeypatch.setattr("time.time", lambda: 1.5)
    provider = executor(
        parsl_config(load(name, f"platform.placement={placement}", *SETTINGS), parsl_dir=script_dir)
    ).provider
    provider.script_dir = str(script_dir)
    provider.submit("POOL --block_id=0", 1, "parsl.groups.block-0")
    (script,) = script_dir.glob("parsl.*")
    text = (
        script.read_text()
        .replace(str(script_dir), "SCRIPTS")
        .replace(str(Path(sys.executable).parent), "BIN")
    )
    return text, [command.replace(str(script_dir), "SCRIPTS") for command in commands]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_loads_and_says_where_its_facts_are_from(path: Path) -> None:
    configuration = load(path.stem)
    assert configuration.platform.name.replace("-", "_") == path.stem
    text = path.read_text()
    assert text.startswith("# ")
    if path.stem in CLUSTERS:
        assert "https://" in text
        assert configuration.num_groups == 2
        assert configuration.platform.walltime_s == 3600


@pytest.mark.parametrize("placement", ["script", "blocks"])
@pytest.mark.parametrize("name", CLUSTERS)
def test_whole_script_of_a_block_is_the_stored_one(
    name: str, placement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, commands = render(name, placement=placement, script_dir=tmp_path, monkeypatch=monkeypatch)
    assert text == (STORED / f"{name}-{placement}.sh").read_text()
    submit = {
        "slurm": ["sacct -X", "sbatch SCRIPTS/parsl.groups.block-0.1.5"],
        "lsf": ["bsub < SCRIPTS/parsl.groups.block-0.1.5.submit"],
        "pbs": [
            "qsub  -q debug -A abc123 SCRIPTS/parsl.groups.block-0.1.5",
        ],
    }
    if placement == "blocks":
        assert commands == submit[load(name).platform.scheduler]


@pytest.mark.parametrize("name", CLUSTERS)
def test_lost_block_is_noticed_within_seconds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsl's batch providers ask about their blocks once a minute, and replace none before."""
    monkeypatch.setattr(
        "parsl.providers.cluster_provider.execute_wait", lambda cmd, walltime=None: (1, "", "")
    )
    config = parsl_config(load(name, "platform.placement=blocks", *SETTINGS), parsl_dir=tmp_path)
    assert executor(config).status_polling_interval == 5
    assert config.strategy_period == 2
    provider = executor(config).provider
    assert (provider.init_blocks, provider.min_blocks, provider.max_blocks) == (1, 1, 1)


@pytest.mark.parametrize("name", CLUSTERS)
def test_block_takes_no_group_that_could_no_longer_do_anything(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "parsl.providers.cluster_provider.execute_wait", lambda cmd, walltime=None: (1, "", "")
    )
    blocks = parsl_config(load(name, "platform.placement=blocks", *SETTINGS), parsl_dir=tmp_path)
    assert executor(blocks).drain_period == 3600 - 60
    assert executor(parsl_config(load(name, *SETTINGS), parsl_dir=tmp_path)).drain_period is None


def test_each_machine_has_its_scheduler_launcher_and_devices() -> None:
    found = {
        name: (platform.scheduler, platform.node_launcher, platform.device_variable)
        for name in CLUSTERS
        for platform in [load(name).platform]
    }
    assert found == {
        "aurora": (Scheduler.PBS, NodeLauncher.MPIEXEC, DeviceVariable.ZE),
        "frontier": (Scheduler.SLURM, NodeLauncher.SRUN, DeviceVariable.ROCR),
        "lsf": (Scheduler.LSF, NodeLauncher.BLAUNCH, DeviceVariable.CUDA),
        "perlmutter": (Scheduler.SLURM, NodeLauncher.SRUN, DeviceVariable.CUDA),
        "polaris": (Scheduler.PBS, NodeLauncher.MPIEXEC, DeviceVariable.CUDA),
        "slurm": (Scheduler.SLURM, NodeLauncher.SRUN, DeviceVariable.CUDA),
        "summit": (Scheduler.LSF, NodeLauncher.JSRUN, DeviceVariable.CUDA),
    }


def test_pools_call_back_at_the_addresses_of_this_host_without_asking_the_internet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("asked for an address on the internet")

    monkeypatch.setattr("parsl.addresses.requests.get", refuse)
    given = executor(parsl_config(load("slurm", *SETTINGS), parsl_dir=tmp_path))
    assert (given.address, given.all_addresses, given.encrypted) == ("0.0.0.0", {"10.0.0.1"}, True)
    found = executor(parsl_config(load("slurm"), parsl_dir=tmp_path))
    assert found.all_addresses >= {"127.0.0.1"}
    assert all(re.fullmatch(r"[\d.]+", address) for address in found.all_addresses)
    here = executor(parsl_config(load("local"), parsl_dir=tmp_path))
    assert (here.address, here.all_addresses) == ("127.0.0.1", {"127.0.0.1"})
    assert isinstance(here.provider, LocalProvider)

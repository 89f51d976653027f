"""The scripts in jobs/: short, without logic of their own, and in step with what `hpc-nas submit` writes."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from hpc_nas.configuration import load_configuration
from hpc_nas.platforms.job_script import job_script
from tests.unit.platforms.job_cases import submission
from tests.unit.platforms.job_references import REFERENCES

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = {"slurm.sbatch": "slurm", "summit.lsf": "summit", "polaris.pbs": "polaris"}
# What differs by purpose: names, where output goes, whom it is charged to.
OF_ITS_OWN = re.compile(r"#(SBATCH --(job-name|output|account)|BSUB -[JoP]|PBS -[NoA])\b")
STAND_IN = '#!/bin/bash\nprintf "%s\\n" "$@"\nexit 3\n'


def _options(script: str) -> set[str]:
    lines = re.findall(r"^#(?:SBATCH|BSUB|PBS) .*", script, re.MULTILINE)
    return {line for line in lines if not OF_ITS_OWN.match(line)}


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_asks_for_what_the_generated_script_asks_for(name: str) -> None:
    platform = ROOT / "configs" / "platforms" / f"{SCRIPTS[name]}.toml"
    configuration = load_configuration(
        ROOT / "configs" / "campaigns" / "fashion_mnist.toml", platform_path=platform
    )
    generated = job_script(configuration, submission())
    assert _options((ROOT / "jobs" / name).read_text()) == _options(generated)


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_waits_as_the_generated_script_waits(name: str) -> None:
    configuration = load_configuration(None, settings=("platform.scheduler=slurm",))
    generated = job_script(configuration, submission()).splitlines()
    lines = (ROOT / "jobs" / name).read_text().splitlines()
    assert [line.replace("USR1 USR2 ", "").replace(" HUP", "") for line in generated[-4:]] == [
        re.sub("USR[12] ", "", line) for line in lines[-4:]
    ]
    assert next(line for line in generated if line.startswith("exec")) in lines
    assert {line for line in lines if line.startswith("trap 'kill")} <= {
        line.replace(" HUP", "") for line in generated
    }


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_short_and_bash_accepts_it(name: str) -> None:
    path = ROOT / "jobs" / name
    subprocess.run(["bash", "-n", path], check=True)
    assert len(path.read_text().splitlines()) < 40


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_option_has_a_reference(name: str) -> None:
    found = re.findall(
        r"^#(SBATCH|BSUB|PBS) (-l \w+|--?[\w-]+)", (ROOT / "jobs" / name).read_text(), re.MULTILINE
    )
    assert [(prefix, option) for prefix, option in found if option not in REFERENCES[prefix]] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_config_and_run_dir_come_from_the_environment(name: str, tmp_path: Path) -> None:
    (tmp_path / "hpc-nas").write_text(STAND_IN)
    (tmp_path / "hpc-nas").chmod(stat.S_IRWXU)
    (tmp_path / "nodes").write_text("n1\nn2\nn2\n")
    of_the_job = {
        "SLURM_NNODES": "2",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "LS_SUBCWD": str(tmp_path),
        "PBS_O_WORKDIR": str(tmp_path),
        "PBS_NODEFILE": str(tmp_path / "nodes"),
    }
    environment = {**os.environ, **of_the_job, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def arguments(**extra: str) -> list[str]:
        done = subprocess.run(
            ["bash", ROOT / "jobs" / name],
            env={**environment, **extra},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (3, "")
        return done.stdout.splitlines()

    platform = f"configs/platforms/{SCRIPTS[name]}.toml"
    rest = ["--auto-resume", "--set", "platform.num_nodes=2"]
    assert arguments() == [
        "run", "configs/campaigns/fashion_mnist.toml", "--platform", platform, "--run-dir", "runs/fashion_mnist", *rest
    ]  # fmt: skip
    assert arguments(CONFIG="my.toml", RUN_DIR="/my runs/a") == [
        "run", "my.toml", "--platform", platform, "--run-dir", "/my runs/a", *rest
    ]  # fmt: skip

"""Job scripts: whole texts against stored ones, and each option against what its vendor says of it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.errors import ConfigurationError
from hpc_nas.platforms.job_script import job_script
from tests.unit.platforms.job_cases import CASES, LSF, PBS, SLURM, STORED, configuration, submission
from tests.unit.platforms.job_references import REFERENCES


@pytest.mark.parametrize("name", CASES)
def test_the_whole_script_is_the_stored_one(name: str) -> None:
    assert job_script(configuration(CASES[name]), submission()) == (STORED / name).read_text()


@pytest.mark.parametrize("name", CASES)
def test_bash_accepts_every_stored_script(name: str) -> None:
    subprocess.run(["bash", "-n", STORED / name], check=True)


@pytest.mark.parametrize("path", sorted(STORED.iterdir()), ids=lambda path: path.name)
def test_every_option_of_a_stored_script_has_a_reference(path: Path) -> None:
    found = re.findall(r"^#(SBATCH|BSUB|PBS) (-l \w+|--?[\w-]+)", path.read_text(), re.MULTILINE)
    assert found
    assert [(prefix, option) for prefix, option in found if option not in REFERENCES[prefix]] == []


def _with(tables: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**tables, "platform": {**tables["platform"], **changes}}


def test_an_option_of_the_platform_takes_the_place_of_the_generated_one() -> None:
    own = ["-l select=2:system=polaris", "-l place=excl", "-l filesystems=home"]
    lines = job_script(configuration(_with(PBS, directives=own)), submission()).splitlines()
    assert [line for line in lines if re.match("#PBS -l (select|place|filesystems)", line)] == [
        f"#PBS {option}" for option in own
    ]
    assert "#PBS -l walltime=00:30:00" in lines


def test_tiles_are_not_asked_for_as_gpus() -> None:
    tables = _with(PBS, gpus_per_node=12, device_variable="ZE_AFFINITY_MASK")
    assert "#PBS -l select=2:ncpus=64:mpiprocs=1\n" in job_script(configuration(tables), submission())


def test_without_walltime_and_account_the_scheduler_is_told_neither() -> None:
    script = job_script(configuration(_with(SLURM, walltime=None, account=None)), submission())
    assert "--time" not in script
    assert "--account" not in script
    assert "--signal=B:USR1@60" in script


def test_what_a_shell_would_read_as_more_than_a_word_is_quoted() -> None:
    script = job_script(
        configuration(SLURM), submission(working_dir=Path("/my files"), settings=('a.b="$(date) x"',))
    )
    assert "cd '/my files' || exit 1\n" in script
    assert "    --set 'a.b=\"$(date) x\"' 3>&- &\n" in script


@pytest.mark.parametrize("name", ["my runs", "a%j", "a'b", "$USER", "a#b", "ü", "x;touch y", "a`id`", "\\"])
@pytest.mark.parametrize(
    ("tables", "option", "number"),
    [
        (SLURM, "#SBATCH --output=/dev/null", "SLURM_JOB_ID"),
        (LSF, "#BSUB -o /dev/null", "LSB_JOBID"),
        (PBS, "#PBS -o /dev/null", "PBS_JOBID"),
    ],
)
def test_path_that_no_scheduler_line_can_hold_stands_quoted_on_a_line_of_the_shell(
    tmp_path: Path, name: str, tables: dict[str, Any], option: str, number: str
) -> None:
    job = submission(tmp_path / name / "run", command=("echo", "ran:"), working_dir=tmp_path)
    text = job_script(configuration(_with(tables, setup=[])), job)
    directives = [line for line in text.splitlines() if line.startswith("#")]
    assert option in directives
    assert not any(name in line for line in directives)
    job.jobs_dir.mkdir(parents=True)
    script = tmp_path / "job.sh"
    script.write_text(text)
    done = subprocess.run(
        ["bash", str(script)], env={**os.environ, number: "7"}, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (output,) = job.jobs_dir.iterdir()
    assert output.name.endswith("-7.out")
    assert f"--run-dir {job.run_dir} " in output.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "job.sh"])


def test_a_platform_without_a_scheduler_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'local': scheduler = 'none' takes no jobs; run it here"):
        job_script(configuration({}), submission())


def test_a_platform_whose_blocks_parsl_submits_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"placement = 'blocks' .* start it where it is to stay"):
        job_script(configuration(_with(SLURM, placement="blocks")), submission())


def test_what_jobs_write_lies_beside_the_run_directory_not_in_it() -> None:
    assert submission(Path("/runs/a")).jobs_dir == Path("/runs/a.jobs")
    assert "#SBATCH --output=/runs/a.jobs/slurm-%j.out" in job_script(
        configuration(SLURM), submission(Path("/runs/a"))
    )

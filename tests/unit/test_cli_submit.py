"""`hpc-nas submit` up to the scheduler: what it prints, writes, and refuses."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from hpc_nas.configuration import load_configuration
from hpc_nas.records.run_directory import RunDirectory
from tests.unit.cli_harness import invoke, move_apart, refusal, started_run

CAMPAIGN = '[campaign]\nname = "leaves"\n[data]\nname = "digits"\n[training]\nmax_epochs = 2\n'
PLATFORM = (
    '[platform]\nname = "here"\nscheduler = "slurm"\nnode_launcher = "srun"\ngpus_per_node = 4\n'
    "[group]\ntrainers_per_node = 4\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a campaign file, a platform file, and an sbatch that takes every job."""
    move_apart(tmp_path, monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    here = tmp_path / "here"
    (here / "campaign.toml").write_text(CAMPAIGN)
    (here / "platform.toml").write_text(PLATFORM)
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "sbatch").write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/lines\nwc -l < {tmp_path}/lines\n')
    (bin_dir / "sbatch").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(bin_dir), prepend=":")
    return here


COMMAND = ("submit", "campaign.toml", "--platform", "platform.toml")


def test_a_dry_run_prints_the_script_and_nothing_else(here: Path) -> None:
    done = invoke(
        *COMMAND, "--nodes", 4, "--walltime", "01:00:00", "--account", "m1", "--queue", "gpu",
        "--run-dir", "runs/a", "--dry-run",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "#!/bin/bash"
    for option in ("--nodes=4", "--time=01:00:00", "--account=m1", "--partition=gpu", "--gpus-per-node=4"):
        assert f"#SBATCH {option}" in lines
    assert f"    --run-dir {here}/runs/a \\" in lines
    assert "    --set platform.num_nodes=4 \\" in lines
    assert "    --set 'platform.walltime=\"01:00:00\"' \\" in lines
    assert sorted(path.name for path in here.iterdir()) == ["campaign.toml", "platform.toml"]


def test_the_scripts_own_command_line_is_one_that_run_understands(here: Path) -> None:
    done = invoke(*COMMAND, "--walltime", "01:00:00", "--account", "m1", "--dry-run")
    settings = re.findall(r"--set '?([^' \n]+)'?", done.out)
    configuration = load_configuration(
        here / "campaign.toml", platform_path=here / "platform.toml", settings=tuple(settings)
    )
    assert (configuration.platform.walltime_s, configuration.platform.account) == (3600, "m1")


def test_a_chain_writes_one_script_beside_the_run_directory_and_prints_the_jobs(here: Path) -> None:
    done = invoke(*COMMAND, "--run-dir", "runs/a", "--chain", 3)
    assert (done.code, done.err) == (0, "")
    script = here / "runs" / "a.jobs" / "job.sbatch"
    assert [line for line in done.out.splitlines() if line.startswith("job ")] == ["job 1", "job 2", "job 3"]
    assert not (here / "runs" / "a").exists()
    assert (here.parent / "lines").read_text().splitlines() == [
        f"--parsable {script}",
        f"--parsable --dependency=afterany:1 {script}",
        f"--parsable --dependency=afterany:2 {script}",
    ]


def test_a_campaign_that_lies_there_goes_on(here: Path) -> None:
    _campaign_in(here / "runs" / "a", here)
    assert invoke(*COMMAND, "--run-dir", "runs/a").code == 0


def test_a_campaign_of_another_configuration_is_refused(here: Path) -> None:
    _campaign_in(here / "runs" / "a", here)
    message = refusal(*COMMAND, "--run-dir", "runs/a", "--set", "training.max_epochs=4", tree=here)
    assert "holds another campaign than this one" in message
    assert "[training] max_epochs: 2.0 there, 4.0 now" in message


def test_a_campaign_of_another_configuration_goes_on_with_force_and_the_job_does_so_too(here: Path) -> None:
    _campaign_in(here / "runs" / "a", here)
    done = invoke(*COMMAND, "--run-dir", "runs/a", "--set", "training.max_epochs=4", "--force")
    assert (done.code, done.err) == (0, "")
    assert "    --force \\\n" in (here / "runs" / "a.jobs" / "job.sbatch").read_text()


def test_a_campaign_of_other_code_is_refused_before_it_waits_in_a_queue(here: Path) -> None:
    configuration = load_configuration(here / "campaign.toml", platform_path=here / "platform.toml")
    started_run(here / "runs" / "a", configuration)
    done = invoke(*COMMAND, "--run-dir", "runs/a")
    assert done.code == 2
    assert "holds another campaign than this one" in done.err
    assert "commit of hpc-nas: abc there, " in done.err
    assert not (here.parent / "lines").exists(), "nothing has been submitted"


def test_a_campaign_of_other_code_goes_on_with_force(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    configuration = load_configuration(here / "campaign.toml", platform_path=here / "platform.toml")
    started_run(here / "runs" / "a", configuration)
    assert invoke(*COMMAND, "--run-dir", "runs/a", "--force").code == 0
    assert "commit of hpc-nas: abc there, " in caplog.text


def test_a_platform_file_in_place_of_the_campaigns_is_refused(here: Path) -> None:
    told = "platform.toml: only [platform] and [group] in it: a platform file, where a campaign file is to be named"
    message = refusal("submit", "platform.toml", "--platform", "platform.toml", "--dry-run", tree=here)
    assert message.startswith(told)
    assert refusal("run", "platform.toml", tree=here).startswith(told)


def test_a_campaign_that_runs_is_refused(here: Path) -> None:
    directory = _campaign_in(here / "runs" / "a", here)
    with directory.lock():
        message = refusal(*COMMAND, "--run-dir", "runs/a", tree=here)
    assert "is in use by the campaign process" in message


def test_a_directory_of_something_else_is_refused(here: Path) -> None:
    (here / "runs").mkdir()
    (here / "runs" / "notes.txt").touch()
    message = refusal(*COMMAND, "--run-dir", "runs", tree=here)
    assert "runs is not empty (notes.txt) and holds no campaign; name a new or an empty directory" in message


def test_a_machine_without_the_scheduler_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(here))
    assert refusal(*COMMAND, tree=here).startswith("no sbatch on this machine, and scheduler = 'slurm'")


def test_a_platform_without_a_scheduler_is_refused(here: Path) -> None:
    (here / "platform.toml").write_text("[group]\ntrainers_per_node = 2\n")
    assert "scheduler = 'none' takes no jobs" in refusal(*COMMAND, tree=here)


def test_a_walltime_that_leaves_no_time_to_train_is_refused(here: Path) -> None:
    message = refusal(*COMMAND, "--walltime", "00:01:00", tree=here)
    assert "walltime = '00:01:00' leaves no time to train" in message


def test_data_that_can_not_be_found_are_reported_before_anything_is_submitted(here: Path) -> None:
    message = refusal(*COMMAND, "--set", "data.name=missing.npz", tree=here)
    assert "missing.npz" in message
    assert not (here.parent / "lines").exists()


def _campaign_in(run_dir: Path, here: Path) -> RunDirectory:
    configuration = load_configuration(here / "campaign.toml", platform_path=here / "platform.toml")
    directory = RunDirectory.create(run_dir)
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    directory.lock_path.touch()
    return directory


def test_a_warm_start_that_a_job_would_refuse_is_refused_before_it_queues(here: Path) -> None:
    setting = 'search.warm_start=["none.h5"]'
    message = refusal(*COMMAND, "--run-dir", "runs/a", "--set", setting, tree=here)
    assert message.startswith(f"[search] warm_start: {here}/none.h5: no such file")
    assert not (here.parent / "lines").exists()

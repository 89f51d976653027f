"""What a platform can't be is refused before anything is submitted, with what was seen and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.configuration import Configuration, load_configuration
from hpc_nas.errors import ConfigurationError

SLURM = ("platform.scheduler=slurm", "platform.node_launcher=srun")
BLOCKS = (*SLURM, "platform.placement=blocks")


def refusal(*settings: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(None, settings=settings)
    return str(caught.value).rpartition(f"{settings[-1]} ")[2]


def load(*settings: str) -> Configuration:
    return load_configuration(None, settings=settings)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "platform.scheduler=slum",
            "scheduler = 'slum' is not allowed: Input should be 'none', 'slurm', 'lsf' or 'pbs'",
        ),
        (
            "platform.node_launcher=aprun",
            "node_launcher = 'aprun' is not allowed: "
            "Input should be 'none', 'srun', 'jsrun', 'blaunch' or 'mpiexec'",
        ),
        ("platform.num_nodes=0", "num_nodes = 0 is not allowed: Input should be greater than or equal to 1"),
        ("platform.scratch=scratch", "an absolute path"),
        ("platform.scratch=~/scratch", "an absolute path"),
        ("platform.walltime=90", "Input should be a valid string"),
        ("platform.walltime=1:60:00", "not of the form HH:MM:SS, as in 01:30:00"),
        ("platform.walltime=01:30", "not of the form HH:MM:SS, as in 01:30:00"),
        ("platform.walltime=00:00:00", "no time at all"),
        ("platform.queue=debug;reboot", "one word, without blanks, quotes or $ ; & | < >"),
        ("platform.constraint=a b", 'features of nodes, as in "gpu" or "gpu&hbm80g"'),
        ('platform.directives=["exclusive"]', 'an option of the scheduler, as in "--exclusive"'),
        ('platform.directives=["--a\\n--b"]', "neither empty nor with line breaks"),
        ('platform.setup=["module load a\\nreboot"]', "neither empty nor with line breaks"),
        ('platform.environment={"A=B" = "c"}', "'A=B' can't be the name of an environment variable"),
    ],
)
def test_value_that_can_not_be_is_refused_with_what_is_allowed(setting: str, message: str) -> None:
    found = refusal(setting)
    assert found.startswith("[platform]: ")
    expected = message.replace(
        "an absolute path", "a path on the node is absolute, or begins with a $VARIABLE"
    )
    assert expected in found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ("platform.node_launcher=srun",),
            "[platform]: node_launcher = 'srun' belongs to scheduler = 'slurm', not to 'none'; use none",
        ),
        (
            ("platform.scheduler=lsf", "platform.node_launcher=mpiexec"),
            "[platform]: node_launcher = 'mpiexec' belongs to scheduler = 'pbs', not to 'lsf'; "
            "use none, jsrun, blaunch",
        ),
        (
            ("platform.num_nodes=2",),
            "[platform]: num_nodes = 2 but scheduler = 'none' is this machine alone; set scheduler, or "
            "num_nodes = 1",
        ),
        (
            ("platform.scheduler=lsf", "platform.num_nodes=2"),
            "[platform]: num_nodes = 2 but node_launcher = 'none' reaches the first node alone; "
            "use jsrun, blaunch",
        ),
        (
            ("platform.account=abc",),
            "[platform]: account = 'abc' but there is no scheduler to tell it to; set scheduler, or leave it out",
        ),
        (
            ("platform.scheduler=pbs", "platform.qos=fast"),
            "[platform]: qos = 'fast' is Slurm's alone, and scheduler = 'pbs'; say it in directives, in that "
            "scheduler's words",
        ),
        (
            (*SLURM, "platform.num_blocks=3"),
            "[platform]: num_blocks = 3 but with placement = 'script' the campaign runs inside one allocation; "
            "use num_blocks = 1, or placement = 'blocks'",
        ),
        (
            ("platform.placement=blocks",),
            "[platform]: placement = 'blocks' but scheduler = 'none' takes no jobs; set scheduler, or use "
            "placement = 'script'",
        ),
        (
            BLOCKS,
            "[platform]: placement = 'blocks' without walltime: every block is submitted with a time limit; "
            'set walltime = "HH:MM:SS"',
        ),
        (
            ("platform.walltime=00:01:00",),
            "[platform]: walltime = '00:01:00' leaves no time to train: the end takes 60 s (warn_s, drain_s) and "
            "a start with one interval 20 s at least; use 00:02:00 or more, or lower [platform] warn_s and "
            "[group] drain_s",
        ),
        (
            ("platform.cores_per_node=8", "group.trainers_per_node=4", "group.threads_per_rank=2"),
            "[group]: 1 group(s) of 4 trainers with threads_per_rank = 2, and an estimator each, take 9 cores, "
            "but the platform says cores_per_node = 8; use threads_per_rank = 1",
        ),
        (
            ("platform.cores_per_node=2", "group.groups_per_node=2", "group.trainers_per_node=1"),
            "[group]: 2 group(s) of 1 trainers with threads_per_rank = 1, and an estimator each, take 4 cores, "
            "but the platform says cores_per_node = 2; use fewer trainers_per_node or groups_per_node",
        ),
        (
            (
                "platform.gpus_per_node=4",
                "group.groups_per_node=2",
                "platform.environment.ROCR_VISIBLE_DEVICES='0'",
            ),
            "[platform]: environment sets ROCR_VISIBLE_DEVICES for every rank, but 2 groups share a node and "
            "would all train on those GPUs; leave it out: each group is shown its own",
        ),
    ],
)
def test_shape_that_can_not_be_is_refused_with_what_to_do(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(None, settings=settings)
    assert str(caught.value).endswith(message)


def test_message_blames_the_file_whose_table_is_wrong(tmp_path: Path) -> None:
    campaign, platform = tmp_path / "what.toml", tmp_path / "where.toml"
    campaign.write_text("[group]\ntrainers_per_node = 1\n")
    platform.write_text("[platform]\nnum_nodes = 2\n")
    with pytest.raises(ConfigurationError, match=r"^where\.toml \[platform\]: num_nodes = 2 but"):
        load_configuration(campaign, platform_path=platform)


def test_groups_are_counted_over_nodes_and_blocks() -> None:
    shape = ("group.groups_per_node=2", "platform.num_nodes=3", "platform.walltime=01:00:00")
    assert load("group.groups_per_node=2").num_groups == 2
    assert load(*SLURM, *shape).num_groups == 6
    assert load(*BLOCKS, *shape, "platform.num_blocks=4").num_groups == 24


def test_old_name_of_groups_per_node_is_told_the_new_one() -> None:
    assert refusal("group.num_groups=2") == (
        "[group]: unknown key 'num_groups'; did you mean 'groups_per_node'?"
    )


def test_warning_comes_half_a_minute_before_the_drain_unless_told() -> None:
    assert load("group.drain_s=7").warn_s == 37.0
    assert load("platform.warn_s=12").warn_s == 12.0


@pytest.mark.parametrize(("text", "seconds"), [("00:00:30", 30), ("1:02:03", 3723), ("100:00:00", 360000)])
def test_walltime_is_counted_in_seconds(text: str, seconds: int) -> None:
    settings = ("group.drain_s=1", "platform.warn_s=1", f"platform.walltime={text}")
    assert load(*settings).platform.walltime_s == seconds
    assert load().platform.walltime_s is None

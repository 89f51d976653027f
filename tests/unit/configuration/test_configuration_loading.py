"""Campaign and platform files, and what is said where they hold something that can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.configuration import Configuration, Mode, load_configuration, read_configuration
from hpc_nas.errors import ConfigurationError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path | None, *settings: str, platform_path: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path, platform_path=platform_path, settings=settings)
    return str(caught.value)


def test_nothing_said_is_the_default() -> None:
    assert load_configuration(None) == Configuration()


def test_files_and_settings_are_laid_over_each_other(tmp_path: Path) -> None:
    campaign = write(
        tmp_path / "fashion.toml",
        '[campaign]\nname = "fashion"\nseed = 3\n[training]\nmax_epochs = 10\n'
        '[space]\nname = "random-cnn"\nmax_filters = 8\n[group]\ntrainers_per_node = 3\nprefetch = 1\n',
    )
    platform = write(tmp_path / "node.toml", '[platform]\nname = "node"\n[group]\ntrainers_per_node = 4\n')
    configuration = load_configuration(
        campaign, platform_path=platform, settings=("campaign.seed=5", "estimator.mode=observe")
    )
    assert (configuration.campaign.name, configuration.campaign.seed) == ("fashion", 5)
    assert configuration.space.options == {"max_filters": 8}
    assert (configuration.group.trainers_per_node, configuration.group.prefetch) == (4, 1)
    assert configuration.platform.name == "node"
    assert configuration.estimator.mode is Mode.OBSERVE
    assert configuration.world_size == 5
    assert configuration.max_epochs == 10.0
    assert type(configuration.training.max_epochs) is float


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[training]\nmax_epoch = 3\n",
            "c.toml [training]: unknown key 'max_epoch'; did you mean 'max_epochs'?",
        ),
        ("[trainig]\n", "c.toml: unknown table [trainig]; did you mean 'training'?"),
        ("seed = 1\n", "c.toml: unknown table [seed]"),
        ("training = 3\n", "c.toml: training must be a table, written [training]"),
        (
            '[campaign]\nseed = "one"\n',
            "c.toml [campaign]: seed = 'one' is not allowed: Input should be a valid integer",
        ),
        (
            "[campaign]\nseed = true\n",
            "c.toml [campaign]: seed = True is not allowed: Input should be a valid integer",
        ),
        (
            "[campaign]\nnum_candidates = 0\n",
            "c.toml [campaign]: num_candidates = 0 is not allowed: "
            "Input should be greater than or equal to 1",
        ),
        (
            "[data]\nvalidation_fraction = 1\n",
            "c.toml [data]: validation_fraction = 1.0 is not allowed: Input should be less than 1",
        ),
        (
            '[training]\nschedule = "cosin"\n',
            "c.toml [training]: schedule = 'cosin' is not allowed: "
            "Input should be 'constant', 'linear', 'cosine' or 'step'",
        ),
        ("[training]\nmax_epochs = inf\n", "c.toml [training]: max_epochs = inf is not allowed: "),
        ("[training]\nlearning_rate = inf\n", "c.toml [training]: learning_rate = inf is not allowed: "),
        ("[training]\nlearning_rate = nan\n", "c.toml [training]: learning_rate = nan is not allowed: "),
        (
            "[training]\nepochs_per_interval = 1e-310\n",
            "c.toml [training]: epochs_per_interval = 1e-310 is not allowed: ",
        ),
        (
            '[estimator]\nmode = "watch"\n',
            "c.toml [estimator]: mode = 'watch' is not allowed: Input should be 'stop' or 'observe'",
        ),
        ("[platform]\naddresses = [1]\n", "c.toml [platform]: addresses.0 = 1 is not allowed: "),
        (
            '[platform]\naddresses = ["10.0.0.1", "nonsense with spaces"]\n',
            "c.toml [platform]: addresses.1 = 'nonsense with spaces' is not allowed: "
            "neither an IPv4 address nor a host name",
        ),
        (
            '[platform]\naddresses = [""]\n',
            "c.toml [platform]: addresses.0 = '' is not allowed: neither an IP",
        ),
        (
            '[platform]\naddresses = ["fe80::1"]\n',
            "c.toml [platform]: addresses.0 = 'fe80::1' is not allowed: neither an IPv4 address nor a host name",
        ),
        (
            '[platform]\naddresses = ["10.0.0.256"]\n',
            "c.toml [platform]: addresses.0 = '10.0.0.256' is not allowed: neither an IP",
        ),
        (
            '[platform]\naddresses = ["tcp://10.0.0.1:5"]\n',
            "c.toml [platform]: addresses.0 = 'tcp://10.0.0.1:5' is not allowed: neither an IP",
        ),
        (
            "[space]\nmax_filters = [8, 16]\n",
            "c.toml [space]: max_filters = [8, 16] is not allowed: "
            "an option is true or false, a number, or a text; no date, list or table",
        ),
        (
            "[search.population]\nsize = 3\n",
            "c.toml [search]: population = {'size': 3} is not allowed: an opt",
        ),
        (
            "[search]\nbegin = 2024-01-01\n",
            "c.toml [search]: begin = datetime.date(2024, 1, 1) is not allowed: an option is",
        ),
        (
            "[group]\norphan_grace_s = 5.9\n",
            "c.toml [group]: orphan_grace_s = 5.9 is not allowed: Input should be greater than or equal to 6",
        ),
        ("[training\n", "c.toml: not valid TOML: "),
    ],
)
def test_message_names_file_table_key_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    message = refusal(write(tmp_path / "c.toml", text))
    assert message.removeprefix(f"{tmp_path}/").startswith(expected)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", "[campaign]\nsed = 1\n[training]\nmax_epochs = -1\nbatch_size = 0\n")
    lines = refusal(path).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "c.toml [campaign]",
        "c.toml [training]",
        "c.toml [training]",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("epochs_per_interval = 0.3", "use 0.25, 0.5, 1, 2, ..."),
        ("epochs_per_interval = 1.5", "use 0.25, 0.5, 1, 2, ..."),
        ("epochs_per_interval = 0.5\nmax_epochs = 10.25", "is not a whole number of intervals of 0.5 epochs"),
        ("epochs_per_interval = 4\nmax_epochs = 10", "use 8"),
        ("epochs_per_interval = 4\nmax_epochs = 2", "use 4"),
    ],
)
def test_intervals_must_divide_the_budget(tmp_path: Path, text: str, hint: str) -> None:
    message = refusal(write(tmp_path / "c.toml", f"[training]\n{text}\n"))
    assert message.startswith("c.toml [training]: ")
    assert hint in message


@pytest.mark.parametrize("text", ["epochs_per_interval = 0.1", "epochs_per_interval = 3\nmax_epochs = 9"])
def test_intervals_that_divide_are_taken(tmp_path: Path, text: str) -> None:
    load_configuration(write(tmp_path / "c.toml", f"[training]\n{text}\n"))


def test_trainers_must_find_a_gpu_each(tmp_path: Path) -> None:
    campaign = write(tmp_path / "c.toml", "[campaign]\nseed = 1\n")
    platform = write(
        tmp_path / "node.toml", "[platform]\ngpus_per_node = 6\n[group]\ntrainers_per_node = 7\n"
    )
    assert refusal(campaign, platform_path=platform) == (
        "node.toml [group]: 1 group(s) of trainers_per_node = 7 but the platform has 6 GPUs per node and "
        "gpu_share = 1; use trainers_per_node = 6, or gpu_share = 2"
    )
    load_configuration(campaign, platform_path=platform, settings=("group.gpu_share=2",))
    load_configuration(campaign, platform_path=platform, settings=("group.trainers_per_node=6",))


@pytest.mark.parametrize(
    ("groups", "trainers", "share", "advice"),
    [
        (2, 4, 1, "use trainers_per_node = 3, or gpu_share = 2"),
        (4, 3, 2, "use trainers_per_node = 2, or gpu_share = 3"),  # 12 trainers fit 6 GPUs, 4 groups do not
        (7, 1, 4, "each group needs a GPU of its own: use groups_per_node = 6 at most"),
    ],
)
def test_groups_share_no_gpu(groups: int, trainers: int, share: int, advice: str) -> None:
    settings = (
        f"group.groups_per_node={groups}",
        f"group.trainers_per_node={trainers}",
        f"group.gpu_share={share}",
        "platform.gpus_per_node=6",
    )
    message = refusal(None, *settings)
    assert message == (
        f"--set {settings[0]} [group]: {groups} group(s) of trainers_per_node = {trainers} but the platform has "
        f"6 GPUs per node and gpu_share = {share}; {advice}"
    )


@pytest.mark.parametrize(("groups", "trainers", "share"), [(2, 3, 1), (3, 3, 2), (6, 4, 4), (1, 12, 2)])
def test_groups_that_have_their_own_gpus_are_taken(groups: int, trainers: int, share: int) -> None:
    configuration = load_configuration(
        None,
        settings=(
            "platform.gpus_per_node=6",
            f"group.groups_per_node={groups}",
            f"group.trainers_per_node={trainers}",
            f"group.gpu_share={share}",
        ),
    )
    assert groups * configuration.group.gpus_per_group <= 6


def test_stored_configuration_is_read_back(tmp_path: Path) -> None:
    configuration = load_configuration(None, settings=("campaign.seed=5", "search.alpha=inf"))
    path = write(tmp_path / "configuration.json", configuration.model_dump_json(indent=2))
    assert read_configuration(path) == configuration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "configuration: Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (
            '{"campaign": {"name": "dig',
            "configuration: Invalid JSON: EOF while parsing a string at line 1 column 26",
        ),
        ("[]", "configuration: Input should be an object"),
        ('{"campaign": {"sed": 1}}', "configuration [campaign]: unknown key 'sed'; did you mean 'seed'?"),
        (
            '{"campaign": {"seed": -1}}',
            "configuration [campaign]: seed = -1 is not allowed: Input should be greater than or equal to 0; "
            "expected a whole number, 0 to 18446744073709551615",
        ),
        (
            '{"platform": {"gpus_per_node": 1}}',
            "configuration [group]: 1 group(s) of trainers_per_node = 2 but the platform has 1 GPUs per node "
            "and gpu_share = 1; use trainers_per_node = 1, or gpu_share = 2",
        ),
    ],
)
def test_stored_configuration_that_is_cut_or_invalid_is_named(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = write(tmp_path / "configuration.json", text)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(path)
    assert str(caught.value) == f"{path}: not a configuration of this version:\n  {expected}"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_stored_configuration_that_cant_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "configuration.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(path)
    assert str(caught.value).startswith(f"{path}: can't be read: ")


def test_mistake_of_a_setting_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    campaign = write(tmp_path / "c.toml", "[training]\nmax_epochs = 10\n")
    assert refusal(campaign, "training.batch_size=0").startswith(
        "--set training.batch_size=0 [training]: batch_size = 0 is not allowed"
    )


def test_platform_file_holds_platform_tables_only(tmp_path: Path) -> None:
    platform = write(tmp_path / "node.toml", "[training]\nmax_epochs = 3\n")
    assert (
        refusal(None, platform_path=platform)
        == "node.toml: [training] in it: a campaign file, where a platform file is to be named; it says where "
        "([platform], [group]); see configs/platforms/local.toml"
    )


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, lambda path: path.write_bytes(b"\xff\xfe")])
def test_file_that_cant_be_read_is_named(tmp_path: Path, make: object) -> None:
    path = tmp_path / "c.toml"
    assert callable(make)
    make(path)
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert any(what in message for what in ("no such file", "a directory", "no text in UTF-8"))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("data.data_dir=images", "{here}/images"),
        ("data.name=mine.npz", "{here}/mine.npz"),
        ("data.name=mine.h5", "{here}/mine.h5"),
        ("data.name=mine.hdf5", "{here}/mine.hdf5"),
        ("data.name=digits", "digits"),
        ("space.name=mine.py:space", "{here}/mine.py:space"),
        ("space.name=random-cnn", "random-cnn"),
        ("data.name=/abs/mine.npz", "/abs/mine.npz"),
        ("estimator.preset=mine.py:rule", "{here}/mine.py:rule"),
        ("estimator.preset=mine.py:rule:top=0.2,words=a", "{here}/mine.py:rule:top=0.2,words=a"),
        ("estimator.preset=any(peng4nn, mine.py:rule)", "any(peng4nn, {here}/mine.py:rule)"),
        ("estimator.preset=after(4, ../a b/mine.py:rule)", "after(4, {here}/../a b/mine.py:rule)"),
        ("estimator.preset=/abs/mine.py:rule", "/abs/mine.py:rule"),
        ("estimator.preset=peng4nn:window=4, tolerance=1", "peng4nn:window=4, tolerance=1"),
    ],
)
def test_relative_paths_begin_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, expected: str
) -> None:
    """Ranks run elsewhere, so paths are absolute from here on; names are left as they are."""
    monkeypatch.chdir(tmp_path)
    configuration = load_configuration(None, settings=(setting,))
    table, _, key = setting.partition("=")[0].partition(".")
    found = getattr(getattr(configuration, table), key)
    assert found == expected.format(here=tmp_path)


def test_a_directory_of_any_name_may_hold_a_rule_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "runs (new), lr=0.1"
    here.mkdir()
    monkeypatch.chdir(here)
    configuration = load_configuration(None, settings=("estimator.preset=any(mine.py:rule:top=2, median)",))
    assert configuration.estimator.preset == f'any("{here}/mine.py:rule":top=2, median)'


def test_text_that_names_a_file_and_says_nothing_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^\[estimator\]: preset 'any\(mine.py:rule': expected ',' or '\)'"
    ):
        load_configuration(None, settings=("estimator.preset=any(mine.py:rule",))


def test_records_to_begin_with_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    names = '["runs/a", "/abs/campaign.h5", "~/b"]'
    configuration = load_configuration(None, settings=(f"search.warm_start={names}",))
    assert configuration.search.warm_start == (f"{tmp_path}/runs/a", "/abs/campaign.h5", "/home/me/b")
    with pytest.raises(ConfigurationError, match=r"\[search\]: warm_start = 'runs/a' is not allowed"):
        load_configuration(None, settings=("search.warm_start=runs/a",))


def test_home_directory_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    configuration = load_configuration(None, settings=("data.data_dir=~/images",))
    assert configuration.data.data_dir == f"{tmp_path}/images"

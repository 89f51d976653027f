"""Paths as users write them are written out, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpc_nas.configuration import SpaceSection, load_configuration
from hpc_nas.errors import ConfigurationError, SpaceError
from hpc_nas.spaces.registry import load_space
from hpc_nas.tasks.cache import data_cache_dir


@pytest.mark.parametrize("written", ["$HERE/x.npz", "${HERE}/x.npz", "$HERE/${PART}.NPZ"])
def test_variables_are_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setenv("PART", "x")
    name = load_configuration(None, settings=(f"data.name={written!r}",)).data.name
    assert name.lower() == str(tmp_path / "x.npz").lower()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.name", "'{}/x.npz'"),
        ("data.data_dir", "'{}'"),
        ("space.name", "'{}/s.py:f'"),
        ("search.warm_start", "['{}/r']"),
    ],
)
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("$NOT_SET_HERE", "the environment variable NOT_SET_HERE is not set"),
        ("${NOT_SET_HERE}", "the environment variable NOT_SET_HERE is not set"),
        ("~nobody-of-that-name", "this machine knows no user 'nobody-of-that-name'"),
    ],
)
def test_what_can_t_be_written_out_is_named(key: str, value: str, written: str, expected: str) -> None:
    table, _, name = key.partition(".")
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(None, settings=(f"{key}={value.format(written)}",))
    assert str(caught.value).startswith(f"[{table}]: {name} = ")
    assert expected in str(caught.value)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf[campaign]\nseed = 7\n")
    assert load_configuration(path).campaign.seed == 7


def test_other_places_where_paths_are_given_say_it_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpaceError, match="knows no user 'nobody-of-that-name'"):
        load_space(SpaceSection(name="~nobody-of-that-name/space.py:f"))
    monkeypatch.setenv("HPC_NAS_CACHE", "~nobody-of-that-name/cache")
    with pytest.raises(ConfigurationError, match=r"HPC_NAS_CACHE = .*knows no user"):
        data_cache_dir()

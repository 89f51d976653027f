"""Read campaign and platform files, apply `--set`, and say clearly what is wrong with them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hpc_nas.configuration.nearest import nearest
from hpc_nas.configuration.pairs import with_preset_of_pair
from hpc_nas.configuration.paths import expand_path
from hpc_nas.configuration.ranges import range_of
from hpc_nas.configuration.schema import Configuration
from hpc_nas.errors import ConfigurationError

CAMPAIGN_TABLES = (
    "campaign",
    "data",
    "space",
    "search",
    "constraints",
    "training",
    "estimator",
    "checkpoints",
    "finalists",
)
PLATFORM_TABLES = ("platform", "group")

RENAMED = {("group", "num_groups"): "groups_per_node"}  # keys that do not exist, and what is meant by them

_Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """One of the two kinds of files: the tables that it may have, and where there are some to look at."""

    name: str
    tables: tuple[str, ...]
    example: str


_CAMPAIGN_FILE = _Kind(
    name="campaign", tables=CAMPAIGN_TABLES + PLATFORM_TABLES, example="configs/campaigns/digits.toml"
)
_PLATFORM_FILE = _Kind(name="platform", tables=PLATFORM_TABLES, example="configs/platforms/local.toml")


def load_configuration(
    campaign_path: Path | None, *, platform_path: Path | None = None, settings: tuple[str, ...] = ()
) -> Configuration:
    """The validated configuration from a campaign file, a platform file and `table.key=value` settings.

    Without a platform file the platform tables of the campaign file, if any, and the local defaults hold.
    Raises ConfigurationError, with the file, the table, the key, what was seen and what is allowed.
    """
    tables: _Tables = {}
    origin: dict[str, str] = {}
    for path, kind in ((campaign_path, _CAMPAIGN_FILE), (platform_path, _PLATFORM_FILE)):
        if path is None:
            continue
        for name, table in _read_toml(path, kind).items():
            tables.setdefault(name, {}).update(table)
            origin[name] = path.name
            origin.update({f"{name}.{key}": path.name for key in table})
    for setting in settings:
        keys, value = parse_setting(setting)
        if keys[0] not in CAMPAIGN_TABLES + PLATFORM_TABLES:
            raise ConfigurationError(
                f"--set {setting}: unknown table {keys[0]!r}{nearest(keys[0], CAMPAIGN_TABLES + PLATFORM_TABLES)}"
            )
        node: dict[str, Any] = tables.setdefault(keys[0], {})
        for key in keys[1:-1]:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                raise ConfigurationError(f"--set {setting}: {key!r} holds a value, not a table")
            node = child
        node[keys[-1]] = value
        origin[".".join(keys[:2])] = f"--set {setting}"
        origin.setdefault(keys[0], f"--set {setting}")
    _resolve_paths(tables)
    return validate_tables(tables, origin=origin)


def read_configuration(path: Path) -> Configuration:
    """The resolved configuration of a campaign, from its run directory.

    Raises ConfigurationError for a file that is missing, cut, or not a configuration of this version.
    """
    try:
        return Configuration.model_validate_json(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: can't be read: {error}; restore it from a copy") from error
    except ValidationError as error:
        lines = "\n  ".join(_explain(error, {}))
        raise ConfigurationError(f"{path}: not a configuration of this version:\n  {lines}") from None


def validate_tables(tables: _Tables, *, origin: dict[str, str]) -> Configuration:
    """Tables as read -> Configuration; `origin` names the file that each table, or `table.key`, came from."""
    try:
        return Configuration.model_validate(_widen_numbers(with_preset_of_pair(tables)))
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(error, origin))) from None


def parse_setting(text: str) -> tuple[list[str], Any]:
    """`table.key=value` -> (["table", "key"], value); the value is TOML, a bare word is a string."""
    name, equals, raw = text.partition("=")
    keys = [key.strip() for key in name.split(".")]
    if not equals or len(keys) < 2 or not all(keys):
        raise ConfigurationError(f"--set {text}: not of the form table.key=value")
    try:
        return keys, tomllib.loads(f"value = {raw.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return keys, raw.strip()


def _read_toml(path: Path, kind: _Kind) -> _Tables:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: a directory; {_name_one(kind)}{_go_on(path, kind)}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path}: no text in UTF-8, so no {kind.name} file; {_name_one(kind)}"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}; {_name_one(kind)}") from error
    for name, table in content.items():
        if name not in kind.tables:
            if name in CAMPAIGN_TABLES:
                raise ConfigurationError(
                    f"{path.name}: [{name}] in it: a campaign file, where a platform file is to be named; it says "
                    f"where ({', '.join(f'[{each}]' for each in kind.tables)}); see {kind.example}"
                )
            raise ConfigurationError(f"{path.name}: unknown table [{name}]{nearest(name, kind.tables)}")
        if not isinstance(table, dict):
            raise ConfigurationError(f"{path.name}: {name} must be a table, written [{name}]")
    if not any(content.values()):
        raise ConfigurationError(
            f"{path}: says nothing; a {kind.name} file has at least one setting, see {kind.example}"
        )
    return content


def _name_one(kind: _Kind) -> str:
    return f"name a {kind.name} file (TOML), such as {kind.example}"


def _go_on(path: Path, kind: _Kind) -> str:
    """Who names a run directory wants its campaign to go on."""
    known = kind is _CAMPAIGN_FILE and (path / "configuration.json").exists()
    return f"; its campaign goes on with: hpc-nas run --resume --run-dir {path}" if known else ""


def _resolve_paths(tables: _Tables) -> None:
    """Relative paths are relative to the working directory; make them absolute, since ranks may have another."""
    for table, key in (("data", "data_dir"), ("data", "name"), ("space", "name")):
        value = tables.get(table, {}).get(key)
        if isinstance(value, str) and (key == "data_dir" or _is_path(value)):
            location, colon, function = value.partition(":")
            tables[table][key] = expand_path(location, where=f"[{table}]: {key}") + colon + function
    _resolve_preset(tables.get("estimator", {}))
    section = tables.get("search", {})
    if isinstance(names := section.get("warm_start"), list) and all(isinstance(name, str) for name in names):
        section["warm_start"] = [expand_path(name, where="[search]: warm_start") for name in names]


def _resolve_preset(section: dict[str, Any]) -> None:
    """The same for files of a user's own rules, which may be members of combinations."""
    if isinstance(text := section.get("preset"), str) and ".py:" in text:
        from estimator.preset_library.expression import with_absolute_paths  # loads SciPy

        try:
            section["preset"] = with_absolute_paths(text)
        except ValueError as error:
            raise ConfigurationError(f"[estimator]: {error}") from error


def _is_path(value: str) -> bool:
    return (
        "/" in value
        or value.startswith(("~", "$"))
        or ".py:" in value
        or value.lower().endswith((".npz", ".h5", ".hdf5", ".txt"))
    )


def _widen_numbers(node: Any, model: type[BaseModel] = Configuration) -> Any:
    """TOML writes 20 where the schema says float; strict validation wants 20.0."""
    if not isinstance(node, dict):
        return node
    widened = dict(node)
    for key, value in node.items():
        field = model.model_fields.get(key)
        if field is None:
            continue
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            widened[key] = _widen_numbers(value, annotation)
        elif type(value) is int and annotation in (float, float | None):
            widened[key] = float(value)
    return widened


def _explain(error: ValidationError, origin: dict[str, str]) -> list[str]:
    lines = []
    for item in error.errors():
        location = [str(part) for part in item["loc"]]
        table = location[0] if location else ""
        source = origin.get(".".join(location[:2]), origin.get(table or "group", "configuration"))
        where = f"{source} [{table}]: " if table else ""
        key = ".".join(location[1:])
        if item["type"] == "extra_forbidden":
            known = _keys_of(location[:-1])
            now = RENAMED.get((table, key))
            advice = f"; did you mean {now!r}?" if now else nearest(location[-1], known)
            lines.append(f"{where}unknown key {location[-1]!r}{advice}")
        elif item["type"] == "value_error":
            message = str(item["ctx"]["error"])
            if key:
                message = f"{key} = {item['input']!r} is not allowed: {message}"
            named = message[1:].partition("]")[0]  # the whole's messages begin with the table to blame
            lines.append(f"{where}{message}" if table else f"{origin.get(named, source)} {message}")
        elif not table:
            lines.append(f"{source}: {item['msg']}")
        else:
            lines.append(f"{where}{key} = {item['input']!r} is not allowed: {item['msg']}{_range(location)}")
    return lines


def _range(location: list[str]) -> str:
    """The rest of a message about a number."""
    model: Any = Configuration
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field is not None else None
    field = getattr(model, "model_fields", {}).get(location[-1])
    wanted = range_of(field.annotation, field.metadata) if field is not None else None
    return f"; expected {wanted}" if wanted else ""


def _keys_of(location: list[str]) -> tuple[str, ...]:
    model: Any = Configuration
    for part in location:
        model = model.model_fields[part].annotation
    return tuple(model.model_fields)

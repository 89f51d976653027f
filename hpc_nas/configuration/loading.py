"""Read campaign and platform files, apply `--set`, and say clearly what is wrong with them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hpc_nas.configuration.nearest import nearest
from hpc_nas.configuration.pairs import with_preset_of_pair
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

RENAMED = {("group", "num_groups"): "groups_per_node"}  # keys of earlier versions

_Tables = dict[str, dict[str, Any]]


def load_configuration(
    campaign_path: Path | None, *, platform_path: Path | None = None, settings: tuple[str, ...] = ()
) -> Configuration:
    """The validated configuration from a campaign file, a platform file and `table.key=value` settings.

    Without a platform file the platform tables of the campaign file, if any, and the local defaults hold.
    Raises ConfigurationError, with the file, the table, the key, what was seen and what is allowed.
    """
    tables: _Tables = {}
    origin: dict[str, str] = {}
    for path, allowed in (
        (campaign_path, CAMPAIGN_TABLES + PLATFORM_TABLES),
        (platform_path, PLATFORM_TABLES),
    ):
        if path is None:
            continue
        for name, table in _read_toml(path, allowed).items():
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
    """The resolved configuration of a campaign, from its run directory; keys of earlier versions are known.

    Raises ConfigurationError for a file that is missing, cut, or not a configuration of this version.
    """
    try:
        return Configuration.model_validate_json(_with_names_of_today(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: can't be read: {error}; restore it from a copy") from error
    except ValidationError as error:
        lines = "\n  ".join(_explain(error, {}))
        raise ConfigurationError(f"{path}: not a configuration of this version:\n  {lines}") from None


def _with_names_of_today(text: str) -> str:
    try:
        tables = json.loads(text)
    except ValueError:
        return text  # the schema says what is wrong with it
    renamed = False
    for (table, old), new in RENAMED.items():
        section = tables.get(table) if isinstance(tables, dict) else None
        if isinstance(section, dict) and old in section and new not in section:
            section[new] = section.pop(old)
            renamed = True
    return json.dumps(tables) if renamed else text


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


def _read_toml(path: Path, allowed: tuple[str, ...]) -> _Tables:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: can't be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    for name, table in content.items():
        if name not in allowed:
            raise ConfigurationError(f"{path.name}: unknown table [{name}]{nearest(name, allowed)}")
        if not isinstance(table, dict):
            raise ConfigurationError(f"{path.name}: {name} must be a table, written [{name}]")
    return content


def _resolve_paths(tables: _Tables) -> None:
    """Relative paths are relative to the working directory; make them absolute, since ranks may have another."""
    for table, key in (("data", "data_dir"), ("data", "name"), ("space", "name")):
        value = tables.get(table, {}).get(key)
        if isinstance(value, str) and (key == "data_dir" or _is_path(value)):
            location, colon, function = value.partition(":")
            tables[table][key] = str(Path(location).expanduser().absolute()) + colon + function
    _resolve_preset(tables.get("estimator", {}))
    section = tables.get("search", {})
    if isinstance(names := section.get("warm_start"), list) and all(isinstance(name, str) for name in names):
        section["warm_start"] = [str(Path(name).expanduser().absolute()) for name in names]


def _resolve_preset(section: dict[str, Any]) -> None:
    """The same for files of a user's own rules, which may be members of combinations."""
    if isinstance(text := section.get("preset"), str) and ".py:" in text:
        from estimator.preset_library.expression import with_absolute_paths  # loads SciPy

        try:
            section["preset"] = with_absolute_paths(text)
        except ValueError as error:
            raise ConfigurationError(f"[estimator]: {error}") from error


def _is_path(value: str) -> bool:
    return "/" in value or ".py:" in value or value.endswith((".npz", ".h5", ".hdf5", ".txt"))


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
            lines.append(f"{where}{key} = {item['input']!r} is not allowed: {item['msg']}")
    return lines


def _keys_of(location: list[str]) -> tuple[str, ...]:
    model: Any = Configuration
    for part in location:
        model = model.model_fields[part].annotation
    return tuple(model.model_fields)

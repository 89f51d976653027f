"""Names: those that others may build on, and those that this source must never use."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import estimator
import hpc_nas

ROOTS = (Path(hpc_nas.__file__).parent, Path(estimator.__file__).parent)
SOURCES = sorted(path for root in ROOTS for path in root.rglob("*.py"))

PUBLIC = {
    "estimator": {
        *("Action", "Curve", "Decision", "Engine", "Estimate", "Forecast", "InvalidObservation", "Preset"),
        *("Described", "Ended", "Event", "History", "Member", "MirroredHistory", "Observed", "Population"),
        *("Promotion", "Reason", "Resumed", "Source", "Standing", "preset", "presets"),
        *("RULE_REASONS", "Forecaster", "Forecasts", "Rule", "Training", "go", "pause", "stop"),
    },
    "hpc_nas.configuration": {
        *("CampaignSection", "Configuration", "ConstraintsSection", "DataSection", "DeviceVariable"),
        *("EstimatorSection", "FinalistsSection", "GroupSection", "Mode", "NodeLauncher", "Placement"),
        *("PlatformSection", "RankLauncher", "Scheduler", "SearchSection", "SpaceSection", "TrainingSection"),
        *("load_configuration", "parse_setting", "parse_walltime", "read_configuration"),
    },
    "hpc_nas.errors": {
        *("ConfigurationError", "DataError", "HpcNasError", "LaunchError", "RecordError"),
        *("RunDirectoryError", "SpaceError", "TrainingError"),
    },
    "hpc_nas.records.archive": {
        *("CampaignRecord", "assemble", "load_record", "read_archive", "write_archive"),
    },
    "hpc_nas.records.row_file": {"RowFileReader", "RowFileWriter"},
    "hpc_nas.search": {"SearchContext", "Strategy", "Supply", "make_strategy"},
    "hpc_nas.spaces": {"Problem", "Recipe", "TextProblem"},
    "hpc_nas.values": {
        *("FINAL_STATES", "REASONS", "Candidate", "Observation", "Outcome", "Reason", "State"),
    },
}
"""What user code and analysis scripts may import; a change here is a change for them, and for CHANGELOG.md."""

MODULES_THAT_EXECUTE_DATA = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "marshal",
    "shelve",
    "joblib",
}
FORBIDDEN_BUILTINS = {"eval", "exec"}


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_public_names_are_these(module: str) -> None:
    imported = importlib.import_module(module)
    assert set(imported.__all__) == PUBLIC[module]
    assert len(imported.__all__) == len(PUBLIC[module])
    for name in PUBLIC[module]:
        assert hasattr(imported, name)


def violations(source: str) -> list[str]:
    """Every way in this source to turn data into running code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            modules = []
        found += [name for name in modules if set(name.split(".")) & MODULES_THAT_EXECUTE_DATA]
        if isinstance(node, ast.Call):
            found += _violations_of_call(node)
    return found


def _violations_of_call(node: ast.Call) -> list[str]:
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if name in FORBIDDEN_BUILTINS:
        return [name]
    if last == "load" and name.startswith("torch") and keywords.get("weights_only") != "True":
        return [f"{name} without weights_only=True"]
    if keywords.get("allow_pickle", "False") != "False":
        return [f"{name} with allow_pickle"]
    if keywords.get("weights_only", "True") != "True":
        return [f"{name} with weights_only={keywords['weights_only']}"]
    if last in {"send_pyobj", "recv_pyobj"}:
        return [name]
    if keywords.get("shell", "False") != "False" or name in {"os.system", "os.popen"}:
        return [f"{name} through a shell"]
    return []


def test_data_never_becomes_code() -> None:
    found = {str(path): violations(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: what for path, what in found.items() if what} == {}
    assert len(found) > 50


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "from torch.utils import pickle",
        "import joblib.numpy_pickle",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.jit.load(path)",
        "load(path, weights_only=flag)",
        "np.load(path, allow_pickle=True)",
        "socket.recv_pyobj()",
        "eval(text)",
        "exec(text)",
        "subprocess.run(line, shell=True)",
        "os.system(line)",
    ],
)
def test_check_itself_finds_what_it_looks_for(source: str) -> None:
    assert violations(source) != []


def test_check_itself_lets_safe_calls_through() -> None:
    safe = (
        "import json\ntorch.load(path, weights_only=True)\nnp.load(path, allow_pickle=False)\n"
        "spec.loader.exec_module(module)\nnetwork.eval()\njson.load(file)"
    )
    assert violations(safe) == []

"""Does torch see the GPUs that the platform speaks of? The doctor tells, and `run` refuses, by one check."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

from hpc_nas.configuration import Configuration, NodeLauncher, Placement
from hpc_nas.errors import LaunchError
from hpc_nas.interpreter import python_line
from hpc_nas.platforms.cluster_checks import is_elsewhere
from hpc_nas.platforms.finding import Finding

TIMEOUT_S = 120.0
_ASK_TORCH = (
    "import json, torch; n = torch.cuda.device_count(); print(json.dumps({'version': torch.__version__, "
    "'gpus': [torch.cuda.get_device_name(i) for i in range(n)]}))"
)


def check_gpus(configuration: Configuration, *, environment: Mapping[str, str]) -> None:
    """Raises LaunchError where groups would start on this machine and torch sees too few GPUs for them here."""
    platform = configuration.platform
    starts_here = platform.placement == Placement.SCRIPT and platform.node_launcher == NodeLauncher.NONE
    if platform.gpus_per_node == 0 or not starts_here:
        return
    finding = find_gpus(configuration, environment=environment)
    if finding.failed:
        raise LaunchError(
            f"{finding.detail}; {finding.advice}, or name another --platform (configs/platforms/local.toml trains on "
            "the CPU)"
        )


def find_gpus(configuration: Configuration, *, environment: Mapping[str, str]) -> Finding:
    """What torch sees here, against what the platform says and what its groups need."""
    wanted = configuration.platform.gpus_per_node
    needed = configuration.group.groups_per_node * configuration.group.gpus_per_group if wanted else 0
    try:
        done = subprocess.run(
            python_line("-c", _ASK_TORCH),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        detail = f"torch did not say within {TIMEOUT_S:g} s which GPUs it sees"
        return Finding(name="GPUs", status="FAIL", detail=detail, advice="look whether the driver answers")
    if done.returncode != 0:
        detail = "torch can't be imported: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding(name="GPUs", status="FAIL", detail=detail, advice="reinstall torch for this machine")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    gpus = answer["gpus"]
    detail = f"torch {answer['version']} sees {len(gpus)} GPU(s)" + (f": {', '.join(gpus)}" if gpus else "")
    if wanted and is_elsewhere(configuration, environment=environment):
        return Finding(
            name="GPUs", status="OK", detail=f"{detail} here; the nodes' {wanted} are seen in a job alone"
        )
    if len(gpus) < wanted:
        variable = configuration.platform.device_variable
        set_to = f" ({environment[variable]!r})" if variable in environment else ""
        advice = f"check the driver, {variable}{set_to} and torch's build, or lower [platform] gpus_per_node"
        return Finding(
            name="GPUs",
            status="FAIL" if len(gpus) < needed else "WARN",
            detail=f"{detail}; the platform says {wanted}",
            advice=advice,
        )
    if gpus and wanted == 0:
        advice = "set [platform] gpus_per_node to use them (configs/platforms/one_gpu.toml)"
        return Finding(
            name="GPUs", status="WARN", detail=f"{detail}; the platform trains on the CPU", advice=advice
        )
    return Finding(name="GPUs", status="OK", detail=detail + ("" if wanted else "; training on the CPU"))

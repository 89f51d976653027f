"""Which GPUs are a worker group's: its slice of what the scheduler granted on this node, and the variable for it.

Parsl's own binding (`available_accelerators`) is not used: it writes CUDA_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES and
ZE_AFFINITY_MASK all at once, from names known where the campaign runs. On ROCm that hides GPUs: HIP counts
CUDA_VISIBLE_DEVICES within what ROCR_VISIBLE_DEVICES leaves, so `2,3` in both leaves none. And what was granted is
known on the node alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from hpc_nas.configuration import Configuration, DeviceVariable
from hpc_nas.errors import LaunchError

SLOT_VARIABLE = "PARSL_WORKER_RANK"  # set by Parsl: the worker of this node, and with it the group's slice

_DEVICE = re.compile(r"\d+(\.\d+)*|(GPU|MIG)-.+")  # a number, a tile (0.1), a UUID or the beginning of one

# Where a grant may stand, best first. HIP takes CUDA_VISIBLE_DEVICES for its own (ROCm documentation, "GPU isolation
# techniques"); without ROCR_VISIBLE_DEVICES all of them count the same devices.
_GRANTED_BY = {
    DeviceVariable.CUDA: (DeviceVariable.CUDA,),
    DeviceVariable.HIP: (DeviceVariable.HIP, DeviceVariable.CUDA),
    DeviceVariable.ROCR: (DeviceVariable.ROCR, DeviceVariable.HIP, DeviceVariable.CUDA),
    DeviceVariable.ZE: (DeviceVariable.ZE,),
}
# What would choose again among the chosen. ROCR_VISIBLE_DEVICES stays under the others: they count within it.
_HIDDEN_BY = {
    DeviceVariable.CUDA: ("HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
    DeviceVariable.HIP: ("CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
    DeviceVariable.ROCR: ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
    DeviceVariable.ZE: (),
}


def bind_group(configuration: Configuration, *, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the GPUs of this worker's group alone, without what would choose among them again.

    Unchanged without GPUs, and outside of a Parsl worker. Raises LaunchError when too few were granted.
    """
    bound = dict(environment)
    if configuration.platform.gpus_per_node == 0 or SLOT_VARIABLE not in environment:
        return bound
    variable = configuration.platform.device_variable
    devices = group_devices(configuration, granted=environment)
    slot = int(environment[SLOT_VARIABLE])
    if slot >= len(devices):
        raise LaunchError(
            f"{SLOT_VARIABLE}={slot}, but groups_per_node = {len(devices)}: more workers on this node than groups"
        )
    for name in _HIDDEN_BY[variable]:
        bound.pop(name, None)
    bound[variable] = devices[slot]
    return bound


def group_devices(configuration: Configuration, *, granted: Mapping[str, str]) -> list[str]:
    """The GPUs of each group of a node, as its device variable's value: `["0,1", "2,3"]`; none without GPUs.

    `granted` is the node's environment; names in it are kept as they are (numbers, UUIDs, MIG names, tiles).
    Raises LaunchError when it names fewer GPUs than the groups need.
    """
    gpus, groups = configuration.platform.gpus_per_node, configuration.group.groups_per_node
    if gpus == 0:
        return []
    each = configuration.group.gpus_per_group
    source, names = _granted(configuration, granted)
    if len(names) < groups * each:
        raise LaunchError(
            f"{source}={granted[source]} grants {len(names)} GPU(s), but {groups} group(s) of {each} need "
            f"{groups * each} (the platform file says {gpus} per node); ask the scheduler for more, or lower "
            "[group] trainers_per_node or groups_per_node"
        )
    return [",".join(names[group * each : (group + 1) * each]) for group in range(groups)]


def _granted(configuration: Configuration, granted: Mapping[str, str]) -> tuple[str, list[str]]:
    """The variable that grants GPUs here, and their names; no variable and plain numbers where nothing limits them."""
    variable = configuration.platform.device_variable
    source = next((name for name in _GRANTED_BY[variable] if name in granted), "")
    within = DeviceVariable.ROCR if variable == DeviceVariable.HIP else ""
    # Slurm sets them all to the same list, but HIP counts from 0 within ROCR's.
    if within in granted and (variable != source or not _names(granted[within])):
        return within, [str(index) for index in range(len(_names(granted[within])))]
    if not source:
        return "", [str(index) for index in range(configuration.platform.gpus_per_node)]
    return source, _names(granted[source])


def _names(value: str) -> list[str]:
    """The GPUs that a variable names: up to the first that is none, as CUDA and HIP do.

    Schedulers and container runtimes write `NoDevFiles`, `none`, `void`, `-1` where they grant nothing.
    """
    names = [name.strip() for name in value.split(",") if name.strip()]
    return list(itertools.takewhile(_DEVICE.fullmatch, names))

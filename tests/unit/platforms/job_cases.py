"""The platforms and submissions that whole generated scripts are compared for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_nas.configuration import Configuration
from hpc_nas.platforms.job_script import Submission

STORED = Path(__file__).parent / "stored" / "scripts"

SLURM: dict[str, Any] = {
    "platform": {
        "name": "slurm",
        "scheduler": "slurm",
        "node_launcher": "srun",
        "num_nodes": 4,
        "cores_per_node": 64,
        "gpus_per_node": 4,
        "walltime": "01:00:00",
        "account": "m1234",
        "queue": "gpu",
        "qos": "regular",
        "constraint": "a100",
        "directives": ["--exclusive", "--mem=0"],
        "setup": ["module load python", "export OMP_PLACES=threads"],
    },
    "group": {"trainers_per_node": 4},
}
CSM: dict[str, Any] = {
    "platform": {
        "name": "summit",
        "scheduler": "lsf",
        "node_launcher": "jsrun",
        "num_nodes": 8,
        "cores_per_node": 42,
        "gpus_per_node": 6,
        "walltime": "01:30:30",
        "account": "abc123",
        "queue": "batch",
        "directives": ['-alloc_flags "NVME"'],
    },
    "group": {"trainers_per_node": 6, "drain_s": 45.0},
}
LSF: dict[str, Any] = {
    "platform": {
        "name": "lsf",
        "scheduler": "lsf",
        "node_launcher": "blaunch",
        "num_nodes": 2,
        "cores_per_node": 32,
        "gpus_per_node": 4,
        "walltime": "02:00:00",
        "queue": "gpu",
        "warn_s": 300.0,
    },
    "group": {"trainers_per_node": 4},
}
PBS: dict[str, Any] = {
    "platform": {
        "name": "polaris",
        "scheduler": "pbs",
        "node_launcher": "mpiexec",
        "num_nodes": 2,
        "cores_per_node": 64,
        "gpus_per_node": 4,
        "walltime": "00:30:00",
        "account": "Catalyst",
        "queue": "debug",
        "directives": ["-l filesystems=home:eagle"],
    },
    "group": {"trainers_per_node": 4},
}
BARE: dict[str, Any] = {"platform": {"name": "bare", "scheduler": "slurm"}}

CASES = {"slurm.sbatch": SLURM, "csm.lsf": CSM, "generic.lsf": LSF, "polaris.pbs": PBS, "bare.sbatch": BARE}


def configuration(tables: dict[str, Any]) -> Configuration:
    """As if read from files."""
    return Configuration.model_validate({"campaign": {"name": "fashion"}, **tables})


def submission(
    run_dir: Path = Path("/shared/user/runs/fashion"),
    *,
    command: tuple[str, ...] = ("/shared/user/venv/bin/hpc-nas",),
    working_dir: Path = Path("/shared/user"),
    settings: tuple[str, ...] = ("platform.num_nodes=4", 'campaign.name="fashion"'),
) -> Submission:
    """A submission of the kind that `hpc-nas submit` makes."""
    return Submission(
        command=command,
        working_dir=working_dir,
        campaign_path=Path("/shared/user/fashion.toml"),
        platform_path=Path("/shared/user/platform.toml"),
        run_dir=run_dir,
        settings=settings,
    )

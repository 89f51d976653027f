"""A campaign as a Parsl script: `parsl run campaign.py [CAMPAIGN.toml] [PLATFORM.toml] [RUN_DIR]`.

Without arguments it runs the digits campaign on this machine. A campaign that lies in RUN_DIR goes on.
"""

import sys
from datetime import datetime
from pathlib import Path

from hpc_nas.campaign.finalists import run_with_finalists
from hpc_nas.campaign.opening import Opening
from hpc_nas.configuration import load_configuration

CONFIGS = Path(__file__).resolve().parent.parent / "configs"

if __name__ == "__main__":
    arguments = [Path(argument) for argument in sys.argv[1:]]
    campaign = arguments[0] if arguments else CONFIGS / "campaigns" / "digits.toml"
    platform = arguments[1] if len(arguments) > 1 else CONFIGS / "platforms" / "local.toml"
    configuration = load_configuration(campaign, platform_path=platform)

    name = f"{configuration.campaign.name}-{datetime.now():%Y%m%d-%H%M%S}"
    run_dir = arguments[2] if len(arguments) > 2 else Path("runs") / name

    # Everything happens in here: Parsl starts the worker groups, candidates are trained, the archive is written.
    result = run_with_finalists(configuration, run_dir=run_dir, opening=Opening.AUTO)

    print(f"{result.reason}: {run_dir / 'campaign.h5'}")
    print(f"look at it: hpc-nas report {run_dir}; or with h5py alone: python analyze.py {run_dir}")
    sys.exit(0 if result.complete else 3)

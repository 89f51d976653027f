"""Campaign files (what) and platform files (where): their schema, defaults and loading."""

from hpc_nas.configuration.loading import load_configuration, parse_setting, read_configuration
from hpc_nas.configuration.platform import (
    DeviceVariable,
    NodeLauncher,
    Placement,
    PlatformSection,
    RankLauncher,
    Scheduler,
    parse_walltime,
)
from hpc_nas.configuration.schema import (
    CampaignSection,
    Configuration,
    DataSection,
    EstimatorSection,
    GroupSection,
    Mode,
)
from hpc_nas.configuration.search import (
    ConstraintsSection,
    FinalistsSection,
    SearchSection,
    SpaceSection,
)
from hpc_nas.configuration.training import TrainingSection

__all__ = [
    "CampaignSection",
    "Configuration",
    "ConstraintsSection",
    "DataSection",
    "DeviceVariable",
    "EstimatorSection",
    "FinalistsSection",
    "GroupSection",
    "Mode",
    "NodeLauncher",
    "Placement",
    "PlatformSection",
    "RankLauncher",
    "Scheduler",
    "SearchSection",
    "SpaceSection",
    "TrainingSection",
    "load_configuration",
    "parse_setting",
    "parse_walltime",
    "read_configuration",
]

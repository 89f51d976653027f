"""Campaign files (what) and platform files (where): their schema, defaults and loading."""

from hpc_nas.configuration.loading import load_configuration, parse_setting, read_configuration
from hpc_nas.configuration.schema import (
    CampaignSection,
    Configuration,
    DataSection,
    EstimatorSection,
    GroupSection,
    Mode,
    PlatformSection,
    SearchSection,
    SpaceSection,
    TrainingSection,
)

__all__ = [
    "CampaignSection",
    "Configuration",
    "DataSection",
    "EstimatorSection",
    "GroupSection",
    "Mode",
    "PlatformSection",
    "SearchSection",
    "SpaceSection",
    "TrainingSection",
    "load_configuration",
    "parse_setting",
    "read_configuration",
]

"""The resolved configuration of a campaign: one frozen model per table, with defaults and limits.

Tables of a campaign file: campaign, data, space, search, constraints, training, estimator, checkpoints, finalists.
Tables of a platform file: platform, group. Open tables (`space`, `search`, `estimator.settings`) carry keys that the
named space, strategy or preset checks itself.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from hpc_nas.configuration.audit import is_audited
from hpc_nas.configuration.pairs import pair_problems
from hpc_nas.configuration.platform import Placement, PlatformSection
from hpc_nas.configuration.search import (
    ConstraintsSection,
    FinalistsSection,
    Scalar,
    SearchSection,
    SpaceSection,
)
from hpc_nas.configuration.section import DAY_S, HOUR_S, Positive, Section, Seed
from hpc_nas.configuration.shape import problems
from hpc_nas.configuration.text import TextSection
from hpc_nas.configuration.training import TrainingSection

WARN_MARGIN_S = 30.0  # the scheduler's signal comes this long before a drain must have begun


class Mode(StrEnum):
    """What the estimator rank does with a decision to stop."""

    STOP = "stop"  # signal the trainer
    OBSERVE = "observe"  # record it and let the network train to the full budget (ground truth)


class CampaignSection(Section):
    """The search as a whole."""

    name: str = Field(default="campaign", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    num_candidates: Positive = 40
    seed: Seed = 1


class DataSection(Section):
    """The data set, and how it is cut. `test` data are never used unless `validate_on_test` asks for it."""

    name: str = Field(
        default="digits", description="a known data set, or the path of a .npz/.h5 file, of a text"
    )
    data_dir: str | None = Field(default=None, description="where its official files lie")
    download: bool = True
    max_train_samples: int | None = Field(
        default=None, ge=2, le=10**9, description="random subset, drawn with seed"
    )
    validation_fraction: float = Field(default=0.2, gt=0.0, lt=1.0, description="cut from the training data")
    validate_on_test: bool = Field(default=False, description="validate on the test set, as the papers do")
    seed: Seed = Field(default=0, description="cuts and subsets are the same for all candidates")
    text: TextSection = TextSection()


class EstimatorSection(Section):
    """The estimator preset, its settings, and whether its decisions are carried out."""

    preset: str = Field(
        default="peng4nn",
        description="a name, a combination, or my_rules.py:my_rule; "
        "in a file, the default is the strategy's own preset where it has one",
    )
    mode: Mode = Field(default=Mode.STOP, strict=False)
    audit_share: float = Field(
        default=0.03, ge=0.0, le=1.0, description="of the candidates, trained to the end whatever is decided"
    )
    settings: dict[str, Scalar] = Field(default_factory=dict)


class CheckpointsSection(Section):
    """When the state of a training is kept, so that it can go on elsewhere."""

    enabled: bool = Field(default=True, description="false: what is interrupted starts again from nothing")
    interval_s: float = Field(
        default=60.0,
        ge=0.0,
        le=30 * DAY_S,
        description="a validation this long after the last checkpoint writes the next: what a crash repeats at most",
    )


class GroupSection(Section):
    """A worker group: trainers and one estimator, one MPI launch."""

    groups_per_node: int = Field(default=1, ge=1, le=256)
    trainers_per_node: int = Field(default=2, ge=1, le=1024)
    gpu_share: int = Field(default=1, ge=1, le=256, description="trainers that share one GPU")
    threads_per_rank: int = Field(default=1, ge=1, le=1024)
    prefetch: int | None = Field(
        default=None, ge=0, le=10_000, description="candidates held ready; default: trainers"
    )
    orphan_grace_s: float = Field(
        default=30.0,
        ge=6.0,
        le=HOUR_S,
        description="all leave this long after losing the campaign; half of it is the limit of silence, and "
        "signs of life come every second",
    )
    start_timeout_s: float = Field(
        default=180.0, ge=1.0, le=DAY_S, description="a group must report within this time"
    )
    max_failed_starts: int = Field(
        default=3, ge=1, le=1000, description="groups in a row that die before they take up a candidate"
    )
    drain_s: float = Field(
        default=30.0,
        ge=0.1,
        le=HOUR_S,
        description="what a group takes at most to write checkpoints and leave in order",
    )
    hang_factor: float = Field(
        default=10.0,
        gt=1.0,
        le=10_000.0,
        description="an interval this many times as long as its longest: it hangs",
    )
    hang_floor_s: float = Field(
        default=60.0, ge=1.0, le=7 * DAY_S, description="no interval below this counts as a hang"
    )
    hang_limit_s: float = Field(
        default=3600.0,
        ge=1.0,
        le=30 * DAY_S,
        description="an interval longer than this hangs, whatever came before",
    )
    backoff_s: float = Field(
        default=1.0, ge=0.0, le=HOUR_S, description="wait before a dead group is replaced; doubles"
    )

    @property
    def gpus_per_group(self) -> int:
        """GPUs that the trainers of one group take up, where there are any."""
        return -(-self.trainers_per_node // self.gpu_share)


class Configuration(Section):
    """Everything that a campaign was told: what from the campaign file, where from the platform file."""

    campaign: CampaignSection = CampaignSection()
    data: DataSection = DataSection()
    space: SpaceSection = SpaceSection()
    search: SearchSection = SearchSection()
    constraints: ConstraintsSection = ConstraintsSection()
    training: TrainingSection = TrainingSection()
    estimator: EstimatorSection = EstimatorSection()
    checkpoints: CheckpointsSection = CheckpointsSection()
    finalists: FinalistsSection = FinalistsSection()
    platform: PlatformSection = PlatformSection()
    group: GroupSection = GroupSection()

    @model_validator(mode="after")
    def _fits_together(self) -> Configuration:
        for problem in (*problems(self), *pair_problems(self)):
            raise ValueError(problem)
        return self

    @property
    def max_epochs(self) -> float:
        return self.training.max_epochs

    def mode_for(self, candidate: int) -> Mode:
        """What is done with a decision to stop this candidate, by number: the audited ones are only observed."""
        section = self.estimator
        if is_audited(candidate, seed=self.campaign.seed, share=section.audit_share):
            return Mode.OBSERVE
        return section.mode

    @property
    def world_size(self) -> int:
        """Ranks of one group: its trainers and one estimator."""
        return self.group.trainers_per_node + 1

    @property
    def num_groups(self) -> int:
        """Worker groups at a time, on all nodes of all blocks."""
        platform = self.platform
        blocks = platform.num_blocks if platform.placement == Placement.BLOCKS else 1
        return blocks * platform.num_nodes * self.group.groups_per_node

    @property
    def cores_used_per_node(self) -> int:
        """Cores that the ranks of a node keep busy: its trainers' threads, and one for each estimator."""
        section = self.group
        return section.groups_per_node * (section.trainers_per_node * section.threads_per_rank + 1)

    @property
    def warn_s(self) -> float:
        """Seconds before the end of an allocation at which the scheduler is asked for its signal."""
        return self.group.drain_s + WARN_MARGIN_S if self.platform.warn_s is None else self.platform.warn_s

"""What was done to campaigns and what came of it, as frozen values that go into results.json and come back from it."""

from __future__ import annotations

import math
from enum import StrEnum

from pydantic import Field

from benchmarks.bench.environment import Conditions
from benchmarks.bench.store import Results
from benchmarks.bench.values import Number, Spread, Value


class Kind(StrEnum):
    """What is done."""

    TRAINER = "trainer"  # SIGKILL of a trainer rank
    ESTIMATOR = "estimator"  # SIGKILL of an estimator rank
    GROUP = "group"  # SIGKILL of a group's mpiexec
    POOL = "pool"  # SIGKILL of a node's Parsl worker pool
    CAMPAIGN = "campaign"  # SIGKILL of the campaign process; the job is submitted again
    SCANCEL = "scancel"  # of the job; it is submitted again
    NODE = "node"  # slurmd and all that it started are killed; the job goes on
    LINK = "link"  # the node's network link is cut; the job goes on


SIGKILLS = (Kind.TRAINER, Kind.ESTIMATOR, Kind.GROUP, Kind.POOL, Kind.CAMPAIGN)
NODE_LOSSES = (Kind.NODE, Kind.LINK)
NEW_JOB = (Kind.CAMPAIGN, Kind.SCANCEL)

FULL_PLAN = {
    Kind.TRAINER: 45,
    Kind.ESTIMATOR: 40,
    Kind.GROUP: 40,
    Kind.POOL: 15,
    Kind.CAMPAIGN: 25,
    Kind.SCANCEL: 20,
    Kind.NODE: 15,
    Kind.LINK: 15,
}
SMALL_PLAN = {Kind.TRAINER: 1, Kind.NODE: 1, Kind.CAMPAIGN: 1}


class Fault(Value):
    """One fault. `groups` are those that it took away, `candidates` what they had in training."""

    kind: Kind
    campaign: int
    time_s: float
    groups: tuple[int, ...]
    num_trainers: int
    candidates: tuple[int, ...]
    overlapping: bool  # another fault came before all was well again: its time is not measured
    recovered_s: Number = math.nan  # until as many trainers train, or the candidates do (lost nodes)


class Judged(Value):
    """One campaign of the storm, after its end."""

    campaign: int
    num_candidates: int
    num_observations: int
    num_faults: int
    jobs: int
    elapsed_s: float
    observations_lost: tuple[str, ...]
    candidates_lost: tuple[int, ...]
    counted_twice: tuple[int, ...]
    left_over: tuple[str, ...]
    batches_repeated_after_planned_ends: int
    epochs_trained: float
    epochs_repeated: float
    gave_up: tuple[str, ...]  # jobs that ended by themselves without a fault to blame
    outcomes: dict[str, int]
    commit: str = ""  # the code under which it ended; campaigns of before this was kept have none


class Storm(Value):
    """All faults so far, and the campaigns that have ended. `left_over` is found while campaigns run."""

    seed: int
    plan: dict[Kind, int]
    faults: tuple[Fault, ...] = ()
    campaigns: tuple[Judged, ...] = ()
    left_over: tuple[str, ...] = ()
    elapsed_s: float = 0.0

    @property
    def remaining(self) -> dict[Kind, int]:
        """How many of each kind are still to come."""
        done = [fault.kind for fault in self.faults]
        return {kind: n - done.count(kind) for kind, n in self.plan.items() if n > done.count(kind)}


class Share(Value):
    """Where the trainers' time of one job went, percent of all of it, in the order in which it passes."""

    job: int
    allocation_s: float
    num_trainers: int
    before_campaign: float  # job start -> campaign opened: the shell, Python, the data set's checks
    before_groups: float  # -> groups started: Parsl
    before_reports: float  # -> the group's first word: worker pools, the launch, imports
    before_training: float  # -> first candidate received: torch, the data set (-> end, where none was)
    training: float  # training and validating
    between: float  # between batches of one and the next candidate, building networks, checkpoints
    idle_at_end: float  # last candidate left -> campaign closed: others still train, draining
    after_campaign: float  # -> job end: archive, report, Parsl's end


class Chain(Value):
    """One campaign in one job and again in a chain of jobs."""

    num_candidates: int
    jobs: int
    same_outcomes: bool
    differences: tuple[str, ...]
    epochs_repeated: float
    batches_repeated_after_planned_ends: int
    epochs_trained_single: float
    epochs_trained_chain: float
    single: tuple[Share, ...]
    chain: tuple[Share, ...]


class Utilisation(Value):
    """One job on several nodes, from its start to its end."""

    num_nodes: int
    num_candidates: int
    candidate_s: Spread
    share: Share


class FaultResults(Results):
    """The whole file; conditions by part."""

    conditions: dict[str, Conditions] = Field(default_factory=dict)
    storm: Storm | None = None
    chain: Chain | None = None
    utilisation: Utilisation | None = None

    def with_part(self, name: str, found: Value, conditions: Conditions) -> FaultResults:
        """A copy with this part measured, so far."""
        return self.changed(**{name: found}, conditions={**self.conditions, name: conditions})

"""Whichever of a campaign's processes is killed, nothing of what it had started stays longer than the grace time."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.campaign.family import KINDS, MARK, described, family
from tests.campaign.harness import GRACE_S, QUICK, arguments, count, environment, wait_for, write_campaign

# More candidates than can be trained meanwhile, and deaths forgiven: what counts here is what they leave behind.
SETTINGS = (
    *QUICK,
    "campaign.num_candidates=5000",
    "estimator.preset=none",
    "group.max_failed_starts=50",
    "group.backoff_s=0.1",
)
LOADED_S = 150.0  # for a group to come up and bring an outcome, with others on the machine


class Victim:
    """A campaign whose processes are killed by their kind."""

    def __init__(self, tmp_path: Path):
        self.run_dir = tmp_path / "run"
        self.mark = uuid.uuid4().hex
        line = arguments(write_campaign(tmp_path / "c.toml"), self.run_dir, *SETTINGS)
        with open(tmp_path / "said", "w") as said:
            self.process = subprocess.Popen(
                line,
                env=environment({MARK: self.mark}),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def works(self) -> None:
        """Wait until it has brought one more outcome."""
        before = count(self.run_dir, "candidate_ended")
        wait_for(
            lambda: self.process.poll() is not None or count(self.run_dir, "candidate_ended") > before,
            timeout_s=LOADED_S,
            what="an outcome",
        )
        assert self.process.poll() is None

    def kill(self, kind: str) -> None:
        """SIGKILL to all of a kind; what they had started must end within the grace time."""
        wait_for(
            lambda: kind in {member.kind for member in family(self.mark)},
            timeout_s=LOADED_S,
            what=f"a {kind}",
        )
        members = family(self.mark)
        assert [member.kind for member in members if member.kind not in KINDS] == []
        victims = [member for member in members if member.kind == kind]
        below = set().union(*(victim.below() for victim in victims))
        doomed = [member for member in members if member.process.pid in below]
        for victim in victims:
            victim.process.kill()
        wait_for(lambda: not described(doomed), timeout_s=GRACE_S, what=f"the end of {described(doomed)}")

    def is_over(self, *, within_s: float) -> None:
        """Nothing of it may run any more."""
        wait_for(
            lambda: self.process.poll() is not None and family(self.mark) == [],
            timeout_s=within_s,
            what=f"the end of {described(family(self.mark))}",
        )


@contextmanager
def victim(tmp_path: Path) -> Iterator[Victim]:
    campaign = Victim(tmp_path)
    try:
        yield campaign
    finally:
        for member in family(campaign.mark):
            member.process.kill()
        campaign.process.kill()
        campaign.process.wait()


@pytest.mark.parametrize(
    "kinds",
    [("rank", "rank_wrapper", "proxy", "mpiexec", "agent"), ("helper", "pool", "wrapper")],
    ids=["of a group", "of a pool"],
)
def test_nothing_of_a_killed_process_stays_and_the_campaign_goes_on(
    tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    with victim(tmp_path) as campaign:
        for kind in kinds:
            campaign.works()
            campaign.kill(kind)
        campaign.works()
        campaign.process.terminate()
        campaign.is_over(within_s=GRACE_S + LOADED_S)  # in order, with its archive
        assert campaign.process.returncode == 3


@pytest.mark.parametrize("kind", ["campaign", "interchange"])
def test_nothing_stays_of_a_campaign_that_has_lost_its_head(tmp_path: Path, kind: str) -> None:
    with victim(tmp_path) as campaign:
        campaign.works()
        everything = family(campaign.mark)
        campaign.kill(kind)
        wait_for(
            lambda: not described([member for member in everything if member.kind != "campaign"]),
            timeout_s=GRACE_S + 5,
            what=f"the end of {described(everything)}",
        )
        campaign.is_over(within_s=LOADED_S)

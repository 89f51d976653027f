"""Who is audited: a share of the candidates, picked by chance and for ever."""

from __future__ import annotations

import pytest

from hpc_nas.configuration import CampaignSection, Configuration, EstimatorSection, Mode, load_configuration
from hpc_nas.configuration.audit import is_audited
from hpc_nas.errors import ConfigurationError

MANY = range(20_000)


@pytest.mark.parametrize("share", [0.03, 0.25, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_share_of_the_candidates_is_audited(share: float, seed: int) -> None:
    count = sum(is_audited(number, seed=seed, share=share) for number in MANY)
    spread = (share * (1.0 - share) * len(MANY)) ** 0.5
    assert abs(count - share * len(MANY)) < 4.0 * spread


def test_choice_never_changes() -> None:
    """A campaign that is resumed with a later release, on another machine, must audit the same candidates."""
    assert [n for n in range(150) if is_audited(n, seed=1, share=0.03)] == [17, 52, 89, 109, 119, 132]


def test_each_seed_audits_others() -> None:
    chosen = [{n for n in MANY if is_audited(n, seed=seed, share=0.03)} for seed in (1, 2)]
    assert len(chosen[0] & chosen[1]) < 0.1 * len(chosen[0])


def test_larger_share_audits_the_same_and_more() -> None:
    few, more = ({n for n in MANY if is_audited(n, seed=1, share=share)} for share in (0.03, 0.1))
    assert few < more


@pytest.mark.parametrize(("share", "expected"), [(0.0, False), (1.0, True)])
def test_all_or_nobody(share: float, expected: bool) -> None:
    assert {is_audited(number, seed=5, share=share) for number in MANY} == {expected}


def configuration(*, mode: Mode, share: float) -> Configuration:
    return Configuration(
        campaign=CampaignSection(seed=1), estimator=EstimatorSection(mode=mode, audit_share=share)
    )


def test_audited_candidate_is_observed_and_the_others_as_configured() -> None:
    found = {n: configuration(mode=Mode.STOP, share=0.03).mode_for(n) for n in range(60)}
    assert [n for n, mode in found.items() if mode is Mode.OBSERVE] == [17, 52]
    assert set(found.values()) == {Mode.STOP, Mode.OBSERVE}
    assert {configuration(mode=Mode.OBSERVE, share=0.03).mode_for(n) for n in range(60)} == {Mode.OBSERVE}


def test_share_is_between_0_and_1() -> None:
    assert load_configuration(None, settings=("estimator.audit_share=0",)).estimator.audit_share == 0.0
    for share in ("-0.1", "1.5", "nan"):
        with pytest.raises(ConfigurationError, match="audit_share"):
            load_configuration(None, settings=(f"estimator.audit_share={share}",))

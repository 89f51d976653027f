"""What is known of a candidate before it is trained, in numbers that always fit into a message."""

from __future__ import annotations

from estimator import Described
from hpc_nas.campaign.features import MAX_FEATURES, features_of
from hpc_nas.campaign.history_feed import MAX_EVENTS
from hpc_nas.group import protocol
from hpc_nas.records.history_journal import to_line
from hpc_nas.values import Candidate


def candidate(parameters: dict[str, bool | int | float | str]) -> Candidate:
    return Candidate(
        number=10**15, seed=1, parameters=parameters, num_parameters=170, num_layers=3, macs=9000
    )


def test_numbers_among_the_hyperparameters_are_taken_by_name() -> None:
    found = features_of(
        candidate(
            {"rate": 0.1, "act": "relu", "norm": True, "bad": float("inf"), "num_layers": 7, "depth": 2}
        )
    )
    assert found == (
        ("num_parameters", 170.0),
        ("num_layers", 3.0),
        ("macs", 9000.0),
        ("depth", 2.0),
        ("norm", 1.0),
        ("rate", 0.1),
    )


def test_full_message_of_long_descriptions_is_within_the_limit() -> None:
    names = [
        f"{index:03}" + letter * 40 for index in range(30) for letter in ("x", "\N{SNOWMAN}", "\x01", '"')
    ]
    features = features_of(candidate(dict.fromkeys(names, -1.2345678901234567e-300)))
    assert 3 < len(features) <= MAX_FEATURES
    line = to_line(Described(candidate=10**15, features=features))
    message = protocol.HistoryEvents(first_version=10**15, events=[line] * MAX_EVENTS)
    assert len(protocol.encode(message)) <= protocol.MAX_MESSAGE_BYTES

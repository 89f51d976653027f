"""What the estimator rank makes of observations, and what a late decision is worth."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import estimator
from estimator import Action, Standing
from hpc_nas.configuration import (
    Configuration,
    EstimatorSection,
    Mode,
    TrainingSection,
    load_configuration,
    read_configuration,
)
from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.errors import ConfigurationError
from hpc_nas.group.attempt_monitor import AttemptMonitor, Signal, make_preset
from hpc_nas.values import Observation, Reason, State


def observation(epoch: float, accuracy: float, *, carried: bool = False) -> Observation:
    return Observation(
        candidate=3,
        attempt=1,
        epoch=epoch,
        val_accuracy=accuracy,
        val_loss=1.0,
        train_accuracy=accuracy,
        train_loss=1.0,
        learning_rate=0.1,
        train_s=1.0,
        validate_s=0.1,
        time_s=1.0,
        carried=carried,
    )


def preset() -> estimator.Preset:
    configuration = Configuration(
        training=TrainingSection(max_epochs=10.0), estimator=EstimatorSection(preset="peng4nn")
    )
    return make_preset(configuration, chance_accuracy=10.0)


def judge(mode: Mode) -> AttemptMonitor:
    return AttemptMonitor(preset(), history=estimator.MirroredHistory(), mode=mode, candidate=3, attempt=1)


def saturating(count: int) -> list[Observation]:
    return [observation(0.5 * i, 90.0 - 40.0 * math.exp(-0.8 * i)) for i in range(1, count + 1)]


def test_decision_is_signalled_once() -> None:
    verdicts = [judge_.observe(row) for judge_ in [judge(Mode.STOP)] for row in saturating(12)]
    signals = [verdict.signal for verdict in verdicts if verdict.signal is not None]
    assert signals == [Signal(action=Action.STOP, reason=Reason.CONVERGED)]


def test_stopped_candidate_keeps_the_estimate_of_its_decision() -> None:
    subject = judge(Mode.STOP)
    decision = None
    for row in saturating(12):
        verdict = subject.observe(row)
        decision = verdict.decision if verdict.signal else decision
    outcome = subject.conclude(State.STOPPED, reason=Reason.CONVERGED)
    assert decision is not None
    assert (outcome.estimate, outcome.spread) == (decision.estimate, decision.spread)
    assert outcome.estimate is not None
    assert abs(outcome.estimate - 90.0) < 0.5


def test_decision_that_came_too_late_gives_way_to_what_was_measured() -> None:
    subject = judge(Mode.STOP)
    rows = saturating(20)
    for row in rows:
        subject.observe(row)
    outcome = subject.conclude(State.FINISHED, reason=Reason.FULL_BUDGET)
    assert outcome.estimate == outcome.best_accuracy == rows[-1].val_accuracy
    assert outcome.spread == 0.0
    assert outcome.epochs == 10.0


def test_mode_observe_never_signals() -> None:
    subject = judge(Mode.OBSERVE)
    assert [subject.observe(row).signal for row in saturating(20)] == [None] * 20


def pausing_judge(mode: Mode = Mode.STOP) -> AttemptMonitor:
    """Of a candidate that is worse than the three that have come to every rung of ASHA (1, 3, 9 epochs)."""
    history = estimator.MirroredHistory()
    for other in range(10, 13):
        for epoch in (1.0, 3.0, 9.0):
            history.apply(estimator.Observed(candidate=other, epoch=epoch, val_accuracy=80.0 + other))
        history.apply(estimator.Ended(candidate=other, standing=Standing.PAUSED))
    asha = estimator.preset("asha", max_epochs=27.0, epochs_per_interval=0.5)
    return AttemptMonitor(asha, history=history, mode=mode, candidate=3, attempt=1)


def test_pause_is_signalled_once_though_the_trainer_goes_on_for_a_while() -> None:
    subject = pausing_judge()
    signals = [subject.observe(observation(0.5 * n, 50.0)).signal for n in range(1, 8)]
    pause = Signal(action=Action.PAUSE, reason=Reason.RUNG)
    assert signals == [None, pause, None, None, None, None, None]


def test_audited_candidate_is_not_paused() -> None:
    subject = pausing_judge(Mode.OBSERVE)
    assert [subject.observe(observation(0.5 * n, 50.0)).signal for n in range(1, 8)] == [None] * 7


def test_pause_that_came_too_late_changes_nothing() -> None:
    subject = pausing_judge()
    for n in range(1, 8):
        subject.observe(observation(0.5 * n, 50.0 + n))
    outcome = subject.conclude(State.FINISHED, reason=Reason.FULL_BUDGET)
    assert (outcome.state, outcome.estimate, outcome.epochs) == (State.FINISHED, 57.0, 3.5)


def test_carried_rows_are_forecast_and_not_decided_on() -> None:
    """The first attempt decided at the seventh row; the second begins there and decides on its own first row."""
    rows = saturating(12)
    first = judge(Mode.STOP)
    seen = [first.observe(row) for row in rows]
    (cut,) = [index for index, verdict in enumerate(seen) if verdict.signal]
    second = judge(Mode.STOP)
    carried = [
        second.observe(row.model_copy(update={"carried": True, "attempt": 2})) for row in rows[: cut + 1]
    ]
    assert {verdict.decision.action for verdict in carried} == {Action.GO}
    assert [verdict.decision.forecast for verdict in carried] == [
        verdict.decision.forecast for verdict in seen[: cut + 1]
    ]
    assert second.epochs == rows[cut].epoch
    verdict = second.observe(rows[cut + 1])
    assert verdict.signal == Signal(action=Action.STOP, reason=Reason.CONVERGED)


def test_failed_candidate_has_no_estimate() -> None:
    subject = judge(Mode.STOP)
    subject.observe(observation(0.5, 40.0))
    outcome = subject.conclude(State.FAILED, reason=Reason.NON_FINITE, message="loss is nan")
    assert outcome.estimate is None
    assert outcome.best_accuracy == 40.0
    assert outcome.message == "loss is nan"


OWN_RULE = """
from estimator import Preset, Reason, Rule, go, stop

class Enough(Rule):
    def __init__(self, ceiling):
        self.ceiling = ceiling

    def decide(self, curve, forecasts, population):
        enough = curve.last_accuracy >= self.ceiling
        return stop(forecasts[-1], reason=Reason.CONVERGED) if enough else go(forecasts[-1])

def my_rule(training, *, ceiling=80.0):
    return Enough(ceiling)
"""


def test_a_rule_of_ones_own_reaches_a_group_that_works_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a campaign does it: the configuration is resolved here, recorded, and read in another directory."""
    home, elsewhere, recorded = tmp_path / "home", tmp_path / "elsewhere", tmp_path / "config.json"
    home.mkdir()
    elsewhere.mkdir()
    (home / "my_rules.py").write_text(OWN_RULE)
    monkeypatch.chdir(home)
    given = ("estimator.preset=my_rules.py:my_rule", "estimator.settings.ceiling=60")
    recorded.write_text(load_configuration(None, settings=given).model_dump_json())
    monkeypatch.chdir(elsewhere)
    configuration = read_configuration(recorded)
    assert configuration.estimator.preset == f"{home}/my_rules.py:my_rule"
    subject = AttemptMonitor(
        make_preset(configuration, chance_accuracy=10.0),
        history=estimator.MirroredHistory(),
        mode=Mode.STOP,
        candidate=3,
        attempt=1,
    )
    signals = [subject.observe(observation(0.5 * n, 25.0 * n)).signal for n in (1, 2, 3)]
    assert signals == [None, None, Signal(action=Action.STOP, reason=Reason.CONVERGED)]
    assert subject.conclude(State.STOPPED, reason=Reason.CONVERGED).estimate == 75.0


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("my_rules.py:my_rule", "{here}/my_rules.py: no such file"),
        (
            "other.py:my_rul",
            "{here}/other.py has no function 'my_rul'; did you mean 'my_rule'? known: Enough, my_rule",
        ),
        (
            "other.py:my_rule:top=1",
            "{here}/other.py:my_rule: unknown setting 'top'; known: ceiling",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_of_ones_own_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, message: str
) -> None:
    (tmp_path / "other.py").write_text(OWN_RULE)
    monkeypatch.chdir(tmp_path)
    configuration = load_configuration(None, settings=(f"estimator.preset={preset}",))
    with pytest.raises(ConfigurationError) as refused:
        make_preset(configuration, chance_accuracy=10.0)
    assert str(refused.value) == "[estimator]: " + message.format(here=tmp_path)


def test_preset_that_pauses_needs_checkpoints_and_the_others_are_named() -> None:
    section = EstimatorSection(preset="asha")
    assert make_preset(Configuration(estimator=section), chance_accuracy=10.0).pauses
    configuration = Configuration(estimator=section, checkpoints=CheckpointsSection(enabled=False))
    with pytest.raises(ConfigurationError) as refused:
        make_preset(configuration, chance_accuracy=10.0)
    message = str(refused.value)
    assert message.startswith(
        "[estimator] preset = 'asha' pauses candidates, and with [checkpoints] enabled = false"
    )
    named = message.partition("never pauses: ")[2].split(", ")
    assert {"peng4nn", "none", "median", "prob-top"} <= set(named)
    assert not {"asha", "hyperband"} & set(named)

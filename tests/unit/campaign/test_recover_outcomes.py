"""A dead group's rank files: what had ended counts, exactly as if its estimator had lived to say so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import estimator
from estimator import Action, Decision, Forecast
from estimator.forecasters import LastValue
from hpc_nas.campaign.recover_outcomes import recover_outcomes
from hpc_nas.configuration import Configuration, EstimatorSection, Mode, TrainingSection
from hpc_nas.group import protocol
from hpc_nas.group.attempt_monitor import AttemptMonitor, make_preset
from hpc_nas.records import layout
from hpc_nas.records.rank_file import EstimatorFile, TrainerFile
from hpc_nas.records.row_file import RowFileWriter
from hpc_nas.values import Observation, Outcome, Reason, State

CHANCE = 10.0
Curve = list[Observation]


def preset() -> estimator.Preset:
    configuration = Configuration(
        training=TrainingSection(max_epochs=10.0), estimator=EstimatorSection(preset="peng4nn")
    )
    return make_preset(configuration, chance_accuracy=CHANCE)


def observation(candidate: int, epoch: float, *, accuracy: float, attempt: int = 0) -> Observation:
    return Observation(
        candidate=candidate,
        attempt=attempt,
        epoch=epoch,
        val_accuracy=accuracy,
        val_loss=2.0 / epoch,
        train_accuracy=accuracy,
        train_loss=2.0 / epoch,
        learning_rate=0.1,
        train_s=1.0,
        validate_s=0.1,
        time_s=1.0,
    )


def curve(candidate: int, count: int, *, top: float = 90.0, attempt: int = 0) -> Curve:
    """A learning curve that saturates at `top` percent."""
    return [
        observation(candidate, 0.5 * i, accuracy=top - 40.0 * math.exp(-0.8 * i), attempt=attempt)
        for i in range(1, count + 1)
    ]


def judged(rows: Curve, state: State, *, reason: Reason, message: str = "") -> Outcome:
    """What the estimator rank would have said."""
    judge = AttemptMonitor(
        preset(),
        history=estimator.MirroredHistory(),
        mode=Mode.STOP,
        candidate=rows[0].candidate,
        attempt=rows[0].attempt,
    )
    for row in rows:
        judge.observe(row)
    return judge.conclude(state, reason=reason, message=message)


def leave(
    file: TrainerFile, candidate: int, *, state: State, reason: Reason, attempt: int = 0, message: str = ""
) -> None:
    file.append_attempt(
        candidate=candidate,
        attempt=attempt,
        received_time=1.0,
        first_batch_time=2.0,
        signal_time=math.nan,
        left_time=3.0,
        start_epoch=0.0,
        start_batch=0,
        epochs=2.0,
        batches=8,
        train_s=1.0,
        validate_s=0.5,
        last_batch_s=0.1,
        state=state,
        reason=reason,
        message=message,
    )


def trainer(directory: Path, rank: int) -> TrainerFile:
    return TrainerFile(directory / f"rank-{rank:05d}.h5", group=0, rank=rank, device="cpu")


def recovered(directory: Path, *, by: estimator.Preset | None = None) -> list[Outcome]:
    every = {(candidate, attempt) for candidate in range(10) for attempt in range(10)}
    found = recover_outcomes(
        sorted(directory.glob("*.h5")), group=0, num_trainers=None, wanted=every, preset=by or preset()
    )
    outcomes = [ending for ending in found if isinstance(ending, Outcome)]
    assert len(outcomes) == len(found)
    return sorted(outcomes, key=lambda outcome: (outcome.candidate, outcome.attempt))


ENDS = [
    (State.FINISHED, Reason.FULL_BUDGET, 20),
    (State.STOPPED, Reason.CONVERGED, 12),
    (State.FAILED, Reason.NON_FINITE, 3),
    (State.CANCELLED, Reason.CANCELLED, 5),
]


@pytest.mark.parametrize(("state", "reason", "count"), ENDS)
def test_outcome_is_the_one_that_the_dead_estimator_would_have_reached(
    tmp_path: Path, state: State, reason: Reason, count: int
) -> None:
    rows = curve(7, count, attempt=1)
    with trainer(tmp_path, 0) as file:
        for row in rows:
            file.append_observation(row)
        leave(file, 7, attempt=1, state=state, reason=reason, message="as the trainer said")
    expected = judged(rows, state, reason=reason, message="as the trainer said")
    assert recovered(tmp_path) == [expected]
    assert (expected.estimate is not None) == (state in (State.FINISHED, State.STOPPED))


RECORDED = Decision(
    action=Action.STOP,
    reason=estimator.Reason.UNLIKELY_BEST,
    estimate=71.5,
    spread=2.5,
    forecast=Forecast(value=71.5, spread=2.5, at_max_epochs=71.5, num_points=4),
)


class Neighbourly(LastValue):
    """A forecaster that looks at other candidates."""

    alone: ClassVar[bool] = False


def sociable() -> estimator.Preset:
    """A preset whose decisions rest on other candidates as well."""
    return replace(preset(), forecaster=Neighbourly())


@pytest.mark.parametrize("by", [preset, sociable])
def test_stopped_candidate_keeps_the_estimate_that_was_recorded(
    tmp_path: Path, by: Callable[[], estimator.Preset]
) -> None:
    """The decision may have rested on others that nobody can ask again."""
    rows = curve(0, 4)
    later = replace(RECORDED, forecast=replace(RECORDED.forecast, value=60.0, spread=9.0))
    with (
        trainer(tmp_path, 0) as file,
        EstimatorFile(tmp_path / "rank-00001.h5", group=0, rank=1, device="none") as other,
    ):
        for row in rows:
            file.append_observation(row)
        for epoch, decision in ((0.5, Decision(action=Action.GO)), (1.0, RECORDED), (1.5, later)):
            other.append_forecast(
                candidate=0,
                attempt=0,
                epoch=epoch,
                decision=decision,
                history_version=3,
                fit_s=0.1,
                read_lag_s=0.1,
                time_s=1.0,
            )
        leave(file, 0, state=State.STOPPED, reason=Reason.UNLIKELY_BEST)
    (found,) = recovered(tmp_path, by=by())
    assert (found.label, found.estimate, found.spread) == ("stopped: unlikely_best", 71.5, 2.5)
    assert (found.best_accuracy, found.epochs) == (rows[-1].val_accuracy, 2.0)


def test_stop_that_nobody_recorded_is_lost_where_it_rested_on_others(tmp_path: Path) -> None:
    rows = curve(0, 12)
    with trainer(tmp_path, 0) as file:
        for number, (state, reason) in enumerate(
            ((State.STOPPED, Reason.CONVERGED), (State.FINISHED, Reason.FULL_BUDGET))
        ):
            for row in curve(number, 12):
                file.append_observation(row)
            leave(file, number, state=state, reason=reason)
    assert [outcome.candidate for outcome in recovered(tmp_path)] == [0, 1]
    (found,) = recovered(tmp_path, by=sociable())
    assert (found.candidate, found.estimate) == (1, rows[-1].val_accuracy)


def test_attempts_that_were_still_under_way_are_left_out(tmp_path: Path) -> None:
    ended = curve(0, 20)
    with trainer(tmp_path, 0) as first, trainer(tmp_path, 1) as second:
        for row in ended:
            first.append_observation(row)
        leave(first, 0, state=State.FINISHED, reason=Reason.FULL_BUDGET)
        first.append_observation(observation(2, 0.5, accuracy=30.0))
        second.append_observation(observation(1, 0.5, accuracy=40.0))
        # Salvaged while the files are still open, as those of a killed rank are.
        assert recovered(tmp_path) == [judged(ended, State.FINISHED, reason=Reason.FULL_BUDGET)]


def test_candidate_that_failed_before_its_first_row_has_its_outcome(tmp_path: Path) -> None:
    with trainer(tmp_path, 0) as file:
        leave(file, 4, state=State.FAILED, reason=Reason.BUILD, message="ValueError: no such layer")
    assert recovered(tmp_path) == [
        Outcome(
            candidate=4,
            attempt=0,
            state=State.FAILED,
            reason=Reason.BUILD,
            message="ValueError: no such layer",
        )
    ]


def test_what_the_estimator_had_concluded_stands(tmp_path: Path) -> None:
    rows = curve(0, 20)
    concluded = judged(rows, State.FINISHED, reason=Reason.FULL_BUDGET, message="its own words")
    with (
        trainer(tmp_path, 0) as file,
        EstimatorFile(tmp_path / "rank-00001.h5", group=0, rank=1, device="none") as other,
    ):
        for row in rows:
            file.append_observation(row)
        leave(file, 0, state=State.FINISHED, reason=Reason.FULL_BUDGET)
        other.append_outcome(concluded, trainer=0, decided_time=1.0, signal_time=2.0, ended_time=3.0)
    assert recovered(tmp_path) == [concluded]


def test_attempts_of_one_candidate_are_kept_apart(tmp_path: Path) -> None:
    with trainer(tmp_path, 0) as file:
        expected = []
        for attempt, top in enumerate((60.0, 90.0)):
            rows = curve(3, 20, top=top, attempt=attempt)
            for row in rows:
                file.append_observation(row)
            leave(file, 3, attempt=attempt, state=State.FINISHED, reason=Reason.FULL_BUDGET)
            expected.append(judged(rows, State.FINISHED, reason=Reason.FULL_BUDGET))
    assert recovered(tmp_path) == expected
    assert [round(outcome.estimate or 0.0) for outcome in expected] == [60, 90]


def test_pause_that_was_never_told_names_the_checkpoint_that_should_lie_there(tmp_path: Path) -> None:
    with trainer(tmp_path, 0) as file:
        for row in curve(5, 4, attempt=1):
            file.append_observation(row)
        leave(file, 5, state=State.PAUSED, reason=Reason.RUNG, attempt=1)
    found = recover_outcomes(
        [tmp_path / "rank-00000.h5"], group=0, num_trainers=None, wanted={(5, 1)}, preset=preset()
    )
    assert found == [
        protocol.Interrupted(
            trainer=0,
            candidate=5,
            attempt=1,
            how="paused",
            epochs=2.0,
            checkpoint="candidate-00005-attempt-001-batch-00000008.pt",
        )
    ]


# --- files that are damaged, or somebody else's --------------------------------------------------------------


def foreign(path: Path, *, tables: dict[str, Any], rows: dict[str, tuple[Any, ...]]) -> None:
    with RowFileWriter(path, tables=tables, attributes={"kind": "theirs"}) as writer:
        for name, row in rows.items():
            writer.append(name, row)


def write_text(path: Path) -> None:
    path.write_text("no HDF5 at all")


def write_empty(path: Path) -> None:
    path.touch()


def write_other_fields(path: Path) -> None:
    """The names of our tables, and none of their fields."""
    dtype = np.dtype([("x", "<f8")])
    names = ("observations", "attempts", "outcomes")
    foreign(path, tables=dict.fromkeys(names, dtype), rows=dict.fromkeys(names, (1.0,)))


def write_unknown_words(path: Path) -> None:
    """Our fields, and states that we don't know."""
    outcome = (1, 0, 0, b"perfect", b"luck", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, b"")
    attempt = (1, 0, 1.0, 1.0, 1.0, 1.0, 0.0, 0, 1.0, 1, 1.0, 1.0, 1.0, b"perfect", b"luck", b"")
    foreign(
        path,
        tables={"attempts": layout.ATTEMPT, "outcomes": layout.OUTCOME},
        rows={"attempts": attempt, "outcomes": outcome},
    )


def write_ends_that_cant_be(path: Path) -> None:
    """Our fields, and words that do not belong together, or a paused attempt that has no epochs."""
    middle = (1.0, 1.0, 1.0, 1.0, 0.0, 0)
    with RowFileWriter(
        path,
        tables={"attempts": layout.ATTEMPT, "observations": layout.OBSERVATION},
        attributes={"kind": "theirs"},
    ) as writer:
        writer.append("attempts", (1, 0, *middle, 1.0, 1, 1.0, 1.0, 1.0, b"failed", b"rung", b""))
        writer.append("attempts", (1, 0, *middle, math.nan, 1, 1.0, 1.0, 1.0, b"paused", b"rung", b""))


@pytest.mark.parametrize(
    "write", [write_text, write_empty, write_other_fields, write_unknown_words, write_ends_that_cant_be]
)
def test_file_that_says_nothing_costs_nothing(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "aaa-foreign.h5")
    rows = curve(0, 20)
    with trainer(tmp_path, 0) as file:
        for row in rows:
            file.append_observation(row)
        leave(file, 0, state=State.FINISHED, reason=Reason.FULL_BUDGET)
    assert recovered(tmp_path) == [judged(rows, State.FINISHED, reason=Reason.FULL_BUDGET)]


def test_row_that_the_estimator_would_have_ignored_is_ignored(tmp_path: Path) -> None:
    """A row that goes back in time, or lies outside 0..100 percent, is no observation."""
    rows = curve(0, 20)
    spoilt = [*rows[:4], rows[1], observation(0, 2.25, accuracy=140.0), *rows[4:]]
    with trainer(tmp_path, 0) as file:
        for row in spoilt:
            file.append_observation(row)
        leave(file, 0, state=State.FINISHED, reason=Reason.FULL_BUDGET)
    assert recovered(tmp_path) == [judged(rows, State.FINISHED, reason=Reason.FULL_BUDGET)]

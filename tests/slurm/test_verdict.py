"""The judge of the four zeros: each kind of loss, put into sound records, is found. Needs no Slurm."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import estimator
from hpc_nas.configuration import CampaignSection, Configuration
from hpc_nas.errors import RecordError
from hpc_nas.records.history_journal import HistoryWriter
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    LedgerWriter,
)
from hpc_nas.records.rank_file import TrainerFile
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Candidate, Observation, Outcome, Reason, State
from tools.slurm_cluster.verdict import Verdict, Witness, judge

NUM_CANDIDATES = 2
EPOCHS = (0.5, 1.0, 1.5, 2.0)
CUT = 2  # observations before the planned end of candidate 0


def test_sound_records_are_clean(tmp_path: Path) -> None:
    verdict = _judged(tmp_path)
    assert verdict.clean
    assert (verdict.epochs_repeated, verdict.epochs_trained) == (0.0, 4.0)
    assert (verdict.num_candidates, verdict.num_observations) == (2, 8)


def test_candidate_without_an_outcome_is_lost(tmp_path: Path) -> None:
    verdict = _judged(tmp_path, lambda events: [e for e in events if not _ends(e, 1)])
    assert not verdict.clean
    assert verdict.candidates_lost == (1,)


@pytest.mark.parametrize("kind", [CandidateEnded, CandidateDrawn])
def test_second_outcome_or_draw_of_a_candidate_is_no_campaign_at_all(
    tmp_path: Path, kind: type[Event]
) -> None:
    """The ledger itself says where it stands twice."""
    with pytest.raises(RecordError, match=r"ledger\.jsonl, line \d+: damaged"):
        _judged(tmp_path, lambda events: [*events, *(e for e in events if isinstance(e, kind))])


def test_observation_that_was_heard_and_is_in_no_rank_file_is_lost(tmp_path: Path) -> None:
    verdict = _judged(tmp_path, heard=[_observed(1, epoch=0.5), _observed(1, epoch=9.0)])
    assert verdict.observations_lost == ("candidate 1 epoch 9: heard, not in a rank file",)


def test_row_that_could_be_read_once_and_is_gone_is_lost(tmp_path: Path) -> None:
    directory = _write(tmp_path)
    witness = Witness(directory.path)
    witness.look()
    kept = tmp_path / "witness.npz"
    witness.save(kept)
    assert judge(directory.path, witness=witness).clean
    _write_rank_file(directory, num_rows=len(EPOCHS) - 1)
    again = Witness(directory.path)
    again.restore(kept)
    assert judge(directory.path, witness=again).observations_lost == (
        "candidate 0 epoch 2: heard, not in a rank file",
        "group 1 rank 0: rows that were there are missing or others",
    )


def test_process_that_is_left_makes_it_unclean(tmp_path: Path) -> None:
    assert not judge(_write(tmp_path).path, left_over=["42 python"]).clean


def test_batches_trained_again_after_a_planned_end_are_counted(tmp_path: Path) -> None:
    directory = _write(tmp_path)
    _write_rank_file(directory, start_batch=7)
    verdict = judge(directory.path)
    assert verdict.batches_repeated_after_planned_ends == 3
    assert not verdict.clean


def test_epochs_validated_twice_are_counted_but_carried_rows_are_not(tmp_path: Path) -> None:
    directory = _write(tmp_path)
    _write_rank_file(directory, carried=False)
    assert judge(directory.path).epochs_repeated == 0.5 * CUT


def _judged(
    path: Path,
    change: Callable[[list[Event]], list[Event]] = list,
    heard: list[estimator.Observed] | None = None,
) -> Verdict:
    return judge(_write(path, change, heard).path)


def _write(
    path: Path,
    change: Callable[[list[Event]], list[Event]] = list,
    heard: list[estimator.Observed] | None = None,
) -> RunDirectory:
    """Candidate 0 is set aside after CUT observations and goes on in group 1, candidate 1 is trained at once."""
    directory = RunDirectory.create(path / "run")
    configuration = Configuration(campaign=CampaignSection(num_candidates=NUM_CANDIDATES))
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    with LedgerWriter(directory.ledger_path) as ledger:
        for event in change(_events()):
            ledger.append(event)
    with HistoryWriter(directory.history_path, num_bytes=0) as history:
        history.append(heard or [_observed(0, epoch=epoch) for epoch in EPOCHS])
    directory.create_group_dir(0)
    with TrainerFile(directory.rank_file_path(0, 0), group=0, rank=0, device="cpu") as file:
        _rows(file, 0, attempt=0, epochs=EPOCHS[:CUT])
        _left(file, 0, attempt=0, start_batch=0, batches=10)
        _rows(file, 1, attempt=0, epochs=EPOCHS)
        _left(file, 1, attempt=0, start_batch=0, batches=20)
    directory.create_group_dir(1)
    _write_rank_file(directory)
    return directory


def _write_rank_file(
    directory: RunDirectory, *, start_batch: int = 10, carried: bool = True, num_rows: int = len(EPOCHS)
) -> None:
    path = directory.rank_file_path(1, 0)
    path.unlink(missing_ok=True)
    with TrainerFile(path, group=1, rank=0, device="cpu") as file:
        _rows(file, 0, attempt=1, epochs=EPOCHS[:CUT], carried=carried)
        _rows(file, 0, attempt=1, epochs=EPOCHS[CUT:num_rows])
        _left(file, 0, attempt=1, start_batch=start_batch, batches=20 - start_batch)


def _events() -> list[Event]:
    drawn = [
        Candidate(number=n, seed=n, parameters={}, num_parameters=1, num_layers=1, macs=1)
        for n in range(NUM_CANDIDATES)
    ]
    return [
        *(CandidateDrawn(candidate=one, time_s=1.0) for one in drawn),
        AttemptStarted(candidate=0, attempt=0, group=0, time_s=2.0),
        AttemptStarted(candidate=1, attempt=0, group=0, time_s=2.0),
        AttemptInterrupted(
            candidate=0, attempt=0, group=0, how="drained", epochs=1.0, checkpoint="c.pt", time_s=3.0
        ),
        AttemptStarted(candidate=0, attempt=1, group=1, checkpoint="c.pt", time_s=4.0),
        CandidateEnded(outcome=_outcome(0, attempt=1), group=1, time_s=5.0),
        CandidateEnded(outcome=_outcome(1, attempt=0), group=0, time_s=5.0),
    ]


def _ends(event: Event, candidate: int) -> bool:
    return isinstance(event, CandidateEnded) and event.outcome.candidate == candidate


def _outcome(candidate: int, *, attempt: int) -> Outcome:
    return Outcome(
        candidate=candidate,
        attempt=attempt,
        state=State.FINISHED,
        reason=Reason.FULL_BUDGET,
        estimate=90.0,
        spread=0.0,
        best_accuracy=90.0,
        epochs=2.0,
    )


def _observed(candidate: int, *, epoch: float) -> estimator.Observed:
    return estimator.Observed(candidate=candidate, epoch=epoch, val_accuracy=50.0 + epoch)


def _rows(
    file: TrainerFile, candidate: int, *, attempt: int, epochs: tuple[float, ...], carried: bool = False
) -> None:
    for epoch in epochs:
        file.append_observation(
            Observation(
                candidate=candidate,
                attempt=attempt,
                epoch=epoch,
                val_accuracy=50.0 + epoch,
                val_loss=1.0,
                train_accuracy=50.0,
                train_loss=1.0,
                learning_rate=0.1,
                train_s=1.0,
                validate_s=0.1,
                time_s=1e9 + epoch,
                carried=carried,
            )
        )


def _left(file: TrainerFile, candidate: int, *, attempt: int, start_batch: int, batches: int) -> None:
    file.append_attempt(
        candidate=candidate,
        attempt=attempt,
        received_time=1.0,
        first_batch_time=2.0,
        signal_time=math.nan,
        left_time=3.0,
        start_epoch=0.0,
        start_batch=start_batch,
        epochs=2.0,
        batches=batches,
        train_s=1.0,
        validate_s=0.5,
        last_batch_s=0.1,
        state=State.FINISHED,
        reason=Reason.FULL_BUDGET,
    )

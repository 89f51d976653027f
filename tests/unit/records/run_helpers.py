"""Small run directories that the tests of records share."""

from __future__ import annotations

from pathlib import Path

from records_helpers import NAN, finished_campaign, observation, outcome

from estimator import Action, Decision
from hpc_nas.configuration import Configuration
from hpc_nas.records.archive import CampaignRecord
from hpc_nas.records.ledger import Event, LedgerWriter
from hpc_nas.records.rank_file import EstimatorFile, TrainerFile
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Reason, State


def new_run(path: Path, events: list[Event]) -> RunDirectory:
    directory = RunDirectory.create(path)
    directory.publish(directory.configuration_path, Configuration().model_dump_json())
    append(directory, events)
    return directory


def append(directory: RunDirectory, events: list[Event]) -> None:
    with LedgerWriter(directory.ledger_path) as ledger:
        for event in events:
            ledger.append(event)


def train(
    file: TrainerFile, number: int, *, attempt: int, epochs: list[float], carried: bool = False
) -> None:
    for epoch in epochs:
        row = observation(number, attempt=attempt, epoch=epoch)
        file.append_observation(row.model_copy(update={"carried": carried}))


def leave(file: TrainerFile, number: int, *, attempt: int, epochs: float, start_epoch: float = 0.0) -> None:
    file.append_attempt(
        candidate=number,
        attempt=attempt,
        received_time=1.0,
        first_batch_time=2.0,
        signal_time=NAN,
        left_time=3.0,
        start_epoch=start_epoch,
        start_batch=0,
        epochs=epochs,
        batches=8,
        train_s=1.0,
        validate_s=0.5,
        last_batch_s=0.1,
        state=State.STOPPED,
        reason=Reason.CONVERGED,
    )


def finished_run(path: Path) -> RunDirectory:
    """One group, one trainer, one candidate: 4 observations, trained a little beyond the last one."""
    directory = new_run(path, finished_campaign())
    directory.create_group_dir(0)
    with TrainerFile(directory.rank_file_path(0, 0), group=0, rank=0, device="cpu") as trainer:
        train(trainer, 0, attempt=0, epochs=[0.5, 1.0, 1.5, 2.0])
        leave(trainer, 0, attempt=0, epochs=2.25)
    with EstimatorFile(directory.rank_file_path(0, 1), group=0, rank=1, device="none") as estimator:
        estimator.append_forecast(
            candidate=0,
            attempt=0,
            epoch=0.5,
            decision=Decision(action=Action.GO),
            history_version=0,
            fit_s=0.1,
            read_lag_s=0.2,
            time_s=5.0,
        )
        estimator.append_outcome(outcome(0), trainer=0, decided_time=1.0, signal_time=2.0, ended_time=3.0)
    return directory


def states(record: CampaignRecord) -> list[str]:
    return [state.decode() for state in record.candidates["state"]]

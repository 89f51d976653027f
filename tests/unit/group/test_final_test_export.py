"""What a trainer leaves of a finalist: its directory, its figures, and the trouble that it may meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from optuna.trial import BaseTrial
from torch import nn

from hpc_nas.configuration import Configuration, DataSection, FinalistsSection, SpaceSection, TrainingSection
from hpc_nas.errors import RecordError
from hpc_nas.group import final_test_export
from hpc_nas.group.final_test_export import FinalTestExport, make_finish
from hpc_nas.group.trainer_resources import TrainerResources, prepare_resources
from hpc_nas.records.network_files import network_dir, read_result
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.spaces.problem import Problem
from hpc_nas.tasks.images import ImageData
from hpc_nas.training.best_weights import BestWeights, NothingKept, NoWeights
from hpc_nas.training.checkpoint import WithoutCheckpoints
from hpc_nas.training.export import NotExported, load_network
from hpc_nas.training.program import Job
from hpc_nas.training.trainer import train
from hpc_nas.values import Candidate, Observation

CANDIDATE = Candidate(number=1, seed=7, parameters={}, num_parameters=650, num_layers=1, macs=640)


def linear(trial: BaseTrial, problem: Problem) -> nn.Module:
    """A space of one network."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def hidden_layer(
    trial: BaseTrial,
    problem: Problem,
    *,
    width: int = 4,
    widths: tuple[int, ...] = (8, 16),
    limit: int | None = None,
    scale: float = float("inf"),
) -> nn.Module:
    """A space whose options have defaults that no file could give them."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 10))


class Lab:
    """A trainer's place, without MPI."""

    def __init__(
        self, tmp_path: Path, *, origins: tuple[int, ...] = (4, 12), function: str = "linear", **data: bool
    ) -> None:
        self.configuration = Configuration(
            data=DataSection(name="digits", **data),
            space=SpaceSection(name=f"{__file__}:{function}"),
            training=TrainingSection(max_epochs=2.0, epochs_per_interval=1.0, learning_rate=0.1),
            finalists=FinalistsSection(origins=origins),
        )
        self.cache_dir = tmp_path / "cache"
        self.directory = RunDirectory(tmp_path / "finalists")
        self.bench: TrainerResources = prepare_resources(
            self.configuration, cache_dir=self.cache_dir, local_rank=0
        )

    def finish(self) -> FinalTestExport:
        made = make_finish(
            self.configuration, bench=self.bench, directory=self.directory, cache_dir=self.cache_dir
        )
        assert isinstance(made, FinalTestExport)
        return made

    def train(self) -> tuple[BestWeights, list[Observation]]:
        weights, curve = BestWeights(), list[Observation]()
        train(
            Job(
                candidate=CANDIDATE,
                attempt=0,
                device=self.bench.device,
                max_epochs=self.configuration.training.max_epochs,
                checkpoints=WithoutCheckpoints(),
                report=curve.append,
                check_signal=lambda: None,
            ),
            space=self.bench.space,
            data=self.bench.data,
            section=self.configuration.training,
            weights=weights,
        )
        return weights, curve


@pytest.fixture
def no_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.export takes seconds; what it makes is tested beside it."""
    made = {"model.pt2": b"a program", "model.onnx": NotExported(reason="no wish")}
    monkeypatch.setattr(final_test_export, "export_network", lambda module, example: made)


@pytest.mark.usefixtures("no_exports")
def test_finalist_leaves_its_best_weights_and_their_accuracy_on_the_test_set(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    weights, curve = lab.train()
    lab.finish().finished(CANDIDATE, weights, epochs=2.0)

    where = network_dir(lab.directory, 12)
    assert sorted(path.name for path in where.iterdir()) == [
        *("architecture.json", "model.pt2", "result.json", "weights.pt")
    ]
    best = max(curve, key=lambda row: row.val_accuracy)
    held_out = lab.bench.data.held_out(lab.configuration.data, cache_dir=lab.cache_dir).data
    assert isinstance(held_out, ImageData)
    with torch.no_grad():
        hits = load_network(where)(held_out.validation_images).argmax(1) == held_out.validation_labels
    result = read_result(lab.directory, 12)
    assert result is not None
    assert (result.candidate, result.finalist, result.seed, result.epochs) == (12, 1, 7, 2.0)
    assert (result.weights_epoch, result.val_accuracy) == (best.epoch, best.val_accuracy)
    assert result.test_accuracy == pytest.approx(100.0 * hits.double().mean().item())
    assert (result.num_test, result.test_set, result.test_message) == (len(hits), "untouched", "")
    assert result.files == {
        "weights": "weights.pt",
        "architecture": "architecture.json",
        "torch_export": "model.pt2",
        "onnx": "not exported: no wish",
    }
    architecture = json.loads((where / "architecture.json").read_text())
    assert architecture["recipe"]["learning_rate"] == 0.1  # the campaign's, not the space's


@pytest.mark.usefixtures("no_exports")
def test_search_that_validated_on_the_test_set_is_told_apart(tmp_path: Path) -> None:
    lab = Lab(tmp_path, validate_on_test=True)
    weights, _ = lab.train()
    lab.finish().finished(CANDIDATE, weights, epochs=2.0)
    result = read_result(lab.directory, 12)
    assert result is not None
    assert result.test_set == "validated on"
    assert result.test_accuracy == pytest.approx(result.val_accuracy)  # they are the same samples


@pytest.mark.usefixtures("no_exports")
def test_options_that_json_does_not_carry_are_left_to_their_defaults(tmp_path: Path) -> None:
    lab = Lab(tmp_path, function="hidden_layer")
    weights, _ = lab.train()
    lab.finish().finished(CANDIDATE, weights, epochs=2.0)
    where = network_dir(lab.directory, 12)
    assert json.loads((where / "architecture.json").read_text())["options"] == {"width": 4}
    assert load_network(where)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.usefixtures("no_exports")
def test_weights_that_can_not_be_tested_are_kept_with_the_reason(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    weights, _ = lab.train()
    for tensor in weights.module["state"].values():
        tensor.fill_(torch.inf)
    lab.finish().finished(CANDIDATE, weights, epochs=2.0)
    result = read_result(lab.directory, 12)
    assert result is not None
    assert (result.test_accuracy, result.test_loss) == (None, None)
    assert result.test_message == "validation loss is not finite"


@pytest.mark.usefixtures("no_exports")
def test_disk_that_takes_no_network_is_the_whole_campaigns_trouble(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    weights, _ = lab.train()
    lab.directory.path.write_text("a file is in the way")
    with pytest.raises(RecordError, match=r"candidate-00012 can't be made"):
        lab.finish().finished(CANDIDATE, weights, epochs=2.0)


def test_search_keeps_nothing_and_writes_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path, origins=())
    made = make_finish(lab.configuration, bench=lab.bench, directory=lab.directory, cache_dir=lab.cache_dir)
    assert isinstance(made, NothingKept)
    assert isinstance(made.weights(), NoWeights)
    made.finished(CANDIDATE, made.weights(), epochs=2.0)
    assert not lab.directory.path.exists()

"""The last work on a finalist: its accuracy on the test set, and its network exported to files.

A search keeps no weights and never opens the test set. The campaign that trains its finalists says whose networks they
are (`[finalists] origins`).
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Literal

from torch import nn

import hpc_nas
from hpc_nas.configuration import Configuration
from hpc_nas.errors import RecordError, RunDirectoryError
from hpc_nas.group.trainer_resources import TrainerResources
from hpc_nas.records.network_files import NOT_EXPORTED, RESULT_NAME, NetworkResult, network_dir
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.spaces.architecture import ARCHITECTURE_NAME, Architecture, json_options
from hpc_nas.tasks.base import HeldOut, Inputs
from hpc_nas.tasks.sums import Means
from hpc_nas.training.best_weights import BestWeights, Finish, NothingKept, Weights
from hpc_nas.training.checkpoint import Plain
from hpc_nas.training.export import (
    ONNX_NAME,
    PROGRAM_NAME,
    WEIGHTS_NAME,
    NotExported,
    export_network,
    read_weights,
    weights_file,
)
from hpc_nas.training.failures import Failure, guarded, release_memory
from hpc_nas.training.test_set import evaluate
from hpc_nas.values import Candidate

logger = logging.getLogger(__name__)


class FinalTestExport:
    """Writes the network's directory, whole file by whole file, the result last."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        bench: TrainerResources,
        directory: RunDirectory,
        cache_dir: Path,
    ) -> None:
        self._configuration = configuration
        self._bench = bench
        self._directory = directory
        self._cache_dir = cache_dir

    def weights(self) -> BestWeights:
        return BestWeights()

    def finished(self, candidate: Candidate, weights: Weights, *, epochs: float) -> None:
        assert isinstance(weights, BestWeights)
        origin = self._configuration.finalists.origins[candidate.number]
        files = _Files(self._directory, path=network_dir(self._directory, origin))
        content = weights_file(weights.module)
        files.publish(WEIGHTS_NAME, content)
        state = read_weights(content)  # from here on the network is what the file says
        held_out = self._bench.data.held_out(self._configuration.data, cache_dir=self._cache_dir)
        tested = self._test(candidate, state, held_out)
        architecture = self._architecture(candidate, held_out)
        files.publish(ARCHITECTURE_NAME, architecture.model_dump_json(indent=2) + "\n")
        exported = self._export(architecture, state, held_out, files=files)
        result = _result(
            candidate,
            weights,
            tested,
            held_out=held_out,
            origin=origin,
            epochs=epochs,
            test_set="validated on" if self._configuration.data.validate_on_test else "untouched",
            files={"weights": WEIGHTS_NAME, "architecture": ARCHITECTURE_NAME, **exported},
        )
        files.publish(RESULT_NAME, result.model_dump_json(indent=2) + "\n")
        logger.info("candidate %d: saved in %s", candidate.number, files.path)
        release_memory()

    def _test(self, candidate: Candidate, state: Plain, held_out: HeldOut) -> Means | Failure:
        bench = self._bench
        look = partial(
            evaluate,
            candidate,
            state,
            space=bench.space,
            held_out=held_out,
            section=self._configuration.training,
            device=bench.device,
        )
        return guarded(look, building=False)

    def _architecture(self, candidate: Candidate, held_out: HeldOut) -> Architecture:
        bench = self._bench
        recipe = bench.space.recipe(candidate.parameters, bench.data.problem)
        return Architecture(
            hpc_nas_version=hpc_nas.__version__,
            space=bench.space.name,
            options=json_options(bench.space),
            parameters=candidate.parameters,
            problem=bench.data.problem,
            normalization=held_out.normalization,
            recipe=recipe.override(self._configuration.training),
            num_parameters=candidate.num_parameters,
            num_layers=candidate.num_layers,
            macs=candidate.macs,
        )

    def _export(
        self, architecture: Architecture, state: Plain, held_out: HeldOut, *, files: _Files
    ) -> dict[str, str]:
        """On the host, so that what comes out runs anywhere."""
        loaded = guarded(partial(_load, architecture, state, held_out), building=True)
        if isinstance(loaded, Failure):
            nothing = NotExported(reason=loaded.message)
            made: dict[str, bytes | NotExported] = {PROGRAM_NAME: nothing, ONNX_NAME: nothing}
        else:
            made = export_network(*loaded)
        exported = {}
        for kind, name in (("torch_export", PROGRAM_NAME), ("onnx", ONNX_NAME)):
            content = made[name]
            if isinstance(content, NotExported):
                exported[kind] = f"{NOT_EXPORTED}{content.reason}"
                files.remove(name)
            else:
                exported[kind] = name
                files.publish(name, content)
        return exported


class _Files:
    """One network's directory."""

    def __init__(self, directory: RunDirectory, *, path: Path) -> None:
        self._directory = directory
        self.path = path

    def publish(self, name: str, content: bytes | str) -> None:
        """Raises RecordError: a disk that takes no network is the whole campaign's trouble."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._directory.publish(self.path / name, content)
        except OSError as error:
            raise RecordError(f"{self.path} can't be made: {error.strerror}; free space") from error
        except RunDirectoryError as error:
            raise RecordError(str(error)) from error

    def remove(self, name: str) -> None:
        """What an earlier attempt may have left is not this network."""
        (self.path / name).unlink(missing_ok=True)


def make_finish(
    configuration: Configuration, *, bench: TrainerResources, directory: RunDirectory, cache_dir: Path
) -> Finish:
    """What the campaign that is configured wants of its networks."""
    if not configuration.finalists.origins:
        return NothingKept()
    return FinalTestExport(configuration, bench=bench, directory=directory, cache_dir=cache_dir)


def _load(architecture: Architecture, state: Plain, held_out: HeldOut) -> tuple[nn.Module, Inputs]:
    module = architecture.rebuild().module
    module.load_state_dict(state, strict=True)
    return module.eval(), held_out.data.example_inputs(module)


def _result(
    candidate: Candidate,
    weights: BestWeights,
    tested: Means | Failure,
    *,
    held_out: HeldOut,
    origin: int,
    epochs: float,
    test_set: Literal["untouched", "validated on"],
    files: dict[str, str],
) -> NetworkResult:
    return NetworkResult(
        candidate=origin,
        finalist=candidate.number,
        seed=candidate.seed,
        epochs=epochs,
        weights_epoch=weights.epoch,
        val_accuracy=weights.accuracy,
        val_loss=weights.loss,
        test_accuracy=None if isinstance(tested, Failure) else tested.accuracy,
        test_loss=None if isinstance(tested, Failure) else tested.loss,
        test_message=tested.message if isinstance(tested, Failure) else "",
        num_test=held_out.num_samples,
        test_set=test_set,
        checksum=held_out.checksum,
        files=files,
    )

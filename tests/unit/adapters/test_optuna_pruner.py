"""The pruner in real Optuna studies."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from estimator import Engine, History, Standing, preset
from hpc_nas.adapters.optuna_pruner import HpcNasPruner, from_fraction, from_loss, percent

Objective = Callable[[optuna.Trial], float]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def study_of(pruner: HpcNasPruner, *, direction: str = "maximize") -> optuna.Study:
    return optuna.create_study(
        direction=direction, pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=1)
    )


def reporting(curves: Sequence[Sequence[float]], *, first_step: int = 1) -> Objective:
    """Trial k reports curve k, and is pruned when the pruner says so."""

    def objective(trial: optuna.Trial) -> float:
        for step, value in enumerate(curves[trial.number], start=first_step):
            trial.report(float(value), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(value)

    return objective


def num_reports(study: optuna.Study) -> list[int]:
    return [len(trial.intermediate_values) for trial in study.trials]


# --- real trainings


def test_real_networks_are_pruned_and_the_best_is_found() -> None:
    images, labels = load_digits(return_X_y=True)
    images = images / 16.0
    train, test = slice(0, 1200), slice(1200, None)

    def objective(trial: optuna.Trial) -> float:
        width = trial.suggest_int("width", 2, 64, log=True)
        rate = trial.suggest_float("rate", 1e-5, 1e-2, log=True)
        network = MLPClassifier((width,), learning_rate_init=rate, random_state=trial.number)
        for epoch in range(1, 13):
            network.partial_fit(images[train], labels[train], classes=range(10))
            accuracy = 100 * network.score(images[test], labels[test])
            trial.report(accuracy, step=epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return accuracy

    pruned = study_of(HpcNasPruner(preset("rungs", max_epochs=12, fractions="0.2,0.5", keep="0.5,0.5")))
    pruned.optimize(objective, n_trials=14)
    full = study_of(HpcNasPruner(preset("none", max_epochs=12)))
    full.optimize(objective, n_trials=14)
    states = [trial.state for trial in pruned.trials]
    assert 3 <= states.count(TrialState.PRUNED) <= 11
    assert set(states) == {TrialState.PRUNED, TrialState.COMPLETE}
    assert pruned.best_trial.number == full.best_trial.number
    assert pruned.best_value > 85.0
    assert sum(num_reports(pruned)) < sum(num_reports(full)) == 14 * 12


@pytest.mark.parametrize("name", ["rungs", "median", "peng4nn-fast", "any(patience, median:min_curves=3)"])
def test_recorded_curves_are_stopped_where_engines_stop_them(name: str, test_data: Path) -> None:
    curves = np.load(test_data / "curves" / "lemur_dev.npz", allow_pickle=False)["val_acc"][:24]
    curves = curves[np.isfinite(curves).all(axis=1)]
    chosen = preset(name, max_epochs=curves.shape[1], epochs_per_interval=1)
    history, expected = History(), []
    for number, curve in enumerate(curves):
        engine, epoch = Engine(chosen, history=history, candidate=number), 0
        while engine.decision is None and epoch < len(curve):
            engine.observe(epoch + 1, val_accuracy=curve[epoch])
            epoch += 1
        expected.append(epoch)
    study = study_of(HpcNasPruner(chosen))
    study.optimize(reporting(curves), n_trials=len(curves))
    assert num_reports(study) == expected
    assert any(trial.state is TrialState.PRUNED for trial in study.trials)


# --- what the population is

RISING = [20.0, 40.0, 50.0, 55.0]


def test_what_ended_how_is_told_to_the_rule() -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.number == 3:
            raise ValueError("a trial that fails before it reports")
        if trial.number == 5:
            trial.report(1.0, 1)
            raise ValueError("a trial that fails after it has reported")
        length = 2 if trial.number == 1 else 4
        for step in range(1, length + 1):
            trial.report(RISING[step - 1], step)
            if trial.should_prune() or trial.number == 2:
                raise optuna.TrialPruned
        return RISING[-1]

    pruner = HpcNasPruner(preset("none", max_epochs=4))
    study = study_of(pruner)
    study.optimize(objective, n_trials=7, catch=(ValueError,))
    (known,) = pruner._studies.values()
    standings = {number: member.standing for number, member in known.history.members.items()}
    assert standings == {
        0: Standing.FINISHED,
        1: Standing.STOPPED,  # complete, but not with the whole budget
        2: Standing.STOPPED,
        4: Standing.FINISHED,
        5: Standing.FAILED,
    }
    assert [len(known.history.members[number].curve) for number in standings] == [4, 2, 1, 4, 1]
    assert list(known.engines) == [6]


def test_a_pruner_that_begins_later_knows_the_trials_before_it() -> None:
    curves = [[50.0] * 4] * 6 + [[10.0] * 4] * 2
    study = study_of(HpcNasPruner(preset("median", max_epochs=4)))
    study.optimize(reporting(curves), n_trials=7)
    assert num_reports(study) == [4] * 6 + [1]
    study.pruner = pickle.loads(pickle.dumps(HpcNasPruner(preset("median", max_epochs=4))))
    study.optimize(reporting(curves), n_trials=1)
    assert num_reports(study) == [4] * 6 + [1, 1]


def test_studies_do_not_share_what_they_know() -> None:
    pruner = HpcNasPruner(preset("median", max_epochs=4))
    study_of(pruner).optimize(reporting([[50.0] * 4] * 6), n_trials=6)
    other = study_of(pruner)
    other.optimize(reporting([[10.0] * 4]), n_trials=1)
    assert num_reports(other) == [4]


def test_asked_twice_it_says_the_same_and_a_stop_is_final() -> None:
    def objective(trial: optuna.Trial) -> float:
        answers = []
        for step, value in enumerate([50.0, 50.0, 50.0, 90.0], start=1):
            trial.report(value, step)
            answers += [trial.should_prune(), trial.should_prune()]
        assert answers == [False] * 4 + [True] * 4
        return 90.0

    study_of(HpcNasPruner(preset("patience", max_epochs=9, patience_epochs=2))).optimize(
        objective, n_trials=1
    )


# --- scores, steps, failures


def test_a_loss_is_minimised_through_a_score_that_falls() -> None:
    curves = [[2.0, 1.0, 0.5, 0.4]] * 6 + [[3.0, 2.9, 2.8, 2.7], [1.9, 0.9, 0.4, 0.3]]
    study = study_of(HpcNasPruner(preset("median", max_epochs=4), score=from_loss), direction="minimize")
    study.optimize(reporting(curves), n_trials=8)
    assert num_reports(study) == [4] * 6 + [1, 4]
    assert study.best_trial.number == 7


def test_scores_keep_the_order() -> None:
    assert [percent(50.0), from_fraction(0.5), from_loss(0.0), from_loss(1.0)] == [50.0, 50.0, 100.0, 50.0]
    assert from_loss(1e9) > from_loss(1e10) > 0.0


def test_fractions_take_their_score() -> None:
    study = study_of(HpcNasPruner(preset("i-epoch", max_epochs=4, epochs=2), score=from_fraction))
    study.optimize(reporting([[0.2, 0.4, 0.5]]), n_trials=1)
    assert num_reports(study) == [2]


@pytest.mark.parametrize(
    ("direction", "arguments", "message"),
    [
        (
            "minimize",
            {},
            "the study minimises its objective, but score rises with it; give HpcNasPruner a score",
        ),
        ("maximize", {"score": from_loss}, "the study maximises its objective, but score falls with it"),
        (
            "maximize",
            {"score": lambda value: 3 * value},
            r"trial 0: epoch 2: val_accuracy = 120.0 is outside 0",
        ),
    ],
)
def test_a_score_that_can_not_be_is_refused(
    direction: str, arguments: dict[str, Callable[[float], float]], message: str
) -> None:
    study = study_of(HpcNasPruner(preset("median", max_epochs=4), **arguments), direction=direction)
    with pytest.raises(ValueError, match=message):
        study.optimize(reporting([RISING]), n_trials=1)


def test_steps_are_epochs_unless_said_otherwise() -> None:
    chosen = preset("i-epoch", max_epochs=4, epochs=2)
    zero_based = study_of(HpcNasPruner(chosen, first_step=0))
    zero_based.optimize(reporting([RISING], first_step=0), n_trials=1)
    halves = study_of(HpcNasPruner(chosen, epochs_per_step=0.5))
    halves.optimize(reporting([[*RISING, 56.0]]), n_trials=1)
    assert (num_reports(zero_based), num_reports(halves)) == ([2], [4])
    with pytest.raises(ValueError, match=r"trial 0: step 0 comes before first_step = 1; .* use first_step=0"):
        study_of(HpcNasPruner(chosen)).optimize(reporting([RISING], first_step=0), n_trials=1)


def test_steps_are_read_in_their_order() -> None:
    def objective(trial: optuna.Trial) -> float:
        for step in (2, 1, 3):
            trial.report(RISING[step], step)
        assert not trial.should_prune()
        return RISING[3]

    pruner = HpcNasPruner(preset("none", max_epochs=4))
    study_of(pruner).optimize(objective, n_trials=2)
    (known,) = pruner._studies.values()
    assert known.engines[1].curve.epochs.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_trial_that_reports_what_is_not_finite_is_pruned_and_counts_as_failed(bad: float) -> None:
    pruner = HpcNasPruner(preset("none", max_epochs=4))
    study = study_of(pruner)
    study.optimize(reporting([[20.0, bad, 30.0], RISING]), n_trials=2)
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED, TrialState.COMPLETE]
    (known,) = pruner._studies.values()
    assert known.history.members[0].standing is Standing.FAILED


def test_what_optuna_can_not_do_is_refused() -> None:
    with pytest.raises(ValueError, match=r"preset 'asha' pauses candidates, and Optuna can't resume a trial"):
        HpcNasPruner(preset("asha", max_epochs=4))
    with pytest.raises(ValueError, match=r"epochs_per_step = 0\.0 must be a finite number above 0"):
        HpcNasPruner(preset("none", max_epochs=4), epochs_per_step=0.0)


def test_threads_may_share_a_pruner() -> None:
    study = study_of(HpcNasPruner(preset("median", max_epochs=4)))
    study.optimize(reporting([[50.0 + number] * 4 for number in range(16)]), n_trials=16, n_jobs=4)
    assert all(trial.state.is_finished() for trial in study.trials)

"""Curve files and curve sets: what is read, what is refused, and that writing loses nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hpc_nas.errors import RecordError
from hpc_nas.records.curve_file import CurveSet, kind_of, load_curve_sets
from hpc_nas.records.curve_writer import save_curve_sets

NAN = math.nan
SOUND = np.array([[10.0, 20.0, 30.0], [11.0, 21.0, 31.0], [12.0, 22.0, NAN]])


def written(path: Path, **columns: Any) -> Path:
    """A curve file with these keys, written without this project's writer."""
    columns = {"epochs": np.array([1.0, 2.0, 3.0]), "val_acc": SOUND, **columns}
    columns = {key: values for key, values in columns.items() if values is not None}
    if path.suffix == ".npz":
        np.savez(path, **columns)
        return path
    with h5py.File(path, "w") as file:
        for key, values in columns.items():
            file[key] = values
    return path


def curve_set(**changes: Any) -> CurveSet:
    sound: dict[str, Any] = {
        "name": "by hand",
        "ids": ("a", "b", "c"),
        "epochs": [1.0, 2.0, 3.0],
        "val_accuracy": SOUND,
        "max_epochs": 3.0,
    }
    return CurveSet(**{**sound, **changes})


def same(first: CurveSet, second: CurveSet) -> None:
    for name in ("name", "ids", "max_epochs"):
        assert getattr(first, name) == getattr(second, name)
    for name in ("epochs", "val_accuracy", "val_loss", "train_loss", "train_accuracy", "chance_accuracy"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.hyperparameters.keys() == second.hyperparameters.keys()
    for name, values in first.hyperparameters.items():
        np.testing.assert_array_equal(values, second.hyperparameters[name])


# --- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits.npz", "digits.h5"])
def test_a_file_without_data_sets_is_one_set_with_the_files_name(tmp_path: Path, name: str) -> None:
    path = written(
        tmp_path / name,
        train_loss=np.ones((3, 3)),
        lr=np.array([0.1, 0.2, NAN]),
        n_epochs=np.array([3, 3, 2]),
        epoch_time_s=np.ones((3, 3)),
        id=np.array([b"a", b"b", b"c"]),
    )
    (curves,) = load_curve_sets(path)
    same(
        curves,
        curve_set(name="digits", train_loss=np.ones((3, 3)), hyperparameters={"lr": [0.1, 0.2, NAN]}),
    )
    assert curves.finished.tolist() == [True, True, False]
    assert curves.epochs_per_interval == 1.0
    assert curves.truth.tolist() == [30.0, 31.0, 22.0]


def test_data_sets_split_a_file_in_order_of_appearance_and_keep_their_own_epochs(tmp_path: Path) -> None:
    path = written(
        tmp_path / "mixed.npz", dataset=np.array(["mnist", "cifar", "mnist"]), val_acc=SOUND[[0, 2, 1]]
    )
    mnist, cifar = load_curve_sets(path)
    assert (mnist.name, mnist.ids, mnist.max_epochs) == ("mnist", ("0", "2"), 3.0)
    assert (cifar.name, cifar.ids, cifar.max_epochs) == ("cifar", ("1",), 2.0)
    assert cifar.val_accuracy.tolist() == [[12.0, 22.0]]


def test_without_epochs_they_count_from_one(tmp_path: Path) -> None:
    (curves,) = load_curve_sets(written(tmp_path / "c.npz", epochs=None))
    assert curves.epochs.tolist() == [1.0, 2.0, 3.0]


def test_full_budget_and_chance_are_read_where_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path / "c.npz", max_epochs=np.array(5.0), chance_accuracy=np.full(3, 10.0))
    (curves,) = load_curve_sets(path)
    assert (curves.max_epochs, curves.chance_accuracy) == (5.0, 10.0)
    assert not curves.finished.any()


def test_the_recorded_files_are_read(test_data: Path) -> None:
    lemur = load_curve_sets(test_data / "curves" / "lemur_dev.npz")
    assert [(part.name, len(part), int(part.finished.sum())) for part in lemur] == [
        ("cifar-10", 487, 487),
        ("imagenette", 358, 358),
        ("mnist", 464, 464),
    ]
    (a4nn,) = load_curve_sets(test_data / "curves" / "a4nn_1e14.npz")
    assert (len(a4nn), int(a4nn.finished.sum()), a4nn.max_epochs) == (300, 185, 25.0)
    (digits,) = load_curve_sets(test_data / "curves" / "random_cnn_digits.npz")
    assert digits.knows_train_loss
    assert (digits.epochs_per_interval, digits.max_epochs) == (0.5, 20.0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"val_acc": None}, "no key 'val_acc'; there are: epochs"),
        ({"val_acc": SOUND[0]}, "val_acc has shape (3,); needed: one row per candidate"),
        ({"epochs": np.arange(1.0, 5.0)}, "epochs has shape (4,), but val_acc 3 columns"),
        ({"epochs": np.array([1.0, 1.0, 2.0])}, "epochs[1] = 1; epochs must be finite, above 0, and rise"),
        ({"epochs": np.array([0.0, 1.0, 2.0])}, "epochs[0] = 0"),
        ({"epochs": np.array([1.0, NAN, 2.0])}, "epochs[1] = nan"),
        ({"val_acc": SOUND + 80}, "candidate 0 (row 0), epoch 3: val_accuracy = 110 is outside 0..100"),
        ({"val_acc": np.where(SOUND == 21, math.inf, SOUND)}, "epoch 2: val_accuracy = inf is outside"),
        ({"val_acc": np.where(SOUND == 21, -1, SOUND)}, "val_accuracy = -1 is outside"),
        ({"val_acc": SOUND / 100}, "these look like fractions; give percent"),
        (
            {"val_acc": np.where(SOUND == 21, NAN, SOUND)},
            "row 1), epoch 2: no val_accuracy, though the curve",
        ),
        ({"val_acc": np.full((3, 3), NAN)}, "holds no curves: every val_acc is NaN"),
        ({"val_acc": np.empty((0, 3))}, "holds no curves"),
        ({"val_acc": np.full((3, 3), "high")}, "not numbers"),
        ({"train_loss": np.ones((2, 3))}, "train_loss has shape (2, 3), val_acc (3, 3)"),
        ({"train_acc": SOUND * 10}, "train_accuracy = 200 is outside"),
        ({"dataset": np.array(["mnist"])}, "dataset has shape (1,), but val_acc 3 rows"),
        (
            {"max_epochs": np.array(2.0)},
            "max_epochs = 2 must be finite and at least the last epoch recorded, 3",
        ),
        ({"max_epochs": np.array([3.0, 4.0, 3.0])}, "max_epochs must be one number"),
        ({"chance_accuracy": np.array(110.0)}, "chance_accuracy = 110.0 must be in percent"),
    ],
)
def test_curves_that_cannot_be_are_refused_with_file_and_place(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    path = written(tmp_path / "bad.npz", **columns)
    with pytest.raises(RecordError) as refused:
        load_curve_sets(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert message in str(refused.value)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}, [2], None], dtype=object)
    (curves,) = load_curve_sets(written(tmp_path / "extra.npz", genome=objects))
    assert list(curves.hyperparameters) == []
    path = written(tmp_path / "needed.npz", val_acc=np.array([[1, 2, 3]] * 3, dtype=object))
    with pytest.raises(RecordError, match="Object arrays cannot be loaded"):
        load_curve_sets(path)


def test_missing_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("epoch,val_acc\n")
    (tmp_path / "text.h5").write_text("epoch,val_acc\n")
    (tmp_path / "curves.csv").write_text("epoch,val_acc\n")
    np.save(tmp_path / "single.npy", SOUND)
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    with h5py.File(tmp_path / "rank.h5", "w") as file:
        file.attrs["kind"] = "trainer"
    with h5py.File(tmp_path / "newer.h5", "w") as file:
        file.attrs["kind"], file.attrs["schema_version"] = "curves", 99
    for name, message in {
        "nowhere.npz": "no such file",
        "nowhere.h5": "no such file",
        "cut.npz": "truncated or foreign",
        "text.npz": "truncated or foreign",
        "text.h5": "truncated or foreign",
        "curves.csv": "not a curve file; these end in .npz or .h5",
        "single.npz": "no .npz archive",
        "rank.h5": "a file of kind 'trainer'",
        "newer.h5": "schema version 99, but this hpc-nas reads 1",
    }.items():
        with pytest.raises(RecordError) as refused:
            load_curve_sets(tmp_path / name)
        assert str(tmp_path / name) in str(refused.value)
        assert message in str(refused.value)
    assert kind_of(tmp_path / "rank.h5") == "trainer"
    assert kind_of(tmp_path / "text.h5") == ""


# --- writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.h5", "out.npz"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    first = curve_set(
        val_loss=[[1.0, NAN, math.inf]] * 3, chance_accuracy=10.0, hyperparameters={"lr": [0.1, NAN, 0.3]}
    )
    second = curve_set(
        name="other",
        ids=("ä", "e"),
        epochs=[0.5, 1.0, 1.5],
        max_epochs=1.5,
        val_accuracy=SOUND[:2],
        train_accuracy=SOUND[:2],
        hyperparameters={"depth": [3, 4]},
    )
    loaded = load_curve_sets(save_curve_sets([first, second], tmp_path / "new" / name))
    assert [part.name for part in loaded] == ["by hand", "other"]
    assert loaded[0].epochs.tolist() == [1.0, 2.0, 3.0]
    assert loaded[1].epochs.tolist() == [0.5, 1.0, 1.5]
    assert loaded[1].ids == ("ä", "e")
    np.testing.assert_array_equal(loaded[0].val_loss, first.val_loss)
    np.testing.assert_array_equal(loaded[0].val_accuracy, SOUND)
    np.testing.assert_array_equal(loaded[1].train_accuracy, SOUND[:2])
    assert loaded[0].chance_accuracy == 10.0
    assert math.isnan(loaded[1].chance_accuracy)
    np.testing.assert_array_equal(loaded[0].hyperparameters["lr"], [0.1, NAN, 0.3])
    np.testing.assert_array_equal(loaded[1].hyperparameters["depth"], [3.0, 4.0])
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = save_curve_sets([curve_set()], tmp_path / "c.h5")
    before = path.read_bytes()
    with pytest.raises(RecordError, match="can't be called 'dataset'"):
        save_curve_sets([curve_set(hyperparameters={"dataset": [1, 2, 3]})], path)
    assert path.read_bytes() == before
    with pytest.raises(RecordError, match=r"end it in \.h5 or \.npz"):
        save_curve_sets([curve_set()], tmp_path / "c.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="can't be written"):
        save_curve_sets([curve_set()], tmp_path / "file" / "c.h5")


# --- the set itself ------------------------------------------------------------------------------------------


def test_only_complete_curves_have_a_truth() -> None:
    curves = curve_set(train_loss=np.arange(9.0).reshape(3, 3), hyperparameters={"lr": [0.1, 0.2, 0.3]})
    complete = curves.complete()
    assert complete.ids == ("a", "b")
    assert complete.train_loss is not None
    assert complete.train_loss.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert complete.hyperparameters["lr"].tolist() == [0.1, 0.2]
    with pytest.raises(RecordError, match="1 of 3 curves reach 3 epochs"):
        curve_set(val_accuracy=np.where(SOUND == 31, NAN, SOUND)).complete()
    with pytest.raises(
        RecordError, match=r"0 of 3 curves reach 4 epochs \(the last observation of any is at 3\)"
    ):
        curve_set(max_epochs=4.0).complete()


def test_networks_that_learn_nothing_may_be_looked_at_alone() -> None:
    curves = curve_set(val_accuracy=[[0.5, 1.0, 1.0], [1.0, 0.9, 1.0], [0.8, 30.0, 40.0]])
    assert curves.only([0, 1]).truth.tolist() == [1.0, 1.0]
    assert curves.until(1.0).truth.tolist() == [0.5, 1.0, 0.8]
    with pytest.raises(ValueError, match="read-only"):
        curves.only([0, 1]).val_accuracy[0, 0] = 99.0
    with pytest.raises(RecordError, match="max_epochs = inf must be finite"):
        curves.until(math.inf)
    with pytest.raises(RecordError, match="holds no curves"):
        curves.only([False] * 3)


def test_a_smaller_budget_cuts_the_curves_and_completes_more_of_them() -> None:
    cut = curve_set(train_loss=np.ones((3, 3))).until(2.0)
    assert (cut.max_epochs, cut.epochs.tolist()) == (2.0, [1.0, 2.0])
    assert cut.val_accuracy.shape == (3, 2)
    assert cut.train_loss is not None
    assert cut.train_loss.shape == (3, 2)
    assert len(cut.complete()) == 3
    with pytest.raises(RecordError, match=r"no observation up to 0\.5 epochs, the first is at 1"):
        curve_set().until(0.5)


def test_curves_cannot_be_changed_afterwards() -> None:
    source = SOUND.copy()
    curves = curve_set(val_accuracy=source)
    source[0, 0] = 99.0
    assert curves.val_accuracy[0, 0] == 10.0
    with pytest.raises(ValueError, match="read-only"):
        curves.val_accuracy[0, 0] = 99.0


def test_columns_must_have_one_number_per_candidate() -> None:
    with pytest.raises(RecordError, match="column 'lr' has 2 values for 3 candidates"):
        curve_set(hyperparameters={"lr": [0.1, 0.2]})
    with pytest.raises(RecordError, match=r"val_loss has shape \(2, 3\)"):
        curve_set(val_loss=np.ones((2, 3)))

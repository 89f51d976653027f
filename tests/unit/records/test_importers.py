"""Importers: files of PENGUIN and A4NN become the curves that they hold."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from hpc_nas.errors import RecordError
from hpc_nas.records.importers import import_a4nn, import_penguin

PENGUIN_HEADER = "epochs trainLoss valLoss valAcc ID random_seed dataset batch_size learning_rate convFilters"
A4NN_HEADER = [
    *("epoch", "train_accs", "val_accs", "epoch_times", "predictions", "converged", "params", "function"),
    *("penguin_times", "genome", "architecture", "flops", "arch"),
]


def penguin_file(path: Path, *rows: str, dataset: str = "MNIST") -> Path:
    first, *others = rows
    about = f"{path.stem} 7 {dataset} 25 0.1 301-297"
    path.write_text(
        "\n".join([PENGUIN_HEADER, f"{first} {about}", *(f"{row}      " for row in others)]) + "\n"
    )
    return path


def a4nn_row(*, arch: int, epoch: int, val: float) -> list[object]:
    function = "[1. 2.\n 3.]" if epoch > 1 else ""
    return [epoch, val + 1, val, 3.5, "inf", False, "", function, 0.01, "[[0, 1]]", "[[[0]]]", 893.4, arch]


def a4nn_file(path: Path, rows: list[list[object]], *, header: list[str] = A4NN_HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


# --- PENGUIN -------------------------------------------------------------------------------------------------


def test_the_published_networks_are_read_as_they_are(test_data: Path) -> None:
    directory = test_data / "curves" / "penguin_cifar100"
    (curves,) = import_penguin(directory)
    assert curves.name == "CIFAR100"
    assert curves.ids == tuple(sorted(path.stem for path in directory.glob("*.txt")))
    assert curves.epochs.tolist() == np.arange(0.5, 40.5, 0.5).tolist()
    assert curves.finished.all()
    assert curves.train_loss is not None
    assert curves.val_loss is not None
    assert curves.train_accuracy is None
    first = curves.ids.index("2021_02_15_13_55_26_539263")
    assert curves.val_accuracy[first, :2].tolist() == [9.68, 14.91]
    assert curves.train_loss[first, 0] == 4.253769808530808
    assert curves.val_loss[first, 0] == 3.8971090102730845
    assert curves.hyperparameters["learning_rate"][first] == 0.11464760689500715
    assert curves.hyperparameters["FCFilters"][first] == 100.0
    assert not {"random_seed", "convFilters", "train_GPU"} & curves.hyperparameters.keys()


def test_data_sets_become_sets_and_short_curves_end_in_nan(tmp_path: Path) -> None:
    penguin_file(tmp_path / "a.txt", "0.5 2.0 2.1 30.0", "1.0 1.0 1.1 40.0")
    penguin_file(tmp_path / "b.txt", "0.5 2.0 2.1 31.0")
    penguin_file(tmp_path / "c.txt", "0.5 2.0 2.1 32.0", dataset="CIFAR10")
    mnist, cifar = import_penguin(tmp_path)
    assert (mnist.name, mnist.ids) == ("MNIST", ("a", "b"))
    np.testing.assert_array_equal(mnist.val_accuracy, [[30.0, 40.0], [31.0, math.nan]])
    assert mnist.hyperparameters["batch_size"].tolist() == [25.0, 25.0]
    assert (cifar.name, cifar.ids, cifar.max_epochs) == ("CIFAR10", ("c",), 0.5)


def test_a_network_that_failed_ends_where_it_failed(tmp_path: Path) -> None:
    penguin_file(tmp_path / "a.txt", "0.5 2.0 2.1 30.0", "1.0 1.0 1.1 40.0")
    penguin_file(tmp_path / "b.txt", "0.5 nan inf 31.0", "1.0 nan nan nan", "1.5 nan nan 10.0")
    (curves,) = import_penguin(tmp_path)
    np.testing.assert_array_equal(curves.val_accuracy, [[30.0, 40.0], [31.0, math.nan]])
    assert curves.val_loss is not None
    assert curves.val_loss[1, 0] == math.inf


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no file of PENGUIN: its first line has no epochs or valAcc"),
        ("epochs trainLoss\n0.5 1.0\n", "its first line has no valAcc"),
        (f"{PENGUIN_HEADER}\n0.5 1.0 1.0 30 a 1 MNIST\n1.0 1.0\n", "line 3: ends before valAcc"),
        (f"{PENGUIN_HEADER}\nhalf 1.0 1.0 30\n", "line 2: epochs = 'half' is no number"),
        (f"{PENGUIN_HEADER}\n0.5 1 1 30\n0.5 1 1 31\n", "epoch 0.5 comes after epoch 0.5"),
        (f"{PENGUIN_HEADER}\n0.5 1 1 300\n", "val_accuracy = 300 is outside 0..100"),
        (f"{PENGUIN_HEADER}\n0.5 1 1 0.3\n1.0 1 1 0.5\n", "these look like fractions"),
        (f"{PENGUIN_HEADER}\n", "no finite accuracy in any of 1 curves"),
    ],
)
def test_text_that_is_not_penguins_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "net.txt").write_text(content)
    with pytest.raises(RecordError) as refused:
        import_penguin(tmp_path)
    assert message in str(refused.value)


def test_a_directory_without_networks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no \.txt files here"):
        import_penguin(tmp_path)
    with pytest.raises(RecordError, match="can't be read"):
        import_penguin(tmp_path / "nowhere")


# --- A4NN ----------------------------------------------------------------------------------------------------


def test_a_table_as_published_becomes_a_set_with_epochs_from_one(tmp_path: Path) -> None:
    rows = [a4nn_row(arch=51, epoch=epoch, val=50.0 + epoch) for epoch in range(3)]
    rows += [a4nn_row(arch=26, epoch=epoch, val=60.0 + epoch) for epoch in range(2)]
    (curves,) = import_a4nn([a4nn_file(tmp_path / "1gpu_1e14_stopping_training_data.csv", rows)])
    assert (curves.name, curves.ids) == ("1gpu_1e14_stopping", ("51", "26"))
    assert curves.epochs.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(curves.val_accuracy, [[50.0, 51.0, 52.0], [60.0, 61.0, math.nan]])
    assert curves.train_accuracy is not None
    assert curves.train_accuracy[0].tolist() == [51.0, 52.0, 53.0]
    assert curves.hyperparameters["flops"].tolist() == [893.4, 893.4]
    assert curves.finished.tolist() == [True, False]


def test_networks_may_be_mixed_and_columns_named_otherwise(tmp_path: Path) -> None:
    header = ["", "Epoch", "Val_Acc", "arch_id"]
    mixed = [[0, 1, 50.0, "x"], [1, 1, 60.0, "y"], [2, 2, 61.0, "y"], [3, 2, 51.0, "x"]]
    (curves,) = import_a4nn([a4nn_file(tmp_path / "t.csv", mixed, header=header)])
    assert curves.ids == ("x", "y")
    assert curves.val_accuracy.tolist() == [[50.0, 51.0], [60.0, 61.0]]
    assert curves.train_accuracy is None


def test_without_numbers_a_network_begins_where_epochs_go_back(tmp_path: Path) -> None:
    rows: list[list[object]] = [[0, 50.0], [1, 51.0], [0, 60.0], [1, 61.0]]
    (curves,) = import_a4nn([a4nn_file(tmp_path / "t.csv", rows, header=["epoch", "val_accs"])])
    assert curves.ids == ("0", "1")
    assert curves.val_accuracy.tolist() == [[50.0, 51.0], [60.0, 61.0]]


def test_a_directory_yields_every_table_below_it_under_names_that_differ(tmp_path: Path) -> None:
    rows = [a4nn_row(arch=1, epoch=epoch, val=50.0) for epoch in range(2)]
    a4nn_file(tmp_path / "1gpu" / "s_training_data.csv", rows)
    a4nn_file(tmp_path / "4gpu" / "s_training_data.csv", rows)
    a4nn_file(tmp_path / "time_to_run.csv", [["1gpu", 3.0]], header=["run", "hours"])
    assert [part.name for part in import_a4nn([tmp_path])] == ["1gpu/s", "4gpu/s"]


def test_tables_that_are_not_a4nns_are_refused(tmp_path: Path) -> None:
    other = a4nn_file(tmp_path / "other" / "hours.csv", [["1gpu", 3.0]], header=["run", "hours"])
    with pytest.raises(
        RecordError, match=r"no table of A4NN, it has the columns run, hours; needed: epoch: one of"
    ):
        import_a4nn([other])
    with pytest.raises(RecordError, match=r"no \.csv file with epoch and val_accs below it"):
        import_a4nn([other.parent])
    with pytest.raises(RecordError, match="can't be read: No such file"):
        import_a4nn([tmp_path / "nowhere.csv"])
    twice = [a4nn_row(arch=1, epoch=1, val=50.0), a4nn_row(arch=1, epoch=1, val=51.0)]
    with pytest.raises(RecordError, match="network 1: epoch 1 comes after epoch 1"):
        import_a4nn([a4nn_file(tmp_path / "twice.csv", twice)])
    with pytest.raises(RecordError, match="row 2: no epoch in it"):
        import_a4nn([a4nn_file(tmp_path / "cut.csv", [[""]])])

"""`hpc-nas replay` and `hpc-nas import`, as they are called; and the curves of a campaign."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from hpc_nas.errors import RecordError
from hpc_nas.records.archive import write_archive
from hpc_nas.records.curve_file import load_curve_sets
from hpc_nas.replay.sources import curves_of_record
from tests.unit.cli_harness import invoke, move_apart, refusal
from tests.unit.report.report_records import make_record

ACCURACY = np.array([[10.0, 20.0, 30.0], [11.0, 25.0, 31.0], [12.0, 22.0, 29.0], [12.0, 22.0, math.nan]])


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_apart(tmp_path, monkeypatch)


@pytest.fixture
def curve_file(tmp_path: Path) -> Path:
    path = tmp_path / "nets.npz"
    np.savez(path, epochs=np.arange(1, 4), val_acc=ACCURACY, width=np.array([1, 2, 2, 2]))
    return path


def test_json_goes_to_standard_output_alone(curve_file: Path) -> None:
    done = invoke("replay", curve_file, "--rule", "i-epoch:epochs=1", "--rule", "none", "--json", "-")
    assert done.code == 0
    figures = json.loads(done.out)["sets"]["nets"]
    assert list(figures) == ["i-epoch:epochs=1", "none"]
    assert figures["none"]["epochs_used_percent"] == 100.0
    assert "nets: 1 incomplete curves left out, their truth is not known; 3 remain" in done.err


def test_a_rule_of_ones_own_is_replayed(curve_file: Path) -> None:
    (curve_file.parent / "my_rules.py").write_text(
        "from estimator.rules import IEpoch\n\n"
        "def my_rule(training, *, epochs=2.0):\n    return IEpoch(epochs=epochs)\n"
    )
    names = (
        f"{curve_file.parent}/my_rules.py:my_rule",
        "i-epoch:epochs=2",
        "../my_rules.py:my_rule:epochs=1",
    )
    done = invoke("replay", curve_file, *(word for name in names for word in ("--rule", name)), "--json", "-")
    assert done.code == 0, done.err
    figures = json.loads(done.out)["sets"]["nets"]
    assert [figures[name]["epochs_used_percent"] for name in names] == pytest.approx(
        [66.67, 66.67, 33.33], abs=0.01
    )


def test_tables_json_file_and_plot_are_written(curve_file: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "new" / "figures.json", tmp_path / "pareto.png"
    done = invoke(
        *("replay", curve_file, "--rule", "median", "--orders", "2", "--trainers", "2", "--seed", "3"),
        *("--json", out, "--per-candidate", "--plot", plot),
    )
    assert done.code == 0, done.err
    assert "nets: 3 candidates, 3 epochs each" in done.out
    candidates = json.loads(out.read_text())["sets"]["nets"]["median"]["candidates"]
    assert [item["id"] for item in candidates] == ["0", "1", "2"]
    assert plot.stat().st_size > 10_000


def test_candidates_budget_and_chance_can_be_chosen(curve_file: Path) -> None:
    chosen = (
        "--where",
        "width=2",
        "--max-epochs",
        "2",
        "--chance-accuracy",
        "10",
        "--json",
        "-",
        "--per-candidate",
    )
    done = invoke("replay", curve_file, "--rule", "none", *chosen)
    found = json.loads(done.out)["sets"]["nets"]["none"]["candidates"]
    assert [(item["id"], item["stop_epoch"], item["estimate"]) for item in found] == [
        ("1", 2.0, 25.0),
        ("2", 2.0, 22.0),
        ("3", 2.0, 22.0),
    ]


def test_sets_are_chosen_by_name_and_files_of_one_name_kept_apart(curve_file: Path, tmp_path: Path) -> None:
    dataset = np.array(["a", "b", "a", "b"])
    for name in ("one", "two"):
        np.savez(tmp_path / f"{name}.npz", val_acc=ACCURACY[[0, 1, 2, 0]], dataset=dataset)
    both = (tmp_path / "one.npz", tmp_path / "two.npz", curve_file)
    done = invoke("replay", *both, "--rule", "none", "--json", "-", "--set", "two/b", "--set", "nets")
    assert list(json.loads(done.out)["sets"]) == ["two/b", "nets"]


def test_the_list_names_every_rule() -> None:
    done = invoke("replay", "--list")
    assert done.code == 0
    for name in ("peng4nn", "i-epoch", "none", "adaptive"):
        assert f"\n{name} " in f"\n{done.out}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name curve files (.npz, .h5) or run directories; --list shows the rules"),
        (("nowhere.npz",), "nowhere.npz: no such file or directory"),
        (("FILE", "--rule", "penq", "--max-epochs", "2"), "--rule penq on nets: unknown preset 'penq'"),
        (("FILE", "--rule", "mine.py:my_rule", "--max-epochs", "2"), "--rule mine.py:my_rule on nets: "),
        (("FILE", "--rule", "mine.py:my_rule", "--max-epochs", "2"), "/mine.py: no such file"),
        (
            ("FILE", "--rule", "i-epoch:epochs=3", "--max-epochs", "2"),
            "epochs = 3 is more than max_epochs = 2",
        ),
        (("FILE", "--set", "net"), "--set net: no such set; there are: nets"),
        (("FILE", "--where", "width"), "--where width: write COLUMN=NUMBER"),
        (("FILE", "--where", "depth=2"), "--where depth: nets has no such column; there are: width"),
        (("FILE", "--where", "width=7"), "--where width=7: no candidate of nets has that"),
        (("FILE", "--where", "width=1"), "1 of 1 curves reach 3 epochs"),
        (("FILE", "--max-epochs", "9"), "0 of 4 curves reach 9 epochs (the last observation of any is at 3)"),
        (("FILE", "--max-epochs", "0.5"), "no observation up to 0.5 epochs"),
        (("FILE", "--chance-accuracy", "200"), "chance_accuracy = 200.0 must be in percent"),
        (("FILE", "FILE"), "two sets are called nets/nets; rename a file"),
    ],
)
def test_mistakes_are_one_clear_message(
    curve_file: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [curve_file if word == "FILE" else word for word in arguments]
    assert message in refusal("replay", *given, tree=tmp_path)


def test_import_writes_a_curve_file_that_can_be_replayed(tmp_path: Path) -> None:
    for name, accuracies in {"a": (30, 40), "b": (20, 50), "c": (10, 15)}.items():
        (tmp_path / f"{name}.txt").write_text(
            "epochs trainLoss valLoss valAcc dataset\n"
            f"0.5 2.0 2.1 {accuracies[0]} MNIST\n1.0 1.5 1.6 {accuracies[1]} \n"
        )
    done = invoke("import", "penguin", tmp_path, "-o", tmp_path / "curves.h5")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "MNIST: 3 candidates, 3 complete, 1 epochs"
    done = invoke("replay", tmp_path / "curves.h5", "--rule", "none", "--json", "-")
    assert list(json.loads(done.out)["sets"]) == ["MNIST"]


def test_import_of_tables(tmp_path: Path) -> None:
    table = tmp_path / "run_training_data.csv"
    table.write_text("epoch,val_accs,arch\n0,50,1\n1,60,1\n0,40,2\n1,70,2\n")
    assert invoke("import", "a4nn", table, "--output", tmp_path / "curves.npz").code == 0
    (curves,) = load_curve_sets(tmp_path / "curves.npz")
    assert (curves.name, curves.ids) == ("run", ("1", "2"))


def test_nothing_is_written_for_what_cannot_be_imported(tmp_path: Path) -> None:
    message = refusal("import", "penguin", tmp_path / "here", "-o", tmp_path / "curves.h5", tree=tmp_path)
    assert "no .txt files here" in message


# --- campaigns -----------------------------------------------------------------------------------------------


def campaign_rows(*, num_candidates: int) -> dict[str, list[dict[str, object]]]:
    """Each has two epochs of two; the first was lost once, and the last never got to a validation."""
    candidates = [{"number": number, "num_parameters": 100 + number} for number in range(num_candidates + 1)]
    observations = [
        {
            "candidate": number,
            "attempt": int(number == 0),
            "epoch": epoch,
            "val_accuracy": 10.0 * number + epoch,
        }
        for number in range(num_candidates)
        for epoch in (1.0, 2.0)
    ]
    lost = {"candidate": 0, "attempt": 0, "epoch": 1.0, "val_accuracy": 99.0}
    return {"candidates": candidates, "observations": [lost, *observations]}


def test_the_curves_of_a_campaign_are_those_of_the_attempts_that_count() -> None:
    record = replace(
        make_record(max_epochs=2.0, **campaign_rows(num_candidates=3)), data={"chance_accuracy": 12.5}
    )
    curves = curves_of_record(record)
    assert (curves.name, curves.ids, curves.max_epochs) == ("by-hand", ("0", "1", "2", "3"), 2.0)
    assert curves.chance_accuracy == 12.5
    assert curves.val_accuracy[:3].tolist() == [[1.0, 2.0], [11.0, 12.0], [21.0, 22.0]]
    assert curves.finished.tolist() == [True, True, True, False]
    assert curves.train_loss is not None
    assert curves.hyperparameters["num_parameters"].tolist() == [100, 101, 102, 103]
    assert curves.hyperparameters["learning_rate"][:3].tolist() == [0.01] * 3
    with pytest.raises(RecordError, match="no observations yet"):
        curves_of_record(make_record(candidates=[{"number": 0}]))


def test_archives_and_run_directories_are_replayed(tmp_path: Path) -> None:
    record = make_record(max_epochs=2.0, **campaign_rows(num_candidates=3))
    write_archive(record, tmp_path / "campaign.h5")
    done = invoke("replay", tmp_path / "campaign.h5", "--rule", "none", "--json", "-")
    assert list(json.loads(done.out)["sets"]) == ["by-hand"], done.err
    assert "by-hand: 1 incomplete curves left out" in done.err
    (tmp_path / "run").mkdir()
    with mock.patch("hpc_nas.replay.sources.load_record", return_value=record) as loading:
        done = invoke("replay", tmp_path / "run", "--rule", "none", "--json", "-")
    assert loading.call_args.args == (tmp_path / "run",)
    assert list(json.loads(done.out)["sets"]) == ["by-hand"]

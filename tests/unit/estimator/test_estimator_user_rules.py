"""Presets from a user's own file: `my_rules.py:my_rule`."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path

import pytest

from estimator import Curve, Engine, History, Preset, Reason, preset
from estimator.forecasters import BestSoFar, LastValue
from estimator.preset_library.expression import Named, parse, with_absolute_paths
from estimator.user_file import load_files, loaded_files

OWN = '''
import math
from dataclasses import dataclass
from estimator import Preset, Reason, Rule, Source, Training, go, stop
from estimator.forecasters import LastValue

@dataclass(frozen=True)
class Ceiling(Rule):
    """Stop whatever has reached an accuracy."""
    ceiling: float = 90.0

    def __post_init__(self):
        if self.ceiling > 100.0:
            raise ValueError(f"ceiling = {self.ceiling} must be 100 or less")

    def decide(self, curve, forecasts, population=None):
        forecast = forecasts[-1]
        if forecast is None or curve.last_accuracy < self.ceiling:
            return go(forecast)
        return stop(forecast, reason=Reason.BUDGET, numbers=(("ceiling", self.ceiling),))

def my_rule(training, *, ceiling=90.0):
    return Ceiling(ceiling)

def whole(training: Training, **settings):
    return Preset(name="whole", max_epochs=training.max_epochs, forecaster=LastValue(),
                  rule=Ceiling(100.0 - training.chance_accuracy), conclusion=Source.LAST_OBSERVED)

def needs(training, *, share):
    return Ceiling(share)

def other_budget(training):
    return Preset(name="other", max_epochs=7.0, forecaster=LastValue(), rule=Ceiling(), conclusion=Source.LAST_OBSERVED)

def nothing(training):
    return 3

def broken(training):
    return {}["ceiling"]

def of_no_training():
    return Ceiling()

not_callable = 4
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "my_rules.py"
    path.write_text(OWN)
    return path


def made(text: str, **settings: float) -> Preset:
    return preset(text, max_epochs=10.0, chance_accuracy=20.0, **settings)


def stop_epoch(chosen: Preset) -> float:
    engine = Engine(chosen)
    for epoch in range(1, 10):
        if engine.observe(epoch, val_accuracy=10.0 * epoch).stop:
            return float(epoch)
    return math.nan


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my_rule", 9.0),
        ("my_rule:ceiling=40", 4.0),
        ("Ceiling", 9.0),
        ("Ceiling:ceiling=30.5", 4.0),
        ("whole", 8.0),
        ("whole:anything=1", 8.0),
        ("needs:share=50", 5.0),
    ],
)
def test_a_rule_of_ones_own_decides(own: Path, name: str, expected: float) -> None:
    assert stop_epoch(made(f"{own}:{name}")) == expected


def test_settings_may_be_given_beside_the_name(own: Path) -> None:
    assert stop_epoch(made(f"{own}:my_rule", ceiling=20.0)) == 2.0


def test_a_rule_alone_is_judged_by_the_best_accuracy(own: Path) -> None:
    chosen = made(f"{own}:my_rule")
    assert (chosen.name, chosen.forecaster, chosen.pauses, chosen.alone) == (
        f"{own}:my_rule",
        BestSoFar(),
        False,
        True,
    )
    assert chosen.chance_accuracy == 20.0
    assert made(f"{own}:whole").forecaster == LastValue()


def test_it_is_combined_like_any_other(own: Path) -> None:
    assert stop_epoch(made(f"any(i-epoch:epochs=6, {own}:my_rule:ceiling=40)")) == 4.0
    assert stop_epoch(made(f"all(i-epoch:epochs=6, {own}:my_rule:ceiling=40)")) == 6.0
    assert stop_epoch(made(f"after(5, {own}:my_rule:ceiling=40)")) == 5.0


def test_a_relative_path_begins_at_the_working_directory(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.parent)
    assert stop_epoch(made("my_rules.py:my_rule:ceiling=40")) == 4.0
    assert with_absolute_paths("any(none, my_rules.py:my_rule)") == f"any(none, {own}:my_rule)"


@pytest.mark.parametrize("folder", ["a b", "lr=0.1", "new (2)", "it's", "one, two", "one:two", 'a "b"'])
def test_a_directory_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    path = tmp_path / folder / "my_rules.py"
    path.parent.mkdir()
    path.write_text(OWN)
    monkeypatch.chdir(path.parent)
    text = with_absolute_paths("any(none, my_rules.py:my_rule:ceiling=40)")
    monkeypatch.chdir(tmp_path)
    assert parse(text).members[1] == Named(  # type: ignore[union-attr]
        name=f"{path}:my_rule", settings=(("ceiling", 40),), is_file=True
    )
    assert stop_epoch(made(text)) == 4.0


def refusal(text: str, **settings: float) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        made(text, **settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_rul", " has no function 'my_rul'; did you mean 'my_rule'? known: Ceiling, broken, "),
        ("not_callable", " has no function 'not_callable'; known: Ceiling, broken, "),
        ("my_rule:celling=3", ":my_rule: unknown setting 'celling'; did you mean 'ceiling'? known: ceiling"),
        ("needs", ":needs: missing a required argument: 'share'; "),
        (
            "of_no_training",
            ":of_no_training: too many positional arguments; a rule of one's own takes the training",
        ),
        ("Ceiling:ceiling=101", ":Ceiling: raised ValueError: ceiling = 101 must be 100 or less"),
        ("broken", ":broken: raised KeyError: 'ceiling'"),
        ("nothing", ":nothing: returned int; return an estimator.Preset or an estimator.Rule"),
        ("other_budget", ":other_budget: returned a preset with max_epochs = 7, but the training has 10; "),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_function(own: Path, name: str, message: str) -> None:
    said = refusal(f"{own}:{name}")
    assert said.startswith(f"{own}{message}")
    assert "\n" not in said


def test_a_member_of_a_combination_is_named_too(own: Path) -> None:
    assert f"{own}:broken: raised KeyError" in refusal(f"any(none, {own}:broken)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("import not_there_at_all", "raised ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("def my_rule(:", "raised SyntaxError: invalid syntax (my_rules.py, line 1)"),
        ("raise SystemExit('bye')", "raised SystemExit: bye"),
    ],
)
def test_a_file_that_can_not_be_loaded_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "my_rules.py"
    if content is not None:
        path.write_text(content)
    assert refusal(f"{path}:my_rule") == f"{path}: {message}"


def test_a_changed_file_is_loaded_anew(own: Path) -> None:
    assert stop_epoch(made(f"{own}:my_rule")) == 9.0
    own.write_text(OWN.replace("ceiling=90.0", "ceiling=20.0"))
    assert stop_epoch(made(f"{own}:my_rule")) == 2.0


def test_a_preset_can_be_copied_to_where_the_file_is_loaded(own: Path) -> None:
    first, second = made(f"{own}:my_rule:ceiling=40"), made(f"{own}:my_rule:ceiling=40")
    assert own in loaded_files()
    load_files(loaded_files())
    assert pickle.loads(pickle.dumps(first)) == second


def test_its_decisions_give_their_reason_and_numbers(own: Path) -> None:
    curve = Curve()
    curve.append(1.0, val_accuracy=95.0)
    chosen = made(f"{own}:my_rule")
    decision = chosen.rule.decide(curve, [chosen.forecaster.forecast(curve)])
    assert (decision.reason, decision.estimate, decision.numbers) == (
        Reason.BUDGET,
        95.0,
        (("ceiling", 90.0),),
    )


def test_the_example_of_the_page_works_and_is_short(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "estimator.md").read_text(encoding="utf-8")
    (example,) = re.findall(
        r"```python\n(.*?)```",
        page.partition("\n## A rule of one's own\n")[2].partition("\n## ")[0],
        re.DOTALL,
    )
    assert len(example.splitlines()) < 25
    (tmp_path / "my_rules.py").write_text(example, encoding="utf-8")
    chosen = made(f"{tmp_path}/my_rules.py:my_rule:points=3")
    assert not chosen.alone
    history = History()
    for number, top in enumerate((50.0, 48.0, 46.0)):
        engine = Engine(chosen, history=history, candidate=number)
        for epoch in range(1, 11):
            if engine.observe(epoch, val_accuracy=top * epoch / 10.0 if epoch < 5 else top).stop:
                break
    assert [member.curve.last_epoch for member in history.members.values()] == [10.0, 10.0, 5.0]

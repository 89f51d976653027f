"""Presets combined: any, all, after; and the text that names them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import Action, Curve, Decision, Engine, Forecast, History, Population, Preset, Reason, preset
from estimator.forecasters import BestSoFar, Exponential, Forecaster, Joint, LastValue
from estimator.population import ALONE
from estimator.preset_library.expression import Combination, Combined, Delayed, Named, parse
from estimator.rules import After, AllOf, AnyOf, Convergence, IEpoch, MedianStopping, Patience

RISING = [80 - 70 / (1 + n) for n in range(19)]
FLAT_THEN_RISING = [10.0] * 6 + [10.0 + 5 * n for n in range(13)]


def decisions_of(name: str, accuracies: Sequence[float]) -> list[Decision]:
    engine = Engine(preset(name, max_epochs=20, epochs_per_interval=1, chance_accuracy=10.0))
    return [engine.observe(epoch, val_accuracy=accuracy) for epoch, accuracy in zip(count(1), accuracies)]


def stop_index(name: str, accuracies: Sequence[float]) -> int | None:
    decisions = decisions_of(name, accuracies)
    return next((index for index, decision in enumerate(decisions) if decision.stop), None)


# --- deciding together


@pytest.mark.parametrize("accuracies", [RISING, FLAT_THEN_RISING, RISING[::-1]])
@pytest.mark.parametrize(
    "members", [("peng4nn-fast", "patience:patience_epochs=3"), ("i-epoch:epochs=7", "a4nn")]
)
def test_any_stops_with_the_first_that_stops(members: tuple[str, str], accuracies: list[float]) -> None:
    alone = [stop_index(member, accuracies) for member in members]
    together = stop_index(f"any({', '.join(members)})", accuracies)
    assert together == min((index for index in alone if index is not None), default=None)


def test_any_gives_the_reason_and_estimate_of_the_member_that_stops() -> None:
    first = decisions_of("any(peng4nn-fast, i-epoch:epochs=2)", RISING)[1]
    assert (first.action, first.reason, first.estimate) == (Action.STOP, Reason.BUDGET, RISING[1])
    assert first.numbers == (("epochs", 2), ("member", 1.0))
    index = stop_index("peng4nn-fast", FLAT_THEN_RISING)
    assert index is not None
    together, alone = (
        decisions_of(name, FLAT_THEN_RISING)[index]
        for name in ("any(i-epoch:epochs=19, peng4nn-fast)", "peng4nn-fast")
    )
    assert (together.reason, together.estimate) == (Reason.NEVER_LEARN, alone.estimate)
    assert together.forecast is not None
    assert together.forecast.parts[1] == alone.forecast
    assert together.forecast.interval_90 == alone.forecast.interval_90  # type: ignore[union-attr]
    assert together.forecast.parts[0].value == 10.0  # type: ignore[union-attr]


def test_if_two_stop_at_once_the_first_member_speaks() -> None:
    one, other = "i-epoch:epochs=3", "patience:patience_epochs=2"
    flat = [50.0] * 5
    assert decisions_of(f"any({one}, {other})", flat)[2].reason is Reason.BUDGET
    assert decisions_of(f"any({other}, {one})", flat)[2].reason is Reason.CONVERGED
    assert decisions_of(f"all({one}, {other})", flat)[2].reason is Reason.BUDGET
    assert decisions_of(f"all({other}, {one})", flat)[2].reason is Reason.CONVERGED


def test_all_wants_them_to_stop_at_the_same_observation() -> None:
    patience = "patience:patience_epochs=2"
    assert stop_index(f"all(i-epoch:epochs=5, {patience})", RISING) is None
    assert stop_index(f"all(i-epoch:epochs=5, {patience})", [50.0] * 19) == 4
    # Patience alone would have stopped at the third; by the fifth the curve rises again.
    assert stop_index(patience, [50.0] * 3 + RISING[3:]) == 2
    assert stop_index(f"all(i-epoch:epochs=5, {patience})", [50.0] * 3 + RISING[3:]) is None


def test_after_holds_a_rule_back_and_changes_nothing_else() -> None:
    assert stop_index("peng4nn-fast", FLAT_THEN_RISING) == 4
    assert stop_index("after(6, peng4nn-fast)", FLAT_THEN_RISING) == 5
    assert stop_index("after(8, i-epoch:epochs=2)", RISING) == 7
    held, alone = (decisions_of(name, RISING) for name in ("after(3, peng4nn-fast)", "peng4nn-fast"))
    assert repr(held[3:]) == repr(alone[3:])
    assert repr([decision.forecast for decision in held]) == repr([decision.forecast for decision in alone])


def test_combinations_nest() -> None:
    name = "any(all(i-epoch:epochs=5, patience:patience_epochs=2), after(7, any(i-epoch, peng4nn-fast)))"
    assert stop_index(name, [50.0] * 19) == 4
    assert stop_index(name, RISING) == 6
    assert len(decisions_of(name, RISING)[0].forecast.parts) == 2  # type: ignore[union-attr]


def test_each_member_reads_its_own_forecasts_and_may_have_none() -> None:
    forecaster = Joint(members=(Exponential_of(min_points=3), LastValue()))
    curve = Curve()
    curve.append(1, val_accuracy=60.0)
    joint = forecaster.forecast(curve)
    assert joint is not None
    assert (joint.value, joint.parts[0]) == (60.0, None)
    rule = AnyOf(members=(Convergence(window=2), Convergence(window=2)))
    curve.append(2, val_accuracy=60.0)
    decision = rule.decide(curve, [joint, forecaster.forecast(curve)])
    assert dict(decision.numbers)["member"] == 1.0


def Exponential_of(*, min_points: int) -> Exponential:
    value = preset("peng4nn", max_epochs=20, min_points=min_points).forecaster
    assert isinstance(value, Exponential)
    return value


def test_a_joint_forecast_is_none_where_no_member_has_one() -> None:
    curve = Curve()
    curve.append(1, val_accuracy=60.0)
    exponential = Exponential_of(min_points=3)
    assert Joint(members=(exponential, exponential)).forecast(curve) is None
    rule = AllOf(members=(Convergence(window=2), Convergence(window=2)))
    assert rule.decide(curve, [None]) == Decision(action=Action.GO)


def test_a_rule_of_several_needs_as_many_forecasts() -> None:
    curve = Curve()
    curve.append(1, val_accuracy=60.0)
    rule = AnyOf(members=(IEpoch(), IEpoch()))
    with pytest.raises(ValueError, match=r"a forecast has 0 parts for 2 members; give this rule .* Joint"):
        rule.decide(curve, [BestSoFar().forecast(curve)])


def test_a_combination_is_alone_if_all_its_members_are() -> None:
    assert preset("any(peng4nn, after(3, patience))", max_epochs=20).alone
    assert not preset("any(peng4nn, after(3, median))", max_epochs=20).alone
    assert not preset("all(median, peng4nn)", max_epochs=20).alone

    class Company(Forecaster):
        alone = False

        def forecast(self, curve: Curve, population: Population = ALONE) -> Forecast | None:
            return None

    assert not Joint(members=(BestSoFar(), Company())).alone


def test_members_see_the_population() -> None:
    history = History()
    for number, accuracy in enumerate([50.0, 60.0, 70.0, 80.0, 90.0]):
        Engine(preset("none", max_epochs=20), history=history, candidate=number).observe(
            1, val_accuracy=accuracy
        )
    engine = Engine(preset("any(peng4nn, median)", max_epochs=20), history=history, candidate=9)
    decision = engine.observe(1, val_accuracy=69.0)
    assert (decision.reason, decision.version) == (Reason.UNLIKELY_BEST, 5)


def test_a_combination_concludes_as_its_first_member() -> None:
    names = {"any(penguin, peng4nn)": 40.0, "any(peng4nn, penguin)": 60.0, "after(2, penguin)": 40.0}
    for name, worth in names.items():
        engine = Engine(preset(name, max_epochs=3))
        for epoch, accuracy in [(1, 60.0), (3, 40.0)]:
            engine.observe(epoch, val_accuracy=accuracy)
        assert engine.conclude().value == worth


def test_nothing_can_not_be_combined() -> None:
    with pytest.raises(ValueError, match="must be one rule or more"):
        AnyOf(members=())
    with pytest.raises(ValueError, match="must be one forecaster or more"):
        Joint(members=())


# --- the text


def test_settings_may_be_part_of_the_name() -> None:
    with_text = preset("peng4nn:window=4,tolerance=1,loss_check=true", max_epochs=20, chance_accuracy=10.0)
    assert with_text == preset(
        "peng4nn", max_epochs=20, chance_accuracy=10.0, window=4, tolerance=1, loss_check=True
    )
    assert with_text != preset("peng4nn", max_epochs=20, chance_accuracy=10.0)
    assert preset("peng4nn:window=4", max_epochs=20, tolerance=1) == preset(
        "peng4nn", max_epochs=20, window=4, tolerance=1
    )


def test_a_combination_is_built_from_its_text() -> None:
    value = preset("any( peng4nn:window=4 ,after(2.50,median:against=best,min_curves=3))", max_epochs=20)
    assert value.name == "any(peng4nn:window=4, after(2.5, median:against=best,min_curves=3))"
    assert isinstance(value.rule, AnyOf)
    first, second = value.rule.members
    assert isinstance(first, Convergence)
    assert first.window == 4
    assert isinstance(second, After)
    assert (second.epochs, second.member) == (2.5, MedianStopping(against="best", min_curves=3))
    assert isinstance(value.forecaster, Joint)
    assert value == preset(value.name, max_epochs=20)


def test_a_member_is_told_of_the_training() -> None:
    value = preset("any(patience, peng4nn)", max_epochs=20, epochs_per_interval=2, chance_accuracy=10.0)
    assert (value.max_epochs, value.chance_accuracy) == (20, 10.0)
    alone = preset("peng4nn", max_epochs=20, epochs_per_interval=2, chance_accuracy=10.0)
    assert isinstance(value.forecaster, Joint)
    assert isinstance(value.rule, AnyOf)
    assert (value.forecaster.members[1], value.rule.members[1]) == (alone.forecaster, alone.rule)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("3", 3),
        ("-3", -3),
        ("3.0", 3.0),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("best", "best"),
        ("True", "True"),
        ("1e", "1e"),
        ("a/b.csv", "a/b.csv"),
        ("0.1,0.3", "0.1,0.3"),
        ("0.1, 0.3 ,1", "0.1,0.3,1"),
        ('"0.1,0.3"', "0.1,0.3"),
        ("'3'", "3"),
        ('""', ""),
        ('"a b, c=d)"', "a b, c=d)"),
    ],
)
def test_values_are_flags_numbers_words_or_text(text: str, value: bool | int | float | str) -> None:
    settings = (("first", value), ("last", 1))
    assert repr(parse(f"name:first={text},last=1")) == repr(Named(name="name", settings=settings))
    member = Named(name="name", settings=settings[:1])
    combined = Combined(combination=Combination.ANY, members=(member, Named(name="other")))
    assert repr(parse(f"any(name:first={text}, other)")) == repr(combined)


names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda n: n not in ("any", "all", "after")
)
values = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="ascii", exclude_characters="'\n\r"), max_size=8),
)
named = st.builds(
    Named,
    name=names,
    settings=st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), values, max_size=3).map(
        lambda settings: tuple(settings.items())
    ),
)
expressions = st.recursive(
    named,
    lambda inner: st.one_of(
        st.builds(
            Combined,
            combination=st.sampled_from(Combination),
            members=st.lists(inner, min_size=1, max_size=3).map(tuple),
        ),
        st.builds(Delayed, epochs=st.sampled_from([0.5, 4.0, 1234567.0, 1e-7]), member=inner),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(expression=expressions)
def test_what_is_written_is_read_back(expression: Named | Combined | Delayed) -> None:
    assert repr(parse(str(expression))) == repr(expression)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.text(st.sampled_from("any(l)pre:=,. \"'05"), max_size=20))
def test_what_can_not_be_read_is_refused_and_nothing_else_happens(text: str) -> None:
    with contextlib.suppress(ValueError):
        expression = parse(text)
        assert parse(str(expression)) == expression


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"preset '': expected a preset's name at position 1, found the end"),
        ("any", r"expected '\(' and the members of 'any' at position 4, found the end"),
        ("any()", r"expected a preset's name at position 5, found '\)'"),
        ("any(peng4nn", r"expected ',' or '\)' at position 12, found the end"),
        ("any(peng4nn,,none)", r"expected a preset's name at position 13, found ',none\)'"),
        ("anny(peng4nn, none)", r"unknown combination 'anny'; did you mean 'any'\? known: any, all, after"),
        ("any(peng5nn, none)", r"unknown preset 'peng5nn'; did you mean 'peng4nn'\? known: "),
        ("any(none, peng4nn:windw=3)", r"preset peng4nn: unknown setting 'windw'; did you mean 'window'\?"),
        ("any(none, peng4nn:window=1)", r"preset peng4nn: window = 1 must be a whole number, 2 or more"),
        ("peng4nn window=4", r"expected the end at position 9, found 'window=4'"),
        ("peng4nn:", r"expected a setting's name at position 9, found the end"),
        ("peng4nn:window", r"expected '=' and a value for 'window' at position 15, found the end"),
        ("peng4nn:window=", r"expected a value for 'window' at position 16, found the end"),
        ("peng4nn:window=4,", r"expected the end at position 17, found ','"),
        ("peng4nn:window=4,window=5", r"setting 'window' is given twice"),
        ('peng4nn:window="4', r"expected a value for 'window' at position 16, found '\"4'"),
        ("after(4)", r"expected ',' and a preset at position 8, found '\)'"),
        ("after(x, none)", r"expected a number of epochs at position 7, found 'x, none\)'"),
        ("after(0, none)", r"preset after\(0, none\): epochs = 0.0 must be a finite number above 0"),
        ("after(21, none)", r"preset after\(21, none\): epochs = 21.0 is more than max_epochs = 20"),
    ],
)
def test_text_that_can_not_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preset(text, max_epochs=20)


def test_settings_beside_the_text_must_have_one_place_to_go() -> None:
    with pytest.raises(
        ValueError, match=r"preset any\(peng4nn\): settings window belong to one of its members"
    ):
        preset("any(peng4nn)", max_epochs=20, window=4)
    with pytest.raises(ValueError, match=r"preset peng4nn:window=3: setting 'window' is given twice"):
        preset("peng4nn:window=3", max_epochs=20, window=4)


def test_parts_of_ones_own_combine_too() -> None:
    own = Preset(
        name="own",
        max_epochs=20,
        forecaster=Joint(members=(BestSoFar(), LastValue())),
        rule=AnyOf(members=(Patience(patience_epochs=2), IEpoch(epochs=9))),
        conclusion=preset("none", max_epochs=20).conclusion,
    )
    engine = Engine(own)
    decisions = [engine.observe(epoch, val_accuracy=50.0) for epoch in (1, 2, 3)]
    assert [decision.stop for decision in decisions] == [False, False, True]
    assert math.isnan(decisions[-1].spread)

"""Rungs: who is stopped there, who waits, and who goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import permutations

import pytest

from estimator import (
    Action,
    Decision,
    Described,
    Ended,
    Engine,
    History,
    Observed,
    Preset,
    Reason,
    Resumed,
    Standing,
    preset,
)
from estimator.rules import Bracket, Brackets, PauseAtRungs, Rung, Rungs

Accuracy = Callable[[int, float], float]
"""Of a candidate at an epoch."""


class Search:
    """One trainer that works a preset through `num_candidates`; one observation per epoch."""

    def __init__(self, chosen: Preset, *, num_candidates: int, accuracy: Accuracy) -> None:
        self.preset, self.num_candidates, self.accuracy = chosen, num_candidates, accuracy
        self.history = History()
        self.engines: dict[int, Engine] = {}
        self.jobs: list[int] = []

    def step(self) -> int | None:
        """Train whoever is next, until it pauses or ends; None when the search is over."""
        num_new = self.num_candidates - len(self.engines)
        number = self.preset.promotion.promote(self.history, num_new=num_new)
        if number is None:
            if not num_new:
                return None
            number = len(self.engines)
            self.engines[number] = Engine(self.preset, history=self.history, candidate=number)
        self.jobs.append(number)
        engine = self.engines[number]
        while True:
            epoch = engine.curve.last_epoch + 1
            decision = engine.observe(epoch, val_accuracy=self.accuracy(number, epoch))
            if decision.stop or decision.pause or epoch >= self.preset.max_epochs:
                return number

    def run(self) -> Search:
        while self.step() is not None:
            pass
        return self

    @property
    def epochs(self) -> list[float]:
        """Epochs that each candidate was trained."""
        return [engine.curve.last_epoch for _, engine in sorted(self.engines.items())]


# --- stopping


def at_rung(accuracies: Sequence[float], *, keep: float) -> list[Decision]:
    """The decision on each of these candidates, which arrive one after the other."""
    history = History()
    chosen = preset("rungs", max_epochs=10, fractions=0.1, keep=keep)
    return [
        Engine(chosen, history=history, candidate=number).observe(1, val_accuracy=accuracy)
        for number, accuracy in enumerate(accuracies)
    ]


def test_only_the_best_share_of_those_at_the_rung_goes_on() -> None:
    decisions = at_rung([50, 60, 40, 55, 70, 57], keep=0.5)
    assert [decision.stop for decision in decisions] == [False, False, True, False, False, False]
    assert [dict(decision.numbers)["rank"] for decision in decisions] == [1, 1, 3, 2, 1, 3]
    stopped = decisions[2]
    assert (stopped.action, stopped.reason, stopped.estimate) == (Action.STOP, Reason.RUNG, 40.0)
    assert stopped.numbers == (("rung_epoch", 1.0), ("rank", 3.0), ("num_curves", 3.0))


def test_nobody_is_stopped_while_less_than_one_would_be_kept() -> None:
    assert [d.stop for d in at_rung([50, 40, 30], keep=0.5)] == [False, True, True]
    assert [d.stop for d in at_rung([50, 40, 30, 20], keep=0.3)] == [False, False, False, True]
    assert not any(d.stop for d in at_rung([50, 40, 30, 20], keep=0.2))


def test_who_ties_with_the_last_that_is_kept_goes_on() -> None:
    assert not any(decision.stop for decision in at_rung([50.0] * 9, keep=0.1))


def test_everyone_is_kept_by_a_share_of_one() -> None:
    assert not any(decision.stop for decision in at_rung([50, 40, 30, 20], keep=1.0))


def test_shares_are_rounded_down_but_not_by_float_error() -> None:
    assert Rung(epoch=1, keep=1 / 3).num_kept(9) == 3
    assert Rung(epoch=1, keep=0.29).num_kept(100) == 29
    assert Rung(epoch=1, keep=0.5).num_kept(3) == 1


@pytest.mark.parametrize("others", [*permutations([10.0, 20.0, 30.0, 40.0])])
def test_the_order_of_those_that_came_before_does_not_matter(others: tuple[float, ...]) -> None:
    history = History()
    for number, accuracy in enumerate(others):
        history.apply(Observed(candidate=number, epoch=1, val_accuracy=accuracy))
    chosen = preset("rungs", max_epochs=10, fractions=0.1, keep=0.5)
    for accuracy, stops in [(29.0, True), (30.0, False), (31.0, False)]:
        assert Engine(chosen, history=history, candidate=9).observe(1, val_accuracy=accuracy).stop is stops
        history.apply(Ended(candidate=9, standing=Standing.LOST))


def test_a_candidate_is_judged_at_rungs_and_nowhere_else() -> None:
    history = History()
    for number in range(6):
        for epoch in range(1, 10):
            history.apply(Observed(candidate=number, epoch=epoch, val_accuracy=60 + number))
    engine = Engine(preset("rungs", max_epochs=10), history=history, candidate=9)  # rungs at 1 and 3 epochs
    assert not engine.observe(0.5, val_accuracy=1).stop
    assert not engine.observe(1, val_accuracy=63).stop
    assert not engine.observe(2, val_accuracy=1).stop
    decision = engine.observe(3, val_accuracy=63)  # among the best half of 7, not among the best .4
    assert decision.stop
    assert decision.numbers == (("rung_epoch", 3.0), ("rank", 3.0), ("num_curves", 7.0))


def test_the_best_so_far_is_compared_not_the_latest() -> None:
    history = History()
    for number in range(4):
        history.apply(Observed(candidate=number, epoch=1, val_accuracy=50))
    engine = Engine(preset("rungs", max_epochs=10), history=history, candidate=9)
    engine.observe(0.5, val_accuracy=51)
    assert not engine.observe(1, val_accuracy=1).stop


def test_one_observation_may_pass_several_rungs() -> None:
    history = History()
    for number, (first, later) in enumerate([(10, 90), (20, 80), (30, 70), (40, 60)]):
        history.apply(Observed(candidate=number, epoch=1, val_accuracy=first))
        history.apply(Observed(candidate=number, epoch=3, val_accuracy=later))
    engine = Engine(preset("rungs", max_epochs=10), history=history, candidate=9)
    decision = engine.observe(4, val_accuracy=75)
    assert (decision.stop, dict(decision.numbers)["rung_epoch"]) == (True, 3.0)


def test_lost_and_failed_candidates_leave_the_rung() -> None:
    history = History()
    for number, standing in enumerate([Standing.LOST, Standing.FAILED, Standing.STOPPED]):
        history.apply(Observed(candidate=number, epoch=1, val_accuracy=90))
        history.apply(Ended(candidate=number, standing=standing))
    decision = Engine(preset("rungs", max_epochs=10), history=history, candidate=9).observe(1, val_accuracy=1)
    assert dict(decision.numbers)["num_curves"] == 2.0


# --- pausing


def test_a_candidate_pauses_at_every_rung_and_goes_on_from_there() -> None:
    history = History()
    engine = Engine(preset("asha", max_epochs=10), history=history)
    actions = []
    for epoch in range(1, 11):
        decision = engine.observe(epoch, val_accuracy=50 + epoch)
        actions.append(decision.action)
        paused = decision.pause
        assert (history.members[0].standing is Standing.PAUSED) is paused
        if paused:
            assert (decision.reason, decision.estimate) == (Reason.RUNG, 50 + epoch)
    assert [number + 1 for number, action in enumerate(actions) if action is Action.PAUSE] == [1, 3, 9]
    assert Action.STOP not in actions
    assert history.members[0].standing is Standing.FINISHED


def test_pauses_come_at_the_first_observation_behind_a_rung() -> None:
    engine = Engine(preset("asha", max_epochs=30, min_epochs=1))  # rungs at 1, 3, 9, 27
    decisions = [engine.observe(epoch, val_accuracy=50.0) for epoch in (0.7, 1.4, 2.1, 2.8, 12, 24)]
    assert [decision.pause for decision in decisions] == [False, True, False, False, True, False]
    assert decisions[4].numbers == (("rung_epoch", 9.0),)


def test_asha_promotes_as_its_algorithm_says() -> None:
    """Worked by hand after Algorithm 2: eta 3, rungs at 1 and 3 of 9 epochs, nine candidates.

    Whoever is among the best third of a rung goes on as soon as a trainer is free: 0 is the best of the first
    three, 5 enters the best two of six, 7 the best three of nine and is then the best of the three at rung 1.
    """
    worth = [60, 10, 20, 30, 40, 70, 15, 80, 25]
    search = Search(
        preset("asha", max_epochs=9), num_candidates=9, accuracy=lambda n, epoch: worth[n] + epoch
    )
    search.run()
    assert search.jobs == [0, 1, 2, 0, 3, 4, 5, 5, 6, 7, 7, 7, 8]
    assert search.epochs == [3, 1, 1, 1, 1, 3, 1, 9, 1]


def test_successive_halving_waits_until_a_rung_is_complete() -> None:
    worth = [60, 10, 20, 30, 40, 70, 15, 80, 25]
    search = Search(
        preset("successive-halving", max_epochs=9),
        num_candidates=9,
        accuracy=lambda n, epoch: worth[n] + epoch,
    )
    search.run()
    assert search.jobs == [*range(9), 7, 5, 0, 7]
    assert search.epochs == [3, 1, 1, 1, 1, 3, 1, 9, 1]


def test_asha_promotes_from_the_highest_rung_first_and_equals_by_number() -> None:
    rungs = preset("asha", max_epochs=9)
    history = History()
    for number in range(9):
        history.apply(Observed(candidate=number, epoch=1, val_accuracy=50))
        history.apply(Ended(candidate=number, standing=Standing.PAUSED))
    assert rungs.promotion.promote(history, num_new=3) == 0
    for number in (5, 6, 7):
        history.apply(Observed(candidate=number, epoch=3, val_accuracy=70 + number))
        history.apply(Ended(candidate=number, standing=Standing.PAUSED))
    assert rungs.promotion.promote(history, num_new=3) == 7
    history.apply(Resumed(candidate=7))
    assert rungs.promotion.promote(history, num_new=3) == 0


def test_late_learners_come_back_from_a_pause() -> None:
    search = Search(
        preset("asha", max_epochs=9),
        num_candidates=6,
        accuracy=lambda n, epoch: {0: 10.0, 1: 30.0}.get(n, 50.0 - n if n < 3 else 5.0),
    )
    search.run()
    assert search.jobs == [0, 1, 2, 2, 3, 4, 5, 1]  # 1 has waited since long before 5 began


@pytest.mark.parametrize("name", ["asha", "successive-halving", "hyperband"])
def test_what_still_waits_in_the_end_is_stopped_with_its_best_so_far(name: str) -> None:
    search = Search(
        preset(name, max_epochs=9), num_candidates=12, accuracy=lambda n, epoch: 50 + n * math.sin(n + epoch)
    )
    search.run()
    paused = {member.candidate for member in search.history.those(Standing.PAUSED)}
    decisions = search.preset.promotion.settle(search.history)
    assert set(decisions) == paused
    assert paused
    for number, decision in decisions.items():
        assert (decision.action, decision.reason) == (Action.STOP, Reason.RUNG)
        assert decision.estimate == search.engines[number].curve.best_accuracy
        assert math.isnan(decision.spread)
        assert decision.version == search.history.version
    finished = search.history.those(Standing.FINISHED)
    assert len(paused) + len(finished) == 12
    assert finished or name == "asha"


@pytest.mark.parametrize("name", ["asha", "successive-halving", "hyperband"])
def test_promotions_depend_on_the_history_alone(name: str) -> None:
    chosen = preset(name, max_epochs=27)
    search = Search(chosen, num_candidates=30, accuracy=lambda n, epoch: 40 + n * math.sin(n) + epoch)
    asked = []
    while True:
        num_new = 30 - len(search.engines)
        asked.append(
            (search.history.version, num_new, chosen.promotion.promote(search.history, num_new=num_new))
        )
        if search.step() is None:
            break
    for version, num_new, answer in asked[:: max(1, len(asked) // 12)]:
        again = History(search.history.events[:version])
        assert chosen.promotion.promote(again, num_new=num_new) == answer


# --- cohorts


def test_hyperband_has_the_brackets_of_its_algorithm() -> None:
    """Li et al., JMLR 2018, Algorithm 1 with R = 81 and eta = 3."""
    rule = preset("hyperband", max_epochs=81).rule
    assert isinstance(rule, PauseAtRungs)
    brackets = rule.brackets.brackets
    assert [bracket.num_candidates for bracket in brackets] == [81, 34, 15, 8, 5]
    assert [[rung.epoch for rung in bracket.rungs] for bracket in brackets] == [
        [1, 3, 9, 27],
        [3, 9, 27],
        [9, 27],
        [27],
        [],
    ]


def test_numbers_fill_brackets_in_turn() -> None:
    rungs = (Rung(epoch=1, keep=0.5),)
    brackets = Brackets(
        brackets=(Bracket(num_candidates=3, rungs=rungs), Bracket(num_candidates=2, rungs=()))
    )
    cohorts = [brackets.cohort(number) for number in range(12)]
    assert [cohort.first for cohort in cohorts] == [0, 0, 0, 3, 3, 5, 5, 5, 8, 8, 10, 10]
    assert [len(cohort.bracket.rungs) for cohort in cohorts] == [1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1]
    assert list(cohorts[6].numbers) == [5, 6, 7]


def test_hyperband_runs_each_bracket_to_its_end() -> None:
    search = Search(preset("hyperband", max_epochs=9), num_candidates=17, accuracy=lambda n, epoch: n + epoch)
    search.run()  # brackets of 9, 5 and 3: rungs at 1 and 3, at 3, none
    assert search.epochs == [1] * 6 + [3, 3, 9] + [3] * 4 + [9] + [9] * 3
    assert search.jobs[:13] == [*range(9), 8, 7, 6, 8]


def test_cohorts_of_successive_halving_don_t_meet() -> None:
    search = Search(
        preset("successive-halving", max_epochs=3), num_candidates=7, accuracy=lambda n, epoch: n + epoch
    )
    search.run()
    assert search.jobs == [0, 1, 2, 2, 3, 4, 5, 5, 6, 6]
    assert search.epochs == [1, 1, 3, 1, 1, 3, 3]  # the last is a cohort of its own, and its best


@pytest.mark.parametrize("standing", [Standing.FAILED, Standing.STOPPED])
def test_a_cohort_does_not_wait_for_who_will_not_come(standing: Standing) -> None:
    promotion = preset("successive-halving", max_epochs=3).promotion
    history = History()
    for number in (0, 1):
        history.apply(Observed(candidate=number, epoch=1, val_accuracy=50 + number))
        history.apply(Ended(candidate=number, standing=Standing.PAUSED))
    assert promotion.promote(history, num_new=5) is None
    history.apply(Observed(candidate=2, epoch=0.5, val_accuracy=90))
    assert promotion.promote(history, num_new=4) is None
    history.apply(Ended(candidate=2, standing=Standing.LOST))
    assert promotion.promote(history, num_new=0) is None
    history.apply(Ended(candidate=2, standing=standing))
    assert promotion.promote(history, num_new=4) == 1


def test_a_cohort_waits_for_who_has_begun_and_was_not_observed_yet() -> None:
    promotion = preset("successive-halving", max_epochs=3).promotion
    history = History()
    for number in range(3):
        history.apply(Described(candidate=number, features=(("num_parameters", 1000.0),)))
    for number in (0, 1):
        history.apply(Observed(candidate=number, epoch=1, val_accuracy=50 + number))
        history.apply(Ended(candidate=number, standing=Standing.PAUSED))
    assert promotion.promote(history, num_new=0) is None
    history.apply(Ended(candidate=2, standing=Standing.FAILED))
    assert promotion.promote(history, num_new=0) == 1


# --- presets


def test_forms_and_defaults() -> None:
    assert preset("rungs", max_epochs=50).rule == Rungs(
        rungs=(Rung(epoch=5.0, keep=0.5), Rung(epoch=15.0, keep=0.4))
    )
    for name in ("rungs", "asha"):
        assert not preset(f"{name}:form=stopping", max_epochs=50).pauses
        assert preset(f"{name}:form=promoting", max_epochs=50).pauses
    assert not preset("rungs", max_epochs=50).pauses
    assert [preset(name, max_epochs=50).pauses for name in ("asha", "successive-halving", "hyperband")] == [
        True
    ] * 3
    assert not any(
        preset(name, max_epochs=50).alone for name in ("rungs", "asha", "asha:form=stopping", "hyperband")
    )
    assert preset("any(rungs, asha:form=stopping)", max_epochs=50).name == "any(rungs, asha:form=stopping)"
    halving = preset("successive-halving:eta=2,min_epochs=4", max_epochs=32).rule
    assert isinstance(halving, PauseAtRungs)
    (bracket,) = halving.brackets.brackets
    assert ([rung.epoch for rung in bracket.rungs], bracket.num_candidates) == ([4, 8, 16], 8)


@pytest.mark.parametrize(
    "combination", ["any(asha, none)", "all(none, hyperband)", "after(3, successive-halving)"]
)
def test_members_that_pause_are_refused_in_combinations(combination: str) -> None:
    with pytest.raises(ValueError, match=r"^preset .*: '.*' pauses candidates, which a combination can't"):
        preset(combination, max_epochs=20)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rungs:fractions=0.1", "fractions = 0.1 and keep = '0.5,0.4' must be equally many numbers"),
        ("rungs:fractions=0.3,0.1", r"rungs at epochs 6, 2 must rise"),
        ("rungs:fractions=0.3,0.3", r"rungs at epochs 6, 6 must rise"),
        ("rungs:fractions=0.3,1.0", r"fractions = '0.3,1.0' must be below 1, the full budget"),
        ("rungs:fractions=0,0.5", r"rung epoch = 0.0 must be a finite number above 0"),
        ("rungs:fractions=a,keep=1", r"fractions = 'a' must be numbers with commas"),
        ("rungs:keep=0.5,1.5", r"keep = 1.5 is a share, above 0 and at most 1"),
        ("rungs:keep=0,0.5", r"keep = 0.0 must be a finite number above 0"),
        ("rungs:form=both", r"form = 'both' must be one of stopping, promoting"),
        ("asha:eta=1", r"eta = 1 must be a finite number, 1.5 or more"),
        ("asha:min_epochs=0", r"min_epochs = 0 must be a finite number above 0"),
        ("asha:min_epochs=21", r"min_epochs = 21 is more than max_epochs = 20"),
        ("hyperband:eta=x", r"eta = 'x' must be a finite number"),
        ("successive-halving:form=stopping", r"unknown setting 'form'; known: eta, min_epochs"),
    ],
)
def test_rungs_that_can_not_be_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^preset {name.partition(':')[0]}: {message}"):
        preset(name, max_epochs=20)


def test_brackets_that_can_not_be_are_refused() -> None:
    with pytest.raises(ValueError, match="num_candidates = 0 must be a whole number, 1 or more"):
        Bracket(num_candidates=0, rungs=())
    with pytest.raises(ValueError, match="must be one or more"):
        Brackets(brackets=())

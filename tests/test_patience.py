from collections.abc import Sequence
from dataclasses import replace

import pytest

from ovtune.config import Config
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan
from ovtune.patience import idle
from ovtune.study import Study, Visit
from tests import fake
from tests.fake import FakeEvaluator

GOAL = Goal(latency="p50", prefer="throughput")
Tried = tuple[float, int] | Outcome
"""A config by its throughput and its requests, which give its latency; or what came of one instead."""


def study(*tried: Tried) -> Study:
    """A study of one trial for each, of a config of its own; a block's joint error with another is about 6 %."""
    visits = []
    for place, one in enumerate(tried):
        config = Config(device="CPU", nireq=one[1] if isinstance(one, tuple) else 1, properties={"P": place})
        outcome: Outcome
        if isinstance(one, tuple):
            outcome = FakeEvaluator(noise=0, truth=lambda _, speed=one[0]: speed).evaluate(config, Plan())  # type: ignore[misc]
        else:
            outcome = one
        visits.append(
            Visit(number=place, phase="search", trial=place, confirmation=0, round=0, config=config, outcome=outcome)
        )
    made = fake.study(trials=0, pairs=0)
    return replace(made, trials=len(tried), visits=tuple(visits))


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ([100], 0),
        ([100, 100, 100], 2),
        ([100, 100, 120], 0),
        ([100, 120, 100, 90], 2),
        ([120, 100, 90], 2),
        ([100, 103], 1),
    ],
)
def test_trials_since_the_last_gain(speeds: Sequence[float], expected: int) -> None:
    """Only a config that is ahead by more than the uncertainty ends the row."""
    assert idle(study(*((speed, 1) for speed in speeds)), GOAL, start=0) == expected


def test_an_empty_study_waits_for_nothing() -> None:
    """Before any trial, none was without gain."""
    assert idle(study(), GOAL, start=0) == 0
    assert idle(study(), GOAL, start=5) == 0


@pytest.mark.parametrize(("start", "expected"), [(0, 5), (1, 5), (2, 4), (5, 1), (6, 0), (9, 0)])
def test_the_first_trials_do_not_count(start: int, expected: int) -> None:
    """What is tried in any case, and the look around after it, is no row of trials without gain."""
    assert idle(study(*[(100, 1)] * 6), GOAL, start=start) == expected


def test_small_steps_add_up() -> None:
    """Steps that are each within the uncertainty count once they have together left it."""
    assert idle(study((100, 1), (104, 1), (108, 1), (108, 1)), GOAL, start=0) == 1


def test_a_move_of_the_front_is_a_gain() -> None:
    """A config with less latency than any moves the front, though it is slower; one that is beaten in both does not."""
    assert idle(study((100, 2), (80, 1)), GOAL, start=0) == 0
    assert idle(study((100, 2), (80, 2)), GOAL, start=0) == 1


def test_what_keeps_the_limits_is_a_gain() -> None:
    """The first config within the limits of the goal is one, even behind the front; one that breaks them is not."""
    limited = replace(GOAL, max_memory_bytes=72_500_000)
    behind = study((100, 4), (50, 2), (49, 2))
    assert idle(behind, GOAL, start=0) == 2
    assert idle(behind, limited, start=0) == 1
    assert idle(study((100, 2), (50, 4)), limited, start=0) == 1


@pytest.mark.parametrize(("cpu_s", "expected"), [(0.97, 1), (0.5, 0)])
def test_under_a_given_load_the_work_counts_with_its_own_error(cpu_s: float, expected: int) -> None:
    """Where the load keeps the throughput the same, a trial with less work gains only by more than the work's error."""
    goal = replace(GOAL, against="efficiency", prefer="efficiency")
    made = study((100, 1), (100, 1))
    outcome = made.visits[1].outcome
    assert isinstance(outcome, Block)
    less = replace(made.visits[1], outcome=replace(outcome, cpu_s=cpu_s * outcome.cpu_s))
    known = [
        replace(
            made.visits[0],
            number=2 + i,
            phase="elimination",
            trial=None,
            outcome=replace(outcome, cpu_s=1.1 ** (-1) ** i * outcome.cpu_s),
        )
        for i in range(40)
    ]
    assert idle(replace(made, visits=(made.visits[0], less, *known)), goal, start=0) == expected


@pytest.mark.parametrize(
    "outcome",
    [
        Infeasible(reason="refused"),
        Failed(reason="it crashed"),
        SameAs(config_key=Config(device="CPU", nireq=1, properties={"P": 0}).key, effective_key="k", cost_s=0.1),
    ],
)
def test_trials_without_numbers_gain_nothing(outcome: Outcome) -> None:
    """What could not run, failed, or runs as another one, is a trial without gain."""
    assert idle(study((100, 1), outcome, outcome), GOAL, start=0) == 2


def test_a_config_that_is_tried_again_gains_nothing() -> None:
    """A trial that measures a known config once more tells more of it, and is none that found something."""
    made = study((100, 1), (150, 1))
    again = replace(made.visits[1], number=2, trial=2)
    assert idle(replace(made, visits=(*made.visits, again)), GOAL, start=0) == 1


def test_what_is_known_by_now_counts() -> None:
    """A lucky reading that later blocks take back was no gain."""
    made = study((100, 1), (115, 1), (100, 1))
    assert idle(made, GOAL, start=0) == 1
    config = made.visits[1].config
    slow = FakeEvaluator(noise=0, truth=lambda _: 100.0).evaluate(config, Plan())
    later = tuple(
        replace(made.visits[1], number=3 + i, phase="elimination", trial=None, confirmation=1, outcome=slow)
        for i in range(4)
    )
    assert idle(replace(made, visits=(*made.visits, *later)), GOAL, start=0) == 2

import dataclasses

import pytest

from ovtune.comparison import compare
from ovtune.goal import Goal
from ovtune.lead import Lead, Member
from ovtune.measurement import Block
from ovtune.move import moves_of
from ovtune.result import Result, conclude
from ovtune.terminal import moves
from tests import fake
from tests.report import sample
from tests.test_comparison import NAMES, faster
from tests.test_terminal import shown


@pytest.mark.parametrize(("times", "moved"), [(1.3, True), (0.7, True), (1.0, False), (1.01, False)])
def test_what_moved(times: float, moved: bool) -> None:
    """A config moved if its throughput or its latency is shown to have changed by more than the margin."""
    made = fake.study()
    found = moves_of(compare(conclude(made, made.goal), faster(made, times)))
    assert len(found) == len(conclude(made, made.goal).estimates)
    assert {one.standing for one in found} == {"moved" if moved else "alike"}
    assert all(one.weighed.value == pytest.approx(times) for one in found)
    assert all(one.latency is not None and one.latency.value == pytest.approx(1 / times) for one in found)
    assert all(one.weighed.low < one.weighed.value < one.weighed.high for one in found)


@pytest.mark.parametrize(("times", "moved"), [(1.1, False), (4.0, True)])
def test_under_a_given_load_the_work_moves_beyond_its_own_error(times: float, moved: bool) -> None:
    """The throughput follows the load and is sure; what an inference costs is less so, and is judged by that."""
    made = sample.under(fake.study())
    first = made.visits[0]
    again = tuple(dataclasses.replace(first, number=len(made.visits) + i, trial=None) for i in range(60))
    made = dataclasses.replace(made, visits=(*made.visits, *again))

    def result(share: float) -> Result:
        visits = tuple(
            dataclasses.replace(v, outcome=dataclasses.replace(v.outcome, cpu_s=share * 1.1 ** (-1) ** i))
            if isinstance(v.outcome, Block)
            else v
            for i, v in enumerate(made.visits)
        )
        return conclude(dataclasses.replace(made, visits=visits), made.goal)

    found = moves_of(compare(result(1.0), result(times)))
    assert {one.standing for one in found} == {"moved" if moved else "alike"}
    assert all(one.weighed.value == pytest.approx(times) for one in found)


def test_configs_of_one_study_alone_are_left_out() -> None:
    """What only one of them measured tells of no move."""
    made = fake.study()
    first = made.visits[0].config.key
    other = dataclasses.replace(made, visits=tuple(v for v in made.visits if v.config.key != first), duels={})
    found = moves_of(compare(conclude(made, made.goal), conclude(other, made.goal)))
    assert first not in {one.config.key for one in found}
    assert found


def test_table() -> None:
    """The table counts what moved, and names each config with both ratios."""
    made = fake.study()
    text = shown(moves(compare(conclude(made, made.goal), faster(made, 1.3)), NAMES))
    count = len(conclude(made, Goal()).estimates)
    assert f"{count} of {count} configs that old and new both measured moved" in text
    assert made.visits[0].config.words in text
    assert "1.300 (" in text


def test_what_other_work_held_up_is_not_said_to_have_moved() -> None:
    """A config of which one study has contended blocks alone tells of no move."""
    made = fake.study()
    result = conclude(made, made.goal)
    config = result.recommended
    held = tuple(
        dataclasses.replace(v, outcome=dataclasses.replace(v.outcome, others_busy=1.0))
        if v.config == config and isinstance(v.outcome, Block)
        else v
        for v in made.visits
    )
    found = moves_of(compare(conclude(dataclasses.replace(made, visits=held), made.goal), faster(made, 1.3)))
    standings = {one.config: one.standing for one in found}
    assert standings.pop(config) == "held up"
    assert set(standings.values()) == {"moved"}


def test_the_chance_of_an_error_is_shared_out() -> None:
    """The more configs there are, the wider is the interval of each."""
    made = fake.study()
    many = moves_of(compare(conclude(made, made.goal), conclude(made, made.goal)))
    first = made.visits[0].config.key
    one = dataclasses.replace(made, visits=tuple(v for v in made.visits if v.config.key == first), duels={})
    (alone,) = moves_of(compare(conclude(made, made.goal), conclude(one, made.goal)))
    among = next(move for move in many if move.config.key == first)
    assert among.weighed.high / among.weighed.value > alone.weighed.high / alone.weighed.value > 1


def test_what_was_not_measured_is_named() -> None:
    """Where the trials did not reach for the whole front, the table says what is left."""
    made = fake.study()
    last = made.visits[-1].config
    absent = dataclasses.replace(last, api="async", nireq=77)
    lead = Lead(study="old", model="m", members=(Member(words="w", config=last), Member(words="x", config=absent)))
    led = dataclasses.replace(made, setup=dataclasses.replace(made.setup, lead=lead))
    text = shown(moves(compare(conclude(made, made.goal), conclude(led, made.goal)), NAMES))
    assert "Not tried yet: " in text
    assert "nireq 77" in text

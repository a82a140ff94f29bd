import dataclasses

import pytest

from ovtune.comparison import compare
from ovtune.goal import Goal
from ovtune.move import moves_of
from ovtune.result import conclude
from ovtune.terminal import moves
from tests import fake
from tests.test_comparison import NAMES, faster
from tests.test_terminal import shown


@pytest.mark.parametrize(("times", "moved"), [(1.3, True), (0.7, True), (1.0, False), (1.01, False)])
def test_what_moved(times: float, moved: bool) -> None:
    """A config moved if its throughput or its latency is shown to have changed by more than the margin."""
    made = fake.study()
    found = moves_of(compare(conclude(made, made.goal), faster(made, times)))
    assert len(found) == len(conclude(made, made.goal).estimates)
    assert {one.moved for one in found} == {moved}
    assert all(one.weighed.value == pytest.approx(times) for one in found)
    assert all(one.latency is not None and one.latency.value == pytest.approx(1 / times) for one in found)
    assert all(one.weighed.low < one.weighed.value < one.weighed.high for one in found)


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

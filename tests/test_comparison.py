import dataclasses
import math

import pytest

from ovtune.comparison import common_words, compare, contest_words, tree
from ovtune.config import Config
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.result import Result, conclude
from ovtune.study import Study
from tests import fake
from tests.report import sample

NAMES = ("old", "new")


def faster(made: Study, times: float, **changes: object) -> Result:
    """What a study says in which everything runs so many times as fast."""
    visits = tuple(
        dataclasses.replace(v, outcome=fake.sped(v.outcome, times)) if isinstance(v.outcome, Block) else v
        for v in made.visits
    )
    setup = dataclasses.replace(made.setup, **changes)  # type: ignore[arg-type]
    whole = dataclasses.replace(made, visits=visits, setup=setup)
    return conclude(whole, whole.goal)


def test_a_study_and_itself() -> None:
    """A study beside itself has no winner and no difference."""
    result = sample.result()
    found = compare(result, result)
    assert {c.winner for c in found.contests} <= {"neither", "open"}
    assert all(c.ratio.value == 1 for c in found.contests)
    assert found.common is not None
    assert found.common.throughput.value == 1
    assert not any(c.differs for c in found.circumstances)


@pytest.mark.parametrize(("times", "winner"), [(1.5, "second"), (1 / 1.5, "first")])
def test_a_clear_winner(times: float, winner: str) -> None:
    """Where everything is half as fast again, that study wins every contest, by that much."""
    made = sample.study()
    found = compare(conclude(made, made.goal), faster(made, times))
    assert {c.winner for c in found.contests} == {winner}
    throughput = next(c for c in found.contests if c.prefer == "throughput")
    assert throughput.ratio.value == pytest.approx(times)
    assert found.common is not None
    assert found.common.throughput.low <= times * (1 + 1e-9)
    assert found.common.latency.value == pytest.approx(1 / times, rel=1e-5)
    words = contest_words(throughput, NAMES)
    assert words.startswith(f"{'new' if times > 1 else 'old'}, 50% better (")


def test_within_the_noise() -> None:
    """A difference that is smaller than the noise is told as none."""
    made = sample.study()
    found = compare(conclude(made, made.goal), faster(made, 1.001))
    assert "first" not in {c.winner for c in found.contests}
    assert "second" not in {c.winner for c in found.contests}
    assert any("noise" in contest_words(c, NAMES) or "no difference" in contest_words(c, NAMES) for c in found.contests)


def test_circumstances() -> None:
    """What changed around the studies is told by name, with both values."""
    made = sample.study()
    environment = dataclasses.replace(made.setup.environment, openvino="2027.0", devices={"GPU": "Test GPU"})
    found = compare(conclude(made, made.goal), faster(made, 1.0, environment=environment))
    changed = {c.name: (c.first, c.second) for c in found.circumstances if c.differs}
    assert changed == {
        "OpenVINO": ("2026.4.1", "2027.0"),
        "device CPU": ("Test CPU", "none"),
        "device GPU": ("none", "Test GPU"),
    }


def test_too_few_in_common() -> None:
    """Where fewer than eight configs were measured in both, nothing is said of them."""
    made = sample.study()
    renamed = tuple(
        v if v.number < 3 else dataclasses.replace(v, config=_elsewhere(v.config))
        for v in made.visits
        if v.phase == "search"
    )
    other = dataclasses.replace(made, visits=renamed, duels={})
    found = compare(conclude(made, made.goal), conclude(other, other.goal))
    assert found.common is None
    assert "Fewer than eight" in common_words(found, NAMES)


def _elsewhere(config: Config) -> Config:
    return dataclasses.replace(config, device="GPU")


def test_the_goal_is_that_of_the_first() -> None:
    """A limit of the first study's goal holds for both."""
    made = sample.study()
    limited = conclude(made, Goal(max_latency_ms=12.0, prefer="throughput"))
    for contest in compare(limited, sample.result()).contests:
        for side in (contest.first, contest.second):
            latency = side.latency_ms["p50"]
            assert latency.value <= 12.0 or math.isinf(latency.value)  # type: ignore[union-attr]


def test_json() -> None:
    """The comparison as plain values names both studies, each contest's winner and configs, and what differs."""
    told = tree(compare(sample.result(), sample.result()))
    assert told["studies"] == ["mobilenet", "mobilenet"]
    assert {"prefer", "winner", "ratio", "configs"} <= told["contests"][0].keys()  # type: ignore[index]

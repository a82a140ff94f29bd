import pytest

from ovtune.importance import importances
from tests.report import sample


def test_what_decides_is_found() -> None:
    """The shares sum to one for each objective, and what the fake host makes fast matters more than what it ignores."""
    found = {one.parameter: one for one in importances(sample.large(100))}
    assert sum(one.weighed for one in found.values()) == pytest.approx(1)
    assert sum(one.latency for one in found.values()) == pytest.approx(1)
    assert found["hint"].weighed > found["api"].weighed


def test_the_same_every_time() -> None:
    """Nothing is left to chance."""
    assert importances(sample.result()) == importances(sample.result())


def test_what_decides_the_cost_is_found() -> None:
    """Under an offered load, which gives the throughput, the importances are those for CPU time."""
    found = {one.parameter: one for one in importances(sample.offered(trials=100))}
    assert sum(one.weighed for one in found.values()) == pytest.approx(1)
    assert found == {one.parameter: one for one in importances(sample.result(trials=100))}

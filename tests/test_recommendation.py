from dataclasses import replace

import pytest

from ovtune.document import IntervalPart, UnavailablePart, parse, text_of
from ovtune.goal import Goal
from ovtune.recommendation import document_of
from ovtune.result import Result, conclude, measured
from ovtune.workload import ConstantRate
from tests import fake


@pytest.fixture(scope="module")
def result() -> Result:
    return conclude(fake.study(), Goal())


def test_it_says_what_the_result_says(result: Result) -> None:
    """Config, verdict, baseline, model, goal, host and study are those of the result."""
    document = document_of(result)
    setup = result.study.setup
    assert document.to_config() == result.recommended
    assert (document.verdict.kind, document.verdict.text) == (result.verdict.kind, result.verdict.text)
    assert document.baseline.name == result.baseline.name
    assert (document.model.path, document.model.sha256) == (setup.model.path, setup.model.sha256)
    assert document.goal.margin == result.goal.margin
    assert dict(document.environment.devices) == dict(setup.environment.devices)
    assert (document.study.name, document.study.trial) == (result.study.name, result.trial)
    assert document.effective == result.measured.effective
    assert [c.text for c in document.caveats] == [c.text for c in result.caveats]


def test_figures_of_the_two_in_the_duel_are_from_it_alone(result: Result) -> None:
    """The recommendation's and the baseline's figures say that they come from the duel; the front's say search."""
    document = document_of(result)
    assert document.measured.source == document.baseline.measured.source == "duel"
    assert document.measured.blocks == 20
    assert {point.measured.source for point in document.front} == {"search"}
    assert [point.measured.throughput_per_s.value for point in document.front] == [
        measured(result, e.config).throughput_per_s.value for e in result.front
    ]


def test_missing_percentile_says_how_much_is_missing(result: Result) -> None:
    """A percentile with too few samples is unavailable with its reason, the others are intervals around their value."""
    latencies = document_of(result).measured.latency_ms
    assert set(latencies) == {"p50", "p90", "p95", "p99", "p99.9", "mean"}
    rare = latencies["p99.9"]
    assert isinstance(rare, UnavailablePart)
    assert rare.unavailable.endswith("of 6636 samples")
    median = latencies["p50"]
    assert isinstance(median, IntervalPart)
    assert median.low <= median.value <= median.high


def test_limits_and_load_are_written() -> None:
    """A search under limits and a given load writes both, so that a reader knows what was promised."""
    goal = Goal(max_latency_ms=50, min_throughput_per_s=10, max_memory_bytes=1e9, prefer="throughput", margin=0.05)
    document = document_of(conclude(fake.study(goal=goal), goal))
    assert (document.goal.max_latency_ms, document.goal.min_throughput_per_s) == (50, 10)
    assert (document.goal.max_memory_bytes, document.goal.margin) == (1e9, 0.05)
    assert (document.load.kind, document.load.interval_s) == ("closed", None)
    study = fake.study()
    study = replace(study, setup=replace(study.setup, workload=ConstantRate(interval_s=0.03)))
    document = document_of(conclude(study, Goal()))
    assert (document.load.kind, document.load.interval_s) == ("interval", 0.03)


@pytest.mark.parametrize("pairs", [0, 3, 8])
@pytest.mark.parametrize("trials", [1, 2, 3, 8, 25])
def test_every_study_gives_a_document_that_can_be_read(trials: int, pairs: int) -> None:
    """From one trial to many, with and without a duel: what is written is what is read."""
    document = document_of(conclude(fake.study(trials=trials, pairs=pairs), Goal()))
    assert parse(text_of(document), name="x") == document
    if pairs == 0:
        assert document.verdict.kind == "unconfirmed"
        assert [c.kind for c in document.caveats] == ["unconfirmed"]
        assert document.verdict.throughput_ratio is None

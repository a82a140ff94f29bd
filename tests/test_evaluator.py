"""What every evaluator keeps: the child process, a recording, and the fake."""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

import pytest

from ovtune import codec
from ovtune.config import Config
from ovtune.evaluator import Evaluator, Failed, Infeasible, Outcome, SameAs
from ovtune.measurement import LATENCY_METRICS, Block, Plan, count_of
from ovtune.replay import Replay
from ovtune.trial_process import TrialProcess
from ovtune.workload import ClosedLoop
from tests import fake
from tests.fake import FakeEvaluator

PLAN = Plan(duration_s=0.05, warmup_s=0.05, least_requests=8, longest_s=1.0)
GOOD = Config(device="CPU", properties={"PERFORMANCE_HINT": "LATENCY"}, nireq=1)
BATCHED = replace(GOOD, nireq=2, batch_size=2)
REFUSED = Config(device="NOWHERE", nireq=1)


def _child() -> Evaluator:
    return TrialProcess(files={"FP32": "demo:mlp"}, plugins={}, workload=ClosedLoop())


def _replay() -> Evaluator:
    return Replay(fake.recording([GOOD, BATCHED], rounds=3))


def _fake() -> Evaluator:
    return FakeEvaluator(outcomes={REFUSED.key: Infeasible(reason="there is no NOWHERE", cost_s=0.1)})


@pytest.fixture(
    params=[pytest.param(_child, marks=pytest.mark.runtime), _replay, _fake], ids=["child", "replay", "fake"]
)
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    made: Evaluator = request.param()
    return made


def block(evaluator: Evaluator, config: Config, shared: Mapping[str, str] | None = None) -> Block:
    outcome = evaluator.evaluate(config, replace(PLAN, shared=shared or {}))
    assert isinstance(outcome, Block), outcome
    return outcome


@pytest.mark.parametrize("config", [GOOD, BATCHED])
def test_the_figures_of_a_block_fit_together(evaluator: Evaluator, config: Config) -> None:
    """Items, time and latencies are above zero; the percentiles rise; a batch is counted by its items."""
    found = block(evaluator, config)
    assert found.elapsed_s > 0
    assert found.throughput_per_s == pytest.approx(found.items / found.elapsed_s)
    assert found.items == pytest.approx(found.count * config.batch_size, abs=config.batch_size)
    told = [m for m in LATENCY_METRICS if m != "mean" and count_of(found.latencies, m)]
    assert {"p50", "p90", "p95", "p99"} <= set(told)
    values = [found.latency_ms(metric) for metric in told]
    assert 0 < values[0] <= values[-1]
    assert values == sorted(values)
    assert found.latency_ms("mean") > 0


def test_what_a_block_says_of_its_circumstances(evaluator: Evaluator) -> None:
    """Cost, CPU time, memory and shares are never below zero, and the effective settings have a key."""
    found = block(evaluator, GOOD)
    assert found.cost_s > 0
    assert min(found.cpu_s, found.compile_ms, found.first_inference_ms, found.memory_bytes) >= 0
    assert 0 <= found.others_busy <= 1
    assert found.occupancy is not None
    assert 0 < found.occupancy < 1.5
    assert found.effective_key


def test_a_block_goes_through_the_store(evaluator: Evaluator) -> None:
    """Whatever an evaluator answers is JSON, and the same again."""
    found = block(evaluator, GOOD)
    again: Block = codec.load(codec.dump(found, Block), Block)
    assert again == found


def test_a_config_may_be_visited_again(evaluator: Evaluator) -> None:
    """A second visit is a block of its own, later than the first, and the same config by its effective settings."""
    first, second = block(evaluator, GOOD), block(evaluator, GOOD)
    assert second.started_at > first.started_at
    assert second.effective_key == first.effective_key


def test_being_measured_oneself_is_no_sharing(evaluator: Evaluator) -> None:
    """A config whose effective settings are known from itself is measured again all the same."""
    first = block(evaluator, GOOD)
    block(evaluator, GOOD, shared={first.effective_key: GOOD.key})


def test_fresh_blocks_are_counted_or_without_limit(evaluator: Evaluator) -> None:
    """A recording has one less after each visit; what can be run again and again says so with None."""
    before = evaluator.fresh_blocks(GOOD)
    block(evaluator, GOOD)
    after = evaluator.fresh_blocks(GOOD)
    assert (before, after) in {(None, None), (3, 2)}


def test_what_cannot_run_is_an_outcome(evaluator: Evaluator) -> None:
    """A device that is not there is infeasible, with a reason in one line, and no exception."""
    outcome = evaluator.evaluate(REFUSED, PLAN)
    assert isinstance(outcome, Infeasible)
    assert outcome.reason
    assert "\n" not in outcome.reason


def test_every_outcome_has_a_cost(evaluator: Evaluator) -> None:
    """Whatever comes of a visit, what it took is told and not below zero."""
    for config in (GOOD, REFUSED):
        assert _cost_s(evaluator.evaluate(config, PLAN)) >= 0


def _cost_s(outcome: Outcome) -> float:
    match outcome:
        case Block() | SameAs() | Infeasible() | Failed():
            return outcome.cost_s
        case _:
            assert_never(outcome)

from dataclasses import replace

import pytest

from ovtune.capacity import Try, bound, tolerance_of
from ovtune.config import Config
from ovtune.errors import UsageError
from ovtune.estimate import Estimate, Quantity, Spread
from ovtune.field import Field
from ovtune.goal import Goal
from ovtune.lineup import finalists, findings, leader
from ovtune.measurement import Plan
from ovtune.study import Study, Visit
from ovtune.workload import Load, Poisson, PoissonCapacity, Streams, StreamsCapacity
from tests import fake
from tests.queueing import Queueing

CAMERAS = StreamsCapacity(frames_per_s=20)
GOAL = bound(Goal(latency="p50", deadline_ms=33), CAMERAS)
FAST = Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=4)
HINT = fake.BASELINES[1].config


def study(load: Load = CAMERAS, truth: float = 205.0) -> Study:
    """A study whose search is over: OpenVINO's own answers and one faster config."""
    evaluator = Queueing(truth=lambda c: truth if c == FAST else 150.0 if c == HINT else 60.0, noise=0.0)
    asked = (*(b.config for b in fake.BASELINES), FAST)
    plain = fake.study(trials=2, pairs=0)
    visits = tuple(
        Visit(
            number=i,
            phase="search",
            trial=i,
            confirmation=0,
            round=0,
            config=config,
            outcome=evaluator.evaluate(config, Plan()),
        )
        for i, config in enumerate(asked)
    )
    return replace(plain, setup=replace(plain.setup, workload=load), visits=visits, trials=3)


def with_block(before: Study, config: Config, cameras: int, *, capacity: float, duration_s: float = 20.0) -> Study:
    """The study with one more block of the search for a capacity."""
    load = Streams(cameras=cameras, frames_per_s=20)
    evaluator = Queueing(truth=lambda _: capacity, noise=0.0)
    visit = Visit(
        number=len(before.visits),
        phase="capacity",
        trial=None,
        confirmation=0,
        round=0,
        config=config,
        outcome=evaluator.evaluate(config, Plan(duration_s=duration_s, workload=load)),
        workload=load,
    )
    return replace(before, visits=(*before.visits, visit))


def estimate(config: Config, throughput: float, p50_ms: float, memory_bytes: int = 10) -> Estimate:
    return Estimate(
        config=config,
        blocks=1,
        samples=100,
        throughput_per_s=Quantity(value=throughput, error=0.03),
        latency_ms={"p50": Quantity(value=p50_ms, error=0.03)},
        cpu_ms_per_inference=Quantity(value=1.0, error=0.03),
        energy_mj_per_inference=None,
        memory_bytes=memory_bytes,
        sustained=True,
    )


def field(*estimates: Estimate) -> Field:
    return Field(
        goal=GOAL,
        estimates={e.config.key: e for e in estimates},
        alone={e.config.key: e for e in estimates},
        metric="p50",
        spread=Spread(),
        baselines=fake.BASELINES,
        owners={},
        finals=frozenset(),
    )


def test_best_of_both_sides_come_first_in_turn() -> None:
    """The others and OpenVINO's own alternate: by throughput within the limit, and by throughput alone."""
    own = [estimate(b.config, 100 + i, 10) for i, b in enumerate(fake.BASELINES)]
    quick = estimate(replace(FAST, nireq=1), 90, 8)
    full = estimate(replace(FAST, nireq=8), 300, 60)
    slow = estimate(replace(FAST, nireq=6), 40, 9)
    last = estimate(replace(FAST, nireq=3), 30, 9)
    keys = frozenset(e.config.key for e in own)
    told = finalists(field(*own, slow, last, quick, full), keys, GOAL, tolerance_of(GOAL, CAMERAS))
    assert told == [quick, own[1], full, own[0], slow]


def test_limit_of_memory_is_kept() -> None:
    """A config that takes more memory than allowed is not asked."""
    large, small = estimate(FAST, 300, 10, memory_bytes=200), estimate(replace(FAST, nireq=1), 90, 8)
    goal = replace(GOAL, max_memory_bytes=100)
    assert finalists(field(large, small), frozenset(), goal, tolerance_of(goal, CAMERAS)) == [small]


def test_first_block_is_at_four_fifths_of_the_closed_loop() -> None:
    """Before any block everyone is open, and the first is due for the best of the others."""
    found = findings(study(), GOAL)
    assert [f.config for f in found] == [FAST, HINT, fake.BASELINES[0].config]
    assert not any(f.settled for f in found)
    assert found[0].due == Try(number=8.0, stage="capacity")
    assert leader(found) is None


def test_blocks_move_the_search_on() -> None:
    """A number that holds is followed by a higher one, one that does not by a lower one, for the same config."""
    assert findings(with_block(study(), FAST, 8, capacity=500.0), GOAL)[0].due == Try(number=10.0, stage="capacity")
    assert findings(with_block(study(), FAST, 8, capacity=100.0), GOAL)[0].due == Try(number=5.0, stage="capacity")
    few = with_block(study(), FAST, 8, capacity=500.0, duration_s=1.0)
    assert findings(few, GOAL)[0].due == Try(number=8.0, stage="capacity")


def test_another_limit_judges_the_same_blocks_anew() -> None:
    """What holds within one deadline need not within a shorter one: 5 ms of service, and waiting beside."""
    told = with_block(study(), FAST, 8, capacity=200.0)
    strict = findings(told, replace(GOAL, deadline_ms=4.0))[0]
    assert strict.due is not None
    assert strict.due.number < 8
    assert strict.least_ms == pytest.approx(5.0, rel=1e-3)


def test_rates_are_asked_of_the_common_scale() -> None:
    """Under poisson:auto the numbers are rates, and blocks under them count for them."""
    goal = bound(Goal(latency="p50", max_latency_ms=50), PoissonCapacity())
    due = findings(study(PoissonCapacity()), goal)[0].due
    assert due is not None
    assert Poisson(rate_per_s=due.number).rate_per_s == pytest.approx(0.8 * 205, rel=0.03)


def test_studies_without_a_question_are_refused() -> None:
    """A study under a given load has no capacities to tell."""
    with pytest.raises(UsageError, match="asks for no capacity"):
        findings(fake.study(), GOAL)

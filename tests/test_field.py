from dataclasses import replace

from ovtune.estimate import Quantity, Spread, estimate, spread_of
from ovtune.field import Field, survey_field
from ovtune.goal import Goal
from ovtune.study import blocks_by_config
from ovtune.workload import ConstantRate
from tests import fake
from tests.value import told


def test_equals_are_told_by_the_error_of_what_was_asked_for() -> None:
    """While one config lacks the asked percentile all are compared by p50, whose error is not that of the tail."""
    known = [
        replace(
            told(nireq=place),
            latency_ms={"p50": Quantity(value=5.0, error=0.02), "p95": Quantity(value=p95_ms, error=0.12)},
        )
        for place, p95_ms in enumerate((10.0, 11.0, 20.0), start=1)
    ]
    known.append(told(nireq=4, without=("p95",)))
    field = Field(
        goal=Goal(prefer="latency"),
        estimates={e.config.key: e for e in known},
        alone={e.config.key: e for e in known},
        metric="p50",
        spread=Spread(),
        baselines=(),
        owners={},
        finals=frozenset(),
    )
    assert field.challenger is known[0]
    assert known[1] in field.close(known[0], by=1.0)
    assert known[2] not in field.close(known[0], by=1.0)


def test_estimates_lean_on_each_other_in_a_closed_loop_alone() -> None:
    """Under a given load throughput and CPU time follow the load, so that they tell of no slowdown."""
    study, further = (fake.study(pairs=0, seed=seed) for seed in (1, 2))
    again = [
        replace(v, number=v.number + len(study.visits), phase="elimination", trial=None, confirmation=1)
        for v in further.visits[:12]
    ]
    closed = replace(study, visits=(*study.visits, *again))
    given = replace(closed, setup=replace(closed.setup, workload=ConstantRate(interval_s=0.01)))
    goal = Goal(latency="p50")
    own = survey_field(given, goal).estimates
    leaning = survey_field(closed, goal).estimates
    blocks = blocks_by_config(given.visits, "search", "elimination")
    assert own == {key: estimate(e.config, blocks[key], spread_of(blocks.values())) for key, e in own.items()}
    assert own.keys() == leaning.keys()
    assert any(leaning[key].throughput_per_s != e.throughput_per_s for key, e in own.items())

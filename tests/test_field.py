from dataclasses import replace

from ovtune.estimate import Quantity, Spread
from ovtune.field import Field
from ovtune.goal import Goal
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
        metric="p50",
        spread=Spread(),
        baselines=(),
        owners={},
        finals=frozenset(),
    )
    assert field.challenger is known[0]
    assert known[1] in field.close(known[0], by=1.0)
    assert known[2] not in field.close(known[0], by=1.0)

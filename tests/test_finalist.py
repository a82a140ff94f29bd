import math
from pathlib import Path

import pytest

from ovtune.config import Config
from ovtune.estimate import Estimate, Quantity, Spread
from ovtune.field import Field
from ovtune.finalist import lead, left_s
from ovtune.goal import Goal, Prefer
from ovtune.ledger import Event, VisitEnded
from ovtune.measurement import LatencyMetric
from tests import bench as benches
from tests import fake
from tests.bench import Bench, small
from tests.fake import FakeEvaluator

CONFIRM_S = 120.0


def _field(goal: Goal, *, energy: bool) -> Field:
    """A config against a baseline, of which all that is compared differs in size and in error."""
    told = [
        Estimate(
            config=config,
            blocks=1,
            samples=200,
            throughput_per_s=Quantity(value=100.0 + 20 * i, error=0.01),
            latency_ms={metric: Quantity(value=9.0 - i, error=0.02) for metric in ("p50", "p95")},
            cpu_ms_per_inference=Quantity(value=6.0 - i, error=0.03),
            energy_mj_per_inference=Quantity(value=3.0 - i, error=0.04) if energy else None,
            memory_bytes=10,
            sustained=True,
        )
        for i, config in enumerate((fake.BASELINES[0].config, Config(device="CPU", nireq=7)))
    ]
    latency: dict[LatencyMetric, float] = {"p50": 0.1, "p95": 0.2}
    return Field(
        goal=goal,
        estimates={e.config.key: e for e in told},
        alone={e.config.key: e for e in told},
        metric="p50",
        spread=Spread(throughput=0.3, latency=latency, cpu_time=0.4, energy=0.5),
        baselines=fake.BASELINES[:1],
        owners={},
        finals=frozenset(),
    )


@pytest.mark.parametrize(
    ("prefer", "energy", "ratio", "error", "deviation"),
    [
        ("throughput", False, 120 / 100, 0.01, 0.3),
        ("latency", False, 9 / 8, 0.02, 0.2),
        ("balanced", False, 120 / 100 * 9 / 8, 0.03, 0.5),
        ("efficiency", False, 6 / 5, 0.03, 0.4),
        ("efficiency", True, 3 / 2, 0.04, 0.5),
    ],
)
def test_lead(prefer: Prefer, energy: bool, ratio: float, error: float, deviation: float) -> None:
    """By what is preferred: how far ahead, and how unsure that and a pair of blocks are, of both sides together."""
    found = lead(_field(Goal(prefer=prefer), energy=energy))
    assert found == pytest.approx((math.log(ratio), math.sqrt(2) * error, math.sqrt(2) * deviation))


class Noting(list[Event]):
    """Events, and when each came by the evaluator's clock."""

    def __init__(self, evaluator: FakeEvaluator) -> None:
        super().__init__()
        self.times_s: list[float] = []
        self._evaluator = evaluator

    def append(self, event: Event) -> None:
        """Keeps an event and its time."""
        super().append(event)
        self.times_s.append(self._evaluator.now_s)


@pytest.mark.parametrize("spread", [0.02, 0.05])
def test_time_left_is_right_within_a_third(tmp_path: Path, spread: float) -> None:
    """From the search's last visit to the duel's end, nine of ten times left are right within a third."""
    evaluator = FakeEvaluator(noise=spread)
    events = Noting(evaluator)
    bench = Bench(**vars(benches.make(tmp_path, small(16), evaluator=evaluator)) | {"events": events})
    bench.search(12, confirm_s=CONFIRM_S)
    ends = [(at, e) for at, e in zip(events.times_s, events, strict=True) if isinstance(e, VisitEnded)]
    began = max(at for at, e in ends if e.started.phase == "search")
    over = ends[-1][0]
    ratios = [
        left_s(e.study, bench.goal, time_s=CONFIRM_S, spent_s=at - began) / (over - at)
        for at, e in ends
        if began <= at < over - 10
    ]
    assert len(ratios) > 10
    assert sum(2 / 3 <= ratio <= 4 / 3 for ratio in ratios) >= 0.9 * len(ratios), ratios

from pathlib import Path

import pytest

from ovtune.finalist import left_s
from ovtune.ledger import Event, VisitEnded
from tests import bench as benches
from tests.bench import Bench, small
from tests.fake import FakeEvaluator

CONFIRM_S = 120.0


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

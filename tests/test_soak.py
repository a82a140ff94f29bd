from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ovtune import soak
from ovtune.estimate import Spread
from ovtune.evaluator import Failed
from ovtune.goal import Prefer
from ovtune.measurement import Block, Plan
from tests.fake import FakeEvaluator
from tests.promised import BASELINE, CONFIG
from tests.value import block

FALLING = [10.0] * 20 + [20.0] * 80


def shorts(rates: Any, **fields: Any) -> list[Block]:
    return [block(throughput_per_s=float(rate), **fields) for rate in rates]


class TestPlan:
    def test_it_measures_for_its_time_and_gives_up_after_it(self) -> None:
        """A soak warms up as usual, may end a little late, and has its own time beside the usual one."""
        told = soak.plan(Plan(), 120.0)
        assert told == replace(Plan(), duration_s=120.0, longest_s=123.0, timeout_s=243.0)


class TestRun:
    def test_each_config_is_run_once_for_the_time(self) -> None:
        """One long visit each, in order."""
        evaluator = FakeEvaluator()
        made = list(soak.run(evaluator, [CONFIG, BASELINE], usual=Plan(), duration_s=20.0))
        assert evaluator.asked == [CONFIG, BASELINE]
        assert [one.elapsed_s for one in made if isinstance(one, Block)] == pytest.approx([20.0, 20.0], rel=0.02)

    def test_it_ends_where_the_user_stops_it(self) -> None:
        """Between two runs it is asked whether to go on."""
        evaluator = FakeEvaluator()
        for _ in soak.run(
            evaluator, [CONFIG, BASELINE], usual=Plan(), duration_s=9.0, stopping=lambda: bool(evaluator.asked)
        ):
            pass
        assert evaluator.asked == [CONFIG]

    def test_it_ends_with_a_failure(self) -> None:
        """What the first died of is told, and the second is spared."""
        failed = Failed(reason="too hot")
        evaluator = FakeEvaluator(outcomes={CONFIG.key: failed})
        assert list(soak.run(evaluator, [CONFIG, BASELINE], usual=Plan(), duration_s=9.0)) == [failed]


class TestCourse:
    def test_start_and_end_of_a_closed_loop(self) -> None:
        """By Little's law a tenth with twice the latency took twice the time: half the throughput.

        100 requests at 10 and 20 ms take 1800 ms for 100, the first tenth 100 ms for 10.
        """
        told = soak.course(block(FALLING, throughput_per_s=100 / 1.8))
        assert told.start_per_s == pytest.approx(100.0)
        assert told.end_per_s == pytest.approx(50.0)
        assert (told.start_ms, told.end_ms) == (10.0, 20.0)
        assert told.remains == pytest.approx(0.5)
        assert told.of_short is None
        assert told.elapsed_s == pytest.approx(1.8)

    def test_an_open_loop_is_told_by_its_latency(self) -> None:
        """Where the load sets the throughput the latency shows what remains."""
        told = soak.course(block(FALLING, occupancy=None), [block([10.0], throughput_per_s=999.0, occupancy=None)])
        assert (told.start_per_s, told.end_per_s, told.remains) == (None, None, 0.5)
        assert told.of_short == pytest.approx(0.5)

    def test_it_is_compared_with_short_blocks(self) -> None:
        """What remains of the throughput that the short blocks showed, whatever one of them was disturbed by."""
        told = soak.course(block(FALLING, throughput_per_s=80.0), shorts([100.0, 100.0, 100.0, 10.0, 100.0]))
        assert told.of_short == pytest.approx(0.8)

    def test_a_single_sample_is_start_and_end(self) -> None:
        """A slow model may complete once."""
        assert soak.course(block([5.0])).remains == 1.0


class TestCompare:
    NOISE = 1 + 0.01 * np.array([-3, -2, -1, 0, 0, 1, 2, 3, -1, 1])

    def pairs(self) -> list[tuple[Block, Block]]:
        return list(zip(shorts(130 * self.NOISE), shorts(100 * self.NOISE[::-1]), strict=True))

    def told(self, rate: float, other: float = 100.0) -> soak.Soak:
        long = block(throughput_per_s=rate), block(throughput_per_s=other)
        return soak.compare(long, self.pairs(), prefer="throughput", metric="p50")

    def test_a_throttled_config_falls_below(self) -> None:
        """A ratio too far below the floor for two long blocks' chance is an alarm."""
        assert self.told(90.0).ratio == pytest.approx(0.9)
        assert self.told(90.0).below(1.25)

    def test_what_slows_both_down_does_not(self) -> None:
        """A throttled machine leaves the ratio as it is."""
        told = self.told(65.0, 50.0)
        assert told.ratio == pytest.approx(1.3)
        assert not told.below(1.25)
        assert told.opponent is not None
        assert told.opponent.of_short == pytest.approx(0.5, rel=0.02)

    def test_a_little_below_is_within_chance(self) -> None:
        """Two blocks minutes apart may differ by three deviations of the short ones of both sides."""
        told = self.told(124.0)
        assert told.ratio == pytest.approx(1.24)
        assert not told.below(1.25)
        assert told.high is not None
        spread = 1.4826 * 0.01
        assert told.high == pytest.approx(1.24 * np.exp(3 * np.hypot(spread, spread)), rel=0.01)

    def test_few_short_blocks_tell_no_spread(self) -> None:
        """Then the usual one of a shared machine stands for it."""
        long = block(throughput_per_s=115.0), block(throughput_per_s=100.0)
        usual = Spread()
        latency = usual.latency["p50"]
        usually: tuple[tuple[Prefer, float, float], ...] = (
            ("throughput", 1.15, usual.throughput),
            ("latency", 1.0, latency),
            ("balanced", 1.15, usual.throughput + latency),
            ("efficiency", 1.0, usual.cpu_time),
        )
        for prefer, ratio, spread in usually:
            told = soak.compare(long, self.pairs()[:3], prefer=prefer, metric="p50")
            assert told.high == pytest.approx(ratio * np.exp(3 * np.hypot(spread, spread)))

    def test_a_soak_alone_is_below_nothing(self) -> None:
        """Without an opponent there is no ratio."""
        assert not soak.Soak(config=soak.course(block([5.0]))).below(100.0)

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ovtune import check, duel, stats
from ovtune.caveat import Caveat
from ovtune.check import Judgement, judge, over
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.promise import Promise
from tests.promised import promise
from tests.value import block

LATE = Caveat(kind="not_sustained", parameters={"rate_per_s": 1.0, "backlog_ms": 1.0})


def blocks(rate: float, count: int = 12, *, spread: float = 0.01, **fields: Any) -> list[Block]:
    """Blocks whose throughputs lie evenly up to ``spread`` around ``rate``."""
    at = rate * (1 + spread * np.linspace(-1, 1, count))
    return [block(throughput_per_s=float(value), **fields) for value in at]


def told(rate: float, other: float = 100.0, count: int = 12, looks: int = 1, **fields: Any) -> Judgement:
    return judge(promise(**fields), blocks(rate, count), blocks(other, count), looks=looks)


class TestRelative:
    def test_it_holds_above_the_floor(self) -> None:
        """The whole interval of today's ratio above what is promised less the margin: 1.176."""
        found = told(119.0)
        assert (found.kind, found.relative, found.blocks, found.more) == ("holds", "holds", 12, None)
        assert found.ratio is not None
        assert found.ratio.value == pytest.approx(1.19)
        assert found.ratio.low > 1.176

    def test_it_is_slower_below_the_floor(self) -> None:
        """The whole interval below it."""
        assert told(117.0).kind == told(117.0).relative == "slower"

    def test_it_is_open_across_the_floor(self) -> None:
        """An interval across the floor says about how many more pairs it takes."""
        ours, others = blocks(119.0, 12, spread=0.05), blocks(100.0, 12)
        found = judge(promise(next_per_s=None), ours, others, looks=3)
        assert (found.kind, found.relative) == ("undecided", "undecided")
        assert found.more is not None
        assert 10 < found.more < 100

    def test_too_near_to_be_told(self) -> None:
        """Where hundreds of pairs would not do, no number is named."""
        ours = blocks(117.6, 12, spread=0.05)
        assert judge(promise(next_per_s=None), ours, blocks(100.0), looks=3).more is None

    @pytest.mark.parametrize("count", [1, 5])
    def test_few_pairs_tell_nothing(self, count: int) -> None:
        """An interval without bounds decides nothing."""
        assert told(10.0, count=count, next_per_s=None).kind == "undecided"
        assert told(1000.0, count=count, next_per_s=None).kind == "undecided"

    def test_six_pairs_can_decide(self) -> None:
        """As many as are needed where they are looked at once."""
        assert told(10.0, count=check.LEAST_BLOCKS, next_per_s=None).kind == "slower"

    @pytest.mark.parametrize(
        ("prefer", "fields", "kind"),
        [
            ("latency", {"latencies_ms": [8.0, 8.0]}, "holds"),
            ("latency", {"latencies_ms": [8.8, 8.8]}, "slower"),
            ("efficiency", {"cpu_ms_per_inference": 8.0}, "holds"),
            ("efficiency", {"cpu_ms_per_inference": 9.0}, "slower"),
        ],
    )
    def test_the_objective_decides(self, prefer: Any, fields: dict[str, Any], kind: str) -> None:
        """A promise of latency or CPU time is kept by that, whatever the throughput; 10 ms is the opponent's."""
        ours, others = blocks(50.0, items=50, **fields), blocks(100.0, items=50, latencies_ms=[10.0, 10.0])
        asked = promise(prefer=prefer, next_per_s=None)
        assert judge(asked, ours, others, looks=1).kind == kind

    @pytest.mark.parametrize(("work", "kind"), [(None, "holds"), ("CPU time", "holds"), ("energy", "undecided")])
    def test_energy_is_not_compared_with_cpu_time(self, work: Any, kind: str) -> None:
        """What was promised of the one says nothing of the other."""
        ours, others = blocks(100.0, cpu_ms_per_inference=5.0), blocks(100.0)
        found = judge(promise(prefer="efficiency", work=work, next_per_s=None), ours, others, looks=1)
        assert (found.kind, found.work) == (kind, "CPU time")

    def test_the_promised_latency_is_compared(self) -> None:
        """That of the document's duel, even where today's blocks would tell a higher percentile."""
        ours = blocks(100.0, latencies_ms=[8.0] * 18 + [99.0] * 2)
        others = blocks(100.0, latencies_ms=[10.0] * 20)
        asked = promise(prefer="latency", metric="p50", next_per_s=None)
        found = judge(asked, ours, others, looks=1)
        assert (found.kind, found.metric) == ("holds", "p50")
        assert judge(replace(asked, metric="p95"), ours, others, looks=1).kind == "slower"

    def test_pairs_must_be_whole(self) -> None:
        """A block without its counterpart is a fault of the caller."""
        with pytest.raises(ValueError, match="shorter"):
            judge(promise(), blocks(120.0), blocks(100.0, 11), looks=1)


class TestAbsolute:
    def test_inside(self) -> None:
        """Blocks within the interval for the next one are as promised."""
        absolute = told(120.0).absolute
        assert absolute is not None
        assert (absolute.standing, absolute.blocks, absolute.below, absolute.outside) == ("inside", 12, 0, 0)
        assert (absolute.low, absolute.high) == (115.0, 130.0)
        assert absolute.chance == pytest.approx(1.0)

    def test_above_is_outside_and_no_loss(self) -> None:
        """Faster than promised is told and nothing to complain of."""
        found = told(140.0, 110.0)
        assert found.kind == "holds"
        assert found.absolute is not None
        assert (found.absolute.below, found.absolute.outside) == (0, 12)

    def test_the_config_is_slower(self) -> None:
        """Below the interval, and less ahead of the baseline than when it was measured: it is the config.

        Even where the document promised no gain.
        """
        found = told(110.0, least=1.0)
        assert (found.kind, found.relative) == ("slower", "holds")
        assert found.absolute is not None
        assert (found.absolute.standing, found.absolute.below) == ("below", 12)

    def test_the_machine_is_slower(self) -> None:
        """Where the baseline is slower alike, the promise is kept."""
        found = told(96.0, 80.0)
        assert found.kind == "holds"
        assert found.absolute is not None
        assert (found.absolute.standing, found.absolute.below) == ("machine", 12)

    def test_it_cannot_be_told_whose_doing_it_is(self) -> None:
        """With throughputs across what was measured, or with none to compare with, nothing is decided."""
        for unknown in ({"throughput_ratio": None}, {"throughput_ratio": 1.1 / 0.98}):
            found = told(110.0, least=1.0, **unknown)
            assert found.kind == "undecided"
            assert found.absolute is not None
            assert found.absolute.standing == "open"

    def test_one_block_below_in_twenty_is_chance(self) -> None:
        """The share that may fall below is 5 %."""
        ours = [*blocks(120.0, 19), block(throughput_per_s=60.0)]
        found = judge(promise(), ours, blocks(100.0, 20), looks=1)
        assert found.kind == "holds"
        assert found.absolute is not None
        assert found.absolute.chance == pytest.approx(1 - 0.95**20)

    def test_it_is_not_judged_under_other_circumstances(self) -> None:
        """Without an interval there is no absolute answer."""
        assert told(60.0, 50.0, next_per_s=None).absolute is None


class TestAlone:
    def test_blocks_inside_hold(self) -> None:
        """With nothing to compare with, the interval for the next block is the promise."""
        found = judge(promise(opponent=None, throughput_ratio=None), blocks(120.0), [], looks=1)
        assert (found.kind, found.ratio, found.relative) == ("holds", None, None)

    def test_blocks_below_decide_nothing(self) -> None:
        """Nobody can tell the machine from the config then."""
        found = judge(promise(opponent=None, throughput_ratio=None), blocks(80.0), [], looks=1)
        assert found.kind == "undecided"
        assert found.absolute is not None
        assert found.absolute.standing == "open"


class TestLimits:
    @pytest.mark.parametrize(
        ("limit", "fields", "said"),
        [
            ({"max_latency_ms": 10.0}, {"latencies_ms": [12.0] * 20}, "p95 latency is 12 ms, above the limit of 10 ms"),
            ({"max_latency_ms": 10.0}, {"latencies_ms": [12.0] * 2}, "p50 latency is 12 ms, above the limit of 10 ms"),
            ({"min_throughput_per_s": 150.0}, {}, "throughput is 120/s, below the limit of 150/s"),
            ({"max_memory_bytes": 5e5}, {}, "memory is 1 MB, above the limit of 0.5 MB"),
            ({}, {"caveats": (LATE,)}, "the load was not sustained in 12 of 12 blocks"),
        ],
    )
    def test_a_broken_limit_is_an_alarm(self, limit: dict[str, Any], fields: dict[str, Any], said: str) -> None:
        """Each limit of the goal, and a load that is not sustained, wherever the whole interval lies beyond."""
        ours, others = blocks(120.0, **fields), blocks(100.0, **fields)
        found = judge(promise(goal=Goal(prefer="throughput", **limit)), ours, others, looks=1)
        assert (found.kind, found.broken) == ("slower", (said,))
        assert judge(promise(goal=Goal(prefer="throughput", **limit), limits=False), ours, others, looks=1).broken == ()

    @pytest.mark.parametrize(
        "limit", [{"max_latency_ms": 13.0}, {"min_throughput_per_s": 110.0}, {"max_memory_bytes": 2e6}]
    )
    def test_a_limit_that_is_met(self, limit: dict[str, Any]) -> None:
        """Nothing is said of it."""
        found = judge(promise(goal=Goal(prefer="throughput", **limit)), blocks(120.0), blocks(100.0), looks=1)
        assert (found.kind, found.broken, found.suspects) == ("holds", (), False)

    def test_beyond_by_chance_asks_for_another_look(self) -> None:
        """A value beyond the limit with an interval across it is no alarm, but it is looked at again if it can be."""
        found = judge(
            promise(goal=Goal(prefer="throughput", min_throughput_per_s=120.1)), blocks(120.0), blocks(100.0), looks=1
        )
        assert (found.kind, found.broken, found.suspects) == ("holds", (), True)
        assert not over(found, last=False)
        assert over(found, last=True)


def test_when_a_check_is_over() -> None:
    """Slower ends it, and so does what holds without a doubt; what is undecided goes on to the last look."""
    holds, slower, undecided = told(120.0), told(100.0), told(117.6)
    assert (holds.kind, slower.kind, undecided.kind) == ("holds", "slower", "undecided")
    assert [over(one, last=False) for one in (holds, slower, undecided)] == [True, True, False]
    assert over(undecided, last=True)


class TestErrorRates:
    """Checks of simulated machines with regimes, heavy one-sided noise of 3 %, and a day of their own."""

    CHECKS = 120
    NOISE = 0.03

    @pytest.mark.parametrize("gain", [1.3, 1.0])
    @pytest.mark.parametrize("machine", [0.0, -0.16, 0.1, None], ids=["as it was", "slower", "faster", "another day"])
    def test_false_alarms(self, gain: float, machine: float | None) -> None:
        """A config that is as it was is called slower in at most 5 % of checks, whatever the machine does."""
        assert self._answers(gain, machine, 1.0)["slower"] <= 0.05 * self.CHECKS

    @pytest.mark.parametrize("gain", [1.3, 1.0])
    @pytest.mark.parametrize("machine", [0.0, None], ids=["as it was", "another day"])
    def test_detection(self, gain: float, machine: float | None) -> None:
        """A config that lost 10 % is found in at least 95 % of checks of 30 pairs, and never said to hold."""
        answers = self._answers(gain, machine, 0.9)
        assert answers["slower"] >= 0.95 * self.CHECKS
        assert answers["holds"] == 0

    def test_a_gain_is_confirmed(self) -> None:
        """A config that is as it was is said to hold in at least 85 % of checks of 30 pairs."""
        assert self._answers(1.3, None, 1.0)["holds"] >= 0.85 * self.CHECKS

    def _answers(self, gain: float, machine: float | None, kept: float) -> Counter[str]:
        generator = np.random.default_rng(5)
        found: Counter[str] = Counter()
        for _ in range(self.CHECKS):
            asked = self._document(generator, gain)
            day = float(generator.normal(0, 0.05)) if machine is None else machine
            found[self._check(asked, *self._session(generator, 30, day, gain * kept)).kind] += 1
        return found

    def _session(self, generator: np.random.Generator, pairs: int, day: float, gain: float) -> tuple[Any, Any]:
        """Log throughputs of a session: a day's level, slow regimes common to both, noise of each block's own."""
        regime, course = 0.0, []
        for step in generator.normal(0, self.NOISE, 2 * pairs):
            regime = 0.6 * regime + 0.8 * float(step)
            course.append(regime)
        logs = math.log(100) + day + np.array(course) - np.abs(generator.standard_t(4, 2 * pairs)) * self.NOISE
        first = [2 * pair + (duel.order(pair)[0] == "baseline") for pair in range(pairs)]
        second = [2 * pair + (duel.order(pair)[0] == "candidate") for pair in range(pairs)]
        return logs[first] + math.log(gain), logs[second]

    def _document(self, generator: np.random.Generator, gain: float) -> Promise:
        """What a duel of 30 pairs promises."""
        ours, others = self._session(generator, 30, 0.0, gain)
        low, _ = stats.signed_rank_interval(ours - others, alpha=duel.level((10, 20, 30), 30))
        centre, reach = stats.location(ours), 1.96 * stats.scale(ours) * math.sqrt(1 + 1 / 30)
        return promise(
            goal=Goal(prefer="throughput"),
            least=max(1.0, math.exp(low)),
            next_per_s=(
                math.exp(min(centre - reach, ours.min())),
                math.exp(max(centre + reach, ours.max())),
            ),
            throughput_ratio=math.exp(low),
        )

    def _check(self, asked: Promise, ours: Any, others: Any) -> Judgement:
        first, second = ([block(throughput_per_s=math.exp(log)) for log in side] for side in (ours, others))
        looks = duel.looks(len(first))
        for look in looks:
            found = judge(asked, first[:look], second[:look], looks=len(looks))
            if over(found, last=look == looks[-1]):
                return found
        raise AssertionError

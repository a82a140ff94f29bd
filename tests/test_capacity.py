import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.capacity import (
    RATIO,
    Found,
    Nothing,
    Step,
    Try,
    bound,
    joined_by,
    ladder,
    load_at,
    number_of,
    seconds,
    step,
    tolerance_of,
)
from ovtune.config import Config
from ovtune.errors import UsageError
from ovtune.goal import Goal
from ovtune.tolerance import Mark, Tolerance
from ovtune.workload import ClosedLoop, Poisson, PoissonCapacity, Streams, StreamsCapacity, parse

CAMERAS = StreamsCapacity(frames_per_s=30)
RATES = PoissonCapacity()
ONE_PERCENT = Tolerance(limit_ms=33, allowed=0.01)
P95 = Tolerance(limit_ms=20, allowed=0.05)
COUNTS = [float(n) for n in range(1, 61)]

Response = Callable[[float], Mark]


def explore(
    numbers: Sequence[float], first: float, truth: Response, *, fresh: Response | None = None, low_end: bool = True
) -> tuple[Step, list[Try]]:
    """Follows the steps on a response curve to the end, with another one for fresh blocks; and what was tried."""
    sought: dict[float, Mark] = {}
    verified: dict[float, Mark] = {}
    tried: list[Try] = []
    for _ in range(200):
        told = step(numbers, first, sought, verified, low_end=low_end)
        if not isinstance(told, Try):
            return told, tried
        tried.append(told)
        if told.stage == "capacity":
            assert told.number not in sought
            sought[told.number] = truth(told.number)
        else:
            assert told.number not in verified
            verified[told.number] = (fresh or truth)(told.number)
    raise AssertionError(f"no end: {tried}")


def up_to(most: float, least: float = 0.0) -> Response:
    """Numbers from ``least`` to ``most`` hold, lower ones wait for a batch, higher ones are overloaded."""
    return lambda n: "holds" if least <= n <= most else "overloaded" if n > most else "fails"


class TestStep:
    @given(most=st.integers(1, 59), first=st.integers(1, 60))
    def test_monotone_curve_is_found_exactly(self, most: int, first: int) -> None:
        """Wherever it begins, it ends with the highest number that holds, the next one shown to fail, from 1 on."""
        told, tried = explore(COUNTS, float(first), up_to(most))
        assert told == Found(low=1, high=most, above=most + 1)
        assert len(tried) <= 24
        assert Try(number=float(most), stage="verification") in tried

    @given(most=st.integers(10, 59), least=st.integers(2, 8), first=st.integers(10, 60))
    def test_low_numbers_that_fail_bound_the_band(self, most: int, least: int, first: int) -> None:
        """Where few items wait for a batch to fill, the band begins at the lowest number that holds, verified too."""
        told, tried = explore(COUNTS, float(first), up_to(most, least))
        assert told == Found(low=least, high=most, above=most + 1)
        assert Try(number=float(least), stage="verification") in tried

    def test_band_above_the_beginning_is_found(self) -> None:
        """Where the beginning and all below wait for a batch, it looks further up until the load is too much."""
        told, _ = explore(COUNTS, 20.0, up_to(40, 25))
        assert told == Found(low=25, high=40, above=41)

    def test_low_end_is_left_where_it_is_not_asked_for(self) -> None:
        """Without it the answer comes earlier, with an open low end."""
        told, tried = explore(COUNTS, 20.0, up_to(30, 5), low_end=False)
        assert told == Found(low=None, high=30, above=31)
        assert min(t.number for t in tried) == 20

    def test_nothing_holds(self) -> None:
        """It ends soon where every load is too much, and sooner where every single item was late."""
        told, tried = explore(COUNTS, 40.0, up_to(0))
        assert told == Nothing(why="fails")
        assert len(tried) <= 12
        told, tried = explore(COUNTS, 40.0, lambda n: "hopeless")
        assert told == Nothing(why="hopeless")
        assert len(tried) == 2

    def test_everything_holds_up_to_the_top(self) -> None:
        """The answer is then the highest number, and none above it is known to fail."""
        assert explore(COUNTS, 20.0, up_to(60))[0] == Found(low=1, high=60, above=None)

    def test_one_number_is_a_ladder(self) -> None:
        """A config that can be asked for one number alone is."""
        assert explore([1.0], 1.0, up_to(1))[0] == Found(low=1, high=1, above=None)
        assert explore([1.0], 1.0, up_to(0))[0] == Nothing(why="fails")

    def test_answer_steps_down_where_fresh_blocks_refute_it(self) -> None:
        """What seemed to hold is verified by fresh blocks, lowered until they agree, and settled in between."""
        told, tried = explore(COUNTS, 20.0, up_to(40), fresh=up_to(33), low_end=False)
        assert told == Found(low=None, high=33, above=34)
        verifying = [t.number for t in tried if t.stage == "verification"]
        assert verifying == [40, 39, 37, 33, 35, 34]

    def test_nothing_is_borne_out(self) -> None:
        """Where fresh blocks refute every number, nothing is claimed."""
        assert explore(COUNTS, 20.0, up_to(10), fresh=up_to(0))[0] == Nothing(why="unverified")

    def test_refuted_low_end_steps_up(self) -> None:
        """A low end that fresh blocks refute is raised, at most to the high end."""
        told, _ = explore(COUNTS, 20.0, up_to(30, 3), fresh=up_to(30, 6))
        assert told == Found(low=6, high=30, above=31)
        told, _ = explore(COUNTS, 20.0, up_to(30, 3), fresh=lambda n: "holds" if n == 30 else "unlikely")
        assert told == Found(low=30, high=30, above=31)

    def test_only_what_was_shown_to_fail_bounds_from_above(self) -> None:
        """A number that just did not seem to hold is no proof that it does not."""
        told, _ = explore(COUNTS, 20.0, lambda n: "holds" if n <= 30 else "unlikely" if n < 36 else "fails")
        assert isinstance(told, Found)
        assert told.high == 30
        assert told.above is None or told.above >= 36

    @given(seed=st.integers(0, 300))
    def test_noise_ends_in_a_verified_answer(self, seed: int) -> None:
        """With blocks that err near the limit it still ends, soon, with verified ends or with nothing."""
        generator = np.random.default_rng(seed)

        def noisy(n: float) -> Mark:
            chance = 1 / (1 + np.exp((n - 30) / 3))
            return "likely" if generator.random() < chance else "unlikely"

        def sure(n: float) -> Mark:
            return "holds" if generator.random() < 1 / (1 + np.exp((n - 27) / 2)) else "unlikely"

        told, tried = explore(COUNTS, 24.0, noisy, fresh=sure)
        assert len(tried) < 40
        if isinstance(told, Found):
            assert told.low is not None
            assert told.low <= told.high

    def test_open_numbers_come_first(self) -> None:
        """A number whose blocks do not yet tell is asked for again before any other."""
        assert step(COUNTS, 20.0, {20.0: "open"}, {}, low_end=True) == Try(number=20.0, stage="capacity")
        sought: dict[float, Mark] = {20.0: "holds", 21.0: "fails"}
        told = step(COUNTS, 20.0, sought, {20.0: "open"}, low_end=True)
        assert told == Try(number=20.0, stage="verification")


class TestLadder:
    def test_cameras(self) -> None:
        """All numbers from where a block has enough frames in 20 s to twice what the closed loop allows."""
        numbers, first = ladder(CAMERAS, 300.0, ONE_PERCENT, 1)
        assert numbers == tuple(range(1, 21))
        assert first == 8

    def test_slow_models_begin_with_one_camera(self) -> None:
        """Where not even one camera's frames fit, one is what is tried."""
        numbers, first = ladder(CAMERAS, 5.0, ONE_PERCENT, 1)
        assert (numbers, first) == ((1.0, 2.0), 1.0)

    def test_rates_lie_on_one_scale(self) -> None:
        """All configs share their rates, at most 5 % apart, so that what one serves can be asked of another."""
        numbers, first = ladder(RATES, 150.0, P95, 1)
        others, _ = ladder(RATES, 171.3, P95, 1)
        assert first in numbers
        assert first == pytest.approx(0.8 * 150, rel=0.03)
        assert numbers[-1] == pytest.approx(300, rel=0.03)
        assert numbers[0] * 20 >= 0.97 * P95.least_samples
        assert all(b / a <= 1.05 for a, b in itertools.pairwise(numbers))
        shared = [n for n in numbers if others[0] <= n <= others[-1]]
        assert shared == [n for n in others if numbers[0] <= n <= numbers[-1]]
        assert pytest.approx(RATIO, rel=1e-3) == shared[1] / shared[0]

    @pytest.mark.parametrize("throughput", [0.01, 3.0, 40_000.0, 5e6])
    @pytest.mark.parametrize("load", [CAMERAS, RATES, StreamsCapacity(frames_per_s=1e6)])
    def test_every_rung_is_a_load(self, throughput: float, load: StreamsCapacity | PoissonCapacity) -> None:
        """However slow or fast a config is, every number makes a load, and gives itself back."""
        numbers, first = ladder(load, throughput, ONE_PERCENT, 4)
        assert first in numbers
        assert list(numbers) == sorted(set(numbers))
        for number in (numbers[0], first, numbers[-1]):
            assert number_of(load_at(load, number)) == number

    def test_what_was_tried_stays_on_it(self) -> None:
        """Numbers of earlier blocks belong to it even where the throughput is estimated otherwise by now."""
        assert 99.0 in ladder(CAMERAS, 300.0, ONE_PERCENT, 1, (99.0,))[0]


def test_loads() -> None:
    """A number stands for a load, and a closed loop for none."""
    assert load_at(CAMERAS, 3.0) == Streams(cameras=3, frames_per_s=30)
    assert load_at(RATES, 138.0) == Poisson(rate_per_s=138)
    assert number_of(ClosedLoop()) is number_of(None) is None


def test_length_of_a_block() -> None:
    """Long enough for the samples that it takes to show that the load holds, and for several limits; never minutes."""

    def verify(number: float) -> Try:
        return Try(number=number, stage="verification")

    def seek(number: float) -> Try:
        return Try(number=number, stage="capacity")

    assert seconds(CAMERAS, seek(10.0), ONE_PERCENT, 1) == 2
    assert seconds(CAMERAS, verify(10.0), ONE_PERCENT, 1) == 4
    assert seconds(CAMERAS, seek(1.0), ONE_PERCENT, 1) == pytest.approx(368 / 30)
    assert seconds(CAMERAS, seek(10.0), ONE_PERCENT, 4) == pytest.approx(4 * 368 / 300)
    assert seconds(RATES, seek(20_000.0), P95, 1) == 1
    assert seconds(RATES, seek(1e6), P95, 1) == 0.5
    assert seconds(RATES, seek(100.0), Tolerance(limit_ms=500, allowed=0.05), 1) == 5
    assert seconds(RATES, seek(0.001), P95, 1) == 60


def test_items_served_together() -> None:
    """A batch of the model and of the device multiply."""
    assert joined_by(Config(device="BATCH:CPU(4)", nireq=8, batch_size=2)) == 8
    assert joined_by(Config(device="CPU", nireq=8)) == 1


class TestBound:
    def test_cameras_have_a_deadline(self) -> None:
        """It is a frame's time unless another is named; the goal is the most that is served."""
        assert bound(Goal(), CAMERAS).deadline_ms == pytest.approx(1000 / 30)
        assert bound(Goal(deadline_ms=33), CAMERAS) == Goal(deadline_ms=33, prefer="throughput")
        assert tolerance_of(Goal(deadline_ms=33), CAMERAS) == ONE_PERCENT

    def test_rates_have_a_limit(self) -> None:
        """The latency that is named must be within it: for a percentile, no more than the rest is late."""
        assert bound(Goal(max_latency_ms=20), RATES) == Goal(max_latency_ms=20, prefer="throughput")
        told = tolerance_of(Goal(max_latency_ms=20, latency="p95"), RATES)
        assert told.limit_ms == 20
        assert told.allowed == pytest.approx(0.05)
        assert tolerance_of(Goal(max_latency_ms=20, latency="mean"), RATES).allowed is None

    @pytest.mark.parametrize(
        ("load", "goal", "said"),
        [
            ("poisson:auto", Goal(), "name it with --max-latency"),
            ("poisson:auto", Goal(max_latency_ms=20, deadline_ms=33), "--deadline 33ms is for a number of cameras"),
            ("streams:30/s", Goal(max_latency_ms=20), "give --deadline"),
            ("streams:4x30/s", Goal(deadline_ms=33), "ask for --load streams:30/s"),
            ("closed", Goal(deadline_ms=33), "not for load closed"),
        ],
    )
    def test_limits_of_another_kind_are_refused(self, load: str, goal: Goal, said: str) -> None:
        """What is missing or belongs to another load is named."""
        with pytest.raises(UsageError, match=said):
            bound(goal, parse(load))

    def test_other_loads_are_left_as_they_are(self) -> None:
        """A goal without a deadline is not touched by a load that asks for no capacity."""
        goal = Goal(max_latency_ms=20, prefer="latency")
        assert bound(goal, parse("closed")) == bound(goal, parse("poisson:9/s")) == goal

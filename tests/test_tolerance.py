from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ovtune import measurement, stats
from ovtune.caveat import Caveat
from ovtune.measurement import Block
from ovtune.tolerance import Rule, Tolerance, judge

CAMERAS = Tolerance(limit_ms=33, allowed=0.01)
P95 = Tolerance(limit_ms=20, allowed=0.05)
MEAN = Tolerance(limit_ms=20, allowed=None)
SEEKING = Rule(looks=(1, 2, 3), lean=0.6, persistent=True, quiet=1)
VERIFYING = Rule(looks=(3, 6), lean=0.9, persistent=False, quiet=2)
GROWING = Caveat(kind="not_sustained", parameters={"rate_per_s": 300.0, "backlog_ms": 90.0})


def block(latencies_ms: Sequence[float], *caveats: Caveat) -> Block:
    return Block(
        started_at=1.7e9,
        elapsed_s=2.0,
        items=len(latencies_ms),
        samples=measurement.pack(np.array(latencies_ms)),
        cpu_s=1.0,
        compile_ms=80.0,
        compile_cached=False,
        first_inference_ms=5.0,
        memory_bytes=1,
        occupancy=None,
        others_busy=0.0,
        effective={},
        effective_key="k",
        caveats=caveats,
    )


def scattered(count: int, late: int, *caveats: Caveat) -> Block:
    """``late`` of ``count`` items far beyond every limit, evenly apart; the others far within."""
    latencies = np.full(count, 5.0)
    if late:
        latencies[:: count // late][:late] = 500.0
    return block(list(latencies), *caveats)


def test_least_samples() -> None:
    """So many items, none late, show at 97.5 % that no more than allowed are late, and one fewer does not."""
    for tolerance, allowed in ((CAMERAS, 0.01), (P95, 0.05)):
        n = tolerance.least_samples
        assert stats.share_at_most(0, n, alpha=0.025) <= allowed < stats.share_at_most(0, n - 1, alpha=0.025)
    assert CAMERAS.least_samples == 368


def test_none_late_holds_with_enough_items() -> None:
    """No late frame of 368 shows that it holds; of 367 it is only likely, after the last look."""
    assert judge([scattered(368, 0)], CAMERAS, SEEKING, joined=1).mark == "holds"
    assert judge([scattered(367, 0)], CAMERAS, SEEKING, joined=1).mark == "open"
    assert judge([scattered(122, 0)] * 3, CAMERAS, SEEKING, joined=1).mark == "likely"


def test_items_that_are_served_together_count_as_one() -> None:
    """With four items to a batch, four times as many are needed."""
    assert judge([scattered(4 * 368, 0)], CAMERAS, SEEKING, joined=4).mark == "holds"
    assert judge([scattered(4 * 367, 0)], CAMERAS, SEEKING, joined=4).mark == "open"


@pytest.mark.parametrize(("late", "mark"), [(0, "holds"), (6, "open"), (9, "open"), (40, "fails")])
def test_share_of_late_items(late: int, mark: str) -> None:
    """Few late items hold, as many as are allowed stay open, many fail: by the bound of their share, not the share."""
    told = judge([scattered(1000, late)], CAMERAS, SEEKING, joined=1)
    assert told.mark == mark
    assert told.value == pytest.approx(late / 1000)
    assert told.value < told.high < 1
    assert told.samples == 1000


def test_after_the_last_look_it_is_said_where_the_blocks_point() -> None:
    """With well less than allowed it is likely to hold, with nearly as much or more it is not."""
    assert judge([scattered(200, 1)] * 3, CAMERAS, SEEKING, joined=1).mark == "likely"
    assert judge([scattered(1000, 8)] * 3, CAMERAS, SEEKING, joined=1).mark == "unlikely"


def test_bursts_tell_less_than_scattered_items() -> None:
    """Twelve late items in one burst are about one event: the bound is wider than of twelve events."""
    apart = judge([scattered(2000, 12)], CAMERAS, SEEKING, joined=1)
    latencies = np.full(2000, 5.0)
    latencies[700:712] = 500.0
    together = judge([block(list(latencies))], CAMERAS, SEEKING, joined=1)
    assert apart.value == together.value
    assert together.high > 1.5 * apart.high


def test_verifying_takes_several_blocks_and_gives_up_early() -> None:
    """It is not judged before the third block, then again after the sixth unless it is not likely to hold."""
    good, middling, bad = scattered(1000, 0), scattered(1000, 7), scattered(1000, 10)
    assert [judge([good] * n, CAMERAS, VERIFYING, joined=1).mark for n in (1, 2, 3)] == ["open", "open", "holds"]
    assert [judge([middling] * n, CAMERAS, VERIFYING, joined=1).mark for n in (3, 4, 5)] == ["open"] * 3
    assert judge([middling] * 6, CAMERAS, VERIFYING, joined=1).mark == "holds"
    assert judge([bad] * 3, CAMERAS, VERIFYING, joined=1).mark == "unlikely"


def test_growing_backlog_fails_whatever_the_latencies() -> None:
    """A load that is not sustained fails although its items were in time; one such block alone may be a stall."""
    growing = scattered(1000, 0, GROWING)
    assert judge([growing], CAMERAS, SEEKING, joined=1).mark == "open"
    assert judge([growing, growing], CAMERAS, SEEKING, joined=1).mark == "overloaded"
    assert judge([growing, scattered(1000, 0)], CAMERAS, SEEKING, joined=1).mark == "holds"
    assert judge([scattered(1000, 400, GROWING)], CAMERAS, SEEKING, joined=1).mark == "overloaded"


def test_hopeless_is_where_not_one_item_was_in_time() -> None:
    """A sustained load of which every item is late tells that the service itself takes too long."""
    assert judge([block([40.0] * 400)], CAMERAS, SEEKING, joined=1).mark == "hopeless"
    assert judge([block([40.0] * 399 + [5.0])], CAMERAS, SEEKING, joined=1).mark == "fails"


def test_contended_blocks_are_left_out_where_there_are_enough_others() -> None:
    """What others did to the machine does not count where quiet blocks tell; where there are none, more are made."""
    bad = replace(scattered(1000, 400), others_busy=0.5)
    assert judge([bad], CAMERAS, SEEKING, joined=1).mark == "open"
    assert judge([bad, scattered(1000, 0)], CAMERAS, SEEKING, joined=1).mark == "holds"
    assert judge([bad, bad, scattered(1000, 0)], CAMERAS, SEEKING, joined=1).mark == "holds"
    good = scattered(1000, 0)
    assert judge([bad, bad, good], CAMERAS, VERIFYING, joined=1).mark == "open"
    assert judge([bad, good, good], CAMERAS, VERIFYING, joined=1).mark == "holds"
    assert judge([bad] * 3, CAMERAS, SEEKING, joined=1).mark == "fails"
    assert judge([replace(block([40.0] * 400), others_busy=0.5)], CAMERAS, SEEKING, joined=1).mark == "hopeless"


def test_mean() -> None:
    """A mean is held against its limit with an interval from runs of items."""
    generator = np.random.default_rng(0)
    blocks = {mean: block(list(generator.gamma(4, mean / 4, 2000))) for mean in (15.0, 20.0, 25.0)}
    assert judge([blocks[15.0]], MEAN, SEEKING, joined=1).mark == "holds"
    assert judge([blocks[20.0]], MEAN, SEEKING, joined=1).mark == "open"
    assert judge([blocks[25.0]], MEAN, SEEKING, joined=1).mark == "fails"
    assert judge([blocks[15.0]] * 3, MEAN, VERIFYING, joined=1).value == pytest.approx(15, rel=0.05)


def test_bound_is_seldom_too_low() -> None:
    """Of blocks with independent late items at exactly the share that is allowed, few are held to hold."""
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        made = [block(list(np.where(generator.random(700) < 0.05, 500.0, 5.0))) for _ in range(3)]
        held += judge(made, P95, VERIFYING, joined=1).mark == "holds"
    assert held <= 15

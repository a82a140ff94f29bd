import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ovtune.errors import UsageError
from ovtune.workload import (
    JITTER,
    ClosedLoop,
    ConstantRate,
    Load,
    OpenLoop,
    Poisson,
    PoissonCapacity,
    Streams,
    StreamsCapacity,
    Workload,
    describe,
    explain,
    parse,
    searched_under,
)

OPEN: list[OpenLoop] = [
    ConstantRate(interval_s=0.01),
    Poisson(rate_per_s=100),
    Streams(cameras=4, frames_per_s=25),
]


@pytest.mark.parametrize(
    ("text", "workload"),
    [
        ("closed", ClosedLoop()),
        ("interval:30ms", ConstantRate(interval_s=0.03)),
        ("interval:2s", ConstantRate(interval_s=2)),
        ("constant:33/s", ConstantRate(interval_s=1 / 33)),
        ("constant:30/min", ConstantRate(interval_s=2)),
        ("poisson:200/s", Poisson(rate_per_s=200)),
        ("poisson:30/min", Poisson(rate_per_s=0.5)),
        ("streams:4x30/s", Streams(cameras=4, frames_per_s=30)),
        ("streams:1x29.97/s", Streams(cameras=1, frames_per_s=29.97)),
    ],
)
def test_parse(text: str, workload: Workload) -> None:
    """A load is named by its kind and, where it has some, its numbers."""
    assert parse(text) == workload


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open",
        ":",
        "closed:3",
        "interval",
        "interval:",
        "interval:30",
        "constant:30ms",
        "poisson",
        "poisson:",
        "poisson:5ms",
        "poisson:0/s",
        "poisson:-1/s",
        "streams",
        "streams:x30/s",
        "streams:4x",
        "streams:4x30",
        "streams:4x0/s",
        "streams:2.5x30/s",
        "streams:-1x30/s",
        "streams:4X30/s",
        f"streams:{'9' * 5000}x1/s",
    ],
)
def test_unknown_loads_are_refused(text: str) -> None:
    """Other words, missing and misplaced numbers are refused with what could have been written."""
    with pytest.raises(UsageError):
        parse(text)


def test_an_unknown_load_is_told_every_form() -> None:
    """The refusal of an unknown kind lists forms, each of which can be read."""
    with pytest.raises(UsageError, match="load 'uniform:3/s' is not known: use ") as refused:
        parse("uniform:3/s")
    forms = str(refused.value).partition("use ")[2].replace(" or ", ", ").split(", ")
    assert {type(parse(form)) for form in forms} == {
        ClosedLoop,
        ConstantRate,
        Poisson,
        PoissonCapacity,
        Streams,
        StreamsCapacity,
    }


def test_a_capacity_is_asked_for_by_leaving_the_number_out() -> None:
    """A rate or a number of cameras that is left open is a capacity, whose search begins with a closed loop."""
    assert parse("poisson:auto") == PoissonCapacity()
    assert parse("streams:30/s") == StreamsCapacity(frames_per_s=30)
    assert searched_under(parse("streams:30/s")) == ClosedLoop()
    assert searched_under(parse("poisson:200/s")) == Poisson(rate_per_s=200)


@pytest.mark.parametrize("text", ["streams:0/s", "streams:-30/s", "streams:30", "streams:auto", "poisson:auto/s"])
def test_capacities_without_sense_are_refused(text: str) -> None:
    """A camera without frames, and other words, are refused."""
    with pytest.raises(UsageError):
        parse(text)


@pytest.mark.parametrize("text", ["interval:0.5us", "interval:2h", "constant:2000000/s", "constant:0.0001/s"])
def test_intervals_without_sense_are_refused(text: str) -> None:
    """An interval below a microsecond or above an hour is refused."""
    with pytest.raises(UsageError, match="between 1us and 3600s"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["poisson:2000000/s", "poisson:0.0001/s", "streams:2x0.0001/s", "streams:1000x2000/s", "streams:2000000/s"]
)
def test_rates_without_sense_are_refused(text: str) -> None:
    """So is a rate below one an hour, of one camera, or above one a microsecond, of all together."""
    with pytest.raises(UsageError, match="between one an hour and 1000000/s"):
        parse(text)


@pytest.mark.parametrize("cameras", [0, 10_001])
def test_camera_counts_without_sense_are_refused(cameras: int) -> None:
    """So is no camera at all, and more than ten thousand."""
    with pytest.raises(UsageError, match=f"number of cameras is {cameras}: give one between 1 and 10000"):
        parse(f"streams:{cameras}x1/s")


@pytest.mark.parametrize(
    "text",
    [
        "closed",
        "interval:30ms",
        "constant:33/s",
        "interval:1800000ms",
        "interval:0.001ms",
        "poisson:200/s",
        "poisson:1000000/s",
        "streams:4x30/s",
        "streams:12x29.97/s",
        "poisson:auto",
        "streams:30/s",
        "streams:29.97/s",
    ],
)
def test_describe_gives_the_text_back(text: str) -> None:
    """A load is described as people write it, without an exponent."""
    assert describe(parse(text)) == text


@given(
    st.one_of(
        st.builds(ConstantRate, interval_s=st.floats(1e-6, 3600)),
        st.builds(Poisson, rate_per_s=st.floats(1 / 3600, 1e6)),
        st.builds(Streams, cameras=st.integers(1, 100), frames_per_s=st.floats(1 / 3600, 1e4)),
        st.builds(StreamsCapacity, frames_per_s=st.floats(1 / 3600, 1e6)),
    )
)
@example(ConstantRate(interval_s=1 / 33))
@example(ConstantRate(interval_s=1 / 3))
@example(ConstantRate(interval_s=0.07))
@example(ConstantRate(interval_s=3600.0))
@example(Poisson(rate_per_s=1 / 3600))
@example(Streams(cameras=3, frames_per_s=30000 / 1001))
def test_describe_loses_nothing(workload: Load) -> None:
    """What describes a load is read as exactly that load again: nothing is rounded away."""
    assert parse(describe(workload)) == workload


def test_loads_are_explained_apart() -> None:
    """Each kind of load is explained in its own words."""
    told = {
        explain(parse(text))
        for text in ("closed", "interval:1s", "poisson:1/s", "streams:3x30/s", "poisson:auto", "streams:30/s")
    }
    assert len(told) == 6
    assert explain(parse("streams:3x30/s")).startswith("3 cameras send 30 frames per second each")


@pytest.mark.parametrize("workload", OPEN)
@given(count=st.integers(1, 300), seed=st.integers(0, 5))
def test_schedules(workload: OpenLoop, count: int, seed: int) -> None:
    """A schedule ascends from zero on, follows its seed, and a longer one only goes on."""
    found = workload.arrivals_s(count, seed=seed)
    assert len(found) == count
    assert found[0] >= 0
    assert (np.diff(found) >= 0).all()
    np.testing.assert_array_equal(found, workload.arrivals_s(count + 37, seed=seed)[:count])


@pytest.mark.parametrize("workload", OPEN)
def test_rate(workload: OpenLoop) -> None:
    """Over a long time as many items arrive as the rate says: 10,000 in about 100 seconds."""
    assert workload.rate_per_s == pytest.approx(100)
    assert workload.arrivals_s(10_000, seed=1)[-1] == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("workload", OPEN[1:])
def test_seeds_differ(workload: OpenLoop) -> None:
    """Another seed gives another schedule."""
    assert not np.array_equal(workload.arrivals_s(50, seed=1), workload.arrivals_s(50, seed=2))


@given(st.floats(1e-3, 10), st.integers(1, 50))
def test_a_constant_rate_keeps_its_interval(interval_s: float, count: int) -> None:
    """Arrivals at a constant rate begin at 0 and stand one interval apart."""
    found = ConstantRate(interval_s=interval_s).arrivals_s(count, seed=0)
    assert found[0] == 0
    np.testing.assert_allclose(np.diff(found), interval_s, rtol=1e-9)


def test_poisson_gaps_are_exponential() -> None:
    """A Poisson load's gaps have the mean 1 / rate, the same deviation, and exceed t with probability exp(-rate t)."""
    gaps = np.diff(Poisson(rate_per_s=50).arrivals_s(100_001, seed=3))
    assert gaps.mean() == pytest.approx(0.02, rel=0.01)
    assert gaps.std() == pytest.approx(0.02, rel=0.015)
    for t in (0.005, 0.02, 0.06):
        assert np.mean(gaps > t) == pytest.approx(math.exp(-50 * t), abs=0.005)
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.012


def test_one_camera_keeps_its_period_up_to_its_jitter() -> None:
    """A camera's frame k comes k periods behind its phase, late by up to the jitter's share of a period."""
    found = Streams(cameras=1, frames_per_s=10).arrivals_s(2000, seed=5) - np.arange(2000) / 10
    assert found.min() >= 0
    assert found.max() < 0.1 * (1 + JITTER)
    assert np.ptp(found) == pytest.approx(0.1 * JITTER, rel=0.01)


@given(st.integers(1, 60), st.sampled_from([1.0, 25.0, 30.0]), st.integers(1, 400), st.integers(0, 99))
def test_streams_sum_up(cameras: int, frames_per_s: float, count: int, seed: int) -> None:
    """``n`` cameras of ``f`` frames send n f t frames in any time t, up to a frame and its jitter per camera."""
    found = Streams(cameras=cameras, frames_per_s=frames_per_s).arrivals_s(count, seed=seed)
    expected = cameras * frames_per_s * found
    assert (np.abs(np.arange(1, count + 1) - expected) <= (1 + JITTER) * cameras).all()


def test_phases_are_spread() -> None:
    """Cameras are not in step: the first frames of a thousand spread evenly over the first period."""
    first = Streams(cameras=1000, frames_per_s=1).arrivals_s(900, seed=0)
    np.testing.assert_allclose(first, np.linspace(0.05, 0.95, 900), atol=0.06)

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.errors import UsageError
from ovtune.estimate import Estimate, Quantity, comparable
from ovtune.goal import Goal, Prefer, breaches, common_metric, error, front, limits, merit, ranked, unbeaten, usual
from tests.value import told

_measured = st.integers(100, 10**7).map(lambda n: n / 1000)
_estimates = st.lists(
    st.builds(
        told,
        throughput=st.sampled_from([50.0, 100.0, 150.0]) | _measured,
        latency=st.sampled_from([5.0, 10.0, 15.0]) | _measured,
        cpu_ms=st.sampled_from([1.0, 2.0]) | _measured,
        sustained=st.booleans(),
        memory=st.integers(1, 10**9),
    ),
    max_size=12,
)


def _point(estimate: Estimate, against: Prefer) -> tuple[float, float]:
    return merit(estimate, against, "p95"), merit(estimate, "latency", "p95")


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]


@given(_estimates, st.sampled_from(["throughput", "efficiency"]))
def test_front(estimates: list[Estimate], against: Any) -> None:
    """No member of the front beats another one; whoever is not on it is beaten by, or the same as, a member."""
    found = front(estimates, "p95", against)
    points = [_point(e, against) for e in found]
    assert all(e in estimates for e in found)
    assert not any(_beats(one, other) for one in points for other in points)
    assert len(set(points)) == len(points)
    for estimate in estimates:
        point = _point(estimate, against)
        assert point in points or any(_beats(one, point) for one in points)


@given(_estimates)
def test_front_is_in_order(estimates: list[Estimate]) -> None:
    """The front falls in throughput and in latency."""
    found = front(estimates, "p50", "throughput")
    throughputs = [e.throughput_per_s.value for e in found]
    latencies = [-merit(e, "latency", "p50") for e in found]
    assert throughputs == sorted(throughputs, reverse=True)
    assert latencies == sorted(latencies, reverse=True)


def _shown(one: Estimate, other: Estimate) -> bool:
    """Whether one is as good in both, and ahead in one by two joint errors."""
    own, its = (_point(e, "throughput") for e in (one, other))
    errors = [(e.throughput_per_s.error, _latency(e).error) for e in (one, other)]
    clear = any(a - b > 2 * math.hypot(*e) for a, b, e in zip(own, its, zip(*errors, strict=True), strict=True))
    return clear and _beats(own, its)


def _latency(estimate: Estimate) -> Quantity:
    latency = estimate.latency_ms["p95"]
    assert isinstance(latency, Quantity)
    return latency


def _unsure(estimate: Estimate, error: float) -> Estimate:
    latencies = {**estimate.latency_ms, "p95": replace(_latency(estimate), error=error / 2)}
    return replace(estimate, throughput_per_s=replace(estimate.throughput_per_s, error=error), latency_ms=latencies)


@given(_estimates, st.lists(st.sampled_from([0.0, 0.01, 0.2, 3.0]), min_size=12, max_size=12))
def test_who_is_not_shown_to_be_beaten(estimates: list[Estimate], errors: list[float]) -> None:
    """Exactly those that one is shown to beat are left out; the front is among the others."""
    known = [_unsure(estimate, error) for estimate, error in zip(estimates, errors, strict=False)]
    found = {id(e) for e in unbeaten(known, "p95", "throughput")}
    assert found == {id(e) for e in known if not any(_shown(other, e) for other in known)}
    assert {id(e) for e in front(known, "p95", "throughput")} <= found


def test_a_lucky_block_does_not_show_that_others_are_beaten() -> None:
    """One that is ahead in both by less than twice the joint error leaves it open; by more, it does not."""
    ahead, clearly, other = (_unsure(told(*values), 0.1) for values in ((120, 9.5), (140, 9.5), (100, 10)))
    assert unbeaten([ahead, other], "p95", "throughput") == [ahead, other]
    assert unbeaten([clearly, other], "p95", "throughput") == [clearly]
    assert unbeaten([replace(other, latency_ms=told(without=("p95",)).latency_ms)], "p95", "throughput") == []


def test_front_under_a_given_load() -> None:
    """Where the load is given, latency is weighed against CPU time; throughput, which follows the load, is not."""
    fast, thrifty, poor = told(33, 5, cpu_ms=9), told(33, 8, cpu_ms=4), told(34, 9, cpu_ms=10)
    assert front([fast, thrifty, poor], "p95", "efficiency") == [thrifty, fast]


@pytest.mark.parametrize(
    ("prefer", "value"),
    [("throughput", 200), ("latency", 1 / 4), ("balanced", 50), ("efficiency", 1 / 8)],
)
def test_merit(prefer: Prefer, value: float) -> None:
    """Merit is the logarithm of what is preferred; balanced is Kleinrock's power, throughput by latency."""
    assert merit(told(200, 4, cpu_ms=8), prefer, "p95") == pytest.approx(math.log(value))


def test_an_unavailable_latency_has_no_merit() -> None:
    """Where the latency is not known, a config is worth nothing to those who prefer latency."""
    estimate = told(without=("p99",))
    assert merit(estimate, "latency", "p99") == -math.inf
    assert merit(estimate, "balanced", "p99") == -math.inf
    assert math.isfinite(merit(estimate, "throughput", "p99"))


@pytest.mark.parametrize(
    ("prefer", "expected"), [("throughput", 0.04), ("latency", 0.06), ("balanced", 0.1), ("efficiency", 0.05)]
)
def test_the_error_is_that_of_what_is_preferred(prefer: Prefer, expected: float) -> None:
    """Each merit has the error of its own quantity; what slows a block moves both parts of the balance."""
    assert error(told(), prefer, "p95") == pytest.approx(expected)
    thrifty = replace(told(), energy_mj_per_inference=Quantity(value=5.0, error=0.3))
    assert error(thrifty, prefer, "p95") == pytest.approx(0.3 if prefer == "efficiency" else expected)
    unknown = prefer in {"latency", "balanced"}
    assert error(told(without=("p99",)), prefer, "p99") == pytest.approx(math.inf if unknown else expected)


def test_the_work_is_as_unsure_as_it_is() -> None:
    """Under a given load all configs have its throughput, and whose work is more by less than its error is unbeaten."""
    steady = Quantity(value=33.0, error=0.001)
    thrifty, near, far = (replace(told(cpu_ms=ms), throughput_per_s=steady) for ms in (4.0, 4.4, 5.0))
    assert unbeaten([thrifty, near, far], "p95", "efficiency") == [thrifty, near]


LIMITED = Goal(max_latency_ms=20, min_throughput_per_s=100, max_memory_bytes=500e6)


def test_breaches_are_worded() -> None:
    """Each broken limit is told with the value and the limit."""
    estimate = told(80, 25.5, memory=600_000_000, sustained=False)
    assert breaches(estimate, LIMITED, "p95") == (
        "p95 latency 25.5 ms is above 20 ms",
        "throughput 80/s is below 100/s",
        "memory 600 MB is above 500 MB",
        "the load is not sustained",
    )


def test_what_was_not_asked_for_comes_last() -> None:
    """A config outside of what was asked for breaks a limit, however good it is."""
    asked, other = told(100, 10), replace(told(900, 1), outside=True)
    assert breaches(asked, Goal(), "p95") == ()
    assert breaches(other, Goal(), "p95") == ("it is none of the configs that --space, --set and --fix ask for",)
    assert ranked([other, asked], Goal(), "p95") == [asked, other]


def test_a_limit_that_is_met_exactly_is_met() -> None:
    """Limits include their own value, and without limits only a load that is not sustained is a breach."""
    assert breaches(told(100, 20, memory=500_000_000), LIMITED, "p95") == ()
    assert breaches(told(1, 1e9), Goal(), "p95") == ()


@given(_estimates, st.sampled_from(["throughput", "latency", "balanced", "efficiency"]))
def test_ranked(estimates: list[Estimate], prefer: Prefer) -> None:
    """Those within the limits come first, by falling merit; those outside come after them all."""
    goal = Goal(prefer=prefer, max_latency_ms=12, min_throughput_per_s=60)
    found = ranked(estimates, goal, "p95")
    assert sorted(map(id, found)) == sorted(map(id, estimates))
    inside = [not breaches(e, goal, "p95") for e in found]
    assert inside == sorted(inside, reverse=True)
    merits = [merit(e, prefer, "p95") for e, fits in zip(found, inside, strict=True) if fits]
    assert merits == sorted(merits, reverse=True)


def test_outside_the_limits_the_nearest_comes_first() -> None:
    """Where nothing meets the limits, what misses them by the smaller factor leads, however slow it is."""
    near, far = told(100, 22), told(500, 80)
    assert ranked([far, near], Goal(prefer="throughput", max_latency_ms=20), "p95") == [near, far]


def test_common_metric() -> None:
    """The asked latency is used as soon as all configs have it, until then the median."""
    with_p99, without_p99 = told(), told(without=("p99",))
    assert common_metric([with_p99, with_p99], "p99") == "p99"
    assert common_metric([with_p99, without_p99], "p99") == "p50"
    assert isinstance(without_p99.latency_ms[common_metric([without_p99], "p99")], Quantity)


@pytest.mark.parametrize("name", ["max_latency_ms", "min_throughput_per_s", "max_memory_bytes"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_limits_must_be_above_zero(name: str, value: float) -> None:
    """A limit that is not above zero is refused by its name."""
    fields: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=name):
        Goal(**fields)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_the_margin_is_a_share(margin: float) -> None:
    """A margin of nothing, of all or of more is refused."""
    with pytest.raises(UsageError, match="margin"):
        Goal(margin=margin)


def test_efficiency_is_energy_where_all_tell_it() -> None:
    """The least energy is the most efficient; one estimate that does not tell its energy makes all count CPU time."""
    thrifty = replace(told(nireq=1, cpu_ms=20), energy_mj_per_inference=Quantity(value=5.0, error=0.04))
    hungry = replace(told(nireq=2, cpu_ms=10), energy_mj_per_inference=Quantity(value=9.0, error=0.04))
    goal = Goal(prefer="efficiency")
    assert ranked([hungry, thrifty], goal, "p50")[0] is thrifty
    mixed = {"a": thrifty, "b": hungry, "c": told(nireq=3, cpu_ms=15)}
    assert ranked(comparable(mixed).values(), goal, "p50")[0].config.nireq == 2


@pytest.mark.parametrize(
    ("goal", "prefer"),
    [
        (Goal(), "balanced"),
        (Goal(max_latency_ms=1), "throughput"),
        (Goal(max_memory_bytes=1), "balanced"),
        (Goal(against="efficiency"), "latency"),
        (Goal(against="efficiency", max_latency_ms=1), "efficiency"),
        (Goal(against="efficiency", max_memory_bytes=1), "efficiency"),
    ],
)
def test_what_is_preferred_where_it_is_left_open(goal: Goal, prefer: Prefer) -> None:
    """Within a latency limit the most throughput; under a given load the least latency, or within limits least work."""
    assert usual(goal) == prefer


def test_limits_in_words() -> None:
    """Each limit is told as it was given, without an exponent; a goal without limits has no words."""
    goal = Goal(
        latency="p99",
        max_latency_ms=33.3,
        min_throughput_per_s=2e6,
        max_memory_bytes=1.5e9,
        max_error=0.01,
        deadline_ms=40.0,
    )
    assert limits(goal) == (
        "p99 at most 33.3 ms",
        "at least 2,000,000/s",
        "memory at most 1,500 MB",
        "outputs off by at most 1 % of their largest",
        "a frame is late after 40 ms",
    )
    assert limits(Goal()) == ()

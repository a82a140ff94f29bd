import math
from dataclasses import replace

import pytest

from ovtune.config import Config
from ovtune.estimate import Estimate, Quantity, Unavailable
from ovtune.goal import Goal
from ovtune.prospect import Prospect, prospects

FAST = Goal(latency="p95", prefer="throughput")
CONFIGS = [Config(device="CPU", nireq=n, batch_size=b) for b in (1, 2) for n in (1, 2, 3, 4, 6, 8)]


def estimate(config: Config, throughput: float, p95_ms: float, *, error: float = 0.03) -> Estimate:
    """An estimate with the same relative error of all that it tells."""
    return Estimate(
        config=config,
        blocks=1,
        samples=200,
        throughput_per_s=Quantity(value=throughput, error=error),
        latency_ms={
            "p50": Quantity(value=p95_ms / 2, error=error),
            "p95": Quantity(value=p95_ms, error=error),
        },
        cpu_ms_per_inference=Quantity(value=1.0, error=error),
        energy_mj_per_inference=None,
        memory_bytes=10,
        sustained=True,
    )


def told(goal: Goal, *estimates: Estimate, answers: int = 1) -> list[Prospect]:
    """The prospects of some estimates, of which the first ones are baselines."""
    known = {e.config.key: e for e in estimates}
    found = prospects(known, list(known)[:answers], goal, "p50")
    return [found[key] for key in known]


def test_who_leads_is_a_matter_of_chance() -> None:
    """Of two that differ by less than their errors each may lead; the surer they are, the surer is the better one."""
    shares = []
    for error in (0.1, 0.03, 0.003):
        known = [estimate(c, rate, 10, error=error) for c, rate in zip(CONFIGS, (100, 120, 122), strict=False)]
        shares.append(told(FAST, *known)[2].leads)
    assert 0.5 < shares[0] < shares[1] < shares[2] == 1.0


def test_without_a_limit_the_merit_is_the_worth() -> None:
    """What may be expected for the goal is the expected throughput, and who is far ahead leads."""
    found = told(FAST, *(estimate(c, 100 * c.nireq * c.batch_size, 10, error=0.01) for c in CONFIGS))
    assert [p.worth for p in found] == pytest.approx([math.log(100 * c.nireq * c.batch_size) for c in CONFIGS])
    assert found[-1].leads == 1.0
    assert found[0].leads == 1.0
    assert sum(p.leads for p in found[1:]) == pytest.approx(1.0)


@pytest.mark.parametrize(("knife_ms", "safe_wins"), [(9.0, False), (10.0, True), (11.0, True)])
def test_a_config_on_the_edge_of_the_limit_is_worth_less(knife_ms: float, safe_wins: bool) -> None:
    """With even odds to keep the limit it counts half of its gain over the baseline: a safe one with more is better."""
    goal = replace(FAST, max_latency_ms=10.0)
    known = [
        estimate(CONFIGS[0], 100, 5, error=0.02),
        estimate(CONFIGS[5], 220, knife_ms, error=0.02),
        estimate(CONFIGS[3], 190, 7, error=0.02),
    ]
    _, knife, safe = told(goal, *known)
    assert (safe.worth > knife.worth) == safe_wins


def test_who_breaks_the_limit_is_worth_the_baseline_less_what_is_missing() -> None:
    """Among those far outside the limit the nearest one is worth most, and none as much as the baseline."""
    goal = replace(FAST, max_latency_ms=10.0)
    known = [estimate(c, 100, p95_ms, error=0.01) for c, p95_ms in zip(CONFIGS, (9, 20, 40), strict=False)]
    baseline, near, far = told(goal, *known)
    assert baseline.worth > near.worth > far.worth


def test_a_limit_of_the_throughput_is_kept_with_some_chance() -> None:
    """It is judged with its uncertainty, as that of the latency is."""
    goal = replace(FAST, prefer="latency", min_throughput_per_s=100.0)
    rates = ((150, 20), (101, 10), (60, 10), (150, 10))
    known = [estimate(c, rate, p95_ms) for c, (rate, p95_ms) in zip(CONFIGS, rates, strict=False)]
    _, edge, below, above = told(goal, *known)
    assert below.worth < edge.worth < above.worth


def test_latency_that_too_few_samples_tell() -> None:
    """It is taken as far above the median as it mostly is, not for the median itself."""
    known = [estimate(c, 100, 10) for c in CONFIGS[:6]]
    few = {**known[2].latency_ms, "p95": Unavailable(samples=50, needed=130)}
    known[2] = replace(known[2], latency_ms=few)
    found = told(FAST, *known)
    latency = found[2].estimate.latency_ms["p95"]
    assert isinstance(latency, Quantity)
    assert latency.value == pytest.approx(10)


def test_the_work_is_drawn_with_its_own_error() -> None:
    """Of two with the same throughput the one with less work leads, and the less surely the less sure its work is."""
    goal = replace(FAST, prefer="efficiency")
    shares = []
    for error in (0.001, 0.2):
        works = [Quantity(value=value, error=error) for value in (2.0, 1.0, 1.1)]
        known = [
            replace(estimate(c, 100, 10), cpu_ms_per_inference=work) for c, work in zip(CONFIGS[:3], works, strict=True)
        ]
        _, less, more = told(goal, *known)
        assert less.worth > more.worth
        shares.append(less.leads)
    assert shares[0] == 1.0
    assert 0.5 < shares[1] < 0.9


def test_what_it_promises_is_as_sure_as_the_latency_that_is_asked_for() -> None:
    """A latency that others tell of stands in for one that is not known, with the error of both."""
    known = [estimate(c, 100, 10) for c in CONFIGS[:6]]
    for i, one in enumerate(known):
        tail = Quantity(value=5 * (2 + 0.2 * i), error=0.03)
        known[i] = replace(one, latency_ms={**one.latency_ms, "p95": tail})
    known[2] = replace(known[2], latency_ms={**known[2].latency_ms, "p95": Unavailable(samples=50, needed=130)})
    found = [p.estimate.latency_ms["p95"] for p in told(replace(FAST, prefer="latency"), *known)]
    assert all(isinstance(one, Quantity) for one in found)
    errors = [one.error for one in found if isinstance(one, Quantity)]
    assert errors[2] > 2 * 0.03
    assert {error for i, error in enumerate(errors) if i != 2} == {0.03}


def test_nothing_measured_promises_nothing() -> None:
    """Without estimates there are no prospects."""
    assert prospects({}, [], FAST, "p50") == {}

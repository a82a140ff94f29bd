from typing import Any

import pytest

from ovtune.errors import DocumentError, UsageError
from ovtune.promise import promise_of, workload_of
from ovtune.workload import ClosedLoop, ConstantRate
from tests import fake
from tests.promised import BASELINE, CONFIG, OTHER, document, part

RATIO = fake.speed(CONFIG) / fake.speed(BASELINE)


class TestBaseline:
    def test_a_confirmed_config_promises_the_low_end_of_its_gain(self) -> None:
        """The interval's low end, reduced by the margin, is the floor."""
        told = promise_of(document())
        assert told.opponent is not None
        assert (told.opponent.name, told.opponent.config) == ("the baseline", BASELINE)
        assert told.opponent.throughput_per_s == fake.speed(BASELINE)
        assert told.least == pytest.approx(0.98 * RATIO)
        assert told.floor == pytest.approx(0.98 * 0.98 * RATIO)
        assert told.throughput_ratio == pytest.approx(0.98 * RATIO)
        assert told.next_per_s == pytest.approx((0.9 * fake.speed(CONFIG), 1.1 * fake.speed(CONFIG)))

    @pytest.mark.parametrize(
        ("prefer", "least"),
        [("throughput", 0.98 * RATIO), ("latency", RATIO / 1.02), ("balanced", 0.98 * RATIO * RATIO / 1.02)],
    )
    def test_the_gain_is_that_of_the_objective(self, prefer: str, least: float) -> None:
        """Latency counts inversely; of throughput / latency it is the least that both intervals allow."""
        told = promise_of(document(goal={"prefer": prefer}))
        assert told.prefer == prefer
        assert told.least == pytest.approx(least)

    def test_a_gain_in_efficiency_is_that_of_the_work(self) -> None:
        """Less CPU time or energy is better, and which one it was is part of the promise."""
        told = promise_of(document(goal={"prefer": "efficiency"}))
        assert told.least == pytest.approx(1 / 0.82)
        assert told.work == "CPU time"
        assert promise_of(document()).work is None

    def test_without_a_ratio_of_the_work_nothing_but_better_is_promised(self) -> None:
        """A shown gain is at least none."""
        told = promise_of(document(goal={"prefer": "efficiency"}, verdict={"cost_ratio": None}))
        assert (told.least, told.work) == (1.0, None)

    @pytest.mark.parametrize(("told", "metric"), [("p50", "p50"), (None, "p95")])
    def test_the_latency_is_that_of_the_duel(self, told: str | None, metric: str) -> None:
        """Or the goal's, where no duel tells another."""
        assert promise_of(document(verdict={"metric": told})).metric == metric

    def test_a_shown_gain_is_never_less_than_none(self) -> None:
        """The least that both intervals of throughput and latency allow may lie below 1, the shown gain does not."""
        narrow = {"value": 1.03, "low": 1.01, "high": 1.05}
        wide = {"value": 0.99, "low": 0.95, "high": 1.03}
        verdict = {"throughput_ratio": narrow, "latency_ratio": wide}
        assert promise_of(document(goal={"prefer": "balanced"}, verdict=verdict)).least == 1.0

    def test_an_unconfirmed_config_promises_not_to_be_slower(self) -> None:
        """Without a duel the promise is the baseline's own speed; the figures of the search tell the throughputs."""
        verdict = {"kind": "unconfirmed", "throughput_ratio": None, "latency_ratio": None, "rival": None}
        told = promise_of(document(verdict=verdict))
        assert told.least == 1.0
        assert told.throughput_ratio == pytest.approx(0.99 / 1.01 * RATIO)

    def test_a_ratio_without_bounds_promises_not_to_be_slower(self) -> None:
        """A duel of few pairs has no interval."""
        open_ = {"value": RATIO, "low": None, "high": None}
        told = promise_of(document(verdict={"throughput_ratio": open_, "latency_ratio": open_}))
        assert (told.least, told.throughput_ratio) == (1.0, None)

    @pytest.mark.parametrize(
        ("limit", "prefer"),
        [({"max_latency_ms": 0.001}, "latency"), ({"min_throughput_per_s": 1e6}, "throughput"), ({}, "efficiency")],
    )
    def test_it_is_about_the_limit_that_the_baseline_breaks(self, limit: dict[str, float], prefer: str) -> None:
        """As the duel was."""
        assert promise_of(document(goal={"prefer": "efficiency", **limit})).prefer == prefer

    def test_what_the_duel_was_about_is_what_its_document_says(self) -> None:
        """A limit that only the duel's own figures break did not decide what it was fought for."""
        told = document(goal={"prefer": "throughput", "max_latency_ms": 0.001}, verdict={"about": "throughput"})
        assert promise_of(told).prefer == "throughput"


OFF = {"reference": "CPU f32", "max_abs": 0.1, "max_rel": 0.01, "cosine": 1.0, "top1": None}


SLOWER: dict[str, Any] = {
    "kind": "trade",
    "throughput_ratio": {"value": 0.6, "low": 0.55, "high": 0.65},
    "latency_ratio": {"value": 1.6, "low": 1.5, "high": 1.7},
}


class TestBreakingBaseline:
    """A baseline that breaks a limit for which no speed makes up may be the faster one."""

    @pytest.mark.parametrize("limit", [{"max_error": 1e-3}, {"max_memory_bytes": 1}])
    def test_what_was_measured_is_promised(self, limit: dict[str, float]) -> None:
        """The config is promised as it was beside the baseline, slower or not."""
        told = document(goal=limit, verdict=SLOWER, baseline={"outputs": OFF})
        assert promise_of(told).least == 0.55
        assert promise_of(told).excused

    def test_within_the_limit_nothing_but_better_is_promised(self) -> None:
        """A baseline that keeps the limit is no reason to be slower."""
        told = document(goal={"max_error": 0.05}, verdict=SLOWER, baseline={"outputs": OFF})
        assert promise_of(told).least == 1.0

    def test_unconfirmed_beside_it_nothing_is_promised(self) -> None:
        """Without a duel the baseline is no measure: the config's own figures are left, and the limits."""
        verdict = {"kind": "unconfirmed", "throughput_ratio": None, "latency_ratio": None, "rival": None}
        told = promise_of(document(goal={"max_error": 1e-3}, verdict=verdict, baseline={"outputs": OFF}))
        assert told.opponent is None
        assert told.next_per_s is not None
        assert told.goal.max_error == 1e-3


class TestRival:
    def test_a_recommended_baseline_is_compared_with_its_rival(self) -> None:
        """Where the baseline won, the promise is its duel seen from the other side."""
        told = promise_of(document(BASELINE, verdict=_against(OTHER, 0.9)))
        assert told.opponent is not None
        assert (told.opponent.name, told.opponent.config) == ("its rival in the search", OTHER)
        assert told.opponent.throughput_per_s == pytest.approx(0.9 * fake.speed(BASELINE))
        assert told.least == pytest.approx(1 / (0.9 * 1.02))
        assert told.throughput_ratio == pytest.approx(1 / (0.9 * 1.02))

    def test_equal_ones_promise_as_much_of_the_cpu_time(self) -> None:
        """Equal is shown of the objective, whether or not the document has a ratio of it."""
        about = {"prefer": "efficiency"}
        assert promise_of(document(BASELINE, goal=about, verdict=_against(OTHER, 1.0))).least == 1.0

    def test_nothing_is_promised_where_nothing_was_shown(self) -> None:
        """No rival, or an undecided one without a ratio of the objective: there is nothing relative to check."""
        alone = {"rival": None, "kind": "unconfirmed", "throughput_ratio": None, "latency_ratio": None}
        assert promise_of(document(BASELINE, verdict=alone)).opponent is None
        undecided = _against(OTHER, 1.0) | {"kind": "undecided"}
        assert promise_of(document(BASELINE, goal={"prefer": "efficiency"}, verdict=undecided)).opponent is None


class TestAgainst:
    def test_another_document_takes_the_opponents_place(self) -> None:
        """It promises not to be slower than that one."""
        told = promise_of(document(), document(OTHER), margin=0.05)
        assert told.opponent is not None
        assert told.opponent.config == OTHER
        assert (told.least, told.floor) == (1.0, 0.95)
        assert told.throughput_ratio == pytest.approx(0.99 / 1.01 * fake.speed(CONFIG) / fake.speed(OTHER))

    def test_figures_from_elsewhere_are_left_out(self) -> None:
        """Absolute figures of another host are no witnesses."""
        told = promise_of(document(), document(OTHER), absolute_against=False)
        assert told.opponent is not None
        assert (told.opponent.throughput_per_s, told.throughput_ratio) == (None, None)

    def test_the_same_config_is_no_opponent(self) -> None:
        """A config is not compared with itself."""
        assert promise_of(document(), document()).opponent is None

    @pytest.mark.parametrize(
        ("part", "said"),
        [
            ({"model": {"sha256": "f" * 64}}, "for different models .*: give two for one model"),
            (
                {"load": {"kind": "interval", "interval_s": 0.1}},
                r"different loads \(closed, interval:100ms\): give two",
            ),
        ],
    )
    def test_model_and_load_must_agree(self, part: dict[str, Any], said: str) -> None:
        """What was measured differently is refused, with both shown."""
        with pytest.raises(DocumentError, match=said):
            promise_of(document(), document(OTHER, **part))


def test_figures_of_other_circumstances_promise_no_next_block() -> None:
    """Elsewhere only the ratio and the limits are promised."""
    assert promise_of(document(), absolute=False).next_per_s is None


def test_limits_that_were_not_met_are_not_promised() -> None:
    """An infeasible document told it itself."""
    assert promise_of(document(goal={"max_latency_ms": 1.0})).limits
    assert not promise_of(document(goal={"max_latency_ms": 1.0}, verdict={"kind": "infeasible"})).limits


def test_the_margin_may_be_another_one() -> None:
    """It is the document's, or the one that was asked for, which must make sense."""
    assert promise_of(document()).goal.margin == 0.02
    assert promise_of(document(), margin=0.1).goal.margin == 0.1
    with pytest.raises(UsageError, match="margin is 2"):
        promise_of(document(), margin=2.0)


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ({"kind": "poisson_capacity"}, "poisson:auto"),
        ({"kind": "streams_capacity", "frames_per_s": 30.0}, "streams:30/s"),
    ],
)
def test_a_capacity_is_not_checked(load: dict[str, Any], said: str) -> None:
    """What a config serves within a limit is measured under many loads: a check says so."""
    with pytest.raises(UsageError, match=f"promises a capacity .{said}."):
        workload_of(document(load=load))


def test_the_load_is_read_back() -> None:
    """A document's load becomes the workload that it was measured under."""
    assert workload_of(document()) == ClosedLoop()
    assert workload_of(document(load={"kind": "interval", "interval_s": 0.1})) == ConstantRate(interval_s=0.1)


def _against(rival: Any, ratio: float) -> dict[str, Any]:
    return {
        "kind": "equal",
        "rival": part(rival),
        "throughput_ratio": {"value": ratio, "low": 0.98 * ratio, "high": 1.02 * ratio},
        "latency_ratio": {"value": 1 / ratio, "low": 0.98 / ratio, "high": 1.02 / ratio},
        "cost_ratio": None,
    }

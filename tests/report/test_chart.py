import pytest

from ovtune import goal as goals
from ovtune.estimate import Quantity
from ovtune.goal import Goal
from ovtune.report.view import view_of
from tests.report import sample


def test_points_that_lack_the_metric() -> None:
    """A config without enough samples for a percentile is left out of that chart alone, and the reader is told."""
    result = sample.result()
    charts = {chart.metric: chart for chart in view_of(result).charts}
    has = [e for e in result.estimates.values() if isinstance(e.latency_ms["p90"], Quantity)]
    assert 0 < len(has) < len(result.estimates)
    assert len(charts["p90"].points) == len(has)
    assert f"{len(result.estimates) - len(has)} of {len(result.estimates)} configs" in charts["p90"].note
    assert len(charts["p50"].points) == len(result.estimates)
    assert charts["p50"].note == ""


def test_metric_that_nothing_has() -> None:
    """A percentile that no config has enough samples for has no chart."""
    assert "p99.9" not in {chart.metric for chart in view_of(sample.result()).charts}


def test_each_point_has_one_role() -> None:
    """Each config is drawn once: as recommended, as a baseline, on the front, what may belong to it, or beaten."""
    result = sample.result()
    chart = view_of(result).chart
    points = chart.points
    unbeaten = goals.unbeaten(result.estimates.values(), result.metric, result.goal.against)
    assert sum(p.role == "other" for p in points) == len(result.estimates) - len(unbeaten) > 0
    assert sum(p.role == "unbeaten" for p in points) > 0
    assert {p.role for p in points if p.trial in chart.front} <= {"front", "baseline", "recommended"}
    assert len({p.trial for p in points}) == len(points)
    assert [p.role for p in points].count("recommended") == 1
    assert next(p for p in points if p.role == "recommended").trial == result.trial
    assert {p.letter for p in points if p.role == "baseline"} <= {"A", "B"}


def test_line_is_the_front() -> None:
    """The line joins the front's points by rising latency."""
    result = sample.result()
    chart = view_of(result).chart
    front = goals.front(result.estimates.values(), result.metric, result.goal.against)
    assert len(chart.line) == len(front)
    assert list(chart.line) == sorted(chart.line)


@pytest.mark.parametrize(("limit", "drawn"), [(20.0, True), (100_000.0, False)])
def test_limit(limit: float, drawn: bool) -> None:
    """A latency limit near the points is drawn; one far away is said instead, so that it does not squeeze them."""
    chart = view_of(sample.result(goal=Goal(latency="p50", max_latency_ms=limit))).chart
    assert bool(chart.limits) is drawn
    assert ("outside of this chart" in chart.note) is not drawn


def test_limit_of_another_percentile() -> None:
    """A limit is a line where its own latency is shown, and nowhere else."""
    chart = view_of(sample.result(goal=Goal(latency="p95", max_latency_ms=20.0))).chart
    assert chart.metric == "p50"
    assert not chart.limits
    assert "The limit of 20 ms is for p95" in chart.note


def test_efficiency() -> None:
    """Under a given load, latency is weighed against CPU time."""
    found = view_of(sample.result(goal=Goal(against="efficiency", prefer="efficiency")))
    assert found.chart.y_title == "CPU time per inference (ms)"
    assert found.front_title == "CPU time and latency"


def test_energy() -> None:
    """Where the host tells the energy of all configs, which the front is by then, it is drawn and not the CPU time."""
    found = view_of(sample.offered(energy=True))
    assert found.chart.y_title == "energy per inference (mJ)"
    assert found.front_title == "Energy and latency"
    assert [y for _, y in found.chart.line] == sorted((y for _, y in found.chart.line), reverse=True)
    assert " mJ, p50 " in found.baselines[0].text

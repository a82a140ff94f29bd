import dataclasses

import pytest

from ovtune.field import last_duel
from ovtune.goal import Goal
from ovtune.report.evidence import evidence_of
from ovtune.report.plot import Panel
from ovtune.result import Result, conclude
from tests.report import sample


def panel(result: Result, name: str) -> Panel:
    """The panel of that name."""
    return next(one for one in evidence_of(result).panels if one.name == name)


def test_pairs() -> None:
    """Each pair of the duel shows the ratios candidate / baseline of its two blocks, in the chart and in the table."""
    result = sample.result()
    fight = last_duel(result.study)
    assert fight is not None
    found = panel(result, "duel")
    assert found.drawn is not None
    assert found.table is not None
    throughput, latency = found.drawn.series
    one, other = fight.pairs[3]
    assert throughput.spots[3].y == pytest.approx(one.throughput_per_s / other.throughput_per_s, rel=1e-5)
    metric = result.verdict.metric
    assert metric is not None
    assert latency.spots[3].y == pytest.approx(one.latency_ms(metric) / other.latency_ms(metric), rel=1e-5)
    assert len(throughput.spots) == len(latency.spots) == len(found.table.rows) == 20
    assert throughput.mark.symbol != latency.mark.symbol
    assert "Throughput ratio" in found.text
    assert found.drawn.band == (0.98, 1.02)


def test_another_goal() -> None:
    """A duel that the verdict does not rest on is shown with that remark."""
    assert "does not rest on this duel" in panel(conclude(sample.study(), Goal(prefer="latency")), "duel").text


def test_beyond_the_last_look() -> None:
    """Pairs after the last planned look that was reached are shown and said to take no part."""
    made = sample.study()
    duels = {1: dataclasses.replace(made.duels[1], looks=(8, 15, 30))}
    result = conclude(dataclasses.replace(made, duels=duels), made.goal)
    assert "first 15 pairs" in panel(result, "duel").text


def test_no_duel() -> None:
    """Without a duel there is no chart, and the reader is told what the recommendation rests on."""
    found = panel(sample.result(pairs=0), "duel")
    assert found.plot is None
    assert "not a confirmed one" in found.text


def test_finalists() -> None:
    """Each finalist has a row with its blocks of search and elimination, the leader at the top and on the line."""
    result = sample.eliminated()
    found = panel(result, "elimination")
    assert found.drawn is not None
    assert found.table is not None
    search, elimination = found.drawn.series
    assert len(elimination.spots) == sum(v.phase == "elimination" for v in result.study.visits)
    assert len(found.table.rows) == len(found.drawn.y.ticks)
    assert found.table.rows[0][3] == "1.000"
    assert search.mark.hollow
    assert not elimination.mark.hollow


def test_no_elimination() -> None:
    """Without an elimination that is said."""
    assert "No finalists" in panel(sample.result(pairs=0), "elimination").text


def test_percentiles() -> None:
    """The curves rise, and end where the samples are too few for more."""
    found = panel(sample.result(), "tails")
    assert found.drawn is not None
    assert found.table is not None
    for curve in found.drawn.series:
        values = [spot.y for spot in curve.spots]
        assert values == sorted(values)
        assert len(values) == 60
    assert any("unavailable" in cell for row in found.table.rows for cell in row)
    assert all("ms" in cell for cell in found.table.rows[0][1:])


def test_percentiles_of_a_recording() -> None:
    """Where only summaries are held, the percentiles that they tell are joined."""
    result = sample.replayed()
    found = panel(result, "tails")
    assert found.drawn is not None
    assert all(2 <= len(curve.spots) <= 4 for curve in found.drawn.series)

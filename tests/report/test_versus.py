import pytest

from ovtune.comparison import compare
from ovtune.report import render_comparison
from ovtune.report.plot import Plot
from ovtune.report.versus import versus_of
from ovtune.result import Result
from tests.report import sample

NAMES = ("old", "new")


@pytest.mark.parametrize(
    ("result", "title", "short", "unit"),
    [
        (sample.result(), "throughput (inferences/s)", "throughput", "/s"),
        (sample.offered(), "CPU time per inference (ms)", "CPU time", " ms"),
        (sample.offered(energy=True), "energy per inference (mJ)", "energy", " mJ"),
    ],
)
def test_the_fronts_are_of_what_the_goal_weighs(result: Result, title: str, short: str, unit: str) -> None:
    """The fronts are drawn and listed by what latency is weighed against, and the figures name it."""
    view = versus_of(compare(result, result), NAMES)
    panel = view.fronts
    assert isinstance(panel.plot, Plot)
    assert panel.plot.y.title == title
    assert panel.table is not None
    assert panel.table.columns[2] == short
    assert {f"{unit}" in row[2] for row in panel.table.rows} == {True}
    front = panel.plot.series[0].spots
    assert len(front) == len(panel.table.rows) / 2
    heights = [spot.y for spot in front]
    assert heights == sorted(heights, reverse=short != "throughput")
    assert len(set(heights)) == len(heights) > 1
    figures = view.contests[0].first_figures
    assert figures.startswith(f"{short} ") is (short != "throughput")


def test_notes_stand_on_the_page() -> None:
    """What is to be known before the outcomes are believed stands above them, each sentence for itself."""
    page = render_comparison(compare(sample.result(), sample.offered()), NAMES)
    notes = page[page.index('id="notes"') : page.index('id="contests"')]
    assert "<li>The loads differ (closed; interval:20ms)" in notes
    assert "under the goal of old" in notes

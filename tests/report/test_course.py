import pytest

from ovtune.report.course import course
from ovtune.report.plot import Plot
from ovtune.result import Result
from tests.report import sample


@pytest.mark.parametrize(
    ("result", "short", "unit"),
    [
        (sample.result(), "throughput", "/s"),
        (sample.offered(), "CPU time", " ms"),
        (sample.offered(energy=True), "energy", " mJ"),
    ],
)
def test_the_course_is_of_what_the_goal_weighs(result: Result, short: str, unit: str) -> None:
    """The host's course shows what is not given by the load: it moves, and table and axis name it."""
    panel = course(result)
    assert isinstance(panel.plot, Plot)
    assert panel.plot.y.title == f"relative {short}"
    assert panel.text.lower().startswith(f"{short.lower()} of each block")
    assert panel.table is not None
    assert panel.table.columns[1] == f"{short} of the reference"
    ratios = [spot.y for series in panel.plot.series for spot in series.spots]
    assert len({round(ratio, 3) for ratio in ratios}) > 5
    assert all(row[1].endswith(unit) for row in panel.table.rows)

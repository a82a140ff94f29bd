import dataclasses

import pytest

from ovtune.estimate import Quantity
from ovtune.importance import ENOUGH, Importance, importances
from ovtune.report.influence import influence_of
from ovtune.report.plot import Panel, Parallel, Plot
from ovtune.result import Result
from tests.report import sample


def panels(result: Result, found: tuple[Importance, ...] | None = None) -> dict[str, Panel]:
    """The panels by their name, those of parameters by theirs."""
    section = influence_of(result, importances(result) if found is None else found)
    return {panel.title if panel.small else panel.name: panel for panel in section.panels}


def test_importances_of_few_configs_are_a_hint() -> None:
    """Below fifty configs the reader is warned, from fifty on not."""
    few = sample.result()
    assert len(few.estimates) < ENOUGH
    assert "as a hint" in panels(few)["importance"].text
    assert "as a hint" not in panels(sample.large(100))["importance"].text


def test_nothing_to_tell() -> None:
    """Where too little was measured to tell importances, that is said, and nothing is drawn."""
    found = panels(sample.result(), ())["importance"]
    assert found.plot is None
    assert "too few" in found.text


def test_each_varied_parameter_has_a_chart() -> None:
    """Each parameter that was varied has a small chart in which every measured config has a dot for each objective."""
    result = sample.result()
    found = panels(result)
    told = [e for e in result.estimates.values() if isinstance(e.latency_ms[result.metric], Quantity)]
    for name in ("nireq", "hint", "batch_size"):
        panel = found[name]
        assert panel.small
        assert isinstance(panel.plot, Plot)
        assert [len(series.spots) for series in panel.plot.series] == [len(told)] * 2
        assert max(spot.y for series in panel.plot.series for spot in series.spots) == 1.0
        assert panel.table is not None
        assert sum(int(row[1]) for row in panel.table.rows) == len(told)


def test_values_are_in_order() -> None:
    """Numbers stand by their size, not by their spelling."""
    plot = panels(sample.result())["nireq"].plot
    assert isinstance(plot, Plot)
    values = [int(text) for _, text in plot.x.ticks]
    assert values == sorted(values)


def test_parallel_coordinates() -> None:
    """Each measured config is a line through its parameters, its latency and its throughput."""
    result = sample.result()
    plot = panels(result)["parallel"].plot
    assert isinstance(plot, Parallel)
    assert {len(line) for line in plot.lines} == {len(plot.axes)}
    assert len(plot.lines) == len(plot.shades) == len(plot.texts) == len(plot.trials)
    assert {0.0, 1.0} <= {at for line in plot.lines for at in line}
    assert [axis.title for axis in plot.axes][-2:] == [f"{result.metric} (ms)", "throughput (/s)"]
    assert [line[-1] for line in plot.lines] == sorted(line[-1] for line in plot.lines)


def test_matrices() -> None:
    """A matrix holds the best of each pair of values, and an empty cell where none was measured."""
    result = sample.result()
    matrix = panels(result)["matrix-nireq-batch-size"].matrix
    assert matrix is not None
    cells = [cell for _, row in matrix.rows for cell in row]
    assert max(cell.share for cell in cells) == 1.0
    assert any(not cell.lines for cell in cells)
    assert all(len(row) == len(matrix.columns) for _, row in matrix.rows)


def test_one_config_alone() -> None:
    """A study with a single config has nothing to compare."""
    result = sample.result()
    key = next(iter(result.estimates))
    alone = dataclasses.replace(result, estimates={key: result.estimates[key]})
    assert panels(alone).keys() == {"importance"}


def test_panels_have_names_of_their_own() -> None:
    """No two panels share a name, and each name can stand in a page as it is."""
    section = influence_of(sample.large(100), importances(sample.large(100)))
    names = [panel.name for panel in section.panels]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_hostile_parameters() -> None:
    """A property with a hostile name gives a panel whose name is harmless."""
    section = influence_of(sample.hostile(), ())
    assert all(panel.name.replace("-", "").isalnum() for panel in section.panels)


@pytest.mark.parametrize("measured", [1, 9])
def test_importances_need_some_configs(measured: int) -> None:
    """From fewer than ten configs no importance is told."""
    result = sample.result()
    some = dict(list(result.estimates.items())[:measured])
    assert importances(dataclasses.replace(result, estimates=some)) == ()

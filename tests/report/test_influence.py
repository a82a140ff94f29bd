import dataclasses

import pytest

from ovtune.estimate import Quantity
from ovtune.importance import ENOUGH, Importance, importances
from ovtune.report.influence import influence_of
from ovtune.report.plot import Panel, Parallel, Plot
from ovtune.result import Result
from tests.report import sample

COSTS = [(False, "CPU time", "CPU time per inference", "ms"), (True, "energy", "energy per inference", "mJ")]


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


@pytest.mark.parametrize(("energy", "short", "name", "unit"), COSTS)
class TestOfferedLoad:
    """Under an offered load latency is weighed against what an inference costs, and less of that is better."""

    def test_importances(self, energy: bool, short: str, name: str, unit: str) -> None:
        """The importances are those for the cost."""
        panel = panels(sample.offered(energy=energy))["importance"]
        assert panel.table is not None
        assert panel.table.columns == ("parameter", f"for {name}", "for p50 latency")
        assert isinstance(panel.plot, Plot)
        assert [one.name for one in panel.plot.series] == [name, "p50 latency"]
        assert f"for {name} and for p50 latency" in panel.text

    def test_each_parameter(self, energy: bool, short: str, name: str, unit: str) -> None:
        """The best dot is that of the least cost, and each dot's share is the least by its own."""
        result = sample.offered(energy=energy)
        panel = panels(result)["nireq"]
        assert isinstance(panel.plot, Plot)
        told = [e for e in result.estimates.values() if isinstance(e.latency_ms[result.metric], Quantity)]
        costs = [cost.value for e in told if (cost := e.energy_mj_per_inference if energy else e.cpu_ms_per_inference)]
        shares = [spot.y for spot in panel.plot.series[0].spots]
        assert shares == pytest.approx([min(costs) / cost for cost in costs], rel=1e-4)
        assert panel.table is not None
        assert panel.table.columns[2] == f"least {short}"
        assert {row[2].split()[1] for row in panel.table.rows} == {unit}

    def test_parallel_coordinates(self, energy: bool, short: str, name: str, unit: str) -> None:
        """The last axis is the cost, and what costs least is drawn on top."""
        panel = panels(sample.offered(energy=energy))["parallel"]
        assert isinstance(panel.plot, Parallel)
        assert panel.plot.axes[-1].title == f"{short} ({unit})"
        last = [line[-1] for line in panel.plot.lines]
        assert last == sorted(last, reverse=True)
        assert f"the lighter the less {short}" in panel.text
        assert f"\n{short} " in panel.plot.texts[0]

    def test_matrices(self, energy: bool, short: str, name: str, unit: str) -> None:
        """The strongest colour is that of the least cost."""
        panel = panels(sample.offered(energy=energy))["matrix-nireq-batch-size"]
        assert panel.matrix is not None
        cells = [cell for _, row in panel.matrix.rows for cell in row if cell.lines]
        least = min(cells, key=lambda cell: float(cell.lines[0].split()[0]))
        assert least.share == max(cell.share for cell in cells) == 1.0
        assert f"stronger colour is less {short}" in panel.text

    def test_throughput_is_not_shown(self, energy: bool, short: str, name: str, unit: str) -> None:
        """The throughput that the load gives is nowhere told."""
        section = influence_of(sample.offered(energy=energy), importances(sample.offered(energy=energy)))
        assert "throughput" not in repr([p.text for p in section.panels]).lower()
        assert "50.0/s" not in repr(section)


def test_the_colour_is_told_for_light_and_dark_pages() -> None:
    """A cell with more of its colour is darker on a light page and brighter on a dark one: it is called stronger."""
    text = panels(sample.result())["matrix-device-hint"].text
    assert "a stronger colour is more throughput" in text
    assert "darker" not in text

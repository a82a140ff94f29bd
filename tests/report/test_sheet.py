import csv
import io

from ovtune.report.row import rows_of
from ovtune.report.sheet import sheet_of
from tests.report import sample


def test_a_line_for_each_trial() -> None:
    """Each trial is a line with its figures and its settings; what was not measured has its reason and no figures."""
    result = sample.result()
    rows = rows_of(result, {}, {})
    lines = list(csv.DictReader(io.StringIO(sheet_of(rows))))
    assert [int(line["trial"]) for line in lines] == [row.number for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert (line["throughput_per_s"] != "") is (row.throughput is not None)
        assert line["reason"] == row.reason
        assert line["batch"] in {"1", "2", "4"}
    measured = next(row for row in rows if row.throughput is not None)
    line = lines[measured.number]
    assert measured.throughput is not None
    assert float(line["throughput_per_s_low"]) == measured.throughput.low
    assert measured.cpu is not None
    cpu = [float(line[f"cpu_ms_per_inference{end}"]) for end in ("_low", "", "_high")]
    assert cpu == [measured.cpu.low, measured.cpu.value, measured.cpu.high]
    assert cpu[0] < cpu[1] < cpu[2]


def test_no_formulas() -> None:
    """A text that a spreadsheet would run as a formula is told as text."""
    row = rows_of(sample.result(), {}, {})[0]
    for text in ("=HYPERLINK(1)", "+1", "-1", "@x"):
        made = sheet_of([type(row)(**{name: getattr(row, name) for name in row.__slots__} | {"reason": text})])
        assert next(csv.DictReader(io.StringIO(made)))["reason"] == f"'{text}"

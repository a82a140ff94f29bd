"""The trials as comma-separated values, for a spreadsheet."""

import csv
import io
from collections.abc import Sequence

from ovtune.measurement import LATENCY_METRICS
from ovtune.report.number import Amount
from ovtune.report.row import Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def sheet_of(rows: Sequence[Row]) -> str:
    """A line for each trial, the settings that were asked for in a column each; unknown values are empty.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    settings = list(dict.fromkeys(s.name for row in rows for s in row.settings if s.requested))
    numbers = ["throughput_per_s", *(f"{metric}_ms" for metric in LATENCY_METRICS), "cpu_ms_per_inference"]
    ends = [*(name for number in numbers for name in (number, f"{number}_low", f"{number}_high")), "output_error"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["trial", "state", "config", *ends, "caveats", "reason", *map(_plain, settings)])
    for row in rows:
        told = [row.throughput, *(row.latency.get(metric) for metric in LATENCY_METRICS), row.cpu]
        asked = {s.name: s.requested for s in row.settings}
        figures = [figure for amount in told for figure in _figures(amount)]
        figures.append(row.error.value if row.error else None)
        texts = ["; ".join(row.caveats), row.reason, *(asked.get(name, "") for name in settings)]
        writer.writerow([row.number, row.state_text, _plain(row.words), *figures, *map(_plain, texts)])
    return text.getvalue()


def _figures(told: Amount | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if told is None else (told.value, told.low, told.high)


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text

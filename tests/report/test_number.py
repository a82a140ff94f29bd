import math

import pytest

from ovtune.estimate import Quantity, Unavailable
from ovtune.figures import Interval
from ovtune.report.number import amount, given, interval, number


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0213, "0.0213"), (3.9, "3.90"), (46948.2, "46,948"), (512.34, "512"), (0.0, "0.00"), (math.inf, "\u2013")],
)
def test_three_digits(value: float, shown: str) -> None:
    """A number keeps three significant digits at least, whatever its size, and never an exponent."""
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(15.0, "15"), (0.25, "0.25"), (1_000_000.0, "1,000,000"), (100.0, "100"), (0.02, "0.02")]
)
def test_given(value: float, shown: str) -> None:
    """A limit is shown as it was given, without zeros that nobody wrote."""
    assert given(value) == shown


def test_narrow_interval() -> None:
    """Where three digits cannot tell an interval's ends apart, more are shown, alike for all three numbers."""
    assert interval(0.02132, 0.02131, 0.02134) == ("0.021320", "0.021310 to 0.021340")
    assert interval(512.34, 505.02, 519.1) == ("512", "505 to 519")


def test_unbounded_interval() -> None:
    """An interval without bounds is left out."""
    assert interval(1.31, 0.0, math.inf) == ("1.31", "")
    assert amount(Interval(value=1.31, low=0.0, high=math.inf), "").full == "1.31"


def test_amount() -> None:
    """A quantity shows its unit and its interval, and keeps the ends for the drawings."""
    told = amount(Quantity(value=0.0213, error=0.05), " ms")
    assert told.full == "0.0213 ms (0.0193 to 0.0235)"
    assert told.low is not None
    assert told.high is not None
    assert told.low < 0.0213 < told.high


def test_unavailable() -> None:
    """A latency with too few samples says how many there are and how many it needs."""
    told = amount(Unavailable(samples=512, needed=662), " ms")
    assert told.full == "unavailable: 512 of 662 samples"
    assert told.value is None

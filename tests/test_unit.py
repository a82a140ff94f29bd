from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.errors import UsageError
from ovtune.unit import duration_s, enough, fraction, rate_per_s, show_duration, size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("5min", 300),
        ("20ms", 0.02),
        ("1.5h", 5400),
        ("250us", 0.00025),
        (" 2 s ", 2),
        (".5s", 0.5),
        ("2.s", 2),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    """A duration is read in seconds, whatever its unit, with or without blanks and decimals."""
    assert duration_s(text) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 5e8), ("2GiB", 2 * 2**30), ("1kB", 1000), ("1KB", 1000), ("1.5MiB", 1.5 * 2**20), ("7B", 7)],
)
def test_size(text: str, size: float) -> None:
    """Decimal units count in thousands, binary ones in 1024s."""
    assert size_bytes(text) == size


@pytest.mark.parametrize(("text", "rate"), [("200/s", 200), ("90/min", 1.5), ("0.5/s", 0.5)])
def test_rate(text: str, rate: float) -> None:
    """A rate is read per second."""
    assert rate_per_s(text) == rate


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.02", 0.02), ("99%", 0.99)])
def test_fraction(text: str, share: float) -> None:
    """A share is read with and without the percent sign."""
    assert fraction(text) == pytest.approx(share)


@pytest.mark.parametrize("read", [duration_s, size_bytes, rate_per_s, fraction])
@pytest.mark.parametrize(
    "text", ["", "s", "fast", "-3s", "0s", "0", "0%", "0/s", "0MB", "3 parsecs", "1e3s", "nan", "inf", "1,5s"]
)
def test_nonsense_is_refused(read: Callable[[str], float], text: str) -> None:
    """What is no positive number of a known unit is refused, and the message shows it with an example."""
    with pytest.raises(UsageError, match="write it as in") as caught:
        read(text)
    assert repr(text) in str(caught.value)


def test_a_number_without_unit_is_no_duration() -> None:
    """A duration, a size and a rate need their unit: 30 alone could mean anything."""
    for read in (duration_s, size_bytes, rate_per_s):
        with pytest.raises(UsageError, match="'30'"):
            read("30")


@pytest.mark.parametrize("text", ["100%", "1", "250%"])
def test_a_share_of_all_is_refused(text: str) -> None:
    """A share stays below 1: a margin of 2 means 2 %, and is asked to be written so."""
    with pytest.raises(UsageError, match="not below 100%"):
        fraction(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0004, "0.4ms"),
        (0.85, "850ms"),
        (0.9994, "999ms"),
        (0.9996, "1s"),
        (1, "1s"),
        (12.4, "12s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (3599.7, "1h 00m"),
        (3725, "1h 02m"),
    ],
)
def test_show_duration(seconds: float, shown: str) -> None:
    """A duration is shown in the two largest units that it fills, also where rounding fills the next one."""
    assert show_duration(seconds) == shown


@given(st.floats(1e-5, 1e6))
def test_show_duration_has_no_exponent(seconds: float) -> None:
    """No duration that people meet is shown as 1e+03ms."""
    assert "e+" not in show_duration(seconds)


@given(st.floats(0.1, 1e6))
def test_enough_can_be_typed(seconds: float) -> None:
    """What is told to be enough is read again as no less, and not as much more."""
    read = duration_s(enough(seconds))
    assert seconds <= read <= max(1.6 * seconds, seconds + 1)

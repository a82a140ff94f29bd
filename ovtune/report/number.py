"""Numbers as people read them: enough digits to tell an interval's ends apart, no exponents."""

import math
from dataclasses import dataclass

from ovtune.duel import Ratio
from ovtune.estimate import Estimate, Quantity, Unavailable
from ovtune.figures import Interval
from ovtune.objective import Objective

NONE = "\u2013"
_DIGITS = 3
_MOST_DIGITS = 6
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A quantity as it is shown and as it is drawn.

    Attributes:
        text: The value with its unit, or why there is none.
        range: The 95 % interval, ``505 to 519``, or "" where there is none.
        value: The value, or None where it is unavailable.
        low: The interval's lower end, or None.
        high: The interval's upper end, or None.
    """

    text: str
    range: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def full(self) -> str:
        """The value with its interval in parentheses."""
        return f"{self.text} ({self.range})" if self.range else self.text


def number(value: float, *, places: int | None = None) -> str:
    """``value`` to three significant digits, or to ``places`` decimal places: ``46,948``, ``3.90``, ``0.0213``."""
    if not math.isfinite(value):
        return NONE
    if places is None:
        places = max(0, _DIGITS - 1 - _exponent(value))
    return f"{value:,.{places}f}"


def given(value: float) -> str:
    """A number that somebody chose, as it was written: 15 gives ``15`` and 0.25 ``0.25``."""
    text = number(value, places=max(0, _MOST_DIGITS - 1 - _exponent(value)))
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval(value: float, low: float, high: float) -> tuple[str, str]:
    """``value`` and ``low to high`` with the same decimal places, as many as tell the two ends apart."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(value), ""
    exponent = _exponent(value)
    places = max(0, _DIGITS - 1 - exponent)
    if high > low:
        finest = max(0, _MOST_DIGITS - 1 - exponent)
        places = min(max(places, 1 - _exponent(high - low)), finest)
    return number(value, places=places), f"{number(low, places=places)} to {number(high, places=places)}"


def amount(told: Interval | Quantity | Unavailable, unit: str) -> Amount:
    """A quantity with its unit, ``512/s`` or ``3.91 ms``, or ``unavailable: 512 of 662 samples``."""
    if isinstance(told, Unavailable):
        return Amount(text=f"unavailable: {told.text}")
    value, ends = interval(told.value, told.low, told.high)
    return Amount(
        text=f"{value}{unit}",
        range=ends,
        value=rounded(told.value),
        low=rounded(told.low) if ends else None,
        high=rounded(told.high) if ends else None,
    )


def weighed(estimate: Estimate, objective: Objective) -> Amount:
    """What latency is weighed against, with its interval."""
    return amount(objective.of(estimate), objective.unit)


def ratio_of(ratio: Ratio | None) -> Amount | None:
    """A ratio with its interval, where there is one."""
    if ratio is None:
        return None
    return amount(Interval(value=ratio.value, low=ratio.low, high=ratio.high), "")


def rounded(value: float) -> float:
    """``value`` to the six significant digits that a drawing can show."""
    return float(f"{value:.{_MOST_DIGITS}g}")


def megabytes(count: float) -> str:
    """A number of bytes in MB."""
    return f"{number(count / _MEGABYTE)} MB"


def gibibytes(count: float) -> str:
    """A number of bytes in GiB."""
    return f"{count / 2**30:.1f} GiB"


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0

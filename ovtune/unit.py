"""How people write durations, sizes, rates and plugins."""

import math
import re
from collections.abc import Sequence

from ovtune.errors import UsageError

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SMALL = {f"e-{n}": 10.0**-n for n in range(1, 10)}
"""How small shares may be written: ``1e-4``."""
_QUANTITY = re.compile(r"\s*((?:\d+(?:\.\d*)?|\.\d+))\s*(.*?)\s*")


def duration_s(text: str) -> float:
    """A positive duration such as ``30s``, ``5m`` or ``20ms``, in seconds.

    Raises:
        UsageError: ``text`` is not one.
    """
    return _quantity(text, _SECONDS, "duration", "30s, 5m or 20ms")


def size_bytes(text: str) -> float:
    """A positive size such as ``500MB``, in bytes.

    Raises:
        UsageError: ``text`` is not one.
    """
    return _quantity(text, _BYTES, "size", "500MB or 2GiB")


def rate_per_s(text: str) -> float:
    """A positive rate such as ``200/s``, per second.

    Raises:
        UsageError: ``text`` is not one.
    """
    return _quantity(text, {"/s": 1.0, "/min": 1 / 60}, "rate", "200/s")


def fraction(text: str) -> float:
    """A positive share below 1 such as ``2%`` or ``0.02``.

    Raises:
        UsageError: ``text`` is not one.
    """
    value = _quantity(text, {"%": 0.01, "": 1.0, **_SMALL}, "share", "2%")
    if value >= 1:
        raise UsageError(f"share {text!r} is not below 100%: write it as in 2%")
    return value


def plugins(texts: Sequence[str]) -> dict[str, str]:
    """Device names and libraries, each written ``NAME=LIBRARY``.

    Raises:
        UsageError: one of them is not.
    """
    found = {}
    for text in texts:
        name, equals, library = text.partition("=")
        if not (name and equals and library):
            raise UsageError(
                f"plugin {text!r} cannot be read: write NAME=LIBRARY, as in CPUX=openvino_intel_cpu_plugin"
            )
        found[name] = library
    return found


def _quantity(text: str, units: dict[str, float] | dict[str, int], what: str, example: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        raise UsageError(f"{what} {text!r} cannot be read: write it as in {example}")
    value = float(match[1]) * units[match[2]]
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{what} {text!r} is not above zero: write it as in {example}")
    return value


def enough(seconds: float) -> str:
    """A duration as an option takes it, at least as long: ``95s``, ``12m``."""
    return f"{math.ceil(seconds)}s" if seconds <= 120 else f"{math.ceil(seconds / 60)}m"


def show_duration(seconds: float) -> str:
    """A duration as people write it: ``850ms``, ``12s``, ``3m 05s``, ``1h 02m``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g}ms"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"

"""What the host tells of its processor's clock: how fast it runs, and whether heat held it back."""

from collections.abc import Mapping
from pathlib import Path

_ROOT = Path("/sys/devices/system/cpu")


class Thermometer:
    """The processor's throttling from the thermometer's making on, and its frequency.

    Virtual machines mostly tell neither.

    Args:
        root: Where the kernel describes the CPUs.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root
        self._before = self._counts()

    def throttled(self) -> int | None:
        """How often a core or a package was slowed down for heat since; None where the host does not count it."""
        after = self._counts()
        if not after or self._before.keys() != after.keys():
            return None
        return sum(max(0, count - self._before[path]) for path, count in after.items())

    def frequency_mhz(self) -> float | None:
        """The mean frequency of the CPUs at this moment, in MHz; None where the host does not tell it."""
        found = [_number(path) for path in self._root.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")]
        told = [value for value in found if value]
        return sum(told) / len(told) / 1000 if told else None

    def _counts(self) -> Mapping[Path, int]:
        paths = self._root.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
        return {path: count for path in paths if (count := _number(path)) is not None}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None

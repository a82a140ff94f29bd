"""The energy that the processor packages used, from RAPL counters, where this user may read them (often root only)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

_ROOT = Path("/sys/class/powercap")


Access = Literal["readable", "root only", "none"]


def access(root: Path = _ROOT) -> Access:
    """Whether the host counts its packages' energy, and lets this user read it."""
    packages = _packages(root)
    if not packages:
        return "none"
    return "readable" if _read(packages) else "root only"


class Meter:
    """The energy of all packages together, from the meter's making on.

    Args:
        root: Where the counters lie.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        self._packages = _packages(root)
        self._before = _read(self._packages)

    def joules(self) -> float | None:
        """What was used since; None where a counter cannot be read, or there is none.

        A counter that has wrapped around once is taken into account; at 200 W that takes minutes.
        """
        after = _read(self._packages)
        if not after or self._before.keys() != after.keys():
            return None
        used = 0
        for folder, value in after.items():
            more = value - self._before[folder]
            span = _number(folder / "max_energy_range_uj") if more < 0 else 0
            if span is None:
                return None
            used += more + span
        return used / 1e6


def _packages(root: Path) -> list[Path]:
    """The domains of whole packages: cores and memory within them would be counted twice."""
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        try:
            name = (folder / "name").read_text()
        except OSError:
            continue
        if name.startswith("package"):
            found.append(folder)
    return found


def _read(packages: list[Path]) -> Mapping[Path, int]:
    """Each package's counter in microjoules; nothing where one cannot be read."""
    values = {folder: _number(folder / "energy_uj") for folder in packages}
    return (
        {folder: value for folder, value in values.items() if value is not None} if None not in values.values() else {}
    )


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None

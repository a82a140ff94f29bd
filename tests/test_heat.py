from pathlib import Path

import pytest

from ovtune.heat import Thermometer


def _write(root: Path, name: str, value: object) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{value}\n")


def test_throttling_is_counted_from_its_making(tmp_path: Path) -> None:
    """Every core's and package's events since then count, not those before."""
    for cpu in (0, 1, 10):
        _write(tmp_path, f"cpu{cpu}/thermal_throttle/core_throttle_count", 5)
        _write(tmp_path, f"cpu{cpu}/thermal_throttle/package_throttle_count", 7)
    thermometer = Thermometer(tmp_path)
    assert thermometer.throttled() == 0
    _write(tmp_path, "cpu10/thermal_throttle/core_throttle_count", 8)
    _write(tmp_path, "cpu0/thermal_throttle/package_throttle_count", 8)
    assert thermometer.throttled() == 4


def test_frequency_is_the_mean_in_mhz(tmp_path: Path) -> None:
    """The kernel tells kHz, one figure for each CPU; one that is not told is left out."""
    for cpu, khz in ((0, 2_000_000), (1, 3_000_000), (2, "<unknown>")):
        _write(tmp_path, f"cpu{cpu}/cpufreq/scaling_cur_freq", khz)
    assert Thermometer(tmp_path).frequency_mhz() == pytest.approx(2500)


def test_a_host_that_tells_nothing(tmp_path: Path) -> None:
    """There is no throttling and no frequency to tell, and a counter that goes away tells nothing any more."""
    assert Thermometer(tmp_path).throttled() is None
    assert Thermometer(tmp_path / "nothing").frequency_mhz() is None
    _write(tmp_path, "cpu0/thermal_throttle/core_throttle_count", 5)
    thermometer = Thermometer(tmp_path)
    (tmp_path / "cpu0/thermal_throttle/core_throttle_count").unlink()
    assert thermometer.throttled() is None

from pathlib import Path

import pytest

from ovtune.energy import Meter, access


def _domain(root: Path, name: str, label: str, energy_uj: int | str, span_uj: int | None = 1_000_000) -> Path:
    folder = root / name
    folder.mkdir(exist_ok=True)
    (folder / "name").write_text(f"{label}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    if span_uj is not None:
        (folder / "max_energy_range_uj").write_text(f"{span_uj}\n")
    return folder


def test_packages_are_summed(tmp_path: Path) -> None:
    """The packages' counters are summed; domains within a package, and of the whole platform, are not."""
    folders = [
        _domain(tmp_path, name, label, 100_000)
        for name, label in (
            ("intel-rapl:0", "package-0"),
            ("intel-rapl:1", "package-1"),
            ("intel-rapl:0:0", "core"),
            ("intel-rapl:0:1", "dram"),
            ("intel-rapl:2", "psys"),
        )
    ]
    meter = Meter(tmp_path)
    for folder, used in zip(folders, (300_000, 50_000, 7, 7, 7), strict=True):
        (folder / "energy_uj").write_text(str(100_000 + used))
    assert meter.joules() == pytest.approx(0.35)


def test_a_counter_wraps_around(tmp_path: Path) -> None:
    """A counter that began anew at its range has used what was left of it, too."""
    folder = _domain(tmp_path, "intel-rapl:0", "package-0", 900_000)
    meter = Meter(tmp_path)
    (folder / "energy_uj").write_text("250000")
    assert meter.joules() == pytest.approx(0.35)


@pytest.mark.parametrize("before", ["", "denied"])
def test_what_cannot_be_read_is_none(tmp_path: Path, before: str) -> None:
    """A counter without a number gives no energy, even if another one has it."""
    _domain(tmp_path, "intel-rapl:0", "package-0", 5)
    _domain(tmp_path, "intel-rapl:1", "package-1", before)
    assert Meter(tmp_path).joules() is None


def test_a_counter_that_goes_away(tmp_path: Path) -> None:
    """So does one that cannot be read any more, or that wraps around a range that is not told."""
    folder = _domain(tmp_path, "intel-rapl:0", "package-0", 900_000, span_uj=None)
    meter = Meter(tmp_path)
    (folder / "energy_uj").write_text("1")
    assert meter.joules() is None
    (folder / "energy_uj").unlink()
    assert meter.joules() is None


def test_no_counters(tmp_path: Path) -> None:
    """A host without counters has no energy to tell."""
    assert access(tmp_path) == "none"
    assert Meter(tmp_path).joules() is None
    assert Meter(tmp_path / "nothing").joules() is None


@pytest.mark.parametrize(("counter", "expected"), [(5, "readable"), ("", "root only")])
def test_access(tmp_path: Path, counter: int | str, expected: str) -> None:
    """Counters that are there and cannot be read are for root."""
    _domain(tmp_path, "intel-rapl:0", "package-0", counter)
    assert access(tmp_path) == expected

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ovtune.environment import Device, cpu_quota, describe_host
from tests.fake import ENVIRONMENT


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V2, V1 = "sys/fs/cgroup/", "sys/fs/cgroup/cpu/"
SELF = "proc/self/cgroup"


def _v1(folder: str, quota: str, period: str = "100000") -> dict[str, str]:
    return {f"{folder}cpu.cfs_quota_us": f"{quota}\n", f"{folder}cpu.cfs_period_us": f"{period}\n"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({V2 + "cpu.max": "150000 100000\n"}, 1.5),
        ({V2 + "cpu.max": "50000 100000\n"}, 0.5),
        ({V2 + "cpu.max": "150000 50000\n"}, 3.0),
        ({V2 + "cpu.max": "max 100000\n"}, None),
        ({V2 + "cpu.max": "garbage\n"}, None),
        (_v1(V1, "200000"), 2.0),
        (_v1(V1, "-1"), None),
        (_v1(V1, "200000", "0"), None),
        ({V1 + "cpu.cfs_quota_us": "200000\n"}, None),
        ({V2 + "cpu.max": "max 100000\n", **_v1(V1, "50000")}, 0.5),
        ({}, None),
    ],
)
def test_cpu_quota(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    """A container's CPU limit is read from version 2's file or version 1's two; without a limit there is none."""
    assert cpu_quota(_write(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({SELF: "0::/a/b\n", V2 + "a/b/cpu.max": "100000 100000"}, 1.0),
        ({SELF: "0::/a/b\n", V2 + "a/b/cpu.max": "300000 100000", V2 + "a/cpu.max": "200000 100000"}, 2.0),
        ({SELF: "0::/a/b\n", V2 + "a/b/cpu.max": "max 100000", V2 + "cpu.max": "200000 100000"}, 2.0),
        ({SELF: "0::/a\n", V2 + "a/b/cpu.max": "100000 100000", V2 + "c/cpu.max": "100000 100000"}, None),
        ({SELF: "0::/docker/1f\n", V2 + "cpu.max": "250000 100000"}, 2.5),
        ({SELF: "0::/../../a\n", V2 + "cpu.max": "250000 100000"}, 2.5),
        ({SELF: "0::/with:colon\n", V2 + "with:colon/cpu.max": "100000 100000"}, 1.0),
        ({SELF: "4:cpu:/a/b\n1:name=systemd:/x\n", **_v1(V1 + "a/b/", "100000"), **_v1(V1 + "a/", "400000")}, 1.0),
        ({SELF: "4:cpu,cpuacct:/a\n", **_v1("sys/fs/cgroup/cpu,cpuacct/a/", "150000")}, 1.5),
        ({SELF: "2:cpuset:/a\n", **_v1("sys/fs/cgroup/cpuset/a/", "150000")}, None),
        ({SELF: "4:cpu:/a\n0::/b\n", **_v1(V1 + "a/", "300000"), V2 + "b/cpu.max": "200000 100000"}, 2.0),
        ({SELF: "garbage\n", V2 + "cpu.max": "200000 100000"}, 2.0),
    ],
)
def test_nested_groups(tmp_path: Path, files: dict[str, str], quota: float) -> None:
    """The limit is the smallest of the process's own group and those around it; others' limits do not count."""
    assert cpu_quota(_write(tmp_path, files)) == quota


def test_a_host_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    """Where there is no such folder there is no limit."""
    assert cpu_quota(tmp_path / "nothing") is None


def test_describe_host_names_devices_and_their_drivers() -> None:
    """A device's driver stands behind its name, where it tells one; the CPUs are those that this process may use."""
    found = describe_host(
        "2026.4.1",
        (
            Device(name="CPU", full_name="Some CPU"),
            Device(name="GPU.0", full_name="Some GPU", driver="25.1"),
        ),
    )
    assert found.openvino == "2026.4.1"
    assert found.devices == {"CPU": "Some CPU", "GPU.0": "Some GPU (25.1)"}
    assert found.cpus == len(os.sched_getaffinity(0))
    assert found.cpu
    assert found.memory_bytes > 0
    assert found.differences(found) == ()


def test_differences_are_worded() -> None:
    """What makes measurements incomparable is told one by one, mine first."""
    other = replace(ENVIRONMENT, openvino="2025.1.0", cpus=4, quota=1.5, devices={"CPU": "Test CPU", "GPU": "Test GPU"})
    assert ENVIRONMENT.differences(other) == (
        "openvino: 2026.4.1, not 2025.1.0",
        "devices: CPU Test CPU, not CPU Test CPU, GPU Test GPU",
        "cpus: 2, not 4",
        "quota: none, not 1.5",
    )


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"openvino": "1"}, True),
        ({"devices": {}}, True),
        ({"devices": {"CPU": "Test CPU (2.0)"}}, True),
        ({"cpu": "Another"}, True),
        ({"cpus": 1}, True),
        ({"quota": 1.0}, True),
        ({"cpu_set": "0-1"}, True),
        ({"memory_bytes": 1}, False),
        ({"system": "Linux 6.2"}, False),
    ],
)
def test_what_counts_as_another_environment(change: dict[str, object], *, counts: bool) -> None:
    """Runtime, devices, drivers, CPU and its share make another environment; memory and kernel do not."""
    other = replace(ENVIRONMENT, **change)  # type: ignore[arg-type]
    assert bool(ENVIRONMENT.differences(other)) == counts
    assert bool(other.differences(ENVIRONMENT)) == counts

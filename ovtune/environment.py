"""What this host is, and which measurements may be compared with each other."""

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from ovtune.energy import Access, access


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as the runtime describes it.

    Attributes:
        name: The runtime's name, such as ``CPU`` or ``GPU.1``.
        full_name: The product's name.
        driver: The driver's version, or "" where the device tells none.
        capabilities: OPTIMIZATION_CAPABILITIES, such as ``FP32``, ``BF16``, ``INT8``.
        precision: The inference precision that the device takes by default, such as ``bf16``.
        streams: The most streams that it offers (RANGE_FOR_STREAMS).
        settings: The names of the properties that can be set on it.
        tiles: The tiles of an NPU (NPU_MAX_TILES); 1 where it tells none.
        memory_bytes: The memory that it can use, as it tells; None where it tells none.
    """

    name: str
    full_name: str
    driver: str = ""
    capabilities: tuple[str, ...] = ()
    precision: str = "f32"
    streams: int = 1
    settings: tuple[str, ...] = ()
    tiles: int = 1
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The processor, as far as settings of the CPU device depend on it.

    Attributes:
        cpus: The logical CPUs that this process may use, a container's quota heeded.
        cores: The physical cores of the machine.
        sockets: The processors of the machine.
        hybrid: Whether it has performance and efficiency cores.
        memory_bytes: The host's memory.
    """

    cpus: int
    cores: int
    memory_bytes: int
    sockets: int = 1
    hybrid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The circumstances of a measurement; only measurements of equal ones are compared as equals.

    Attributes:
        openvino: The runtime's version.
        devices: The product's name, and the driver where it is told, of each device.
        cpu: The processor's name.
        cpus: The CPUs that this process may run on.
        quota: The CPUs' worth of time that a container may use, or None where there is no limit.
        memory_bytes: The host's memory.
        system: The operating system and its version.
        cpu_set: The CPUs that what is measured was asked to be kept on, such as ``0-3,8``; None for all.
        energy: Whether the counters of the packages' energy can be read.
    """

    openvino: str
    devices: Mapping[str, str]
    cpu: str
    cpus: int
    quota: float | None
    memory_bytes: int
    system: str
    cpu_set: str | None = None
    energy: Access = "none"

    def differences(self, other: "Environment") -> tuple[str, ...]:
        """What makes measurements under ``other`` incomparable, each as ``name: mine, not other's``."""
        names = ("openvino", "devices", "cpu", "cpus", "quota", "cpu_set")
        return tuple(
            f"{name}: {_shown(getattr(self, name))}, not {_shown(getattr(other, name))}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        )


def describe_host(openvino: str, devices: tuple[Device, ...], *, cpu_set: str | None = None) -> Environment:
    """This host, with a runtime of version ``openvino`` that offers ``devices``, kept on ``cpu_set``."""
    return Environment(
        openvino=openvino,
        devices={d.name: f"{d.full_name} ({d.driver})" if d.driver else d.full_name for d in devices},
        cpu=_cpu_name(),
        cpus=len(os.sched_getaffinity(0)),
        quota=cpu_quota(),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
        cpu_set=cpu_set,
        energy=access(),
    )


def topology(root: Path = Path("/")) -> Topology:
    """The processor of this host."""
    quota, cpus = cpu_quota(root), len(os.sched_getaffinity(0))
    packages = {
        path.read_text().strip()
        for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology/physical_package_id")
    }
    return Topology(
        cpus=cpus if quota is None else max(1, min(cpus, int(quota))),
        cores=psutil.cpu_count(logical=False) or cpus,
        sockets=max(1, len(packages)),
        hybrid=(root / "sys/devices/cpu_atom").is_dir(),
        memory_bytes=psutil.virtual_memory().total,
    )


def cpu_quota(root: Path = Path("/")) -> float | None:
    """How many CPUs' worth of time this process's control group allows, of version 1 or 2; None without a limit.

    Groups lie in each other, and the smallest limit holds. Inside a container a group's path may begin outside of
    what is mounted: what is not there is passed over, up to the mount itself, which is then the container's own.
    """
    mount = root / "sys/fs/cgroup"
    paths = _groups(root)
    limits = [_limit_2(folder) for folder in _upwards(mount, paths.get("", "/"))]
    for controllers in {"cpu", *(names for names in paths if "cpu" in names.split(","))}:
        limits += [_limit_1(folder) for folder in _upwards(mount / controllers, paths.get(controllers, "/"))]
    return min((limit for limit in limits if limit is not None), default=None)


def _groups(root: Path) -> dict[str, str]:
    """This process's control groups: the path below the mount by its controllers, which are "" in version 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return {}
    parts = [line.split(":", 2) for line in lines]
    return {part[1]: part[2] for part in parts if len(part) == 3}


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """The group's folder and all that it lies in, up to the mount."""
    names = [] if ".." in path.split("/") else [name for name in path.split("/") if name]
    for length in range(len(names), -1, -1):
        yield mount.joinpath(*names[:length])


def _limit_2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return _share(quota, period)


def _limit_1(folder: Path) -> float | None:
    try:
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
    except OSError:
        return None
    return _share(quota, period)


def _share(quota: str, period: str) -> float | None:
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) > 0 else None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
    return "none" if value is None else str(value)

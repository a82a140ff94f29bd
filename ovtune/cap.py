"""Holding CPU devices to a container's share: the runtime reads the CPU affinity itself, but not the CPU quota."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ovtune.config import Config, Scalar
from ovtune.environment import Device, cpu_quota

THREADS = "INFERENCE_NUM_THREADS"


def thread_cap() -> int | None:
    """The most threads that the CPU quota feeds, where it is below the CPUs that this process may run on; else None."""
    quota = cpu_quota()
    return max(1, int(quota)) if quota is not None and quota < len(os.sched_getaffinity(0)) else None


def capped(config: Config, threads: int | None, devices: Sequence[Device]) -> Config:
    """``config`` with ``threads`` on each of the CPU ``devices`` that it may use, unless it sets them itself.

    A list of devices takes them under DEVICE_PROPERTIES; CPU and BATCH as their own property (BATCH refuses the other).
    """
    cpus = [device.name for device in devices if "CPU" in device.name and _may_use(config.device, device.name)]
    if threads is None or not cpus or any(_set(config.properties)):
        return config
    if config.device.partition(":")[0] not in {"AUTO", "MULTI", "HETERO"}:
        return replace(config, properties={**config.properties, THREADS: threads})
    given = config.properties.get("DEVICE_PROPERTIES", {})
    inner: dict[str, Mapping[str, Scalar]] = dict(given) if isinstance(given, Mapping) else {}
    for name in cpus:
        inner[name] = {**inner.get(name, {}), THREADS: threads}
    return replace(config, properties={**config.properties, "DEVICE_PROPERTIES": inner})


def threads_of(settings: Mapping[str, object]) -> int:
    """The most threads of a CPU device that ``settings``, asked for or read back, name; 0 where they name none."""
    return max((int(str(value)) for value in _set(settings)), default=0)


def _set(settings: Mapping[str, object]) -> Iterator[object]:
    for name, value in settings.items():
        if name == THREADS:
            yield value
        elif isinstance(value, Mapping):
            yield from _set(value)


def _may_use(text: str, name: str) -> bool:
    kind, _, rest = text.partition(":")
    named = [part.strip().partition("(")[0] for part in rest.split(",") if part]
    chosen = {part for part in named if not part.startswith("-")}
    if not chosen:
        return kind in {name, "AUTO", "MULTI", "HETERO"} and f"-{name}" not in named
    return name in chosen

"""Where a visit found the runtime, or the load, to be other than the config suggests: the caveats of a block."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ovtune.caveat import Caveat
from ovtune.config import Config, Property, shown, spelled
from ovtune.driver import Run
from ovtune.fill import full_share
from ovtune.workload import ConstantRate, OpenLoop

_BUSY_ENOUGH = 0.95
_LATE_SHARE = 0.05
_FULL_ENOUGH = 0.95
_LIST = "MULTI_DEVICE_PRIORITIES"
_TIMEOUT_MS = 1000.0


OF_SETTINGS = frozenset(
    {"effective_differs", "key_dropped", "settings_hidden", "threads_capped", "idle_device", "idle_behind"}
)
"""The kinds of caveats that are about what one config asked for, and about none that runs alike."""


def occupancy_of(config: Config, run: Run) -> float:
    """The share of the time that the requests of a closed loop were busy, by Little's law."""
    return run.requests / run.elapsed_s * float(np.mean(run.latencies_ms)) / 1000 / config.nireq


def of_closed_loop(config: Config, run: Run, joined: int, effective: Mapping[str, object]) -> list[Caveat]:
    """What is doubtful where every request is always in flight; ``joined`` of them make an automatic batch."""
    doubts = []
    occupancy = occupancy_of(config, run)
    if occupancy < _BUSY_ENOUGH:
        doubts.append(Caveat(kind="driver_bound", parameters={"occupancy": occupancy}))
    if config.batch_size > 1:
        doubts.append(Caveat(kind="batch_wait_hidden", parameters={"batch": config.batch_size}))
    if config.nireq % joined:
        figures: dict[str, str | int | float] = {
            "batch": joined,
            "nireq": config.nireq,
            "timeout_ms": _timeout_ms(effective),
        }
        doubts.append(Caveat(kind="partial_group", parameters=figures))
    elif joined > 1:
        doubts += _of_full_batches(run, joined, _timeout_ms(effective))
    return doubts


def _of_full_batches(run: Run, joined: int, timeout_ms: float) -> list[Caveat]:
    """That full batches waited for the timeout, where a request usually takes much less: a wake-up that was missed."""
    late = int(np.sum(run.latencies_ms >= timeout_ms))
    if not late or float(np.median(run.latencies_ms)) > timeout_ms / 2:
        return []
    figures = {"late": max(late // joined, 1), "batches": run.requests // joined, "timeout_ms": timeout_ms}
    return [Caveat(kind="batch_missed", parameters=figures)]


def of_open_loop(
    config: Config, schedule: OpenLoop, run: Run, joined: int, effective: Mapping[str, object]
) -> list[Caveat]:
    """What is doubtful where items arrive on a schedule; ``joined`` requests make an automatic batch."""
    doubts = []
    interval_ms = 1000 / schedule.rate_per_s
    rate = {"rate_per_s": schedule.rate_per_s}
    if run.late_ms > _LATE_SHARE * float(np.quantile(run.latencies_ms, 0.99)):
        doubts.append(Caveat(kind="generator_late", parameters={"late_ms": run.late_ms}))
    if run.backlog_ms > max(interval_ms * config.batch_size, 1.0):
        doubts.append(Caveat(kind="not_sustained", parameters=rate | {"backlog_ms": run.backlog_ms}))
    if config.batch_size * joined > 1:
        wait_ms = longest_wait_ms(config, schedule, joined, _timeout_ms(effective))
        figures = {"batch": config.batch_size * joined, "wait_ms": wait_ms}
        doubts.append(Caveat(kind="partial_batch", parameters=rate | figures))
    if joined > 1:
        full = full_share(run.runs[:, 0].astype(np.int64), run.runs[:, 1], run.runs[:, 2], joined)
        if full is not None and full < _FULL_ENOUGH:
            told = {"full": full, "batch": joined, "timeout_ms": _timeout_ms(effective)}
            doubts.append(Caveat(kind="batch_fill", parameters=told))
    return doubts


def longest_wait_ms(config: Config, schedule: OpenLoop, joined: int, timeout_ms: float) -> float:
    """How long the first item of a batch waits for the last one, at worst where items arrive evenly.

    Automatic batching gives up after its timeout, which a pause between random arrivals reaches at any rate.
    """
    interval_ms = 1000 / schedule.rate_per_s
    gathering_ms = (config.batch_size - 1) * interval_ms
    if joined == 1:
        return gathering_ms
    filling_ms = (joined - 1) * config.batch_size * interval_ms
    return gathering_ms + (min(filling_ms, timeout_ms) if isinstance(schedule, ConstantRate) else timeout_ms)


def of_batching(config: Config, joined: int | None) -> list[Caveat]:
    """Where automatic batching was asked for and ``joined``, what the runtime made of it, is 1."""
    size = config.auto_batch_size
    if size > 1 and joined == 1:
        return [Caveat(kind="auto_batching_inactive", parameters={"size": size})]
    return []


def of_settings(config: Config, effective: Mapping[str, object]) -> list[Caveat]:
    """Where the runtime runs something else than was asked for, or does not let it be seen."""
    hidden = [name for name in config.properties if config.auto_batch_size > 1 and name not in effective]
    unseen = [Caveat(kind="settings_hidden", parameters={"names": ", ".join(hidden)})] if hidden else []
    return unseen + [
        Caveat(
            kind="effective_differs",
            parameters={"name": name, "requested": shown(requested), "effective": shown(found)},
        )
        for name, requested, found in _pairs(config.properties, effective)
        if spelled(found) != spelled(requested)
    ]


def of_read_back(config: Config, effective: Mapping[str, object]) -> list[Caveat]:
    """What can be doubted by what is read back alone: settings, and devices that have nothing to do."""
    served = effective.get("EXECUTION_DEVICES")
    names = [str(name) for name in served] if isinstance(served, list) else []
    return [*of_settings(config, effective), *of_devices(config, effective, names)]


def of_devices(config: Config, effective: Mapping[str, object], served: Sequence[str]) -> list[Caveat]:
    """The devices of a list that served nothing although the list gives them a part.

    Of AUTO's list that is what stands in front of the one that serves: the rest is there in case that it fails. Of
    devices that serve at once, those behind have nothing to do where the ones in front have room for all requests.
    """
    listed = [name for name in str(effective.get(_LIST, "")).split(",") if name and served]
    serving = [name.strip("()") for name in served]
    kind = config.device.partition(":")[0]
    at_once = kind == "MULTI" or config.hint == "CUMULATIVE_THROUGHPUT"
    if kind == "AUTO" and not at_once:
        listed = list(itertools.takewhile(lambda name: name not in serving, listed))
    names = ", ".join(serving)
    doubts = [
        Caveat(kind="idle_device", parameters={"name": name, "served": names}) for name in listed if name not in serving
    ]
    if at_once and effective.get("SCHEDULE_POLICY") == "DEVICE_PRIORITY":
        doubts += _behind(config, effective, serving)
    return doubts


def _behind(config: Config, effective: Mapping[str, object], serving: Sequence[str]) -> Iterator[Caveat]:
    """The devices that hardly a request reaches: each in front of them takes as many as it advises."""
    room = 0
    for place, name in enumerate(serving):
        if room >= config.nireq:
            figures: dict[str, str | int] = {
                "name": name,
                "nireq": config.nireq,
                "served": ", ".join(serving[:place]),
            }
            yield Caveat(kind="idle_behind", parameters=figures)
        else:
            room += _room(effective, name)


def _room(effective: Mapping[str, object], device: str) -> int:
    inner = effective.get("DEVICE_PROPERTIES")
    own = inner.get(device, {}) if isinstance(inner, Mapping) else {}
    return int(own.get("OPTIMAL_NUMBER_OF_INFER_REQUESTS", 0))


def _timeout_ms(effective: Mapping[str, object]) -> float:
    return float(str(effective.get("AUTO_BATCH_TIMEOUT", _TIMEOUT_MS)))


def _pairs(properties: Mapping[str, Property], effective: Mapping[str, object]) -> Iterator[tuple[str, object, object]]:
    """Each property's name, what was asked for, and what is in effect, for the devices behind AUTO too."""
    inner = effective.get("DEVICE_PROPERTIES")
    devices = inner if isinstance(inner, Mapping) else {}
    for name, requested in properties.items():
        if isinstance(requested, Mapping):
            for device, asked in requested.items():
                found = devices.get(device, {})
                yield from ((f"{device}.{key}", value, found[key]) for key, value in asked.items() if key in found)
        elif name in effective:
            yield name, requested, effective[name]
        else:
            yield from ((f"{d}.{name}", requested, found[name]) for d, found in devices.items() if name in found)

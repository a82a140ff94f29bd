"""Which settings never go together in one config, each with the reason."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ovtune.config import Scalar
from ovtune.device_string import is_cpu, is_list

Flat = Mapping[str, Scalar]
"""The parameters of a config, as :func:`ovtune.config.parameters` gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Why some settings never go together: ``forbids`` tells which, by the flat parameters that it ``reads``.

    It is asked once for a config as a whole, and once for each device in a list with that device's own settings in
    the place of those that stand for all.
    """

    name: str
    reads: frozenset[str]
    reason: str
    forbids: Callable[[Flat], bool]


CONFLICTS: tuple[Conflict, ...] = (
    Conflict(
        name="streams-within-threads",
        reads=frozenset({"NUM_STREAMS", "INFERENCE_NUM_THREADS"}),
        reason="a stream has at least one thread: with more streams than threads the runtime makes fewer",
        forbids=lambda flat: _above(flat, "NUM_STREAMS", "INFERENCE_NUM_THREADS"),
    ),
    Conflict(
        name="streams-within-requests",
        reads=frozenset({"NUM_STREAMS", "nireq"}),
        reason="each request keeps one stream busy: with fewer requests than streams, some are idle",
        forbids=lambda flat: _above(flat, "NUM_STREAMS", "nireq"),
    ),
    Conflict(
        name="streams-or-latency",
        reads=frozenset({"NUM_STREAMS", "hint"}),
        reason="NUM_STREAMS takes the place of the hint's own streams, and LATENCY is then what no hint is",
        forbids=lambda flat: "NUM_STREAMS" in flat and flat["hint"] == "LATENCY",
    ),
    Conflict(
        name="announced-for-throughput",
        reads=frozenset({"PERFORMANCE_HINT_NUM_REQUESTS", "hint"}),
        reason="PERFORMANCE_HINT_NUM_REQUESTS keeps hints for throughput from planning for more; others do not ask",
        forbids=lambda flat: "PERFORMANCE_HINT_NUM_REQUESTS" in flat and not str(flat["hint"]).endswith("THROUGHPUT"),
    ),
    Conflict(
        name="announced-as-many",
        reads=frozenset({"PERFORMANCE_HINT_NUM_REQUESTS", "nireq"}),
        reason="PERFORMANCE_HINT_NUM_REQUESTS announces how many requests there will be: that is nireq",
        forbids=lambda flat: flat.get("PERFORMANCE_HINT_NUM_REQUESTS", flat["nireq"]) != flat["nireq"],
    ),
    Conflict(
        name="announced-or-streams",
        reads=frozenset({"PERFORMANCE_HINT_NUM_REQUESTS", "NUM_STREAMS"}),
        reason="PERFORMANCE_HINT_NUM_REQUESTS keeps the streams at that many at most, which NUM_STREAMS says itself",
        forbids=lambda flat: "PERFORMANCE_HINT_NUM_REQUESTS" in flat and "NUM_STREAMS" in flat,
    ),
    Conflict(
        name="accuracy-or-precision",
        reads=frozenset({"EXECUTION_MODE_HINT", "INFERENCE_PRECISION_HINT"}),
        reason="EXECUTION_MODE_HINT chooses the inference precision, and one that is given takes its place",
        forbids=lambda flat: "EXECUTION_MODE_HINT" in flat and "INFERENCE_PRECISION_HINT" in flat,
    ),
    Conflict(
        name="precision-once",
        reads=frozenset({"INFERENCE_PRECISION_HINT"}),
        reason="a device's own INFERENCE_PRECISION_HINT takes the place of one for all devices of a list",
        forbids=lambda flat: (
            "INFERENCE_PRECISION_HINT" in flat and any(n.endswith(".INFERENCE_PRECISION_HINT") for n in flat)
        ),
    ),
    Conflict(
        name="reservation-unbatched",
        reads=frozenset({"ENABLE_CPU_RESERVATION", "auto_batch_size"}),
        reason="BATCH compiles the model twice, and with ENABLE_CPU_RESERVATION the second finds no CPU left: it does "
        "not engage",
        forbids=lambda flat: flat.get("ENABLE_CPU_RESERVATION") is True and int(flat["auto_batch_size"]) > 1,
    ),
    Conflict(
        name="policy-needs-cumulative",
        reads=frozenset({"SCHEDULE_POLICY", "hint"}),
        reason="SCHEDULE_POLICY shares requests out over devices that run at once: under CUMULATIVE_THROUGHPUT",
        forbids=lambda flat: "SCHEDULE_POLICY" in flat and flat["hint"] != "CUMULATIVE_THROUGHPUT",
    ),
    Conflict(
        name="batching-off-for-throughput",
        reads=frozenset({"ALLOW_AUTO_BATCHING", "hint", "auto_batch_size"}),
        reason="ALLOW_AUTO_BATCHING keeps the THROUGHPUT hint from batching by itself: there must be nothing else",
        forbids=lambda flat: (
            "ALLOW_AUTO_BATCHING" in flat and (flat["hint"] != "THROUGHPUT" or int(flat["auto_batch_size"]) > 1)
        ),
    ),
    Conflict(
        name="fallbacks-off-leave-out-cpus",
        reads=frozenset({"ENABLE_STARTUP_FALLBACK", "ENABLE_RUNTIME_FALLBACK", "device"}),
        reason="with both fallbacks off AUTO takes no CPU of its list: of CPUs alone nothing is left",
        forbids=lambda flat: (
            flat.get("ENABLE_STARTUP_FALLBACK") is False
            and flat.get("ENABLE_RUNTIME_FALLBACK") is False
            and _names_cpus_alone(str(flat["device"]))
        ),
    ),
)


def broken_by(flat: Flat) -> Iterator[Conflict]:
    """The conflicts that forbid the parameters of a config to go together."""
    views = (flat, *_of_devices(flat)) if any("." in name for name in flat) else (flat,)
    return (conflict for conflict in CONFLICTS if any(conflict.forbids(view) for view in views))


def compatible(flat: Flat) -> bool:
    """Whether no conflict forbids the parameters of a config to go together."""
    return next(broken_by(flat), None) is None


def related(name: str) -> bool:
    """Whether any conflict reads a parameter, a device's own ones included."""
    return name.rpartition(".")[2] in _READ


def linked(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The parameters in groups, such that no conflict reads parameters of two groups, for each device by itself."""
    groups: list[tuple[str, ...]] = []
    for name in names:
        device, _, key = name.rpartition(".")
        with_it = read_with([key])
        mine = [g for g in groups if g[0].rpartition(".")[0] == device and with_it & {n.rpartition(".")[2] for n in g}]
        groups = [g for g in groups if g not in mine] + [(*itertools.chain.from_iterable(mine), name)]
    return groups


def read_with(keys: Iterable[str]) -> frozenset[str]:
    """What the conflicts read that read any of some parameters, without their devices."""
    wanted = frozenset(keys)
    return frozenset().union(*(conflict.reads for conflict in CONFLICTS if conflict.reads & wanted))


_READ: frozenset[str] = frozenset().union(*(conflict.reads for conflict in CONFLICTS))


def _of_devices(flat: Flat) -> Iterator[Flat]:
    """The parameters as each device in a list has them."""
    common = {name: value for name, value in flat.items() if "." not in name}
    for device in {name.rpartition(".")[0] for name in flat} - {""}:
        own = {n.removeprefix(f"{device}."): value for n, value in flat.items() if n.startswith(f"{device}.")}
        yield {**common, **own}


def _names_cpus_alone(text: str) -> bool:
    named = [name for name in text.partition(":")[2].split(",") if name and not name.startswith("-")]
    return is_list(text) and bool(named) and all(is_cpu(name) for name in named)


def _above(flat: Flat, name: str, limit: str) -> bool:
    return name in flat and limit in flat and int(flat[name]) > int(flat[limit])

"""The device strings of the runtime: which devices one may use, and which ones are worth a search."""

import itertools
import re
from collections.abc import Mapping, Sequence

from ovtune.config import Config, split_batch
from ovtune.environment import Device

SCHEDULERS = ("AUTO", "MULTI", "HETERO", "BATCH")
LISTS = ("AUTO", "MULTI", "HETERO")
"""What takes a list of devices."""
_COUNT = re.compile(r"\([1-9]\d*\)$")
"""The number of requests, or the batch, that may stand behind a device of a list."""


def kind_of(text: str) -> str:
    """What a device string asks for first: ``AUTO:GPU,CPU`` gives ``AUTO``, ``GPU.1`` gives ``GPU``."""
    return text.partition(":")[0].partition(".")[0]


def is_list(text: str) -> bool:
    """Whether a device string leaves the choice of the device to AUTO, MULTI or HETERO."""
    return kind_of(text) in LISTS


def is_cpu(name: str) -> bool:
    """Whether a device is served by the CPU plugin, under whichever name."""
    return "CPU" in name


def used_by(text: str, devices: Sequence[Device]) -> tuple[Device, ...]:
    """The devices that a device string may use, in the order of its list.

    ``GPU`` is the first of several GPUs where it is named, and all of them where it is left out. A list that names
    none may use every device but an NPU, which AUTO takes only where it is named.
    """
    named, left_out = _listed(text)
    if named:
        return tuple(device for name in named if (device := _first(name, devices)) is not None)
    usual = [device for device in _by_rank(devices) if kind_of(device.name) != "NPU"]
    return tuple(d for d in usual if not {d.name, kind_of(d.name)} & left_out)


def missing(config: Config, devices: Sequence[Device]) -> tuple[str, ...]:
    """The devices that a config names, in its device string or in what is set for one device, and that are not there.

    A device string that needs a list and has none, or parts that are no names, counts as one that is not there.
    """
    named, _ = _listed(config.device)
    kind = kind_of(split_batch(config.device)[0])
    if not named and kind in SCHEDULERS and kind != "AUTO":
        return (config.device,)
    inner = (name for value in config.properties.values() if isinstance(value, Mapping) for name in value)
    return tuple(dict.fromkeys(name for name in (*named, *inner) if _first(name, devices) is None))


def first_of_auto(text: str) -> str | None:
    """The device that AUTO serves by, where its list names them: the first one; None for anything else."""
    kind, _, rest = text.partition(":")
    first = rest.partition(",")[0].strip()
    return first if kind == "AUTO" and first and "-" not in rest else None


def worth_trying(devices: Sequence[Device], *, lists: bool = True, hetero: bool = False) -> tuple[str, ...]:
    """Each device alone; with two or more also AUTO, and where ``lists`` says so AUTO over lists of them.

    Of one list without CUMULATIVE_THROUGHPUT the first device serves; the others help at the start and stand in when
    it fails. So what makes a difference is which one is first and which others are there, not their order: the lists
    are every ordered pair, the whole list with each device first, and AUTO with each device left out. The others follow
    as AUTO itself would rank them, CPUs last. HETERO, where ``hetero`` says so, is tried in that order and its reverse:
    the first device gets every operation that it can run. Of four devices this makes 27 device strings.
    """
    names = tuple(device.name for device in devices)
    if len(names) < 2:
        return names
    ranked = tuple(device.name for device in _by_rank(devices))
    pairs = list(itertools.permutations(names, 2))
    whole = [(name, *(other for other in ranked if other != name)) for name in names]
    orders = [f"AUTO:{','.join(order)}" for order in dict.fromkeys([*pairs, *whole])]
    exclusions = [f"AUTO:-{name}" for name in names]
    split = [f"HETERO:{','.join(order)}" for order in (ranked, ranked[::-1])]
    return (*names, "AUTO", *(orders + exclusions if lists else ()), *(split if hetero else ()))


def _listed(text: str) -> tuple[list[str], set[str]]:
    """The devices that a device string names, and those that it leaves out."""
    inner, _ = split_batch(text)
    kind, _, rest = inner.partition(":")
    parts = [_COUNT.sub("", part.strip()) for part in rest.split(",") if part.strip()]
    named = [part for part in parts if not part.startswith("-")] if kind in SCHEDULERS else [inner]
    return named, {part.removeprefix("-") for part in parts if part.startswith("-")}


def _by_rank(devices: Sequence[Device]) -> list[Device]:
    return sorted(devices, key=lambda device: is_cpu(device.name))


def _first(name: str, devices: Sequence[Device]) -> Device | None:
    exact = [device for device in devices if device.name == name]
    return next(iter(exact or [device for device in devices if kind_of(device.name) == name]), None)

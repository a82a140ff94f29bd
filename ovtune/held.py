"""What the parameters that are held to certain values mean here: whether they can be had, and where they are set."""

import difflib
import itertools
from collections.abc import Iterable, Iterator, Sequence

from ovtune.config import Config, Scalar, split_batch
from ovtune.device_string import is_list, kind_of, used_by
from ovtune.environment import Device
from ovtune.errors import UsageError
from ovtune.model import Model
from ovtune.setting import LEFT_OUT, SETTINGS, precisions, with_settings
from ovtune.wanted import OWN, UNSET, Wanted


def check(wanted: Wanted, devices: Sequence[Device], strings: Sequence[str], model: Model) -> None:
    """Checks that what is held to values exists, on the device strings ``strings``, and can have these values.

    Raises:
        UsageError: it does not, or cannot.
    """
    settable = {name for device in devices for name in device.settings}
    own = {setting.name for setting in SETTINGS if setting.kind in {"AUTO", "HETERO"} or not setting.listed}
    known = {*OWN, *settable, *own}
    for name, values in wanted.only.items():
        device, _, key = name.rpartition(".")
        if key not in known | LEFT_OUT.keys() or (device and key in OWN and key != "INFERENCE_PRECISION_HINT"):
            near = difflib.get_close_matches(key, sorted(known), n=3, cutoff=0.5)
            hint = f", such as {', '.join(near)}" if near else ""
            raise UsageError(f"parameter {name} is held to {values[0]}, but there is none such: name another{hint}")
        if (device or key not in OWN) and not any(_takes(string, name, devices) for string in strings):
            where = ", ".join(dict.fromkeys(strings))
            raise UsageError(f"parameter {name} is held to {values[0]}, but nothing of {where} takes it: leave it out")
    _check_values(wanted, devices, model)


def applied(config: Config, wanted: Wanted, devices: Sequence[Device]) -> Iterator[Config]:
    """``config`` with each combination of the properties that are held to values, as far as its devices take them."""
    device, _ = split_batch(config.device)
    held = {n: values for n, values in wanted.only.items() if n not in OWN and _takes(device, n, devices)}
    for pick in itertools.product(*held.values()):
        yield with_settings(config, {n: value for n, value in zip(held, pick, strict=True) if value != UNSET})


def covers(wanted: Wanted, name: str) -> bool:
    """Whether a parameter is held to values, by itself or for all devices of a list."""
    return name in wanted.only or name.rpartition(".")[2] in wanted.only


def _check_values(wanted: Wanted, devices: Sequence[Device], model: Model) -> None:
    """Checks that the model takes the batches and weights, and a device the precisions, that are asked for."""
    computed = {p for device in devices for p in (*precisions(device), device.precision)}
    offers: dict[str, Iterable[Scalar]] = {
        "batch_size": model.batch_sizes,
        "precision": model.precisions,
        "INFERENCE_PRECISION_HINT": {*computed, UNSET},
    }
    for name, values in wanted.only.items():
        offer = offers.get(name.rpartition(".")[2], values)
        missing = [value for value in values if value not in offer]
        if missing:
            here = ", ".join(str(value) for value in sorted(offer, key=lambda v: (isinstance(v, str), v)))
            why = f" ({model.one_batch})" if name == "batch_size" and model.one_batch else ""
            raise UsageError(f"{name} is held to {missing[0]}, which this model or host has not{why}: choose of {here}")


def _takes(text: str, name: str, devices: Sequence[Device]) -> bool:
    """Whether a device string takes a property, one of a device in a list by its full name."""
    device, _, key = name.rpartition(".")
    used = used_by(text, devices)
    kinds = {kind_of(text).replace("MULTI", "AUTO")} if is_list(text) else {kind_of(d.name) for d in used}
    if device:
        return is_list(text) and any(d.name == device and key in d.settings for d in used)
    unlisted = any(s.name == key and s.kind in kinds and (is_list(text) or not s.listed) for s in SETTINGS)
    scheduler = next((d.settings for d in devices if d.name == kind_of(text)), ())
    return unlisted or key in scheduler or any(key in d.settings for d in used)

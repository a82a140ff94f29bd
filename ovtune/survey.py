"""What there is to search on this host: devices, the model, and OpenVINO's own answers. Runs inside a child."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ovtune import agreement, runtime
from ovtune.cap import capped, threads_of
from ovtune.config import Config, Scalar, split_batch
from ovtune.content import Feed
from ovtune.engine import engine_for, infer_items
from ovtune.environment import Device
from ovtune.errors import DeviceError
from ovtune.model import Model, Shapes
from ovtune.runtime import Compiled, Runtime, reshaped
from ovtune.space import HINTS, Advice

_BATCHING = "AUTO_BATCH_TIMEOUT"
AdviceList = tuple[Advice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which model to look at, if any, with which plugins, and which shapes its dynamic inputs are given."""

    path: str | None
    plugins: Mapping[str, str]
    shapes: Shapes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQuestion:
    """Which device string to ask for its answers on which model, and the most threads that it may take.

    What stands behind automatic batching, which hides its device's settings, is read where they are to be ``shown``.
    """

    path: str
    plugins: Mapping[str, str]
    device: str
    most_threads: int | None = None
    shapes: Shapes = field(default_factory=dict)
    shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Which model to write where, and in which precision."""

    path: str
    plugins: Mapping[str, str]
    precision: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceQuestion:
    """Of which model the reference's outputs are to be written where."""

    path: str
    plugins: Mapping[str, str]
    target: str
    feed: Feed
    shapes: Shapes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The runtime's version, its devices, and the model where one was named."""

    version: str
    devices: tuple[Device, ...]
    model: Model | None


def look(question: Question) -> Sight:
    """Asks the devices and the model what they are."""
    core = Runtime(question.plugins)
    return Sight(
        version=runtime.VERSION,
        devices=core.devices(),
        model=runtime.inspect(core, question.path, question.shapes) if question.path is not None else None,
    )


def advise(question: DeviceQuestion) -> AdviceList:
    """OpenVINO's own answers on one device string: no settings, and each hint that means something there.

    Raises:
        DeviceError: it refuses the model without any settings.
    """
    core = Runtime(question.plugins)
    found = []
    for hint in HINTS:
        if hint == "CUMULATIVE_THROUGHPUT" and not question.device.startswith(("AUTO", "MULTI")):
            continue
        try:
            found.append(_advice(core, question, hint))
        except DeviceError:
            if hint == "none":
                raise
    return tuple(found)


def convert(conversion: Conversion) -> None:
    """Writes the model as an IR in one precision: to a temporary name first, so that a cut-off leaves no half file.

    Raises:
        ModelError: it cannot be read.
        StorageError: it cannot be written.
    """
    core = Runtime(conversion.plugins)
    target = Path(conversion.target)
    partial = target.with_name(f"partial-{target.name}")
    runtime.save(core.read(conversion.path), partial, conversion.precision)
    partial.with_suffix(".bin").replace(target.with_suffix(".bin"))
    partial.replace(target)


def refer(question: ReferenceQuestion) -> None:
    """Writes the outputs that others are compared with, made in full precision and one item at a time.

    Raises:
        ModelError: the model cannot be read.
        DeviceError: no device runs it.
        StorageError: they cannot be written.
    """
    core = Runtime(question.plugins)
    config = core.exact()
    compiled = core.compile(reshaped(core.read(question.path), batch_size=1, shapes=question.shapes), config)
    content = question.feed.content(0)
    _, outputs = infer_items(compiled, engine_for(compiled, config, content), content, batch_size=1, time_s=math.inf)
    name = f"{config.device} {config.properties.get('INFERENCE_PRECISION_HINT', 'f32')}"
    agreement.write(question.target, name, outputs)


def _needed_cap(core: Runtime, question: DeviceQuestion, compiled: Compiled, config: Config) -> int | None:
    """The most threads, where the runtime takes more by itself; BATCH does not show them, the device in it does."""
    most = question.most_threads
    if most is None:
        return None
    device, _ = split_batch(config.device)
    if device != config.device:
        compiled = core.compile(_network(core, question), replace(config, device=device))
    return most if threads_of(compiled.effective()) > most else None


def _unhidden(
    core: Runtime, question: DeviceQuestion, config: Config, effective: Mapping[str, object]
) -> Mapping[str, object]:
    """The settings with those of the devices on which automatic batching engaged by itself, and which it hides."""
    if _BATCHING not in str(effective) or config.auto_batch_size > 1:
        return effective
    plain = replace(config, properties={**config.properties, "ALLOW_AUTO_BATCHING": False})
    compiled = core.compile(_network(core, question), plain)
    compiled.leave_startup()
    return {**effective, **compiled.effective()}


def _network(core: Runtime, question: DeviceQuestion) -> Any:
    return reshaped(core.read(question.path), batch_size=1, shapes=question.shapes)


def _advice(core: Runtime, question: DeviceQuestion, hint: str) -> Advice:
    properties: dict[str, Scalar] = {} if hint == "none" else {"PERFORMANCE_HINT": hint}
    config = Config(device=question.device, properties=properties, nireq=1)
    compiled = core.compile(_network(core, question), config)
    compiled.leave_startup()
    threads = _needed_cap(core, question, compiled, config)
    if threads is not None:
        config = capped(config, threads, core.devices())
        compiled = core.compile(_network(core, question), config)
        compiled.leave_startup()
    nireq = max(1, compiled.optimal_nireq)
    compiled = compiled.asked_as(replace(config, nireq=nireq))
    effective = compiled.effective()
    return Advice(
        device=question.device,
        hint=hint,
        nireq=nireq,
        effective=_unhidden(core, question, config, effective) if question.shown else effective,
        effective_key=compiled.effective_key(effective),
        threads=threads,
        joined=compiled.joined or 1,
    )

"""What there is to search on this host: devices, the model, and OpenVINO's own answers. Runs inside a child."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune import agreement, network, runtime
from ovtune.agreement import Reference
from ovtune.backend import reason
from ovtune.cap import capped, threads_of
from ovtune.compiled import Compiled
from ovtune.config import Config, Scalar, split_batch
from ovtune.content import Feed
from ovtune.engine import ITEMS, engine_for, infer_items
from ovtune.environment import Device
from ovtune.errors import DeviceError, MeasurementError
from ovtune.model import Model, Shapes
from ovtune.network import reshaped
from ovtune.runtime import Runtime
from ovtune.space import Advice
from ovtune.wanted import HINTS

_BATCHING = "AUTO_BATCH_TIMEOUT"
_REFERENCE_S, _PATIENCE_S = 8.0, 25.0
_BATCH = 2
_MOST_BYTES, _LARGEST_BYTES = 128_000_000, 1_000_000_000
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
    """Which model to write where, in which precision, and for which batch and shapes where they are not its own."""

    path: str
    plugins: Mapping[str, str]
    precision: str
    target: str
    batch_size: int = 1
    shapes: Shapes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchQuestion:
    """Which model to run, with what: to see whether it takes a batch."""

    path: str
    plugins: Mapping[str, str]
    feed: Feed
    shapes: Shapes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceQuestion(BatchQuestion):
    """The same, and where to write the outputs that others are compared with."""

    target: str


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
        model=network.inspect(core, question.path, question.shapes) if question.path is not None else None,
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
    """Writes the model as an IR in one precision.

    Raises:
        ModelError: it cannot be read, or given the batch or the shapes.
        StorageError: it cannot be written.
    """
    found = Runtime(conversion.plugins).read(conversion.path)
    if conversion.batch_size > 1 or conversion.shapes:
        found = network.reshaped(found, batch_size=conversion.batch_size, shapes=conversion.shapes)
    if conversion.batch_size > 1:
        network.mark_batch(found)
    network.save(found, Path(conversion.target), conversion.precision)


def refer(question: ReferenceQuestion) -> None:
    """Writes the outputs that others are compared with, made in full precision and one item at a time.

    As many items as fit into some seconds and into memory, one at least. Where one item, run again, gives something
    else, the reason why nothing can be compared is written instead.

    Raises:
        ModelError: the model cannot be read.
        DeviceError: no device runs it.
        MeasurementError: it takes too long, or fails.
        StorageError: they cannot be written.
    """
    core = Runtime(question.plugins)
    config = core.exact()
    name = f"{config.device} {config.properties.get('INFERENCE_PRECISION_HINT', 'f32')}"
    items, same = _repeated(core, config, question, ITEMS, patience_s=_PATIENCE_S)
    reference = Reference(name=name, items=items, noise=[0.0] * len(items[0]))
    if same:
        rough = _runs(core, core.rough(), question, coarse=True)(len(items))
        reference = replace(reference, noise=agreement.noise_of(items, rough))
    elif same is False:
        reference = Reference(reason="the model gives other outputs each time that it is run on the same input")
    agreement.write(question.target, reference)


def _runs(
    core: Runtime, config: Config, question: BatchQuestion, *, coarse: bool = False
) -> Callable[[int], list[list[NDArray[Any]]]]:
    """What runs as many items as it is told, each time in the same requests; ``coarse`` on inputs in low precision."""
    compiled = core.compile(_network(core, question, config.batch_size), config)
    content = replace(question.feed.content(0, places=ITEMS), coarse=coarse)
    engine = engine_for(compiled, config, content)

    def run(most: int) -> list[list[NDArray[Any]]]:
        limits = {"time_s": _REFERENCE_S, "limit_s": _PATIENCE_S}
        running = infer_items(compiled, engine, content, config=config, items=most, **limits)
        return _outputs(running, f"{question.path} does not run on {config.device} in full precision")

    return run


def _repeated(
    core: Runtime, config: Config, question: BatchQuestion, most: int, *, patience_s: float
) -> tuple[list[list[NDArray[Any]]], bool | None]:
    """The outputs of items, and whether the first gives the same when it is run again; None where all took too long.

    In the same requests: a generator of random numbers whose seed is fixed would start anew in others.
    """
    began = time.perf_counter()
    run = _runs(core, config, question)
    items = run(most)
    if time.perf_counter() - began > patience_s:
        return items, None
    return items, agreement.settled(items[:1], run(1))


def _outputs(running: Iterable[tuple[int, list[NDArray[Any]]]], what: str) -> list[list[NDArray[Any]]]:
    """The outputs of one item after the other, fewer than are run where they take too much memory."""
    found: list[list[NDArray[Any]]] = []
    held = 0
    try:
        for _, outputs in running:
            held += sum(values.nbytes for values in outputs)
            if found and held > _MOST_BYTES:
                break
            if held > _LARGEST_BYTES:
                raise MeasurementError(
                    f"outputs of {held / 1e6:.0f} MB for one item cannot be compared: give a smaller --shape"
                )
            found.append([np.array(values) for values in outputs])
    except (RuntimeError, TimeoutError, MemoryError) as error:
        raise MeasurementError(f"{what} ({reason(error)}): its outputs cannot be compared") from error
    return found


def why_one_batch(question: BatchQuestion) -> str:
    """Why a model that can be reshaped must not be run in batches, found by running a few; "" where it can be.

    In full precision, so that a difference between a batch of two and single items is the model's doing: from 0.1 % of
    the largest value on, where vision and transformer networks, and ones with activations in eight bits, showed none
    at all. From 5 % on where values are quantized by the range of a whole batch, found as it runs: that alone changes
    some tenths of a percent in each layer. Of a model that gives other outputs in each run nobody can tell.

    Raises:
        ModelError: the model cannot be read.
        DeviceError: no device runs it.
        MeasurementError: it takes too long, or fails with single items.
    """
    core = Runtime(question.plugins)
    config = core.exact()
    alone, same = _repeated(core, config, question, _BATCH, patience_s=math.inf)
    if not same:
        return ""
    try:
        together = _runs(core, replace(config, batch_size=_BATCH), question)(_BATCH)
    except MeasurementError as error:
        if isinstance(error.__cause__, RuntimeError):
            return f"a batch of 2 fails while it runs ({reason(error.__cause__)})"
        return ""
    changed = agreement.change(alone, together[: len(alone)])
    most = agreement.SAME_RANGES if network.quantizes_by_range(core.read(question.path)) else agreement.SAME
    return "the outputs of an item depend on the others in its batch" if changed > most else ""


def auto_batches(question: DeviceQuestion) -> bool:
    """Whether automatic batching engages on a device, by itself or in ``BATCH:``.

    Raises:
        ModelError: the model cannot be read.
        DeviceError: the device does not take it.
    """
    core = Runtime(question.plugins)
    return core.auto_batches(_network(core, question), question.device)


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


def _network(core: Runtime, question: DeviceQuestion | BatchQuestion, batch_size: int = 1) -> Any:
    return reshaped(core.read(question.path), batch_size=batch_size, shapes=question.shapes)


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

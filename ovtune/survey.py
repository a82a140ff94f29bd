"""What there is to search on this host: devices, the model, and OpenVINO's own answers. Runs inside a child."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ovtune import runtime
from ovtune.cap import capped, threads_of
from ovtune.config import Config, Scalar, split_batch
from ovtune.environment import Device
from ovtune.errors import DeviceError
from ovtune.model import Model
from ovtune.runtime import Compiled, Runtime
from ovtune.space import HINTS, Advice

AdviceList = tuple[Advice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which model to look at, if any, and with which plugins."""

    path: str | None
    plugins: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQuestion:
    """Which device string to ask for its answers on which model, and the most threads that it may take."""

    path: str
    plugins: Mapping[str, str]
    device: str
    most_threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Which model to write where, and in which precision."""

    path: str
    plugins: Mapping[str, str]
    precision: str
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
        model=runtime.inspect(core, question.path) if question.path is not None else None,
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


def _needed_cap(core: Runtime, question: DeviceQuestion, compiled: Compiled, config: Config) -> int | None:
    """The most threads, where the runtime takes more by itself; BATCH does not show them, the device in it does."""
    most = question.most_threads
    if most is None:
        return None
    device, _ = split_batch(config.device)
    if device != config.device:
        compiled = core.compile(core.read(question.path), replace(config, device=device))
    return most if threads_of(compiled.effective()) > most else None


def _advice(core: Runtime, question: DeviceQuestion, hint: str) -> Advice:
    properties: dict[str, Scalar] = {} if hint == "none" else {"PERFORMANCE_HINT": hint}
    config = Config(device=question.device, properties=properties, nireq=1)
    compiled = core.compile(core.read(question.path), config)
    compiled.leave_startup()
    threads = _needed_cap(core, question, compiled, config)
    if threads is not None:
        config = capped(config, threads, core.devices())
        compiled = core.compile(core.read(question.path), config)
        compiled.leave_startup()
    nireq = max(1, compiled.optimal_nireq)
    compiled = compiled.asked_as(replace(config, nireq=nireq))
    effective = compiled.effective()
    return Advice(
        device=question.device,
        hint=hint,
        nireq=nireq,
        effective=effective,
        effective_key=compiled.effective_key(effective),
        threads=threads,
    )

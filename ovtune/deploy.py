"""A config document becomes a compiled model and a queue."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovtune import difference, runtime
from ovtune.choice import choose
from ovtune.compiled import Compiled
from ovtune.config import Config
from ovtune.content import Content
from ovtune.device_string import missing
from ovtune.document import Document, read
from ovtune.driver import SystemClock, first_inference_ms
from ovtune.engine import engine_for
from ovtune.environment import Device, describe_host
from ovtune.errors import DeploymentError, DeviceError, ModelError
from ovtune.model import PRECISIONS, digest
from ovtune.network import reshaped, with_weights
from ovtune.queue import Queue
from ovtune.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A tuned config, ready to run.

    Attributes:
        compiled_model: OpenVINO's compiled model.
        queue: An ``AsyncInferQueue`` of the tuned size, which can be left safely; None for ``api: sync``.
        request: One infer request for ``api: sync``; else None.
        config: The config that was applied.
        effective: The settings as read back.
        warnings: What differs from where the config was measured, each in words.
    """

    compiled_model: Any
    queue: Any
    request: Any
    config: Config
    effective: Mapping[str, object]
    warnings: tuple[str, ...]


@contextlib.contextmanager
def apply(  # noqa: PLR0913 - a public interface, by name
    config: str | Path | Document,
    model: str | Path | None = None,
    *,
    strict: bool = False,
    max_latency_ms: float | None = None,
    fallback: bool = False,
    plugins: Mapping[str, str] | None = None,
) -> Iterator[Deployment]:
    """Compiles ``model`` as the document ``config`` says and gives it as a :class:`Deployment`.

    Leaving the ``with`` block waits for every request that still runs, and raises what a callback raised, if
    ``wait_all()`` has not; from then on the queue starts nothing any more, and everything may be destroyed in any
    order. Requests that the program makes from the compiled model itself are its own business.

    Args:
        config: The document, or its path.
        model: The model's path; by default the one that the document names.
        strict: Raise instead of warning where something differs from where the config was measured.
        max_latency_ms: Apply the config of the document with the most throughput whose latency, by the metric of its
            goal, was measured to be at most that many milliseconds.
        fallback: Apply the best config of the document that can run here where the recommended one lacks a device.
        plugins: Further device names and the libraries that serve them.

    Raises:
        UsageError: ``max_latency_ms`` is no number above 0.
        DocumentError: the document cannot be read.
        ModelError: the model cannot be read or given its shape.
        DeviceError: the device refuses the config.
        DeploymentError: something differs, and ``strict`` is set; or no config keeps the limit or can run here.
    """
    document = config if isinstance(config, Document) else read(config)
    path = str(model) if model is not None else document.model.path
    core = Runtime(plugins or {})
    devices = core.devices()
    choice = choose(document, devices, max_latency_ms=max_latency_ms, fallback=fallback)
    chosen = choice.config
    _check_devices(chosen, devices)
    warnings = list(differences(document, path, core))
    if not choice.recommended:
        warnings.append(f"{chosen.words} is not the config that is recommended ({document.to_config().words})")
    network = _network(document, chosen.precision, path, core)
    compiled = core.compile(reshaped(network, batch_size=chosen.batch_size, shapes=chosen.shapes), chosen)
    compiled.leave_startup()
    effective = compiled.effective()
    warnings += _lost(document, effective) if choice.recommended else ()
    if strict and warnings:
        raise DeploymentError(f"the config does not hold here ({'; '.join(warnings)}): search again on this host")
    with _served(compiled, chosen) as (queue, request):
        yield Deployment(
            compiled_model=compiled.model,
            queue=queue,
            request=request,
            config=chosen,
            effective=effective,
            warnings=tuple(warnings),
        )


def _check_devices(config: Config, devices: Sequence[Device]) -> None:
    """Checks that the host has each device that a config names, before the runtime is asked for one.

    Raises:
        DeviceError: one is missing.
    """
    unknown = missing(config, devices)
    if unknown:
        raise DeviceError(
            f"{config.device} of the config cannot be used, {', '.join(unknown)} is not among this host's devices "
            f"({', '.join(device.name for device in devices)}): search on this host, or take another config of the "
            "document by fallback"
        )


def _network(document: Document, precision: str, path: str, core: Runtime) -> Any:
    """The model of a document with weights of a ``precision``, or the variant that its config runs instead.

    Raises:
        ModelError: it cannot be read, or is not there.
    """
    if precision in PRECISIONS:
        return with_weights(core, core.read(path), precision)
    return core.read(variant_file(document, path))


def variant_file(document: Document, path: str) -> str:
    """The file of the variant that a document's config runs: ``path`` where it is that, else where it was measured.

    Raises:
        ModelError: the document names none, or it is not there any more.
    """
    precision, variant = document.config.precision, document.variant
    if variant is None:
        raise ModelError(f"{precision!r} weights cannot be made: search again with {' or '.join(PRECISIONS)}")
    for candidate in (path, variant.path):
        with contextlib.suppress(ModelError):
            if digest(candidate) == variant.sha256:
                return candidate
    raise ModelError(
        f"variant {precision} is not at {variant.path} as it was measured ({variant.sha256[:8]}): "
        "give the path of that file as the model"
    )


def differences(document: Document, path: str, core: Runtime) -> Iterator[str]:
    """What differs between this host and model and those that the document was measured with."""
    here = describe_host(runtime.VERSION, core.devices())
    for found in difference.differences(document, here, path=path, sha256=_digest(document, path)):
        if found.kind != "more_cpus":
            yield found.text
    yield from difference.doubts(document)


def _digest(document: Document, path: str) -> str:
    """The digest of the model at ``path``, which may be the variant that the document's config runs in its place."""
    found = digest(path)
    is_variant = document.variant is not None and found == document.variant.sha256
    return document.model.sha256 if is_variant else found


def _lost(document: Document, effective: Mapping[str, object]) -> Iterator[str]:
    """Settings that the runtime took otherwise than when the config was measured."""
    for name in ("INFERENCE_PRECISION_HINT", "NUM_STREAMS", "EXECUTION_DEVICES", "OPTIMAL_NUMBER_OF_INFER_REQUESTS"):
        then, now = document.effective.get(name), effective.get(name)
        if then is not None and now is not None and now != then:
            yield f"{name} is {now}, measured with {then}"


@contextlib.contextmanager
def _served(compiled: Compiled, config: Config) -> Iterator[tuple[Any, Any]]:
    if config.api == "sync":
        yield None, compiled.model.create_infer_request()
        return
    queue = Queue(compiled.model, config.nireq)
    with contextlib.ExitStack() as leaving:
        leaving.push(lambda kind, *_: queue.leave(quietly=kind is not None))
        yield queue, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What to try out: a document on a model."""

    path: str
    model: str | None
    strict: bool
    plugins: Mapping[str, str]
    max_latency_ms: float | None = None
    fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What came of it.

    Attributes:
        config: The config that was applied.
        effective: The settings as read back.
        warnings: What differs from where it was measured.
        inference_ms: The time of one inference, the first one.
    """

    config: Config
    effective: Mapping[str, object]
    warnings: tuple[str, ...]
    inference_ms: float


def rehearse(rehearsal: Rehearsal) -> Rehearsed:
    """Applies a document and runs one inference. Runs inside a child: not every compiled model can be taken apart.

    Raises:
        OvtuneError: as :func:`apply`.
    """
    deployed = apply(
        rehearsal.path,
        rehearsal.model,
        strict=rehearsal.strict,
        max_latency_ms=rehearsal.max_latency_ms,
        fallback=rehearsal.fallback,
        plugins=rehearsal.plugins,
    )
    with deployed as deployment:
        compiled = Compiled(deployment.compiled_model, deployment.config)
        engine = engine_for(compiled, deployment.config, Content())
        return Rehearsed(
            config=deployment.config,
            effective=deployment.effective,
            warnings=deployment.warnings,
            inference_ms=first_inference_ms(engine, SystemClock(), group=deployment.config.auto_batch_size),
        )

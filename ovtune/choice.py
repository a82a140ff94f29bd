"""Which config of a document a deployment applies: the recommended one, or another by its own limit or devices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ovtune.config import Config
from ovtune.device_string import missing
from ovtune.document import Document, IntervalPart, MeasuredPart, config_of
from ovtune.environment import Device
from ovtune.errors import DeploymentError, UsageError
from ovtune.model import PRECISIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A config of a document, and what is to be said about taking it.

    Attributes:
        config: The config.
        measured: Its figures.
        recommended: Whether it is the one that the document recommends.
    """

    config: Config
    measured: MeasuredPart
    recommended: bool


def choose(
    document: Document, devices: Sequence[Device], *, max_latency_ms: float | None = None, fallback: bool = False
) -> Choice:
    """The config of ``document`` to apply on a host with these ``devices``.

    Args:
        document: The document.
        devices: What this host has.
        max_latency_ms: Take the config with the most throughput whose latency, by the document's own metric, was
            measured to be at most that, be it the recommended one, one of the front, or OpenVINO's own answer.
        fallback: Where a device of the recommended config is missing, take the best of the others that can run here.

    Raises:
        UsageError: ``max_latency_ms`` is no number above 0.
        DeploymentError: no config keeps the limit, or none can run here.
    """
    if max_latency_ms is not None and not (math.isfinite(max_latency_ms) and max_latency_ms > 0):
        raise UsageError(f"max_latency_ms is {max_latency_ms:g}: give milliseconds above 0")
    metric = document.goal.latency
    known = _choices(document)
    within = known if max_latency_ms is None else [c for c in known if _latency_ms(c, metric) <= max_latency_ms]
    if not within:
        quickest = min(_latency_ms(choice, metric) for choice in known)
        told = "no config tells it" if math.isinf(quickest) else f"the quickest has {quickest:.4g} ms"
        raise DeploymentError(
            f"no config of the document keeps a {metric} latency of {max_latency_ms:g} ms ({told}): "
            f"allow more, or search with --max-latency {max_latency_ms:g}ms"
        )
    if fallback:
        lacking = missing(document.to_config(), devices)
        within = [choice for choice in within if not missing(choice.config, devices)]
        if not within:
            raise DeploymentError(
                f"no config of the document can run here ({', '.join(lacking)} is missing): search on this host"
            )
    if max_latency_ms is not None:
        return max(within, key=lambda choice: choice.measured.throughput_per_s.value)
    return within[0] if within[0].recommended else max(within, key=lambda choice: _merit(choice, document))


def _choices(document: Document) -> list[Choice]:
    """All configs of a document whose weights can be had, the recommended one first."""
    found = [Choice(config=document.to_config(), measured=document.measured, recommended=True)]
    others = [(point.config, point.measured) for point in document.front]
    for part, measured in (*others, (document.baseline.config, document.baseline.measured)):
        config = config_of(part)
        at_hand = config.precision in PRECISIONS or config.precision == document.config.precision
        if at_hand and all(config != other.config for other in found):
            found.append(Choice(config=config, measured=measured, recommended=False))
    return found


def _latency_ms(choice: Choice, metric: str) -> float:
    """The latency that was measured; infinity where too few samples tell it."""
    found = {str(name): value for name, value in choice.measured.latency_ms.items()}.get(metric)
    return found.value if isinstance(found, IntervalPart) else math.inf


def _merit(choice: Choice, document: Document) -> float:
    """What a config is worth for what the document prefers: the larger the better."""
    throughput, latency_ms = choice.measured.throughput_per_s.value, _latency_ms(choice, document.goal.latency)
    match document.goal.prefer:
        case "throughput":
            return throughput
        case "latency":
            return -latency_ms
        case "balanced":
            return throughput / max(latency_ms, 1e-9)
        case "efficiency":
            energy_mj = choice.measured.energy_mj_per_inference
            return -(choice.measured.cpu_ms_per_inference if energy_mj is None else energy_mj)

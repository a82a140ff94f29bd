"""OpenVINO's benchmark_app: a file for ``-load_config`` and a command line."""

import json
import shlex
from collections.abc import Mapping

from ovtune.config import Scalar
from ovtune.export.order import Export, Order, dropped, spelled

_FILE = "benchmark_app.json"
_HINTS = {"THROUGHPUT": "throughput", "LATENCY": "latency", "CUMULATIVE_THROUGHPUT": "cumulative_throughput"}
_BREAKING = frozenset("{}:,.")
"""What benchmark_app's reader of DEVICE_PROPERTIES takes for its own signs, or loses."""


def write(order: Order) -> Export:
    """The recipe for benchmark_app.

    It tells the device the number of requests, which then makes fewer streams than it would: so the streams that were
    read back are told, and one request is given as its synchronous mode, which tells the device nothing.
    """
    notes: list[str] = []
    properties = {name: spelled(value) for name, value in order.plain.items() if name != "PERFORMANCE_HINT"}
    hint = _HINTS.get(order.config.hint or "", "none")
    if order.streams is not None:
        properties.setdefault("NUM_STREAMS", str(order.streams))
    inner = _inner(order.nested, notes)
    if inner:
        properties["DEVICE_PROPERTIES"] = inner
    if order.batched:
        properties.pop("AUTO_BATCH_TIMEOUT", None)
        notes.append(
            f"automatic batching ({order.config.device}) is left out, benchmark_app refuses such a device: each "
            "request runs alone, which is another config"
        )
    if hint == "none" and order.config.hint is not None:
        notes.append(dropped("PERFORMANCE_HINT", order.config.hint, "benchmark_app knows no such hint"))
    if any(part.startswith("-") for part in order.device.partition(":")[2].split(",")):
        notes.append(f"benchmark_app may ask the devices that {order.device} leaves out: name the others in its place")
    nireq = order.config.nireq
    command = ["benchmark_app", "-m", order.model, "-d", order.device, "-hint", hint]
    command += ["-api", "sync"] if nireq == 1 else ["-api", "async", "-nireq", str(nireq)]
    if 1 < nireq < (order.streams or 0):
        notes.append(
            f"benchmark_app lets a device make no more streams than requests: {nireq} and not {order.streams}, which "
            "is another config"
        )
    command += ["-load_config", _FILE, "-t", "10"]
    notes.append("benchmark_app measures a closed loop; its median latency is that of requests, batch included")
    device = order.device.partition(":")[0]
    text = json.dumps({device: properties}, indent=2, ensure_ascii=False) + "\n"
    return Export(files={_FILE: text}, command=shlex.join(command), notes=tuple(notes))


def _inner(nested: Mapping[str, Mapping[str, Scalar]], notes: list[str]) -> str:
    """The properties of single devices as benchmark_app reads them."""
    parts = []
    for device, properties in nested.items():
        if _BREAKING & set(device):
            notes += [
                dropped(f"{device}'s {name}", value, "benchmark_app cannot read the device's name there")
                for name, value in properties.items()
            ]
            continue
        kept = []
        for name, value in properties.items():
            if _BREAKING & set(spelled(value)):
                notes.append(dropped(f"{device}'s {name}", value, "benchmark_app cannot read such a value there"))
            else:
                kept.append(f"{name}:{spelled(value)}")
        if kept:
            parts.append(f"{device}:{{{','.join(kept)}}}")
    return f"{{{','.join(parts)}}}" if parts else ""

"""OpenVINO Model Server: its ``config.json``, and the command line for one model."""

import json
import shlex

from ovtune.export.order import Export, Order, dropped, spelled

_FILE = "config.json"
_PORT = "9000"


def write(order: Order) -> Export:
    """The recipe for Model Server, which takes properties as text and not NUM_STREAMS beside a hint."""
    notes: list[str] = []
    properties = {name: spelled(value) for name, value in order.plain.items()}
    if order.nested:
        properties["DEVICE_PROPERTIES"] = _inner(order)
    if order.streams is not None and not order.batched:
        properties["NUM_STREAMS"] = str(order.streams)
    if "NUM_STREAMS" in properties and (hint := properties.pop("PERFORMANCE_HINT", None)) is not None:
        notes.append(
            dropped(
                "PERFORMANCE_HINT",
                hint,
                f"Model Server takes it or NUM_STREAMS; NUM_STREAMS={properties['NUM_STREAMS']} is what it came to",
            )
        )
    nireq = order.config.nireq
    if order.config.api == "sync":
        notes.append("api sync becomes one request of Model Server, which starts it asynchronously")
    entry = {
        "name": order.name,
        "base_path": order.name,
        "nireq": nireq,
        "target_device": order.config.device,
        "plugin_config": properties,
    }
    command = [
        "ovms",
        "--model_name",
        order.name,
        "--model_path",
        order.name,
        "--target_device",
        order.config.device,
        "--nireq",
        str(nireq),
        "--plugin_config",
        json.dumps(properties, ensure_ascii=False),
        "--port",
        _PORT,
    ]
    text = json.dumps({"model_config_list": [{"config": entry}]}, indent=2, ensure_ascii=False) + "\n"
    return Export(files={_FILE: text}, command=shlex.join(command), notes=tuple(notes))


def _inner(order: Order) -> str:
    """The properties of single devices as OpenVINO reads them from text."""
    parts = [
        f"{device}:{{{','.join(f'{name}:{spelled(value)}' for name, value in properties.items())}}}"
        for device, properties in order.nested.items()
    ]
    return f"{{{','.join(parts)}}}"

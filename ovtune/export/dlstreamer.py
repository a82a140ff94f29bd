"""DL Streamer: an inference element for a GStreamer pipeline."""

import shlex

from ovtune.export.order import Export, Order, dropped, spelled

_FILE = "pipeline.txt"
_SPLITTING = frozenset(",=")
_QUOTED = frozenset(" \t\n\"\\;!'")


def write(order: Order) -> Export:
    """The element with its properties; ``ie-config`` is split at every comma and equals sign."""
    notes: list[str] = []
    properties = {name: spelled(value) for name, value in order.plain.items() if name != "AUTO_BATCH_TIMEOUT"}
    if order.streams is not None:
        properties["NUM_STREAMS"] = str(order.streams)
    elif "GPU" in order.config.device:
        notes.append("the streams were not read back: DL Streamer sets NUM_STREAMS=-1 where it is not told any")
    pairs = []
    for name, value in properties.items():
        if (_SPLITTING | _QUOTED) & set(name + value):
            notes.append(dropped(name, value, "ie-config is split at commas and equals signs, and cannot hold it"))
        else:
            pairs.append(f"{name}={value}")
    for device, inner in order.nested.items():
        notes += [
            dropped(f"{device}'s {name}", value, "ie-config has no properties of single devices")
            for name, value in inner.items()
        ]
    element = ["gvainference", f"model={_quoted(order.model)}", f"device={_quoted(order.config.device)}"]
    element += [f"nireq={order.config.nireq}", f"batch-size={order.config.batch_size}"]
    timeout = order.config.properties.get("AUTO_BATCH_TIMEOUT")
    if timeout is not None:
        element.append(f"batch-timeout={timeout}")
    if pairs:
        element.append(f"ie-config={','.join(pairs)}")
    if order.config.api == "sync":
        notes.append("api sync becomes nireq=1: DL Streamer always infers asynchronously")
    text = " ".join(element) + "\n"
    notes.append("gvainference stands for gvadetect or gvaclassify, which take the same properties")
    pipeline = ["gst-launch-1.0", "filesrc", "location=VIDEO", "!", "decodebin3", "!", *element, "!", "fakesink"]
    command = " ".join(part if part == "!" else shlex.quote(part) for part in pipeline)
    return Export(files={_FILE: text}, command=command, notes=tuple(notes))


def _quoted(value: str) -> str:
    """A value as GStreamer's description of a pipeline holds it."""
    if not (_QUOTED | {","}) & set(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

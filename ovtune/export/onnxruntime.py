"""ONNX Runtime's OpenVINO execution provider: its options, and a program that uses them."""

import json

from ovtune import template
from ovtune.export.order import Export, Order, spelled

_OPTIONS, _PROGRAM = "provider_options.json", "run_onnxruntime.py"


def write(order: Order) -> Export:
    """The options of the provider, which has neither a number of requests nor automatic batching."""
    notes: list[str] = []
    properties: dict[str, object] = {name: spelled(value) for name, value in order.plain.items()}
    device = order.device.partition(":")[0]
    if order.streams is not None:
        properties.setdefault("NUM_STREAMS", str(order.streams))
    if order.nested:
        properties["DEVICE_PROPERTIES"] = {
            name: {key: spelled(value) for key, value in inner.items()} for name, inner in order.nested.items()
        }
    if order.batched:
        properties.pop("AUTO_BATCH_TIMEOUT", None)
        notes.append(
            f"automatic batching ({order.config.device}) is left out, the provider has no such device: each request "
            "runs alone, which is another config"
        )
    if order.config.nireq > 1:
        notes.append(
            f"the provider has no number of requests: call run() from {order.config.nireq} threads at once, as "
            f"{_PROGRAM} does"
        )
    if not order.source.endswith(".onnx"):
        notes.append(f"ONNX Runtime reads ONNX alone: give the ONNX file that {order.source} was made from")
    if order.config.batch_size > 1:
        notes.append(
            f"the batch of {order.config.batch_size} is a matter of the ONNX file: feed that many items, where its "
            "first dimension is free"
        )
    if order.config.precision != "FP32":
        notes.append(f"{order.config.precision} weights are a matter of the ONNX file: give one that has them")
    notes.append("onnxruntime-openvino brings its own OpenVINO, which may be an older one: check the figures anew")
    options = {"device_type": order.device, "load_config": json.dumps({device: properties}, ensure_ascii=False)}
    text = json.dumps(options, indent=2, ensure_ascii=False) + "\n"
    model = order.source if order.source.endswith(".onnx") else "model.onnx"
    program = template.program(
        "export/run_onnxruntime.py.j2",
        options=options,
        threads=order.config.nireq,
        model=model,
        batch=order.config.batch_size,
    )
    return Export(files={_OPTIONS: text, _PROGRAM: program}, command=f"python {_PROGRAM}", notes=tuple(notes))

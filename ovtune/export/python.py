"""A Python program that needs OpenVINO alone."""

from ovtune import template
from ovtune.export.order import Export, Order, as_compiled

_FILE = "run.py"


def write(order: Order) -> Export:
    """A program that compiles the model as measured, keeps its requests busy, and tells throughput and settings."""
    text = template.program(
        "export/run.py.j2",
        model=order.model,
        device=order.config.device,
        properties=as_compiled(order.config),
        nireq=order.config.nireq,
        sync=order.config.api == "sync",
    )
    return Export(files={_FILE: text}, command=f"python {_FILE}", notes=())

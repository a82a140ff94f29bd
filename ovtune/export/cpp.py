"""A C++ program that needs OpenVINO alone."""

from ovtune import template
from ovtune.export.order import Export, Order, as_compiled

_FILE = "run.cpp"


def write(order: Order) -> Export:
    """A program that compiles the model as measured, keeps its requests busy, and tells throughput and settings."""
    text = template.program(
        "export/run.cpp.j2",
        model=order.model,
        device=order.config.device,
        properties=as_compiled(order.config),
        nireq=order.config.nireq,
        sync=order.config.api == "sync",
    )
    note = (
        "with the OpenVINO of a Python environment add -I and -L of the folders openvino/include and openvino/libs of "
        "its site-packages, -Wl,-rpath of the latter, and -l:libopenvino.so.VERSION"
    )
    command = f"g++ -std=c++17 -O2 {_FILE} -o run -lopenvino -lpthread && ./run"
    return Export(files={_FILE: text}, command=command, notes=(note,))

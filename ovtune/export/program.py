"""Programs in Python and C++ that need OpenVINO alone."""

from ovtune import template
from ovtune.config import as_compiled
from ovtune.export.order import Export, Order

_PYTHON, _CPP = "run.py", "run.cpp"


def python(order: Order) -> Export:
    """A program that compiles the model as measured, keeps its requests busy, and tells throughput and settings."""
    return Export(files={_PYTHON: _written(_PYTHON, order)}, command=f"python {_PYTHON}", notes=())


def cpp(order: Order) -> Export:
    """The same in C++."""
    note = (
        "with the OpenVINO of a Python environment add -I and -L of the folders openvino/include and openvino/libs of "
        "its site-packages, -Wl,-rpath of the latter, and -l:libopenvino.so.VERSION"
    )
    command = f"g++ -std=c++17 -O2 {_CPP} -o run -lopenvino -lpthread && ./run"
    return Export(files={_CPP: _written(_CPP, order)}, command=command, notes=(note,))


def _written(name: str, order: Order) -> str:
    return template.program(
        f"export/{name}.j2",
        model=order.model,
        device=order.config.device,
        properties=as_compiled(order.config.properties),
        nireq=order.config.nireq,
        batch=order.config.batch_size,
        sync=order.config.api == "sync",
    )

"""A config document as other tools take it: what each of them can express, and what it cannot."""

from collections.abc import Callable, Mapping

from ovtune.export import benchmark_app, dlstreamer, onnxruntime, ovms, program
from ovtune.export.order import Export, Order
from ovtune.tool import Tool

_WRITERS: Mapping[Tool, Callable[[Order], Export]] = {
    "benchmark_app": benchmark_app.write,
    "ovms": ovms.write,
    "onnxruntime": onnxruntime.write,
    "dlstreamer": dlstreamer.write,
    "python": program.python,
    "cpp": program.cpp,
}

__all__ = ["Export", "Order", "Tool", "export"]


def export(order: Order, tool: Tool) -> Export:
    """What ``tool`` needs to run as the config of ``order`` does."""
    return _WRITERS[tool](order)

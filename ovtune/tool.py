"""The tools that a config document is exported to."""

from typing import Literal

Tool = Literal["benchmark_app", "ovms", "onnxruntime", "dlstreamer", "python", "cpp"]

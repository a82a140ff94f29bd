"""Finds the fastest OpenVINO configuration for a model on this machine, and deploys it.

Nothing heavy is imported before it is used: a program that only deploys pays for neither Optuna nor Plotly.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ovtune.config import Config
    from ovtune.deploy import Deployment, apply
    from ovtune.errors import OvtuneError
    from ovtune.goal import Goal
    from ovtune.result import Result
    from ovtune.session import search
    from ovtune.study import Study

    __version__: str

_HOMES = {
    "Config": "config",
    "Deployment": "deploy",
    "Goal": "goal",
    "OvtuneError": "errors",
    "Result": "result",
    "Study": "study",
    "apply": "deploy",
    "search": "session",
}

__all__ = ["Config", "Deployment", "Goal", "OvtuneError", "Result", "Study", "__version__", "apply", "search"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("ovtune")
    if name not in _HOMES:
        raise AttributeError(f"module 'ovtune' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ovtune.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

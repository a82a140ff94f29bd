"""What all tests share."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ovtune.runtime import Runtime
    from tests.fake_runtime import FakeRuntime

# A slow or busy machine must not fail a test, and the same tree must give the same outcome each time.
settings.register_profile(
    "ovtune", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ovtune")


@pytest.fixture(scope="module")
def core() -> "Runtime":
    """A runtime with a second device."""
    from ovtune.runtime import Runtime
    from tests.real import PLUGINS

    return Runtime(PLUGINS)


@pytest.fixture(scope="session")
def _gpu_environment() -> Mapping[str, str]:
    """The environment in which OpenVINO finds GPU.0 and GPU.1; installs what that needs on its first use."""
    done = subprocess.run(
        [str(Path(__file__).parent / "gpu_on_cpu" / "run"), "env", "-0"],
        env={**os.environ, "GPUS": "2"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"the GPU of tests cannot be installed:\n{done.stderr}"
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch, _gpu_environment: Mapping[str, str]) -> None:
    """Child processes find GPU.0 and GPU.1."""
    for name in ("OCL_ICD_VENDORS", "LD_LIBRARY_PATH", "LD_PRELOAD"):
        monkeypatch.setenv(name, _gpu_environment[name])


@pytest.fixture
def two_f32_gpus(monkeypatch: pytest.MonkeyPatch, two_gpus: None) -> None:
    """The same without half precision, where a model compiles in a sixth of the time."""
    monkeypatch.setenv("GPU_F32", "1")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> "Callable[[FakeRuntime], FakeRuntime]":
    """Lets a made-up runtime answer what child processes are asked before a search."""
    from tests.fake_runtime import answering

    def put(runtime: "FakeRuntime") -> "FakeRuntime":
        answering(monkeypatch, runtime.ask)
        return runtime

    return put

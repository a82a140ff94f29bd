"""OpenVINO for the tests of what talks to it: a runtime with a second device, and what it makes of the perceptron."""

from collections.abc import Mapping

import numpy as np
import openvino as ov

from ovtune.compiled import Compiled
from ovtune.config import Config, Scalar
from ovtune.content import Content
from ovtune.engine import engine_for
from ovtune.runtime import Runtime

PLUGINS = {"CPUX": "openvino_intel_cpu_plugin"}
TWO = Config(device="CPU", nireq=2)


def compiled(core: Runtime, device: str, properties: Mapping[str, Scalar] | None = None, nireq: int = 1) -> Compiled:
    """The built-in perceptron on a device."""
    return core.compile(core.read("demo:mlp"), Config(device=device, properties=properties or {}, nireq=nireq))


def key(core: Runtime, device: str, properties: Mapping[str, Scalar] | None = None, nireq: int = 1) -> str:
    """The effective key of a config of the built-in perceptron."""
    answer = compiled(core, device, properties, nireq)
    return answer.effective_key(answer.effective())


def run_once(core: Runtime, network: ov.Model, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The first input, where there is one, and the output of a request of a queue."""
    engine = engine_for(core.compile(network, TWO), TWO, Content(seed=seed))
    for _ in range(4):
        assert engine.wait_idle() in {0, 1}
        engine.start()
    engine.wait_all()
    assert engine.is_idle()
    assert engine.latency_ms(0) > 0
    request = engine.requests[0]
    given = np.array(request.get_input_tensor(0).data) if network.inputs else np.zeros(0)
    return given, np.array(request.get_output_tensor(0).data)


def assert_readable(message: str) -> None:
    """A message that a user can read: one short line without places in sources."""
    assert "\n" not in message
    assert "Exception from" not in message
    assert ".cpp" not in message
    assert len(message) < 500

"""Each rule against the real runtime: what it forbids is refused there, or does what the reason says."""

import os
import time
from collections.abc import Callable, Mapping

import openvino as ov
import pytest

from ovtune.compiled import Compiled
from ovtune.config import Config, Property
from ovtune.errors import DeviceError, ModelError
from ovtune.network import inspect, reshaped
from ovtune.rule import RULES
from ovtune.runtime import Runtime
from tests import models

_PLUGINS = {"CPUX": "openvino_intel_cpu_plugin"}
_LIST = "AUTO:CPUX,CPU"
_CUMULATIVE = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
_THROUGHPUT = {"PERFORMANCE_HINT": "THROUGHPUT"}


def compiled(
    device: str, properties: Mapping[str, Property] | None = None, *, network: ov.Model | None = None, nireq: int = 1
) -> Compiled:
    """A model, by default a small one with a batch, on a device."""
    core = Runtime(_PLUGINS)
    return core.compile(network or models.dense(), Config(device=device, properties=properties or {}, nireq=nireq))


def test_every_rule_is_tested() -> None:
    """No rule stands without a test on the runtime."""
    assert sorted(rule.name for rule in RULES) == sorted(_FACTS)


@pytest.mark.runtime
@pytest.mark.parametrize("name", sorted(rule.name for rule in RULES))
def test_on_the_runtime(name: str) -> None:
    """What a rule forbids is refused by the runtime, or does what the reason says."""
    _FACTS[name]()


def _one_device_takes_it_as_throughput() -> None:
    alone, usual = (compiled("CPU", hint).effective() for hint in (_CUMULATIVE, _THROUGHPUT))
    assert {k for k in alone if alone[k] != usual[k]} == {"PERFORMANCE_HINT"}
    split, usual_split = (compiled("HETERO:CPUX,CPU", hint).optimal_nireq for hint in (_CUMULATIVE, _THROUGHPUT))
    assert split == usual_split


def _lists_are_refused() -> None:
    for inner in ("CPU,CPUX", "AUTO:CPU,CPUX", "HETERO:CPU,CPUX"):
        with pytest.raises(DeviceError, match="only one device"):
            compiled(f"BATCH:{inner}(4)")
    behind = compiled("BATCH:AUTO(4)")
    assert behind.execution_devices == compiled("AUTO").execution_devices
    assert behind.optimal_nireq == 4


def _stays_unbatched(network: ov.Model) -> None:
    assert compiled("BATCH:CPU(4)", network=network).optimal_nireq < 4


def _a_batch_is_not_batched_again() -> None:
    assert compiled("BATCH:CPU(4)").optimal_nireq >= 4
    _stays_unbatched(reshaped(models.dense(), batch_size=2, shapes={}))


def _no_batch_is_not_batched() -> None:
    for network in (models.transposed(), models.stateful()):
        _stays_unbatched(network)


def _one_batch_is_not_batched() -> None:
    with pytest.raises(ModelError, match="batch of 2"):
        reshaped(models.transposed(), batch_size=2, shapes={})
    _stays_unbatched(models.transposed())


def _a_partial_batch_waits() -> None:
    queue = ov.AsyncInferQueue(compiled("BATCH:CPU(4)", {"AUTO_BATCH_TIMEOUT": 300}, nireq=3).model, 3)
    began = time.perf_counter()
    for _ in range(3):
        queue.start_async({})
    queue.wait_all()
    assert time.perf_counter() - began >= 0.3


def _advice_does_not_grow() -> None:
    """Requests beyond the streams are taken, and the runtime runs no more of them at once."""
    crowd = compiled("CPU", _THROUGHPUT, nireq=64)
    assert len(ov.AsyncInferQueue(crowd.model, 64)) == 64
    assert crowd.optimal_nireq == compiled("CPU", _THROUGHPUT).optimal_nireq < 64 / 16 * len(os.sched_getaffinity(0))


def _requests_hold_inputs_and_outputs() -> None:
    core = Runtime(_PLUGINS)
    model = inspect(core, "demo:mlp", {})
    network = reshaped(core.read("demo:mlp"), batch_size=4, shapes={})
    queue = ov.AsyncInferQueue(core.compile(network, Config(device="CPU", nireq=3, batch_size=4)).model, 3)
    held = sum(tensor.byte_size for request in queue for tensor in (*request.input_tensors, *request.output_tensors))
    assert held == 3 * 4 * model.item_bytes


def _state_cannot_be_shared_out() -> None:
    with pytest.raises(DeviceError, match="stateful"):
        compiled(_LIST, _CUMULATIVE, network=models.stateful())
    assert compiled(_LIST, network=models.stateful()).execution_devices == ["CPUX"]


def _throughput_plans_for_several() -> None:
    planned = compiled("CPU", {**_THROUGHPUT, "PERFORMANCE_HINT_NUM_REQUESTS": 2}).effective()["NUM_STREAMS"]
    assert planned == min(2, len(os.sched_getaffinity(0)))


def _no_timeout_without_a_batch() -> None:
    timeout = {"AUTO_BATCH_TIMEOUT": 7}
    assert "AUTO_BATCH_TIMEOUT" not in compiled("CPU", timeout).effective()
    assert compiled("BATCH:CPU(4)", timeout).effective()["AUTO_BATCH_TIMEOUT"] == 7


_FACTS: Mapping[str, Callable[[], None]] = {
    "cumulative-needs-several": _one_device_takes_it_as_throughput,
    "auto-batch-one-device": _lists_are_refused,
    "auto-batch-or-batch": _a_batch_is_not_batched_again,
    "auto-batch-model": _no_batch_is_not_batched,
    "variant-of-one-batch": _one_batch_is_not_batched,
    "auto-batch-multiples": _a_partial_batch_waits,
    "items-in-flight": _advice_does_not_grow,
    "memory": _requests_hold_inputs_and_outputs,
    "stateful-one-device": _state_cannot_be_shared_out,
    "sync-no-throughput-hint": _throughput_plans_for_several,
    "timeout-with-auto-batch": _no_timeout_without_a_batch,
}

import json

import numpy as np
import pytest

from ovtune.compiled import Compiled
from ovtune.config import Config, Scalar
from ovtune.network import reshaped, with_weights
from ovtune.runtime import Runtime
from tests import models
from tests.real import compiled, key

pytestmark = pytest.mark.runtime


class TestSettings:
    """What is read back of a compiled model, and when two run alike."""

    DEVICES = ("CPU", "AUTO", "AUTO:CPUX,CPU", "HETERO:CPU,CPUX", "MULTI:CPU,CPUX", "BATCH:CPU(4)")

    @pytest.mark.parametrize("device", DEVICES)
    def test_json(self, core: Runtime, device: str) -> None:
        """Effective settings are plain JSON: values with a meaning, and no catalogue of names."""
        effective = compiled(core, device, nireq=4).effective()
        assert json.loads(json.dumps(effective)) == effective
        assert effective["EXECUTION_DEVICES"]
        text = json.dumps(effective)
        for useless in ("<Type", "SUPPORTED_PROPERTIES", "NETWORK_NAME", "RUNTIME_REQUIREMENTS"):
            assert useless not in text

    @pytest.mark.parametrize("device", DEVICES)
    def test_all_can_be_read(self, core: Runtime, device: str) -> None:
        """No setting that a compiled model lists is left out of what is read back."""
        answer = compiled(core, device, nireq=4)
        listed = set(answer.model.get_property("SUPPORTED_PROPERTIES"))
        omitted = {"SUPPORTED_PROPERTIES", "NETWORK_NAME", "RUNTIME_REQUIREMENTS"}
        assert set(answer.effective()) == listed - omitted

    def test_what_the_runtime_makes_of_it(self, core: Runtime) -> None:
        """What is read back is what runs, not what was asked for."""
        effective = compiled(core, "CPU", {"NUM_STREAMS": 1000}).effective()
        assert isinstance(effective["NUM_STREAMS"], int)
        assert 1 <= effective["NUM_STREAMS"] < 1000

    @pytest.mark.parametrize("device", DEVICES)
    def test_key_holds(self, core: Runtime, device: str) -> None:
        """The key is the same for another compilation of the config, and after inferences."""
        answer = compiled(core, device, nireq=4)
        first = answer.effective_key(answer.effective())
        if not device.startswith("BATCH"):
            answer.model.create_infer_request().infer([np.zeros((1, 256), np.float32)])
        assert answer.effective_key(answer.effective()) == first
        assert key(core, device, nireq=4) == first

    def test_same_run_same_key(self, core: Runtime) -> None:
        """No settings and the LATENCY hint run alike on the CPU and on AUTO; so do streams that are cut to the same."""
        for device in ("CPU", "AUTO:CPUX,CPU"):
            assert key(core, device) == key(core, device, {"PERFORMANCE_HINT": "LATENCY"})
        assert key(core, "CPU", {"NUM_STREAMS": 1000}) == key(core, "CPU", {"NUM_STREAMS": 2000})

    def test_weights_make_no_difference_on_the_cpu(self, core: Runtime) -> None:
        """FP16 and FP32 weights share their key on the CPU, behind AUTO too."""
        for device in ("CPU", "AUTO"):
            keys = []
            for precision in ("FP32", "FP16"):
                network = with_weights(core, core.read("demo:mlp"), precision)
                answer = core.compile(network, Config(device=device, nireq=1, precision=precision))
                keys.append(answer.effective_key(answer.effective()))
            assert keys[0] == keys[1]

    @pytest.mark.parametrize(
        "other",
        [
            Config(device="CPU", nireq=2),
            Config(device="CPUX", nireq=1),
            Config(device="AUTO:CPU", nireq=1),
            Config(device="CPU", nireq=1, properties={"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}),
            Config(device="CPU", nireq=1, batch_size=2),
            Config(device="CPU", nireq=1, precision="int8"),
            Config(device="CPU", nireq=1, api="sync"),
        ],
        ids=lambda config: config.words,
    )
    def test_other_run_other_key(self, core: Runtime, other: Config) -> None:
        """Whatever makes a run different makes the key different."""
        answer = core.compile(reshaped(core.read("demo:mlp"), batch_size=other.batch_size, shapes={}), other)
        assert answer.effective_key(answer.effective()) != key(core, "CPU")

    def test_orders_of_one_list(self) -> None:
        """Orders of AUTO's list share their key where one device serves; other lists and devices at once do not."""
        core = Runtime(dict.fromkeys(("CPUX", "CPUY"), "openvino_intel_cpu_plugin"))
        one, *others = (
            key(core, f"AUTO:{order}") for order in ("CPUX,CPU,CPUY", "CPUX,CPUY,CPU", "CPU,CPUX,CPUY", "CPUX")
        )
        assert [other == one for other in others] == [True, False, False]
        at_once = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
        assert key(core, "AUTO:CPUX,CPU,CPUY", at_once) != key(core, "AUTO:CPUX,CPUY,CPU", at_once)

    def test_unseen_settings_count(self, core: Runtime) -> None:
        """A setting that cannot be read back makes a key of its own: nobody knows that it does nothing."""
        assert "NUM_STREAMS" not in compiled(core, "BATCH:CPU(2)", {"NUM_STREAMS": 1}, 2).effective()
        one, two = (key(core, "BATCH:CPU(2)", {"NUM_STREAMS": n}, 2) for n in (1, 2))
        assert one != two

    def test_joined(self, core: Runtime) -> None:
        """What automatic batching made of the model is told: as many requests as asked for, or each one alone."""
        assert compiled(core, "BATCH:CPU(4)", nireq=4).joined == 4
        assert compiled(core, "CPU").joined == compiled(core, "AUTO:CPUX,CPU").joined == 1
        resnet = core.read(str(models.LIGHT / "light_resnet50.onnx"))
        hinted = Config(device="BATCH:CPU(2)", nireq=2, properties={"PERFORMANCE_HINT": "THROUGHPUT"})
        assert core.compile(resnet, hinted).joined == 1

    def test_unknown(self, core: Runtime) -> None:
        """What AUTO drops without a word is told; what it or one of its devices knows is not."""
        known: dict[str, Scalar] = {"NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "ENABLE_STARTUP_FALLBACK": False}
        config = Config(device="AUTO:CPUX,CPU", nireq=1, properties={**known, "NUM_STREEMS": 1})
        assert core.compile(core.read("demo:mlp"), config).execution_devices == ["CPUX"]
        assert core.unknown(config) == ("NUM_STREEMS",)

    def test_advice_is_the_devices_own(self, core: Runtime) -> None:
        """The advised number of requests is at least one, and whole groups for automatic batching."""
        assert compiled(core, "CPU").optimal_nireq >= 1
        assert compiled(core, "BATCH:CPU(4)").optimal_nireq % 4 == 0

    def test_start_up_is_left(self, core: Runtime) -> None:
        """A device that serves from the beginning has left its start-up at once, even without any patience."""
        assert compiled(core, "AUTO:CPUX,CPU").leave_startup(0.0)

    def test_start_up_that_lasts(self) -> None:
        """A device that stays in its start-up is not waited for longer than said."""

        class Starting:
            def get_property(self, name: str) -> list[str]:
                return ["(CPU)"]

        assert not Compiled(Starting(), Config(device="AUTO", nireq=1)).leave_startup(0.05)

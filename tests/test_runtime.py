import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from ovtune import option
from ovtune.config import Config, Scalar
from ovtune.content import Content
from ovtune.engine import QueueEngine, SyncEngine, engine_for
from ovtune.errors import DeviceError, ModelError, StorageError
from ovtune.runtime import Compiled, Runtime, inspect, reason, reshaped, save, with_weights
from tests import models

pytestmark = pytest.mark.runtime

PLUGINS = {"CPUX": "openvino_intel_cpu_plugin"}


@pytest.fixture(scope="module")
def core() -> Runtime:
    """A runtime with a second device."""
    return Runtime(PLUGINS)


def compiled(core: Runtime, device: str, properties: Mapping[str, Scalar] | None = None, nireq: int = 1) -> Compiled:
    """The built-in perceptron on a device."""
    return core.compile(core.read("demo:mlp"), Config(device=device, properties=properties or {}, nireq=nireq))


def key(core: Runtime, device: str, properties: Mapping[str, Scalar] | None = None, nireq: int = 1) -> str:
    """The effective key of a config of the built-in perceptron."""
    answer = compiled(core, device, properties, nireq)
    return answer.effective_key(answer.effective())


class TestDevices:
    """Which devices there are, and which of a list serves."""

    def test_listed(self, core: Runtime) -> None:
        """Each device is listed under its name, with what it says about itself."""
        named = {device.name: device for device in core.devices()}
        assert {"CPU", "CPUX"} <= named.keys()
        cpu = named["CPU"]
        assert cpu.full_name == ov.Core().get_property("CPU", "FULL_DEVICE_NAME")
        assert "FP32" in cpu.capabilities
        assert cpu.precision in {"f32", "bf16", "f16"}
        assert cpu.streams >= 1

    def test_no_such_library(self) -> None:
        """A plugin whose library does not exist is refused at once, by name."""
        with pytest.raises(DeviceError, match=r"plugin CPUX=nowhere .*libnowhere"):
            Runtime({"CPUX": "nowhere"})

    def test_name_taken(self) -> None:
        """A plugin cannot take the name of a device that there is."""
        with pytest.raises(DeviceError, match="already registered"):
            Runtime({"CPU": "openvino_intel_cpu_plugin"})

    @pytest.mark.parametrize(
        ("device", "serves"),
        [
            ("CPU", "CPU"),
            ("CPUX", "CPUX"),
            ("AUTO:CPUX,CPU", "CPUX"),
            ("AUTO:CPU,CPUX", "CPU"),
            ("AUTO:-CPU", "CPUX"),
            ("HETERO:CPUX,CPU", "CPUX"),
            ("BATCH:CPUX(4)", "CPUX"),
        ],
    )
    def test_priority_and_exclusion(self, core: Runtime, device: str, serves: str) -> None:
        """The first of a list serves, and not one that is excluded."""
        assert compiled(core, device, nireq=4).execution_devices == [serves]


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


class TestRefusals:
    """What the runtime refuses."""

    @pytest.mark.parametrize(
        ("device", "properties", "says"),
        [
            ("CPU", {"NUM_STREEMS": 1}, "Unsupported property NUM_STREEMS"),
            ("CPU", {"PERFORMANCE_HINT": "FAST"}, "Wrong value FAST"),
            ("BATCH:CPU(4)", {"NUM_STREEMS": 1}, "Unsupported config key: NUM_STREEMS"),
            ("TPU", {}, 'Device with "TPU" name is not registered'),
            ("AUTO:TPU", {}, "No available device"),
            ("HETERO:TPU,CPU", {}, 'Device with "TPU" name is not registered'),
        ],
    )
    def test_reason(self, core: Runtime, device: str, properties: dict[str, Scalar], says: str) -> None:
        """A refusal says on one line who refuses what, the runtime's own reason, and what to do."""
        with pytest.raises(DeviceError) as caught:
            compiled(core, device, properties, nireq=4)
        message = str(caught.value)
        assert message.startswith(device)
        assert says in message
        assert message.endswith("another device")
        assert_readable(message)

    def test_reason_of_a_long_text(self) -> None:
        """Places in the runtime's sources are left out, wherever they stand, and the rest is cut to one line."""
        text = (
            "Exception from src/inference/src/cpp/core.cpp:135:\nException from src/inference/src/dev/plugin.cpp:58:\n"
            "Check 'a == \"b\"' failed at src/plugins/intel_cpu/src/config.cpp:206:\n"
            "NotFound: no such thing. Error: Exception from src/vcl/vcl_api.cpp:22:\nCannot load it\n" + 400 * "x "
        )
        found = reason(RuntimeError(text))
        assert found.startswith("NotFound: no such thing. Cannot load it x x")
        assert found.endswith("x …")
        assert len(found) <= 300

    def test_reason_of_nothing(self) -> None:
        """An error without words is told by its kind."""
        assert reason(RuntimeError("Exception from src/a.cpp:1:\n")) == "RuntimeError"


def assert_readable(message: str) -> None:
    """A message that a user can read: one short line without places in sources."""
    assert "\n" not in message
    assert "Exception from" not in message
    assert ".cpp" not in message
    assert len(message) < 500


def missing(folder: Path) -> Path:
    """A path with nothing at it."""
    return folder / "nowhere.onnx"


def empty(folder: Path) -> Path:
    """A file of no bytes."""
    path = folder / "empty.onnx"
    path.touch()
    return path


def truncated_onnx(folder: Path) -> Path:
    """The beginning of an ONNX file."""
    path = folder / "truncated.onnx"
    path.write_bytes((models.LIGHT / "light_squeezenet.onnx").read_bytes()[:3000])
    return path


def text(folder: Path) -> Path:
    """A text file."""
    path = folder / "notes.txt"
    path.write_text("no model at all\n" * 100)
    return path


def text_as_onnx(folder: Path) -> Path:
    """A text file under the name of an ONNX file."""
    return text(folder).rename(folder / "notes.onnx")


def other_xml(folder: Path) -> Path:
    """An XML file that is no IR."""
    path = folder / "page.xml"
    path.write_text("<html><body>hello</body></html>")
    return path


def truncated_ir(folder: Path) -> Path:
    """The first half of an IR."""
    path = Path(models.saved(models.dense(), folder))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def short_weights(folder: Path) -> Path:
    """An IR whose weights are cut off."""
    path = Path(models.saved(models.dense(), folder))
    path.with_suffix(".bin").write_bytes(b"few")
    return path


def no_weights(folder: Path) -> Path:
    """An IR whose weights are missing."""
    path = Path(models.saved(models.dense(), folder))
    path.with_suffix(".bin").unlink()
    return path


def directory(folder: Path) -> Path:
    """A directory that no frontend takes."""
    text(folder)
    return folder


def empty_directory(folder: Path) -> Path:
    """A directory with nothing in it."""
    path = folder / "nothing"
    path.mkdir()
    return path


def broken_saved_model(folder: Path) -> Path:
    """A directory with a SavedModel that is none."""
    text(folder).rename(folder / "saved_model.pb")
    return folder


class TestReading:
    """Files that are no models."""

    @pytest.mark.parametrize(
        "bad",
        [
            missing,
            empty,
            truncated_onnx,
            text,
            text_as_onnx,
            other_xml,
            truncated_ir,
            short_weights,
            no_weights,
            directory,
            empty_directory,
            broken_saved_model,
        ],
    )
    def test_no_model(self, core: Runtime, tmp_path: Path, bad: Callable[[Path], Path]) -> None:
        """What is no model gives one line that names it and says why, whatever the runtime's frontends raise."""
        path = str(bad(tmp_path))
        with pytest.raises(ModelError) as caught:
            inspect(core, path, {})
        message = str(caught.value)
        assert message.startswith(f"model {path} ")
        assert_readable(message.replace(str(tmp_path), ""))

    def test_no_such_demo(self, core: Runtime) -> None:
        """A built-in model that does not exist is refused with those that do."""
        with pytest.raises(ModelError, match="'resnet' does not exist: use one of encoder, mlp, mobilenet"):
            inspect(core, "demo:resnet", {})


class TestInspecting:
    """What is found out about a model."""

    def test_demo(self, core: Runtime) -> None:
        """A built-in model is described in full."""
        found = inspect(core, "demo:mobilenet", {})
        assert (found.name, found.path) == ("mobilenet", "demo:mobilenet")
        assert [(i.name, i.element_type, i.shape) for i in found.inputs] == [("image", "f32", (1, 3, 224, 224))]
        assert found.batch_sizes == (1, 2, 4, 8, 16, 32)
        assert found.precisions == ("FP32", "FP16")

    def test_automatic_batching(self, core: Runtime) -> None:
        """Automatic batching engages on the built-in MobileNet, and silently not on the onnx package's ResNet-50."""
        assert core.auto_batches(core.read("demo:mobilenet"), "CPU")
        assert not core.auto_batches(core.read(str(models.LIGHT / "light_resnet50.onnx")), "CPU")
        assert not core.auto_batches(core.read("demo:mobilenet"), "TPU")

    @pytest.mark.parametrize("name", ["inception_v1", "shufflenet"])
    def test_batch_in_a_reshape(self, core: Runtime, tmp_path: Path, name: str) -> None:
        """A network with its batch baked into a Reshape takes a batch of 1 alone, and can still be tuned."""
        found = inspect(core, models.light(name, tmp_path), {})
        assert found.batch_sizes == (1,)
        assert "does not take a batch of 2" in found.one_batch
        assert not found.auto_batchable

    def test_real_network(self, core: Runtime, tmp_path: Path) -> None:
        """An ONNX network whose batch can change is found to take larger ones."""
        found = inspect(core, models.light("squeezenet", tmp_path), {})
        assert found.name == "squeezenet"
        assert found.batch_sizes == (1, 2, 4, 8, 16, 32)
        assert found.auto_batchable

    def test_two_inputs(self, core: Runtime, tmp_path: Path) -> None:
        """Inputs are described in the model's order, each with its type."""
        found = inspect(core, models.saved(models.two_inputs(), tmp_path), {})
        assert [(i.name, i.element_type, i.shape) for i in found.inputs] == [
            ("x", "f32", (1, 8)),
            ("ids", "i64", (1, 8)),
        ]
        assert found.batch_sizes[-1] == 32

    @pytest.mark.parametrize(
        "build", [models.transposed, models.uncountable, models.without_inputs, models.scalar, models.stateful]
    )
    def test_no_batch(self, core: Runtime, tmp_path: Path, build: Callable[[], ov.Model]) -> None:
        """Models without a batch dimension from inputs to outputs take a batch of 1 and can be tuned all the same."""
        path = models.saved(build(), tmp_path)
        found = inspect(core, path, {})
        assert found.batch_sizes == (1,)
        assert not found.auto_batchable
        run_once(core, core.read(path))

    @pytest.mark.parametrize("layout", [None, "N?", "NC"])
    def test_layouts(self, core: Runtime, tmp_path: Path, layout: str | None) -> None:
        """A model whose input tells no layout takes its batch in dimension 0 all the same, as one that does."""
        network = models.dense()
        if layout is not None:
            network.get_parameters()[0].set_layout(ov.Layout(layout))
        found = inspect(core, models.saved(network, tmp_path), {})
        assert found.batch_sizes == (1, 2, 4, 8, 16, 32)
        assert found.one_batch == ""

    def test_memory_of_an_item(self, core: Runtime, tmp_path: Path) -> None:
        """An item takes what its inputs and outputs take; outputs of unknown size are not counted."""
        assert inspect(core, models.saved(models.two_inputs(), tmp_path), {}).item_bytes == 8 * 4 + 8 * 8 + 4 * 4
        assert inspect(core, models.saved(models.uncountable(), tmp_path), {}).item_bytes == 8 * 4

    def test_fixed_larger_batch(self, core: Runtime, tmp_path: Path) -> None:
        """A batch other than 1 in the model is left as it is."""
        assert inspect(core, models.saved(models.dense((3, 8)), tmp_path), {}).batch_sizes == (1,)

    @pytest.mark.parametrize("shape", [ov.PartialShape([-1, 8]), ov.PartialShape.dynamic()])
    def test_dynamic(self, core: Runtime, tmp_path: Path, shape: ov.PartialShape) -> None:
        """Dynamic inputs are refused by name, with what to do."""
        with pytest.raises(ModelError, match=r'has a dynamic input x \[.*: give it a shape, as in --shape "x\[1'):
            inspect(core, models.saved(models.dense(shape), tmp_path), {})

    def test_text(self, core: Runtime, tmp_path: Path) -> None:
        """A model of texts is refused: no random text means anything to it."""
        with pytest.raises(ModelError, match=r"takes text \(x\)"):
            inspect(core, models.saved(models.text(), tmp_path), {})

    def test_digest(self, core: Runtime, tmp_path: Path) -> None:
        """A model's digest follows its weights, and not where it lies."""
        first = inspect(core, models.saved(models.dense(), tmp_path), {}).sha256
        shutil.copytree(tmp_path, tmp_path / "elsewhere")
        assert inspect(core, str(tmp_path / "elsewhere" / "small.xml"), {}).sha256 == first
        weights = tmp_path / "small.bin"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x3f")
        assert inspect(core, str(tmp_path / "small.xml"), {}).sha256 != first


class TestReshaping:
    """Batches and shapes."""

    def test_batch(self, core: Runtime) -> None:
        """A batch stands in dimension 0 of inputs and outputs, and each item's output is that of the item alone."""
        network = reshaped(models.two_inputs(), batch_size=3, shapes={})
        assert [list(port.shape) for port in (*network.inputs, *network.outputs)] == [[3, 8], [3, 8], [3, 4]]
        exact = Config(device="CPU", properties={"INFERENCE_PRECISION_HINT": "f32"}, nireq=1)
        x, ids = np.random.default_rng(0).random((3, 8), np.float32), np.arange(24).reshape(3, 8)
        together = core.compile(network, exact).model([x, ids])[0]
        alone = core.compile(models.two_inputs(), exact).model
        assert np.allclose(together, [alone([x[i : i + 1], ids[i : i + 1]])[0][0] for i in range(3)], atol=1e-5)

    def test_shapes(self) -> None:
        """Dynamic inputs take the shapes that they are given, and a batch on top of them."""
        network = reshaped(models.dense(ov.PartialShape([-1, 8])), batch_size=2, shapes={"x": (3, 8)})
        assert list(network.inputs[0].shape) == [6, 8]

    def test_still_dynamic(self) -> None:
        """A dynamic input without a shape is refused by name."""
        with pytest.raises(ModelError, match="inputs x are dynamic: give each a shape"):
            reshaped(models.dense(ov.PartialShape([-1, 8])), batch_size=1, shapes={})

    def test_shape_of_no_input(self) -> None:
        """A shape for an input that does not exist is refused with those that do."""
        with pytest.raises(ModelError, match="no input y: name one of x, ids"):
            reshaped(models.two_inputs(), batch_size=1, shapes={"y": (1, 8)})

    @pytest.mark.parametrize(
        ("own", "given", "words"),
        [
            ([-1, 8], (1, 8, 1), r'input x is \[\?,8\], which \[1, 8, 1\] does not fit: .* --shape "x\[1,8\]"'),
            ([-1, 8], (1, 9), "does not fit"),
            ([ov.Dimension(2, 4), 8], (5, 8), r'input x is \[2\.\.4,8\], .* --shape "x\[2,8\]"'),
            ([1, 8], (8,), "does not fit"),
        ],
    )
    def test_shape_of_another_form(self, own: list[int], given: tuple[int, ...], words: str) -> None:
        """Another rank, another fixed size, or a size out of bounds is refused by the input's name with an example."""
        with pytest.raises(ModelError, match=words):
            reshaped(models.dense(ov.PartialShape(own)), batch_size=1, shapes={"x": given})

    def test_static_shape_is_changed(self) -> None:
        """A shape for an input that has one already takes its place, where the model takes it."""
        network = reshaped(models.dense((1, 8)), batch_size=1, shapes={"x": (3, 8)})
        assert list(network.outputs[0].shape) == [3, 4]

    def test_odd_names(self) -> None:
        """An input is found by its name whatever that is made of."""
        x = models.parameter(ov.PartialShape([-1, 8]), name="a b[0]:0/ü")
        (name, shape), *_ = (option.shapes(["a b[0]:0/ü[2,8]"]) or {}).items()
        network = reshaped(models.model(x, x), batch_size=1, shapes={name: shape})
        assert list(network.outputs[0].shape) == [2, 8]

    def test_shape_that_does_not_fit(self) -> None:
        """A shape that the model cannot take is refused with the runtime's reason."""
        with pytest.raises(ModelError, match="does not take the shapes") as caught:
            reshaped(models.dense(), batch_size=1, shapes={"x": (1, 9)})
        assert_readable(str(caught.value))

    @pytest.mark.parametrize("build", [models.transposed, models.uncountable, models.scalar, models.stateful])
    def test_no_batch(self, build: Callable[[], ov.Model]) -> None:
        """A batch is refused where it does not reach the outputs' first dimension."""
        with pytest.raises(ModelError, match="batch of 2"):
            reshaped(build(), batch_size=2, shapes={})


class TestWeights:
    """Weights in two precisions."""

    def test_save(self, core: Runtime, tmp_path: Path) -> None:
        """Weights are written as they are, or in half the size."""
        for precision in ("FP32", "FP16"):
            save(core.read("demo:mlp"), tmp_path / f"{precision}.xml", precision)
        held = {p: models.constants(core.read(str(tmp_path / f"{p}.xml"))) for p in ("FP32", "FP16")}
        assert held["FP32"].keys() == {"f32"}
        assert held["FP16"] == {"f16": held["FP32"]["f32"]}

    def test_half_stays_half(self, core: Runtime, tmp_path: Path) -> None:
        """A model that comes with FP16 weights is offered with these alone."""
        assert inspect(core, models.saved(core.read("demo:mlp"), tmp_path, fp16=True), {}).precisions == ("FP16",)

    def test_outputs_agree(self, core: Runtime) -> None:
        """A model gives nearly the same with its weights halved, and exactly the same with them as they are."""
        for path in ("demo:mlp", "demo:encoder"):
            (original,) = models.outputs(core.read(path))
            (same,) = models.outputs(with_weights(core, core.read(path), "FP32"))
            (half,) = models.outputs(with_weights(core, core.read(path), "FP16"))
            assert np.array_equal(original, same)
            assert not np.array_equal(original, half)
            assert np.max(np.abs(original - half)) < 0.02 * np.max(np.abs(original))

    def test_no_place(self, core: Runtime, tmp_path: Path) -> None:
        """A model that cannot be written is an error of the place, on one line."""
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="cannot be written") as caught:
            save(core.read("demo:mlp"), tmp_path / "file" / "model.xml", "FP32")
        assert_readable(str(caught.value))


TWO = Config(device="CPU", nireq=2)


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


class TestQueue:
    """The requests of a queue and their inputs."""

    @pytest.mark.parametrize("kind", ["f64", "f32", "f16", "bf16", "f8e4m3", "f8e5m2"])
    def test_reals(self, core: Runtime, kind: str) -> None:
        """Inputs of real types hold many different values from 0 to 1."""
        _, seen = run_once(core, models.typed(getattr(ov.Type, kind)))
        assert seen.min() >= 0
        assert seen.max() <= 1
        assert seen.mean() > 0.02
        assert len(np.unique(seen)) > 20

    @pytest.mark.parametrize("kind", ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"])
    def test_integers(self, core: Runtime, kind: str) -> None:
        """Inputs of integer types hold many different values from 0 to 127, which are token ids everywhere."""
        given, seen = run_once(core, models.typed(getattr(ov.Type, kind)))
        assert np.array_equal(given, seen)
        assert seen.min() >= 0
        assert seen.max() <= 127
        assert len(np.unique(seen)) > 20

    @pytest.mark.parametrize("kind", ["u4", "i4"])
    def test_packed(self, core: Runtime, kind: str) -> None:
        """Inputs of types below a byte are filled in their packed form."""
        _, seen = run_once(core, models.typed(getattr(ov.Type, kind), (2, 63)))
        assert len(np.unique(seen)) > 10

    def test_booleans(self, core: Runtime) -> None:
        """Boolean inputs hold both values."""
        given, seen = run_once(core, models.typed(ov.Type.boolean))
        assert set(np.unique(seen)) == {0.0, 1.0}
        assert np.array_equal(given, seen)

    def test_requests_differ(self, core: Runtime) -> None:
        """Each request has inputs of its own: one that all share would stay hot in the cache."""
        answer = core.compile(models.dense(), Config(device="CPU", nireq=3))
        engine = QueueEngine(answer, Config(device="CPU", nireq=3), Content(seed=5))
        given = [np.array(request.get_input_tensor(0).data) for request in engine.requests]
        assert not np.array_equal(given[0], given[1])
        assert not np.array_equal(given[1], given[2])
        again = QueueEngine(answer, Config(device="CPU", nireq=3), Content(seed=5))
        assert np.array_equal(given[2], again.requests[2].get_input_tensor(0).data)

    def test_failure(self, core: Runtime) -> None:
        """An inference that fails raises the runtime's error, whose reason is readable."""
        with pytest.raises(RuntimeError) as caught:
            run_once(core, models.failing())
        assert "conflicts with the reshape pattern" in reason(caught.value)
        assert_readable(reason(caught.value))


class TestSync:
    """The request of a synchronous caller."""

    def test_runs(self, core: Runtime) -> None:
        """A start gives the output of the inputs that were written once, and its time; then the request is free."""
        config = Config(device="CPU", nireq=1, api="sync")
        engine = engine_for(core.compile(models.typed(ov.Type.f32), config), config, Content(seed=3))
        assert isinstance(engine, SyncEngine)
        assert engine.wait_idle() == 0
        engine.start()
        assert engine.is_idle()
        assert engine.latency_ms(0) > 0
        request = engine.requests[0]
        assert np.array_equal(request.get_input_tensor(0).data, request.get_output_tensor(0).data)
        engine.wait_all()

    def test_failure(self, core: Runtime) -> None:
        """An inference that fails raises the runtime's error."""
        config = Config(device="CPU", nireq=1, api="sync")
        with pytest.raises(RuntimeError, match="conflicts with the reshape pattern"):
            engine_for(core.compile(models.failing(), config), config, Content()).start()

    def test_async(self, core: Runtime) -> None:
        """The other interface has a queue of the config's size."""
        config = Config(device="CPU", nireq=3)
        engine = engine_for(core.compile(models.dense(), config), config, Content())
        assert isinstance(engine, QueueEngine)
        assert engine.nireq == 3


def test_read_copies_nothing(core: Runtime, tmp_path: Path) -> None:
    """A model with halved weights outlives the files that it was converted through."""
    folder = tmp_path / "gone"
    folder.mkdir()
    network = core.read(models.saved(core.read("demo:mlp"), folder))
    shutil.rmtree(folder)
    assert run_once(core, with_weights(core, network, "FP16"))[1].shape == (1, 1)

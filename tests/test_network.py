import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from ovtune import option
from ovtune.config import Config
from ovtune.errors import ModelError, StorageError
from ovtune.network import inspect, reshaped, save, with_weights
from ovtune.runtime import Runtime
from tests import models
from tests.real import assert_readable, run_once

pytestmark = pytest.mark.runtime


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


def test_read_copies_nothing(core: Runtime, tmp_path: Path) -> None:
    """A model with halved weights outlives the files that it was converted through."""
    folder = tmp_path / "gone"
    folder.mkdir()
    network = core.read(models.saved(core.read("demo:mlp"), folder))
    shutil.rmtree(folder)
    assert run_once(core, with_weights(core, network, "FP16"))[1].shape == (1, 1)

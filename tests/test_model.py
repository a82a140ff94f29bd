from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from ovtune.errors import ModelError
from ovtune.model import Model, digest, name_of


def _files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"content of " + name.encode())
    return root / names[0]


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("model.xml", "model.bin"),
        ("model.onnx", "model.onnx.data"),
        ("model.onnx", "model.onnx_data"),
        ("model.onnx", "model.data"),
        ("model.pdmodel", "model.pdiparams"),
    ],
)
def test_digest_covers_the_weights(tmp_path: Path, model: str, weights: str) -> None:
    """A model is another one when the weights beside it change, appear or go."""
    path = _files(tmp_path, model, weights)
    whole = digest(str(path))
    (tmp_path / weights).write_bytes(b"other weights")
    changed = digest(str(path))
    (tmp_path / weights).unlink()
    gone = digest(str(path))
    assert len({whole, changed, gone}) == 3


@pytest.mark.parametrize("location", ["weights.bin", "parts/of the model.weights", "w" * 200])
def test_digest_covers_external_data_under_any_name(tmp_path: Path, location: str) -> None:
    """The files that an ONNX model itself names are part of it, however they are called and wherever they lie."""
    (tmp_path / "parts").mkdir()
    tensor = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    network = helper.make_model(helper.make_graph([node], "g", ports[:1], ports[1:], [tensor]))
    onnx.save_model(network, tmp_path / "net.onnx", save_as_external_data=True, location=location, size_threshold=0)
    weights = tmp_path / location
    before = digest(str(tmp_path / "net.onnx"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert digest(str(tmp_path / "net.onnx")) != before


def test_caveats_tell_what_a_model_cannot() -> None:
    """What is left out of the search is told once, and a model that takes everything has nothing to tell."""
    plain = Model(name="m", path="m.xml", sha256="", inputs=(), batch_sizes=(1, 2), auto_batchable=True)
    assert plain.caveats == ()
    assert plain.batches_on("CPU")
    silent = replace(plain, unbatched_on=("CPU", "GPU"))
    assert [c.kind for c in silent.caveats] == ["auto_batching_silent"]
    assert "CPU, GPU" in silent.caveats[0].text
    assert not silent.batches_on("GPU")
    assert silent.batches_on("NPU")
    kept = replace(silent, one_batch="it keeps a state", auto_batchable=False, stateful=True)
    assert [c.kind for c in kept.caveats] == ["state_reset", "one_batch"]
    assert "it keeps a state" in kept.caveats[1].text


@pytest.mark.parametrize("other", ["another.bin", "notes.txt", "model.tflite"])
def test_digest_leaves_strangers_out(tmp_path: Path, other: str) -> None:
    """Files beside a model that hold none of it do not make it another one."""
    path = _files(tmp_path, "model.xml", "model.bin")
    before = digest(str(path))
    _files(tmp_path, other)
    assert digest(str(path)) == before


def test_digest_does_not_depend_on_the_place(tmp_path: Path) -> None:
    """A copy of a model in another folder is the same model."""
    here = _files(tmp_path / "here", "model.xml", "model.bin")
    there = _files(tmp_path / "there", "model.xml", "model.bin")
    assert digest(str(here)) == digest(str(there))


@pytest.mark.parametrize("kinds", [(".xml", ".bin"), (".onnx", ".onnx.data"), (".pdmodel", ".pdiparams"), (".tflite",)])
def test_digest_does_not_depend_on_the_name(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """A model that was renamed, its weights with it, is the same model; as a file of another kind it is not."""
    for name in ("one", "other"):
        for kind in kinds:
            (tmp_path / f"{name}{kind}").write_bytes(b"content of " + kind.encode())
    assert digest(str(tmp_path / f"one{kinds[0]}")) == digest(str(tmp_path / f"other{kinds[0]}"))
    same = (tmp_path / f"one{kinds[0]}").read_bytes()
    (tmp_path / "one.pb").write_bytes(same)
    assert digest(str(tmp_path / "one.pb")) != digest(str(tmp_path / f"one{kinds[0]}"))


def test_digest_of_renamed_external_data(tmp_path: Path) -> None:
    """External data that happen to have a usual name are the same weights when the ONNX file has another."""
    tensors = [numpy_helper.from_array(np.full((4, 4), i, np.float32), f"w{i}") for i in range(2)]
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["h"]), helper.make_node("MatMul", ["h", "w1"], ["y"])]
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    network = helper.make_model(helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors))
    for tensor, place in zip(network.graph.initializer, ("first.bin", "net.onnx.data"), strict=True):
        onnx.external_data_helper.set_external_data(tensor, place)
    onnx.save(network, tmp_path / "net.onnx")
    (tmp_path / "other.onnx").write_bytes((tmp_path / "net.onnx").read_bytes())
    assert digest(str(tmp_path / "net.onnx")) == digest(str(tmp_path / "other.onnx"))


def test_digest_of_a_directory_covers_its_places(tmp_path: Path) -> None:
    """A SavedModel is the same under another name, and not with its files in other places."""
    for name, inside in (("one", "variables"), ("other", "variables"), ("third", "assets")):
        (tmp_path / name / inside).mkdir(parents=True)
        (tmp_path / name / inside / "data").write_bytes(b"weights")
    one, other, third = (digest(str(tmp_path / name)) for name in ("one", "other", "third"))
    assert one == other != third


def _change(file: Path) -> None:
    file.write_bytes(b"changed")


def _remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("act", [_change, _remove])
def test_digest_of_a_directory_covers_every_file(tmp_path: Path, act: Callable[[Path], None]) -> None:
    """A SavedModel is all of its files, nested ones included."""
    _files(tmp_path, "saved_model.pb", "variables/variables.data")
    before = digest(str(tmp_path))
    act(tmp_path / "variables/variables.data")
    assert digest(str(tmp_path)) != before


def test_digest_of_a_demo_follows_its_name() -> None:
    """A built-in model needs no file: its name tells it."""
    assert digest("demo:mlp") == digest("demo:mlp")
    assert digest("demo:mlp") != digest("demo:encoder")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    """A path with nothing there, an empty file and an empty directory are refused, each with its own reason."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "folder").mkdir()
    (tmp_path / "empty.xml").touch()
    for name, reason in (
        ("missing.xml", "does not exist"),
        ("empty.xml", "is empty: export"),
        ("empty", "is an empty directory"),
        ("missing.xml/model.xml", "does not exist"),
        ("empty.xml/model.xml", "missing|does not exist|cannot be read"),
    ):
        with pytest.raises(ModelError, match=reason) as caught:
            digest(str(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value)


def test_what_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the system does not let us read is refused with the system's reason."""
    path = _files(tmp_path, "model.xml")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match="Permission denied"):
        digest(str(path))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("demo:mobilenet", "mobilenet"),
        ("/models/resnet.v2.xml", "resnet.v2"),
        ("model.onnx", "model"),
        ("saved/", "saved"),
    ],
)
def test_name(path: str, name: str) -> None:
    """A model is called after its file, without folder and ending, or by its built-in name."""
    assert name_of(path) == name

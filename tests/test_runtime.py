from collections.abc import Callable
from pathlib import Path

import openvino as ov
import pytest

from ovtune.backend import reason
from ovtune.config import Scalar
from ovtune.errors import DeviceError, ModelError
from ovtune.network import inspect
from ovtune.runtime import Runtime
from tests import models
from tests.real import assert_readable, compiled

pytestmark = pytest.mark.runtime


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

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from ovtune import engine, runtime, survey
from ovtune.cap import threads_of
from ovtune.compiled import Compiled
from ovtune.config import Config, Scalar
from ovtune.content import Feed
from ovtune.errors import DeviceError, ModelError, StorageError
from ovtune.network import quantizes_by_range
from ovtune.space import Advice
from ovtune.survey import BatchQuestion, Conversion, DeviceQuestion, Question
from tests import models

pytestmark = pytest.mark.runtime

PLUGINS = {"CPUX": "openvino_intel_cpu_plugin"}


def advise(device: str, path: str = "demo:mlp") -> dict[str, Advice]:
    """OpenVINO's own answers on a device, by hint."""
    return {a.hint: a for a in survey.advise(DeviceQuestion(path=path, plugins=PLUGINS, device=device))}


def convert(path: str, target: Path, precision: str) -> ov.Model:
    """The converted model, read again."""
    survey.convert(Conversion(path=path, plugins={}, precision=precision, target=str(target)))
    return ov.Core().read_model(target)


class TestLook:
    """What is said of devices and model."""

    def test_devices_alone(self) -> None:
        """Without a model the devices are described, those of registered plugins among them."""
        seen = survey.look(Question(path=None, plugins=PLUGINS))
        assert seen.model is None
        assert {"CPU", "CPUX"} <= {device.name for device in seen.devices}
        assert ov.get_version().startswith(seen.version)

    def test_model(self) -> None:
        """With a model it is described too."""
        seen = survey.look(Question(path="demo:mlp", plugins={}))
        assert seen.model is not None
        assert seen.model.name == "mlp"
        assert "CPUX" not in {device.name for device in seen.devices}


class TestBatches:
    """What comes of running a model in batches."""

    def why(self, network: ov.Model, folder: Path) -> str:
        return survey.why_one_batch(BatchQuestion(path=models.saved(network, folder), plugins={}, feed=Feed()))

    @pytest.mark.parametrize("how", ["softmax", "mean"])
    @pytest.mark.parametrize("time_s", [0.0, 20.0], ids=["one item", "all items"])
    def test_mixing(self, how: str, time_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A model that reshapes cleanly and mixes its items is found out by their outputs, by one if time is short."""
        monkeypatch.setattr(survey, "_REFERENCE_S", time_s)
        assert self.why(models.mixing(how), tmp_path) == "the outputs of an item depend on the others in its batch"

    @pytest.mark.parametrize(
        "build",
        [models.dense, models.two_inputs, models.masked, models.tokens, models.randomised, models.seeded],
    )
    def test_separate(self, build: Callable[[], ov.Model], tmp_path: Path) -> None:
        """Items that do not see each other give the same in a batch as alone; of random outputs nobody can tell."""
        assert self.why(build(), tmp_path) == ""

    def test_mixing_little(self, tmp_path: Path) -> None:
        """One that mixes 1 % of its batch's mean into each item is found out, too."""
        assert self.why(models.mixing("mean", 0.01), tmp_path) != ""

    def test_ranges(self, tmp_path: Path) -> None:
        """Values rounded by the range of the whole batch change a little, which does not count; fixed ranges do not."""
        for kind in ("dynamic", "static"):
            path = models.quantized_by_range(kind, tmp_path)
            assert quantizes_by_range(ov.Core().read_model(path)) == (kind == "dynamic")
            assert survey.why_one_batch(BatchQuestion(path=path, plugins={}, feed=Feed())) == ""

    @pytest.mark.parametrize("name", ["demo:encoder", "demo:mobilenet", "squeezenet", "resnet50"])
    def test_networks(self, name: str, tmp_path: Path) -> None:
        """Networks of many layers are not taken for ones that mix their batch."""
        path = name if name.startswith("demo:") else models.light(name, tmp_path)
        assert survey.why_one_batch(BatchQuestion(path=path, plugins={}, feed=Feed())) == ""

    @pytest.mark.parametrize(
        ("error", "words"),
        [(RuntimeError("no memory"), "a batch of 2 fails while it runs (no memory)"), (TimeoutError("slow"), "")],
    )
    def test_failing(self, error: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A batch that fails where single items run is not searched; of one that is slow nobody can tell."""
        real = engine.infer_items

        def failing(*given: Any, config: Config, **limits: Any) -> Any:
            if config.batch_size == 2:
                raise error
            yield from real(*given, config=config, **limits)

        monkeypatch.setattr(survey, "infer_items", failing)
        assert self.why(models.dense(), tmp_path) == words

    def test_automatic(self, tmp_path: Path) -> None:
        """Automatic batching engages on one model and stays silent on another, on each device that is asked."""
        for network, engages in ((models.dense(), True), (models.masked(), False)):
            path = models.saved(network, tmp_path)
            for device in ("CPU", "CPUX"):
                question = DeviceQuestion(path=path, plugins=PLUGINS, device=device)
                assert survey.auto_batches(question) == engages


class TestAdvise:
    """OpenVINO's own answers."""

    def test_one_device(self) -> None:
        """On one device there are three answers; no settings and LATENCY are one of them on the CPU."""
        found = advise("CPU")
        assert list(found) == ["none", "LATENCY", "THROUGHPUT"]
        assert found["none"].effective_key == found["LATENCY"].effective_key
        assert found["none"].nireq == found["LATENCY"].nireq == 1
        assert found["THROUGHPUT"].effective["PERFORMANCE_HINT"] == "THROUGHPUT"
        assert all(advice.device == "CPU" for advice in found.values())

    @pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU: the runtime takes no more than the cap")
    @pytest.mark.parametrize("device", ["CPU", "AUTO", "AUTO:CPUX,CPU", "BATCH:CPU(4)"])
    def test_most_threads(self, device: str) -> None:
        """Where the runtime would take more threads than allowed it is asked again, held to them; else as it is."""
        question = DeviceQuestion(path="demo:mlp", plugins=PLUGINS, device=device, most_threads=1)
        held = {a.hint: a for a in survey.advise(question)}["THROUGHPUT"]
        assert held.threads == 1
        assert threads_of(held.effective) <= 1
        free = {a.hint: a for a in survey.advise(replace(question, most_threads=1000))}["THROUGHPUT"]
        assert free.threads is None
        assert threads_of(free.effective) != 1
        assert held.effective_key != free.effective_key

    def test_auto(self) -> None:
        """AUTO also has an answer that uses all its devices at once."""
        found = advise("AUTO:CPUX,CPU")
        assert list(found) == ["none", "LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT"]
        assert found["none"].effective["EXECUTION_DEVICES"] == ["CPUX"]

    def test_key_is_that_of_a_visit(self) -> None:
        """An answer's key is that of a config with the advised number of requests."""
        core = runtime.Runtime(PLUGINS)
        for advice in advise("CPU").values():
            properties: dict[str, Scalar] = {} if advice.hint == "none" else {"PERFORMANCE_HINT": advice.hint}
            config = Config(device="CPU", properties=properties, nireq=advice.nireq)
            compiled = core.compile(core.read("demo:mlp"), config)
            assert compiled.effective_key(compiled.effective()) == advice.effective_key

    def test_automatic_batching(self) -> None:
        """Under automatic batching whole groups are advised."""
        assert advise("BATCH:CPUX(4)")["none"].nireq % 4 == 0

    def test_start_up_is_waited_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The advice is that of the device that serves in the end, not of the one that AUTO starts up on."""
        waited: list[float] = []

        def leave(self: Compiled, timeout_s: float = 0) -> bool:
            waited.append(timeout_s)
            return True

        advised = property(lambda self: 7 if waited else 1)
        monkeypatch.setattr(Compiled, "leave_startup", leave)
        monkeypatch.setattr(Compiled, "optimal_nireq", advised)
        assert advise("AUTO:CPU")["none"].nireq == 7

    def test_refused(self) -> None:
        """A device that there is not is refused with its name."""
        with pytest.raises(DeviceError, match="TPU does not take the model"):
            advise("TPU")


class TestConvert:
    """Models written in another precision."""

    @pytest.mark.parametrize("name", ["squeezenet", "resnet50"])
    def test_half(self, tmp_path: Path, name: str) -> None:
        """A network written with FP16 weights holds no others, runs, and gives nearly what the original gives."""
        path = models.light(name, tmp_path)
        converted = convert(path, tmp_path / "half.xml", "FP16")
        held = models.constants(converted)
        assert held["f16"] > 1_000_000
        assert held.get("f32", 0) < 1000
        (expected,) = models.outputs(ov.Core().read_model(path))
        (found,) = models.outputs(converted)
        assert not np.array_equal(expected, found)
        assert np.max(np.abs(expected - found)) < 0.01 * np.max(np.abs(expected))

    def test_as_it_is(self, tmp_path: Path) -> None:
        """A network written as it is gives exactly what the original gives."""
        path = models.light("squeezenet", tmp_path)
        converted = convert(path, tmp_path / "same.xml", "FP32")
        assert "f16" not in models.constants(converted)
        (expected,) = models.outputs(ov.Core().read_model(path))
        (found,) = models.outputs(converted)
        assert np.array_equal(expected, found)

    def test_no_half_file(self, tmp_path: Path) -> None:
        """Nothing but the finished model is left, and it takes the place of an older one."""
        target = tmp_path / "model.xml"
        convert("demo:mlp", target, "FP32")
        size = target.with_suffix(".bin").stat().st_size
        convert("demo:mlp", target, "FP16")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml"]
        assert target.with_suffix(".bin").stat().st_size < 0.6 * size

    def test_unreadable(self, tmp_path: Path) -> None:
        """A model that cannot be read is not converted."""
        (tmp_path / "bad.onnx").write_bytes(b"\x08\x07")
        with pytest.raises(ModelError, match="cannot be read"):
            convert(str(tmp_path / "bad.onnx"), tmp_path / "model.xml", "FP16")
        assert not (tmp_path / "model.xml").exists()

    def test_no_place(self, tmp_path: Path) -> None:
        """A directory that cannot be written to is told as such."""
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="cannot be written"):
            convert("demo:mlp", tmp_path / "file" / "model.xml", "FP16")

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovtune import codec, deploy, survey
from ovtune.config import Config
from ovtune.deploy import Rehearsal, apply, differences
from ovtune.document import Document, part_of, text_of
from ovtune.environment import Device, Environment, describe_host
from ovtune.errors import DeploymentError, DeviceError, DocumentError, ModelError
from ovtune.goal import Goal
from ovtune.model import digest
from ovtune.recommendation import document_of
from ovtune.result import conclude
from ovtune.whole import write
from tests import fake

DOCUMENT = document_of(conclude(fake.study(), Goal()))
HERE = describe_host("2026.4.1", (fake.CPU,))


class Core:
    """Stands for the runtime where only its devices are asked for."""

    def __init__(self, *devices: Device) -> None:
        self._devices = devices or (fake.CPU,)

    def devices(self) -> tuple[Device, ...]:
        return self._devices


def changed(path: str = "demo:mlp", environment: Environment = HERE, **parts: Any) -> Document:
    """A document that was measured on this very host with the model at ``path``, changed in some parts."""
    tree = json.loads(text_of(DOCUMENT))
    tree["model"] = {"name": "m", "path": path, "sha256": digest(path)}
    tree["environment"] = json.loads(codec.dump(environment, Environment))
    tree["verdict"]["kind"] = "better"
    for name, value in parts.items():
        tree[name] = tree[name] | value if isinstance(value, Mapping) and value else value
    return Document.model_validate_json(json.dumps(tree))


@pytest.fixture(autouse=True)
def _same_version(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "runtime" not in request.keywords:
        monkeypatch.setattr("ovtune.runtime.VERSION", "2026.4.1")


def told(document: Document, *devices: Device, path: str = "demo:mlp") -> list[str]:
    core: Any = Core(*devices)
    return list(differences(document, path, core))


class TestDifferences:
    def test_same_host_and_model_have_none(self) -> None:
        """Where nothing differs, nothing is said."""
        assert told(changed()) == []

    def test_other_model(self, tmp_path: Path) -> None:
        """Other weights under the same path, and another path with the same bytes, are told apart by content."""
        model = tmp_path / "net.onnx"
        model.write_bytes(b"one")
        document = changed(str(model))
        assert told(document, path=str(model)) == []
        copy = tmp_path / "net2" / "net.onnx"
        copy.parent.mkdir()
        copy.write_bytes(b"one")
        assert told(document, path=str(copy)) == []
        model.write_bytes(b"two")
        (line,) = told(document, path=str(model))
        assert line == f"model {model} is not the one that was measured ({model})"

    def test_missing_model(self) -> None:
        """A model that is not there is an error, not a difference."""
        with pytest.raises(ModelError, match=r"nosuch.onnx does not exist"):
            told(changed(), path="nosuch.onnx")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"openvino": "2025.1.0"}, "OpenVINO is 2026.4.1, measured with 2025.1.0"),
            ({"devices": {"CPU": "Other CPU"}}, "device CPU is Test CPU, measured on Other CPU"),
            ({"devices": {"CPU": "Test CPU", "GPU.1": "Arc"}}, "device GPU.1 is missing, measured on Arc"),
            ({"cpus": 999}, f"{HERE.cpus} CPUs may be used, measured with 999"),
            ({"quota": 0.5}, "the CPU quota is .*, measured with 0.5 CPUs"),
        ],
    )
    def test_other_host(self, change: dict[str, object], said: str) -> None:
        """Version, devices, fewer CPUs and another quota are each told in words."""
        tree = json.loads(codec.dump(HERE, Environment)) | change
        (line,) = told(changed(environment=codec.load(json.dumps(tree), Environment)))
        assert re.fullmatch(said, line)

    def test_more_is_no_loss(self) -> None:
        """More devices and more CPUs than were measured with are nothing to warn of."""
        tree = json.loads(codec.dump(HERE, Environment)) | {"cpus": 1}
        more = Device(name="GPU", full_name="Arc")
        assert told(changed(environment=codec.load(json.dumps(tree), Environment)), fake.CPU, more) == []

    def test_unconfirmed_config(self) -> None:
        """A config that was never confirmed says so each time that it is applied."""
        (line,) = told(changed(verdict={"kind": "unconfirmed"}))
        assert "was not confirmed" in line


@pytest.fixture(scope="module")
def here() -> Environment:
    """This host as the real runtime sees it."""
    seen = survey.look(survey.Question(path=None, plugins={}))
    return describe_host(seen.version, seen.devices)


@pytest.fixture
def document(here: Environment) -> Callable[..., Document]:
    """Makes a document of a config, measured here with ``demo:mlp``."""

    def make(config: Config) -> Document:
        return changed(environment=here, config=json.loads(part_of(config).model_dump_json()), effective={})

    return make


CONFIG = Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=3, batch_size=2)


@pytest.mark.runtime
class TestApply:
    def test_queue_is_of_the_tuned_size(self, document: Callable[..., Document], tmp_path: Path) -> None:
        """The program gets the compiled model, the sized queue, what was asked and what the runtime made of it."""
        write(tmp_path / "best.json", text_of(document(CONFIG)))
        with apply(tmp_path / "best.json") as deployment:
            assert len(deployment.queue) == 3
            assert deployment.request is None
            assert deployment.config == CONFIG
            assert deployment.effective["PERFORMANCE_HINT"] == "THROUGHPUT"
            assert deployment.warnings == ()
            assert list(deployment.compiled_model.input(0).shape) == [2, 256]

    def test_leaving_waits_for_what_still_runs(self, document: Callable[..., Document]) -> None:
        """Every request that was started has called back when the block is left, even by an error of the program."""
        for failing in (False, True):
            seen: list[int] = []
            deployed = apply(document(CONFIG), "demo:mlp")
            with raises_if(failing), deployed as deployment:
                deployment.queue.set_callback(lambda _, number, seen=seen: seen.append(number))
                for number in range(12):
                    deployment.queue.start_async({0: np.zeros((2, 256), np.float32)}, number)
                if failing:
                    raise ZeroDivisionError
            assert sorted(seen) == list(range(12))

    def test_synchronous_config_gives_one_request(self, document: Callable[..., Document]) -> None:
        """For api sync there is a request in the place of the queue."""
        with apply(document(Config(device="CPU", nireq=1, api="sync"))) as deployment:
            assert deployment.queue is None
            (output,) = deployment.request.infer([np.zeros((1, 256), np.float32)]).values()
            assert output.shape == (1, 1)

    def test_strict_raises_what_else_is_a_warning(self, document: Callable[..., Document]) -> None:
        """Another model warns; with strict it raises, naming the difference."""
        other = document(CONFIG)
        with apply(other, "demo:encoder") as deployment:
            assert deployment.warnings == ("model demo:encoder is not the one that was measured (demo:mlp)",)
        with (
            pytest.raises(DeploymentError, match="demo:encoder is not the one"),
            apply(other, "demo:encoder", strict=True),
        ):
            pass

    def test_setting_that_the_runtime_takes_otherwise(self, here: Environment) -> None:
        """A setting that comes out otherwise than when it was measured is told with both values."""
        config = json.loads(part_of(CONFIG).model_dump_json())
        measured = changed(environment=here, config=config, effective={})
        with apply(measured.model_copy(update={"effective": {"NUM_STREAMS": 77}})) as deployment:
            (line,) = deployment.warnings
        assert line.startswith("NUM_STREAMS is ")
        assert line.endswith("measured with 77")

    def test_refusal_of_the_device(self, document: Callable[..., Document]) -> None:
        """A device or a setting that this host has not is a DeviceError."""
        for config in (
            Config(device="NOSUCH", nireq=1),
            Config(device="CPU", nireq=1, properties={"NO_SUCH_PROPERTY": 1}),
        ):
            with pytest.raises(DeviceError), apply(document(config)):
                pass

    def test_model_that_cannot_be_read(self, document: Callable[..., Document], tmp_path: Path) -> None:
        """A missing model is a ModelError, a missing document a DocumentError."""
        with pytest.raises(ModelError), apply(document(CONFIG), tmp_path / "nosuch.xml"):
            pass
        with pytest.raises(DocumentError), apply(tmp_path / "nosuch.json"):
            pass

    @pytest.mark.parametrize(
        "config",
        [
            CONFIG,
            Config(device="CPU", nireq=1, api="sync"),
            Config(device="CPU", nireq=2, precision="FP16", properties={"INFERENCE_PRECISION_HINT": "f32"}),
            Config(device="BATCH:CPU(4)", nireq=8),
        ],
    )
    def test_rehearsal_runs_one_inference(
        self, document: Callable[..., Document], tmp_path: Path, config: Config
    ) -> None:
        """A rehearsal applies the document, runs one inference, and tells requested beside effective settings."""
        path = tmp_path / "best.json"
        write(path, text_of(document(config)))
        done = deploy.rehearse(Rehearsal(path=str(path), model=None, strict=True, plugins={}))
        assert done.config == config
        assert done.inference_ms > 0
        assert done.warnings == ()
        assert "EXECUTION_DEVICES" in done.effective


def raises_if(failing: bool) -> contextlib.AbstractContextManager[object]:
    return pytest.raises(ZeroDivisionError) if failing else contextlib.nullcontext()


def test_iterators_are_lazy() -> None:
    """Differences come one by one, so that the model's error comes before anything is compiled."""
    core: Any = Core()
    assert isinstance(differences(changed(), "demo:mlp", core), Iterator)

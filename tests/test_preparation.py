from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovtune import codec, preparation, survey
from ovtune.environment import Device, Topology, describe_host
from ovtune.errors import DeviceError, MeasurementError, ModelError, OvtuneError, UsageError
from ovtune.preparation import Wish, baselines, check_devices, named_devices
from ovtune.space import Host
from ovtune.study import Setup
from ovtune.workload import ClosedLoop
from tests import fake, models
from tests.fake_runtime import FakeRuntime, answer, answering

TOPOLOGY = Topology(cpus=2, cores=2, memory_bytes=8 * 2**30)
GPU = Device(name="GPU.0", full_name="Test GPU", capabilities=("FP32", "FP16"), precision="f16")


def made(runtime: FakeRuntime, wish: Wish | None = None) -> Setup:
    assert runtime
    return preparation.make(wish or Wish(), "demo:mobilenet", ClosedLoop(), Path("unused"))


class TestMake:
    def test_one_device(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """On a host with one device the space is over it, and its equal answers are one baseline."""
        setup = made(use(FakeRuntime()))
        assert [b.name for b in setup.baselines] == ["LATENCY hint or no settings on CPU", "THROUGHPUT hint on CPU"]
        assert {c.device.removeprefix("BATCH:")[:3] for c in setup.space.configs} == {"CPU"}
        assert setup.environment == describe_host("2026.4", (fake.CPU,))
        assert setup.device_strings == ()

    def test_several_devices(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """With two devices each order, AUTO and each exclusion is asked; baselines stand on single devices and AUTO."""
        runtime = use(FakeRuntime(fake.CPU, GPU))
        setup = made(runtime)
        asked = {device for task, device in runtime.asked if task == "advise"}
        assert asked == {"CPU", "GPU.0", "AUTO", "AUTO:CPU,GPU.0", "AUTO:GPU.0,CPU", "AUTO:-CPU", "AUTO:-GPU.0"}
        assert {b.config.device for b in setup.baselines} == {"CPU", "GPU.0", "AUTO"}

    def test_chosen_device_strings(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """Exactly the chosen strings are searched, and the answers on them are the baselines."""
        runtime = use(FakeRuntime(fake.CPU, GPU))
        setup = made(runtime, Wish(device_strings=("AUTO:GPU,CPU",)))
        assert {c.device for c in setup.space.configs} == {"AUTO:GPU,CPU"}
        assert {b.config.device for b in setup.baselines} == {"AUTO:GPU,CPU"}
        assert setup.device_strings == ("AUTO:GPU,CPU",)

    @pytest.mark.parametrize("error", [DeviceError("GPU.0 does not take the model"), MeasurementError("it died")])
    def test_what_refuses_is_left_out_with_its_reason(
        self, use: Callable[[FakeRuntime], FakeRuntime], error: OvtuneError
    ) -> None:
        """A device that refuses the model, or whose plugin dies, is noted, and the others are searched."""
        setup = made(use(FakeRuntime(fake.CPU, GPU, refuses={"GPU.0": error})))
        assert setup.refused == {"GPU.0": str(error)}
        assert "GPU.0" not in {c.device for c in setup.space.configs}

    def test_nothing_that_runs_is_an_error_with_reasons(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """Where no device runs the model the error says why, for each of them."""
        refuses: dict[str, OvtuneError] = {d: DeviceError(f"{d} has no memory") for d in ("CPU",)}
        with pytest.raises(DeviceError, match=r"no device can run demo:mobilenet .*CPU: CPU has no memory"):
            made(use(FakeRuntime(refuses=refuses)))

    def test_unknown_device_is_refused_before_anything_is_compiled(
        self, use: Callable[[FakeRuntime], FakeRuntime]
    ) -> None:
        """A device that the host has not is named with those that it has."""
        runtime = use(FakeRuntime())
        with pytest.raises(DeviceError, match=r"device AUTO:NPU,CPU names NPU, .* it has CPU"):
            made(runtime, Wish(device_strings=("CPU", "AUTO:NPU,CPU")))
        assert [task for task, _ in runtime.asked] == ["survey"]


class TestBatches:
    def test_a_model_that_mixes_its_batch(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """Neither a batch nor automatic batching is searched where items depend on each other, and that is told."""
        runtime = use(FakeRuntime())
        runtime.one_batch = "the outputs of an item depend on the others in its batch"
        setup = made(runtime)
        assert {(c.batch_size, c.auto_batch_size) for c in setup.space.configs} == {(1, 1)}
        (caveat,) = setup.model.caveats
        assert caveat.kind == "one_batch"
        assert runtime.one_batch in caveat.text

    @pytest.mark.runtime
    def test_alike_items_hide_nothing(self, tmp_path: Path) -> None:
        """A model that mixes its batch is found out also where it is fed with one item alone."""
        np.save(tmp_path / "item.npy", np.ones((1, 8), np.float32))
        path = models.saved(models.mixing("mean"), tmp_path)
        wish = Wish(model=path, device_strings=("CPU",), inputs=(str(tmp_path / "item.npy"),))
        setup = preparation.make(wish, path, ClosedLoop(), tmp_path)
        assert setup.model.one_batch == "the outputs of an item depend on the others in its batch"
        assert len(setup.feed.files) == 1

    def test_the_items_of_the_user_are_asked_for_too(
        self, monkeypatch: pytest.MonkeyPatch, use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path
    ) -> None:
        """Where a model fails on random items, those that it is fed with tell."""
        runtime = use(FakeRuntime())
        real = runtime.ask

        def ask(task: str, request: str, *, timeout_s: float = 120.0) -> str:
            if task == "why_one_batch":
                if not codec.load(request, survey.BatchQuestion).feed.files:
                    raise MeasurementError("it fails")
                return "it mixes"
            return real(task, request, timeout_s=timeout_s)

        answering(monkeypatch, ask)
        np.save(tmp_path / "item.npy", np.zeros((1, 3, 224, 224), np.float32))
        assert made(runtime, Wish(inputs=(str(tmp_path / "item.npy"),))).model.one_batch == "it mixes"

    def test_automatic_batching_is_a_matter_of_the_device(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """It is searched on those devices alone on which it engages, and the others are named."""
        runtime = use(FakeRuntime(fake.CPU, GPU))
        runtime.unbatched = {"CPU"}
        setup = made(runtime)
        assert {c.device for c in setup.space.configs if c.auto_batch_size > 1} == {
            f"BATCH:GPU.0({n})" for n in (2, 4, 8, 16)
        }
        assert [c.kind for c in setup.model.caveats] == ["auto_batching_silent"]
        assert "on CPU:" in setup.model.caveats[0].text
        assert {d for task, d in runtime.asked if task == "auto_batches"} == {"CPU", "GPU.0"}

    def test_asked_batching_that_stays_silent(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """A device string of automatic batching that would run unbatched is not searched, and the reason is kept."""
        runtime = use(FakeRuntime())
        runtime.unbatched = {"CPU"}
        setup = made(runtime, Wish(device_strings=("CPU", "BATCH:CPU(4)")))
        assert set(setup.refused) == {"BATCH:CPU(4)"}
        assert "does not engage" in setup.refused["BATCH:CPU(4)"]
        with pytest.raises(DeviceError, match=r"no device can run .* does not engage"):
            made(runtime, Wish(device_strings=("BATCH:CPU(4)",)))

    def test_baselines_have_the_weights_of_the_model(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """A model whose weights are FP16 alone is measured with them, by OpenVINO's own answers, too."""
        runtime = use(FakeRuntime())
        runtime.model = replace(fake.MODEL, precisions=("FP16",))
        setup = made(runtime)
        assert {b.config.precision for b in setup.baselines} == {c.precision for c in setup.space.configs} == {"FP16"}

    def test_a_model_of_one_batch_is_not_tried(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """Where the model takes no larger batch there is nothing to find out."""
        runtime = use(FakeRuntime())
        runtime.model = replace(fake.MODEL, batch_sizes=(1,), one_batch="it has none", auto_batchable=False)
        made(runtime)
        assert not {"why_one_batch", "auto_batches"} & {task for task, _ in runtime.asked}

    @pytest.mark.parametrize("error", [DeviceError("no"), MeasurementError("it died")])
    def test_what_cannot_be_found_out_is_not_searched(
        self, use: Callable[[FakeRuntime], FakeRuntime], error: OvtuneError
    ) -> None:
        """A device that dies at automatic batching is searched without it."""
        setup = made(use(FakeRuntime(fake.CPU, GPU, refuses={"GPU.0": error})))
        assert setup.model.unbatched_on == ("GPU.0",)


class TestInputs:
    def wish(self, tmp_path: Path) -> Wish:
        for name, value in (("a", 0.0), ("b", 1.0)):
            np.save(tmp_path / f"{name}.npy", np.full((1, 3, 224, 224), value, np.float32))
        return Wish(inputs=(str(tmp_path),))

    def test_they_are_read_once_before_the_search(
        self, use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path
    ) -> None:
        """What does not fit is told before anything is measured, wherever in a folder it lies."""
        wish = self.wish(tmp_path)
        np.save(tmp_path / "c.npy", np.zeros((2, 2)))
        with pytest.raises(UsageError, match=r"c\.npy has shape \[2, 2\], and image takes"):
            made(use(FakeRuntime()), wish)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CPU", ["CPU"]),
        ("GPU.1", ["GPU.1"]),
        ("AUTO", []),
        ("AUTO:GPU.1,CPU", ["GPU.1", "CPU"]),
        ("AUTO:-GPU, CPU", ["GPU", "CPU"]),
        ("BATCH:CPU(4)", ["CPU"]),
        ("MULTI:CPU(2),GPU(3)", ["CPU", "GPU"]),
        ("HETERO", []),
        ("", [""]),
    ],
)
def test_devices_that_a_string_names(text: str, names: list[str]) -> None:
    """Lists, exclusions, batch sizes and numbers of requests are taken apart."""
    assert named_devices(text) == names


def test_generic_name_stands_for_numbered_devices() -> None:
    """GPU names GPU.0; a number that is not there does not."""
    seen = survey.Sight(version="1", devices=(fake.CPU, GPU), model=None)
    check_devices(("GPU", "AUTO:GPU.0,CPU", "AUTO"), seen)
    for strange in ("GPU.1", "gpu", "", "AUTO:GPU,,CPU"):
        with pytest.raises(DeviceError):
            check_devices((strange,), seen)


@pytest.mark.parametrize("text", ["BATCH:CPU,GPU(4)", "BATCH:AUTO(4)", "BATCH:AUTO:GPU,CPU"])
def test_batching_a_list(text: str) -> None:
    """Automatic batching takes one device: a list in it is refused, and an example given."""
    seen = survey.Sight(version="1", devices=(fake.CPU, GPU), model=None)
    with pytest.raises(DeviceError, match=r"names a list: BATCH takes one device, such as BATCH:CPU\(4\)"):
        check_devices((text,), seen)


class TestBaselines:
    def test_each_name_says_what_is_deployed(self) -> None:
        """A baseline's config has the hint of its name and the requests of its own answer."""
        advice = (answer("CPU", "none", 3, "x"), answer("CPU", "LATENCY", 1, "y"), answer("CPU", "THROUGHPUT", 4, "z"))
        host = Host(devices=(fake.CPU,), topology=TOPOLOGY, device_strings=("CPU",), advice=advice, refused={})
        found = [(b.name, b.config.hint, b.config.nireq) for b in baselines(host, fake.MODEL, {}, chosen=False)]
        assert found == [
            ("no settings on CPU", None, 3),
            ("LATENCY hint on CPU", "LATENCY", 1),
            ("THROUGHPUT hint on CPU", "THROUGHPUT", 4),
        ]

    def test_lists_are_no_baselines_unless_chosen(self) -> None:
        """An order of devices is what the search looks for; OpenVINO's own answers are single devices and AUTO."""
        advice = tuple(answer(d, "none", 1, d) for d in ("CPU", "AUTO", "AUTO:CPU,GPU", "AUTO:-CPU"))
        host = Host(devices=(fake.CPU, GPU), topology=TOPOLOGY, device_strings=(), advice=advice, refused={})
        assert [b.config.device for b in baselines(host, fake.MODEL, {}, chosen=False)] == ["CPU", "AUTO"]
        assert len(baselines(host, fake.MODEL, {}, chosen=True)) == 4


def test_model_is_needed(use: Callable[[FakeRuntime], FakeRuntime]) -> None:
    """Without a model's name there is nothing to prepare."""
    use(FakeRuntime())
    with pytest.raises(ModelError, match="no model was named"):
        preparation.model_of(preparation.sight(None, {}))

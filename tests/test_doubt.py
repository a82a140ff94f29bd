from collections.abc import Sequence

import numpy as np
import pytest

from ovtune import doubt
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.driver import Run
from ovtune.workload import ConstantRate, Poisson

SIX = {
    "MULTI_DEVICE_PRIORITIES": "GPU.1,CPU",
    "SCHEDULE_POLICY": "DEVICE_PRIORITY",
    "DEVICE_PROPERTIES": {
        "GPU.1": {"OPTIMAL_NUMBER_OF_INFER_REQUESTS": 4},
        "CPU": {"OPTIMAL_NUMBER_OF_INFER_REQUESTS": 2},
    },
}
AT_ONCE = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}


def run(latencies_ms: list[float], runs: Sequence[tuple[float, float, float]] = ()) -> Run:
    """A run whose requests were always busy, one at a time."""
    values = np.array(latencies_ms)
    rows = np.array(runs).reshape(-1, 3)
    return Run(latencies_ms=values, requests=len(values), elapsed_s=float(np.sum(values)) / 1000, runs=rows)


def texts(caveats: list[Caveat]) -> list[str]:
    """The doubts in words."""
    return [caveat.text for caveat in caveats]


class TestDevices:
    """The devices of a list that had nothing to do."""

    def test_first_of_auto_serves(self) -> None:
        """Of AUTO's list the first serves, and the others are no doubt."""
        found = {"MULTI_DEVICE_PRIORITIES": "GPU.1,GPU.0,CPU"}
        assert doubt.of_devices(Config(device="AUTO:GPU.1,GPU.0,CPU", nireq=1), found, ["GPU.1"]) == []

    def test_passed_over(self) -> None:
        """A device in front of the one that serves is told: AUTO could not use it."""
        found = {"MULTI_DEVICE_PRIORITIES": "GPU.1,GPU.0,CPU"}
        told = doubt.of_devices(Config(device="AUTO:GPU.1,GPU.0,CPU", nireq=1), found, ["GPU.0"])
        assert texts(told) == ["GPU.1 is in the device list and served nothing: GPU.0 did."]

    def test_missing_at_once(self) -> None:
        """Where all are to serve at once, and in HETERO, a device that does not is told."""
        for config in (
            Config(device="AUTO:GPU.1,CPU", nireq=9, properties=AT_ONCE),
            Config(device="MULTI:GPU.1,CPU", nireq=9),
            Config(device="HETERO:GPU.1,CPU", nireq=9),
        ):
            told = doubt.of_devices(config, {"MULTI_DEVICE_PRIORITIES": "GPU.1,CPU"}, ["GPU.1"])
            assert texts(told) == ["CPU is in the device list and served nothing: GPU.1 did."]

    @pytest.mark.parametrize(("nireq", "idle"), [(1, ["CPU"]), (4, ["CPU"]), (5, [])])
    def test_behind(self, nireq: int, idle: list[str]) -> None:
        """With no more requests than the devices in front take, those behind have nothing to do."""
        config = Config(device="AUTO:GPU.1,CPU", nireq=nireq, properties=AT_ONCE)
        told = doubt.of_devices(config, SIX, ["GPU.1", "CPU"])
        assert [c.parameters["name"] for c in told if c.kind == "idle_behind"] == idle

    def test_in_turns(self) -> None:
        """Where requests go to the devices in turns, each gets some."""
        config = Config(device="AUTO:GPU.1,CPU", nireq=1, properties=AT_ONCE)
        assert doubt.of_devices(config, {**SIX, "SCHEDULE_POLICY": "ROUND_ROBIN"}, ["GPU.1", "CPU"]) == []


class TestBatching:
    """What automatic batching made of the requests."""

    def test_never_engaged(self) -> None:
        """Batching that was asked for and did not engage is told; one that nobody can look at is not."""
        config = Config(device="BATCH:CPU(4)", nireq=4)
        assert [c.kind for c in doubt.of_batching(config, 1)] == ["auto_batching_inactive"]
        assert doubt.of_batching(config, 4) == doubt.of_batching(config, None) == []

    def test_partial_group(self) -> None:
        """Batching that a hint brought along, with requests that do not come to whole batches, is told."""
        config = Config(device="GPU.0", nireq=6)
        told = doubt.of_closed_loop(config, run([10.0] * 600), 4, {"AUTO_BATCH_TIMEOUT": 1000})
        assert "timeout of 1000 ms" in " ".join(text for text in texts(told) if "no multiple" in text)

    def test_missed(self) -> None:
        """In a closed loop full batches that waited for the timeout are counted; slow inferences are none."""
        config, timeout = Config(device="BATCH:CPU(4)", nireq=4), {"AUTO_BATCH_TIMEOUT": 100}
        told = texts(doubt.of_closed_loop(config, run([1.0] * 396 + [101.0] * 4), 4, timeout))
        assert any(text.startswith("1 of 100 full batches waited for the timeout of 100 ms") for text in told)
        slow = texts(doubt.of_closed_loop(config, run([120.0] * 400), 4, timeout))
        assert not any("full batches" in text for text in slow)

    def test_fill(self) -> None:
        """In an open loop the share of requests that ran in full batches is told where it is less than nearly all."""
        config, load = Config(device="BATCH:CPU(2)", nireq=2), ConstantRate(interval_s=0.01)
        full = [(i % 2, 5.0, 10.0 * (i // 2)) for i in range(40)]
        alone = [(i % 2, 100.0 - 5 * (i % 2), 100.0 * i) for i in range(40)]
        for rows, expected in ((full, []), (alone, ["About 0% of the requests ran in full batches of 2"])):
            told = doubt.of_open_loop(config, load, run([5.0] * 40, rows), 2, {"AUTO_BATCH_TIMEOUT": 100})
            assert [c.text.partition(":")[0] for c in told if c.kind == "batch_fill"] == expected

    @pytest.mark.parametrize(
        ("config", "joined", "timeout_ms", "waits_ms"),
        [
            (Config(device="CPU", nireq=1, batch_size=4), 1, 1000, 30),
            (Config(device="BATCH:CPU(4)", nireq=4), 4, 1000, 30),
            (Config(device="BATCH:CPU(4)", nireq=4), 4, 20, 20),
        ],
    )
    def test_wait(self, config: Config, joined: int, timeout_ms: float, waits_ms: float) -> None:
        """The first item waits for the last of its batch, with automatic batching no longer than the timeout."""
        load = ConstantRate(interval_s=0.01)
        assert doubt.longest_wait_ms(config, load, joined, timeout_ms) == pytest.approx(waits_ms)

    def test_wait_at_random(self) -> None:
        """Random arrivals can leave any batch partial: the whole timeout is the worst."""
        config = Config(device="BATCH:CPU(4)", nireq=4)
        assert doubt.longest_wait_ms(config, Poisson(rate_per_s=100), 4, 200) == pytest.approx(200)


def test_lists_compare_by_their_values() -> None:
    """A setting that is read back as a list is no other than was asked for."""
    config = Config(device="CPU", nireq=1, properties={"MODEL_DISTRIBUTION_POLICY": "TENSOR_PARALLEL"})
    assert doubt.of_settings(config, {"MODEL_DISTRIBUTION_POLICY": ["TENSOR_PARALLEL"]}) == []
    told = doubt.of_settings(config, {"MODEL_DISTRIBUTION_POLICY": []})
    assert [c.kind for c in told] == ["effective_differs"]


def test_what_batching_hides() -> None:
    """A setting that automatic batching does not show is told; what it shows is compared."""
    config = Config(device="BATCH:CPU(4)", nireq=4, properties={"NUM_STREAMS": 64, "AUTO_BATCH_TIMEOUT": 5})
    (told,) = doubt.of_settings(config, {"AUTO_BATCH_TIMEOUT": 5})
    assert told.text.startswith("NUM_STREAMS: asked for")
    assert doubt.of_settings(Config(device="AUTO", nireq=4, properties={"NUM_STREAMS": 64}), {}) == []

import json
from typing import Any

import pytest

from ovtune.choice import choose
from ovtune.config import Config
from ovtune.document import Document, part_of
from ovtune.environment import Device
from ovtune.errors import DeploymentError, UsageError
from tests import fake, promised

CPU = fake.CPU
FAST = Config(device="GPU.1", nireq=8)
QUICK = Config(device="CPU", properties={"PERFORMANCE_HINT": "LATENCY"}, nireq=1)
MIDDLE = Config(device="CPU", nireq=4)
MEASURED: dict[str, Any] = json.loads(promised.document().measured.model_dump_json())


def figures(throughput: float, p95_ms: float | None, cpu_ms: float = 1.0) -> dict[str, Any]:
    """The figures of a config as a document holds them."""
    rate = MEASURED["throughput_per_s"] | {"value": throughput}
    told = {"unavailable": "few"} if p95_ms is None else {"value": p95_ms, "low": p95_ms, "high": p95_ms}
    return MEASURED | {"throughput_per_s": rate, "latency_ms": {"p95": told}, "cpu_ms_per_inference": cpu_ms}


def document(prefer: str = "throughput", middle_ms: float | None = 20.0, recommended: Config = FAST) -> Document:
    """A document that recommends the GPU, with two configs of the CPU on its front, one of them the baseline."""
    points = [(FAST, figures(500.0, 30.0, 0.5)), (MIDDLE, figures(200.0, middle_ms, 2.0)), (QUICK, figures(50.0, 5.0))]
    front = [{"config": part(config), "measured": told, "outputs": None} for config, told in points]
    return promised.document(
        recommended,
        front=front,
        measured=next(told for config, told in points if config == recommended),
        baseline={"name": "LATENCY hint", "config": part(QUICK), "measured": points[2][1]},
        goal={"latency": "p95", "prefer": prefer},
    )


def part(config: Config) -> Any:
    """A config as a document holds it."""
    return json.loads(part_of(config).model_dump_json())


def gpu(name: str) -> Device:
    """A GPU of that name."""
    return Device(name=name, full_name="a GPU")


BOTH = (CPU, gpu("GPU.0"), gpu("GPU.1"))


def test_recommended_by_default() -> None:
    """Without a limit or a missing device the recommended config is taken."""
    chosen = choose(document(), BOTH)
    assert (chosen.config, chosen.recommended) == (FAST, True)
    assert choose(document(), BOTH, fallback=True).recommended


@pytest.mark.parametrize(("limit_ms", "config"), [(100.0, FAST), (30.0, FAST), (29.9, MIDDLE), (5.0, QUICK)])
def test_most_throughput_within_a_limit(limit_ms: float, config: Config) -> None:
    """A limit takes the config with the most throughput that was measured to keep it."""
    chosen = choose(document(), BOTH, max_latency_ms=limit_ms)
    assert (chosen.config, chosen.recommended) == (config, config == FAST)


def test_a_latency_that_nobody_knows_keeps_no_limit() -> None:
    """Where too few samples tell the latency, a config is not taken for one that keeps the limit."""
    assert choose(document(middle_ms=None), BOTH, max_latency_ms=25.0).config == QUICK


def test_limit_that_none_keeps() -> None:
    """Then the quickest is named, and nothing is applied."""
    with pytest.raises(DeploymentError, match=r"p95 latency of 1 ms \(the quickest has 5 ms\)"):
        choose(document(), BOTH, max_latency_ms=1.0)


@pytest.mark.parametrize(
    ("prefer", "config"), [("throughput", MIDDLE), ("latency", QUICK), ("balanced", MIDDLE), ("efficiency", QUICK)]
)
def test_fallback_where_a_device_is_missing(prefer: str, config: Config) -> None:
    """Of the configs that can run, the best for what was preferred; unasked, the recommended one stays."""
    for devices in ((CPU,), (CPU, gpu("GPU"))):
        assert choose(document(prefer), devices, fallback=True).config == config
        assert choose(document(prefer), devices).config == FAST


def test_fallback_where_a_device_of_a_setting_is_missing() -> None:
    """A recommended config that sets something for a device that is not there cannot run either."""
    alone = Config(device="AUTO", properties={"DEVICE_PROPERTIES": {"GPU": {"NUM_STREAMS": 2}}}, nireq=8)
    tree = json.loads(document().model_dump_json())
    tree["config"] = tree["front"][0]["config"] = part(alone)
    known = Document.model_validate_json(json.dumps(tree))
    assert choose(known, (CPU, gpu("GPU"))).config == alone
    assert choose(known, (CPU,), fallback=True).config == MIDDLE


@pytest.mark.parametrize("limit_ms", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_makes_no_sense(limit_ms: float) -> None:
    """It is named, and no search is advised."""
    with pytest.raises(UsageError, match=r"max_latency_ms is .*: give milliseconds above 0"):
        choose(document(), BOTH, max_latency_ms=limit_ms)


def test_nothing_can_run() -> None:
    """Where no config can run here, the error names what is missing."""
    with pytest.raises(DeploymentError, match=r"\(GPU.1 is missing\)"):
        choose(document(), (gpu("NPU"),), fallback=True)


@pytest.mark.parametrize("device", ["AUTO", "AUTO:CPU", "BATCH:CPU(4)", "HETERO:CPU", "AUTO:-GPU"])
def test_lists_run_where_all_their_devices_are(device: str) -> None:
    """A device string runs where each device that it names is there."""
    one = document(recommended=FAST)
    tree = json.loads(one.model_dump_json())
    tree["front"][1]["config"]["device"] = device
    chosen = choose(Document.model_validate_json(json.dumps(tree)), (CPU,), fallback=True)
    assert chosen.config.device == device

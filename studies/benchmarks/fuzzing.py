"""Feeds made-up and damaged config documents to what reads and applies them.

    python studies/benchmarks/fuzzing.py [--count 100000] [--seed 0]

Each example is a document of the right form with other devices, settings and figures; or a whole one with a few of its
parts replaced, removed, doubled or renamed, the new values among those that break programs, and some bytes changed.
Reading it has to give a document or a named error, and applying what was read, in one of the ways that a deployment may
ask for it, must reach the runtime with no device that the host does not have: a runtime that only looks stands in the
real one's place. Anything else is printed with the document that did it, as small as Hypothesis can make it, and ends
the script with status 1. Needs the `test` extra.
"""

import argparse
import contextlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Never

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from ovtune import deploy
from ovtune.config import Config
from ovtune.document import parse
from ovtune.environment import Device
from ovtune.errors import OvtuneError

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.test_document import TEXT, paths

CPU = Device(name="CPU", full_name="A processor")
DEVICES = [
    *(
        "",
        "CPU",
        "cpu",
        "GPU.7",
        "NPU",
        "AUTO",
        "AUTO:NPU,CPU",
        "AUTO:-CPU",
        "AUTO:",
        "MULTI:,",
        "HETERO:",
        "HETERO:CPU",
    ),
    *(
        "BATCH:GPU(4)",
        "BATCH:CPU(0)",
        "BATCH:CPU(4)",
        "BATCH:CPU(4",
        "BATCH:CPU(99999999999)",
        "BATCH:",
        "CPU:GPU",
        "FOO:CPU",
        "CPU,GPU",
        "../../etc/passwd",
    ),
]
STRANGE = st.sampled_from([None, True, 0, -1, 2**63, 1e308, "\x00", "\ud800", "a" * 5000, [], {}, [[]], *DEVICES])
VALUES = STRANGE | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMING = ("MULTI_DEVICE_PRIORITIES", "TARGET_FALLBACK", "DEVICE_ID", "DEVICE_PROPERTIES")
"""The properties that can name devices in their text."""
WAYS: tuple[tuple[float | None, bool], ...] = ((None, False), (None, True), (20.0, False), (1e-9, True))
PLACES = paths(json.loads(TEXT))
counts: Counter[str] = Counter()


class _AskedError(Exception):
    """The runtime was asked to compile."""


class _Looking:
    """Stands for the runtime: it has a CPU, and looks at what it is asked to compile."""

    def __init__(self, _plugins: Mapping[str, str]) -> None:
        pass

    def devices(self) -> tuple[Device, ...]:
        """One CPU."""
        return (CPU,)

    def compile(self, _network: object, config: Config) -> Never:
        """Checks that each device that is named is there."""
        inner = [name for value in config.properties.values() if isinstance(value, Mapping) for name in value]
        listed = re.sub(r"-[^,]*", "", config.device.partition(":")[2])
        own = [config.device.partition(":")[0], *re.sub(r"\(\d+\)", "", listed).split(","), *inner]
        written = [value for name in NAMING if isinstance(value := config.properties.get(name), str)]
        unknown = {name.strip() for name in (*own, *written)} - {"", "CPU", "AUTO", "MULTI", "HETERO", "BATCH"}
        if unknown:
            raise AssertionError(f"the runtime was asked for {unknown}")
        raise _AskedError


@st.composite
def plausible(draw: st.DrawFn) -> bytes:
    """A document of the right form with other devices, settings and figures, which mostly can be read."""
    tree: Any = json.loads(TEXT)
    for part in (tree, tree["baseline"], *tree["front"]):
        config, measured = part["config"], part["measured"]
        config["device"] = draw(st.sampled_from(DEVICES) | st.text(min_size=1, max_size=12))
        config["precision"] = draw(st.sampled_from(["FP32", "FP16", "int8", ""]))
        config["nireq"] = draw(st.integers(1, 1000))
        if draw(st.booleans()):
            inner = draw(st.dictionaries(st.sampled_from(DEVICES), st.dictionaries(st.text(max_size=5), st.integers())))
            config["properties"]["DEVICE_PROPERTIES"] = inner
        elif draw(st.booleans()):
            config["properties"][draw(st.sampled_from(NAMING))] = draw(st.sampled_from(DEVICES))
        measured["throughput_per_s"]["value"] = draw(st.floats(0, 1e9))
        measured["latency_ms"]["p95"] = {name: draw(st.floats(0, 1e9)) for name in ("value", "low", "high")}
    tree["goal"]["prefer"] = draw(st.sampled_from(["throughput", "latency", "balanced", "efficiency"]))
    tree["verdict"]["kind"] = draw(st.sampled_from(["better", "undecided", "infeasible", "unconfirmed"]))
    return json.dumps(tree).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A document with some parts changed, or its bytes."""
    tree: Any = json.loads(TEXT)
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from(PLACES))
        inside = tree
        with contextlib.suppress(KeyError, IndexError, TypeError, AttributeError):  # changed before
            for step in way:
                inside = inside[step]
            match draw(st.sampled_from(["replace", "remove", "rename", "double"])):
                case "replace":
                    inside[last] = draw(VALUES)
                case "remove":
                    del inside[last]
                case "rename":
                    inside[draw(st.text(max_size=8))] = inside.pop(last)
                case "double":
                    inside[last] = [inside[last], inside[last]]
    data = json.dumps(tree).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=4)) + data[place + draw(st.integers(0, 3)) :]
    return data


def feed(data: bytes) -> None:
    """Reads one document, and applies it in a way of its own."""
    try:
        document = parse(data, name="fuzz")
    except OvtuneError as error:
        counts[type(error).__name__] += 1
        return
    counts["read"] += 1
    limit_ms, fallback = WAYS[len(data) % len(WAYS)]
    try:
        with deploy.apply(document, "demo:mlp", max_latency_ms=limit_ms, fallback=fallback):
            raise AssertionError("it was applied without a runtime")
    except _AskedError:
        counts["asked the runtime"] += 1
    except OvtuneError as error:
        counts[f"applying: {type(error).__name__}"] += 1


def main() -> None:
    """Feeds, counts and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="how many documents (100000)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    deploy.Runtime = _Looking  # type: ignore[assignment, misc]
    deploy.reshaped = lambda network, **_: network  # type: ignore[assignment]
    deploy._network = lambda *_: None  # noqa: SLF001  # type: ignore[assignment]
    began = time.monotonic()
    check = given(plausible() | damaged())(feed)
    check = settings(
        max_examples=asked.count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )(check)
    seed(asked.seed)(check)()
    print(f"{asked.count} documents in {time.monotonic() - began:.0f} s: {dict(counts.most_common())}")


if __name__ == "__main__":
    main()

import os
from dataclasses import replace

import pytest

from ovtune import cap
from ovtune.cap import THREADS, capped, thread_cap, threads_of
from ovtune.config import Config, Property
from ovtune.model import Model
from ovtune.preparation import baselines
from ovtune.space import build
from ovtune.workload import ClosedLoop
from tests import fake

TWO = (fake.CPU, replace(fake.CPU, name="CPUX"), replace(fake.CPU, name="GPU"))
HELD = {THREADS: 3}


@pytest.mark.parametrize(
    ("quota", "cpus", "threads"),
    [
        (None, 4, None),
        (4.0, 4, None),
        (8.0, 4, None),
        (3.0, 4, 3),
        (2.9, 4, 2),
        (0.5, 4, 1),
        (0.5, 1, 1),
        (1.0, 1, None),
    ],
)
def test_thread_cap(monkeypatch: pytest.MonkeyPatch, quota: float | None, cpus: int, threads: int | None) -> None:
    """Only a quota below the affinity caps, at its whole CPUs and at one thread or more."""
    monkeypatch.setattr(cap, "cpu_quota", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)))
    assert thread_cap() == threads


@pytest.mark.parametrize(
    ("device", "given"),
    [
        ("CPU", HELD),
        ("CPUX", HELD),
        ("BATCH:CPU(4)", HELD),
        ("GPU", {}),
        ("BATCH:GPU(4)", {}),
        ("AUTO", {"DEVICE_PROPERTIES": {"CPU": HELD, "CPUX": HELD}}),
        ("AUTO:GPU,CPU", {"DEVICE_PROPERTIES": {"CPU": HELD}}),
        ("AUTO:-CPU", {"DEVICE_PROPERTIES": {"CPUX": HELD}}),
        ("AUTO:-GPU", {"DEVICE_PROPERTIES": {"CPU": HELD, "CPUX": HELD}}),
        ("AUTO:GPU", {}),
        ("MULTI:CPUX,GPU", {"DEVICE_PROPERTIES": {"CPUX": HELD}}),
    ],
)
def test_capped(device: str, given: dict[str, Property]) -> None:
    """Each CPU device that the device string may use is held, in the place where the runtime takes it."""
    config = Config(device=device, nireq=2, properties={"PERFORMANCE_HINT": "LATENCY"})
    assert capped(config, 3, TWO).properties == {"PERFORMANCE_HINT": "LATENCY", **given}
    assert capped(config, None, TWO) == config


@pytest.mark.parametrize("properties", [{THREADS: 8}, {"DEVICE_PROPERTIES": {"CPU": {THREADS: 8}}}])
def test_what_a_config_sets_itself_stays(properties: dict[str, Property]) -> None:
    """A config that names its threads keeps them."""
    config = Config(device="AUTO", nireq=1, properties=properties)
    assert capped(config, 3, TWO) == config
    assert threads_of(config.properties) == 8


def test_other_settings_of_a_device_stay() -> None:
    """What a config asks of a device behind AUTO is kept beside its threads."""
    config = Config(device="AUTO:CPU", nireq=1, properties={"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 1}}})
    assert capped(config, 3, TWO).properties == {"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 1, THREADS: 3}}}


def test_space_and_baselines_are_held_where_the_advice_was() -> None:
    """Configs hold the threads of the advice for their hint: what is measured is what is deployed."""
    host = fake.host()
    held = replace(host, advice=tuple(replace(a, threads=1 if a.hint == "THROUGHPUT" else None) for a in host.advice))
    model: Model = fake.MODEL
    configs = build(held, model, ClosedLoop(), {}).configs
    assert {threads_of(c.properties) for c in configs if c.hint == "THROUGHPUT"} == {1}
    assert {threads_of(c.properties) for c in configs if c.hint != "THROUGHPUT"} == {0}
    own = {b.config.key for b in baselines(held, fake.MODEL, {}, chosen=False)}
    assert {threads_of(b.config.properties) for b in baselines(held, fake.MODEL, {}, chosen=False)} == {0, 1}
    assert own <= {c.key for c in configs}

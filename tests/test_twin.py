from dataclasses import replace

from ovtune.config import Config
from ovtune.twin import expected

PLAIN = [Config(device="CPU", nireq=n, batch_size=b) for n in (1, 2, 4) for b in (1, 2)]
HALVED = [replace(c, precision="FP16") for c in PLAIN]
HINTED = [replace(c, properties={"PERFORMANCE_HINT": "LATENCY"}) for c in PLAIN]


def shared(*places: int) -> dict[str, str]:
    """That the configs with FP16 weights in these places ran as those with FP32."""
    return {HALVED[i].key: PLAIN[i].key for i in places}


def test_what_ran_alike_twice_is_expected_to() -> None:
    """Two pairs that differ in their weights alone make every other such pair one, where one of it was measured."""
    found = expected([*PLAIN, *HALVED], PLAIN[:4], shared(0, 1))
    assert found == {HALVED[2].key, HALVED[3].key}


def test_one_pair_is_chance() -> None:
    """A single pair says nothing of the others."""
    assert not expected([*PLAIN, *HALVED], PLAIN, shared(0))


def test_a_pair_that_differs_overrules() -> None:
    """Where both of one pair have blocks of their own, the runtime does tell them apart."""
    assert not expected([*PLAIN, *HALVED], [*PLAIN[:4], HALVED[2]], shared(0, 1))


def test_devices_are_told_apart() -> None:
    """What is one on the CPU may differ on the GPU."""
    there = [replace(c, device="GPU") for c in (*PLAIN, *HALVED)]
    assert not expected([*PLAIN, *HALVED, *there], [*PLAIN[:2], *there[:6]], shared(0, 1)) & {c.key for c in there}


def test_two_parameters_come_together() -> None:
    """Weights and hint that are each known not to matter do not matter together either."""
    both = replace(HINTED[2], precision="FP16")
    hints = {HINTED[i].key: PLAIN[i].key for i in (0, 1)}
    found = expected([*PLAIN, *HALVED, *HINTED, both], PLAIN[:3], shared(0, 1) | hints)
    assert found == {HALVED[2].key, HINTED[2].key, both.key}


def test_what_differs_in_two_parameters_teaches_nothing() -> None:
    """Which of the two did not matter cannot be told."""
    both = [replace(c, precision="FP16") for c in HINTED]
    assert not expected([*PLAIN, *both], PLAIN, {both[i].key: PLAIN[i].key for i in range(3)})


def test_nothing_is_known_at_the_start() -> None:
    """A fresh study expects nothing."""
    assert expected(PLAIN, [], {}) == frozenset()

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.measurement import Serving, pack
from ovtune.report.lane import Lanes, lanes_of
from tests.value import block

_times = st.lists(st.tuples(st.floats(0, 1e3), st.floats(0.01, 1e3)), min_size=1, max_size=200)


def lanes(*times: tuple[float, float], served: tuple[Serving, ...] = (), size: int | None = 1) -> Lanes:
    """The lanes of these requests."""
    found = lanes_of(replace(block(), timeline=pack(np.array(times)), served=served), size)
    assert found is not None
    return found


def test_nothing_noted() -> None:
    """A block that noted no requests has no lanes."""
    assert lanes_of(block(), 1) is None


def test_a_batch_is_a_fan() -> None:
    """Requests that start one after the other and end together are one batch, be their callbacks a little apart."""
    found = lanes((0, 40), (10, 40.6), (20, 41.2), (30, 41.8), (45, 90), (50, 90), size=4)
    assert found.batch == (0, 0, 0, 0, 1, 1)
    assert found.lane == (0, 1, 2, 3, 0, 1)
    assert "in 2 batches" in found.words


def test_no_batch_is_larger_than_can_be() -> None:
    """Of requests that end together as many are one batch as the runtime joins; of an unknown number, all are."""
    times = [(0.0, 40.0)] * 6
    assert lanes(*times, size=4).batch == (0, 0, 0, 0, 1, 1)
    assert lanes(*times, size=None).batch == (0,) * 6
    assert lanes(*times, size=1).batch == (0, 1, 2, 3, 4, 5)


def test_without_batches() -> None:
    """Requests that follow each other are told without a word about batches."""
    found = lanes((0, 10), (10, 20), (20, 30))
    assert found.lane == (0, 0, 0)
    assert len(set(found.batch)) == 3
    assert "batches" not in found.words


@given(_times)
def test_no_lane_holds_two_at_once(times: list[tuple[float, float]]) -> None:
    """Whatever the times, two requests that overlap stand in two lanes, and at most the first 160 are shown."""
    made = sorted((begin, begin + took) for begin, took in times)
    found = lanes(*made)
    assert len(found.lane) == min(len(made), 160)
    pairs = np.array(made, dtype=np.float32)[:160]
    for lane in set(found.lane):
        own = pairs[np.array(found.lane) == lane]
        assert (own[1:, 0] >= own[:-1, 1]).all()


@pytest.mark.parametrize(
    ("served", "words"),
    [
        ((), "median."),
        ((Serving(from_ms=0, devices="CPU"),), "served by CPU."),
        (
            (Serving(from_ms=0, devices="(CPU)"), Serving(from_ms=1250, devices="GPU.0")),
            "served by CPU standing in, then GPU.0 from 1,250 ms on.",
        ),
    ],
)
def test_who_served(served: tuple[Serving, ...], words: str) -> None:
    """The words tell who served, and from when on."""
    assert lanes((0, 10), served=served).words.endswith(words)

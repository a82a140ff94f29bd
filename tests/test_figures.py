import math

import numpy as np
import pytest

from ovtune import stats
from ovtune.figures import next_block


@pytest.mark.parametrize("count", [1, 3, 10, 30])
def test_the_next_block_falls_into_its_interval(count: int) -> None:
    """Of fresh blocks on a host as noisy as usual about one in twenty falls outside of what was promised, or fewer."""
    generator = np.random.default_rng(count)
    blocks = -np.abs(generator.normal(0, 0.05, (1500, count + 1)))
    promised = [next_block(row[:-1], 0.04, centre=stats.location(row[:-1])) for row in blocks]
    inside = [low <= math.exp(row[-1]) <= high for (low, high), row in zip(promised, blocks, strict=True)]
    assert 0.93 <= np.mean(inside) < 1


@pytest.mark.parametrize("count", [8, 14, 30])
def test_the_next_block_may_be_held_up_too(count: int) -> None:
    """Where other work holds up one block in five, at most one in ten falls outside of what was promised."""
    generator = np.random.default_rng(count)
    held_up = generator.random((1500, count + 1)) < 0.2
    blocks = np.where(held_up, -generator.exponential(0.15, held_up.shape), generator.normal(0, 0.03, held_up.shape))
    promised = [next_block(row[:-1], 0.04, centre=stats.location(row[:-1])) for row in blocks]
    inside = [low <= math.exp(row[-1]) <= high for (low, high), row in zip(promised, blocks, strict=True)]
    assert 0.9 <= np.mean(inside) < 1

import math

import numpy as np
import pytest

from ovtune.figures import next_block


@pytest.mark.parametrize("count", [1, 3, 10, 30])
def test_the_next_block_falls_into_its_interval(count: int) -> None:
    """Of fresh blocks on a host as noisy as usual about one in twenty falls outside of what was promised, or fewer."""
    generator = np.random.default_rng(count)
    blocks = -np.abs(generator.normal(0, 0.05, (1500, count + 1)))
    promised = [next_block(row[:-1], 0.04) for row in blocks]
    inside = [low <= math.exp(row[-1]) <= high for (low, high), row in zip(promised, blocks, strict=True)]
    assert 0.93 <= np.mean(inside) < 1

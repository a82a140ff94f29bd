from dataclasses import replace

import numpy as np
import pytest

from ovtune.config import Config
from ovtune.stability import low_ratio, off_the_cliff, unstable
from tests.value import told


def test_a_wider_spread_is_shown() -> None:
    """A config whose blocks spread four times as wide as the reference's is unstable; the other way round it is not."""
    generator = np.random.default_rng(0)
    calm, wild = (generator.normal(0, 0.02, 30)), (generator.normal(0, 0.08, 30))
    ratio = unstable(wild, calm)
    assert ratio is not None
    assert 2.5 < ratio < 6.5
    assert unstable(calm, wild) is None


def test_equal_spreads_are_rarely_called_unstable() -> None:
    """Of configs that spread as the reference does, less than one in a hundred is called unstable."""
    generator = np.random.default_rng(1)
    called = [
        unstable((-np.abs(generator.normal(0, 0.05, 12))), (-np.abs(generator.normal(0, 0.05, 12)))) for _ in range(500)
    ]
    assert sum(ratio is not None for ratio in called) <= 10


def test_few_blocks_show_nothing() -> None:
    """Seven blocks are too few, however they lie."""
    assert unstable((np.linspace(-1, 1, 7)), (np.zeros(30))) is None
    assert unstable((np.linspace(-1, 1, 30)), (np.zeros(30))) is not None


def test_the_low_ratio_is_that_of_the_lower_quartiles() -> None:
    """What three of four blocks reach is compared, not what the middle does."""
    fast_but_wild = np.log([1.5, 1.5, 1.5, 0.5, 0.5, 1.5, 1.5, 0.5])
    assert low_ratio(fast_but_wild, (np.zeros(8))) == pytest.approx(0.5)


def test_among_equals_the_one_that_bears_more_work() -> None:
    """One more request must not cost a fifth of the throughput: such a config gives way to an equal one."""
    peak, beyond = told(nireq=2, throughput=102), told(nireq=3, throughput=70)
    plain, further = told(nireq=6, throughput=100), told(nireq=8, throughput=99)
    assert off_the_cliff([peak, plain], [peak, beyond, plain, further]) is plain
    assert off_the_cliff([peak, plain], [peak, plain, further]) is peak
    assert off_the_cliff([peak], [peak, beyond]) is peak


def test_a_synchronous_config_has_no_neighbours() -> None:
    """One request at a time is all that it can have."""
    sync = replace(told(throughput=100), config=Config(device="CPU", nireq=1, api="sync"))
    assert off_the_cliff([sync], [sync, told(nireq=2, throughput=50)]) is sync

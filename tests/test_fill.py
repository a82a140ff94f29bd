import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ovtune.fill import full_share


def shared(requests: list[int], took_ms: list[float], ended_ms: list[float], size: int) -> float | None:
    """The share of runs in full batches."""
    return full_share(np.array(requests), np.array(took_ms), np.array(ended_ms), size)


def test_full_batches() -> None:
    """Requests of one group that end together ran as one batch, whatever the order of their ends."""
    assert shared([0, 1, 2, 3, 1, 0, 3, 2], [8, 7, 6, 5] * 2, [10, 10.01, 10, 10.02, 30, 30, 30, 30], 4) == 1.0


def test_partial_batches() -> None:
    """Requests that the timeout found in a partial batch run one after the other."""
    assert shared([0, 1, 2, 0, 1, 2], [100, 96, 92, 100, 96, 92], [100, 104, 108, 300, 304, 308], 4) == 0.0


def test_two_groups() -> None:
    """Batches of two groups that end together are two, and a partial one beside a full one counts for itself."""
    assert shared([0, 1, 2, 3], [5.0] * 4, [10.0] * 4, 2) == 1.0
    assert shared([0, 1, 2], [5, 5, 50], [10, 10, 60], 2) == 2 / 3


def test_one_request_twice() -> None:
    """A request that ran twice does not fill a batch with itself."""
    assert shared([0, 0], [100, 100], [100, 110], 2) == 0.0


def test_too_few() -> None:
    """Fewer runs than a batch holds tell nothing."""
    assert shared([0], [1.0], [1.0], 2) is None


@given(st.integers(2, 8), st.integers(1, 20), st.integers(1, 3))
def test_every_batch_full(size: int, batches: int, groups: int) -> None:
    """However many groups there are, where all run full batches the share is 1."""
    requests, ended = [], []
    for batch in range(batches):
        for request in range(size):
            requests.append((batch % groups) * size + request)
            ended.append(100.0 * batch)
    assert shared(requests, [20.0] * len(requests), ended, size) == 1.0

"""How full the batches were that automatic batching made: it tells nobody, but what runs together ends together."""

import numpy as np
from numpy.typing import NDArray

_TOGETHER = 0.25


def full_share(
    requests: NDArray[np.int64], took_ms: NDArray[np.float64], ended_ms: NDArray[np.float64], size: int
) -> float | None:
    """The share of the runs that were part of a full batch, 0 to 1; None of too few to tell.

    Automatic batching joins ``size`` requests by the order of their creation. A full batch runs as one, and its
    requests end at the same moment; one that its timeout finds partial is run request by request. So those are taken
    for a full batch that are all the requests of one group and end within a quarter of the shortest time that any
    request took.

    Args:
        requests: Which request each run was, by its place in the order of creation.
        took_ms: What each run took from its start to its end.
        ended_ms: When it ended.
        size: How many requests make a batch, at least 2.
    """
    if len(requests) < size:
        return None
    apart_ms = _TOGETHER * float(np.min(took_ms))
    full = 0
    for group in np.unique(requests // size):
        own = np.flatnonzero(requests // size == group)
        own = own[np.argsort(ended_ms[own], kind="stable")]
        ends, names = ended_ms[own], requests[own]
        place = 0
        while place + size <= len(own):
            together = ends[place + size - 1] - ends[place] <= apart_ms
            if together and len(set(names[place : place + size].tolist())) == size:
                full += size
                place += size
            else:
                place += 1
    return full / len(requests)

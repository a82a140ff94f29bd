"""The load that is put on a model, and when its items arrive."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ovtune.errors import UsageError
from ovtune.unit import duration_s, rate_per_s

FORMS = "closed, interval:30ms, constant:33/s, poisson:200/s, poisson:auto, streams:4x30/s or streams:30/s"
JITTER = 0.1
"""How late a camera's frame comes at most, as a share of the camera's period."""
_LEAST_PER_S, _MOST_PER_S = 1 / 3600, 1e6
_MOST_CAMERAS = 10_000
_STREAMS = re.compile(r"([0-9]{1,6})x(.+)")


class OpenLoop(Protocol):
    """A load whose items arrive on a schedule, whatever the system does."""

    @property
    def rate_per_s(self) -> float:
        """How many items arrive per second, in the long run."""
        ...

    def arrivals_s(self, count: int, *, seed: int) -> NDArray[np.float64]:
        """When the first ``count`` items arrive, ascending, in seconds from the start.

        The same for the same ``seed``, whatever ``count``: a longer schedule only goes on.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoop:
    """Every infer request is started again as soon as it is done: this tells the capacity."""

    kind: Literal["closed"] = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantRate:
    """One item arrives every ``interval_s`` seconds, whatever the system does: this tells users' latency.

    Raises:
        UsageError: the interval is not between 1 microsecond and 1 hour.
    """

    interval_s: float
    kind: Literal["interval"] = "interval"

    def __post_init__(self) -> None:
        if not 1e-6 <= self.interval_s <= 3600:
            raise UsageError(
                f"the load's interval is {self.interval_s:g} s: give one between 1us and 3600s, such as interval:30ms"
            )

    @property
    def rate_per_s(self) -> float:
        """How many items arrive per second."""
        return 1 / self.interval_s

    def arrivals_s(self, count: int, *, seed: int) -> NDArray[np.float64]:
        """When the first ``count`` items arrive, in seconds from the first one."""
        return np.arange(count, dtype=np.float64) * self.interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisson:
    """Items arrive independently of each other, as from many users: the gaps are -ln(U) / rate.

    Raises:
        UsageError: the rate is not between one an hour and one a microsecond.
    """

    rate_per_s: float
    kind: Literal["poisson"] = "poisson"

    def __post_init__(self) -> None:
        _check_rate(self.rate_per_s, "poisson:200/s")

    def arrivals_s(self, count: int, *, seed: int) -> NDArray[np.float64]:
        """When the first ``count`` items arrive, in seconds from the start."""
        gaps = -np.log1p(-np.random.default_rng((seed, 1)).random(count)) / self.rate_per_s
        return np.asarray(np.cumsum(gaps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """``cameras`` cameras of ``frames_per_s`` each, an item a frame.

    Each has a phase of its own, uniform over its period, and each frame comes late by up to :data:`JITTER` of the
    period, uniform too.

    Raises:
        UsageError: there are no cameras, more than 10,000, or their rate is out of bounds.
    """

    cameras: int
    frames_per_s: float
    kind: Literal["streams"] = "streams"

    def __post_init__(self) -> None:
        if not 1 <= self.cameras <= _MOST_CAMERAS:
            raise UsageError(
                f"the load's number of cameras is {self.cameras}: give one between 1 and {_MOST_CAMERAS}, "
                "such as streams:4x30/s"
            )
        for rate in (self.frames_per_s, self.rate_per_s):
            _check_rate(rate, "streams:4x30/s")

    @property
    def rate_per_s(self) -> float:
        """How many frames arrive per second, of all cameras together."""
        return self.cameras * self.frames_per_s

    def arrivals_s(self, count: int, *, seed: int) -> NDArray[np.float64]:
        """When the first ``count`` frames arrive, in seconds from the start."""
        # Frame k comes before (k + 1 + JITTER) periods: of m frames each camera has sent m - 1 before m periods.
        each = math.ceil(count / self.cameras) + 1
        periods = np.empty((self.cameras, each))
        for camera in range(self.cameras):
            drawn = np.random.default_rng((seed, 2, camera)).random(each + 1)
            periods[camera] = drawn[0] + np.arange(each) + JITTER * drawn[1:]
        return np.asarray(np.sort(periods, axis=None)[:count] / self.frames_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoissonCapacity:
    """Which rates of independent items are sustained within a latency limit: a question, not a load by itself."""

    kind: Literal["poisson_capacity"] = "poisson_capacity"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsCapacity:
    """How many cameras of ``frames_per_s`` each are served within a deadline: a question, not a load by itself.

    Raises:
        UsageError: the rate is out of bounds.
    """

    frames_per_s: float
    kind: Literal["streams_capacity"] = "streams_capacity"

    def __post_init__(self) -> None:
        _check_rate(self.frames_per_s, "streams:30/s")


Workload = ClosedLoop | ConstantRate | Poisson | Streams
"""The load of one visit."""
Capacity = PoissonCapacity | StreamsCapacity
"""What asks for a capacity: its visits are made under one load after the other."""
Load = Workload | Capacity


def searched_under(load: Load) -> Workload:
    """The load of a search's own visits: a closed loop where a capacity is asked for, which tells about where it is."""
    return ClosedLoop() if isinstance(load, Capacity) else load


def parse(text: str) -> Load:
    """The load that ``text`` names: one of :data:`FORMS`.

    Raises:
        UsageError: ``text`` is none of these, or its number makes no sense.
    """
    kind, colon, value = text.partition(":")
    if text == "closed":
        return ClosedLoop()
    if not colon or kind not in _KINDS:
        raise UsageError(f"load {text!r} is not known: use {FORMS}")
    return _KINDS[kind](value)


def _poisson(value: str) -> Poisson | PoissonCapacity:
    if value == "auto":
        return PoissonCapacity()
    return Poisson(rate_per_s=rate_per_s(value))


def _streams(value: str) -> Streams | StreamsCapacity:
    found = _STREAMS.fullmatch(value)
    if found is None:
        return StreamsCapacity(frames_per_s=rate_per_s(value))
    return Streams(cameras=int(found[1]), frames_per_s=rate_per_s(found[2]))


_KINDS: Mapping[str, Callable[[str], Load]] = {
    "interval": lambda value: ConstantRate(interval_s=duration_s(value)),
    "constant": lambda value: ConstantRate(interval_s=1 / rate_per_s(value)),
    "poisson": _poisson,
    "streams": _streams,
}


def describe(workload: Load) -> str:
    """The load in the form that :func:`parse` reads, which gives exactly this load again."""
    match workload:
        case ClosedLoop():
            return "closed"
        case ConstantRate(interval_s=interval_s):
            short = (f"interval:{_plain(1000 * interval_s)}ms", f"constant:{_plain(1 / interval_s)}/s")
            return next((text for text in short if parse(text) == workload), f"interval:{_exact(interval_s)}s")
        case Poisson(rate_per_s=rate):
            return f"poisson:{_exact(rate)}/s"
        case Streams(cameras=cameras, frames_per_s=rate):
            return f"streams:{cameras}x{_exact(rate)}/s"
        case PoissonCapacity():
            return "poisson:auto"
        case StreamsCapacity(frames_per_s=rate):
            return f"streams:{_exact(rate)}/s"


def explain(workload: Load) -> str:
    """What the load does, in words."""
    match workload:
        case ClosedLoop():
            return "every infer request is started again as soon as it is done"
        case ConstantRate():
            return "one item arrives after each interval, whatever the system does"
        case Poisson():
            return "items arrive independently of each other, at random, whatever the system does"
        case Streams(cameras=cameras, frames_per_s=rate):
            return f"{cameras} cameras send {_exact(rate)} frames per second each, whatever the system does"
        case PoissonCapacity():
            return "which rates of items that arrive at random are sustained within the latency limit"
        case StreamsCapacity(frames_per_s=rate):
            return f"how many cameras of {_exact(rate)} frames per second each are served within the deadline"


def _check_rate(rate: float, example: str) -> None:
    if not _LEAST_PER_S <= rate <= _MOST_PER_S:
        raise UsageError(
            f"the load's rate is {rate:g}/s: give one between one an hour and {_MOST_PER_S:.0f}/s, such as {example}"
        )


def _plain(value: float) -> str:
    """A number to six figures, never with an exponent."""
    return np.format_float_positional(value, precision=6, fractional=False, trim="-")


def _exact(value: float) -> str:
    """A number with all its figures, never with an exponent."""
    return np.format_float_positional(value, trim="-")

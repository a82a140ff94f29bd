"""What the configs of a recording are really like, as the rounds tell that a search did not draw from.

In four steps, for throughput, latency and their ratio, all on logarithms:

1. Slowdowns: what slows a block raises its CPU time per inference, too, and throughput and latency follow that as far
   as the blocks of one config show, on the devices that serve it. The rest hardly differs from block to block, and the
   CPU time hardly between configs that run alike: each goes through the steps below, and both are joined again.
2. Levels: each block is its config's level times its round's, times noise. Both are fitted by Huber's weights, and what
   a disturbed round tells weighs less. That takes the host's drift out, which all configs of a round share.
3. Errors: by resampling each config's own blocks, leaning on how sure those of all are.
4. Smoothing: the best of many noisy levels is better than any config is. So a Gaussian process over the configs, as the
   runtime ran them, with a part that a config shares with nobody, weighs each level with what its neighbours say. A
   config without a block in these rounds is told by its neighbours alone.

How sure all that is stands beside each value; below it no search can be judged. The code that searches has no part in
it. truth_error.py judges it on made-up recordings, of which the truth is known.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ovtune import stats
from ovtune.config import Config
from ovtune.goal import Prefer
from ovtune.measurement import Block, LatencyMetric
from ovtune.points import as_run, served_by
from ovtune.recording import Record, Recording, block_of
from ovtune.replay import setup_of

Array = NDArray[np.float64]
_STEPS = 15
_HUBER = 1.345
_EFFICIENCY = 0.95
"""How much of what normal noise tells Huber's weights keep."""
_RESAMPLES = 200
_FEW = 5
_PRIOR_WEIGHT = 3.0
_ROUND_WEIGHT = 3.0
_ROOM = 0.05
"""How far from its quantile a latency limit may lie, as a share of the configs."""
_ENOUGH = 10
"""From how many configs on a round tells its own drift and spread."""
_USUAL, _USUAL_WEIGHT = 0.04, 6.0
"""The spread that is leaned on where blocks are few, and as how many it counts."""
_LEAN = 0.01
"""The sum of squares of CPU times that is leaned on: blocks must differ by more to show that anything follows them."""
_LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
_OWN_SHARES = (0.003, 0.03, 0.1, 0.3, 1.0)
_SIZES, _LEAST_SIZE = (0.3, 1.0), 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a search is for: a preference, and the latency limit as about a quantile of the space's true latencies."""

    prefer: Prefer
    limit: float | None = None

    @property
    def name(self) -> str:
        """As a table shows it."""
        if self.limit is None:
            return self.prefer
        return f"{self.prefer} within the {100 * self.limit:.0f}th percentile of latency"


AIMS = (
    Aim(prefer="throughput", limit=0.25),
    Aim(prefer="throughput", limit=0.5),
    Aim(prefer="throughput", limit=0.75),
    Aim(prefer="latency"),
    Aim(prefer="balanced"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The logarithms of one quantity, one for each config, and the covariance of their errors."""

    mean: Array
    covariance: Array

    @property
    def error(self) -> Array:
        """The standard error of each."""
        return np.sqrt(np.diag(self.covariance))

    def apart(self, one: int, other: int) -> float:
        """The standard error of the difference of two of them."""
        c = self.covariance
        return float(np.sqrt(max(c[one, one] + c[other, other] - 2 * c[one, other], 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What each config is like, and how sure that is.

    Attributes:
        configs: The configs that ran in any round.
        gain: Throughput.
        slow: Latency in ms.
        power: Throughput / latency.
        answers: Which of the configs are OpenVINO's own answers.
        again: What these rounds' blocks of each config come to by the location that is published, without drift taken
            out and without smoothing: throughput and latency, as logarithms. Of few blocks, the values above.
    """

    configs: tuple[Config, ...]
    gain: Fitted
    slow: Fitted
    power: Fitted
    answers: tuple[int, ...]
    again: tuple[tuple[float, float], ...]

    def place(self, config: Config) -> int | None:
        """Which of the configs it is; None for one that never ran."""
        return next((i for i, other in enumerate(self.configs) if other.key == config.key), None)

    def limit_ms(self, aim: Aim) -> float | None:
        """The latency limit of ``aim``: near its quantile, where the configs' latencies lie furthest apart.

        On a limit that runs through a config nobody can tell whether that keeps it.
        """
        if aim.limit is None:
            return None
        low, middle, high = np.quantile(self.slow.mean, [aim.limit - _ROOM, aim.limit, aim.limit + _ROOM])
        near = np.sort(self.slow.mean[(self.slow.mean >= low) & (self.slow.mean <= high)])
        if len(near) < 2:
            return float(np.exp(middle))
        gap = int(np.argmax(np.diff(near)))
        return float(np.exp((near[gap] + near[gap + 1]) / 2))

    def worth(self, aim: Aim) -> Array:
        """How good each config is, as a logarithm.

        What is over the limit by more than twice its error is worth as much less as it is over; what is over by less
        counts as within, but as no better than the best that is within.
        """
        limit_ms = self.limit_ms(aim)
        about = self._about(aim)
        value = -about.mean if aim.prefer == "latency" else about.mean
        if limit_ms is None:
            return value
        over = self.slow.mean - np.log(limit_ms)
        best = float(np.max(value[over <= 1e-9]))
        beyond = np.maximum(over - 2 * self.slow.error, 0)
        return np.where(over > 1e-9, np.minimum(value, best) - beyond, value)

    def keeps(self, aim: Aim, place: int) -> bool:
        """Whether a config keeps the limit of ``aim``, if there is one, beyond twice the error of its latency."""
        limit_ms = self.limit_ms(aim)
        return limit_ms is None or bool(self.slow.mean[place] + 2 * self.slow.error[place] <= np.log(limit_ms))

    def error(self, aim: Aim) -> float:
        """The standard error of the difference of two configs that are among the best ten, at the median."""
        near = [int(i) for i in np.argsort(-self.worth(aim))[:10]]
        apart = [self._about(aim).apart(one, other) for k, one in enumerate(near) for other in near[:k]]
        return float(np.median(apart)) if apart else 0.0

    def apart(self, aim: Aim, one: int, other: int) -> float:
        """The standard error of the difference of two configs."""
        return self._about(aim).apart(one, other)

    def within_5_percent(self, aim: Aim) -> float:
        """The share of the configs that are within 5 % of the best."""
        worth = self.worth(aim)
        return float(np.mean(worth >= worth.max() + np.log(0.95)))

    @property
    def front(self) -> tuple[Config, ...]:
        """The configs that no other one beats."""
        gain, slow = self.gain.mean, self.slow.mean
        return tuple(c for i, c in enumerate(self.configs) if not np.any((gain > gain[i]) & (slow < slow[i])))

    def front_share(self, places: Collection[int]) -> float:
        """The hypervolume of some configs' true values as a share of that of all configs."""
        total = self._volume(range(len(self.configs)))
        return self._volume(places) / total if total > 0 else 1.0

    def _about(self, aim: Aim) -> Fitted:
        return {"throughput": self.gain, "latency": self.slow, "balanced": self.power}[aim.prefer]

    def _volume(self, places: Collection[int]) -> float:
        """The area that dominates the corner of the lowest throughput and the highest latency, on logarithms."""
        gain, speed = self.gain.mean - self.gain.mean.min(), self.slow.mean.max() - self.slow.mean
        area, height = 0.0, 0.0
        for width, tall in sorted(((gain[i], speed[i]) for i in places), reverse=True):
            if tall > height:
                area += width * (tall - height)
                height = tall
        return float(area)


def truth_of(recording: Recording, rounds: Collection[int], metric: LatencyMetric) -> Truth:
    """The truth by ``rounds`` of a recording, in which at least two of its configs ran.

    As in a search, blocks that other work held up are left out where the config has others.
    """
    order = {round_: place for place, round_ in enumerate(sorted(rounds))}
    configs = tuple({r.config.key: r.config for r in recording.records if r.ok}.values())
    places = {config.key: place for place, config in enumerate(configs)}
    records = [record for record in recording.records if record.ok and record.round in order]
    made = [(r, block_of(r, recording.header, started_at=r.started_s)) for r in records]
    quiet = {record.config.key for record, block in made if not block.contended}
    timed = all(block.cpu_ms_per_inference for _, block in made)
    seen: dict[tuple[int, int], list[tuple[float, ...]]] = {}
    for record, block in made:
        if _counts(record, block, quiet):
            told = block.throughput_per_s, block.latency_ms(metric), block.cpu_ms_per_inference if timed else 1.0
            seen.setdefault((places[record.config.key], order[record.round]), []).append(tuple(np.log(told)))
    gain, slow, cost = np.full((3, len(configs), len(order)), np.nan)
    for cell, values in seen.items():
        gain[cell], slow[cell], cost[cell] = np.median(values, axis=0)
    effective = {record.config.key: record.effective or {} for record in recording.records if record.ok}
    read_back = [effective[config.key] for config in configs]
    points = as_run(configs, read_back).rows
    served = np.array([served_by(found) for found in read_back])
    expected = smoothed(points, *levels(cost))
    fits = [_controlled(points, table, cost, expected, served) for table in (gain, slow, gain - slow)]
    baselines = {baseline.config.key for baseline in setup_of(recording).baselines}
    return Truth(
        configs=configs,
        gain=fits[0],
        slow=fits[1],
        power=fits[2],
        answers=tuple(place for key, place in places.items() if key in baselines),
        again=_again([(places[r.config.key], b) for r, b in made if _counts(r, b, quiet)], *fits[:2], metric),
    )


def _controlled(points: Array, table: Array, cost: Array, expected: Fitted, served: NDArray[np.str_]) -> Fitted:
    """The levels of a table of which what follows the CPU time per inference is told by that.

    A control variate (Lavenberg and Welch, Management Science 27, 1981).

    Args:
        points: The configs.
        table: Logarithms, a row for each config and a column for each round; NaN where there is no block.
        cost: Those of the CPU time per inference.
        expected: What that is like in each config.
        served: The devices that serve each config: on the same ones throughput follows CPU time alike.
    """
    follows = np.zeros(len(table))
    for devices in np.unique(served):
        own = served == devices
        apart, costs = (_around(rows[own]) for rows in (table, cost))
        follows[own] = np.sum(apart * costs) / (_LEAN + np.sum(costs**2))
    rest = smoothed(points, *levels(table - follows[:, None] * cost))
    return Fitted(
        mean=rest.mean + follows * expected.mean,
        covariance=rest.covariance + np.outer(follows, follows) * expected.covariance,
    )


def _around(rows: Array) -> Array:
    """Each row less its mean; 0 where there is no block."""
    seen = ~np.isnan(rows)
    mean = np.nansum(rows, axis=1) / np.maximum(seen.sum(axis=1), 1)
    return np.where(seen, rows - mean[:, None], 0.0)


def _counts(record: Record, block: Block, quiet: Collection[str]) -> bool:
    """Whether a block counts: other work did not hold it up, or all of its config, which then is not in ``quiet``."""
    return not block.contended or record.config.key not in quiet


def _again(
    blocks: Sequence[tuple[int, Block]], gain: Fitted, slow: Fitted, metric: LatencyMetric
) -> tuple[tuple[float, float], ...]:
    """See :attr:`Truth.again`; each block comes with the place of its config."""
    seen: dict[int, list[tuple[float, float]]] = {}
    for place, block in blocks:
        seen.setdefault(place, []).append((np.log(block.throughput_per_s), np.log(block.latency_ms(metric))))
    found = [(float(one), float(other)) for one, other in zip(gain.mean, slow.mean, strict=True)]
    for place, logs in seen.items():
        if len(logs) >= _FEW:
            throughput, latency = np.array(logs).T
            found[place] = stats.location(throughput), stats.location(latency)
    return tuple(found)


def levels(table: Array) -> tuple[Array, Array]:
    """The level of each row of a table and its standard error; NaN for a row that holds nothing.

    Args:
        table: Logarithms, a row for each config and a column for each round; NaN where there is no block.
    """
    rows = np.flatnonzero(np.any(~np.isnan(table), axis=1))
    level, error = np.full((2, len(table)), np.nan)
    found = table[rows][:, np.any(~np.isnan(table), axis=0)]
    level[rows], error[rows] = _fit(found)
    return level, error


def _fit(table: Array) -> tuple[Array, Array]:
    """Levels and errors of a table without empty rows and columns."""
    seen = ~np.isnan(table)
    count, width = seen.sum(axis=1), seen.sum(axis=0)
    value = np.where(seen, table, 0.0)
    level, drift = np.nanmedian(table, axis=1), np.zeros(table.shape[1])
    freedom = np.sqrt(np.maximum(1 - 1 / count, 0.5))[:, None]
    for _ in range(_STEPS):
        residual = np.where(seen & (count > 1)[:, None], (value - level[:, None] - drift) / freedom, np.nan)
        spread = _spreads(residual)
        far = np.abs(np.nan_to_num(residual)) / spread
        weight = seen * np.minimum(1, _HUBER / np.maximum(far, 1e-9)) / spread**2
        level = np.sum(weight * (value - drift), axis=1) / np.sum(weight, axis=1)
        drift = np.sum(weight * (value - level[:, None]), axis=0) / np.sum(weight, axis=0)
        drift *= np.where(width < _ENOUGH, 0.0, width / (width + _ROUND_WEIGHT))
        drift -= np.median(drift)
    usual = 1 / (_EFFICIENCY * np.sum(seen / spread**2, axis=1))
    own = np.array([_resampled(v[s] - drift[s], spread[s]) for v, s in zip(value, seen, strict=True)])
    often = count >= _FEW
    wider = float(np.mean(own[often] / usual[often])) if np.any(often) else 1.0
    return level, np.sqrt((_PRIOR_WEIGHT * wider * usual + (count - 1) * own) / (_PRIOR_WEIGHT + count - 1))


def _resampled(values: Array, spread: Array) -> float:
    """The variance of the level of one config's blocks, by resampling them.

    What two kinds of blocks tell, quick ones and slow ones, is far less sure than the same number of a normal kind.
    """
    n = len(values)
    picks = np.random.default_rng(0).integers(n, size=(_RESAMPLES, n))
    drawn, wide = values[picks], spread[picks]
    level = np.median(drawn, axis=1)
    for _ in range(_STEPS):
        far = np.abs(drawn - level[:, None]) / wide
        weight = np.minimum(1, _HUBER / np.maximum(far, 1e-9)) / wide**2
        level = np.sum(weight * drawn, axis=1) / np.sum(weight, axis=1)
    return float(np.var(level)) * n / max(n - 1, 1)


def _spreads(residual: Array) -> Array:
    """For each round the standard deviation of its blocks: that of a quiet one, and of a disturbed one its own."""
    told = np.sum(~np.isnan(residual), axis=0)
    if not np.any(told):
        return np.full(residual.shape[1], _USUAL)
    wide = [column for column, n in enumerate(told) if n >= _ENOUGH]
    own = np.array([1.4826 * np.nanmedian(np.abs(residual[:, column])) for column in wide])
    seen = float(np.median(own)) if wide else 1.4826 * float(np.nanmedian(np.abs(residual)))
    count = np.sum(told)
    usual = np.sqrt((_USUAL_WEIGHT * _USUAL**2 + count * seen**2) / (_USUAL_WEIGHT + count))
    spread = np.full(residual.shape[1], usual)
    spread[wide] = np.maximum(own, spread[0])
    return spread


def smoothed(points: Array, level: Array, error: Array) -> Fitted:
    """The levels, each weighed with what the others say by how near they lie; NaN for a level that nobody told.

    A Gaussian process with a Matern 5/2 kernel and an independent part for each config; its size, its length and the
    share of that part by marginal likelihood (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006).
    """
    known = np.flatnonzero(~np.isnan(level))
    noise = np.diag(error[known] ** 2)
    centre = float(np.median(level[known]))
    target = level[known] - centre
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    between = distance[np.ix_(known, known)]
    sizes = [share * max(float(np.mean(target**2)), _LEAST_SIZE) for share in _SIZES]
    shapes = list(itertools.product(sizes, _LENGTHS, _OWN_SHARES))
    best = max(shapes, key=lambda shape: _likelihood(_kernel(between, *shape) + noise, target))
    prior = _kernel(distance, *best)
    across = np.linalg.solve(prior[np.ix_(known, known)] + noise, prior[known]).T
    return Fitted(mean=centre + across @ target, covariance=prior - across @ prior[known])


def _kernel(distance: Array, size: float, length: float, own: float) -> Array:
    root = np.sqrt(5) * distance / length
    shared = (1 + root + root**2 / 3) * np.exp(-root)
    return np.asarray(size * ((1 - own) * shared + own * np.eye(len(distance))))


def _likelihood(covariance: Array, target: Array) -> float:
    factor = np.linalg.cholesky(covariance + 1e-10 * np.eye(len(target)))
    whitened = solve_triangular(factor, target, lower=True, check_finite=False)
    return float(-0.5 * whitened @ whitened - np.log(np.diag(factor)).sum())

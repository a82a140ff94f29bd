"""What the configs of a recording are really like, as the rounds tell that a search did not draw from.

A config's own held-out blocks are few, and the best of many noisy medians is better than any config is. So the truth is
a smooth function over the configs, fitted to the robust locations of their blocks with the standard errors of these;
how sure it is at each config is the floor under which no search can be judged.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ovtune import stats
from ovtune.config import Config
from ovtune.goal import Prefer
from ovtune.measurement import LatencyMetric
from ovtune.proposal import features
from ovtune.recording import Recording, block_of
from ovtune.regression import Array, Points, Regression
from ovtune.replay import setup_of

_LEAST_SPREAD = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a search is for: a preference, and the latency limit as a quantile of the space's true latencies."""

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
class Truth:
    """The logarithms of throughput and latency of each config, and how sure they are.

    Attributes:
        configs: The configs that ran in the rounds held out.
        gain: The logarithm of each one's throughput.
        slow: The logarithm of each one's latency in ms.
        gain_error: The standard error of ``gain``.
        slow_error: The standard error of ``slow``.
        answers: Which of the configs are OpenVINO's own answers.
    """

    configs: tuple[Config, ...]
    gain: Array
    slow: Array
    gain_error: Array
    slow_error: Array
    answers: tuple[int, ...]

    def place(self, config: Config) -> int | None:
        """Which of the configs it is; None for one that never ran in the rounds held out."""
        return next((i for i, other in enumerate(self.configs) if other.key == config.key), None)

    def limit_ms(self, aim: Aim) -> float | None:
        """The latency limit of ``aim``."""
        return None if aim.limit is None else float(np.exp(np.quantile(self.slow, aim.limit)))

    def worth(self, aim: Aim) -> Array:
        """How good each config is, as a logarithm; what is over the limit by more than its error is worth that less."""
        limit_ms = self.limit_ms(aim)
        match aim.prefer:
            case "latency":
                value = -self.slow
            case "balanced":
                value = self.gain - self.slow
            case _:
                value = self.gain
        if limit_ms is None:
            return value
        over = np.maximum(self.slow - np.log(limit_ms) - 2 * self.slow_error, 0)
        best = float(np.max(value[over == 0]))
        return np.where(over > 0, np.minimum(value, best) - over, value)

    def error(self, aim: Aim) -> float:
        """The standard error of the difference of two configs that are among the best, at the median."""
        worth = self.worth(aim)
        near = np.argsort(-worth)[:10]
        own = {"throughput": self.gain_error, "latency": self.slow_error}.get(aim.prefer)
        own = np.hypot(self.gain_error, self.slow_error) if own is None else own
        return float(np.sqrt(2) * np.median(own[near]))

    def within_5_percent(self, aim: Aim) -> float:
        """The share of the configs that are within 5 % of the best."""
        worth = self.worth(aim)
        return float(np.mean(worth >= worth.max() + np.log(0.95)))


def truth_of(recording: Recording, rounds: Collection[int], metric: LatencyMetric) -> Truth:
    """The truth by ``rounds`` of a recording."""
    found: dict[str, tuple[Config, list[tuple[float, float]]]] = {}
    for record in recording.records:
        if record.ok and record.round in rounds:
            block = block_of(record, recording.header, started_at=record.started_s)
            _, values = found.setdefault(record.config.key, (record.config, []))
            values.append((np.log(block.throughput_per_s), np.log(block.latency_ms(metric))))
    configs = tuple(config for config, _ in found.values())
    groups = [np.array(values) for _, values in found.values()]
    points = features(configs)
    baselines = {baseline.config.key for baseline in setup_of(recording).baselines}
    smooth = [_smooth(points, [group[:, column] for group in groups]) for column in (0, 1)]
    return Truth(
        configs=configs,
        gain=smooth[0].mean,
        slow=smooth[1].mean,
        gain_error=smooth[0].deviation,
        slow_error=smooth[1].deviation,
        answers=tuple(i for i, config in enumerate(configs) if config.key in baselines),
    )


def _smooth(points: Points, groups: Sequence[Array]) -> Regression:
    spread = max(float(np.median([stats.scale(group) for group in groups if len(group) > 2])), _LEAST_SPREAD)
    values = [stats.location(group) for group in groups]
    errors = [max(spread, stats.scale(group) if len(group) > 4 else 0.0) / np.sqrt(len(group)) for group in groups]
    return Regression(points, np.arange(len(points)), values, errors)


def volume(truth: Truth, places: Collection[int]) -> float:
    """The hypervolume of some configs' true values, on logarithms, above the worst of all configs."""
    low = np.array([truth.gain.min(), -truth.slow.max()])
    corners = sorted(((truth.gain[i] - low[0], -truth.slow[i] - low[1]) for i in places), reverse=True)
    area, height = 0.0, 0.0
    for width, tall in corners:
        if tall > height:
            area += width * (tall - height)
            height = tall
    return float(area)

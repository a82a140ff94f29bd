"""What may be said of a config against the strongest baseline, in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ovtune.config import Config
from ovtune.duel import Ratio, Score
from ovtune.goal import Goal

VerdictKind = Literal["better", "trade", "equal", "undecided", "infeasible", "unconfirmed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be said of ``rival``, the best of the other configs, against the strongest baseline; ratios are its."""

    kind: VerdictKind
    text: str
    throughput_ratio: Ratio | None
    latency_ratio: Ratio | None
    pairs: int
    rival: Config | None = None


def verdict_of(baseline: str, score: Score | None, goal: Goal, *, leads: bool, rival: Config | None = None) -> Verdict:
    """The verdict without the limits; ``leads`` tells whether the baseline itself is the most promising config."""
    kind: VerdictKind
    other = rival.words if rival is not None else "any other config"
    if score is None and leads:
        kind, text = (
            "unconfirmed",
            f"{own_answer(baseline)} is the most promising so far; nothing was confirmed against it",
        )
    elif score is None:
        kind = "unconfirmed"
        text = f"The most promising config so far; it was not confirmed against {own_answer(baseline)}"
    else:
        match score.standing:
            case "better" | "trade":
                kind, text = score.standing, f"{_gains(score, goal.margin)} than {own_answer(baseline)}"
            case "equal":
                kind = "equal"
                text = f"{own_answer(baseline)} is already best here: {other} differs by no more than {goal.margin:.0%}"
            case "worse":
                kind, text = "equal", f"{own_answer(baseline)} is already best here: {other} has {_gains(score, 0.0)}"
            case "undecided":
                kind = "undecided"
                text = f"Whether {other} beats {own_answer(baseline)} stayed open after {score.pairs} pairs "
                text += "of measurements"
                if score.more_pairs is not None:
                    text += f"; about {score.more_pairs} more would decide it"
    return Verdict(
        kind=kind,
        text=text,
        throughput_ratio=score.throughput if score else None,
        latency_ratio=score.latency if score else None,
        pairs=score.pairs if score else 0,
        rival=rival if score else None,
    )


def limited(
    verdict: Verdict, name: str, broken: Mapping[str, tuple[str, ...]], *, recommended: str, baseline: str
) -> Verdict:
    """The verdict with what the limits add: ``infeasible`` only where no config meets them all."""
    if broken[recommended] and all(broken.values()):
        text = f"No config meets the limits; the nearest one: {'; '.join(broken[recommended])}"
        return replace(verdict, kind="infeasible", text=text)
    if broken[recommended]:
        text = f"{verdict.text}; what is recommended breaks a limit: {'; '.join(broken[recommended])}"
        return replace(verdict, text=text)
    if broken[baseline]:
        return replace(
            verdict, text=f"{verdict.text}; {own_answer(name)} breaks a limit: {'; '.join(broken[baseline])}"
        )
    return verdict


def own_answer(baseline: str) -> str:
    """How a baseline is called in a sentence: the user's own config is none of OpenVINO's."""
    return baseline if baseline.startswith(("your ", "the first ")) else f"OpenVINO's {baseline}"


def _gains(score: Score, margin: float) -> str:
    throughput, latency = score.throughput, score.latency
    much = f"{_percent(throughput)} {'more' if throughput.value >= 1 else 'less'} throughput"
    if abs(latency.value - 1) <= margin:
        return f"{much} at the same {score.metric}"
    return f"{much} and {_percent(latency)} {'higher' if latency.value > 1 else 'lower'} {score.metric}"


def _percent(ratio: Ratio) -> str:
    """A ratio as a change in percent with its interval: ``31 % (27 to 36 %)``."""
    change = sorted(abs(100 * (end - 1)) for end in (ratio.low, ratio.high) if math.isfinite(end))
    shown = f"{abs(100 * (ratio.value - 1)):.0f} %"
    if len(change) < 2 or (ratio.low - 1) * (ratio.high - 1) < 0:
        return shown
    return f"{shown} ({change[0]:.0f} to {change[1]:.0f} %)"

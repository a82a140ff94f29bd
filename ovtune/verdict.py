"""What may be said of a config against the strongest baseline, in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.duel import MORE, MOST_PAIRS, SHARE, Ratio, Score, Work
from ovtune.goal import Goal, Prefer
from ovtune.measurement import LatencyMetric
from ovtune.unit import enough

VerdictKind = Literal["better", "trade", "equal", "undecided", "infeasible", "unconfirmed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be said of ``rival``, the best of the other configs, against the strongest baseline; ratios are its.

    ``latency_ratio`` is that of ``metric``, and ``cost_ratio`` that of the ``work`` per inference; ``about`` is what
    the duel was fought for: the goal's preference, or the limit that the baseline broke.
    """

    kind: VerdictKind
    text: str
    throughput_ratio: Ratio | None
    latency_ratio: Ratio | None
    pairs: int
    cost_ratio: Ratio | None = None
    metric: LatencyMetric | None = None
    work: Work | None = None
    rival: Config | None = None
    about: Prefer | None = None


def unconfirmed(baseline: str, *, leads: bool) -> Verdict:
    """The verdict before any duel; ``leads`` tells whether the baseline itself is the most promising config."""
    text = f"The most promising config so far; it was not confirmed against {own_answer(baseline)}"
    if leads:
        text = f"{own_answer(baseline)} is the most promising so far; nothing was confirmed against it"
    return Verdict(kind="unconfirmed", text=text, throughput_ratio=None, latency_ratio=None, pairs=0)


def decided(  # noqa: PLR0913 - what a verdict says, by name
    baseline: str, rival: Config, score: Score, goal: Goal, *, made: int, pair_s: float, unsteady: Caveat | None = None
) -> Verdict:
    """The verdict of a duel, without the limits.

    Args:
        baseline: The name of the strongest of OpenVINO's own answers.
        rival: The best of the other configs.
        score: Where the duel stands.
        goal: What it was for.
        made: The pairs that were made, with those that do not count.
        pair_s: What a pair of measurements took.
        unsteady: What is said of a rival that cannot be relied on.
    """
    kind: VerdictKind
    own = own_answer(baseline)
    match score.standing:
        case "better" | "trade":
            kind, text = score.standing, f"{_gains(score, goal, goal.margin)} than {own}"
        case "equal":
            kind = "equal"
            text = f"{own} is already best here: {rival.words} differs by no more than {goal.margin:.0%}"
        case "worse":
            kind, text = "equal", f"{own} is already best here: {rival.words} has {_gains(score, goal, 0.0)}"
        case "undecided":
            kind = "undecided"
            text = f"Whether {rival.words} beats {own} stayed open after {score.pairs} pairs of measurements"
            if score.more_pairs is not None:
                text += _needed(score.pairs, score.more_pairs, made, pair_s)
            elif unsteady is not None:
                text = f"{rival.words} gains on the whole over {own}, but cannot be relied on. {unsteady.text}"
    return Verdict(
        kind=kind,
        text=text,
        throughput_ratio=score.throughput,
        latency_ratio=score.latency,
        pairs=score.pairs,
        cost_ratio=score.cost,
        metric=score.metric,
        work=score.work,
        rival=rival,
        about=score.prefer,
    )


def limited(
    verdict: Verdict, name: str, broken: Mapping[str, tuple[str, ...]], *, recommended: str, baseline: str
) -> Verdict:
    """The verdict with what the limits add: ``infeasible`` only where no config meets them all."""
    if broken[recommended] and all(broken.values()):
        text = f"No config meets the limits; the nearest one: {'; '.join(broken[recommended])}"
        return replace(verdict, kind="infeasible", text=text)
    rival = verdict.rival
    if recommended == baseline and verdict.kind in {"better", "trade"} and rival is not None:
        own = own_answer(name)
        text = f"{rival.words} gains, but breaks a limit: {'; '.join(broken[rival.key])}; so it is {own} that remains"
        return replace(verdict, kind="equal", text=text)
    if recommended != baseline and verdict.kind in {"equal", "undecided"} and rival is not None:
        text = f"{rival.words} keeps the limits, which {own_answer(name)} breaks: {'; '.join(broken[baseline])}"
        return replace(verdict, kind="trade", text=text)
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


def _needed(pairs: int, more: int, made: int, pair_s: float) -> str:
    """What would decide a duel that stayed open: another one, with as many pairs as that makes together.

    As many times more as there were ``made`` for those that count.
    """
    total = max(math.ceil((pairs + more) * made / pairs), math.ceil(MORE * made))
    if total > MOST_PAIRS:
        return f"; it would take about {total}, more than a duel makes: they differ too little to be told apart here"
    return f"; about {total - made} more would decide it, as in --confirm {enough(1.1 * total * pair_s / SHARE)}"


def _gains(score: Score, goal: Goal, margin: float) -> str:
    """What differs: throughput, or where the load is given or it was asked for the work per inference; and latency."""
    by_work = goal.against == "efficiency" or goal.prefer == "efficiency"
    first, what = (score.cost, f"{score.work} per inference") if by_work else (score.throughput, "throughput")
    latency = score.latency
    much = f"{_percent(first)} {'more' if first.value >= 1 else 'less'} {what}"
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

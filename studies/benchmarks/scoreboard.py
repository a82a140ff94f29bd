"""What searchers found over many seeds, as tables, and whether ovtune's search keeps what is asked of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import wilcoxon

OURS = "ovtune"
ASKED_TRIALS = 30
"""The number of trials that the targets are about."""
ALL = "all aims"
_ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How one searcher did for one aim in one seed: shares, not percent; None where it does not apply.

    Attributes:
        recording: The recording's file.
        seed: The seed.
        searcher: Who searched.
        aim: What for.
        trials: The number of trials.
        equal: What it had as much of as ovtune's search: ``trials`` or ``time``.
        visited: The regret of the best config that it measured at all.
        regret: The regret of the config that it recommends.
        verdict: How sure it says it is.
        worse: 1 where the config is worse than OpenVINO's strongest answer, beyond doubt, else 0.
        gap: What it claims for the aim's objective, over the truth, as a logarithm; above 0 it promises too much.
        front: The share of the hypervolume.
        trials_to_95: The trials until a config within 5 % of the best was visited; None for never.
        seconds_to_95: The simulated time until then.
    """

    recording: str
    seed: int
    searcher: str
    aim: str
    trials: int
    equal: str
    visited: float
    regret: float
    verdict: str
    worse: float
    gap: float | None
    front: float
    trials_to_95: float | None
    seconds_to_95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the truth of one seed can tell of an aim: its error, and the share of configs near the best."""

    recording: str
    aim: str
    error: float
    near: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing that is asked of ovtune's search, in words with the figures, and whether it is met."""

    words: str
    met: bool


Key = tuple[str, int, str, str]
"""An aim, a number of trials, a searcher, and what is equal."""


def lines(found: Sequence[Found], abouts: Sequence[About]) -> Iterator[str]:
    """The tables of one recording, one for each aim and one for all of them, each with its targets."""
    told = compared(found)
    width = max(len(_label(f)) for f in found)
    for aim in dict.fromkeys(f.aim for f in found):
        error, near = _known(abouts, aim)
        yield f"\n  {aim}: truth's error {error:.1%}, {near:.0%} of the configs within 5 % of the best"
        head = f"{'visited':>9}{'regret %, median':>24}{'90th':>8}{'worse %':>9}{'gap %':>8}{'front':>8}{'to 95 %':>16}"
        yield f"    {'trials':>6}  {'searcher':<{width}}{head}  than ovtune"
        for trials in sorted({f.trials for f in found}):
            for searcher, equal in dict.fromkeys((f.searcher, f.equal) for f in found):
                own = [f for f in found if (f.aim, f.trials, f.searcher, f.equal) == (aim, trials, searcher, equal)]
                word = told.get((aim, trials, searcher, equal), "")
                yield f"    {trials:>6}  {_label(own[0]):<{width}}{_row(own)}  {word}"
        yield from map(_said, targets(found, abouts, aim))
    yield from _together_lines(found)


def _together_lines(found: Sequence[Found]) -> Iterator[str]:
    every = together(found)
    told = compared(every)
    if not told:
        return
    width = max(len(_label(f)) for f in every)
    yield "\n  all aims together, of each seed the mean"
    yield f"    {'trials':>6}  {'searcher':<{width}}{'regret %, median':>24}{'mean':>8}{'worse %':>9}  than ovtune"
    for trials, searcher, equal in dict.fromkeys((f.trials, f.searcher, f.equal) for f in every):
        own = [f for f in every if (f.trials, f.searcher, f.equal) == (trials, searcher, equal)]
        regrets = 100 * np.array([f.regret for f in own])
        low, high = _resampled(regrets)
        cells = f"{f'{np.median(regrets):.1f} ({low:.1f} to {high:.1f})':>24}{np.mean(regrets):>8.1f}"
        worse = 100 * np.mean([f.worse for f in own])
        word = told.get((ALL, trials, searcher, equal), "")
        yield f"    {trials:>6}  {_label(own[0]):<{width}}{cells}{worse:>9.1f}  {word}"
    yield from map(_said, rival_targets(found))


def _said(target: Target) -> str:
    return f"    {'met    ' if target.met else 'NOT MET'}  {target.words}"


def targets(found: Sequence[Found], abouts: Sequence[About], aim: str) -> list[Target]:
    """What is asked of ovtune's search for one aim, as far as it was searched for."""
    ours = [f for f in found if (f.searcher, f.aim, f.trials) == (OURS, aim, ASKED_TRIALS)]
    return _alone(ours, _known(abouts, aim)[0]) if ours else []


def rival_targets(found: Sequence[Found]) -> list[Target]:
    """What is asked against the rivals, all aims of a recording together."""
    told = compared(together(found))
    if not told:
        return []
    ahead = [key for key, word in told.items() if word == "better"]
    names = ", ".join(f"{searcher} at {trials} trials (equal {equal})" for _, trials, searcher, equal in ahead)
    same = [word for key, word in told.items() if key[3] == "trials"]
    behind = same.count("worse")
    return [
        Target(words=f"no rival is better: {names or 'none is'}", met=not ahead),
        Target(
            words=f"at equal trials most rivals are worse: {behind} of {len(same)} shown to be",
            met=2 * behind > len(same),
        ),
    ]


def together(found: Sequence[Found]) -> list[Found]:
    """For each seed, searcher and number of trials the means over the aims of the regret, and of what is worse."""
    groups: dict[tuple[int, str, str, int], list[Found]] = {}
    for f in found:
        groups.setdefault((f.trials, f.searcher, f.equal, f.seed), []).append(f)
    return [
        replace(
            group[0],
            aim=ALL,
            regret=float(np.mean([f.regret for f in group])),
            worse=float(np.mean([f.worse for f in group])),
        )
        for _, group in sorted(groups.items(), key=lambda item: item[0][0])
    ]


def _alone(ours: Sequence[Found], error: float) -> list[Target]:
    regrets = np.array([f.regret for f in ours])
    median, high = float(np.median(regrets)), float(np.quantile(regrets, 0.9))
    most, most_high = max(0.02, 2 * error), max(0.05, 3 * error)
    front, worse = float(np.median([f.front for f in ours])), float(np.mean([f.worse for f in ours]))
    gaps = [f.gap for f in ours if f.gap is not None]
    gap = float(np.expm1(np.mean(gaps))) if gaps else np.nan
    return [
        Target(words=f"median regret {median:.1%}, at most {most:.1%}", met=median <= most),
        Target(words=f"90th percentile of the regret {high:.1%}, at most {most_high:.1%}", met=high <= most_high),
        Target(words=f"median share of the front's hypervolume {front:.3f}, at least 0.95", met=front >= 0.95),
        Target(words=f"claimed over true {gap:+.1%} on average, at most 1 % off", met=abs(gap) <= 0.01),
        Target(words=f"worse than OpenVINO's strongest answer in {worse:.1%}, at most 1 %", met=worse <= 0.01),
    ]


def compared(found: Sequence[Found]) -> dict[Key, str]:
    """For each rival, aim and number of trials, whether its regret is shown to be ``worse`` or ``better`` than ours.

    By Wilcoxon's signed rank test over the seeds, at 5 % for all comparisons among ``found`` together (Holm,
    Scandinavian Journal of Statistics 6, 1979).
    """
    ours = {(f.aim, f.trials, f.seed): f.regret for f in found if f.searcher == OURS}
    pairs: dict[Key, list[float]] = {}
    for f in found:
        if f.searcher != OURS:
            difference = f.regret - ours[f.aim, f.trials, f.seed]
            pairs.setdefault((f.aim, f.trials, f.searcher, f.equal), []).append(difference)
    chances = {key: _chance(np.array(differences)) for key, differences in pairs.items()}
    told, shown = {}, True
    for rank, key in enumerate(sorted(chances, key=chances.__getitem__)):
        shown = shown and chances[key] <= _ALPHA / (len(chances) - rank)
        told[key] = ("worse" if _centre(pairs[key]) > 0 else "better") if shown else "not told apart"
    return told


def _chance(differences: np.ndarray) -> float:
    """How likely differences of such ranks are by chance; certain where there are none."""
    return float(wilcoxon(differences, zero_method="zsplit").pvalue) if np.any(differences) else 1.0


def _centre(differences: Sequence[float]) -> float:
    """Whether the ranks of the differences lie above or below 0, as the test weighs them."""
    values = np.array(differences)
    ranks = np.argsort(np.argsort(np.abs(values))) + 1
    return float(np.sum(ranks * np.sign(values)))


def _known(abouts: Sequence[About], aim: str) -> tuple[float, float]:
    truths = [a for a in abouts if a.aim == aim]
    return float(np.median([a.error for a in truths])), float(np.median([a.near for a in truths]))


def _label(found: Found) -> str:
    return found.searcher if found.searcher == OURS else f"{found.searcher}, equal {found.equal}"


def _row(found: Sequence[Found]) -> str:
    regrets = 100 * np.array([f.regret for f in found])
    low, high = _resampled(regrets)
    gaps = [f.gap for f in found if f.gap is not None]
    steps = [np.inf if f.trials_to_95 is None else f.trials_to_95 for f in found]
    times = [np.inf if f.seconds_to_95 is None else f.seconds_to_95 for f in found]
    cells = (
        f"{100 * np.median([f.visited for f in found]):>9.1f}",
        f"{f'{np.median(regrets):.1f} ({low:.1f} to {high:.1f})':>24}",
        f"{np.quantile(regrets, 0.9):>8.1f}",
        f"{100 * np.mean([f.worse for f in found]):>9.1f}",
        f"{100 * np.expm1(np.mean(gaps)):>8.1f}" if gaps else f"{'-':>8}",
        f"{np.median([f.front for f in found]):>8.3f}",
        f"{_reached(steps, times):>16}",
    )
    return "".join(cells)


def _reached(steps: Sequence[float], times: Sequence[float]) -> str:
    """The medians over all seeds; of those that never reached it, at the end."""
    at, by_s = np.median(np.sort(steps)), np.median(np.sort(times))
    return f"{at:.0f}, {by_s:.0f} s" if np.isfinite(at) else "never"


def _resampled(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the median."""
    picks = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(np.median(values[picks], axis=1), [0.025, 0.975])
    return float(low), float(high)

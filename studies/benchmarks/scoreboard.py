"""What searchers found over many seeds, as tables, and whether ovtune's search keeps what is asked of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, binomtest, t, wilcoxon

OURS = "ovtune"
ALONE = "ovtune's search alone"
"""What ovtune recommends, as unconfirmed, after the last trial."""
EXHAUSTIVE = "exhaustive"
"""Who measures all configs in all the rounds that a search may draw from, and believes the truth's own estimate."""
_NO_RIVALS = frozenset({OURS, ALONE, EXHAUSTIVE})
Array = NDArray[np.float64]
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
        equal: What it had as much of as ovtune's search: ``trials``, ``time`` or, of all configs, ``rounds``.
        visited: The regret of the best config that it measured at all.
        regret: The regret of the config that it recommends.
        verdict: How sure it says it is.
        worse: 1 where the config is worse than OpenVINO's strongest answer, beyond doubt, else 0; of a recording
            without answers always 0.
        gap: What it claims for the aim's objective, over the truth, as a logarithm; above 0 it promises too much.
        front: The share of the hypervolume.
        on_front: How many configs it takes for the front.
        unbeaten: The share of those and of what it says may belong to the front; None where it says nothing of it.
        on_unbeaten: How many these are.
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
    on_front: int
    unbeaten: float | None
    on_unbeaten: int | None
    trials_to_95: float | None
    seconds_to_95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the truth of one seed can tell of an aim.

    Attributes:
        recording: The recording's file.
        aim: What for.
        error: The truth's error.
        near: The share of configs within 5 % of the best.
        on_front: How many configs are on the truth's own front.
    """

    recording: str
    aim: str
    error: float
    near: float
    on_front: int


Standing = Literal["met", "open", "missed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing that is asked of ovtune's search.

    Attributes:
        words: What is asked, with the figures.
        standing: Whether it is met; ``open`` where the figure is beyond what is asked and its 95 % interval is not, so
            that other seeds might show it met.
        known: What the exhaustive one comes to; "" where that tells nothing.
    """

    words: str
    standing: Standing
    known: str = ""


Key = tuple[str, int, str, str]
"""An aim, a number of trials, a searcher, and what is equal."""


def lines(found: Sequence[Found], abouts: Sequence[About]) -> Iterator[str]:
    """The tables of one recording, one for each aim and one for all of them, each with its targets."""
    told = compared(found)
    width = max(len(_label(f)) for f in found)
    for aim in dict.fromkeys(f.aim for f in found):
        error, near, true = (_known(abouts, aim, column) for column in ("error", "near", "on_front"))
        yield (
            f"\n  {aim}: truth's error {error:.1%}, {near:.0%} of the configs within 5 % of the best, "
            f"{true:.0f} on its front"
        )
        head = (
            f"{'visited':>9}{'regret %, median':>24}{'90th':>8}{'worse %':>9}{'gap %':>8}"
            f"{'front, configs':>17}{'or unbeaten':>13}{'to 95 %':>16}"
        )
        yield f"    {'trials':>6}  {'searcher':<{width}}{head}  than ovtune"
        for key in sorted(dict.fromkeys((f.trials, f.searcher, f.equal) for f in found), key=lambda key: key[0]):
            trials, searcher, equal = key
            own = [f for f in found if (f.aim, f.trials, f.searcher, f.equal) == (aim, *key)]
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
        regrets = _column(own, "regret")
        cells = f"{_percent(regrets):>24}{100 * np.mean(regrets):>8.1f}"
        worse = 100 * np.mean([f.worse for f in own])
        word = told.get((ALL, trials, searcher, equal), "")
        yield f"    {trials:>6}  {_label(own[0]):<{width}}{cells}{worse:>9.1f}  {word}"
    yield from map(_said, rival_targets(found))


def _said(target: Target) -> str:
    known = f" (exhaustive: {target.known})" if target.known else ""
    standing = target.standing.upper() if target.standing == "missed" else target.standing
    return f"    {standing:<7} {target.words}{known}"


def targets(found: Sequence[Found], abouts: Sequence[About], aim: str) -> list[Target]:
    """What is asked of ovtune's search for one aim, as far as it was searched for."""
    ours = [f for f in found if (f.searcher, f.aim, f.trials) == (OURS, aim, ASKED_TRIALS)]
    every = [f for f in found if (f.searcher, f.aim) == (EXHAUSTIVE, aim)]
    asked = _asked(_known(abouts, aim, "error")) if ours else []
    return [
        _target(one, values, _column(every, one.column)) for one in asked if len(values := _column(ours, one.column))
    ]


def rival_targets(found: Sequence[Found]) -> list[Target]:
    """What is asked against the rivals, all aims of a recording together; that most are worse must be shown."""
    told = compared(together(found))
    if not told:
        return []
    ahead = [key for key, word in told.items() if word == "better"]
    names = ", ".join(f"{searcher} at {trials} trials (equal {equal})" for _, trials, searcher, equal in ahead)
    same = [word for key, word in told.items() if key[3] == "trials"]
    behind = same.count("worse")
    return [
        Target(words=f"no rival is better: {names or 'none is'}", standing="missed" if ahead else "met"),
        Target(
            words=f"at equal trials most rivals are worse: {behind} of {len(same)} shown to be",
            standing="met" if 2 * behind > len(same) else "missed",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """What the values of some seeds come to, and the 95 % interval of that."""

    of: Callable[[Array], float]
    interval: Callable[[Array], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked of one figure: that it lies from ``least`` to ``most``."""

    column: str
    figure: _Figure
    words: str
    digits: str
    least: float = -np.inf
    most: float = np.inf


def _asked(error: float) -> list[_Asked]:
    """What is asked of ovtune's search for one aim, by the truth's error."""
    most, most_high = max(0.02, 2 * error), max(0.05, 3 * error)
    return [
        _Asked(
            column="regret",
            figure=_MEDIAN,
            words=f"median regret {{}}, at most {most:.1%}",
            digits=".1%",
            most=most,
        ),
        _Asked(
            column="regret",
            figure=_quantile(0.9),
            words=f"90th percentile of the regret {{}}, at most {most_high:.1%}",
            digits=".1%",
            most=most_high,
        ),
        _Asked(
            column="front",
            figure=_MEDIAN,
            words="median share of the front's hypervolume {}, at least 0.95",
            digits=".3f",
            least=0.95,
        ),
        _Asked(
            column="gap",
            figure=_RATIO,
            words="claimed over true {} on average, at most 1 % off",
            digits="+.1%",
            least=-0.01,
            most=0.01,
        ),
        _Asked(
            column="worse",
            figure=_SHARE,
            words="worse than OpenVINO's strongest answer in {}, at most 1 %",
            digits=".1%",
            most=0.01,
        ),
    ]


def _target(asked: _Asked, ours: Array, every: Array) -> Target:
    value = asked.figure.of(ours)
    low, high = asked.figure.interval(ours)
    standing: Standing = "open" if low <= asked.most and asked.least <= high else "missed"
    if asked.least <= value <= asked.most:
        standing = "met"
    figure = f"{value:{asked.digits}} ({low:{asked.digits}} to {high:{asked.digits}})"
    # What is claimed of the best of many noisy readings is too much: that excuses no claim.
    tells = len(every) > 0 and asked.column != "gap"
    return Target(
        words=asked.words.format(figure),
        standing=standing,
        known=f"{asked.figure.of(every):{asked.digits}}" if tells else "",
    )


def _column(found: Sequence[Found], name: str) -> Array:
    """The values of one column, those that apply."""
    return np.array([value for f in found if (value := getattr(f, name)) is not None])


def _quantile(share: float) -> _Figure:
    """A quantile of shares, and the ranks between which it lies (Conover, Practical Nonparametric Statistics, 1999)."""

    def interval(values: Array) -> tuple[float, float]:
        low, high = (int(binom.ppf(tail, len(values), share)) for tail in (_ALPHA / 2, 1 - _ALPHA / 2))
        bounded = [0.0, *np.sort(values), 1.0]
        return float(bounded[low]), float(bounded[high + 1])

    return _Figure(of=lambda values: float(np.quantile(values, share)), interval=interval)


def _ratio_interval(logarithms: Array) -> tuple[float, float]:
    if len(logarithms) < 2:
        return -1.0, np.inf
    reach = float(t.ppf(1 - _ALPHA / 2, len(logarithms) - 1) * np.std(logarithms, ddof=1) / np.sqrt(len(logarithms)))
    centre = float(np.mean(logarithms))
    return float(np.expm1(centre - reach)), float(np.expm1(centre + reach))


def _share_interval(values: Array) -> tuple[float, float]:
    """Of a share of ones (Clopper and Pearson, Biometrika 26, 1934): none of few tells of some."""
    interval = binomtest(round(float(np.sum(values))), len(values)).proportion_ci(1 - _ALPHA)
    return float(interval.low), float(interval.high)


_MEDIAN = _quantile(0.5)
_RATIO = _Figure(of=lambda logarithms: float(np.expm1(np.mean(logarithms))), interval=_ratio_interval)
_SHARE = _Figure(of=lambda values: float(np.mean(values)), interval=_share_interval)


def compared(found: Sequence[Found]) -> dict[Key, str]:
    """For each rival, aim and number of trials, whether its regret is shown to be ``worse`` or ``better`` than ours.

    By Wilcoxon's signed rank test over the seeds, at 5 % for all comparisons among ``found`` together (Holm,
    Scandinavian Journal of Statistics 6, 1979).
    """
    ours = {(f.aim, f.trials, f.seed): f.regret for f in found if f.searcher == OURS}
    pairs: dict[Key, list[float]] = {}
    for f in found:
        if f.searcher not in _NO_RIVALS:
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


def _known(abouts: Sequence[About], aim: str, column: str) -> float:
    return float(np.median([getattr(about, column) for about in abouts if about.aim == aim]))


def _label(found: Found) -> str:
    return found.searcher if found.searcher in {OURS, ALONE} else f"{found.searcher}, equal {found.equal}"


def _row(found: Sequence[Found]) -> str:
    regrets = _column(found, "regret")
    gaps = [f.gap for f in found if f.gap is not None]
    steps = [np.inf if f.trials_to_95 is None else f.trials_to_95 for f in found]
    times = [np.inf if f.seconds_to_95 is None else f.seconds_to_95 for f in found]
    cells = (
        f"{100 * np.median([f.visited for f in found]):>9.1f}",
        f"{_percent(regrets):>24}",
        f"{100 * np.quantile(regrets, 0.9):>8.1f}",
        f"{100 * np.mean([f.worse for f in found]):>9.1f}",
        f"{100 * np.expm1(np.mean(gaps)):>8.1f}" if gaps else f"{'-':>8}",
        f"{_sized([f.front for f in found], [f.on_front for f in found]):>17}",
        f"{_sized([f.unbeaten for f in found], [f.on_unbeaten for f in found]):>13}",
        f"{_reached(steps, times):>16}",
    )
    return "".join(cells if found[0].searcher != EXHAUSTIVE else (*cells[:-1], f"{'-':>16}"))


def _sized(shares: Sequence[float | None], counts: Sequence[int | None]) -> str:
    """The medians of a share of the hypervolume and of the number of configs that make it."""
    told, many = ([one for one in ones if one is not None] for ones in (shares, counts))
    return f"{np.median(told):.3f}, {np.median(many):.0f}" if told else "-"


def _percent(shares: Array) -> str:
    """The median and its interval, in percent."""
    low, high = _MEDIAN.interval(shares)
    return f"{100 * _MEDIAN.of(shares):.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _reached(steps: Sequence[float], times: Sequence[float]) -> str:
    """The medians over all seeds; of those that never reached it, at the end."""
    at, by_s = np.median(np.sort(steps)), np.median(np.sort(times))
    return f"{at:.0f}, {by_s:.0f} s" if np.isfinite(at) else "never"

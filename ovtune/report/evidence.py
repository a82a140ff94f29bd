"""How sure the verdict is: duel, elimination, tails, and what the host was doing meanwhile."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ovtune import duel, stats
from ovtune.config import Config
from ovtune.estimate import spread_of
from ovtune.evaluator import Outcome
from ovtune.field import Duel, last_duel
from ovtune.figures import Evidence, Interval, Measured, figures
from ovtune.measurement import LATENCY_METRICS, Block, LatencyMetric, latency_of, share_of
from ovtune.report.course import contention, course
from ovtune.report.number import NONE, amount, number, ratio_of, rounded
from ovtune.report.palette import SERIES, Mark
from ovtune.report.palette import Series as Kind
from ovtune.report.plot import Axis, Key, Panel, Plot, Rule, Section, Series, Spot, Table
from ovtune.report.row import first_trials
from ovtune.result import Result, measured, why_unconfirmed
from ovtune.study import CHOOSING, Phase, Study, Visit, blocks_by_config, last_confirmation

_ASIDE = 0.14
"""How far beside a finalist's place its two kinds of dots stand."""
_MANY = 8
_CURVE = 60
"""How many places a curve has."""
_SIDES: tuple[Kind, Kind] = ("candidate", "baseline")


def evidence_of(result: Result) -> Section:
    """What the verdict rests on."""
    panels = (_duel(result), _elimination(result), _tails(result), course(result), contention(result))
    return Section(name="evidence", title="How sure", panels=panels)


def _duel(result: Result) -> Panel:
    """The ratios candidate / baseline of each pair, and what they come from."""
    fight = result.duel or last_duel(result.study)
    title = "The duel, pair by pair"
    if fight is None or not fight.pairs:
        why = why_unconfirmed(result.study)
        text = f"No duel was held ({why}): the recommendation is the most promising config, not a confirmed one."
        return Panel(name="duel", title=title, text=text)
    metric, margin = result.verdict.metric or result.metric, result.goal.margin
    throughput: list[Spot] = []
    latency: list[Spot] = []
    rows = []
    for place, (one, other) in enumerate(fight.pairs, start=1):
        mine, its = one.latency_ms(metric), other.latency_ms(metric)
        faster, slower = one.throughput_per_s / other.throughput_per_s, mine / its
        busy = "\nheld up by other work" if one.contended or other.contended else ""
        candidate = f"{number(one.throughput_per_s)}/s, {number(mine)} ms"
        baseline = f"{number(other.throughput_per_s)}/s, {number(its)} ms"
        for spots, name, ratio in ((throughput, "throughput", faster), (latency, f"{metric} latency", slower)):
            text = f"pair {place}: {name} ratio {ratio:.3f}\ncandidate {candidate}\nbaseline {baseline}{busy}"
            spots.append(Spot(x=place, y=rounded(ratio), text=text))
        rows.append((f"{place}{', held up' if busy else ''}", f"{faster:.3f}", f"{slower:.3f}", candidate, baseline))
    plot = Plot(
        label="ratios of throughput and latency in each pair",
        x=Axis(title="pair", ends=(0, len(rows) + 1)),
        y=Axis(title="ratio candidate / baseline"),
        series=(
            Series(name="throughput", mark=SERIES["throughput"], spots=tuple(throughput)),
            Series(name=f"{metric} latency", mark=SERIES["latency"], spots=tuple(latency)),
        ),
        rules=(Rule(at=1.0, strong=True),),
        band=(1 - margin, 1 + margin),
        low=True,
    )
    return Panel(
        name="duel",
        title=title,
        text=_about(result, fight),
        plot=plot,
        keys=(
            Key(mark=SERIES["throughput"], text="throughput: above 1 is better"),
            Key(mark=SERIES["latency"], text=f"{metric} latency: below 1 is better"),
            Key(mark=None, text="too small to count (the goal's margin)"),
        ),
        table=Table(columns=("pair", "throughput ratio", f"{metric} ratio", "candidate", "baseline"), rows=tuple(rows)),
    )


def _about(result: Result, fight: Duel) -> str:
    """Who met whom, what came of it, and what else is to be known."""
    baseline = _name(result.study, fight.baseline)
    said = [f"{fight.candidate.words} against {baseline}, in {len(fight.pairs)} pairs of fresh blocks."]
    throughput, latency = ratio_of(result.verdict.throughput_ratio), ratio_of(result.verdict.latency_ratio)
    if throughput is not None and latency is not None:
        metric = result.verdict.metric or result.metric
        said.append(f"Throughput ratio {throughput.full}, {metric} latency ratio {latency.full}.")
    if not result.verdict.pairs:
        said.append("The verdict does not rest on this duel: it was cut off, or held for another goal or baseline.")
        return " ".join(said)
    if fight.reached < len(fight.pairs):
        said.append(
            f"The verdict rests on the first {fight.reached} pairs: the others have not come to a planned look."
        )
    said += _held_up(fight)
    return " ".join(said)


def _held_up(fight: Duel) -> list[str]:
    """How many pairs other work held up, and whether they count."""
    held_up = sum(one.contended or other.contended for one, other in fight.pairs[: fight.reached])
    if not held_up:
        return []
    said = f"Other work held up {held_up} of the {fight.reached} pairs"
    if len(fight.judged) < fight.reached:
        return [f"{said}, which do not count."]
    return [f"{said}: all count, since too few are left without them."]


def _elimination(result: Result) -> Panel:
    """Each finalist's blocks, in the elimination and before."""
    study, goal = result.study, result.goal
    last = last_confirmation(study)
    rounds = [v for v in study.visits if v.phase == "elimination" and v.confirmation == last]
    final = dict.fromkeys(v.config.key for v in rounds if isinstance(v.outcome, Block))
    title = "The elimination"
    if not final:
        return Panel(name="elimination", title=title, text="No finalists were compared with each other.")
    made = [v for v in study.visits if v.config.key in final and v.phase in CHOOSING and isinstance(v.outcome, Block)]
    blocks = [v.outcome for v in made if isinstance(v.outcome, Block)]
    metric = duel.compared([(block, block) for block in blocks], goal.latency)
    worths = dict(zip((v.number for v in made), duel.worths(blocks, goal.prefer, metric), strict=True))
    middle = {key: stats.location(np.array([worths[v.number] for v in made if v.config.key == key])) for key in final}
    order = sorted(final, key=lambda key: middle[key])
    leader = middle[order[-1]]
    trials, words = first_trials(study.visits), {v.config.key: v.config.words for v in made}
    ticks = tuple((float(place), f"trial {trials.get(key, NONE)}") for place, key in enumerate(order))

    def spots(phases: Sequence[Phase], *, hollow: bool) -> tuple[Spot, ...]:
        return tuple(
            Spot(
                x=rounded(math.exp(worths[v.number] - leader)),
                y=order.index(v.config.key) + (_ASIDE if hollow else -_ASIDE),
                text=f"{v.config.words}\n{_where(v)}: {_figures(v.outcome, metric)}",
                trial=trials.get(v.config.key),
            )
            for v in made
            if v.phase in phases and isinstance(v.outcome, Block)
        )

    series = (
        Series(name="search", mark=SERIES["search"], spots=spots(("search", "reference"), hollow=True)),
        Series(name="elimination", mark=SERIES["elimination"], spots=spots(("elimination",), hollow=False)),
    )
    counts = Counter(v.config.key for v in rounds if isinstance(v.outcome, Block))
    rows = tuple(
        (f"trial {trials.get(key, NONE)}", words[key], str(counts[key]), f"{math.exp(middle[key] - leader):.3f}")
        for key in reversed(order)
    )
    what = {"balanced": f"throughput / {metric}", "latency": f"{metric} latency", "efficiency": "work per inference"}
    objective = what.get(goal.prefer, "throughput")
    text = (
        f"Each block of the finalists for {objective}, beside the leader's location: to the right is better. Rounds "
        "are shuffled; who has no chance left to be the best of its kind, OpenVINO's own answers or the others, is not "
        "visited again."
    )
    return Panel(
        name="elimination",
        title=title,
        text=text,
        plot=Plot(
            label="each block of the finalists beside the leader",
            x=Axis(title=f"{objective} beside the leader's"),
            y=Axis(title="", ticks=ticks, ends=(-0.7, len(order) - 0.3)),
            series=series,
            rules=(Rule(at=1.0, strong=True, vertical=True),),
            low=len(order) < _MANY,
        ),
        keys=tuple(Key(mark=one.mark, text=one.mark.label) for one in series),
        table=Table(columns=("trial", "config", "blocks in the elimination", "relative to the leader"), rows=rows),
    )


def _where(visit: Visit) -> str:
    return f"round {visit.round + 1}" if visit.phase == "elimination" else "search"


def _figures(outcome: Outcome, metric: LatencyMetric) -> str:
    if not isinstance(outcome, Block):
        return ""
    return f"{number(outcome.throughput_per_s)}/s, {metric} {number(outcome.latency_ms(metric))} ms"


def _tails(result: Result) -> Panel:
    """The latency percentiles of two configs, up to what the samples tell."""
    sides = [(name, mark, told, _curve(told, blocks)) for name, mark, told, blocks in _sides(result)]
    series = tuple(
        Series(
            name=name,
            mark=mark,
            kind="line",
            spots=tuple(
                Spot(x=rounded(_tail(share)), y=rounded(ms), text=f"{name}\np{100 * share:.4g}: {number(ms)} ms")
                for share, ms in curve
            ),
        )
        for name, mark, _, curve in sides
    )
    shares = [metric for metric in LATENCY_METRICS if metric != "mean"]
    rows = tuple(
        (metric, *(amount(told.latency_ms[metric], " ms").full for _, _, told, _ in sides)) for metric in shares
    )
    return Panel(
        name="tails",
        title="Latency percentiles",
        text="Each percentile of the axis is rarer than those left of it. A curve ends where samples are too few.",
        plot=Plot(
            label="latency over percentiles",
            x=Axis(
                title="percentile",
                ticks=tuple((rounded(_tail(share_of(metric))), metric) for metric in shares),
                ends=(0.25, max([_tail(s) for *_, curve in sides for s, _ in curve] + [1.0]) + 0.05),
            ),
            y=Axis(title="latency (ms)"),
            series=series,
            low=True,
        ),
        keys=tuple(Key(mark=one.mark, text=one.name) for one in series),
        table=Table(columns=("percentile", *(name for name, *_ in sides)), rows=rows),
    )


def _sides(result: Result) -> list[tuple[str, Mark, Measured, list[Block]]]:
    """Who is compared: the two of the duel, or what is recommended and the strongest of OpenVINO's own answers."""
    study = result.study
    if result.duel is not None and result.duel.judged:
        one, other = result.duel.candidate, result.duel.baseline
        blocks = list(result.duel.undisturbed)
        spread = spread_of(blocks)
        told = [figures(c, _evidence(b), cold=b[0], spread=spread) for c, b in zip((one, other), blocks, strict=True)]
    else:
        one, other = result.recommended, result.baseline.config
        known = blocks_by_config(study.visits, *CHOOSING)
        blocks = [known[study.owner(config)] for config in (one, other)]
        told = [measured(result, config) for config in (one, other)]
    names = one.words, _name(study, other)
    found = [
        (name, SERIES[kind], figures_, made)
        for name, kind, figures_, made in zip(names, _SIDES, told, blocks, strict=True)
    ]
    return found if study.owner(one) != study.owner(other) else found[1:]


def _evidence(blocks: list[Block]) -> Evidence:
    return Evidence(source="search", blocks=blocks, made=blocks)


def _curve(told: Measured, blocks: Sequence[Block]) -> list[tuple[float, float]]:
    """Percentiles, as shares, with their latencies in ms: as far as ``told`` has them."""
    known = [
        (share_of(m), q.value) for m in LATENCY_METRICS if m != "mean" and isinstance(q := told.latency_ms[m], Interval)
    ]
    if any(block.summary is not None for block in blocks) or not known:
        return known
    samples = np.concatenate([block.latencies_ms for block in blocks])
    samples = samples * (known[0][1] / latency_of(samples, "p50"))  # what slowed them is not in what is told
    shares = 1 - np.logspace(math.log10(0.5), math.log10(1 - known[-1][0]), _CURVE)
    return [(float(s), float(ms)) for s, ms in zip(shares, np.quantile(samples, shares), strict=True)]


def _tail(share: float) -> float:
    """Where a percentile stands on the axis: one step to the right is ten times rarer."""
    return -math.log10(1 - share)


def _name(study: Study, config: Config) -> str:
    """What a baseline is called."""
    owner = study.owner(config)
    return next((b.name for b in study.setup.baselines if study.owner(b.config) == owner), config.words)

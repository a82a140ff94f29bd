"""How often a duel calls equal things different, and how often it finds a difference that is there.

    python studies/benchmarks/aa.py RECORDING... [--duels N] [--seed N] [--quick]
    python studies/benchmarks/aa.py --simulate

What is measured lies below the sharing of equal configs: blocks of a recording are handed to the duel's own code pair
by pair, those that other work held up replaced by the next one, as a search repeats them; it looks at them where tuning
would look, and ends at the first look that decides. The noise is that of the recording in the order of time, of three
kinds:

itself      The blocks of one config with at least 40 of them; each duel takes consecutive ones, the sides in the duel's
            own order. In a recording they lie a whole round apart.
neighbours  The blocks of the rounds in which only such configs were visited, each divided by the location of its own
            config, as if one config had been visited all the time: blocks lie as close in time as in a duel.
two         Two different configs, round by round, their location difference removed: one may feel a busy host more.
            Where that lasts longer than a duel they truly differ in it, so this kind is shown and not judged.

A duel has the pairs that are left of the default `--confirm` of 2 minutes when elimination has taken all that it may.
Its noise is joined from runs of neighbours, each from a place of its own (a moving block bootstrap): of 10 to 20
blocks of `itself`, 20 to 40 of `neighbours`, 10 to 20 pairs of `two`. So one recording makes thousands of different
duels, and what correlates among neighbours still does; what correlates over longer times than a run does not.
Which config of the two is called the candidate is drawn, too.

Printed are the rates of `better` or `trade`, and of `worse`, with their 95 % bounds (Clopper and Pearson), which hold
for this recording's noise; in brackets how many duels it holds that have no block in common: of `itself` a duel takes
about as many blocks as a config has, or more, so that some come twice, and verdicts more often than in truth. Then the
correlation of pair differences (of their ranks), and how often a true difference is found, on `neighbours` noise.

Exits with 1 where, over all recordings together, `better` or `trade` come in more than 5 % of the duels of a kind and
preference or their upper bound is above 6 %, or where 8 % is found in less than 90 % of duels. About two minutes for a
recording of 1,700 visits; with --quick, a twentieth of the duels in a few seconds, by which nothing is judged.
"""

import argparse
import itertools
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import simulated
from numpy.typing import NDArray

from ovtune import duel, recording_file, stats
from ovtune.budget import CONFIRM_S
from ovtune.config import Config
from ovtune.field import Duel
from ovtune.goal import Goal, Prefer
from ovtune.measurement import Block, Summary
from ovtune.recording import Record, Recording, block_of

LEAST_BLOCKS = 40
PREFERENCES: tuple[Prefer, ...] = ("throughput", "latency", "balanced")
DIFFERENCES = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12)
PAIRS = (8, 12, 20, 30, 40, 60, 90, 130, 190)
SHORTEST = 10
VISITS_BEFORE = 45
"""About as many as the trials of a search and its elimination make before a duel."""
DUEL_S = duel.SHARE * CONFIRM_S
FALSE_RATE, FALSE_BOUND, FOUND_RATE = 0.05, 0.06, 0.90
LAGS = (1, 2, 3, 5, 10)
POWER = "8 % found within the default cap"
GOAL, SIDE = Goal(), Config(device="CPU", nireq=1)

Pair = tuple[Block, Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Noise to duel on: blocks of which consecutive ones make a pair, or else pairs of (candidate, baseline).

    Attributes:
        cap: The pairs that a duel on it has time for.
        blocks: The blocks.
        pairs: The pairs.
        shortest: How many pairs the shortest run of neighbours has; the longest has twice as many.
    """

    cap: int
    blocks: tuple[Block, ...] = ()
    pairs: tuple[Pair, ...] = ()
    shortest: int

    @property
    def length(self) -> int:
        """How many pairs it holds."""
        return len(self.pairs) or len(self.blocks) // 2

    def drawn(self, count: int, generator: np.random.Generator) -> list[Pair]:
        """``count`` pairs (candidate, baseline) for one duel."""
        if self.pairs:
            places = _joined(len(self.pairs), self.shortest, generator)
            found = [self.pairs[i] for i in itertools.islice(places, count)]
        else:
            blocks = (self.blocks[i] for i in _joined(len(self.blocks), 2 * self.shortest, generator))
            found = _paired(list(itertools.islice(_kept(blocks), 2 * count)))
        return [(b, a) for a, b in found] if generator.random() < 0.5 else found


def main() -> None:
    """Measures, prints, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--simulate", action="store_true", help="make three recordings up instead")
    parser.add_argument("--duels", type=int, default=3000, help="per kind and recording, over all preferences")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    if not asked.recordings and not asked.simulate:
        parser.error("name a recording, or --simulate")
    duels = asked.duels // 20 if asked.quick else asked.duels
    found = [(path.name, recording_file.read(path)) for path in asked.recordings]
    if asked.simulate:
        found += [(f"simulated {seed}", simulated.recording(seed)) for seed in range(3)]
    told = [shown(name, recording, duels, asked.seed) for name, recording in found]
    met = judged([rates for rates in told if rates], quick=asked.quick)
    sys.exit(not met and not asked.quick)


def judged(told: Sequence[Mapping[str, tuple[int, int]]], *, quick: bool) -> bool:
    """Prints the rates over all recordings together; whether they meet the targets."""
    print("\nall recordings together, %")
    met = bool(told)
    for name in dict.fromkeys(key for rates in told for key in rates):
        hits, duels = (sum(rates[name][place] for rates in told if name in rates) for place in (0, 1))
        if name.startswith(POWER):
            holds = hits >= FOUND_RATE * duels
        else:
            holds = hits <= FALSE_RATE * duels and bounds(hits, duels)[1] <= FALSE_BOUND
        met &= holds
        said = "" if quick else ": as wanted" if holds else ": NOT AS WANTED"
        print(f"  {name:<52}{_share(hits, duels):<24} of {duels:,} duels{said}")
    return met


def shown(name: str, recording: Recording, duels: int, seed: int) -> dict[str, tuple[int, int]]:
    """Prints all that there is to say of one recording; what is judged: how many of how many duels, by name."""
    kinds = {"itself": itself(recording), "neighbours": neighbours(recording), "two": two(recording)}
    print(f"\n{name}: {recording.header.environment.cpu}, {recording.header.environment.cpus} CPUs")
    if not any(kinds.values()):
        print(f"no config has {LEAST_BLOCKS} blocks: nothing can be said")
        return {}
    print(f"{'equal configs':<24}{'pairs':>6}{'duels':>7}  {'better or trade, %':<26}{'worse, %':<26}equal, %")
    rates = {}
    for kind, traces in kinds.items():
        for prefer in PREFERENCES if traces else ():
            hits = false_verdicts(kind, traces, prefer, duels // len(PREFERENCES), seed)
            if kind != "two":
                rates[f"better or trade, {kind}, {prefer}"] = (hits, duels // len(PREFERENCES))
    print(f"\n{'correlation of pair differences at lag':<44}" + "".join(f"{lag:>8}" for lag in LAGS))
    for kind, traces in kinds.items():
        for what, log in (("throughput", _throughput), ("p95", _latency)):
            correlation(kind, what, traces, log)
    for prefer in PREFERENCES if kinds["neighbours"] else ():
        rates[f"{POWER}, {prefer}"] = (power(kinds["neighbours"], prefer, duels // 10, seed), duels // 10)
    return rates


def false_verdicts(kind: str, traces: Sequence[Trace], prefer: Prefer, duels: int, seed: int) -> int:
    """Duels of equal configs; how many ended as better or trade."""
    generator = np.random.default_rng([seed, 1])
    standings: Counter[str] = Counter()
    for number in range(duels):
        trace = traces[number % len(traces)]
        standings[fought(trace.drawn(trace.cap, generator), prefer, trace.cap)] += 1
    gained = standings["better"] + standings["trade"]
    apart = sum(trace.length // trace.cap for trace in traces)
    caps = sorted({trace.cap for trace in traces})
    shown = f"{caps[0]}" if len(caps) == 1 else f"{caps[0]}-{caps[-1]}"
    print(
        f"{kind + ', ' + prefer:<24}{shown:>6}{duels:>7}  {_share(gained, duels):<26}"
        f"{_share(standings['worse'], duels):<26}{100 * standings['equal'] / duels:.1f}  ({apart} apart)"
    )
    return gained


def fought(pairs: Sequence[Pair], prefer: Prefer, cap: int) -> str:
    """How a duel of ``cap`` pairs ends: at the first planned look that decides."""
    planned = duel.looks(cap)
    standing = "undecided"
    for look in planned:
        made = tuple(pairs[:look])
        fight = Duel(candidate=SIDE, baseline=SIDE, goal=GOAL, pairs=made, planned=planned, earlier=0)
        standing = fight.score(prefer, GOAL).standing
        if standing != "undecided":
            break
    return standing


def power(traces: Sequence[Trace], prefer: Prefer, duels: int, seed: int) -> int:
    """The table of detection; how often 8 % is found within the default cap."""
    trace = traces[0]
    print(
        f"\n{prefer}: true differences found (better or trade), % of {duels} duels, +-{_reach(duels):.0f} at the most"
    )
    print(f"{'pairs':<22}" + "".join(f"{100 * d:>7.0f} %" for d in DIFFERENCES))
    found: dict[tuple[int, float], int] = {}
    scaled = {d: {id(b): _shifted(b, math.log1p(d)) for b in trace.blocks} for d in DIFFERENCES}
    for pairs in sorted({*PAIRS, trace.cap}):
        for difference in DIFFERENCES:
            generator = np.random.default_rng([seed, 2])
            ends = (
                fought([(scaled[difference][id(a)], b) for a, b in trace.drawn(pairs, generator)], prefer, pairs)
                for _ in range(duels)
            )
            found[pairs, difference] = sum(end in {"better", "trade"} for end in ends)
        row = "".join(f"{100 * found[pairs, d] / duels:>9.0f}" for d in DIFFERENCES)
        print(f"{f'{pairs} (default cap)' if pairs == trace.cap else pairs!s:<22}{row}")
    for difference in (0.08, 0.05):
        enough = [p for p in sorted({pairs for pairs, _ in found}) if found[p, difference] >= FOUND_RATE * duels]
        confirm_s = enough[0] * CONFIRM_S / trace.cap if enough else math.inf
        needs = f"{enough[0]} pairs, --confirm {confirm_s:.0f}s here" if enough else f"more than {PAIRS[-1]} pairs"
        print(f"{difference:.0%} in {FOUND_RATE:.0%} of duels needs {needs}")
    return found[trace.cap, 0.08]


def correlation(kind: str, what: str, traces: Sequence[Trace], log: Callable[[Block], float]) -> None:
    """How the differences of successive pairs of a trace correlate, by their ranks, over all traces."""
    sums, counts = np.zeros(len(LAGS)), np.zeros(len(LAGS))
    for trace in traces:
        pairs = trace.pairs or _paired(trace.blocks)
        differences = np.array([log(a) - log(b) for a, b in pairs])
        ranks = np.argsort(np.argsort(differences)) - (len(differences) - 1) / 2
        for place, lag in enumerate(LAGS):
            if len(ranks) > 2 * lag:
                sums[place] += np.sum(ranks[lag:] * ranks[:-lag]) / np.mean(ranks**2)
                counts[place] += len(ranks) - lag
    if np.all(counts):
        shown = "".join(f"{s / n:>8.2f}" for s, n in zip(sums, counts, strict=True))
        print(f"{f'{kind}, {what} (standard error {counts[0] ** -0.5:.2f})':<44}{shown}")


def itself(recording: Recording) -> list[Trace]:
    """The blocks of each config, one trace per config."""
    return [
        Trace(cap=_cap(records, records), blocks=tuple(_block(r, recording) for r in records), shortest=SHORTEST // 2)
        for records in _often(recording).values()
    ]


def neighbours(recording: Recording) -> list[Trace]:
    """One trace of all blocks from the first round on that holds nothing but configs that were visited often."""
    often = _often(recording)
    if not often:
        return []
    rare = [r.round for r in recording.records if r.config.key not in often and r.ok]
    centres = {key: _centred([_block(r, recording) for r in records]) for key, records in often.items()}
    first = max(rare, default=-1) + 1
    places = {id(r): (key, i) for key, records in often.items() for i, r in enumerate(records)}
    chosen = [places[id(r)] for r in recording.records if id(r) in places and r.round >= first]
    every = [r for records in often.values() for r in records]
    cap = _cap(every, every)
    blocks = tuple(centres[key][i] for key, i in chosen)
    return [Trace(cap=cap, blocks=blocks, shortest=SHORTEST)] if len(blocks) >= 4 * SHORTEST else []


def two(recording: Recording) -> list[Trace]:
    """Pairs of the blocks that two configs have in the same rounds, for neighbours in the list of configs by speed."""
    tracks = sorted(_often(recording).values(), key=lambda rs: float(np.median([r.throughput_per_s or 0 for r in rs])))
    found = []
    for one, other in [*itertools.pairwise(tracks), *zip(tracks, tracks[3:], strict=False)]:
        by_round = {r.round: r for r in other}
        both = [(r, by_round[r.round]) for r in one if r.round in by_round]
        pairs = [(_block(a, recording), _block(b, recording)) for a, b in both]
        if len(pairs) >= 2 * SHORTEST:
            found.append(Trace(cap=_cap(one, other), pairs=tuple(_equalised(pairs)), shortest=SHORTEST))
    return found


def bounds(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share by Clopper and Pearson (1934), by bisection of the binomial's tails."""
    low = _root(lambda p: _upper_tail(hits, of, p) - 0.025) if hits else 0.0
    high = _root(lambda p: _upper_tail(hits + 1, of, p) - 0.975) if hits < of else 1.0
    return low, high


def _upper_tail(least: int, of: int, share: float) -> float:
    """P(Binomial(of, share) >= least)."""
    logs = (
        math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
        + k * math.log(share) + (of - k) * math.log1p(-share)
        for k in range(least)
    )  # fmt: skip
    return 1 - math.fsum(math.exp(value) for value in logs)


def _root(rising: Callable[[float], float]) -> float:
    low, high = 1e-12, 1 - 1e-12
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _share(hits: int, of: int) -> str:
    low, high = bounds(hits, of)
    return f"{100 * hits / of:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _reach(of: int) -> float:
    return 100 * 1.96 * 0.5 / math.sqrt(of)


def _joined(length: int, shortest: int, generator: np.random.Generator) -> Iterator[int]:
    """Places of a trace: runs of neighbours, each from ``shortest`` to twice as long, and as many pairs as that."""
    while True:
        run = min(2 * int(generator.integers(shortest // 2, shortest + 1)), length // 2 * 2)
        start = int(generator.integers(length - run + 1))
        yield from range(start, start + run)


def _kept(blocks: Iterator[Block]) -> Iterator[Block]:
    """Of blocks in the order of time those that a search keeps: up to a fifth of its visits repeat contended ones."""
    visits, repeats = VISITS_BEFORE, 0
    for block in blocks:
        visits += 1
        if block.contended and repeats < 0.2 * visits:
            repeats, visits = repeats + 1, visits + 1
            yield next(blocks)
        else:
            yield block


def _paired(blocks: Sequence[Block]) -> list[Pair]:
    """Consecutive blocks as the pairs (candidate, baseline) of a duel that went in its own order."""
    turns = enumerate(zip(blocks[::2], blocks[1::2], strict=False))
    return [(a, b) if duel.order(pair)[0] == "candidate" else (b, a) for pair, (a, b) in turns]


def _often(recording: Recording) -> dict[str, list[Record]]:
    """The records that came to numbers of the configs that have enough of them, in the order of time."""
    tracks: defaultdict[str, list[Record]] = defaultdict(list)
    for record in recording.records:
        if record.ok:
            tracks[record.config.key].append(record)
    return {key: records for key, records in tracks.items() if len(records) >= LEAST_BLOCKS}


def _cap(one: Sequence[Record], other: Sequence[Record]) -> int:
    """The pairs that a duel has time for, as confirmation counts them."""
    pair_s = float(np.median([r.cost_s for r in one]) + np.median([r.cost_s for r in other]))
    return min(max(int(DUEL_S / pair_s), duel.LEAST_PAIRS), duel.MOST_PAIRS)


def _block(record: Record, recording: Recording) -> Block:
    return block_of(record, recording.header, started_at=record.started_s)


def _throughput(block: Block) -> float:
    return math.log(block.throughput_per_s)


def _latency(block: Block) -> float:
    told: dict[str, float] = dict(_summary(block).latency_ms)
    return math.log(told.get("p95", told["p50"]))


def _summary(block: Block) -> Summary:
    return block.summary or Summary(
        count=block.count, latency_ms={m: block.latency_ms(m) for m in ("mean", "p50", "p90", "p95", "p99")}
    )


def _shifted(block: Block, gain: float, shifts: dict[str, float] | None = None) -> Block:
    """The block with its throughput multiplied by exp(gain), and each latency divided by that or its own factor."""
    summary = _summary(block)
    told = {m: v * math.exp(-(shifts[m] if shifts else gain)) for m, v in summary.latency_ms.items()}
    elapsed_s = block.elapsed_s * math.exp(-gain)
    return replace(block, elapsed_s=elapsed_s, samples=b"", summary=replace(summary, latency_ms=told))


def _centred(blocks: Sequence[Block]) -> list[Block]:
    """The blocks, each metric divided by its location over all of them."""
    centre = stats.location(np.array([_throughput(b) for b in blocks]))
    metrics = _common([_summary(b) for b in blocks])
    shifts = {m: stats.location(np.log([_summary(b).latency_ms[m] for b in blocks])) for m in metrics}
    return [_shifted(_only(b, metrics), -centre, shifts) for b in blocks]


def _equalised(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with the location of their differences taken from the second blocks, metric by metric."""
    metrics = _common([_summary(b) for pair in pairs for b in pair])
    gain = stats.location(np.array([_throughput(a) - _throughput(b) for a, b in pairs]))
    logs = {m: _logs(pairs, m) for m in metrics}
    shifts = {m: -stats.location(one - other) for m, (one, other) in logs.items()}
    return [(_only(a, metrics), _shifted(_only(b, metrics), gain, shifts)) for a, b in pairs]


def _logs(pairs: Sequence[Pair], metric: str) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    one, other = (np.log([_summary(pair[side]).latency_ms[metric] for pair in pairs]) for side in (0, 1))
    return one, other


def _common(summaries: Sequence[Summary]) -> list[str]:
    return [m for m in summaries[0].latency_ms if all(m in s.latency_ms for s in summaries)]


def _only(block: Block, metrics: Sequence[str]) -> Block:
    summary = _summary(block)
    told = {m: v for m, v in summary.latency_ms.items() if m in metrics}
    return replace(block, samples=b"", summary=replace(summary, latency_ms=told))


if __name__ == "__main__":
    main()

"""What a check found, in words: the sentence, the rows of its table, and the JSON tree."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ovtune import check, duel, stats
from ovtune.check import Absolute, Judgement
from ovtune.checking import Finding
from ovtune.duel import Ratio
from ovtune.measurement import Block, LatencyMetric
from ovtune.promise import Promise
from ovtune.soak import Course, Soak
from ovtune.terminal import course, milliseconds, rate, ratio_words
from ovtune.unit import enough


def sentence(finding: Finding) -> str:
    """The answer in one sentence."""
    judgement = finding.pairs.judgement
    match finding.kind:
        case "holds" if judgement is not None and judgement.ratio is not None:
            said = f"it is {_ratio(judgement.ratio, judgement, finding.promise)}"
            absolute = judgement.absolute
            if absolute is not None and absolute.standing == "machine":
                said += f"; {_absolute(absolute, finding)}"
            return said
        case "holds":
            return "no more blocks are below the promised interval than chance allows"
        case "slower":
            return "; ".join(_complaints(finding))
        case _:
            return _open(finding)


def rows(finding: Finding) -> list[tuple[str, str]]:
    """The table: a name and a text in each row."""
    promise, judgement = finding.promise, finding.pairs.judgement
    found = [("config", promise.config.words)]
    found += _today(finding.pairs.blocks, judgement)
    if promise.opponent is not None:
        found.append(("beside", f"{promise.opponent.name}: {promise.opponent.config.words}"))
        found += _today(finding.pairs.others, judgement)
    else:
        found.append(("beside", "nothing: it is its own baseline, and the search found no rival to it"))
    if judgement is not None and judgement.ratio is not None:
        found.append(("ratio", f"{ratio_words(judgement.ratio)} in {_objective(judgement, promise)}"))
        less = f"{promise.floor:.3f} with the margin of {100 * promise.goal.margin:.3g} %"
        found.append(("promised", f"at least {promise.least:.3f}: {less}"))
    if judgement is not None and judgement.absolute is not None:
        found.append(("next block", _within(judgement.absolute)))
    if finding.soak is not None:
        found += _soak_rows(finding.soak, finding)
    return found


def warnings(finding: Finding) -> Iterator[str]:
    """What is to be said besides, a line each."""
    yield from finding.differences
    if finding.promise.next_per_s is None:
        yield "the published throughput is from other circumstances: it was not compared with today's"
    if finding.unconfirmed:
        yield "the config was not confirmed against the baseline when the document was written"
    if not finding.promise.limits:
        yield "no config met the limits when the document was written: they were not checked"
    promise, judgement = finding.promise, finding.pairs.judgement
    ratio = judgement.ratio if judgement is not None else None
    ahead = ratio is not None and ratio.high < 1 - promise.goal.margin
    if promise.opponent is not None and ahead and not promise.excused:
        yield f"{promise.opponent.name} is shown to be better here by more than the margin: use that, or search again"
    contended = [block.contended for block in _all(finding)]
    if any(contended):
        yield f"other processes used the machine during {sum(contended)} of {len(contended)} blocks"
    if finding.failures:
        visits = "1 visit" if len(finding.failures) == 1 else f"{len(finding.failures)} visits"
        yield f"{visits} came to nothing, the last one: {finding.failures[-1]}"


def tree(finding: Finding) -> dict[str, Any]:
    """The finding for a program: numbers as they are, ends without a bound as null."""
    promise, pairs = finding.promise, finding.pairs
    judgement = pairs.judgement
    ratio = judgement.ratio if judgement is not None else None
    absolute = judgement.absolute if judgement is not None else None
    metric = judgement.metric if judgement is not None else promise.goal.latency
    return {
        "kind": finding.kind,
        "text": sentence(finding),
        "interrupted": finding.interrupted,
        "objective": promise.prefer,
        "latency": metric,
        "ratio": _bounded(ratio) if ratio is not None else None,
        "promised": promise.least if promise.opponent is not None else None,
        "floor": promise.floor if promise.opponent is not None else None,
        "margin": promise.goal.margin,
        "opponent": promise.opponent.name if promise.opponent is not None else None,
        "pairs": len(pairs.others),
        "more_pairs": judgement.more if judgement is not None else None,
        "pair_s": pairs.pair_s,
        "blocks": {
            "config": [_block(block, metric) for block in pairs.blocks],
            "opponent": [_block(block, metric) for block in pairs.others],
        },
        "next_block": _next_block(absolute) if absolute is not None else None,
        "limits_broken": list(judgement.broken) if judgement is not None else [],
        "differences": list(finding.differences),
        "warnings": list(warnings(finding)),
        "soak": _soak_tree(finding.soak) if finding.soak is not None else None,
    }


def _complaints(finding: Finding) -> Iterator[str]:
    promise, judgement = finding.promise, finding.pairs.judgement
    if judgement is not None:
        if judgement.relative == "slower" and judgement.ratio is not None:
            yield f"it is {_ratio(judgement.ratio, judgement, promise)}"
        if judgement.absolute is not None and judgement.absolute.standing == "below":
            yield _absolute(judgement.absolute, finding)
        yield from judgement.broken
    if finding.soak is not None and finding.soak.below(promise.floor):
        yield f"over the soak the ratio is {finding.soak.ratio:.3f}, promised at least {promise.floor:.3f}"


def _open(finding: Finding) -> str:
    """What is not decided, and what would decide it."""
    promise, pairs = finding.promise, finding.pairs
    judgement = pairs.judgement
    made = _made(len(pairs.blocks), "pair" if promise.opponent is not None else "block")
    if pairs.cut or judgement is None:
        return f"{made}, too few to tell: it was interrupted" if pairs.cut else f"{made}, too few to tell"
    if len(pairs.blocks) < check.LEAST_BLOCKS:
        wanted = enough(3 * duel.LEAST_PAIRS * pairs.pair_s)
        return f"{made}, too few to tell: give it time, as in --confirm {wanted}"
    if judgement.absolute is not None and judgement.absolute.standing == "open" and judgement.relative != "undecided":
        return _absolute(judgement.absolute, finding)
    return f"{made}, {_wanted(promise, judgement, pairs.pair_s)}"


def _wanted(promise: Promise, judgement: Judgement, pair_s: float) -> str:
    """What would decide the ratio."""
    if promise.work not in {None, judgement.work}:
        return (
            f"but the {promise.work} per inference, which is promised, cannot be told here: run it as it was measured"
        )
    said = f"and the ratio may lie on either side of {promise.floor:.3f}"
    if judgement.more is None:
        return f"{said}: it is too near to it to be told apart; a wider --margin can be shown"
    total = judgement.blocks + judgement.more
    if total > duel.MOST_PAIRS:
        return f"{said}: it would take about {total} pairs, more than a check makes; a wider --margin takes fewer"
    return f"{said}: about {judgement.more} more would decide it, as in --confirm {enough(1.1 * total * pair_s)}"


def _made(count: int, what: str) -> str:
    return f"{count} {what} was measured" if count == 1 else f"{count} {what}s were measured"


def _ratio(ratio: Ratio, judgement: Judgement, promise: Promise) -> str:
    opponent = promise.opponent.name if promise.opponent is not None else "nothing"
    return (
        f"{ratio_words(ratio)} times as good as {opponent} in {_objective(judgement, promise)}, "
        f"and {promise.floor:.3f} is promised, margin included"
    )


def _objective(judgement: Judgement, promise: Promise) -> str:
    return {
        "throughput": "throughput",
        "latency": f"{judgement.metric} latency",
        "balanced": f"throughput / {judgement.metric} latency",
        "efficiency": f"{judgement.work} per inference",
    }[promise.prefer]


def _today(blocks: tuple[Block, ...], judgement: Judgement | None) -> list[tuple[str, str]]:
    if not blocks or judgement is None:
        return []
    throughput = math.exp(stats.location(np.log([block.throughput_per_s for block in blocks])))
    latency = float(np.median([block.latency_ms(judgement.metric) for block in blocks]))
    count = "1 block" if len(blocks) == 1 else f"{len(blocks)} blocks"
    told = f"{rate(throughput)}/s, {judgement.metric} {milliseconds(latency)}, {count}"
    return [("  today", told)]


def _within(absolute: Absolute) -> str:
    inside = f"{absolute.blocks - absolute.outside} of {absolute.blocks}"
    blocks = "block" if absolute.blocks == 1 else "blocks"
    return f"{inside} {blocks} within {rate(absolute.low)} to {rate(absolute.high)}/s, {absolute.below} below"


def _absolute(absolute: Absolute, finding: Finding) -> str:
    """What more blocks below the interval than chance allows mean."""
    said = f"{absolute.below} of {absolute.blocks} blocks ran below the promised {rate(absolute.low)}/s"
    opponent = finding.promise.opponent
    match absolute.standing:
        case "below":
            return f"{said}, and {opponent.name if opponent else 'nothing'} did not slow down alike"
        case "machine":
            return f"{said}, but the machine is slower: {_slowed(finding)}"
        case _:
            why = "with nothing beside it" if opponent is None else "with so few pairs"
            return f"{said}; whether the machine or the config is slower cannot be told {why}"


def _slowed(finding: Finding) -> str:
    opponent = finding.promise.opponent
    if opponent is None or not opponent.throughput_per_s:
        return "what it is compared with, too"
    today = math.exp(stats.location(np.log([block.throughput_per_s for block in finding.pairs.others])))
    return f"{opponent.name} has {today / opponent.throughput_per_s:.0%} of its published throughput, too"


def _soak_rows(soak: Soak, finding: Finding) -> Iterator[tuple[str, str]]:
    yield "soak", course(soak.config)
    if soak.opponent is not None and finding.promise.opponent is not None:
        yield f"  {finding.promise.opponent.name}", course(soak.opponent)
    if soak.ratio is not None:
        yield "  ratio", f"{soak.ratio:.3f} over the whole soak"


def _all(finding: Finding) -> tuple[Block, ...]:
    return (*finding.pairs.blocks, *finding.pairs.others)


def _bounded(ratio: Ratio) -> dict[str, float | None]:
    low, high = (end if math.isfinite(end) and end > 0 else None for end in (ratio.low, ratio.high))
    return {"value": ratio.value, "low": low, "high": high}


def _block(block: Block, metric: LatencyMetric) -> dict[str, float]:
    return {
        "throughput_per_s": block.throughput_per_s,
        "latency_ms": block.latency_ms(metric),
        "cpu_ms_per_inference": block.cpu_ms_per_inference,
        "started_at": block.started_at,
    }


def _next_block(absolute: Absolute) -> dict[str, Any]:
    return {
        "standing": absolute.standing,
        "low": absolute.low,
        "high": absolute.high,
        "blocks": absolute.blocks,
        "below": absolute.below,
        "outside_share": absolute.outside / absolute.blocks,
        "chance": absolute.chance,
    }


def _soak_tree(soak: Soak) -> dict[str, Any]:
    courses = {"config": soak.config, "opponent": soak.opponent}
    names = Course.__dataclass_fields__
    found: dict[str, Any] = {
        side: {name: getattr(course, name) for name in names} if course is not None else None
        for side, course in courses.items()
    }
    return found | {"ratio": soak.ratio, "ratio_high": soak.high}

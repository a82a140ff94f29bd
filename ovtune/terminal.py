"""What commands show on a terminal when they are done: results as renderables, nothing printed."""

import math
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ovtune.comparison import Comparison, common_words, contest_words, notes_of
from ovtune.config import Config, shown, spelled
from ovtune.duel import Ratio
from ovtune.energy import Access, access
from ovtune.estimate import Estimate, Unavailable
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.figures import Interval, Measured
from ovtune.goal import Goal
from ovtune.measurement import Block, LatencyMetric, count_of
from ovtune.move import Standing, moves_of
from ovtune.result import Result
from ovtune.serving import told_of
from ovtune.soak import Course
from ovtune.space import Advice
from ovtune.store import Summary
from ovtune.study import agreement_of, complete
from ovtune.survey import Sight
from ovtune.unit import show_duration

_VERDICT_STYLES: Mapping[str, str] = {
    "better": "bold green",
    "trade": "bold green",
    "equal": "bold cyan",
    "undecided": "bold yellow",
    "infeasible": "bold red",
    "unconfirmed": "bold yellow",
}
_ENERGY: Mapping[Access, str] = {
    "readable": "energy per inference: told from the processor's counters",
    "root only": "energy per inference: run as root to read the processor's counters",
    "none": "energy per inference: this host has no counters for it",
}

_HINTS = {"none": "no settings"}
_STANDINGS: Mapping[Standing, Text] = {
    "moved": Text("yes", style="bold"),
    "alike": Text("not more than noise and margin"),
    "held up": Text("unknown: other work held it up", style="yellow"),
}
_CHECK_STYLES: Mapping[str, str] = {"holds": "bold green", "slower": "bold red", "undecided": "bold yellow"}


def outcome_words(outcome: Outcome, metric: LatencyMetric = "p50") -> str:
    """What came of a visit, in words, with the latency ``metric`` where it tells that."""
    match outcome:
        case Block() as block:
            name: LatencyMetric = metric if count_of(block.latencies, metric) else "p50"
            held_up = ", held up by other work" if block.contended else ""
            return f"{rate(block.throughput_per_s)}/s, {name} {milliseconds(block.latency_ms(name))}{held_up}"
        case SameAs():
            return "runs exactly as one that was measured: shared"
        case Infeasible(reason=reason):
            return f"infeasible: {reason}"
        case Failed(reason=reason):
            return f"failed: {reason}"


def summary(result: Result, best: str, report: str) -> RenderableType:
    """The closing summary of a search."""
    verdict = result.verdict
    table = Table.grid(padding=(0, 2))
    table.add_row("config", Text(result.recommended.words, overflow="fold"))
    served = shown(result.measured.effective.get("EXECUTION_DEVICES", ""))
    if served not in {"", result.recommended.device}:
        table.add_row("  served by", Text(served, overflow="fold"))
    mine = _figures(result.measured, result.goal)
    for name, value in (*_capacity(result, result.recommended), *mine, *_outputs(result, result.recommended)):
        table.add_row(name, value)
    for name, value in _beside(result):
        table.add_row(name, Text(value, overflow="fold"))
    for caveat in result.caveats:
        table.add_row("caveat", Text(caveat.text, style="yellow", overflow="fold"))
    if result.sharing.words:
        table.add_row("shared", Text(result.sharing.words, overflow="fold"))
    if result.study.setup.lead is not None:
        table.add_row("begun with", Text(result.study.setup.lead.details, overflow="fold"))
    if result.study.stopped not in {"", complete(result.study.trials)}:
        table.add_row("ended", Text(result.study.stopped, overflow="fold"))
    if result.soak is not None:
        table.add_row("soak", Text(course(result.soak.config), overflow="fold"))
        if result.soak.opponent is not None:
            table.add_row("  baseline", Text(course(result.soak.opponent), overflow="fold"))
    table.add_row("deploy", Text(best, overflow="fold"))
    table.add_row("report", Text(report, overflow="fold"))
    return Group(Text(verdict.kind.upper() + ": " + verdict.text, style=_VERDICT_STYLES[verdict.kind]), table)


def _beside(result: Result) -> list[tuple[str, str]]:
    """What the recommended config is held against: the baseline with its figures, or where it is that, its rival."""
    study, verdict = result.study, result.verdict
    if study.owner(result.recommended) != study.owner(result.baseline.config):
        figures = _figures(result.baseline_measured, result.goal)
        outputs = _outputs(result, result.baseline.config)
        return [("against", result.baseline.name), *_capacity(result, result.baseline.config), *figures, *outputs]
    rows = [("which is", result.baseline.name)]
    if verdict.rival is None or verdict.metric is None:
        return rows
    rows.append(("rival", verdict.rival.words))
    ratios = {"throughput": verdict.throughput_ratio, verdict.metric: verdict.latency_ratio}
    if verdict.work is not None:
        ratios[verdict.work] = verdict.cost_ratio
    for name, ratio in ratios.items():
        if ratio is not None:
            rows.append((f"  {name}", f"{ratio_words(ratio)} times as much"))
    return rows


def ratio_words(ratio: Ratio) -> str:
    """A ratio with its interval; an end without a bound is ``?``."""
    low, high = (f"{end:.3f}" if math.isfinite(end) and end > 0 else "?" for end in (ratio.low, ratio.high))
    return f"{ratio.value:.3f} ({low} to {high})" if {low, high} != {"?"} else f"{ratio.value:.3f} (no interval yet)"


def check(kind: str, sentence: str, rows: Sequence[tuple[str, str]]) -> RenderableType:
    """What a check found: the answer, and the table below it."""
    table = Table.grid(padding=(0, 2))
    for name, text in rows:
        table.add_row(name, Text(text, overflow="fold"))
    return Group(Text(f"{kind.upper()}: {sentence}", style=_CHECK_STYLES[kind]), table)


def studies(summaries: Sequence[Summary]) -> Table:
    """The list of studies."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("study", "model", "trials", "created", "state"):
        fixed = column in {"trials", "created"}
        table.add_column(column, overflow="fold", justify="right" if column == "trials" else "left", no_wrap=fixed)
    for one in summaries:
        state = one.stopped or "running, or cut off"
        table.add_row(one.name, Text(one.model), str(one.trials), one.created[:16].replace("T", " "), state)
    return table


def comparison(found: Comparison, names: tuple[str, str]) -> RenderableType:
    """Two studies beside each other: what is to be known, who wins for each preference, what differs around them."""
    contests = Table(box=box.SIMPLE_HEAD)
    for column in ("for", "ahead", *names):
        contests.add_column(column, overflow="fold")
    for one in found.contests:
        sides = [Text(f"{side.config.words}: {_short(side, found)}") for side in (one.first, one.second)]
        style = "bold" if one.winner in {"first", "second"} else ""
        contests.add_row(one.prefer, Text(contest_words(one, names), style=style), *sides)
    changes = Table(box=box.SIMPLE_HEAD)
    for column in ("differs", *names):
        changes.add_column(column, overflow="fold")
    for change in found.circumstances:
        if change.differs:
            changes.add_row(change.name, Text(change.first), Text(change.second))
    around = changes if changes.row_count else Text("Nothing differs around them.")
    notes = [Text(note) for note in notes_of(found, names)]
    return Group(*notes, Text(common_words(found, names)), contests, around)


def moves(found: Comparison, names: tuple[str, str]) -> RenderableType:
    """What moved from the first study to the second: each config that both measured."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("config", found.objective.short, found.metric, "moved"):
        table.add_column(column, overflow="fold")
    known = moves_of(found)
    for one in known:
        latency = "" if one.latency is None else ratio_words(one.latency)
        table.add_row(Text(one.config.words), ratio_words(one.weighed), latency, _STANDINGS[one.standing])
    count = sum(one.standing == "moved" for one in known)
    said = f"{count} of {len(known)} configs that {names[0]} and {names[1]} both measured moved; now / then:"
    if not known:
        return Text(f"{names[0]} and {names[1]} have no config in common under one load: nothing tells what moved.")
    study = found.second.study
    tried = {visit.config.key for visit in study.visits}
    left = [] if study.setup.lead is None else [c.words for c in study.setup.lead.configs if c.key not in tried]
    told = [Text(f"Not tried yet: {'; '.join(left)}. The same command with more --trials does.")] if left else []
    return Group(Text(said), table, *told)


def _short(estimate: Estimate, found: Comparison) -> str:
    metric, objective = found.metric, found.objective
    latency = estimate.latency_ms[metric]
    shown = f"{metric} unavailable" if isinstance(latency, Unavailable) else f"{metric} {milliseconds(latency.value)}"
    return f"{objective.prefix}{rate(objective.of(estimate).value)}{objective.unit}, {shown}"


def settings(config: Config, effective: Mapping[str, object]) -> Table:
    """Requested beside effective settings."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("setting", "requested", "effective"):
        table.add_column(column, overflow="fold")
    flat = {"device": config.device, "nireq": config.nireq, "batch_size": config.batch_size} | dict(config.properties)
    found = _flat(effective)
    for name in (*flat, *(n for n in found if n not in flat)):
        requested = str(flat.get(name, ""))
        inner = dict.fromkeys(value for key, value in found.items() if key.endswith(f".{name}"))
        got = found.get(name) or ", ".join(inner)
        differs = bool(requested and got and spelled(requested) != spelled(got))
        table.add_row(name, Text(requested), Text(got, style="yellow" if differs else ""))
    return table


def devices(seen: Sight, advice: Sequence[Advice], refused: Mapping[str, str]) -> list[Table]:
    """The devices of a host, and OpenVINO's own answers on them for a model."""
    own = Table(box=box.SIMPLE_HEAD, title=f"OpenVINO {seen.version}", title_justify="left")
    told = {
        "driver": [device.driver for device in seen.devices],
        "memory": [f"{device.memory_bytes / 2**30:.1f} GiB" if device.memory_bytes else "" for device in seen.devices],
    }
    known = [name for name, values in told.items() if any(values)]
    for column in ("device", "name", "precision", *known, "capabilities"):
        own.add_column(column, overflow="fold")
    for place, device in enumerate(seen.devices):
        more = [Text(told[name][place]) for name in known]
        own.add_row(device.name, Text(device.full_name), device.precision, *more, Text(", ".join(device.capabilities)))
    own.caption = _ENERGY[access()]
    own.caption_justify = "left"
    if seen.model is None:
        return [own]
    title = Text(f"OpenVINO's own answers for {seen.model.path}")
    answers = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    answers.add_column("device, hint", overflow="fold", min_width=22)
    for column in ("requests", "streams", "threads", "precision"):
        answers.add_column(column, overflow="fold", justify="right" if column != "precision" else "left")
    answers.add_column("served by", overflow="fold")
    for name in dict.fromkeys(answer.device for answer in advice):
        answers.add_row(Text(name, style="bold"))
        for answer in (answer for answer in advice if answer.device == name):
            answers.add_row(f" {_HINTS.get(answer.hint, answer.hint)}", str(answer.nireq), *map(Text, _told(answer)))
    return [own, answers, *([_refused(refused)] if refused else [])]


def _told(answer: Advice) -> Iterator[str]:
    """What an answer comes to; of several devices that serve each one's, in their order."""
    settings_ = _flat(answer.effective)
    served = [name.strip("() ") for name in settings_.get("EXECUTION_DEVICES", "").split(",") if name]
    served = served or list(dict.fromkeys(key.rpartition(".")[0] for key in settings_ if "." in key))
    for name in ("NUM_STREAMS", "INFERENCE_NUM_THREADS", "INFERENCE_PRECISION_HINT"):
        inner = [settings_.get(f"{device}.{name}", "-") for device in served]
        told = settings_.get(name, ", ".join(inner))
        yield "" if set(told) <= set("-, ") else told
    yield settings_.get("EXECUTION_DEVICES", "")


def _refused(reasons: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, why in reasons.items():
        table.add_row(Text(name), Text(f"refused: {why}", style="yellow", overflow="fold"))
    return table


def milliseconds(value: float) -> str:
    """A latency in ms with three digits or more: ``0.0213 ms``, ``3.94 ms``, ``1240 ms``."""
    return f"{value:.0f} ms" if value >= 1000 else f"{value:.3g} ms"


def rate(value: float) -> str:
    """A rate with three digits or more."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _capacity(result: Result, config: Config) -> list[tuple[str, str]]:
    """The line of what a config serves within the limit, where that was asked for and is known."""
    study = result.study
    told = told_of(study.setup.workload, result.goal, result.bands.get(study.owner(config)))
    return [("  capacity", told)] if told is not None else []


def _outputs(result: Result, config: Config) -> list[tuple[str, str]]:
    """The line of how far a config's outputs are from the reference's, where that is known."""
    found = agreement_of(result.study, config)
    if found is None:
        return []
    return [("  outputs", f"{found.words} (beside {found.reference})")]


def course(told: Course) -> str:
    """How a long run went, in words."""
    if told.start_per_s is not None and told.end_per_s is not None:
        said = f"{rate(told.start_per_s)}/s at the start, {rate(told.end_per_s)}/s at the end"
    else:
        said = f"p50 {milliseconds(told.start_ms)} at the start, {milliseconds(told.end_ms)} at the end"
    short = f"; {told.of_short:.0%} of the short blocks' speed" if told.of_short is not None else ""
    return f"{said} of {show_duration(told.elapsed_s)}: {told.remains:.0%} remains{short}"


def _figures(measured: Measured, goal: Goal) -> list[tuple[str, str]]:
    throughput = measured.throughput_per_s
    blocks = f"{measured.blocks} {'block' if measured.blocks == 1 else 'blocks'}"
    rows = [
        ("  throughput", f"{rate(throughput.value)}/s ({rate(throughput.low)} to {rate(throughput.high)}, {blocks})")
    ]
    for name in dict.fromkeys(("p50", goal.latency)):
        told = measured.latency_ms[name]
        match told:
            case Interval():
                shown = f"{milliseconds(told.value)} ({milliseconds(told.low)} to {milliseconds(told.high)})"
            case Unavailable():
                shown = f"unavailable: {told.text}"
        rows.append((f"  {name}", shown))
    work, energy = measured.cpu_ms_per_inference, measured.energy_mj_per_inference
    if "efficiency" in {goal.against, goal.prefer}:
        between = f"{milliseconds(work.low)} to {milliseconds(work.high)}"
        rows.append(("  CPU time", f"{milliseconds(work.value)} ({between}) per inference"))
    if energy is not None:
        between = f"{rate(energy.low)} to {rate(energy.high)}"
        rows.append(("  energy", f"{rate(energy.value)} mJ ({between}) per inference"))
    return rows


def _flat(effective: Mapping[str, object]) -> dict[str, str]:
    """The settings by name, those of a device below AUTO as ``DEVICE.NAME``."""
    flat: dict[str, str] = {}
    for name, value in effective.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": text for inner, text in _flat(value).items()}
        else:
            flat[name] = shown(value)
    return {name.removeprefix("DEVICE_PROPERTIES."): text for name, text in flat.items()}

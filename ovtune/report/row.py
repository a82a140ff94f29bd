"""The trials of a study as rows: what was asked, what came of it, and the settings as asked and as read back."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np

from ovtune import doubt
from ovtune.agreement import share
from ovtune.caveat import Caveat
from ovtune.config import Config, shown, spelled
from ovtune.estimate import Estimate
from ovtune.evaluator import Failed, Infeasible, SameAs
from ovtune.figures import Measured
from ovtune.measurement import LATENCY_METRICS, Block, LatencyMetric
from ovtune.report.number import NONE, Amount, amount, megabytes, number
from ovtune.result import Result, usual
from ovtune.study import CHOOSING, Visit, agreement_of, blocks_by_config, reason_of, trials_of

State = Literal["measured", "again", "shared", "infeasible", "failed"]
_NESTED = "DEVICE_PROPERTIES."


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, as asked and as the runtime read it back; "" where it was not."""

    name: str
    requested: str
    effective: str

    @property
    def differs(self) -> bool:
        """Whether the runtime took something else than was asked for."""
        return bool(self.requested and self.effective) and spelled(self.requested) != spelled(self.effective)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and what is to be said under it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trial.

    Attributes:
        number: The trial's number.
        words: Its config in words.
        names: What else the config is: recommended, or one of OpenVINO's own answers.
        state: What came of it.
        shares: The trial in whose row its measurements are told: that of the config which it ran exactly as, or the
            first of its own config, where it is measured once more. None for its own.
        throughput: Inferences per second; None where nothing was measured.
        latency: Each latency metric; empty where nothing was measured.
        cpu: CPU time per inference; None where nothing was measured.
        error: The outputs' largest difference from the reference's; None where nothing was measured.
        doubts: The kinds of its caveats, in words.
        caveats: Its caveats, as sentences.
        reason: Why it holds no numbers; "" where it does.
        facts: The other figures.
        settings: What was asked beside what the runtime made of it.
        json: A whole document of the config where there is one, else its ``config`` part alone.
        deployable: Whether that is a whole document.
        file: The name under which that is saved.
    """

    number: int
    words: str
    names: tuple[str, ...]
    state: State
    shares: int | None
    throughput: Amount | None
    latency: Mapping[LatencyMetric, Amount]
    cpu: Amount | None
    error: Amount | None
    doubts: tuple[str, ...]
    caveats: tuple[str, ...]
    reason: str
    facts: tuple[Fact, ...]
    settings: tuple[Setting, ...]
    json: str
    deployable: bool
    file: str

    @property
    def state_text(self) -> str:
        """What came of it, in words."""
        if self.shares is None:
            return self.state
        return f"trial {self.shares} again" if self.state == "again" else f"same as trial {self.shares}"


def rows_of(result: Result, names: Mapping[str, tuple[str, ...]], documents: Mapping[str, str]) -> tuple[Row, ...]:
    """All trials of the search in their order.

    Args:
        result: The result.
        names: What else a config is, by its key.
        documents: Whole documents of some configs, by key.
    """
    visits = trials_of(result.study)
    trials = first_trials(visits)
    blocks = blocks_by_config(result.study.visits, *CHOOSING)
    found = []
    for visit in visits:
        row = _row(result, visit, trials, blocks)
        first = trials.get(visit.config.key)
        if row.state == "measured" and first != visit.trial:
            row = replace(row, state="again", shares=first)
        document = documents.get(visit.config.key)
        kind = "config" if document is None else "best"
        found.append(
            replace(
                row,
                names=names.get(visit.config.key, ()),
                json=row.json if document is None else document,
                deployable=document is not None,
                file=f"{result.study.name}-trial-{visit.trial}.{kind}.json",
            )
        )
    return tuple(found)


def first_trials(visits: Iterable[Visit]) -> dict[str, int]:
    """The first trial of each config, by its key."""
    trials: dict[str, int] = {}
    for visit in visits:
        if visit.trial is not None:
            trials.setdefault(visit.config.key, visit.trial)
    return trials


def config_json(config: Config) -> str:
    """A config as the ``config`` part of a document holds it."""
    fields = ("device", "properties", "nireq", "batch_size", "precision", "shapes", "api")
    return json.dumps({name: getattr(config, name) for name in fields}, indent=2, ensure_ascii=False)


def settings_of(config: Config, effective: Mapping[str, object]) -> tuple[Setting, ...]:
    """What ``config`` asks for, then what else was read back, nested settings as ``CPU.NUM_STREAMS``."""
    asked = dict(_flat(config.properties))
    found = dict(_flat(effective))
    own = [
        Setting(name="device", requested=config.device, effective=""),
        Setting(name="infer requests (nireq)", requested=str(config.nireq), effective=""),
        Setting(name="batch", requested=str(config.batch_size), effective=""),
        Setting(name="weights", requested=config.precision, effective=""),
        Setting(name="api", requested=config.api, effective=""),
        *(
            Setting(name=f"shape of {name}", requested=str(list(shape)), effective="")
            for name, shape in config.shapes.items()
        ),
    ]
    both = [Setting(name=name, requested=value, effective=_in_effect(found, name)) for name, value in asked.items()]
    rest = [Setting(name=name, requested="", effective=value) for name, value in found.items() if name not in asked]
    return (*own, *both, *rest)


def _in_effect(found: Mapping[str, str], name: str) -> str:
    """A setting as read back; what a scheduler hands on to its devices, as they read it back."""
    inner = [value for key, value in found.items() if key.endswith(f".{name}")]
    return found.get(name) or ", ".join(dict.fromkeys(inner))


def facts_of(told: Measured) -> tuple[Fact, ...]:
    """The published figures of a config beside throughput and latency."""
    return _facts(
        told,
        compile_ms=told.compile_ms,
        cached=told.compile_cached,
        first_ms=told.first_inference_ms,
        occupancy=told.occupancy,
        effective=told.effective,
    )


def error_of(result: Result, config: Config) -> Amount:
    """The largest difference of a config's outputs from the reference's, as a share of their largest."""
    found = agreement_of(result.study, config)
    if found is None:
        return Amount(text="not compared")
    if found.max_rel is None:
        return Amount(text="no numbers")
    return Amount(text=share(found.max_rel), value=found.max_rel)


def outputs_of(result: Result, config: Config) -> Fact:
    """How far the outputs of ``config`` are from the reference's."""
    found = agreement_of(result.study, config)
    name = "outputs" if found is None else f"outputs beside those of {found.reference}"
    return Fact(name=name, text="not compared" if found is None else found.words)


def _row(result: Result, visit: Visit, trials: Mapping[str, int], blocks: Mapping[str, list[Block]]) -> Row:
    config = visit.config
    shared = result.study.owners.get(config.key) if isinstance(visit.outcome, SameAs) else None
    key = shared or config.key
    seen = blocks.get(key, []) if isinstance(visit.outcome, Block | SameAs) else []
    estimate = result.estimates.get(key) if seen else None
    told = (*_doubts(config, seen, shared=shared is not None), *result.sharing.doubts(config))
    caveats = {(c.kind, c.parameters.get("name")): c for c in told}
    return Row(
        number=visit.trial or 0,
        words=config.words,
        names=(),
        state=_state(visit) if shared is not None or not seen else "measured",
        shares=None if shared is None else trials.get(shared),
        throughput=amount(estimate.throughput_per_s, "/s") if estimate else None,
        latency={m: amount(estimate.latency_ms[m], " ms") for m in LATENCY_METRICS} if estimate else {},
        cpu=amount(estimate.cpu_ms_per_inference, " ms") if estimate else None,
        error=error_of(result, config) if estimate else None,
        doubts=_kinds(caveats.values()),
        caveats=tuple(c.text for c in caveats.values()),
        reason=reason_of(visit.outcome),
        facts=(*_facts_of_blocks(estimate, seen), outputs_of(result, config)) if estimate else (),
        settings=settings_of(config, seen[-1].effective if seen else {}),
        json=config_json(config),
        deployable=False,
        file="",
    )


def _doubts(config: Config, blocks: Sequence[Block], *, shared: bool) -> Iterable[Caveat]:
    """The caveats of a config's blocks; of another one's that it shares, what that one asked for is left out."""
    found = usual(blocks)
    if not shared:
        return found
    own = doubt.of_read_back(config, blocks[-1].effective) if blocks else []
    return [*own, *(caveat for caveat in found if caveat.kind not in doubt.OF_SETTINGS)]


def _state(visit: Visit) -> State:
    match visit.outcome:
        case Block():
            return "measured"
        case SameAs():
            return "shared"
        case Infeasible():
            return "infeasible"
        case Failed():
            return "failed"
        case _:
            assert_never(visit.outcome)


def _kinds(caveats: Iterable[Caveat]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c.kind.replace("_", " ") for c in caveats))


def _facts_of_blocks(estimate: Estimate, blocks: list[Block]) -> tuple[Fact, ...]:
    occupancies = [b.occupancy for b in blocks if b.occupancy is not None]
    return _facts(
        estimate,
        compile_ms=blocks[0].compile_ms,
        cached=blocks[0].compile_cached,
        first_ms=blocks[0].first_inference_ms,
        occupancy=float(np.median(occupancies)) if occupancies else None,
        effective=blocks[-1].effective,
    )


def served_by(effective: Mapping[str, object]) -> str:
    """The devices that served, as the runtime read them back; "" where it did not."""
    return shown(effective.get("EXECUTION_DEVICES", ""))


def _facts(  # noqa: PLR0913 - the figures of a config, by name
    told: Measured | Estimate,
    *,
    compile_ms: float,
    cached: bool,
    first_ms: float,
    occupancy: float | None,
    effective: Mapping[str, object],
) -> tuple[Fact, ...]:
    energy = told.energy_mj_per_inference
    return (
        Fact(name="served by", text=served_by(effective) or NONE),
        Fact(name="CPU time per inference", text=amount(told.cpu_ms_per_inference, " ms").full),
        Fact(name="energy per inference", text=NONE if energy is None else amount(energy, " mJ").full),
        Fact(name="memory over an idle process", text=megabytes(told.memory_bytes)),
        Fact(name="compilation", text=f"{number(compile_ms)} ms{', with a model cache' if cached else ''}"),
        Fact(name="first inference", text=f"{number(first_ms)} ms"),
        Fact(name="infer requests busy", text=NONE if occupancy is None else f"{occupancy:.0%}"),
        Fact(name="blocks", text=f"{told.blocks:,}"),
        Fact(name="latency samples", text=f"{told.samples:,}"),
    )


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.".removeprefix(_NESTED))
        else:
            yield prefix + name, shown(value)

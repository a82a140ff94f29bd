"""Which configs a search may try: those that make sense for these devices, this model and this load."""

import difflib
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ovtune.cap import capped
from ovtune.config import APIS, Api, Config, Scalar, parameters, split_batch
from ovtune.environment import Device, Topology
from ovtune.errors import UsageError
from ovtune.model import Model
from ovtune.setting import CONFLICTS, SETTINGS, compatible, ladder, offered, with_settings
from ovtune.wanted import OWN, Wanted
from ovtune.workload import ClosedLoop, Workload

HINTS = ("none", "LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT")
UNSET = "unset"
"""The value of a parameter that a config leaves to the runtime."""
AUTO_BATCH_SIZES = (1, 2, 4, 8, 16)
AUTO_BATCH_TIMEOUTS_MS = (1, 3, 10, 30, 100, 1000)
_MOST_IN_FLIGHT = 16
_DRAWN = 1000
_PRECISIONS = {"FP32": "f32", "BF16": "bf16", "FP16": "f16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What OpenVINO itself makes of a device string and a hint.

    Attributes:
        device: The device string.
        hint: The hint; ``none`` for no settings at all.
        nireq: The infer requests that it advises.
        effective: The settings as read back.
        effective_key: Equal for answers that run alike.
        threads: What its CPU devices had to be held to for the sake of a CPU quota; None where they take no more.
        joined: How many requests automatic batching joins by itself, as a GPU's does for throughput; 1 for none.
    """

    device: str
    hint: str
    nireq: int
    effective: Mapping[str, object]
    effective_key: str
    threads: int | None = None
    joined: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the space is derived from.

    Attributes:
        devices: The devices that the runtime lists.
        topology: The processor.
        device_strings: The device strings to search.
        advice: OpenVINO's own answers for each of them that compiles.
        refused: The device strings that do not compile, each with the reason.
    """

    devices: tuple[Device, ...]
    topology: Topology
    device_strings: tuple[str, ...]
    advice: tuple[Advice, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The distinct feasible configs; frozen with the study.

    Attributes:
        configs: Those without further settings, in a fixed order.
        settings: For each device string, BATCH left out, the further settings that any of these configs may have, each
            with its values. Those that :data:`ovtune.setting.CONFLICTS` forbid together are no part of the space.
        size: How many configs it holds; 0 stands for as many as ``configs``.
    """

    configs: tuple[Config, ...]
    settings: Mapping[str, Mapping[str, tuple[Scalar, ...]]] = field(default_factory=dict)
    size: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.size or len(self.configs))

    @property
    def values(self) -> dict[str, set[Scalar]]:
        """The values that each parameter takes; :data:`UNSET` where some configs leave it to the runtime."""
        flat = [parameters(config) for config in self.configs]
        found = {name: {one.get(name, UNSET) for one in flat} for name in dict.fromkeys(n for one in flat for n in one)}
        for names in self.settings.values():
            for name, values in names.items():
                found.setdefault(name, {UNSET}).update(values)
        return found

    @property
    def dimensions(self) -> dict[str, tuple[Scalar, ...]]:
        """The parameters that the configs differ in, each with its values in ascending order."""
        return {
            name: tuple(sorted(values, key=lambda v: (isinstance(v, str), v)))
            for name, values in self.values.items()
            if len(values) > 1
        }

    def candidates(self, near: Iterable[Config], *, seed: int) -> tuple[Config, ...]:
        """Configs to choose the next one from: all of a small space; of a large one a sample.

        The sample holds every config without further settings, what differs in one parameter from those that are
        ``near``, and as many drawn at random.
        """
        if not self.settings:
            return self.configs
        found = {config.key: config for config in self.configs}
        for config in near:
            found |= {other.key: other for other in self._beside(config)}
        found |= {config.key: config for config in self.draw(_DRAWN, seed=seed)}
        return tuple(found.values())

    def draw(self, count: int, *, seed: int) -> list[Config]:
        """Configs drawn at random, with further settings where their device has any; the same one may come twice."""
        generator = np.random.default_rng(seed)
        found = []
        for place in generator.integers(len(self.configs), size=count):
            base = self.configs[int(place)]
            choices = self.offered(base)
            while True:
                picks = {n: (UNSET, *values)[generator.integers(len(values) + 1)] for n, values in choices.items()}
                config = with_settings(base, {n: value for n, value in picks.items() if value != UNSET})
                if compatible(parameters(config)):
                    break
            found.append(config)
        return found

    def offered(self, config: Config) -> Mapping[str, tuple[Scalar, ...]]:
        """The further settings that ``config`` may have beside its own, each with its values."""
        choices = self.settings.get(split_batch(config.device)[0], {})
        return {name: values for name, values in choices.items() if name not in parameters(config)}

    def _beside(self, config: Config) -> Iterator[Config]:
        """What differs from ``config`` in one further setting, or in one parameter else."""
        choices = self.settings.get(split_batch(config.device)[0], {})
        flat = parameters(config)
        own = {name: value for name, value in flat.items() if name in choices}
        bases = [base for base in self.configs if split_batch(base.device)[0] == split_batch(config.device)[0]]
        bare = {name: value for name, value in flat.items() if name not in own}
        for base in bases:
            differing = bare.items() ^ parameters(base).items()
            if len({name for name, _ in differing}) == 1:
                yield from self._if_compatible(base, own)
            elif not differing:
                for name, values in choices.items():
                    rest = {n: value for n, value in own.items() if n != name}
                    yield from self._if_compatible(base, rest)
                    for value in values:
                        yield from self._if_compatible(base, {**rest, name: value})

    def _if_compatible(self, base: Config, chosen: Mapping[str, Scalar]) -> Iterator[Config]:
        config = with_settings(base, chosen)
        if compatible(parameters(config)):
            yield config


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """A combination of parameters that is not yet known to make sense.

    ``advised`` is the most requests advised, ``joined`` what automatic batching joins without being asked.
    """

    device: str
    hint: str
    nireq: int
    batch_size: int
    auto_batch_size: int
    timeout_ms: int | None
    precision: str
    inference_precision: str | None
    advised: int
    memory_bytes: int
    api: Api
    joined: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Why some combinations are never tried: ``forbids`` tells which, ``reason`` why."""

    name: str
    reason: str
    forbids: Callable[[_Point, Model, Workload], bool]


RULES: tuple[Rule, ...] = (
    Rule(
        name="cumulative-needs-several",
        reason="CUMULATIVE_THROUGHPUT uses several devices at once: on one device it is THROUGHPUT",
        forbids=lambda p, m, w: p.hint == "CUMULATIVE_THROUGHPUT" and not p.device.startswith(("AUTO", "MULTI")),
    ),
    Rule(
        name="auto-batch-one-device",
        reason="BATCH wraps one device, not a list",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and (":" in p.device or p.device in {"AUTO", "MULTI"}),
    ),
    Rule(
        name="auto-batch-or-batch",
        reason="automatic batching needs a batch of 1 in the model",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and p.batch_size > 1,
    ),
    Rule(
        name="auto-batch-model",
        reason="automatic batching does not engage on a model without a batch of 1 in dimension 0",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and not m.auto_batchable,
    ),
    Rule(
        name="auto-batch-multiples",
        reason="with requests that are no multiple of the batch, one batch always waits for the timeout",
        forbids=lambda p, m, w: p.nireq % (p.auto_batch_size if p.auto_batch_size > 1 else p.joined) != 0,
    ),
    Rule(
        name="items-in-flight",
        reason="more than 16 items in flight for each request that the device advises only wait for each other",
        forbids=lambda p, m, w: p.nireq * p.batch_size > _MOST_IN_FLIGHT * max(p.advised, 2),
    ),
    Rule(
        name="memory",
        reason="the inputs of all requests take more than an eighth of the host's memory",
        forbids=lambda p, m, w: p.nireq * p.batch_size * m.item_bytes * 8 > p.memory_bytes,
    ),
    Rule(
        name="stateful-one-device",
        reason="a stateful model cannot be shared out over several devices: its state lives on one of them",
        forbids=lambda p, m, w: m.stateful and p.hint == "CUMULATIVE_THROUGHPUT",
    ),
    Rule(
        name="sync-no-throughput-hint",
        reason="hints for throughput plan for several requests at once, which a synchronous caller has not",
        forbids=lambda p, m, w: p.api == "sync" and p.hint.endswith("THROUGHPUT"),
    ),
    Rule(
        name="timeout-with-auto-batch",
        reason="AUTO_BATCH_TIMEOUT belongs to BATCH, and acts only where the load can leave a batch partial",
        forbids=lambda p, m, w: (p.timeout_ms is not None) != (p.auto_batch_size > 1 and not isinstance(w, ClosedLoop)),
    ),
)


def build(
    host: Host, model: Model, workload: Workload, shapes: Mapping[str, tuple[int, ...]], wanted: Wanted | None = None
) -> Space:
    """Every distinct config that makes sense on ``host`` for ``model`` under ``workload``, as far as it is wanted.

    Raises:
        UsageError: a parameter that is held to certain values does not exist, or no config has these.
    """
    wanted = wanted or Wanted()
    _check_known(wanted, host.devices)
    advised: dict[str, set[int]] = {}
    for advice in host.advice:
        advised.setdefault(advice.device, set()).add(advice.nireq)
    threads = {(advice.device, advice.hint): advice.threads for advice in host.advice}
    configs: dict[str, Config] = {}
    for device, counts in advised.items():
        for point in _points(device, counts, host, (model, workload, wanted)):
            if not any(rule.forbids(point, model, workload) for rule in RULES):
                most = threads.get((device, point.hint))
                found = (capped(c, most, host.devices) for c in _held(_config(point, shapes), wanted))
                configs |= {config.key: config for config in found}
    if not configs:
        raise UsageError(f"no config that makes sense is in the space {wanted.words}: allow more values")
    free = {device: _free(device, host, wanted) for device in {split_batch(device)[0] for device in advised}}
    space = Space(configs=tuple(configs.values()), settings={device: names for device, names in free.items() if names})
    return replace(space, size=_count(space))


def _check_known(wanted: Wanted, devices: Iterable[Device]) -> None:
    settable = {name for device in devices for name in device.settings}
    known = {*OWN, *settable, *(s.name for s in SETTINGS if s.kind == "AUTO")}
    for name in wanted.only:
        if name not in known and name.rpartition(".")[2] not in settable:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f", such as {', '.join(near)}" if near else ""
            raise UsageError(
                f"parameter {name} is held to {wanted.only[name][0]}, but nothing here has it: name another{hint}"
            )


def _held(config: Config, wanted: Wanted) -> Iterator[Config]:
    """``config`` with each combination of the properties that are held to certain values."""
    held = {name: values for name, values in wanted.only.items() if name not in OWN}
    for pick in itertools.product(*held.values()):
        found = with_settings(config, dict(zip(held, pick, strict=True)))
        if compatible(parameters(found)):
            yield found


def _free(device: str, host: Host, wanted: Wanted) -> dict[str, tuple[Scalar, ...]]:
    """The further settings of a device string that are left to vary."""
    every = offered(device, host.devices, host.topology, wanted.size)
    return {name: values for name, values in every.items() if name not in wanted.only}


def _count(space: Space) -> int:
    """How many configs a space holds, the combinations with further settings included."""
    reads = sorted(frozenset().union(*(conflict.reads for conflict in CONFLICTS)))
    known: dict[tuple[object, ...], int] = {}
    total = 0
    for config in space.configs:
        flat = parameters(config)
        choices = space.offered(config)
        alike = (*(flat.get(name) for name in reads), *choices)
        if alike not in known:
            known[alike] = _combinations(flat, choices, [name for name in choices if name in reads])
        total += known[alike]
    return total


def _combinations(
    flat: Mapping[str, Scalar], choices: Mapping[str, tuple[Scalar, ...]], related: Collection[str]
) -> int:
    """How many ways there are to choose further settings, none included; only ``related`` ones can conflict."""
    free = math.prod(len(values) + 1 for name, values in choices.items() if name not in related)
    picks = itertools.product(*((UNSET, *choices[name]) for name in related))
    chosen = ({n: v for n, v in zip(related, pick, strict=True) if v != UNSET} for pick in picks)
    return free * sum(compatible({**flat, **some}) for some in chosen)


def request_counts(advised: set[int]) -> tuple[int, ...]:
    """The infer requests to try: the advised numbers, their halves and doubles, and 1, 2, 3, 4, 6, 8, ... between."""
    top = max(4, 4 * max(advised))
    near = {n for a in advised for n in (a // 2, a, 2 * a) if n >= 1}
    return tuple(sorted({*ladder(top), *near}))


def device_strings(devices: tuple[Device, ...]) -> tuple[str, ...]:
    """Each device alone; with two or more also AUTO over them, in every order, and with each one left out."""
    names = tuple(device.name for device in devices)
    if len(names) < 2:
        return names
    lists = [
        "AUTO:" + ",".join(order)
        for size in range(2, min(len(names), 3) + 1)
        for order in itertools.permutations(names, size)
    ]
    exclusions = [f"AUTO:-{name}" for name in names]
    return (*names, "AUTO", *lists, *exclusions)


def _points(device: str, advised: set[int], host: Host, about: tuple[Model, Workload, Wanted]) -> Iterator[_Point]:
    """The combinations of a device string; of a quick space those that vary no more than hint and infer requests."""
    model, workload, wanted = about
    named, asked_batch = split_batch(device)
    quick = wanted.size == "quick"

    def choice(name: str, usual: Sequence[Any], first: Any) -> Sequence[Any]:
        values = wanted.only.get(name, (first,) if quick else usual)
        return [None if value == UNSET else value for value in values]

    counts = wanted.only.get("nireq", request_counts(advised))
    timeouts = () if isinstance(workload, ClosedLoop) else AUTO_BATCH_TIMEOUTS_MS
    precisions = _inference_precisions(named, host.devices)
    joined = {advice.hint: advice.joined for advice in host.advice if advice.device == device}
    for auto_batch in (asked_batch,) if asked_batch > 1 else choice("auto_batch_size", AUTO_BATCH_SIZES, 1):
        multiples = {auto_batch, 2 * auto_batch} if auto_batch > 1 and "nireq" not in wanted.only else set()
        for hint, nireq, batch, timeout, precision, inference, api in itertools.product(
            wanted.only.get("hint", HINTS),
            sorted({*counts, *multiples}),
            choice("batch_size", model.batch_sizes, 1),
            choice("AUTO_BATCH_TIMEOUT", (None, *timeouts), None),
            choice("precision", model.precisions, model.precisions[0]),
            choice("INFERENCE_PRECISION_HINT", (None, *precisions), None),
            choice("api", APIS, APIS[0]),
        ):
            if batch not in model.batch_sizes or precision not in model.precisions:
                continue
            if api == "sync" and nireq > 1:  # a config that cannot be: Config refuses it
                continue
            yield _Point(
                device=named,
                hint=hint,
                nireq=nireq,
                batch_size=batch,
                auto_batch_size=auto_batch,
                timeout_ms=timeout,
                precision=precision,
                inference_precision=inference,
                advised=max(advised),
                memory_bytes=host.topology.memory_bytes,
                api=api,
                joined=joined.get(hint, 1) if batch == 1 else 1,
            )


def _inference_precisions(device: str, devices: tuple[Device, ...]) -> tuple[str, ...]:
    """What the named devices can compute in, without what each of them takes by itself."""
    listed = device.partition(":")[2].split(",")
    named = [d for d in devices if d.name == device or d.name in listed] or list(devices)
    offered = {_PRECISIONS[c] for d in named for c in d.capabilities if c in _PRECISIONS}
    defaults = {d.precision for d in named}
    return tuple(sorted(offered - defaults if len(defaults) == 1 else offered))


def _config(point: _Point, shapes: Mapping[str, tuple[int, ...]]) -> Config:
    properties: dict[str, Scalar] = {}
    if point.hint != "none":
        properties["PERFORMANCE_HINT"] = point.hint
    if point.inference_precision is not None:
        properties["INFERENCE_PRECISION_HINT"] = point.inference_precision
    if point.timeout_ms is not None:
        properties["AUTO_BATCH_TIMEOUT"] = point.timeout_ms
    batched = f"BATCH:{point.device}({point.auto_batch_size})"
    return Config(
        device=batched if point.auto_batch_size > 1 else point.device,
        properties=properties,
        nireq=point.nireq,
        batch_size=point.batch_size,
        precision=point.precision,
        shapes=shapes,
        api=point.api,
    )

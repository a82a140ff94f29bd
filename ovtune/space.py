"""Which configs a search may try: those that make sense for these devices, this model and this load."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ovtune import held
from ovtune.cap import capped
from ovtune.config import APIS, Config, Scalar, parameters, split_batch
from ovtune.conflict import broken_by, compatible, linked, read_with, related
from ovtune.device_string import first_of_auto, used_by
from ovtune.environment import Device, Topology
from ovtune.errors import UsageError
from ovtune.model import Model
from ovtune.rule import RULES, Point
from ovtune.setting import ladder, offered, precisions, with_settings
from ovtune.wanted import HINTS, UNSET, Wanted
from ovtune.workload import ClosedLoop, Workload

AUTO_BATCH_SIZES = (1, 2, 4, 8, 16)
AUTO_BATCH_TIMEOUTS_MS = (1, 3, 10, 30, 100, 1000)
_DRAWN = 500
_MOST_BARE = 1000


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
        return {name: _in_order(values) for name, values in self.values.items() if len(values) > 1}

    @property
    def by_device(self) -> dict[str, dict[str, tuple[Scalar, ...]]]:
        """For each parameter its values on each device string, BATCH left out; those that it is never set on left out.

        In ascending order, :data:`UNSET` last.
        """
        found: dict[str, dict[str, set[Scalar]]] = {}
        bases: dict[str, list[dict[str, Scalar]]] = {}
        for config in self.configs:
            flat = parameters(config)
            bases.setdefault(str(flat.pop("device")), []).append(flat)
        for device, flats in bases.items():
            for name in dict.fromkeys(name for flat in flats for name in flat):
                found.setdefault(name, {})[device] = {flat.get(name, UNSET) for flat in flats}
            for name, values in self.settings.get(device, {}).items():
                found.setdefault(name, {}).setdefault(device, {UNSET}).update(values)
        return {
            name: {device: _in_order(values) for device, values in devices.items()} for name, devices in found.items()
        }

    def candidates(self, near: Iterable[Config], *, seed: int) -> tuple[Config, ...]:
        """Configs to choose the next one from: all of a small space; of a large one a sample.

        The sample holds what differs in one parameter from those that are ``near``, some drawn at random, and some
        without further settings: all of these where they are not too many to look at in a moment.
        """
        if not self.settings:
            return self.configs
        bare: Sequence[Config] = self.configs
        if len(bare) > _MOST_BARE:
            places = np.random.default_rng(seed).choice(len(bare), _MOST_BARE, replace=False)
            bare = [bare[int(place)] for place in sorted(places)]
        found = {config.key: config for config in bare}
        near = tuple(near)
        around: dict[str, list[tuple[Config, dict[str, Scalar]]]] = {split_batch(c.device)[0]: [] for c in near}
        for base in self.configs:
            device, _ = split_batch(base.device)
            if device in around:
                around[device].append((base, parameters(base)))
        for config in near:
            found |= {other.key: other for other in self._beside(config, around[split_batch(config.device)[0]])}
        found |= {config.key: config for config in self.draw(_DRAWN, seed=seed)}
        return tuple(found.values())

    def draw(self, count: int, *, seed: int) -> list[Config]:
        """Configs drawn at random, with further settings where their device has any; the same one may come twice."""
        generator = np.random.default_rng(seed)
        return [
            self._furnished(self.configs[int(i)], generator) for i in generator.integers(len(self.configs), size=count)
        ]

    def _furnished(self, base: Config, generator: np.random.Generator) -> Config:
        """``base`` with a random value for each further setting, in random order; what clashes is left out."""
        choices = self.offered(base)
        names, flat = list(choices), parameters(base)
        chosen: dict[str, Scalar] = {}
        picks = generator.random(len(names))
        for place in generator.permutation(len(names)):
            name = names[place]
            values = (UNSET, *choices[name])
            value = values[int(picks[place] * len(values))]
            if value == UNSET:
                continue
            if related(name) and not compatible({**flat, **chosen, name: value}):
                continue
            chosen[name] = value
        return with_settings(base, chosen)

    def offered(self, config: Config) -> Mapping[str, tuple[Scalar, ...]]:
        """The further settings that ``config`` may have beside its own, each with its values.

        Of a list of which one device serves, those of the others make no difference.
        """
        choices = self.settings.get(split_batch(config.device)[0], {})
        own = parameters(config)
        return {name: values for name, values in choices.items() if name not in own and _acts(name, config)}

    def _beside(self, config: Config, bases: Sequence[tuple[Config, Mapping[str, Scalar]]]) -> Iterator[Config]:
        """What differs from ``config`` in one further setting, or in one parameter else, of its device's ``bases``."""
        choices = self.settings.get(split_batch(config.device)[0], {})
        flat = parameters(config)
        own = {name: value for name, value in flat.items() if name in choices}
        bare = {name: value for name, value in flat.items() if name not in own}
        for base, given in bases:
            differing = bare.items() ^ given.items()
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
        if all(_acts(name, base) for name in chosen) and compatible(parameters(config)):
            yield config


def _acts(name: str, config: Config) -> bool:
    """Whether the device whose setting this is serves ``config``, or may do so."""
    device, _, _ = name.rpartition(".")
    sole = None if config.hint == "CUMULATIVE_THROUGHPUT" else first_of_auto(config.device)
    return not device or sole in {None, device}


def build(
    host: Host, model: Model, workload: Workload, shapes: Mapping[str, tuple[int, ...]], wanted: Wanted | None = None
) -> Space:
    """Every distinct config that makes sense on ``host`` for ``model`` under ``workload``, as far as it is wanted.

    Raises:
        UsageError: a parameter that is held to certain values does not exist, cannot have one of them here, or no
            config that makes sense has these.
    """
    wanted = wanted or Wanted()
    held.check(wanted, host.devices, [split_batch(advice.device)[0] for advice in host.advice], model)
    advised: dict[str, set[int]] = {}
    for advice in host.advice:
        advised.setdefault(advice.device, set()).add(advice.nireq)
    threads = {(advice.device, advice.hint): advice.threads for advice in host.advice}
    configs: dict[str, Config] = {}
    furthest = (-1, "no device string has an answer of the runtime's own")
    for device, counts in advised.items():
        for point in _points(device, counts, host, (model, workload, wanted)):
            broken = next((i for i, rule in enumerate(RULES) if rule.forbids(point, model, workload)), None)
            if broken is not None:
                furthest = max(furthest, (broken, RULES[broken].reason))
                continue
            most = threads.get((device, point.hint))
            for config in held.applied(_config(point, shapes), wanted, host.devices):
                conflict = next(broken_by(parameters(config)), None)
                if conflict is not None:
                    furthest = max(furthest, (len(RULES), conflict.reason))
                    continue
                kept = capped(config, most, host.devices)
                configs[kept.key] = kept
    if not configs:
        raise UsageError(
            f"no config that makes sense is in the space {wanted.words} ({furthest[1]}): allow more values"
        )
    free: dict[str, dict[str, tuple[Scalar, ...]]] = {}
    for device in dict.fromkeys(split_batch(device)[0] for device in advised):
        every = offered(device, host.devices, host.topology, model, wanted.size)
        free[device] = {name: values for name, values in every.items() if not held.covers(wanted, name)}
    space = Space(configs=tuple(configs.values()), settings={device: names for device, names in free.items() if names})
    return replace(space, size=_count(space))


def _count(space: Space) -> int:
    """How many configs a space holds, the combinations with further settings included.

    The settings fall into groups that cannot clash with each other; what a group allows follows from few parameters.
    """
    groups: dict[tuple[str, ...], list[tuple[tuple[str, ...], frozenset[str]]]] = {}
    known: dict[object, int] = {}
    total = 0
    for config in space.configs:
        flat, choices = parameters(config), space.offered(config)
        names = tuple(choices)
        if names not in groups:
            groups[names] = [(group, read_with(name.rpartition(".")[2] for name in group)) for group in linked(names)]
        ways = 1
        for group, reads in groups[names]:
            own = {name: choices[name] for name in group}
            seen = tuple((name, value) for name, value in flat.items() if name.rpartition(".")[2] in reads)
            key = (tuple(own.items()), seen)
            if key not in known:
                known[key] = _combinations(flat, own)
            ways *= known[key]
        total += ways
    return total


def _combinations(flat: Mapping[str, Scalar], choices: Mapping[str, tuple[Scalar, ...]]) -> int:
    """How many ways there are to choose further settings, none included; a value that clashes alone always does."""
    left = {name: [v for v in values if compatible({**flat, name: v})] for name, values in choices.items()}
    picks = itertools.product(*((UNSET, *values) for values in left.values()))
    chosen = ({n: v for n, v in zip(left, pick, strict=True) if v != UNSET} for pick in picks)
    return sum(compatible({**flat, **some}) for some in chosen)


def _in_order(values: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """Numbers before words, each in ascending order, :data:`UNSET` last."""
    return tuple(sorted(values, key=lambda v: (v == UNSET, isinstance(v, str), v)))


def request_counts(advised: set[int]) -> tuple[int, ...]:
    """The infer requests to try: the advised numbers, their halves and doubles, and 1, 2, 3, 4, 6, 8, ... between."""
    top = max(4, 4 * max(advised))
    near = {n for a in advised for n in (a // 2, a, 2 * a) if n >= 1}
    return tuple(sorted({*ladder(top), *near}))


def _points(device: str, advised: set[int], host: Host, about: tuple[Model, Workload, Wanted]) -> Iterator[Point]:
    """The combinations of a device string; of a quick space those that vary no more than hint and infer requests."""
    model, workload, wanted = about
    named, asked_batch = split_batch(device)
    quick = wanted.size == "quick"

    def choice(name: str, usual: Sequence[Any], first: Any) -> Sequence[Any]:
        values = wanted.only.get(name, (first,) if quick else usual)
        return [None if value == UNSET else value for value in values]

    counts = wanted.only.get("nireq", request_counts(advised))
    timeouts = () if isinstance(workload, ClosedLoop) else AUTO_BATCH_TIMEOUTS_MS
    inference = _inference_precisions(named, host.devices, wanted)
    own = (d.memory_bytes for d in used_by(named, host.devices) if d.memory_bytes is not None)
    memory = min([host.topology.memory_bytes, *own])
    joined = {advice.hint: advice.joined for advice in host.advice if advice.device == device}
    for auto_batch in (asked_batch,) if asked_batch > 1 else choice("auto_batch_size", AUTO_BATCH_SIZES, 1):
        multiples = {auto_batch, 2 * auto_batch} if auto_batch > 1 and "nireq" not in wanted.only else set()
        for hint, nireq, batch, timeout, precision, computing, api in itertools.product(
            wanted.only.get("hint", HINTS),
            sorted({*counts, *multiples}),
            choice("batch_size", model.batch_sizes, 1),
            choice("AUTO_BATCH_TIMEOUT", (None, *timeouts), None),
            choice("precision", model.precisions, model.precisions[0]),
            inference,
            choice("api", APIS, APIS[0]),
        ):
            if api == "sync" and nireq > 1:  # a config that cannot be: Config refuses it
                continue
            yield Point(
                device=named,
                hint=hint,
                nireq=nireq,
                batch_size=batch,
                auto_batch_size=auto_batch,
                timeout_ms=timeout,
                precision=precision,
                inference_precision=computing,
                advised=max(advised),
                memory_bytes=memory,
                api=api,
                joined=joined.get(hint, 1) if batch == 1 else 1,
            )


def _inference_precisions(text: str, devices: Sequence[Device], wanted: Wanted) -> tuple[str | None, ...]:
    """What every device of a string can compute in, without what each of them takes by itself; None for unasked.

    AUTO leaves a device that refuses one: a list is asked for what all of its devices take.
    """
    used = used_by(text, devices) or tuple(devices)
    common = set.intersection(*({*precisions(device), device.precision} for device in used))
    asked = wanted.only.get("INFERENCE_PRECISION_HINT")
    if asked is not None:
        return tuple(None if value == UNSET else str(value) for value in asked if value in {*common, UNSET})
    if wanted.size == "quick":
        return (None,)
    defaults = {device.precision for device in used}
    return (None, *sorted(common - defaults if len(defaults) == 1 else common))


def _config(point: Point, shapes: Mapping[str, tuple[int, ...]]) -> Config:
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

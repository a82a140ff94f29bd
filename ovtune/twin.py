"""Which configs the runtime is likely to run exactly as one that was measured, by the pairs that it did run so."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ovtune.config import Config, parameters

_SEEN = 2


@dataclass(frozen=True, slots=True)
class _Swap:
    """Two values of one parameter, in the order of their text, on a device."""

    device: str
    name: str
    values: tuple[str, str]


def expected(configs: Sequence[Config], measured: Collection[Config], shared: Mapping[str, str]) -> frozenset[str]:
    """The keys of those of ``configs`` that are likely to share the blocks of a measured one.

    Where two pairs of configs that differ in one parameter alone ran alike, on a device, its two values are taken to
    be one there, unless two measured configs that differ in just them did not.

    Args:
        configs: What may be tried.
        measured: What has blocks of its own.
        shared: For each config that shares another one's blocks, by key, the key of the one that was measured.
    """
    known = {config.key: config for config in configs}
    own = [_flat(config) for config in measured]
    pairs = [(known[one], known[other]) for one, other in shared.items() if one in known and other in known]
    seen = Counter(swap for one, other in pairs if (swap := _swap(one, other)) is not None)
    swaps = [swap for swap, count in seen.items() if count >= _SEEN and not _contradicted(swap, own)]
    if not swaps:
        return frozenset()
    done = {_canonical(flat, swaps) for flat in own}
    tried = {config.key for config in measured} | shared.keys()
    left = (config for key, config in known.items() if key not in tried)
    return frozenset(config.key for config in left if _canonical(_flat(config), swaps) in done)


def _flat(config: Config) -> dict[str, str]:
    return {name: str(value) for name, value in parameters(config).items()}


def _swap(one: Config, other: Config) -> _Swap | None:
    """What the two configs differ in, where that is one parameter that both have."""
    mine, its = _flat(one), _flat(other)
    differing = [name for name in mine.keys() | its.keys() if mine.get(name) != its.get(name)]
    if len(differing) != 1 or mine["device"] != its["device"] or mine.keys() != its.keys():
        return None
    name = differing[0]
    low, high = sorted((mine[name], its[name]))
    return _Swap(mine["device"], name, (low, high))


def _contradicted(swap: _Swap, own: Sequence[Mapping[str, str]]) -> bool:
    """Whether two measured configs that differ in just these values have blocks of their own."""
    merged = [_canonical(flat, [swap]) for flat in own]
    return len(set(merged)) < len(merged)


def _canonical(flat: Mapping[str, str], swaps: Sequence[_Swap]) -> frozenset[tuple[str, str]]:
    """The parameters with the first value of each swap in the place of its second."""
    values = dict(flat)
    for swap in sorted(swaps, key=lambda swap: (swap.name, swap.values), reverse=True):
        if values["device"] == swap.device and values.get(swap.name) == swap.values[1]:
            values[swap.name] = swap.values[0]
    return frozenset(values.items())

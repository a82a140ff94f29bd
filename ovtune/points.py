"""Configs as points: as they are asked for, and as the runtime then runs them."""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ovtune.config import Config, Scalar, parameters
from ovtune.device_string import is_cpu, kind_of
from ovtune.regression import Array, Points

_SERVED = "EXECUTION_DEVICES"
_STREAMS = "NUM_STREAMS"
_RUN = (
    _SERVED,
    _STREAMS,
    "INFERENCE_NUM_THREADS",
    "INFERENCE_PRECISION_HINT",
    "ENABLE_CPU_PINNING",
    "ENABLE_HYPER_THREADING",
    "SCHEDULING_CORE_TYPE",
)
"""What a hint, and what is set, come to on the devices that serve."""
Flat = Mapping[str, Scalar]
_Coded = tuple[tuple[NDArray[np.int_], tuple[object, ...]], ...]


@functools.lru_cache(maxsize=4)
def requested(configs: tuple[Config, ...]) -> Points:
    """Each config as a point by its parameters: numbers as logarithms from 0 to 1, others a coordinate per value."""
    return _points(coded(configs), len(configs))


@functools.lru_cache(maxsize=4)
def coded(configs: tuple[Config, ...]) -> _Coded:
    """For each parameter the number of each config's value, and the values; None stands for one that is not set."""
    return _code([_parameters(config) for config in configs])


def as_run(configs: Sequence[Config], effective: Sequence[Mapping[str, object]]) -> Points:
    """The same by what the runtime made of each: hints that come to the same streams and threads are one point.

    Args:
        configs: The configs.
        effective: For each the settings as read back. Where they tell no streams, as automatic batching does not, the
            config counts as it was asked for.
    """
    flat = [_as_run(config, found) for config, found in zip(configs, effective, strict=True)]
    return _points(_code(flat), len(flat))


def served_by(effective: Mapping[str, object]) -> str:
    """The devices that serve, as read back; all that the CPU plugin serves are one, under whichever names."""
    devices = effective.get(_SERVED, ())
    names = [str(name) for name in devices] if isinstance(devices, list | tuple) else [str(devices)]
    return "CPU" if names and all(map(is_cpu, names)) else ",".join(names)


def _as_run(config: Config, effective: Mapping[str, object]) -> Flat:
    told = _read_back(effective)
    own = _parameters(config)
    if _STREAMS not in told:
        return own
    kept = {name: value for name, value in own.items() if name != "hint" and name.rpartition(".")[2] not in told}
    return kept | told | {"device": kind_of(config.device)}


def _read_back(effective: Mapping[str, object]) -> dict[str, Scalar]:
    """What of :data:`_RUN` is told; of several devices that differ, all they tell."""
    nested = effective.get("DEVICE_PROPERTIES")
    inner = [found for found in nested.values() if isinstance(found, Mapping)] if isinstance(nested, Mapping) else []
    told: dict[str, Scalar] = {}
    for name in _RUN:
        values = [one[name] for one in (effective, *inner) if name in one]
        if values:
            found = values[0] if all(value == values[0] for value in values) else values
            told[name] = found if isinstance(found, int | float | str) else str(found)
    return told


def _points(codes_and_values: _Coded, count: int) -> Points:
    columns: list[Array] = []
    owners: list[int] = []
    for owner, (codes, values) in enumerate(codes_and_values):
        added = _columns(values)
        columns += [column[codes] for column in added]
        owners += [owner] * len(added)
    if not columns:
        return Points(rows=np.zeros((count, 1)), owners=np.zeros(1, dtype=int))
    return Points(rows=np.column_stack(columns), owners=np.unique(owners, return_inverse=True)[1])


def _code(flat: Sequence[Flat]) -> _Coded:
    found = []
    for name in dict.fromkeys(itertools.chain.from_iterable(flat)):
        values = [one.get(name) for one in flat]
        kinds = {pair: place for place, pair in enumerate(dict.fromkeys(zip(map(type, values), values, strict=True)))}
        codes = np.array([kinds[pair] for pair in zip(map(type, values), values, strict=True)], dtype=int)
        found.append((codes, tuple(value for _, value in kinds)))
    return tuple(found)


@functools.lru_cache(maxsize=8192)
def _parameters(config: Config) -> Flat:
    """The parameters of a config, which are asked for again and again."""
    return parameters(config)


def _columns(values: Sequence[object]) -> list[Array]:
    """The coordinates of the different values of one parameter."""
    if len(values) < 2:
        return []
    given = [v for v in values if v is not None]
    if all(isinstance(v, int | float) and not isinstance(v, bool) and v >= 0 for v in given):
        logs = np.array([math.log2(1 + v) if isinstance(v, int | float) else math.nan for v in values])
        low, high = np.nanmin(logs), np.nanmax(logs)
        return [np.nan_to_num((logs - low) / max(high - low, 1e-9), nan=-0.5)]
    texts = [str(v) for v in values]
    return [np.array([0.7 * (text == one) for text in texts]) for one in sorted(set(texts))]

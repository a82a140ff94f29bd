import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovtune.config import Config
from ovtune.proposal import History, Reading, features, propose
from ovtune.space import Space
from ovtune.workload import ConstantRate
from tests import fake

SPACE = fake.space()
LARGE = fake.space(ConstantRate(interval_s=0.03))


def reading(config: Config, *, noise: float = 0.0) -> Reading:
    """What the fake host says of a config, a little off where ``noise`` says so."""
    speed = fake.speed(config)
    latency = 1000 * config.nireq * config.batch_size / speed
    return Reading(gain=math.log(speed) + noise, speed=-math.log(latency) - noise, gain_error=0.04, speed_error=0.06)


def history(known: Sequence[Config] = (), infeasible: Sequence[Config] = (), first: Sequence[Config] = ()) -> History:
    return History(
        first=tuple(first),
        tried={c.key: c for c in (*known, *infeasible)},
        readings={c.key: reading(c) for c in known},
        infeasible=frozenset(c.key for c in infeasible),
    )


def walk(
    space: Space, steps: int, *, seed: int = 0, refuses: tuple[str, ...] = ()
) -> tuple[list[Config], list[Config]]:
    """Asks ``steps`` times; what was measured and what was refused, in order."""
    known: list[Config] = []
    infeasible: list[Config] = []
    for _ in range(steps):
        config = propose(space, history(known, infeasible), seed=seed)
        if config is None:
            break
        (infeasible if config.hint in refuses else known).append(config)
    return known, infeasible


def test_same_history_and_seed_propose_the_same() -> None:
    """The proposal is a function of history and seed: not of the order of the readings, nor of earlier calls."""
    known = walk(SPACE, 14)[0]
    shuffled = [known[i] for i in np.random.default_rng(1).permutation(len(known))]
    once = propose(SPACE, history(known), seed=5)
    assert once == propose(SPACE, history(shuffled), seed=5) == propose(SPACE, history(known), seed=5)
    assert walk(SPACE, 20, seed=3) == walk(SPACE, 20, seed=3)


def test_other_seeds_start_elsewhere() -> None:
    """Different seeds look at different configs."""
    starts = {tuple(c.key for c in walk(SPACE, 3, seed=seed)[0]) for seed in range(5)}
    assert len(starts) == 5


def test_what_comes_first_comes_first_and_once() -> None:
    """The configs that are to be measured first are proposed in their order, without those that are closed."""
    first = [b.config for b in fake.BASELINES] + [SPACE.configs[100], SPACE.configs[3]]
    known: list[Config] = [first[1]]
    while len(known) < 4:
        config = propose(SPACE, history(known, first=first), seed=0)
        assert config is not None
        known.append(config)
    assert known == [first[1], first[0], first[2], first[3]]
    assert propose(SPACE, history(known, first=first), seed=0) not in known


def test_start_fills_the_space() -> None:
    """The first proposals after that lie apart: together they show every hint, small and large batches and nireq."""
    known = walk(SPACE, 8)[0]
    assert {c.hint for c in known} == {None, "LATENCY", "THROUGHPUT"}
    assert len({c.batch_size for c in known}) > 1
    assert len({c.nireq for c in known}) > 1
    assert len({c.auto_batch_size for c in known}) > 1


def test_space_is_walked_to_its_end_without_repetition() -> None:
    """Every config is proposed once, and then None."""
    space = Space(configs=SPACE.configs[:: len(SPACE.configs) // 40])
    known, infeasible = walk(space, 10_000, refuses=("LATENCY",))
    assert len(known) + len(infeasible) == len(space.configs)
    assert {c.key for c in (*known, *infeasible)} == {c.key for c in space.configs}
    assert propose(space, history(known, infeasible), seed=0) is None


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_closed_config_is_never_proposed(data: st.DataObject) -> None:
    """Whatever is known, the proposal is a config of the space that is not closed."""
    configs = data.draw(st.lists(st.sampled_from(SPACE.configs), unique_by=lambda c: c.key, min_size=0, max_size=30))
    cut = data.draw(st.integers(0, len(configs)))
    spread = data.draw(st.sampled_from([0.0, 1e-9, 0.1, 5.0]))
    told = history(configs[:cut], configs[cut:])
    told = replace(
        told,
        readings={
            c.key: reading(c, noise=data.draw(st.floats(-spread, spread)) if spread else 0.0) for c in configs[:cut]
        },
    )
    config = propose(SPACE, told, seed=data.draw(st.integers(0, 2**32)))
    assert config is not None
    assert config.key not in told.tried
    assert config in SPACE.configs


@pytest.mark.parametrize("count", [1, 2, 3])
def test_small_spaces(count: int) -> None:
    """A space of one, two or three configs is walked to its end."""
    space = Space(configs=SPACE.configs[:count])
    assert len(walk(space, 10)[0]) == count


@pytest.mark.parametrize("value", [0.0, -3.0, 700.0])
def test_equal_readings(value: float) -> None:
    """Readings that are all equal, and exact, leave a proposal that is not closed."""
    known = walk(SPACE, 20)[0]
    same = Reading(gain=value, speed=-value, gain_error=0.0, speed_error=0.0)
    told = replace(history(known), readings={c.key: same for c in known})
    config = propose(SPACE, told, seed=0)
    assert config is not None
    assert config.key not in told.tried


def test_everything_infeasible_so_far() -> None:
    """With nothing that ran, the search goes on looking."""
    known, infeasible = walk(SPACE, 25, refuses=("LATENCY", "THROUGHPUT", None))  # type: ignore[arg-type]
    assert not known
    assert len({c.key for c in infeasible}) == 25


def test_neighbours_of_what_cannot_run_are_avoided() -> None:
    """Once a part of the space has been refused a few times, it is asked far less than its share."""
    steps = 40
    infeasible = walk(SPACE, steps, refuses=("THROUGHPUT",))[1]
    share = sum(c.hint == "THROUGHPUT" for c in SPACE.configs) / len(SPACE.configs)
    assert len(infeasible) < 0.7 * share * steps


def test_good_configs_are_found_before_chance_would() -> None:
    """Thirty proposals find one of the fake host's best 5 %, and those behind the start are on the whole good ones."""
    power = sorted(SPACE.configs, key=lambda c: reading(c).gain + reading(c).speed, reverse=True)
    rank = {c.key: i / len(power) for i, c in enumerate(power)}
    for seed in range(3):
        known = walk(SPACE, 30, seed=seed)[0]
        assert min(rank[c.key] for c in known) < 0.05
        assert np.mean([rank[c.key] for c in known[10:]]) < 0.4


def test_two_hundred_known_of_two_thousand() -> None:
    """A large space with many readings still gives a proposal."""
    configs = [
        replace(c, properties={**c.properties, "NUM_STREAMS": streams})
        for streams in (1, 2, 3)
        for c in LARGE.configs[: 2000 // 3 + 1]
    ][:2000]
    space = Space(configs=tuple(configs))
    known = configs[::10]
    config = propose(space, history(known, configs[5::40]), seed=0)
    assert config is not None
    assert config in space.configs[:]
    assert config.key not in {c.key for c in known}


def test_features_put_equal_steps_at_equal_distances() -> None:
    """Numbers lie on a logarithmic scale between 0 and 1, choices apart; a parameter that never differs is left out."""
    configs = [Config(device="CPU", nireq=n, properties={"PERFORMANCE_HINT": h}) for n in (1, 3, 7) for h in "AB"]
    points = features(configs)
    assert points.shape == (6, 3)
    assert points[:, 2].tolist() == pytest.approx([0, 0, 0.5, 0.5, 1, 1])
    assert len({tuple(p) for p in points[:, :2]}) == 2
    assert features(configs[:1]).shape == (1, 1)


def test_features_of_odd_values_are_finite() -> None:
    """A property that only some configs have, negative numbers, booleans and texts all become finite coordinates."""
    odd: list[dict[str, bool | int | float | str]] = [{}, {"P": -1}, {"P": 8}, {"Q": True}, {"Q": False}, {"R": "x"}]
    points = features([Config(device="CPU", nireq=1, properties=one) for one in odd])
    assert np.isfinite(points).all()
    assert len({tuple(p) for p in points}) == len(odd)

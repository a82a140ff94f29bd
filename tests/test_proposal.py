import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovtune.config import Config
from ovtune.goal import Goal
from ovtune.proposal import History, Name, Reading, expected_excess, normal, propose
from ovtune.space import Space
from ovtune.workload import ConstantRate
from tests import fake

SPACE = fake.space()
LARGE = fake.space(ConstantRate(interval_s=0.03))


GOAL = Goal(latency="p50")
GOALS = [
    GOAL,
    Goal(prefer="throughput", max_latency_ms=12.0),
    Goal(prefer="latency", min_throughput_per_s=130.0),
    Goal(prefer="throughput", max_latency_ms=0.001, min_throughput_per_s=1e9),
    Goal(prefer="efficiency", against="efficiency"),
]


def told(throughput: float, latency: float, *, error: float = 0.04, blocks: int = 1) -> Reading:
    """A reading of two logarithms, both better when larger."""
    values: dict[Name, float] = {"throughput": throughput, "latency": latency, "efficiency": throughput}
    errors: dict[Name, float] = {"throughput": error, "latency": 1.5 * error, "efficiency": error}
    return Reading(values=values, errors=errors, blocks=blocks)


def latency_ms(config: Config) -> float:
    """The latency that the fake host has for a config."""
    return 1000 * config.nireq * config.batch_size / fake.speed(config)


def reading(config: Config, *, noise: float = 0.0, blocks: int = 1) -> Reading:
    """What the fake host says of a config, a little off where ``noise`` says so."""
    throughput, latency = math.log(fake.speed(config)) + noise, -math.log(latency_ms(config)) - noise
    return told(throughput, latency, error=0.04 / math.sqrt(blocks), blocks=blocks)


def history(known: Sequence[Config] = (), infeasible: Sequence[Config] = (), first: Sequence[Config] = ()) -> History:
    """A search that knows a block for each mention of a config in ``known``."""
    blocks = Counter(known)
    return History(
        first=tuple(first),
        tried={c.key: c for c in (*known, *infeasible)},
        readings={c.key: reading(c, blocks=count) for c, count in blocks.items()},
        infeasible=frozenset(c.key for c in infeasible),
        recent=frozenset(c.key for c in known[-3:]),
    )


def walk(
    space: Space, steps: int, *, seed: int = 0, refuses: tuple[str | None, ...] = (), goal: Goal = GOAL
) -> tuple[list[Config], list[Config]]:
    """Asks ``steps`` times; what was measured, once or more often, and what was refused, in order."""
    known: list[Config] = []
    infeasible: list[Config] = []
    for _ in range(steps):
        config = propose(space, goal, history(known, infeasible), seed=seed)
        if config is None:
            break
        (infeasible if config.hint in refuses else known).append(config)
    return known, infeasible


def test_same_history_and_seed_propose_the_same() -> None:
    """The proposal is a function of history and seed: not of the order of the readings, nor of earlier calls."""
    known = walk(SPACE, 14)[0]
    shuffled = [known[i] for i in np.random.default_rng(1).permutation(len(known))]
    once = propose(SPACE, GOAL, history(known), seed=5)
    assert once == propose(SPACE, GOAL, history(shuffled), seed=5) == propose(SPACE, GOAL, history(known), seed=5)
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
        config = propose(SPACE, GOAL, history(known, first=first), seed=0)
        assert config is not None
        known.append(config)
    assert known == [first[1], first[0], first[2], first[3]]
    assert propose(SPACE, GOAL, history(known, first=first), seed=0) not in known


def test_start_fills_the_space() -> None:
    """The first proposals after that lie apart: together they show every hint, small and large batches and nireq."""
    known = walk(SPACE, 8)[0]
    assert {c.hint for c in known} == {None, "LATENCY", "THROUGHPUT"}
    assert len({c.batch_size for c in known}) > 1
    assert len({c.nireq for c in known}) > 1
    assert len({c.auto_batch_size for c in known}) > 1


def test_space_is_walked_to_its_end() -> None:
    """Every config is proposed, the refused ones once and no other more than five times, and then None."""
    space = Space(configs=SPACE.configs[:: len(SPACE.configs) // 40])
    known, infeasible = walk(space, 10_000, refuses=("LATENCY",))
    assert {c.key for c in (*known, *infeasible)} == {c.key for c in space.configs}
    assert len({c.key for c in infeasible}) == len(infeasible)
    assert max(Counter(known).values()) <= 5
    assert propose(space, GOAL, history(known, infeasible), seed=0) is None


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_proposal_is_new_or_measured_and_may_be_measured_again(data: st.DataObject) -> None:
    """Whatever is known, the proposal is new, or ran, not just now and not yet five times: never what was refused."""
    configs = data.draw(st.lists(st.sampled_from(SPACE.configs), unique_by=lambda c: c.key, min_size=0, max_size=30))
    cut = data.draw(st.integers(0, len(configs)))
    spread = data.draw(st.sampled_from([0.0, 1e-9, 0.1, 5.0]))
    known = history(configs[:cut], configs[cut:])
    noise = st.floats(-spread, spread) if spread else st.just(0.0)
    readings = {c.key: reading(c, noise=data.draw(noise), blocks=data.draw(st.integers(1, 6))) for c in configs[:cut]}
    goal = data.draw(st.sampled_from(GOALS))
    known = replace(known, readings=readings)
    config = propose(SPACE, goal, known, seed=data.draw(st.integers(0, 2**32)))
    assert config is not None
    assert config in SPACE.configs
    assert config.key not in known.infeasible
    if config.key in known.tried:
        assert config.key not in known.recent
        assert readings[config.key].blocks < 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_small_spaces(count: int) -> None:
    """A space of one, two or three configs is walked to its end."""
    space = Space(configs=SPACE.configs[:count])
    assert {c.key for c in walk(space, 30)[0]} == {c.key for c in space.configs}


@pytest.mark.parametrize("value", [0.0, -3.0, 700.0])
def test_equal_readings(value: float) -> None:
    """Readings that are all equal, and exact, leave a proposal that is not closed."""
    known = walk(SPACE, 20)[0]
    same = told(value, -value, error=0.0)
    config = propose(SPACE, GOAL, replace(history(known), readings={c.key: same for c in known}), seed=0)
    assert config is not None
    assert config not in known


def test_everything_infeasible_so_far() -> None:
    """With nothing that ran, the search goes on looking."""
    known, infeasible = walk(SPACE, 25, refuses=("LATENCY", "THROUGHPUT", None))
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
    power = sorted(SPACE.configs, key=lambda c: fake.speed(c) / latency_ms(c), reverse=True)
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
    config = propose(space, GOAL, history(known, configs[5::40]), seed=0)
    assert config is not None
    assert config in space.configs[:]
    assert config.key not in {c.key for c in known}


def scene(*, error: float, blocks: int = 1) -> tuple[Space, History]:
    """A space of eleven measured configs, two of them equal and far ahead, and a twelfth that is not measured."""
    configs = [Config(device="CPU", nireq=n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)]
    merits = {2: 2.0, 3: 2.0}
    readings = {
        c.key: told(merits.get(c.nireq, 0.0), merits.get(c.nireq, 0.0), error=error, blocks=blocks)
        for c in configs[:-1]
    }
    tried = {c.key: c for c in configs[:-1]}
    known = History(first=(), tried=tried, readings=readings, infeasible=frozenset())
    return Space(configs=tuple(configs)), known


def test_what_is_undecided_is_measured_again() -> None:
    """Where two configs lead equally and the only new one lies among the bad, one of the two gets another block."""
    space, known = scene(error=0.2)
    config = propose(space, GOAL, known, seed=0)
    assert config is not None
    assert config.nireq in {2, 3}


@pytest.mark.parametrize("why", ["blocks", "recent", "infeasible", "outside", "shared"])
def test_what_is_not_measured_again(why: str) -> None:
    """What has five blocks, was just measured, failed, is not asked for, or runs as another one gets no more."""
    space, known = scene(error=0.2, blocks=5 if why == "blocks" else 1)
    leaders = frozenset(c.key for c in space.configs if c.nireq in {2, 3})
    if why == "shared":
        known = replace(known, shared=dict.fromkeys(leaders, space.configs[0].key))
    elif why != "blocks":
        known = replace(known, **{why: leaders})  # type: ignore[arg-type]
    config = propose(space, GOAL, known, seed=0)
    assert config is not None
    assert config.key not in leaders


def test_the_dominated_get_no_second_block() -> None:
    """Repeats go to configs near the best or the front: none to one that is far behind in both objectives."""
    known = walk(SPACE, 60)[0]
    again = [c for c, count in Counter(known).items() if count > 1]
    worst = sorted(SPACE.configs, key=lambda c: fake.speed(c) / latency_ms(c))[: len(SPACE.configs) // 2]
    assert not set(again) & set(worst)


def test_limits_draw_the_search_to_what_keeps_them() -> None:
    """The highest throughput within a limit of the latency is found in thirty trials, whichever the limit is."""
    for limit in (9.0, 14.0, 40.0):
        goal = Goal(latency="p50", prefer="throughput", max_latency_ms=limit)
        within = [c for c in SPACE.configs if latency_ms(c) <= limit]
        best = max(fake.speed(c) for c in within)
        known = [c for c in walk(SPACE, 30, goal=goal)[0] if latency_ms(c) <= limit]
        assert max(fake.speed(c) for c in known) > 0.95 * best


def test_without_any_that_keeps_the_limits_the_search_comes_closer() -> None:
    """Where nothing measured is fast enough, what comes next is expected to be faster than most of what is known."""
    slow = sorted(SPACE.configs, key=latency_ms, reverse=True)[: len(SPACE.configs) // 2 : 5]
    goal = Goal(latency="p50", prefer="throughput", max_latency_ms=9.0)
    config = propose(SPACE, goal, history(slow), seed=0)
    assert config is not None
    assert latency_ms(config) < min(latency_ms(c) for c in slow)


def test_nothing_that_may_be_recommended_so_far() -> None:
    """Where all that ran breaks a limit that speed has no part in, the search goes on to what is new."""
    known = walk(SPACE, 20)[0]
    unfit = replace(history(known), infeasible=frozenset(c.key for c in known))
    config = propose(SPACE, GOAL, unfit, seed=0)
    assert config is not None
    assert config not in known


def test_hundreds_known() -> None:
    """With more readings than a model is made from the proposal still goes by the best of them."""
    ranked = sorted(LARGE.configs, key=lambda c: fake.speed(c) / latency_ms(c))
    known = [config for place, config in enumerate(ranked) if place % 5]
    assert len(known) > 400
    config = propose(LARGE, GOAL, history(known), seed=0)
    assert config in ranked[-len(ranked) // 4 :]


@given(mean=st.floats(-4, 4), deviation=st.floats(0.01, 3))
def test_expected_excess_is_that_of_draws(mean: float, deviation: float) -> None:
    """The closed form is the mean of what normal draws are above zero; the distribution function their share above."""
    z = (np.arange(20_000) + 0.5) / 20_000
    draws = mean + deviation * np.interp(z, normal(np.linspace(-8, 8, 4001)), np.linspace(-8, 8, 4001))
    (excess,) = expected_excess(np.array([mean]), np.array([deviation]))
    assert excess == pytest.approx(np.maximum(draws, 0).mean(), abs=2e-3)
    assert normal(np.array([mean / deviation]))[0] == pytest.approx((draws > 0).mean(), abs=2e-3)

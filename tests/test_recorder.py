from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ovtune.config import Config
from ovtune.errors import UsageError
from ovtune.evaluator import Infeasible
from ovtune.recorder import Recorded, Recorder, Sweep, spread
from ovtune.recording import Recording
from ovtune.recording_file import Writer, read
from ovtune.study import Setup
from tests import fake
from tests.fake import FakeEvaluator

SETUP = fake.setup()
HEADER = fake.recording(rounds=1).header
OWN = [b.config for b in SETUP.baselines]


def take(
    path: Path,
    sweep: Sweep,
    evaluator: FakeEvaluator | None = None,
    *,
    stopping: Callable[[], bool] = lambda: False,
    setup: Setup = SETUP,
) -> tuple[Recording, list[Recorded]]:
    """What a sweep records into ``path``, with the fake's clock, and what it told on the way."""
    host = evaluator or FakeEvaluator()
    told: list[Recorded] = []
    with Writer(path, HEADER) as writer:
        recorder = Recorder(writer, host, setup, sweep, clock=lambda: host.now_s)
        complete = recorder.run(emit=told.append, stopping=stopping)
    assert complete == (not stopping())
    return read(path), told


def visits(recording: Recording) -> Counter[Config]:
    return Counter(record.config for record in recording.records)


def test_rounds_of_all(tmp_path: Path) -> None:
    """Every config is visited once in every round, each round in an order of its own, under the time that it began."""
    found, told = take(tmp_path / "r.gz", Sweep(rounds=3, configs=7))
    assert set(visits(found).values()) == {3}
    orders = [tuple(r.config.key for r in found.records if r.round == round_) for round_ in range(3)]
    assert len({frozenset(order) for order in orders}) == 1
    assert len(set(orders)) == 3
    assert [r.started_s for r in found.records] == [1.5 * i for i in range(21)]
    assert [t.number for t in told] == list(range(1, 22))
    assert {t.total for t in told} == {21}


def test_own_answers_are_named_and_always_there(tmp_path: Path) -> None:
    """OpenVINO's own answers are visited even where fewer configs were asked for, under their names."""
    found, _ = take(tmp_path / "r.gz", Sweep(rounds=1, configs=1))
    assert {(r.config, r.baseline) for r in found.records} == {(b.config, b.name) for b in SETUP.baselines}


def test_configs_are_spread_over_the_space() -> None:
    """A sample holds no config twice, is the seed's alone, and has every value of every parameter sooner than later."""
    one, same, other = (spread(SETUP, 40, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert one[: len(OWN)] == OWN
    assert len(set(one)) == 40
    assert {c.batch_size for c in one} == {c.batch_size for c in SETUP.space.configs}
    assert {c.hint for c in one} == {c.hint for c in SETUP.space.configs}


@pytest.mark.parametrize("count", [None, 10**6])
def test_all_configs(count: int | None) -> None:
    """Without a number, or with one larger than the space, all configs are taken."""
    assert set(spread(SETUP, count, seed=0)) == set(SETUP.space.configs) | set(OWN)
    assert len(spread(replace(SETUP, baselines=()), count, seed=0)) == len(SETUP.space.configs)


def test_further_settings_are_recorded_too() -> None:
    """A recording of a space with settings beyond the usual ones holds configs that have them."""
    space = replace(SETUP.space, settings={"CPU": {"NUM_STREAMS": (1, 2)}}, size=3 * len(SETUP.space.configs))
    chosen = spread(replace(SETUP, space=space), 40, seed=0)
    assert {config.properties.get("NUM_STREAMS") for config in chosen} == {None, 1, 2}


def test_focus(tmp_path: Path) -> None:
    """The best of the others and OpenVINO's own answers are visited more often, in rounds of their own."""
    sweep = Sweep(rounds=2, configs=12, focus=3, focus_rounds=5)
    found, told = take(tmp_path / "r.gz", sweep, FakeEvaluator(noise=0.001))
    counted = visits(found)
    often = {config for config, count in counted.items() if count == 5}
    assert Counter(counted.values()) == {5: 3 + len(OWN), 2: 9 - len(OWN) + 0}
    assert set(OWN) < often
    assert max(counted, key=fake.speed) in often
    assert told[-1].number == told[-1].total == len(found.records)


def test_the_focus_holds_the_best_under_any_latency_limit(tmp_path: Path) -> None:
    """It is on the whole front, and then on what is the front without it."""
    sweep = Sweep(rounds=2, configs=40, focus=20, focus_rounds=3)
    found, _ = take(tmp_path / "r.gz", sweep, FakeEvaluator(noise=0))
    often = {config for config, count in visits(found).items() if count == 3}
    told = {r.config: r for r in found.records if r.ok and r.config not in OWN}
    best = {
        max(
            (c for c, r in told.items() if r.metrics["p95"] <= limit.metrics["p95"]),
            key=lambda c: told[c].throughput_per_s or 0.0,
        )
        for limit in told.values()
    }
    assert 2 < len(best) <= 20
    assert best < often


def test_baselines_alone_are_focused(tmp_path: Path) -> None:
    """Without a focus on others, OpenVINO's own answers still get their rounds."""
    found, _ = take(tmp_path / "r.gz", Sweep(rounds=1, configs=5, focus_rounds=4))
    assert {visits(found)[config] for config in OWN} == {4}


def test_cut_off_anywhere_it_goes_on(tmp_path: Path) -> None:
    """Stopped after each number of visits in turn and begun again, it ends with the visits of an unbroken one."""
    sweep = Sweep(rounds=2, configs=5, focus=1, focus_rounds=3)
    whole, _ = take(tmp_path / "whole.gz", sweep, FakeEvaluator(noise=0))
    host = FakeEvaluator(noise=0)
    for last in range(1, len(whole.records), 2):
        take(tmp_path / "r.gz", sweep, host, stopping=lambda last=last: len(host.asked) >= last)  # type: ignore[misc]
    found, told = take(tmp_path / "r.gz", sweep, host)
    assert [(r.round, r.config) for r in found.records] == [(r.round, r.config) for r in whole.records]
    assert len(host.asked) == len(whole.records)
    assert take(tmp_path / "r.gz", sweep, host)[1] == []
    assert told


def test_more_rounds_extend_it(tmp_path: Path) -> None:
    """The same command with more rounds adds those that are missing."""
    take(tmp_path / "r.gz", Sweep(rounds=1, configs=4))
    found, told = take(tmp_path / "r.gz", Sweep(rounds=3, configs=4))
    assert set(visits(found).values()) == {3}
    assert len(told) == 8


def test_what_never_runs_is_left_out_after_a_second_try(tmp_path: Path) -> None:
    """A refused config is recorded with its reason, twice at most; all others are visited in every round."""
    refused = spread(SETUP, 5, seed=0)[-1]
    host = FakeEvaluator(outcomes={refused.key: Infeasible(reason="CPU refuses it", cost_s=0.3)})
    found, _ = take(tmp_path / "r.gz", Sweep(rounds=4, configs=5), host)
    counted = visits(found)
    assert counted.pop(refused) == 2
    assert set(counted.values()) == {4}
    lines = [r for r in found.records if r.config == refused]
    assert {(r.ok, r.reason, r.cost_s) for r in lines} == {(False, "CPU refuses it", 0.3)}


@pytest.mark.parametrize("samples", [False, True])
def test_samples_only_where_asked_for(tmp_path: Path, samples: bool) -> None:
    """Single latencies are left out unless they are asked for: they are most of a file."""
    found, _ = take(tmp_path / "r.gz", Sweep(rounds=1, configs=3, samples=samples))
    assert {r.samples_ms is not None for r in found.records} == {samples}


@pytest.mark.parametrize(("rounds", "configs"), [(0, None), (1, 0), (-1, 5)])
def test_nothing_to_record(rounds: int, configs: int | None) -> None:
    """A sweep without rounds or configs makes no sense."""
    with pytest.raises(UsageError, match="at least 1"):
        Sweep(rounds=rounds, configs=configs)

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from ovtune import goal as goals
from ovtune import stats
from ovtune.comparison import Comparison, common_words, compare, contest_words, notes_of, tree
from ovtune.config import Config
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.objective import CPU_TIME
from ovtune.result import Result, conclude
from ovtune.study import Study, blocks_by_config
from ovtune.workload import PoissonCapacity
from tests import fake
from tests.report import sample

NAMES = ("old", "new")


def faster(made: Study, times: float, **changes: object) -> Result:
    """What a study says in which everything runs so many times as fast."""
    visits = tuple(
        dataclasses.replace(v, outcome=fake.sped(v.outcome, times)) if isinstance(v.outcome, Block) else v
        for v in made.visits
    )
    setup = dataclasses.replace(made.setup, **changes)  # type: ignore[arg-type]
    whole = dataclasses.replace(made, visits=visits, setup=setup)
    return conclude(whole, whole.goal)


def test_a_study_and_itself() -> None:
    """A study beside itself has no winner and no difference."""
    result = sample.result()
    found = compare(result, result)
    assert {c.winner for c in found.contests} <= {"neither", "open"}
    assert all(c.ratio is not None and c.ratio.value == 1 for c in found.contests)
    assert found.common is not None
    assert found.common.weighed.value == 1
    assert not any(c.differs for c in found.circumstances)


@pytest.mark.parametrize("offered", [False, True])
def test_a_contest_is_as_unsure_as_what_is_preferred(offered: bool) -> None:
    """The interval of a ratio is that of the joint error of what the two are compared by."""
    result = sample.offered() if offered else sample.result()
    found = compare(result, result)
    for one in found.contests:
        assert one.ratio is not None
        error = goals.error(one.first, one.prefer, found.metric)
        assert math.log(one.ratio.high / one.ratio.value) == pytest.approx(1.96 * math.sqrt(2) * error, rel=1e-3)


@pytest.mark.parametrize(("times", "winner"), [(1.5, "second"), (1 / 1.5, "first")])
def test_a_clear_winner(times: float, winner: str) -> None:
    """Where everything is half as fast again, that study wins every contest, by that much."""
    made = sample.study()
    found = compare(conclude(made, made.goal), faster(made, times))
    assert {c.winner for c in found.contests} == {winner}
    throughput = next(c for c in found.contests if c.prefer == "throughput")
    assert throughput.ratio is not None
    assert throughput.ratio.value == pytest.approx(times)
    assert found.common is not None
    assert found.common.weighed.low <= times * (1 + 1e-9)
    assert found.common.latency.value == pytest.approx(1 / times, rel=1e-5)
    words = contest_words(throughput, NAMES)
    assert words.startswith(f"{'new' if times > 1 else 'old'}, 50% better (")


def test_within_the_noise() -> None:
    """A difference that is smaller than the noise is told as none."""
    made = sample.study()
    found = compare(conclude(made, made.goal), faster(made, 1.001))
    assert "first" not in {c.winner for c in found.contests}
    assert "second" not in {c.winner for c in found.contests}
    assert any("noise" in contest_words(c, NAMES) or "no difference" in contest_words(c, NAMES) for c in found.contests)


def test_circumstances() -> None:
    """What changed around the studies is told by name, with both values."""
    made = sample.study()
    environment = dataclasses.replace(made.setup.environment, openvino="2027.0", devices={"GPU": "Test GPU"})
    found = compare(conclude(made, made.goal), faster(made, 1.0, environment=environment))
    changed = {c.name: (c.first, c.second) for c in found.circumstances if c.differs}
    assert changed == {
        "OpenVINO": ("2026.4.1", "2027.0"),
        "device CPU": ("Test CPU", "none"),
        "device GPU": ("none", "Test GPU"),
    }


def test_what_is_common_is_told_by_each_configs_own_blocks() -> None:
    """What configs tell of each other would be in all ratios at once, and make a chance look sure."""
    found = []
    for seed in (1, 3):
        study, further = (fake.study(pairs=0, seed=one) for one in (seed, seed + 1))
        again = [
            dataclasses.replace(v, number=v.number + len(study.visits), phase="elimination", trial=None, confirmation=1)
            for v in further.visits[:12]
        ]
        found.append(conclude(dataclasses.replace(study, visits=(*study.visits, *again)), Goal(latency="p50")))
    logs = []
    for key in found[0].estimates:
        one, other = (blocks_by_config(r.study.visits, "search", "elimination")[key] for r in found)
        located = (stats.location(np.log([b.throughput_per_s for b in some])) for some in (other, one))
        logs.append(next(located) - next(located))
    told = compare(*found).common
    assert told is not None
    assert told.weighed.value == pytest.approx(math.exp(stats.location(np.array(logs))))
    low, high = stats.signed_rank_interval(np.array(logs), alpha=0.05)
    assert (told.weighed.low, told.weighed.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_too_few_in_common() -> None:
    """Where fewer than eight configs were measured in both, nothing is said of them."""
    made = sample.study()
    renamed = tuple(
        v if v.number < 3 else dataclasses.replace(v, config=_elsewhere(v.config))
        for v in made.visits
        if v.phase == "search"
    )
    other = dataclasses.replace(made, visits=renamed, duels={})
    found = compare(conclude(made, made.goal), conclude(other, other.goal))
    assert found.common is None
    assert "Fewer than eight" in common_words(found, NAMES)


def _elsewhere(config: Config) -> Config:
    return dataclasses.replace(config, device="GPU")


def test_the_goal_is_that_of_the_first() -> None:
    """A limit of the first study's goal holds for both."""
    made = sample.study()
    limited = conclude(made, Goal(max_latency_ms=12.0, prefer="throughput"))
    for contest in compare(limited, sample.result()).contests:
        for side in (contest.first, contest.second):
            latency = side.latency_ms["p50"]
            assert latency.value <= 12.0 or math.isinf(latency.value)  # type: ignore[union-attr]


def test_json() -> None:
    """The comparison as plain values names both studies, each contest's winner and configs, and what differs."""
    told = plain(compare(sample.result(), sample.result()))
    assert told["studies"] == ["mobilenet", "mobilenet"]
    assert {"prefer", "winner", "ratio", "configs"} <= told["contests"][0].keys()
    assert told["common"].keys() == {"configs", "throughput", "latency"}


def plain(found: Comparison) -> dict[str, Any]:
    """The comparison as whoever reads its JSON gets it."""
    told: dict[str, Any] = json.loads(json.dumps(tree(found, NAMES)))
    return told


def test_json_holds_the_figures() -> None:
    """Beside each side's config stands what it does, with intervals where there are any."""
    made = sample.study()
    found = compare(conclude(made, made.goal), faster(made, 1.5))
    contest = found.contests[0]
    figures = plain(found)["contests"][0]["figures"]
    assert len(figures) == 2
    for side, told in zip((contest.first, contest.second), figures, strict=True):
        fast = side.throughput_per_s
        assert told["throughput_per_s"] == {"value": fast.value, "low": fast.low, "high": fast.high}
        assert told["latency_ms"].keys() == {found.metric}
        latency = told["latency_ms"][found.metric]
        assert latency["low"] < latency["value"] < latency["high"]
        assert told["cpu_ms_per_inference"] == side.cpu_ms_per_inference.value
        assert told["energy_mj_per_inference"] is None


def notes(first: Result, second: Result) -> str:
    """What is said before the outcomes of two studies."""
    return " ".join(notes_of(compare(first, second), NAMES))


def changed(made: Study, **changes: object) -> Result:
    """What ``made`` says with another setup."""
    return faster(made, 1.0, **changes)


def test_the_goal_that_is_used_is_said() -> None:
    """It is said whose goal is used and what it asks for, and no more where the other study has the same one."""
    goal = Goal(max_latency_ms=25.0, prefer="throughput")
    said = notes(sample.result(goal=goal), sample.result(goal=goal))
    assert "under the goal of old (p95 latency; p95 at most 25 ms)" in said
    assert "is another one" not in said
    assert "differ" not in said.replace("differences", "")


def test_other_goals() -> None:
    """Where the goals differ that is said, and each part that differs is among the circumstances."""
    first, second = sample.result(), sample.result(goal=Goal(latency="p99", prefer="latency", max_latency_ms=25.0))
    found = compare(first, second)
    around = {c.name: (c.first, c.second) for c in found.circumstances if c.differs}
    assert around == {
        "latency of the goal": ("p95", "p99"),
        "preferred": ("balanced", "latency"),
        "limits": ("none", "p99 at most 25 ms"),
    }
    said = notes(first, second)
    assert "The goal of new is another one (latency of the goal, preferred, limits) and is not used." in said


def test_another_percentile() -> None:
    """Where not all configs have the percentile of the goal, it is said by which one they are compared."""
    found = compare(sample.result(), sample.result())
    assert (found.goal.latency, found.metric) == ("p95", "p50")
    assert "enough samples for p95, which the goal asks for: latencies are compared by p50" in notes(
        sample.result(), sample.result()
    )
    goal = Goal(latency="p50")
    assert "enough samples" not in notes(sample.result(goal=goal), sample.result(goal=goal))


@pytest.mark.parametrize("turned", [False, True])
def test_other_loads_have_no_winner(turned: bool) -> None:
    """Under other loads nothing is compared, however far the figures lie apart, in words and in JSON."""
    first, second = (sample.offered(), sample.result()) if turned else (sample.result(), sample.offered())
    found = compare(first, second)
    assert not found.alike
    assert found.common is None
    assert {(c.winner, c.ratio) for c in found.contests} == {("incomparable", None)}
    assert {contest_words(c, NAMES) for c in found.contests} == {"the loads differ: nothing is compared"}
    assert "loads differ" in common_words(found, NAMES)
    loads = ("interval:20ms; closed", "closed; interval:20ms")[not turned]
    assert f"The loads differ ({loads})" in notes(first, second)
    assert "--against" not in notes(first, second)
    told = plain(found)
    assert {(one["winner"], one["ratio"]) for one in told["contests"]} == {("incomparable", None)}
    assert told["common"] is None
    assert any("The loads differ" in note for note in told["notes"])


def test_a_capacity_is_searched_in_a_closed_loop() -> None:
    """A study that asks for a capacity was searched under the load of one that does not: they are compared."""
    made = sample.study(goal=Goal(latency="mean", prefer="throughput", max_latency_ms=50.0))
    found = compare(conclude(made, made.goal), changed(made, workload=PoissonCapacity()))
    assert found.alike
    assert {c.name for c in found.circumstances if c.differs} == {"load"}


def test_other_models() -> None:
    """Two models are compared, and it is said that they are two."""
    made = sample.study()
    model = dataclasses.replace(made.setup.model, sha256="1" * 64)
    other = faster(made, 1.5, model=model)
    found = compare(conclude(made, made.goal), other)
    assert {c.winner for c in found.contests} == {"second"}
    assert "The models differ" in notes(conclude(made, made.goal), other)


@pytest.mark.parametrize("turned", [False, True])
def test_variants_are_one_model(turned: bool) -> None:
    """A study of a file that the other one knows as a variant of its model is of no other model."""
    made = sample.study()
    variant = dataclasses.replace(made.setup.model, sha256="1" * 64)
    both = (changed(made, variants={"INT8": variant}), changed(made, model=variant))
    assert "The models differ" not in notes(*(both[::-1] if turned else both))


@pytest.mark.parametrize(
    ("energy", "key", "name"),
    [(False, "cpu_time", "CPU time per inference"), (True, "energy", "energy per inference")],
)
def test_an_offered_load(energy: bool, key: str, name: str) -> None:
    """Where both were put under one offered load, its throughput is not compared, but what an inference costs."""
    costly = sample.offered(energy=energy)
    cheap = faster_under_load(2.0, energy=energy)
    found = compare(costly, cheap)
    assert [(c.prefer, c.winner) for c in found.contests] == [("efficiency", "second"), ("latency", "second")]
    assert found.common is not None
    assert found.common.weighed.value == pytest.approx(0.5)
    assert f"0.50 times (0.50 to 0.50) the {name}" in common_words(found, NAMES)
    assert plain(found)["common"].keys() == {"configs", key, "latency"}


def test_energy_is_not_compared_with_cpu_time() -> None:
    """Where one of the studies does not tell its energy, both are compared by CPU time."""
    found = compare(sample.offered(energy=True), sample.offered())
    assert found.objective is CPU_TIME
    assert found.contests[0].ratio is not None
    assert found.contests[0].ratio.value == 1


def faster_under_load(times: float, *, energy: bool) -> Result:
    """A study under the offered load in which everything takes so many times less."""
    sped = faster(sample.study(), times).study
    made = sample.under(sped, energy=energy)
    return conclude(made, made.goal)

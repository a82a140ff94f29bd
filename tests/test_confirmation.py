from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ovtune import duel
from ovtune.config import Config
from ovtune.evaluator import Failed, Outcome
from ovtune.field import last_duel, survey_field
from ovtune.goal import Goal
from ovtune.ledger import Event, VisitEnded, VisitStarted
from ovtune.measurement import Block, Plan
from ovtune.result import conclude
from ovtune.space import Space
from ovtune.study import Sides
from ovtune.tuning import history_of
from tests import bench as benches
from tests import fake
from tests.bench import Bench, Repeating, of, small
from tests.fake import FakeEvaluator


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return benches.make(tmp_path, small(16))


def test_phases_follow_each_other(bench: Bench) -> None:
    """Search, elimination, duel: each with its confirmation, rounds counted from 0, pairs as A B B A."""
    study = bench.search(8, confirm_s=45)
    phases = [v.phase for v in study.visits]
    assert phases == sorted(phases, key=["search", "elimination", "duel"].index)
    assert {v.confirmation for v in of(study, "search")} == {0}
    assert {v.confirmation for v in of(study, "elimination", "duel")} == {1}
    sides = study.duels[1]
    order = [v.config for v in of(study, "duel")][:4]
    assert order == [sides.candidate, sides.baseline, sides.baseline, sides.candidate]
    assert [v.round for v in of(study, "duel")] == [i // 2 for i in range(len(of(study, "duel")))]


def test_elimination_visits_answers_and_challengers_in_rounds(bench: Bench) -> None:
    """Each finalist is visited once in a round; who is dropped does not come back; both kinds are among them."""
    study = bench.search(15)
    answers = {b.config.key for b in study.setup.baselines}
    rounds = [[v.config.key for v in of(study, "elimination") if v.round == r] for r in range(3)]
    assert all(len(set(keys)) == len(keys) for keys in rounds)
    assert set(rounds[0]) >= set(rounds[1]) >= set(rounds[2])
    assert set(rounds[0]) & answers
    assert set(rounds[0]) - answers


@pytest.mark.parametrize("confirm_s", [30, 45, 90])
def test_nobody_is_eliminated_against_nobody(tmp_path: Path, confirm_s: float) -> None:
    """Between the first round, whose field the time limits, and the last, which it may cut off, none is alone."""
    for seed in range(5):
        evaluator = FakeEvaluator(seed=seed, noise=0.1)
        study = benches.make(tmp_path / f"{seed}", small(16), evaluator=evaluator).search(8, confirm_s=confirm_s)
        answers = {b.config.key for b in study.setup.baselines}
        made = of(study, "elimination")
        between = [v for v in made if 0 < v.round < made[-1].round]
        assert 1 not in Counter((v.round, v.config.key in answers) for v in between).values()


def test_a_disturbed_block_does_not_rule_an_answer_out(tmp_path: Path) -> None:
    """The best of OpenVINO's own answers, read far too low in the search, is visited again, and stands in the duel."""

    class Disturbed(FakeEvaluator):
        def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
            outcome = super().evaluate(config, plan)
            if config == fake.BASELINES[1].config and self.asked.count(config) == 1 and isinstance(outcome, Block):
                return fake.sped(outcome, 0.5)
            return outcome

    goal = Goal(latency="p50", prefer="throughput")
    study = benches.make(tmp_path, small(16), goal=goal, evaluator=Disturbed()).search(12, confirm_s=150)
    assert study.duels[1].baseline == fake.BASELINES[1].config


def test_looks_are_committed_before_the_first_pair(bench: Bench) -> None:
    """The duel's sides and looks are in the database before its first block is asked for, and stay as they are."""
    seen: list[tuple[Mapping[int, Sides], int]] = []

    def stopping() -> bool:
        if not isinstance(last := bench.events[-1] if bench.events else None, VisitEnded):
            return False
        study = bench.load() if last.started.phase == "elimination" or not seen[5:] else None
        if study is not None and study.duels:
            seen.append((study.duels, len(of(study, "duel"))))
        return False

    study = bench.search(4, confirm_s=45, stopping=stopping)
    assert seen[0] == (study.duels, 0)
    assert all(duels == study.duels for duels, _ in seen)


def test_duel_takes_no_part_in_choosing(bench: Bench) -> None:
    """Estimates, challenger and strongest baseline are the same with and without the duel's blocks."""
    study = bench.search(6, confirm_s=45)
    without = replace(study, visits=tuple(v for v in study.visits if v.phase != "duel"))
    assert of(study, "duel")
    assert survey_field(study, bench.goal) == survey_field(without, bench.goal)
    assert history_of(study, bench.goal).readings == history_of(without, bench.goal).readings


@pytest.mark.parametrize(
    ("factor", "kinds", "wins"),
    [(1.3, {"better"}, True), (1.0, {"equal", "undecided"}, False), (0.7, {"equal"}, False)],
)
def test_verdicts(tmp_path: Path, factor: float, kinds: set[str], wins: bool) -> None:
    """A faster challenger wins, an equal one does not, a slower one leaves OpenVINO's own answer."""
    answers = [b.config for b in fake.BASELINES]
    others = [
        replace(a, properties={**a.properties, "INFERENCE_PRECISION_HINT": "f32"}, batch_size=b)
        for a in answers
        for b in (1, 2)
    ]

    def truth(config: Config) -> float:
        one: float = 100.0 * (config.nireq * config.batch_size) ** 0.1
        return one * factor if config in others else one

    setup = replace(fake.setup(), space=Space(configs=(*answers, *others)))
    bench = benches.make(tmp_path, setup, evaluator=FakeEvaluator(truth=truth))
    result = conclude(bench.search(6, confirm_s=60), bench.goal)
    assert result.verdict.kind in kinds
    assert (result.recommended in others) == wins


def test_an_open_duel_is_fought_anew_with_much_more_time(tmp_path: Path) -> None:
    """Where noise left it open, the same command does nothing more; with much more time a larger duel follows."""
    bench = benches.make(tmp_path, small(16), evaluator=FakeEvaluator(noise=0.2, truth=lambda _: 100.0))
    bench.goal = Goal(latency="p50", prefer="throughput")
    first = bench.search(6, confirm_s=60)
    assert conclude(first, bench.goal).verdict.kind == "undecided"
    assert len(bench.search(6, confirm_s=60).visits) == len(first.visits)
    again = bench.search(6, confirm_s=400)
    assert again.duels.keys() == {1, 2}
    assert again.duels[2].looks[-1] >= 1.5 * again.duels[1].looks[-1]
    assert {v.confirmation for v in again.visits[len(first.visits) :]} == {2}
    assert len(bench.search(6, confirm_s=400).visits) == len(again.visits)


def test_short_time_leaves_it_unconfirmed(bench: Bench) -> None:
    """Without the time for eight pairs there is no duel, and the verdict says unconfirmed."""
    study = bench.search(6, confirm_s=12)
    assert not study.duels
    assert conclude(study, bench.goal).verdict.kind == "unconfirmed"


def test_unconfirmed_study_is_confirmed_when_there_is_time(bench: Bench) -> None:
    """The same command with more time goes on with the elimination that was begun: no round of it is repeated."""
    first = bench.search(6, confirm_s=8)
    assert of(first, "elimination")
    study = bench.search(6, confirm_s=90)
    assert list(study.duels) == [1]
    rounds = Counter((v.confirmation, v.round, v.config.key) for v in of(study, "elimination"))
    assert max(rounds.values()) == 1
    assert len(of(study, "elimination")) > len(of(first, "elimination"))
    assert conclude(study, bench.goal).verdict.kind != "unconfirmed"


def test_same_command_again_measures_nothing(bench: Bench) -> None:
    """A finished study stays as it is: nothing is asked, and the answer is the same."""
    first = bench.search(6, confirm_s=45)
    asked = len(bench.evaluator.asked)
    second = bench.search(6, confirm_s=45)
    assert len(bench.evaluator.asked) == asked
    assert second == first
    assert conclude(second, bench.goal) == conclude(first, bench.goal)


def test_more_trials_are_confirmed_anew(bench: Bench) -> None:
    """A larger number of trials extends the study and duels again; the first duel stays in it."""
    first = bench.search(4, confirm_s=45)
    second = bench.search(7, confirm_s=45)
    assert second.visits[: len(first.visits)] == first.visits
    assert (second.trials, list(second.duels)) == (7, [1, 2])
    assert {v.confirmation for v in second.visits[len(first.visits) :]} == {0, 2}


def test_another_goal_is_confirmed_anew(bench: Bench) -> None:
    """Another preference asks for no new trial, but for its own elimination and duel."""
    first = bench.search(6, confirm_s=45)
    bench.goal = Goal(latency="p50", prefer="latency")
    second = bench.search(6, confirm_s=45)
    assert (second.trials, list(second.duels)) == (6, [1, 2])
    assert second.duels[2].goal == bench.goal
    assert second.duels[1] == first.duels[1]
    assert second.goal == bench.goal


def test_only_baselines_leave_nothing_to_duel_for(tmp_path: Path) -> None:
    """A space that holds nothing but OpenVINO's own answers needs no elimination and no duel."""
    bench = benches.make(tmp_path, small(0))
    study = bench.search(10)
    assert [v.phase for v in study.visits] == ["search"] * 2
    assert bench.search(10).visits == study.visits


def test_failing_side_ends_the_duel(tmp_path: Path) -> None:
    """A candidate that fails from the duel on cannot keep the search going for ever."""
    bench = benches.make(tmp_path, small(3))

    def stopping() -> bool:
        if bench.events and isinstance(e := bench.events[-1], VisitStarted) and e.phase == "duel":
            raise AssertionError("looked at in the middle of a visit")
        if not bench.evaluator.outcomes and (duels := bench.load().duels):
            bench.evaluator.outcomes = {duels[1].candidate.key: Failed(reason="it fell over", cost_s=1.0)}
        return False

    study = bench.search(5, confirm_s=40, stopping=stopping)
    failed = [v for v in of(study, "duel") if isinstance(v.outcome, Failed)]
    assert len(failed) == len(of(study, "duel")) / 2 == 3
    assert conclude(study, bench.goal).verdict.kind == "unconfirmed"


def test_going_on_gives_what_an_unbroken_search_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search stopped in each phase in turn makes the same visits in the same order as a whole one."""
    monkeypatch.setattr(duel, "MOST_PAIRS", 40)
    whole, broken = (benches.make(tmp_path / n, small(5), evaluator=Repeating()) for n in "ab")
    expected = whole.search(7, confirm_s=250)
    for after in (3, 9, 12, 16, 19, 24):
        broken.search(7, confirm_s=250, stopping=lambda after=after: len(broken.evaluator.asked) >= after)  # type: ignore[misc]
    study = broken.search(7, confirm_s=250)
    course = [(v.phase, v.round, v.config.key) for v in study.visits]
    assert course == [(v.phase, v.round, v.config.key) for v in expected.visits]
    assert study.duels == expected.duels


def test_arrivals_are_the_same_within_a_round_and_differ_between_rounds(tmp_path: Path) -> None:
    """Whoever meets in a round has one schedule; the next round has another, so that no schedule decides the duel."""
    seeds: dict[tuple[str, int], set[int]] = {}
    given: list[int] = []

    class Noting(FakeEvaluator):
        def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
            given.append(plan.seed)
            return super().evaluate(config, plan)

    study = benches.make(tmp_path, small(8), evaluator=Noting()).search(6, confirm_s=120.0)
    for visit, seed in zip(study.visits, given, strict=True):
        if visit.phase in {"elimination", "duel"}:
            seeds.setdefault((visit.phase, visit.round), set()).add(seed)
    assert all(len(same) == 1 for same in seeds.values())
    assert len({seed for same in seeds.values() for seed in same}) == len(seeds) > 8


@pytest.mark.parametrize(("held", "pairs"), [(60, 30), (31, 21), (20, 14), (12, 8), (11, 8)])
def test_a_duel_fits_the_fresh_blocks_that_there_are(tmp_path: Path, held: int, pairs: int) -> None:
    """What search and elimination leave is planned for, which is most of them, and no block is asked for twice."""
    evaluator = FakeEvaluator(noise=0.2, truth=lambda _: 100.0, holds=lambda _: held)
    bench = benches.make(tmp_path, small(16), evaluator=evaluator, goal=Goal(latency="p50", prefer="throughput"))
    study = bench.search(10, confirm_s=150)
    sides = study.duels[1]
    assert sides.looks[-1] <= sides.wanted
    assert sides.looks[-1] >= min(pairs, sides.wanted)
    assert max(Counter(c.key for c in evaluator.asked).values()) <= held
    result = conclude(study, bench.goal)
    assert result.verdict.pairs in sides.looks
    assert len(bench.search(10, confirm_s=150).visits) == len(study.visits)


def test_too_few_fresh_blocks_leave_it_unconfirmed(tmp_path: Path) -> None:
    """Where eight pairs cannot be had no duel is planned: what blocks there are choose, and nothing is asked twice."""
    evaluator = FakeEvaluator(holds=lambda _: 4)
    bench = benches.make(tmp_path, small(16), evaluator=evaluator)
    study = bench.search(10)
    assert not study.duels
    assert of(study, "elimination")
    assert max(Counter(c.key for c in evaluator.asked).values()) <= 4
    assert conclude(study, bench.goal).verdict.kind == "unconfirmed"


def test_elimination_ends_when_one_of_each_kind_is_left(tmp_path: Path) -> None:
    """Without noise or equals the first round tells who is best: the time that is left is the duel's."""
    evaluator = FakeEvaluator(noise=0.0, truth=lambda config: fake.speed(config) * 0.97**config.nireq)
    bench = benches.make(tmp_path, small(16), evaluator=evaluator)
    bench.goal = Goal(latency="p50", prefer="throughput")
    study = bench.search(8, confirm_s=300)
    assert max(v.round for v in of(study, "elimination")) <= 2
    assert study.duels


def test_of_equals_the_one_that_can_be_confirmed_goes_into_the_duel(tmp_path: Path) -> None:
    """Where a recording has too few blocks of the leading challenger for a duel, one as good that has them fights."""
    answers = [b.config for b in fake.BASELINES]
    scarce = replace(answers[1], batch_size=4)
    common = replace(answers[1], batch_size=2)

    def truth(config: Config) -> float:
        return {scarce: 132.0, common: 130.0}.get(config, 100.0)

    setup = replace(fake.setup(), space=Space(configs=(*answers, scarce, common)))
    evaluator = FakeEvaluator(noise=0.02, truth=truth, holds=lambda config: 3 if config == scarce else 40)
    bench = benches.make(tmp_path, setup, evaluator=evaluator, goal=Goal(latency="p50", prefer="throughput"))
    study = bench.search(4, confirm_s=90)
    assert study.duels[1].candidate == common
    assert evaluator.asked.count(scarce) <= 3
    assert conclude(study, bench.goal).recommended == common


def test_what_breaks_a_limit_in_its_duel_challenges_no_more(tmp_path: Path) -> None:
    """The baseline remains, it is said that another config promises more, and the same command confirms that one."""
    latency, throughput = (b.config for b in fake.BASELINES)
    edge, safe = replace(throughput, nireq=6), replace(throughput, nireq=3)
    events: list[Event] = []

    def truth(config: Config) -> float:
        fought = any(isinstance(event, VisitStarted) and event.phase == "duel" for event in events)
        return {edge: 190.0 if fought else 215.0, safe: 125.0, throughput: 60.0}.get(config, 50.0)

    setup = replace(fake.setup(), space=Space(configs=(latency, throughput, edge, safe)))
    goal = Goal(latency="p50", prefer="throughput", max_latency_ms=30)
    evaluator = FakeEvaluator(noise=0.01, truth=truth)
    bench = benches.make(tmp_path, setup, evaluator=evaluator, goal=goal)
    bench.events = events
    first = bench.search(4, confirm_s=90)
    assert (first.duels[1].candidate, first.duels[1].baseline) == (edge, latency)
    result = conclude(first, goal)
    assert result.recommended == latency
    assert [c.parameters for c in result.caveats if c.kind == "overtaken"] == [{"config": safe.words}]
    second = bench.search(4, confirm_s=90)
    assert (second.duels[2].candidate, second.duels[2].baseline) == (safe, latency)
    assert not any(v.config == edge for v in second.visits[len(first.visits) :])
    result = conclude(second, goal)
    assert (result.recommended, result.verdict.kind) == (safe, "trade")
    assert not any(c.kind == "overtaken" for c in result.caveats)
    assert len(bench.search(4, confirm_s=90).visits) == len(second.visits)


def test_what_breaks_a_limit_in_its_duel_is_the_end_where_no_other_promises_more(tmp_path: Path) -> None:
    """The same command measures nothing more, and nothing is said of others."""
    latency, throughput = (b.config for b in fake.BASELINES)
    edge, slow = replace(throughput, nireq=6), replace(throughput, nireq=3)
    bench = benches.make(tmp_path, replace(fake.setup(), space=Space(configs=(latency, throughput, edge, slow))))

    def truth(config: Config) -> float:
        fought = any(isinstance(event, VisitStarted) and event.phase == "duel" for event in bench.events)
        return {edge: 190.0 if fought else 215.0, latency: 150.0, slow: 125.0, throughput: 60.0}[config]

    bench.evaluator = FakeEvaluator(noise=0.01, truth=truth)
    bench.goal = Goal(latency="p50", prefer="throughput", max_latency_ms=30)
    study = bench.search(4, confirm_s=90)
    assert study.duels[1].candidate == edge
    assert survey_field(study, bench.goal).lost == {edge.key}
    result = conclude(study, bench.goal)
    assert (result.recommended, [c.kind for c in result.caveats]) == (latency, [])
    assert len(bench.search(4, confirm_s=90).visits) == len(study.visits)


def test_contended_blocks_are_repeated_only_while_fresh_ones_are_spare(tmp_path: Path) -> None:
    """A duel with just enough fresh blocks keeps those that others held up, and comes to its planned end."""

    class Crowded(FakeEvaluator):
        def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
            outcome = super().evaluate(config, plan)
            held_up = len(self.asked) % 5 == 0
            return replace(outcome, others_busy=0.5) if held_up and isinstance(outcome, Block) else outcome

    evaluator = Crowded(noise=0.2, truth=lambda _: 100.0, holds=lambda _: 24)
    bench = benches.make(tmp_path, small(16), evaluator=evaluator, goal=Goal(latency="p50", prefer="throughput"))
    study = bench.search(8, confirm_s=150)
    assert max(Counter(c.key for c in evaluator.asked).values()) <= 24
    fight = last_duel(study)
    assert fight is not None
    assert fight.reached == study.duels[1].looks[-1]

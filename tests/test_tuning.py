import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from ovtune import goal as goals
from ovtune import patience, proposal, tuning
from ovtune.config import Config
from ovtune.errors import MeasurementError, StorageError
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.field import last_duel, survey_field
from ovtune.goal import Goal
from ovtune.lead import Lead, Member
from ovtune.ledger import Begun, VisitEnded, VisitStarted
from ovtune.measurement import Block, Plan
from ovtune.proposal import START
from ovtune.recommendation import document_of
from ovtune.result import conclude
from ovtune.space import Space
from ovtune.store import CONFIG_ATTRIBUTE, REASON_ATTRIBUTE
from ovtune.study import CHOOSING, Baseline, Setup, Study, agreement_of, blocks_by_config
from ovtune.tuning import APART, REFER_EVERY, history_of
from ovtune.wanted import Wanted
from ovtune.workload import ConstantRate
from tests import bench as benches
from tests import fake
from tests.bench import GOAL, Bench, of, small
from tests.fake import FakeEvaluator

SHORT = 1.0
"""A time to confirm that is none, for tests that end with the search."""


def twins() -> Setup:
    """A setup whose configs come in pairs that run alike: with FP32 and with FP16 weights."""
    setup = small(5)
    others = tuple(replace(c, precision="FP16") for c in setup.space.configs)
    return replace(setup, space=Space(configs=(*setup.space.configs, *others)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return benches.make(tmp_path, small(16))


def test_nothing_is_asked_while_a_block_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proposal takes a CPU for milliseconds: none is being made while a visit is, and each trial has its own."""
    doing: list[str] = []

    class Watched(FakeEvaluator):
        def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
            assert not doing
            doing.append("measuring")
            threads = threading.active_count()
            outcome = super().evaluate(config, plan)
            assert (doing.pop(), threading.active_count()) == ("measuring", threads)
            return outcome

    asked = []

    def proposing(space: Space, goal: Goal, history: proposal.History, *, seed: int) -> Config | None:
        assert not doing
        doing.append("asking")
        asked.append(proposal.propose(space, goal, history, seed=seed))
        assert doing.pop() == "asking"
        return asked[-1]

    monkeypatch.setattr(tuning, "propose", proposing)
    study = benches.make(tmp_path, small(16), evaluator=Watched()).search(12, confirm_s=30)
    assert [v.config for v in of(study, "search")] == asked


def test_baselines_come_first_and_trials_are_exact(bench: Bench) -> None:
    """OpenVINO's own answers are measured first; the study ends with exactly as many trials as asked for."""
    study = bench.search(15, confirm_s=SHORT)
    assert [v.config for v in of(study, "search")][:2] == [b.config for b in fake.BASELINES]
    assert study.trials == len(of(study, "search")) == 15
    assert [v.trial for v in of(study, "search")] == list(range(15))
    assert study.stopped == "all 15 trials are done"
    assert bench.load() == study


def test_neighbours_of_the_baselines_follow(tmp_path: Path) -> None:
    """Half and double of the infer requests of OpenVINO's answer that is best for the goal come next."""
    most, least = Goal(latency="p50", prefer="throughput"), Goal(latency="p50", prefer="latency")
    for goal, expected in ((most, [("THROUGHPUT", 1), ("THROUGHPUT", 4)]), (least, [("LATENCY", 2)])):
        study = benches.make(tmp_path / goal.prefer, goal=goal).search(4, confirm_s=SHORT)
        asked = [(v.config.hint, v.config.nireq) for v in of(study, "search")]
        assert asked[:2] == [("LATENCY", 1), ("THROUGHPUT", 2)]
        assert asked[2 : 2 + len(expected)] == expected


def test_every_outcome_is_counted_and_told(tmp_path: Path) -> None:
    """Blocks and shared blocks are COMPLETE, infeasible is PRUNED, our own faults FAIL, with their reasons."""
    bench = benches.make(tmp_path, twins())
    refused, broken = fake.BASELINES[0].config, twins().space.configs[3]
    bench.evaluator.outcomes = {
        refused.key: Infeasible(reason="CPU refuses it"),
        broken.key: Failed(reason="ended by SIGSEGV"),
    }
    study = bench.search(100, confirm_s=SHORT)
    trials = bench.optuna_study().trials
    kinds = {v.trial: type(v.outcome).__name__ for v in of(study, "search")}
    state = {
        "Block": TrialState.COMPLETE,
        "SameAs": TrialState.COMPLETE,
        "Infeasible": TrialState.PRUNED,
        "Failed": TrialState.FAIL,
    }
    assert len(trials) == study.trials
    assert set(kinds.values()) == set(state)
    assert [t.state for t in trials] == [state[kinds[t.number]] for t in trials]
    reasons = {t.user_attrs[CONFIG_ATTRIBUTE]: t.user_attrs.get(REASON_ATTRIBUTE) for t in trials}
    assert reasons[refused.key] == "CPU refuses it"
    assert reasons[broken.key] == "ended by SIGSEGV"


def test_optuna_holds_the_reading_of_each_block(tmp_path: Path) -> None:
    """A trial's values are the throughput and the latency of its own block, or of the first one that it shares."""
    bench = benches.make(tmp_path, twins())
    study = bench.search(30, confirm_s=SHORT)
    blocks = {v.config.key: v.outcome for v in reversed(of(study, "search")) if isinstance(v.outcome, Block)}
    for trial, visit in zip(bench.optuna_study().trials, of(study, "search"), strict=True):
        block = visit.outcome if isinstance(visit.outcome, Block) else blocks[study.owners[visit.config.key]]
        assert trial.values == pytest.approx([block.throughput_per_s, float(np.median(block.latencies_ms))])
    assert study.owners


def test_latency_told_to_optuna_stays_the_one_that_it_was_named_after(bench: Bench) -> None:
    """Going on with another latency objective does not mix two metrics in one column of the database."""
    bench.search(4, confirm_s=SHORT)
    bench.goal = Goal(latency="p90")
    last = of(bench.search(6, confirm_s=SHORT), "search")[-1].outcome
    assert isinstance(last, Block)
    assert bench.optuna_study().trials[-1].values[1] == pytest.approx(float(np.median(last.latencies_ms)))


def test_of_configs_that_run_alike_one_is_measured(tmp_path: Path) -> None:
    """What the runtime runs alike is offered to the evaluator by its effective key: all blocks are of one of them."""
    study = benches.make(tmp_path, twins()).search(100, confirm_s=SHORT)
    pairs = {(v.outcome.effective_key, v.config.key) for v in of(study, "search") if isinstance(v.outcome, Block)}
    assert max(Counter(key for key, _ in pairs).values()) == 1
    assert len(study.owners) == 7


def test_a_config_that_is_measured_again_is_a_trial_of_its_own(tmp_path: Path) -> None:
    """A repeat counts as a trial with the same parameters and values of its own, some visits after the one before."""
    bench = benches.make(tmp_path, small(12), evaluator=FakeEvaluator(noise=0.2))
    study = bench.search(30, confirm_s=SHORT)
    visits = of(study, "search")
    again = {key for key, count in Counter(v.config.key for v in visits).items() if count > 1}
    assert again
    assert study.trials == len(visits)
    for key in again:
        trials = [t for t in bench.optuna_study().trials if t.user_attrs[CONFIG_ATTRIBUTE] == key]
        assert len({tuple(t.params.items()) for t in trials}) == 1
        assert len({tuple(t.values) for t in trials}) == len(trials) <= 5
        places = [i for i, v in enumerate(study.visits) if v.config.key == key and v.phase == "search"]
        assert all(b - a > APART for a, b in pairwise(places))
        blocks = [v for v in study.visits if v.config.key == key and v.phase in CHOOSING]
        assert survey_field(study, bench.goal).estimates[key].blocks == len(blocks)
        assert history_of(study, bench.goal).readings[key].blocks == len(blocks)


def test_a_repeat_goes_on_after_a_kill(tmp_path: Path) -> None:
    """A search that was killed at any visit ends with the course that it would have had, repeats included."""
    whole = benches.make(tmp_path / "whole", small(12), evaluator=FakeEvaluator(noise=0.2))
    asked = [(v.phase, v.config.key) for v in whole.search(30, confirm_s=SHORT).visits if v.phase == "search"]
    cut = benches.make(tmp_path / "cut", small(12), evaluator=FakeEvaluator(noise=0.2))
    place = next(i for i, one in enumerate(asked) if one in asked[:i])
    with pytest.raises(benches.KilledError):
        cut.search(30, confirm_s=SHORT, dies_after=place)
    study = cut.search(30, confirm_s=SHORT)
    assert study.trials == len({v.trial for v in of(study, "search")}) == len(asked)
    assert [(v.phase, v.config.key) for v in of(study, "search")][: place + 1] == asked[: place + 1]


@pytest.mark.parametrize("goal", [replace(GOAL, max_error=1e-9), replace(GOAL, max_memory_bytes=1e-9)])
def test_what_breaks_a_limit_that_speed_has_no_part_in_teaches(tmp_path: Path, goal: Goal) -> None:
    """A config whose outputs are off or whose memory is too much counts as one that cannot run; its speed is known."""
    bench = benches.make(tmp_path, small(12), goal=goal)
    study = bench.search(6, confirm_s=SHORT)
    history = history_of(study, bench.goal)
    assert history.infeasible == set(history.readings) == set(history.tried)


def test_exhausted_space_ends_the_search(tmp_path: Path) -> None:
    """When every config has been tried the search says so, confirms, and has nothing to do the next time."""
    bench = benches.make(tmp_path, small(6))
    study = bench.search(50)
    assert study.trials == 8
    assert study.stopped == "all 8 configs of the space were tried"
    assert last_duel(study) is not None
    asked = len(bench.evaluator.asked)
    assert bench.search(50).stopped == study.stopped
    assert len(bench.evaluator.asked) == asked


def test_timeout_ends_the_trials_and_lets_them_be_confirmed(bench: Bench) -> None:
    """After the time limit no new trial is asked for; the confirmation has its own time."""
    study = bench.search(50, timeout_s=15, confirm_s=45)
    assert study.trials == 10
    assert study.stopped == "the time limit of 15 s was reached"
    assert of(study, "duel")


def test_fewer_trials_than_there_are(bench: Bench) -> None:
    """Asking for fewer trials than the study holds asks for none and says how many there are."""
    bench.search(8, confirm_s=SHORT)
    asked = len(bench.evaluator.asked)
    assert bench.search(5, confirm_s=SHORT).stopped == "all 8 trials are done"
    assert len(bench.evaluator.asked) == asked


def test_same_seed_and_measurements_ask_for_the_same(tmp_path: Path) -> None:
    """The whole course of a search is a function of its seed and of what was measured."""
    courses = []
    for run, seed in enumerate((1, 1, 2)):
        study = benches.make(tmp_path / str(run)).search(8, seed=seed, confirm_s=SHORT)
        courses.append([(v.phase, v.config.key) for v in study.visits])
    assert courses[0] == courses[1] != courses[2]


def test_events_tell_the_course(bench: Bench) -> None:
    """Each visit is announced before it is made and told after it, with its number, its total and its outcome."""
    study = bench.search(10, confirm_s=45)
    started = [e for e in bench.events if isinstance(e, VisitStarted)]
    ended = [e for e in bench.events if isinstance(e, VisitEnded)]
    assert [type(e) for e in bench.events] == [Begun, *([VisitStarted, VisitEnded] * len(study.visits))]
    assert [e.started for e in ended] == started
    assert [e.outcome for e in ended] == [v.outcome for v in study.visits]
    assert all(1 <= e.number <= e.total for e in started)
    assert [(e.number, e.total) for e in started if e.phase == "search"] == [(i + 1, 10) for i in range(10)]
    assert [len(e.study.visits) for e in ended] == list(range(1, len(study.visits) + 1))


def test_all_failing_names_the_most_frequent_reason(bench: Bench) -> None:
    """When no trial gives a number the search is an error that names the most frequent reason, the second time too."""
    keys = {c.key: Infeasible(reason="no memory") for c in fake.space().configs}
    bench.evaluator.outcomes = {**keys, fake.BASELINES[0].config.key: Failed(reason="ended by SIGBUS")}
    for _ in range(2):
        with pytest.raises(MeasurementError, match="all 6 trials came to nothing, 5 of them because: no memory"):
            bench.search(6)
    study = bench.load()
    assert (study.trials, len(study.visits)) == (6, 7)  # the first failed, and was tried once more
    assert study.stopped == "all 6 trials are done"


def test_search_in_which_all_failed_can_be_extended(bench: Bench) -> None:
    """With a larger number of trials it goes on looking, and finds what runs."""
    bench.evaluator.outcomes = {c.key: Infeasible(reason="no") for c in fake.space().configs}
    with pytest.raises(MeasurementError):
        bench.search(6)
    bench.evaluator.outcomes = {}
    study = bench.search(12, confirm_s=SHORT)
    assert study.trials == 12
    assert sum(isinstance(v.outcome, Infeasible) for v in study.visits) == 6


def test_failing_baselines_leave_a_result(bench: Bench) -> None:
    """Where none of OpenVINO's own answers runs, the search still ends with a config."""
    bench.evaluator.outcomes = {b.config.key: Infeasible(reason="no") for b in fake.BASELINES}
    study = bench.search(10, confirm_s=SHORT)
    result = conclude(study, bench.goal)
    assert result.verdict.kind == "unconfirmed"
    assert result.recommended.key in result.estimates


def test_what_cannot_run_is_known_as_such(tmp_path: Path) -> None:
    """The history holds what failed as closed and infeasible, what is shared with its owner's reading.

    Each reading is by the config's own blocks alone: the model that proposes takes their errors for independent.
    """
    bench = benches.make(tmp_path, twins())
    refused = fake.BASELINES[0].config.key
    bench.evaluator.outcomes = {refused: Infeasible(reason="no")}
    study = bench.search(14, confirm_s=SHORT)
    history = history_of(study, bench.goal)
    assert history.infeasible == {refused}
    assert history.tried == {v.config.key: v.config for v in study.visits}
    assert set(history.readings) == history.tried.keys() - {refused}
    for shared, owner in study.owners.items():
        assert history.readings[shared] == history.readings[owner]
    field = survey_field(study, bench.goal)
    assert field.alone != field.estimates
    for key, told in field.alone.items():
        reading = history.readings[key]
        assert reading.values == {name: goals.merit(told, name, field.metric) for name in proposal.QUANTITIES}
        assert reading.errors == {name: goals.error(told, name, field.metric) for name in proposal.QUANTITIES}
        assert len(set(reading.errors.values())) == len(reading.errors)


def test_open_loop_weighs_latency_against_efficiency(tmp_path: Path) -> None:
    """Under a given load the objectives are CPU time per inference and latency, from trial to verdict."""
    goal = Goal(latency="p50", against="efficiency", prefer="efficiency")
    bench = benches.make(tmp_path, fake.setup(workload=ConstantRate(interval_s=0.03)), goal=goal)
    study = bench.search(8, confirm_s=45)
    result = conclude(study, goal)
    first = of(study, "search")[0].outcome
    assert isinstance(first, Block)
    assert bench.optuna_study().trials[0].values[0] == pytest.approx(first.cpu_ms_per_inference)
    costs = [e.cpu_ms_per_inference.value for e in result.front]
    assert costs == sorted(costs)
    assert study.duels[1].goal.prefer == "efficiency"
    assert result.verdict.kind in {"better", "trade", "equal", "undecided"}
    confirmed = bench.optuna_study(".confirmed")
    assert [d.name for d in confirmed.directions] == ["MINIMIZE", "MINIMIZE"]
    assert [t.values[0] for t in confirmed.trials] == pytest.approx(costs)


@pytest.mark.parametrize("phase", ["search", "elimination", "duel"])
def test_stopping_ends_after_the_running_visit(bench: Bench, phase: str) -> None:
    """The flag, set during a visit of any phase, lets that visit end and be committed, and asks for no other."""

    def stopping() -> bool:
        running = [e for e in bench.events if isinstance(e, VisitStarted)]
        return bool(running) and running[-1].phase == phase and sum(e.phase == phase for e in running) == 3

    study = bench.search(8, stopping=stopping)
    assert len(of(study, phase)) == 3
    assert study.visits[-1].phase == phase
    assert "interrupted" in study.stopped
    assert bench.load() == study
    assert conclude(study, bench.goal).verdict.kind == "unconfirmed"


def test_stopped_before_the_first_trial(bench: Bench) -> None:
    """Stopped before anything was measured there is no result, and the study can be gone on with."""
    with pytest.raises(MeasurementError, match="holds no measurement yet"):
        bench.search(5, stopping=lambda: True)
    assert bench.load().stopped == "interrupted"
    assert bench.search(5, confirm_s=SHORT).trials == 5


def test_confirmed_values_are_written_and_replaced(bench: Bench) -> None:
    """NAME.confirmed holds the front, with parameters; the same command again writes it where it got lost."""
    front = conclude(bench.search(8, confirm_s=45), bench.goal).front
    confirmed = bench.optuna_study(".confirmed")
    assert {t.user_attrs[CONFIG_ATTRIBUTE] for t in confirmed.trials} == {e.config.key for e in front}
    assert all(t.params for t in confirmed.trials)
    optuna.delete_study(study_name=confirmed.study_name, storage=confirmed._storage)
    asked = len(bench.evaluator.asked)
    bench.search(8, confirm_s=45)
    assert len(bench.evaluator.asked) == asked
    again = bench.optuna_study(".confirmed")
    assert [t.values for t in again.trials] == [t.values for t in confirmed.trials]


def test_database_that_fails_is_an_error_of_ovtune(bench: Bench) -> None:
    """A disk that fills up while Optuna writes is a StorageError of one line, and the block is kept."""

    def full(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("insert", {}, Exception("database or disk is full"))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(optuna.Study, "tell", full)
        with pytest.raises(StorageError, match="disk is full") as caught:
            bench.search(5)
    assert "\n" not in str(caught.value)
    assert len(bench.load().visits) == 1


def test_a_config_that_comes_again_may_come_from_a_cache(bench: Bench) -> None:
    """The first visit to a config compiles cold, each later one may take the compiled model from a cache."""
    seen: list[tuple[str, bool]] = []
    evaluate = bench.evaluator.evaluate

    def noting(config: Config, plan: Plan, /) -> Outcome:
        seen.append((config.key, plan.again))
        return evaluate(config, plan)

    bench.evaluator.evaluate = noting  # type: ignore[method-assign]
    bench.search(8)
    firsts = dict(reversed(seen))
    assert not any(firsts.values())
    assert sum(again for _, again in seen) > 0


class Crowded(FakeEvaluator):
    """Measures on a host where others work during some visits, told by their number from 0."""

    held_up: Callable[[int], bool] = staticmethod(lambda _: False)

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        outcome = super().evaluate(config, plan)
        held_up = self.held_up(len(self.asked) - 1)
        return replace(outcome, others_busy=0.5) if held_up and isinstance(outcome, Block) else outcome


def crowded(path: Path, held_up: Callable[[int], bool], trials: int) -> tuple[Study, list[str]]:
    """A search of some trials without confirmation on such a host, and the keys that it asked for."""
    evaluator = Crowded()
    evaluator.held_up = held_up
    study = benches.make(path, small(40), evaluator=evaluator).search(trials, confirm_s=SHORT)
    return study, [config.key for config in evaluator.asked]


def test_what_others_held_up_is_measured_again(tmp_path: Path) -> None:
    """A contended visit is followed by another one of the same trial; the estimate then is of the quiet one."""
    study, asked = crowded(tmp_path, lambda number: number == 5, 8)
    assert asked[5] == asked[6]
    held_up, again = (v for v in study.visits if v.config.key == asked[5])
    assert (held_up.trial, again.trial) == (5, 5)
    assert study.trials == 8
    assert blocks_by_config(study.visits, "search")[asked[5]] == [again.outcome]


def test_a_host_that_is_never_quiet_is_measured_all_the_same(tmp_path: Path) -> None:
    """Where others never stop, no more than about a fifth of the visits are repeats, and every config has a block."""
    study, asked = crowded(tmp_path, lambda _: True, 20)
    trials = [v.trial for v in study.visits if v.trial is not None]
    assert set(trials) == set(range(20))
    assert 2 <= len(trials) - 20 <= 0.2 * len(asked) + 1
    assert set(blocks_by_config(study.visits, "search")) == {v.config.key for v in study.visits}


class Stumbling(FakeEvaluator):
    """Fails in the first visit to each config of ``failing``."""

    failing: frozenset[str] = frozenset()

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        first = config not in self.asked
        outcome = super().evaluate(config, plan)
        return Failed(reason="it hung") if first and config.key in self.failing else outcome


def test_an_answer_of_openvinos_own_that_fails_is_tried_once_more(tmp_path: Path) -> None:
    """Against the baselines all else is weighed: one that failed gets a second visit, and any other config none."""
    other = next(c for c in small(16).space.configs if c not in [b.config for b in fake.BASELINES])
    evaluator = Stumbling()
    evaluator.failing = frozenset({fake.BASELINES[1].config.key, other.key})
    study = benches.make(tmp_path, small(16), evaluator=evaluator).search(100, confirm_s=SHORT)
    outcomes = [v.outcome for v in study.visits if v.config == fake.BASELINES[1].config and v.trial == 1]
    assert [type(outcome) for outcome in outcomes] == [Failed, Block]
    assert [type(v.outcome) for v in study.visits if v.config == other] == [Failed]
    history = history_of(study, GOAL)
    assert history.infeasible == {other.key}
    assert fake.BASELINES[1] in survey_field(study, GOAL).baselines


class Timed(FakeEvaluator):
    """Notes how long each visit may take, of a model that is slow to compile and to run."""

    limits: dict[str, float]

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        self.limits.setdefault(config.key, plan.timeout_s)
        outcome = super().evaluate(config, plan)
        return (
            replace(outcome, first_inference_ms=5000.0, compile_ms=60_000.0) if isinstance(outcome, Block) else outcome
        )


def test_a_slow_model_is_given_time(tmp_path: Path) -> None:
    """Once it has shown to take long, a visit may take several rounds of its requests, and compile as slowly again."""
    evaluator = Timed()
    evaluator.limits = {}
    benches.make(tmp_path, small(16), evaluator=evaluator).search(4, confirm_s=SHORT)
    first, second, *_ = (evaluator.limits[v] for v in evaluator.limits)
    assert first == Plan().timeout_s
    nireq = fake.BASELINES[1].config.nireq
    assert second == Plan().timeout_s + 8 * nireq * 5.0 + 3 * 60.0


def test_the_reference_is_visited_again_and_again(tmp_path: Path) -> None:
    """After every eighth trial the config without settings shows the host's course; its blocks count like others."""
    study, _ = crowded(tmp_path, lambda _: False, 20)
    reference = study.setup.reference
    assert reference is not None
    visits = [v for v in study.visits if v.phase == "reference"]
    assert {v.config for v in visits} == {reference}
    places = [i for i, v in enumerate(study.visits) if v.phase == "reference"]
    assert len(places) == 2
    assert all(b - a == REFER_EVERY + 1 for a, b in pairwise(places))
    assert survey_field(study, GOAL).estimates[reference.key].blocks == 3


def test_a_reference_that_fails_is_left_alone(tmp_path: Path) -> None:
    """There is no point in visiting it again where its own trial came to nothing."""
    first = small(40).reference
    assert first is not None
    evaluator = FakeEvaluator(outcomes={first.key: Failed(reason="it hangs")})
    study = benches.make(tmp_path, small(40), evaluator=evaluator).search(20, confirm_s=SHORT)
    assert not [v for v in study.visits if v.phase == "reference"]


def test_a_soak_follows_the_duel(bench: Bench) -> None:
    """Winner and baseline run once each without a pause; the same command again does not repeat it."""
    plans: list[Plan] = []

    class Noting(FakeEvaluator):
        def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
            plans.append(plan)
            return super().evaluate(config, plan)

    bench.evaluator = Noting()
    study = bench.search(8, soak_s=30.0)
    long = [v for v in study.visits if v.phase == "soak"]
    fought = last_duel(study)
    assert fought is not None
    assert [v.config for v in long] == [fought.candidate, fought.baseline]
    assert [plan.duration_s for plan in plans].count(30.0) == 2
    assert all(plan.timeout_s > 30 for plan in plans)
    assert [v for v in bench.search(8, soak_s=30.0).visits if v.phase == "soak"] == long
    result = conclude(study, bench.goal)
    assert result.soak is not None
    assert result.soak.opponent is not None
    assert result.soak.config.elapsed_s == pytest.approx(30, rel=0.05)


def test_trials_are_not_spent_on_what_runs_alike(tmp_path: Path) -> None:
    """Once two pairs ran alike, the twins of measured configs wait until everything else was tried."""
    setup = small(12)
    halved = tuple(replace(c, precision="FP16") for c in setup.space.configs)
    setup = replace(setup, space=Space(configs=(*setup.space.configs, *halved)))
    study = benches.make(tmp_path, setup).search(200, confirm_s=SHORT)
    firsts = {v.config.key: v for v in reversed(of(study, "search"))}
    kinds = [type(v.outcome).__name__ for v in of(study, "search") if firsts[v.config.key] is v]
    half = len(kinds) // 2
    assert Counter(kinds) == {"Block": half, "SameAs": half}
    assert kinds[: half + 2].count("SameAs") <= 2


class Exact(FakeEvaluator):
    """Weights in FP16 run as those in FP32, and their outputs are worse."""

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        outcome = super().evaluate(config, plan)
        off = 1e-3 if config.precision == "FP16" else 1e-6
        assert isinstance(outcome, Block | SameAs)
        return replace(outcome, outputs=fake.agreement(off))


@pytest.mark.parametrize("limit", [None, 1e-4])
def test_a_config_that_alone_keeps_the_error_is_measured_by_itself(tmp_path: Path, limit: float | None) -> None:
    """Where the one that runs alike breaks the limit of the error, the other one gets blocks of its own."""
    setup = twins()
    half = tuple(replace(c, precision="FP16") for c in setup.space.configs if c.precision == "FP32")
    full = tuple(replace(c, precision="FP32") for c in half)
    setup = replace(setup, space=Space(configs=(*half, *full)), baselines=(Baseline(name="half", config=half[0]),))
    bench = benches.make(tmp_path, setup, evaluator=Exact())
    bench.goal = replace(GOAL, max_error=limit)
    study = bench.search(10, confirm_s=SHORT)
    measured = {v.config for v in of(study, "search") if isinstance(v.outcome, Block)}
    shared = [v.config for v in study.visits if isinstance(v.outcome, SameAs)]
    assert shared
    both = {replace(c, precision="FP16") for c in measured if c.precision == "FP32"} & measured
    assert bool(both) == (limit is not None)
    if limit is not None:
        assert conclude(study, bench.goal).recommended.precision == "FP32"


def test_another_limit_of_the_error_afterwards(tmp_path: Path) -> None:
    """A config that keeps a limit given later is recommended with the blocks of the one that it ran alike."""
    setup = twins()
    half = [replace(c, precision="FP16") for c in setup.space.configs if c.precision == "FP32"]
    full = [replace(c, precision="FP32") for c in half]
    space = Space(configs=(half[0], full[0]))
    setup = replace(setup, space=space, baselines=(Baseline(name="half", config=half[0]),))
    study = benches.make(tmp_path, setup, evaluator=Exact()).search(2, confirm_s=SHORT)
    assert study.owner(full[0]) == half[0].key
    assert conclude(study, GOAL).recommended == half[0]
    result = conclude(study, replace(GOAL, max_error=1e-4))
    assert result.recommended == full[0]
    assert result.measured.throughput_per_s == conclude(study, GOAL).measured.throughput_per_s
    assert agreement_of(study, result.recommended) == fake.agreement(1e-6)
    assert document_of(result).to_config() == full[0]


def test_what_was_asked_for_is_recommended(tmp_path: Path) -> None:
    """OpenVINO's own answers are measured beside it, and are none of what is recommended where they are outside."""
    setup = small(16)
    answers = {b.config.key for b in setup.baselines}
    slowest = sorted((c for c in setup.space.configs if c.key not in answers), key=fake.speed)[:3]
    wanted = Wanted(only={"nireq": (1,)})
    asked = replace(setup, space=Space(configs=tuple(slowest)), wanted=wanted)
    study = benches.make(tmp_path, asked).search(5, confirm_s=90)
    result = conclude(study, GOAL)
    assert result.recommended in slowest
    assert result.baseline.config.key in answers
    assert "--fix" in result.verdict.text


def led(*, taken: int = 3) -> Setup:
    """A setup that begins with some configs of another study's front, the last of its space."""
    setup = small(16)
    members = tuple(Member(words=c.words, config=c) for c in setup.space.configs[: -taken - 1 : -1])
    return replace(setup, lead=Lead(study="other", model="demo:mlp", members=members))


def test_another_studys_front_follows_the_baselines(tmp_path: Path) -> None:
    """Right after OpenVINO's own answers, in its order; whoever watches is told of it before the first visit."""
    setup = led()
    bench = benches.make(tmp_path, setup)
    study = bench.search(8, confirm_s=SHORT)
    assert [v.config for v in of(study, "search")][:5] == [*(b.config for b in fake.BASELINES), *setup.led_by]
    begun = bench.events[0]
    assert isinstance(begun, Begun)
    assert begun.study.setup.lead == setup.lead


def test_nothing_but_the_front(tmp_path: Path) -> None:
    """Only the front: the search ends after it and confirms; again there is nothing to do; without it, it goes on."""
    setup = led()
    bench = benches.make(tmp_path, setup)
    study = bench.search(50, only_front=True)
    assert {v.config for v in study.visits} == {*(b.config for b in fake.BASELINES), *setup.led_by}
    assert study.trials == 5
    assert study.stopped == "the front of study other was tried, and nothing else was asked for"
    assert last_duel(study) is not None
    asked = len(bench.evaluator.asked)
    assert bench.search(50, only_front=True).stopped == study.stopped
    assert len(bench.evaluator.asked) == asked
    assert bench.search(9, confirm_s=SHORT).trials == 9


def test_a_front_that_was_interrupted_is_gone_on_with(tmp_path: Path) -> None:
    """Stopped in the middle of the front, the same command measures the rest of it."""
    setup = led()
    bench = benches.make(tmp_path, setup)
    count = iter(range(100))
    broken = bench.search(50, only_front=True, stopping=lambda: next(count) >= 4)
    assert broken.stopped == "interrupted"
    assert 2 <= broken.trials < 5
    study = bench.search(50, only_front=True, confirm_s=SHORT)
    assert [v.config for v in of(study, "search")] == [*(b.config for b in fake.BASELINES), *setup.led_by]


def test_fewer_trials_than_the_front_has(tmp_path: Path) -> None:
    """The number of trials holds for a front, too."""
    assert benches.make(tmp_path, led()).search(3, only_front=True, confirm_s=SHORT).stopped == "all 3 trials are done"


def test_patience_ends_the_search(tmp_path: Path) -> None:
    """Where all configs are alike the search stops by itself: after what comes first, a look around, and so many."""
    evaluator = FakeEvaluator(noise=0, truth=lambda config: 100.0 * config.nireq * config.batch_size)
    setup = replace(small(40), space=Space(configs=tuple(c for c in fake.space().configs if c.precision == "FP32")))
    bench = benches.make(tmp_path, setup, evaluator=evaluator)
    goal = replace(GOAL, prefer="latency")
    bench.goal = goal
    study = bench.search(80, patience=6, confirm_s=SHORT)
    first = len(history_of(study, goal).first) + START
    assert first + 6 <= study.trials < 80
    assert study.stopped == "the last 6 trials gained nothing: neither the front nor the best for the goal moved"
    assert patience.idle(study, goal, start=first) == 6
    assert bench.search(80, patience=6, confirm_s=SHORT).trials == study.trials
    more = bench.search(80, patience=8, confirm_s=SHORT)
    assert study.trials < more.trials
    assert bench.search(more.trials + 2, confirm_s=SHORT).trials == more.trials + 2


def test_patience_is_not_lost_by_what_comes_first(tmp_path: Path) -> None:
    """However short it is, OpenVINO's own answers and the look around are not cut off."""
    study = benches.make(tmp_path, small(16), evaluator=FakeEvaluator(noise=0, truth=lambda _: 100.0)).search(
        50, patience=1, confirm_s=SHORT
    )
    assert study.trials > len(history_of(study, GOAL).first) + START

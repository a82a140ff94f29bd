"""A search that dies anywhere and is started again with a fresh store: fake evaluator, real database."""

from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from ovtune.config import Config
from ovtune.evaluator import Infeasible
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.result import conclude
from ovtune.store import CONFIG_ATTRIBUTE, REASON_ATTRIBUTE
from ovtune.study import Study
from tests import bench as benches
from tests import fake
from tests.bench import Bench, KilledError, Repeating, of, small

TRIALS = 3


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return benches.make(tmp_path, small(6), evaluator=Repeating())


def finish(bench: Bench, count: int = TRIALS, *, confirm_s: float = 45) -> Study:
    """Searches to the end and checks that nothing shows how often it was killed before."""
    study = bench.search(count, confirm_s=confirm_s)
    trials = bench.optuna_study().trials
    searched = of(study, "search")
    assert [v.number for v in study.visits] == list(range(len(study.visits)))
    assert sorted(v.trial for v in searched if v.trial is not None) == list(range(count))
    assert [t.state for t in trials] == [TrialState.COMPLETE] * count
    assert [t.user_attrs[CONFIG_ATTRIBUTE] for t in trials] == [v.config.key for v in searched]
    assert [t.params["nireq"] for t in trials] == [v.config.nireq for v in searched]
    assert all(len(t.params) >= 7 for t in trials)
    places = Counter((v.phase, v.confirmation, v.round, v.config.key) for v in study.visits)
    assert max(places.values()) == 1
    assert (conclude(study, bench.goal).verdict.kind == "unconfirmed") == (confirm_s < 45)
    return study


def test_death_in_every_visit(bench: Bench) -> None:
    """Killed in each single visit, one process per visit: each keeps what the ones before it have committed."""
    committed = 0
    while True:
        try:
            bench.search(TRIALS, confirm_s=45, dies_after=1)
            break
        except KilledError:
            committed += 1
            assert len(bench.load().visits) == committed < 100
    assert len(finish(bench).visits) > TRIALS + 16


@pytest.mark.parametrize("committed", [False, True])
def test_death_at_every_write(tmp_path: Path, committed: bool) -> None:
    """Killed before, or right after, the n-th write to the database: nothing that was committed is lost or repeated."""
    points = (1, 2, 3, 4, 7, 11, 12, 13, 14, 15, 16, 45, 52) if not committed else (2, 3, 10, 11, 12, 46)
    for point in points:
        confirm_s = 1 if point < 40 else 45
        bench = benches.make(tmp_path / str(point), small(6), evaluator=Repeating())
        with pytest.MonkeyPatch.context() as patched:
            die_at_write(patched, point, committed=committed)
            with pytest.raises(KilledError):
                bench.search(TRIALS, confirm_s=confirm_s)
        kept = bench.load().visits
        study = finish(bench, confirm_s=confirm_s)
        assert study.visits[: len(kept)] == kept


def die_at_write(patched: pytest.MonkeyPatch, point: int, *, committed: bool) -> None:
    """Lets the ``point``-th statement that writes end the process: before it, or with its transaction committed."""
    dialect = sa.engine.default.DefaultDialect
    execute: Any = dialect.do_execute
    commit: Any = dialect.do_commit
    seen = [0]

    def counting(self: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            seen[0] += 1
            if seen[0] >= point and not committed:
                raise KilledError
        execute(self, cursor, statement, *rest)

    def committing(self: object, connection: object) -> None:
        commit(self, connection)
        if seen[0] >= point:
            raise KilledError

    patched.setattr(dialect, "do_execute", counting)
    patched.setattr(dialect, "do_commit", committing)


def test_block_committed_and_not_told_is_told_from_the_block(bench: Bench) -> None:
    """A trial whose block was committed is told to Optuna from that block, without another measurement."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(optuna.Study, "tell", die)
        with pytest.raises(KilledError):
            bench.search(TRIALS)
    study = bench.load()
    assert [t.state for t in bench.optuna_study().trials] == [TrialState.RUNNING]
    first = study.visits[0].outcome
    assert isinstance(first, Block)
    finish(bench)
    assert bench.optuna_study().trials[0].values[0] == first.throughput_per_s
    assert sum(c == study.visits[0].config for c in bench.evaluator.asked[:TRIALS]) == 1


def test_reason_of_a_trial_that_was_not_told(bench: Bench) -> None:
    """The reason of an infeasible trial that was killed before it was told is written when the search goes on."""
    bench.evaluator.outcomes = {fake.BASELINES[0].config.key: Infeasible(reason="refused")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(optuna.Study, "tell", die)
        with pytest.raises(KilledError):
            bench.search(TRIALS)
    bench.search(TRIALS)
    trial = bench.optuna_study().trials[0]
    assert (trial.state, trial.user_attrs[REASON_ATTRIBUTE]) == (TrialState.PRUNED, "refused")


def test_duel_goes_on_with_its_sides_and_looks(bench: Bench) -> None:
    """Killed in the middle of a pair, the duel goes on with the same sides and looks, at the side that is missing."""
    with pytest.raises(KilledError):
        bench.search(TRIALS, dies_after=15)
    first = bench.load()
    assert len(of(first, "duel")) % 2 == 1
    study = finish(bench)
    assert study.duels == first.duels
    sides = study.duels[1]
    expected = [side for pair in range(60) for side in in_order(sides.candidate, sides.baseline, pair)]
    assert [v.config for v in of(study, "duel")] == expected[: len(of(study, "duel"))]


def in_order(candidate: Config, baseline: Config, pair: int) -> tuple[Config, Config]:
    return (candidate, baseline) if pair % 2 == 0 else (baseline, candidate)


def test_extension_killed_before_its_confirmation(bench: Bench) -> None:
    """An older duel does not stand for trials that came after it, even where the search died right behind them."""
    bench.search(TRIALS)
    with pytest.raises(KilledError):
        bench.search(TRIALS + 1, dies_after=1)
    assert bench.load().trials == TRIALS + 1
    assert list(finish(bench, TRIALS + 1).duels) == [1, 2]


def test_other_goal_killed_before_its_confirmation(bench: Bench) -> None:
    """A duel for another goal does not settle this one, even where the search for this one died at once."""
    bench.search(TRIALS)
    bench.goal = Goal(latency="p50", prefer="latency")
    with pytest.raises(KilledError):
        bench.search(TRIALS, dies_after=0)
    assert conclude(bench.load(), bench.goal).verdict.kind == "unconfirmed"
    study = bench.search(TRIALS)
    assert study.duels[2].goal == bench.goal


def test_ctrl_c_in_a_visit_keeps_what_was_committed(bench: Bench) -> None:
    """A KeyboardInterrupt in the third visit goes through and leaves two committed ones."""
    with pytest.raises(KeyboardInterrupt):
        bench.search(TRIALS, dies_after=2, death=KeyboardInterrupt)
    assert len(bench.load().visits) == 2
    finish(bench)


def die(*_: object, **__: object) -> None:
    raise KilledError

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from ovtune import store as stores
from ovtune.budget import Budget
from ovtune.caveat import Caveat
from ovtune.errors import StorageError, StudyError
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.goal import Goal
from ovtune.lead import Lead, Member
from ovtune.measurement import Block, Plan, latency_of
from ovtune.store import Store, file_url
from ovtune.study import Phase, Sides, Visit
from ovtune.workload import ConstantRate, Poisson, Streams, StreamsCapacity
from tests import fake
from tests.place import database

CONFIG = fake.BASELINES[0].config
BUDGET = Budget(trials=7, patience=3, seed=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return database(tmp_path)


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(file_url(path))
    yield opened
    opened.close()


def visit(
    number: int,
    outcome: Outcome,
    *,
    phase: Phase = "search",
    trial: int | None = None,
    confirmation: int = 0,
    round_: int = 0,
) -> Visit:
    return Visit(
        number=number,
        phase=phase,
        trial=trial,
        confirmation=confirmation,
        round=round_,
        config=CONFIG,
        outcome=outcome,
    )


def block() -> Block:
    outcome = fake.FakeEvaluator().evaluate(CONFIG, Plan())
    assert isinstance(outcome, Block)
    return outcome


def test_study_comes_back_as_it_was_made(store: Store) -> None:
    """A new study holds its whole setup and goal, and nothing else."""
    setup = replace(
        fake.setup(workload=ConstantRate(interval_s=0.03)),
        plugins={"CPUX": "openvino_intel_cpu_plugin"},
        device_strings=("CPU", "AUTO:CPU,CPUX"),
        refused={"GPU": "no such device [GPU]"},
        lead=Lead(
            study="other",
            model="demo:mlp",
            members=(
                Member(words="this", config=CONFIG, note="changed"),
                Member(words="that", config=None, note="why"),
            ),
        ),
    )
    goal = Goal(latency="p99.9", prefer="efficiency", against="efficiency", max_latency_ms=0.1 + 0.2, margin=0.05)
    store.create("one", setup, goal)
    study = store.load("one")
    assert (study.name, study.setup, study.goal) == ("one", setup, goal)
    assert (study.trials, study.stopped, study.duels, study.visits) == (0, "", {}, ())
    assert study.created.endswith("Z")


def test_every_kind_of_visit_comes_back(store: Store) -> None:
    """Blocks with their samples bit by bit, and each other outcome, come back in the order of their numbers."""
    store.create("one", fake.setup(), Goal())
    odd = replace(
        block(),
        occupancy=None,
        effective={"A": [1, {"b": None}], "EXECUTION_DEVICES": ["CPU"]},
        caveats=(Caveat(kind="not_steady", parameters={"warmup_s": 1.5}),),
    )
    visits = (
        visit(0, block(), trial=0),
        visit(1, SameAs(config_key="k", effective_key="e", cost_s=0.5), trial=1),
        visit(2, Infeasible(reason="refused: ü\n[x]", cost_s=0.25), trial=2),
        visit(3, Failed(reason="SIGSEGV"), trial=3),
        visit(4, odd, phase="elimination", confirmation=1, round_=2),
        visit(5, block(), phase="duel", confirmation=1, round_=7),
    )
    for one in reversed(visits):
        store.record("one", one)
    assert store.load("one").visits == visits


def test_visits_keep_a_load_of_their_own(store: Store, path: Path) -> None:
    """The load of a capacity's visit comes back with it, whatever came of it, and is deleted with its study."""
    load = StreamsCapacity(frames_per_s=29.97)
    store.create("one", replace(fake.setup(), workload=load), Goal(deadline_ms=33))
    visits = (
        visit(0, block(), trial=0),
        replace(visit(1, block(), phase="capacity"), workload=Streams(cameras=7, frames_per_s=29.97)),
        replace(visit(2, Failed(reason="SIGSEGV"), phase="verification"), workload=Poisson(rate_per_s=0.1 + 0.2)),
    )
    for one in visits:
        store.record("one", one)
    assert store.load("one").visits == visits
    assert store.load("one").setup.workload == load
    store.delete("one")
    connection = sqlite3.connect(path)
    assert connection.execute("select count(*) from ovtune_load").fetchone() == (0,)
    connection.close()


def test_database_from_before_there_were_such_loads_is_read(path: Path) -> None:
    """A database without their table, and without that of what a search might take, gets it and is read."""
    first = Store(file_url(path))
    first.create("one", fake.setup(), Goal())
    first.record("one", visit(0, block(), trial=0))
    before = first.load("one")
    first.close()
    connection = sqlite3.connect(path)
    connection.execute("drop table ovtune_load")
    connection.execute("drop table ovtune_budget")
    connection.close()
    second = Store(file_url(path))
    assert second.load("one") == before
    second.close()


def test_study_survives_closing_and_opening(path: Path) -> None:
    """What was committed is there for the next process."""
    first = Store(file_url(path))
    first.create("one", fake.setup(), Goal())
    first.record("one", visit(0, block(), trial=0))
    first.note("one", goal=Goal(prefer="latency"), budget=BUDGET, stopped="all done")
    before = first.load("one")
    first.close()
    second = Store(file_url(path))
    assert second.load("one") == before
    assert before.goal.prefer == "latency"
    assert before.stopped == "all done"
    assert before.budget == BUDGET
    second.close()


def test_samples_are_kept_compressed_and_once(store: Store, path: Path) -> None:
    """A block's row holds its samples compressed, and not a second time in its JSON."""
    store.create("one", fake.setup(), Goal())
    store.record("one", visit(0, block(), trial=0))
    with sqlite3.connect(path) as connection:
        outcome, samples = connection.execute("select outcome, samples from ovtune_block").fetchone()
    connection.close()
    assert np.array_equal(np.frombuffer(zlib.decompress(samples), np.float32), block().latencies_ms)
    assert len(outcome) < 1000


def test_own_tables_have_a_prefix_and_wal_is_on(store: Store, path: Path) -> None:
    """Beside Optuna's tables stand ovtune's own, all named ovtune_..., and readers do not block the writer."""
    store.create("one", fake.setup(), Goal())
    connection = sqlite3.connect(path)
    names = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
    (mode,) = connection.execute("pragma journal_mode").fetchone()
    connection.close()
    optunas = {"studies", "trials", "trial_params", "trial_values", "alembic_version", "version_info"}
    assert optunas <= names
    assert {n for n in names if "ovtune" in n} == {
        f"ovtune_{name}" for name in ("schema", "study", "duel", "block", "load", "budget")
    }
    assert mode == "wal"


def test_optuna_opens_the_study(store: Store, path: Path) -> None:
    """Optuna alone loads the study: two objectives with directions and names."""
    store.create("closed", fake.setup(), Goal(latency="p90"))
    store.create("open", fake.setup(workload=ConstantRate(interval_s=0.1)), Goal(against="efficiency"))
    closed = optuna.load_study(study_name="closed", storage=file_url(path))
    assert [d.name for d in closed.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert closed.metric_names == ["throughput per s", "p90 latency ms"]
    opened = optuna.load_study(study_name="open", storage=file_url(path))
    assert [d.name for d in opened.directions] == ["MINIMIZE", "MINIMIZE"]
    assert opened.metric_names == ["CPU ms per inference", "p95 latency ms"]


def test_taken_name_is_refused(store: Store) -> None:
    """A second study of a name is refused, and the first one stays as it was."""
    store.create("one", fake.setup(), Goal())
    store.record("one", visit(0, block(), trial=0))
    with pytest.raises(StudyError, match="study one exists already"):
        store.create("one", fake.setup(), Goal(prefer="latency"))
    study = store.load("one")
    assert study.goal == Goal()
    assert len(study.visits) == 1


def test_foreign_study_is_left_alone(store: Store, path: Path) -> None:
    """A study that Optuna made is not ovtune's: not listed, not loaded, not deleted, its name taken, however empty."""
    optuna.create_study(study_name="theirs", storage=file_url(path))
    assert store.names() == []
    for forbidden in (store.load, store.delete):
        with pytest.raises(StudyError, match="study theirs was not made by ovtune"):
            forbidden("theirs")
    with pytest.raises(StudyError, match="study theirs exists already"):
        store.create("theirs", fake.setup(), Goal())
    assert optuna.get_all_study_names(file_url(path)) == ["theirs"]


def test_foreign_study_under_a_name_that_ovtune_left_is_kept(store: Store, path: Path) -> None:
    """Where a deletion was cut off and somebody took the name since, what they have measured stays theirs."""
    store.create("one", fake.setup(), Goal())
    optuna.delete_study(study_name="one", storage=file_url(path))
    theirs = optuna.create_study(study_name="one", storage=file_url(path))
    theirs.ask()
    with pytest.raises(StudyError, match="study one exists already"):
        store.create("one", fake.setup(), Goal())
    assert len(optuna.load_study(study_name="one", storage=file_url(path)).trials) == 1


def test_unknown_study_names_those_that_there_are(store: Store) -> None:
    """Asking for a study that is not there says which ones are."""
    with pytest.raises(StudyError, match="there are none yet"):
        store.load("nosuch")
    store.create("one", fake.setup(), Goal())
    with pytest.raises(StudyError, match=r"study nosuch does not exist \(one\)"):
        store.delete("nosuch")


@pytest.mark.parametrize("call", range(1, 9))
def test_name_is_free_again_after_a_cut_off_making(
    store: Store, monkeypatch: pytest.MonkeyPatch, path: Path, call: int
) -> None:
    """A search killed anywhere while it makes its study leaves nothing that keeps the same command from making it."""
    store.create("other", fake.setup(), Goal())
    with pytest.MonkeyPatch.context() as patched:
        _die_at(patched, call)
        with pytest.raises(KeyboardInterrupt):
            store.create("one", fake.setup(), Goal())
    store.close()
    again = Store(file_url(path))
    if "one" not in again.names():
        again.create("one", fake.setup(), Goal(prefer="latency"))
    assert again.names() == ["other", "one"]
    assert again.load("one").visits == ()
    again.close()
    assert _rows(path, "ovtune_study") == 2


@pytest.mark.parametrize("call", range(1, 6))
def test_cut_off_deletion_can_be_made_good(store: Store, path: Path, call: int) -> None:
    """A deletion killed anywhere leaves a list that can be shown, and a name that can be deleted or made again."""
    store.create("one", fake.setup(), Goal())
    store.record("one", visit(0, block(), trial=0))
    store.confirm("one", [], latency="p95")
    with pytest.MonkeyPatch.context() as patched:
        _die_at(patched, call)
        with contextlib.suppress(KeyboardInterrupt):
            store.delete("one")
    for summary in store.summaries():
        store.delete(summary.name)
    store.create("one", fake.setup(), Goal())
    assert store.load("one").visits == ()
    assert _rows(path, "ovtune_study") == 1
    assert _rows(path, "ovtune_block") == 0


def _die_at(patched: pytest.MonkeyPatch, call: int) -> None:
    """Lets the ``call``-th transaction from here on end the process, as far as a test can."""
    real, seen = sa.engine.Connection._commit_impl, [0]

    def counted(self: sa.engine.Connection) -> None:
        seen[0] += 1
        if seen[0] >= call:
            raise KeyboardInterrupt
        real(self)

    patched.setattr(sa.engine.Connection, "_commit_impl", counted)


def _rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    connection.close()
    return int(count)


def test_deleting_leaves_other_studies_alone(store: Store, path: Path) -> None:
    """Deletion takes the study, its confirmed companion and its blocks, and nothing of another study."""
    for name in ("one", "two"):
        store.create(name, fake.setup(), Goal())
        store.record(name, visit(0, block(), trial=0))
        sides = Sides(candidate=CONFIG, baseline=fake.BASELINES[1].config, goal=Goal(), looks=(8, 16))
        store.plan_duel(name, 1, sides)
        store.confirm(name, [(CONFIG, (100.0, 10.0))], latency="p95")
    kept = store.load("two")
    store.delete("one")
    assert store.names() == ["two"]
    assert store.load("two") == kept
    assert optuna.get_all_study_names(file_url(path)) == ["two", "two.confirmed"]
    assert [_rows(path, f"ovtune_{table}") for table in ("study", "block", "duel")] == [1, 1, 1]


def test_name_made_again_after_deletion_is_a_new_study(store: Store) -> None:
    """Optuna reuses names and numbers: the blocks of the deleted one do not come back."""
    store.create("one", fake.setup(), Goal())
    store.record("one", visit(0, block(), trial=0))
    store.delete("one")
    store.create("one", fake.setup(), Goal())
    assert store.load("one").visits == ()


def test_duel_is_planned_once_and_replaced(store: Store) -> None:
    """A duel's sides, goal and looks come back; planning the same confirmation again replaces them."""
    store.create("one", fake.setup(), Goal())
    first = Sides(candidate=CONFIG, baseline=fake.BASELINES[1].config, goal=Goal(max_latency_ms=20), looks=(8, 16, 24))
    store.plan_duel("one", 1, first)
    store.plan_duel("one", 2, replace(first, looks=(8,)))
    assert store.load("one").duels == {1: first, 2: replace(first, looks=(8,))}
    store.plan_duel("one", 2, replace(first, looks=(9,)))
    assert store.load("one").duels[2].looks == (9,)


def test_confirmed_values_stand_in_a_study_of_their_own(store: Store, path: Path) -> None:
    """NAME.confirmed holds one complete trial per finalist with its parameters, and is replaced the next time."""
    store.create("one", fake.setup(), Goal())
    study = store.optuna_study("one")
    asked = study.ask()
    asked.set_user_attr(stores.CONFIG_ATTRIBUTE, CONFIG.key)
    asked.suggest_int("nireq", 1, 8, log=True)
    other = fake.BASELINES[1].config
    for values in ((100.0, 10.0), (110.0, 9.0)):
        store.confirm("one", [(CONFIG, values), (other, (90.0, 8.0))], latency="p50")
        confirmed = optuna.load_study(study_name="one.confirmed", storage=file_url(path))
        assert [t.values for t in confirmed.trials] == [list(values), [90.0, 8.0]]
    assert confirmed.metric_names == ["throughput per s", "p50 latency ms"]
    assert confirmed.directions == study.directions
    assert confirmed.trials[0].params == asked.params
    assert confirmed.trials[0].state == TrialState.COMPLETE
    assert confirmed.trials[1].user_attrs == {stores.CONFIG_ATTRIBUTE: other.key}
    assert store.names() == ["one"]


def test_reason_stands_beside_its_trial(store: Store, path: Path) -> None:
    """Why a trial holds no values can be read with Optuna's own tools, and may be written a second time."""
    store.create("one", fake.setup(), Goal())
    study = store.optuna_study("one")
    number = study.ask().number
    for reason in ("refused", "refused: by the device"):
        store.explain(study, number, reason)
    study.tell(number, state=TrialState.PRUNED)
    trials = optuna.load_study(study_name="one", storage=file_url(path)).trials
    assert trials[0].user_attrs[stores.REASON_ATTRIBUTE] == "refused: by the device"


def test_summaries_are_listed_in_the_order_of_making(store: Store) -> None:
    """The list of studies shows each one with its model, its trials and how its last search ended."""
    for name in ("two", "one"):
        store.create(name, fake.setup(), Goal())
    store.optuna_study("two").ask()
    store.note("two", goal=Goal(), budget=BUDGET, stopped="interrupted")
    told = [(s.name, s.model, s.trials, s.stopped) for s in store.summaries()]
    assert told == [("two", "demo:mobilenet", 1, "interrupted"), ("one", "demo:mobilenet", 0, "")]


def _not_a_database(folder: Path) -> str:
    (folder / "x.db").write_text("this is a text, and a long enough one to be looked at by SQLite\n" * 20)
    return file_url(folder / "x.db")


def _directory(folder: Path) -> str:
    (folder / "x.db").mkdir()
    return file_url(folder / "x.db")


def _no_folder(folder: Path) -> str:
    return file_url(folder / "nosuch" / "x.db")


def _newer_ovtune(folder: Path) -> str:
    path = database(folder)
    with sqlite3.connect(path) as connection:
        connection.execute("update ovtune_schema set version = 99")
    connection.close()
    return file_url(path)


def _newer_optuna(folder: Path) -> str:
    path = database(folder)
    with sqlite3.connect(path) as connection:
        connection.execute("update alembic_version set version_num = 'v99.0.0.a'")
    connection.close()
    return file_url(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_not_a_database, "not a database"),
        (_directory, "unable to open"),
        (_no_folder, "unable to open"),
        (_newer_ovtune, "has schema 99, this ovtune knows 1: upgrade ovtune"),
        (_newer_optuna, "cannot be used"),
        (lambda _: "nonsense", "Could not parse"),
        (lambda _: "foo://x", "foo"),
        (lambda _: "", "Could not parse"),
    ],
)
def test_unusable_database_is_one_clear_line(tmp_path: Path, make: object, said: str) -> None:
    """What is no database, cannot be opened, or is newer is refused by one line that says what and why."""
    assert callable(make)
    url = make(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file() and p.suffix == ".db"}
    with pytest.raises(StorageError) as caught:
        Store(url)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(p.read_bytes() == data for p, data in before.items())


def test_password_is_never_shown() -> None:
    """An error about a database on a server does not give the password away."""
    with pytest.raises(StorageError) as caught:
        Store("nosuchdialect://user:geheim@server/studies")
    assert "server/studies" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_damaged_study_is_named_and_can_be_deleted(store: Store, path: Path) -> None:
    """A row that cannot be read is an error that names the study, which can still be deleted."""
    store.create("one", fake.setup(), Goal())
    store.record("one", visit(0, block(), trial=0))
    for column, value, table in (("outcome", "'x'", "block"), ("setup", "x'00'", "study")):
        with sqlite3.connect(path) as connection:
            connection.execute(f"update ovtune_{table} set {column} = {value}")  # noqa: S608
        connection.close()
        with pytest.raises(StorageError, match=r"study one in database .* cannot be read") as caught:
            store.load("one")
        assert "\n" not in str(caught.value)
    store.delete("one")
    assert store.names() == []


def test_folder_names_are_taken_as_they_are(tmp_path: Path) -> None:
    """A folder with characters that mean something in a URL holds its database itself."""
    for name in ("a%20b", "a b#ä&c=d", "a?b"):
        folder = tmp_path / name
        folder.mkdir()
        Store(file_url(database(folder))).close()
        assert {p.name for p in folder.iterdir()} == {"ovtune.db"}
    assert len(list(tmp_path.iterdir())) == 3


def test_two_stores_write_to_one_database(store: Store, path: Path) -> None:
    """A second process that reads and writes another study of the same file disturbs neither."""
    other = Store(file_url(path))
    store.create("one", fake.setup(), Goal())
    other.create("two", fake.setup(), Goal())
    for number in range(5):
        store.record("one", visit(number, block(), trial=number))
        other.record("two", visit(number, block(), trial=number))
        assert len(other.load("one").visits) == len(store.load("two").visits) == number + 1
    other.close()


def test_latency_of_a_block_survives(store: Store) -> None:
    """A stored block tells the same figures as the one that was measured."""
    store.create("one", fake.setup(), Goal())
    store.record("one", visit(0, block(), trial=0))
    stored = store.load("one").visits[0].outcome
    assert isinstance(stored, Block)
    assert latency_of(stored.latencies_ms, "p99") == latency_of(block().latencies_ms, "p99")
    assert stored.throughput_per_s == block().throughput_per_s

from dataclasses import replace
from pathlib import Path

import pytest

import ovtune
from ovtune import place, session
from ovtune.budget import Budget
from ovtune.document import read
from ovtune.errors import HostBusyError, StorageError, StudyError, UsageError
from ovtune.evaluator import Failed
from ovtune.goal import Goal
from ovtune.host import exclusive
from ovtune.ledger import Event
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.session import Search, run
from ovtune.trial_process import TrialProcess
from ovtune.workload import ClosedLoop, ConstantRate, PoissonCapacity, StreamsCapacity
from tests import fake
from tests.fake import FakeEvaluator
from tests.fake_runtime import FakeRuntime, answering
from tests.place import opened


class Stage:
    """A host of the tests' own, on which searches run without OpenVINO."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder=folder / "studies")
        self.runtime = FakeRuntime()
        self.evaluator = FakeEvaluator()
        self.made: list[TrialProcess] = []

    def trial_process(self, **named: object) -> FakeEvaluator:
        self.made.append(TrialProcess(**named))  # type: ignore[arg-type]
        return self.evaluator


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answering(monkeypatch, made.runtime.ask)
    monkeypatch.setattr(session, "TrialProcess", made.trial_process)
    monkeypatch.setattr(place, "Store", opened)
    monkeypatch.delenv("OVTUNE_STORAGE", raising=False)
    return made


def search(trials: int = 6, *, confirm_s: float = 1.0, **named: object) -> Search:
    defaults: dict[str, object] = {"wish": Wish(model="demo:mlp"), "budget": Budget(trials=trials, confirm_s=confirm_s)}
    return Search(**(defaults | named))  # type: ignore[arg-type]


def test_search_writes_study_report_and_document(stage: Stage) -> None:
    """One call: a study named after the model, its report and its document, which say the same as the result."""
    result, files = run(search(), stage.place)
    folder = stage.place.folder
    assert (files.report, files.best) == (folder / "mlp" / "report.html", folder / "mlp" / "best.json")
    assert read(files.best).to_config() == result.recommended
    assert files.report.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    with stage.place.open() as store:
        assert store.names() == ["mlp"]
        assert store.load("mlp") == result.study
    assert not list(folder.glob("*/.*"))


def test_children_inherit_the_lock_and_the_study_s_setup(stage: Stage) -> None:
    """What measures is given the files, the load, the plugins, and the host's lock to keep open."""
    wish = Wish(model="demo:mlp", workload=ConstantRate(interval_s=0.03), plugins={"X": "y"})
    run(search(wish=wish), stage.place)
    (made,) = stage.made
    assert made.workload == ConstantRate(interval_s=0.03)
    assert made.plugins == {"X": "y"}
    assert set(made.files) == {"FP32", "FP16"}
    assert len(made.keep_open) == 1


def test_open_loop_is_weighed_against_efficiency(stage: Stage) -> None:
    """Under a given load throughput is no objective, whatever the caller's goal says."""
    wish = Wish(model="demo:mlp", workload=ConstantRate(interval_s=0.03))
    result, _ = run(search(wish=wish), stage.place)
    assert result.goal.against == "efficiency"
    assert result.study.goal == result.goal


def test_capacity_is_searched_in_a_closed_loop_with_its_limit(stage: Stage) -> None:
    """The evaluator's own load is closed; the goal is completed by the deadline; what is missing is said at once."""
    wish = Wish(model="demo:mlp", workload=StreamsCapacity(frames_per_s=30))
    result, _ = run(search(wish=wish), stage.place)
    assert stage.made[-1].workload == ClosedLoop()
    assert result.goal.against == result.goal.prefer == "throughput"
    assert result.goal.deadline_ms == pytest.approx(1000 / 30)
    assert result.verdict.kind == "unconfirmed"
    with pytest.raises(UsageError, match="--max-latency"):
        run(search(wish=Wish(model="demo:mlp", workload=PoissonCapacity()), study="two"), stage.place)
    with stage.place.open() as store:
        assert store.names() == ["mlp"]


def test_second_call_goes_on(stage: Stage) -> None:
    """The same call again measures nothing; a larger number goes on; the report is there again where it was deleted."""
    first, files = run(search(confirm_s=40), stage.place)
    files.report.unlink()
    asked = len(stage.evaluator.asked)
    second, _ = run(search(confirm_s=40), stage.place)
    assert len(stage.evaluator.asked) == asked
    assert second == first
    assert files.report.exists()
    assert run(search(8), stage.place)[0].study.trials == 8


def test_a_renamed_model_is_run_under_its_new_name(stage: Stage) -> None:
    """A study goes on with the same model in another place, and does not look for it in the old one."""
    run(search(2, study="one"), stage.place)
    run(search(4, study="one", wish=Wish(model="demo:moved")), stage.place)
    assert [process.files["FP32"] for process in stage.made] == ["demo:mlp", "demo:moved"]


def test_other_circumstances_are_refused_and_nothing_is_lost(stage: Stage) -> None:
    """Going on with another model is refused with the difference; the study stays."""
    run(search(study="one"), stage.place)
    stage.runtime.model = replace(stage.runtime.model, sha256="f" * 64)
    with pytest.raises(StudyError, match="study one was made under other circumstances"):
        run(search(study="one"), stage.place)
    with stage.place.open() as store:
        assert store.load("one").trials == 6


@pytest.mark.parametrize(
    "name", ["a/b", "..", "../x", "a b", "", "x" * 65, "x" * 300, ".x", "-x", "recordings", "benchmarks", "x.confirmed"]
)
def test_bad_study_names_are_refused_before_anything_is_made(stage: Stage, name: str) -> None:
    """A name that could leave the folder, or is taken by ovtune, is wrong usage, and leaves no file behind."""
    with pytest.raises(UsageError):
        run(search(study=name), stage.place)
    assert not stage.place.folder.exists()


@pytest.mark.parametrize("trials", [0, -3])
def test_number_of_trials_is_checked(stage: Stage, trials: int) -> None:
    """Less than one trial is wrong usage."""
    with pytest.raises(UsageError, match=f"trials is {trials}"):
        run(search(trials), stage.place)


def test_busy_host_is_refused(stage: Stage) -> None:
    """Beside a running search a second one is refused, and leaves nothing behind."""
    with exclusive(wait=False), pytest.raises(HostBusyError):
        run(search(), stage.place)
    assert not stage.place.folder.exists()


def test_failure_keeps_what_was_measured(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the report cannot be written, the search's data are there, and the same call writes it later."""
    with monkeypatch.context() as patched:
        patched.setattr(place, "_page", lambda *_: (_ for _ in ()).throw(StorageError("disk full")))
        with pytest.raises(StorageError):
            run(search(), stage.place)
    asked = len(stage.evaluator.asked)
    _, files = run(search(), stage.place)
    assert files.report.exists()
    assert len(stage.evaluator.asked) == asked


def test_events_are_emitted_and_stopping_is_asked(stage: Stage) -> None:
    """The caller sees each visit, and can end the search between two of them, with its report written."""
    events: list[Event] = []
    result, files = run(search(50), stage.place, emit=events.append, stopping=lambda: len(events) >= 9)
    assert len(events) == 9
    assert result.study.trials == 4
    assert result.verdict.kind == "unconfirmed"
    assert files.report.exists()


def test_lock_is_given_back_after_an_error(stage: Stage) -> None:
    """A search that fails does not keep the host."""
    stage.evaluator.outcomes = {c.key: Failed(reason="no") for c in fake.space().configs}
    for _ in range(2):
        with pytest.raises(ovtune.OvtuneError, match="came to nothing"):
            run(search(), stage.place)


class TestPlace:
    def test_database_is_in_the_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By default the folder, made where it is missing, holds the database."""
        monkeypatch.delenv("OVTUNE_STORAGE", raising=False)
        with Place(folder=tmp_path / "a" / "b").open(make=True):
            pass
        assert (tmp_path / "a" / "b" / "ovtune.db").exists()

    def test_url_and_variable_come_before_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A URL is taken where one is given, then the variable; the folder is then not touched."""
        monkeypatch.setenv("OVTUNE_STORAGE", f"sqlite:///{tmp_path}/variable.db")
        with Place(folder=tmp_path / "no").open(make=True):
            pass
        with Place(folder=tmp_path / "no", url=f"sqlite:///{tmp_path}/given.db").open():
            pass
        assert {p.name for p in tmp_path.iterdir()} == {"variable.db", "given.db"}

    def test_folder_that_cannot_be_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder in the place of a file is an error with its path and what to do."""
        monkeypatch.delenv("OVTUNE_STORAGE", raising=False)
        (tmp_path / "file").write_text("")
        for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
            with pytest.raises(StorageError, match=r"cannot be made .*--studies"), Place(folder=folder).open(make=True):
                pass


def test_function_does_what_the_command_does(stage: Stage) -> None:
    """ovtune.search takes the command's options and gives the result; its files are in the studies folder."""
    result = ovtune.search(
        "demo:mlp",
        trials=5,
        study="mine",
        studies=str(stage.place.folder),
        load="interval:30ms",
        goal=Goal(latency="p50", prefer="latency"),
        confirm_s=5,
        seed=3,
    )
    assert result.study.name == "mine"
    assert result.study.setup.workload == ConstantRate(interval_s=0.03)
    assert (stage.place.folder / "mine" / "best.json").exists()
    assert ovtune.Result is type(result)

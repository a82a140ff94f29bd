import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ovtune import cli, option, place, preparation, session
from ovtune.config import Config
from ovtune.document import parse
from ovtune.errors import MeasurementError
from ovtune.evaluator import Failed, Outcome
from ovtune.goal import Goal
from ovtune.host import exclusive
from ovtune.measurement import Plan
from ovtune.place import Place
from ovtune.store import file_url
from ovtune.workload import StreamsCapacity
from tests import fake
from tests.fake import FakeEvaluator
from tests.fake_runtime import FakeRuntime, answering
from tests.place import opened

COMMANDS = ("search", "record", "report", "best", "compare", "apply", "check", "export", "devices", "studies")


@dataclass
class Ran:
    """What a command left."""

    status: int
    out: str
    err: str


@pytest.fixture
def evaluator() -> FakeEvaluator:
    return FakeEvaluator()


@pytest.fixture
def ovtune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], evaluator: FakeEvaluator
) -> Callable[..., Ran]:
    """Runs the command line in this process, in a folder of its own, without OpenVINO."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answering(monkeypatch, FakeRuntime().ask)
    monkeypatch.setattr(session, "TrialProcess", lambda **_: evaluator)
    monkeypatch.setattr(place, "Store", opened)
    monkeypatch.setattr(place, "page", lambda result: f"<!doctype html>{result.study.name}")
    for name in ("OVTUNE_STORAGE", "OVTUNE_PLUGINS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["ovtune", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        status = left.value.code
        return Ran(status=int(status or 0), out=told.out, err=told.err)

    return run


SEARCH = ("search", "demo:mlp", "--trials", "5", "--confirm", "1s")


def one_line(told: Ran, *said: str) -> None:
    """Checks that a command failed with one line that says all of this, and printed nothing."""
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("ovtune: ")
    for text in said:
        assert text in told.err


class TestHelp:
    def test_it_lists_the_commands_that_work(self, ovtune: Callable[..., Ran]) -> None:
        """The help names each command."""
        told = ovtune("--help")
        assert told.status == 0
        for name in COMMANDS:
            assert re.search(rf"^\W*{name} ", told.out, re.MULTILINE)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_command_has_its_help(self, ovtune: Callable[..., Ran], command: str) -> None:
        """-h and --help show a command's own help."""
        for asked in ("-h", "--help"):
            told = ovtune(command, asked)
            assert told.status == 0
            assert f"ovtune {command}" in told.out or "Usage" in told.out

    def test_an_option_that_there_is_not(self, ovtune: Callable[..., Ran]) -> None:
        """It is refused, not ignored."""
        told = ovtune(*SEARCH, "--nothing", "1")
        assert told.status == 2
        one_line(told, "--nothing")

    def test_no_arguments_show_the_help(self, ovtune: Callable[..., Ran]) -> None:
        """Called with nothing, the program says what it can do."""
        told = ovtune()
        assert told.status == 0
        assert "search" in told.out

    def test_version(self, ovtune: Callable[..., Ran]) -> None:
        """The version is one line."""
        told = ovtune("--version")
        assert (told.status, told.err) == (0, "")
        assert re.fullmatch(r"ovtune \d+\.\d+\.\d+\S*\n", told.out)


class TestSearch:
    def test_results_go_out_and_progress_goes_to_standard_error(self, ovtune: Callable[..., Ran]) -> None:
        """The summary, with whole paths, on standard output; a line per visit on standard error; exit status 0."""
        told = ovtune(*SEARCH[:-1], "40s")
        assert told.status == 0
        assert "studies/mlp/best.json" in told.out
        assert "studies/mlp/report.html" in told.out
        lines = told.err.splitlines()
        assert [line.split(":")[0] for line in lines[:5]] == [f"trial {i - 1} ({i}/5)" for i in range(1, 6)]
        assert any(line.startswith("elimination ") for line in lines)
        assert any(line.startswith("duel block ") for line in lines)
        assert "trial" not in told.out

    def test_it_begins_like_another_study(self, ovtune: Callable[..., Ran]) -> None:
        """What it takes is said first and at the end; the document names the study, and a dry run measures nothing."""
        assert ovtune(*SEARCH).status == 0
        like = ("search", "demo:mlp", "--study", "second", "--like", "mlp", "--only-front", "--confirm", "1s")
        dry = ovtune(*like, "--dry-run")
        assert dry.status == 0
        assert "of the front of study mlp" in dry.out
        assert "second" not in ovtune("studies").out
        told = ovtune(*like)
        assert told.status == 0
        assert told.err.startswith("begun with ")
        assert "the front of study mlp was tried, and nothing else was asked for" in told.out
        again = ovtune(*like, "--json")
        assert json.loads(again.out)["study"]["like"] == "mlp"
        assert "trial" not in again.err
        assert ovtune(*like, "--quiet").err == ""

    def test_it_ends_by_itself(self, ovtune: Callable[..., Ran]) -> None:
        """With little patience it makes fewer trials than it may, and says why."""
        told = ovtune("search", "demo:mlp", "--trials", "60", "--patience", "1", "--confirm", "1s")
        assert told.status == 0
        assert re.search("ended +the last .*trials? gained nothing", told.out)

    def test_long_paths_are_not_broken_in_a_pipe(self, ovtune: Callable[..., Ran]) -> None:
        """Somebody who reads the output with a program finds a path on one line."""
        folder = "f" * 60 + "/" + "g" * 60
        told = ovtune(*SEARCH, "--studies", folder)
        assert f"{folder}/mlp/best.json" in told.out

    def test_json_is_one_document_and_nothing_else(self, ovtune: Callable[..., Ran]) -> None:
        """With --json standard output is exactly the document that was written."""
        told = ovtune(*SEARCH, "--json")
        assert told.status == 0
        assert parse(told.out, name="out").study.name == "mlp"
        assert told.out == Path("studies/mlp/best.json").read_text(encoding="utf-8")

    def test_quiet_is_silent(self, ovtune: Callable[..., Ran]) -> None:
        """With --quiet nothing is said on standard error."""
        told = ovtune(*SEARCH, "--quiet")
        assert (told.status, told.err) == (0, "")
        assert told.out

    def test_no_color_in_a_pipe(self, ovtune: Callable[..., Ran]) -> None:
        """What is read by a program holds no control sequences."""
        told = ovtune(*SEARCH)
        assert "\x1b" not in told.out + told.err

    def test_same_command_again_measures_nothing(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """Typed a second time, the command shows the same result at once."""
        first = ovtune(*SEARCH)
        asked = len(evaluator.asked)
        second = ovtune(*SEARCH)
        assert (second.status, second.out, second.err) == (0, first.out, "")
        assert len(evaluator.asked) == asked

    def test_no_model_takes_the_built_in_one(self, ovtune: Callable[..., Ran]) -> None:
        """Without a model the first built-in one is searched, in a study of its name."""
        assert ovtune("search", "--trials", "3", "--confirm", "1s").status == 0
        assert Path("studies/mobilenet/best.json").exists()

    @pytest.mark.parametrize(
        ("options", "goal"),
        [
            ((), {"prefer": "balanced", "latency": "p95", "max_latency_ms": None, "margin": 0.02}),
            (("--max-latency", "20ms"), {"prefer": "throughput", "max_latency_ms": 20.0}),
            (("--min-throughput", "10/s"), {"prefer": "balanced", "min_throughput_per_s": 10.0}),
            (("--max-memory", "500MB", "--prefer", "latency"), {"prefer": "latency", "max_memory_bytes": 5e8}),
            (("--latency", "p50", "--margin", "5%"), {"latency": "p50", "margin": 0.05}),
            (("--load", "interval:30ms"), {"prefer": "latency"}),
            (("--load", "constant:33/s", "--max-latency", "1s"), {"prefer": "efficiency"}),
        ],
    )
    def test_goal_follows_the_options(
        self, ovtune: Callable[..., Ran], options: tuple[str, ...], goal: dict[str, object]
    ) -> None:
        """Limits, preference, latency and margin become the goal, with the defaults that the manual names."""
        told = ovtune("search", "demo:mlp", "--trials", "3", "--confirm", "1s", "--json", *options)
        found = json.loads(told.out)["goal"]
        assert {name: found[name] for name in goal} == goal

    def test_all_failing_is_an_error_that_names_the_reason(
        self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator
    ) -> None:
        """When nothing runs the exit status is 1 and one line, behind the progress, says why."""
        evaluator.outcomes = {c.key: Failed(reason="ended by SIGSEGV") for c in fake.space().configs}
        told = ovtune(*SEARCH, "--quiet")
        assert told.status == 1
        one_line(told, "all 5 trials came to nothing, 5 of them because: ended by SIGSEGV")

    def test_busy_host(self, ovtune: Callable[..., Ran]) -> None:
        """Beside a running search the exit status is 1 and the line names its process."""
        with exclusive(wait=False):
            told = ovtune(*SEARCH)
        assert told.status == 1
        one_line(told, f"process {os.getpid()}", "--wait")


class TestInterrupts:
    def interrupt(self, evaluator: FakeEvaluator, *visits: int) -> None:
        """Sends Ctrl-C during the visits of these numbers."""
        real, seen = evaluator.evaluate, [0]

        def evaluate(config: Config, plan: Plan, /) -> Outcome:
            seen[0] += 1
            if seen[0] in visits:
                signal.raise_signal(signal.SIGINT)
                if visits.count(seen[0]) > 1:
                    signal.raise_signal(signal.SIGINT)
            return real(config, plan)

        evaluator.evaluate = evaluate  # type: ignore[method-assign]

    def test_first_one_ends_after_the_visit_with_report(
        self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator
    ) -> None:
        """Ctrl-C in the third visit: three trials, report, document and summary, and exit status 130."""
        self.interrupt(evaluator, 3)
        told = ovtune(*SEARCH)
        assert told.status == 130
        assert "UNCONFIRMED" in told.out
        assert "press Ctrl-C again" in told.err
        assert Path("studies/mlp/report.html").exists()
        assert json.loads(Path("studies/mlp/best.json").read_text())["verdict"]["kind"] == "unconfirmed"
        assert json.loads(ovtune("studies", "--json").out)[0]["trials"] == 3

    def test_second_one_stops_at_once(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """Ctrl-C twice in one visit: exit status 130, no traceback, what was committed is kept, and goes on."""
        self.interrupt(evaluator, 3, 3)
        told = ovtune(*SEARCH)
        assert told.status == 130
        assert "Traceback" not in told.err
        assert told.out == ""
        assert ovtune(*SEARCH).status == 0

    @pytest.mark.parametrize("place", ["clean-up that reports", "clean-up that takes no exception"])
    def test_second_one_in_a_library(
        self, ovtune: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, evaluator: FakeEvaluator, place: str
    ) -> None:
        """Where the second one meets a library that cleans up it is neither lost nor told at length."""

        class Loud:
            def __del__(self) -> None:
                signal.raise_signal(signal.SIGINT)

        real = evaluator.evaluate

        def evaluate(config: Config, plan: Plan, /) -> Outcome:
            signal.raise_signal(signal.SIGINT)
            if place == "clean-up that takes no exception":
                Loud()
                return real(config, plan)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                logging.getLogger("pool").exception("Error closing cursor")
                raise
            return real(config, plan)

        monkeypatch.setattr(evaluator, "evaluate", evaluate)
        told = ovtune(*SEARCH)
        assert (told.status, told.out) == (130, "")
        assert "Traceback" not in told.err
        assert not logging.getLogger("pool").manager.disable

    def test_interrupt_before_anything_was_measured(
        self, ovtune: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C while the devices are asked is an interruption, too, not a failure."""
        real = preparation.make

        def make(*arguments: object) -> object:
            signal.raise_signal(signal.SIGINT)
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(preparation, "make", make)
        told = ovtune(*SEARCH)
        assert told.status == 130
        assert "interrupted" in told.err
        assert "Traceback" not in told.err

    def test_interrupt_while_waiting_for_the_host(self, ovtune: Callable[..., Ran]) -> None:
        """Ctrl-C ends the wait for another search."""
        with exclusive(wait=False):
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            told = ovtune(*SEARCH, "--wait")
        assert told.status == 130


class TestOtherCommands:
    def test_studies_are_listed_and_deleted(self, ovtune: Callable[..., Ran]) -> None:
        """The list names each study; deletion takes the data and says what it leaves."""
        ovtune(*SEARCH, "--study", "one")
        assert "one" in ovtune("studies").out
        told = ovtune("studies", "--json")
        assert [(s["name"], s["trials"]) for s in json.loads(told.out)] == [("one", 5)]
        assert "studies/one" in ovtune("studies", "--delete", "one").out
        assert json.loads(ovtune("studies", "--json").out) == []
        one_line(ovtune("studies", "--delete", "one"), "study one does not exist")

    def test_report_is_written_anew(self, ovtune: Callable[..., Ran], tmp_path: Path) -> None:
        """The report goes where it was, or where --out says, and the path is printed."""
        ovtune(*SEARCH)
        Path("studies/mlp/report.html").unlink()
        assert ovtune("report", "mlp").out == "studies/mlp/report.html\n"
        assert Path("studies/mlp/report.html").exists()
        assert ovtune("report", "mlp", "--out", str(tmp_path / "r.html")).status == 0
        assert (tmp_path / "r.html").read_text() == Path("studies/mlp/report.html").read_text()

    def test_best_answers_other_questions(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """Another preference or limit is answered from what is known, as a document, without measuring."""
        ovtune(*SEARCH)
        asked = len(evaluator.asked)
        for options, prefer in (
            ((), "balanced"),
            (("--prefer", "throughput"), "throughput"),
            (("--max-latency", "15ms"), "throughput"),
            (("--min-throughput", "10/s"), "balanced"),
            (("--max-latency", "15ms", "--prefer", "latency"), "latency"),
        ):
            told = ovtune("best", "mlp", *options)
            assert parse(told.out, name="out").goal.prefer == prefer
            assert told.err.count("\n") == 1
        told = ovtune("best", "mlp", "--out", "x.json")
        assert told.out == ""
        assert parse(Path("x.json").read_text(), name="x").study.name == "mlp"
        assert len(evaluator.asked) == asked

    def test_best_has_no_other_limit_for_a_capacity(self, ovtune: Callable[..., Ran]) -> None:
        """What is served within one limit says nothing of another: it is refused, and what to do is said."""
        Path("studies").mkdir(exist_ok=True)
        setup = replace(fake.setup(), workload=StreamsCapacity(frames_per_s=30))
        with contextlib.closing(opened(file_url(Path("studies/ovtune.db")))) as store:
            store.create("cameras", setup, Goal(deadline_ms=33))
        for options in (("--max-latency", "10ms"), ("--prefer", "latency")):
            told = ovtune("best", "cameras", *options)
            assert told.status == 2
            assert "search again" in told.err

    def test_best_without_change_is_what_the_search_wrote(self, ovtune: Callable[..., Ran]) -> None:
        """Asked for nothing else, best prints best.json."""
        ovtune(*SEARCH)
        assert ovtune("best", "mlp").out == Path("studies/mlp/best.json").read_text()

    def test_devices(self, ovtune: Callable[..., Ran]) -> None:
        """The devices alone, with a model's answers, and as one JSON document."""
        assert "Test CPU" in ovtune("devices").out
        assert "THROUGHPUT" in ovtune("devices", "demo:mlp").out
        told = json.loads(ovtune("devices", "demo:mlp", "--json").out)
        assert [d["name"] for d in told["devices"]] == ["CPU"]
        assert len(told["advice"]) == 3
        several = json.loads(ovtune("devices", "demo:mlp", "--device", "AUTO", "--device", "CPU", "--json").out)
        assert list(dict.fromkeys(a["device"] for a in several["advice"])) == ["AUTO", "CPU"]
        assert ovtune("devices", "demo:mlp", "--device", "TPU").status == 1

    def test_plugins_come_from_options_or_the_variable(
        self, ovtune: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """NAME=LIBRARY, repeated or with commas in OVTUNE_PLUGINS; options come first; nonsense is wrong usage."""
        monkeypatch.setenv("OVTUNE_PLUGINS", "A=a,B=b=c")
        assert option.plugins(None) == {"A": "a", "B": "b=c"}
        assert option.plugins(["C=c"]) == {"C": "c"}
        monkeypatch.delenv("OVTUNE_PLUGINS")
        assert option.plugins(None) is None
        for text in ("A", "=a", "A=", ""):
            told = ovtune("devices", "--plugin", text)
            assert told.status == 2
            one_line(told, "NAME=LIBRARY")


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("search", "--trials", "0"), "--trials"),
            (("search", "--trials", "-3"), "--trials"),
            (("search", "--trials", "x"), "--trials"),
            (("search", "--seed", "-1"), "--seed"),
            (("search", "--timeout", "0s"), "'0s'"),
            (("search", "--timeout", "soon"), "'soon'"),
            (("search", "--confirm", "5 parsecs"), "'5 parsecs'"),
            (("search", "--load", "poisson:auto"), "--max-latency"),
            (("search", "--load", "poisson:auto", "--deadline", "33ms"), "--deadline"),
            (("search", "--load", "streams:30/s", "--max-latency", "33ms"), "--deadline"),
            (("search", "--load", "streams:4x30/s", "--deadline", "33ms"), "streams:30/s"),
            (("search", "--load", "closed", "--deadline", "33ms"), "--deadline"),
            (("search", "--load", "streams:0/s"), "'0/s'"),
            (("search", "--load", "streams:30/s", "--deadline", "0ms"), "'0ms'"),
            (("search", "--load", "streams:30/s", "--deadline", "-3ms"), "-3ms"),
            (("record", "--out", "x.gz", "--load", "poisson:auto"), "poisson:auto"),
            (("search", "--load", "interval:0ms"), "'0ms'"),
            (("search", "--margin", "200%"), "200%"),
            (("search", "--max-latency", "-3ms"), "-3ms"),
            (("search", "--min-throughput", "many"), "many"),
            (("search", "--max-memory", "5"), "5"),
            (("search", "--prefer", "beauty"), "beauty"),
            (("search", "--latency", "p42"), "p42"),
            (("search", "--study", "a/b"), "a/b"),
            (("search", "--study", ".."), "'..'"),
            (("search", "--study", "a b"), "'a b'"),
            (("search", "--study", "x" * 300), "xxx..."),
            (("search", "--study", "benchmarks"), "benchmarks"),
            (("search", "--study", ""), "''"),
            (("search", "a", "b"), "b"),
            (("search", "--nonsense"), "--nonsense"),
            (("nonsense",), "nonsense"),
            (("report",), "study"),
            (("best",), "study"),
            (("apply",), "config"),
        ],
    )
    def test_wrong_usage_is_one_line_and_status_2(
        self, ovtune: Callable[..., Ran], arguments: tuple[str, ...], said: str
    ) -> None:
        """What makes no sense on any host is refused by one line that names the value, and no file is made."""
        told = ovtune(*arguments)
        assert told.status == 2
        one_line(told, said)
        assert not Path("studies").exists()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("search", "demo:mlp", "--device", "NPU"), "NPU"),
            (("search", "demo:mlp", "--device", "AUTO:CPU,GPU"), "GPU"),
            (("report", "nosuch"), "study nosuch does not exist"),
            (("best", "nosuch"), "study nosuch does not exist"),
            (("apply", "nosuch.json"), "nosuch.json cannot be read"),
            (("apply", "."), "cannot be read"),
            (("studies", "--studies", "file"), "no studies in file"),
            (("studies", "--storage", "sqlite:///file"), "not a database"),
            (("studies", "--storage", "nonsense"), "nonsense"),
            (("search", "demo:mlp", "--studies", "file/x"), "file/x cannot be made"),
        ],
    )
    def test_failure_is_one_line_and_status_1(
        self, ovtune: Callable[..., Ran], arguments: tuple[str, ...], said: str
    ) -> None:
        """What this host cannot do is refused by one line that says what and which, and no file is harmed."""
        Path("file").write_text("this is no database, but somebody's text, and it is long enough to be looked at" * 20)
        before = Path("file").read_bytes()
        with Place().open(make=True):
            pass
        told = ovtune(*arguments)
        assert told.status == 1
        one_line(told, said)
        assert Path("file").read_bytes() == before

    @pytest.mark.parametrize(("given", "value"), [(("--trials", "x"), "'x'"), (("--trials=0",), "'0'")])
    def test_a_bad_number_is_named(self, ovtune: Callable[..., Ran], given: tuple[str, ...], value: str) -> None:
        """A number that cannot be read or is out of bounds is shown with its option, and what would be right."""
        told = ovtune("search", *given)
        assert told.status == 2
        one_line(told, f"Invalid value {value} for '--trials': Input should be")

    def test_taken_name_is_refused_with_the_difference(self, ovtune: Callable[..., Ran]) -> None:
        """A study's name under other circumstances is taken; what it holds stays."""
        ovtune(*SEARCH, "--study", "one")
        told = ovtune(*SEARCH, "--study", "one", "--load", "interval:30ms")
        assert told.status == 1
        one_line(told, "load: interval:30ms, not closed")
        assert json.loads(ovtune("studies", "--json").out)[0]["trials"] == 5

    def test_control_characters_do_not_reach_the_terminal(self, ovtune: Callable[..., Ran]) -> None:
        """A document whose field is named to paint the terminal gives one plain line."""
        ovtune(*SEARCH)
        tree = json.loads(Path("studies/mlp/best.json").read_text())
        tree["a\nb\x1b[31m\x07"] = 1
        Path("bad.json").write_text(json.dumps(tree))
        told = ovtune("apply", "bad.json")
        assert told.status == 1
        one_line(told, "Extra inputs")
        assert "\x1b" not in told.err

    @pytest.mark.parametrize("command", [("studies",), ("best", "mlp"), ("report", "mlp")])
    def test_a_folder_without_studies_stays_as_it_was(
        self, ovtune: Callable[..., Ran], command: tuple[str, ...]
    ) -> None:
        """A mistyped folder is said to hold no studies, and nothing is made in it."""
        told = ovtune(*command, "--studies", "mistyped")
        assert told.status == 1
        one_line(told, "there are no studies in mistyped")
        assert not Path("mistyped").exists()

    def test_debug_adds_the_traceback(self, ovtune: Callable[..., Ran]) -> None:
        """With --debug the same error comes with where it was raised; the status stays."""
        with Place().open(make=True):
            pass
        told = ovtune("--debug", "best", "nosuch")
        assert told.status == 1
        assert "Traceback" in told.err
        assert told.err.splitlines()[-1].startswith("ovtune: study nosuch")
        assert "Traceback" not in ovtune("best", "nosuch").err

    def test_our_own_fault_shows_itself(self, ovtune: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
        """A fault of ovtune itself is not dressed up as one of its user's."""

        def fault(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(session, "run", fault)
        monkeypatch.setattr(sys, "argv", ["ovtune", *SEARCH])
        with pytest.raises(ZeroDivisionError):
            cli.main()

    def test_reason_of_a_death_is_one_line(self, ovtune: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
        """A child that could not be asked is told on one line."""

        def dead(*_: object) -> str:
            raise MeasurementError("asking the runtime failed:\nthe process was ended by SIGSEGV")

        answering(monkeypatch, dead)
        told = ovtune("devices")
        assert told.status == 1
        one_line(told, "SIGSEGV")


IMPORTS = """
import sys
{code}
heavy = {{"optuna", "sqlalchemy", "plotly", "jinja2", "typer", "rich", "pandas", "alembic"}}
print(sorted(heavy & {{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize(
    "code",
    [
        "import ovtune",
        "import ovtune; ovtune.apply, ovtune.Config, ovtune.Deployment, ovtune.OvtuneError, dir(ovtune)",
        "from ovtune import deploy, document, runtime, child_entry",
    ],
)
def test_deploying_imports_nothing_heavy(code: str) -> None:
    """A program that only deploys pays for neither Optuna nor SQLAlchemy nor Plotly, nor for the command line."""
    told = subprocess.run([sys.executable, "-c", IMPORTS.format(code=code)], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_help_imports_nothing_that_measures() -> None:
    """--help is quick because it loads neither the runtime nor the database's libraries."""
    code = (
        "import sys; sys.argv = ['ovtune', '--help']\nfrom ovtune import cli\ntry: cli.main()\nexcept SystemExit: pass"
    )
    code += "\nheavy = {'optuna', 'sqlalchemy', 'plotly', 'openvino', 'numpy', 'pydantic', 'psutil'}"
    code += "\nassert not heavy & set(sys.modules), heavy & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

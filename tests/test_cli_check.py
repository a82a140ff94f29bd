import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ovtune import checking
from ovtune.config import Config
from ovtune.document import Document, text_of
from ovtune.evaluator import Failed, Outcome
from ovtune.measurement import Plan
from tests import fake
from tests.fake import FakeEvaluator
from tests.fake_runtime import FakeRuntime, answering
from tests.promised import BASELINE, CONFIG, OTHER, document
from tests.test_cli import Ran, one_line

CHECK = ("check", "best.json")


@pytest.fixture
def evaluator() -> FakeEvaluator:
    return FakeEvaluator(noise=0.01)


@pytest.fixture
def ovtune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], evaluator: FakeEvaluator
) -> Callable[..., Ran]:
    """Runs the command line in this process, in a folder with a ``best.json``, without OpenVINO."""
    from ovtune import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answering(monkeypatch, FakeRuntime().ask)
    monkeypatch.setattr(checking, "TrialProcess", lambda **_: evaluator)
    for name in ("OVTUNE_PLUGINS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    given("best.json", document())

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["ovtune", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        status = left.value.code
        return Ran(status=int(status or 0), out=told.out, err=told.err)

    return run


def given(name: str, told: Document) -> str:
    Path(name).write_text(text_of(told))
    return name


def slowed(evaluator: FakeEvaluator, *, config: float = 1.0, machine: float = 1.0) -> None:
    evaluator.truth = lambda asked: fake.speed(asked) * machine * (config if asked == CONFIG else 1.0)


class TestStatus:
    def test_it_holds(self, ovtune: Callable[..., Ran]) -> None:
        """Exit status 0, the answer and its figures on standard output in 80 columns, progress on standard error."""
        told = ovtune(*CHECK)
        assert told.status == 0
        assert told.out.startswith("HOLDS: it is 1.1")
        assert "times as good as the baseline in throughput, and 1.10" in " ".join(told.out.split())
        assert max(map(len, told.out.splitlines())) <= 80
        for name in ("config", "beside", "ratio", "promised", "next block"):
            assert f"\n{name} " in told.out
        assert told.err.startswith("block 1: config: ")
        assert "block 3/800: the baseline: " in told.err

    def test_it_is_slower(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """Exit status 3."""
        slowed(evaluator, config=0.9)
        told = ovtune(*CHECK)
        assert told.status == 3
        assert told.out.startswith("SLOWER: it is 1.0")

    def test_it_is_not_decided(self, ovtune: Callable[..., Ran]) -> None:
        """Exit status 4, and the time that it takes."""
        told = ovtune(*CHECK, "--confirm", "1us")
        assert told.status == 4
        said = " ".join(told.out.split())
        assert said.startswith("UNDECIDED: 1 pair was measured, too few to tell: give it time, as in --confirm 1s ")

    def test_the_time_that_is_missing_is_told(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """At the end of the pairs with the ratio still open it says what would decide it."""
        evaluator.noise = 0.05
        slowed(evaluator, config=0.98 * 0.98)
        told = ovtune(*CHECK)
        assert told.status == 4
        assert "400 pairs were measured, and the ratio may lie on either side of 1.10" in " ".join(told.out.split())

    @pytest.mark.parametrize("visits", [1, 2, 5])
    def test_interrupted(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator, visits: int) -> None:
        """Ctrl-C ends it after the running block with what it has, exit status 130."""
        interrupt(evaluator, visits)
        told = ovtune(*CHECK)
        assert told.status == 130
        assert len(evaluator.asked) == visits
        assert re.match(
            rf"UNDECIDED: {visits // 2} pairs? w\w+ measured, too few to tell: it was interrupted", told.out
        )
        assert told.err.endswith("ovtune: interrupted: the answer rests on what was measured until then\n")

    def test_interrupted_twice(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """The second Ctrl-C stops at once."""
        interrupt(evaluator, 3, times=2)
        told = ovtune(*CHECK)
        assert (told.status, told.out) == (130, "")

    def test_junit(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator, tmp_path: Path) -> None:
        """Whatever comes of the check, a suite is there: the answer, why there is none, and what a Ctrl-C leaves."""
        path = tmp_path / "out" / "check.xml"
        assert ovtune(*CHECK, "--junit", str(path)).status == 0
        assert 'errors="0"' in path.read_text()
        evaluator.outcomes = dict.fromkeys((CONFIG.key, BASELINE.key), Failed(reason="it died"))
        assert ovtune(*CHECK, "--junit", str(path)).status == 1
        assert "it died" in path.read_text()
        assert ovtune("check", "gone.json", "--junit", str(path)).status == 1
        assert "gone.json" in path.read_text()
        evaluator.outcomes, evaluator.asked = {}, []
        interrupt(evaluator, 3, times=2)
        assert ovtune(*CHECK, "--junit", str(path)).status == 130
        assert "ended before it had an answer" in path.read_text()

    def test_junit_that_cannot_be_written(
        self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator, tmp_path: Path
    ) -> None:
        """It is told before anything is measured."""
        told = ovtune(*CHECK, "--junit", str(tmp_path))
        assert told.status == 1
        assert "cannot be written" in told.err
        assert not evaluator.asked

    def test_interrupted_before_anything_was_measured(
        self, ovtune: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the devices are asked it is an interruption, too, not a failure."""

        def interrupted(task: str, request: str) -> str:
            signal.raise_signal(signal.SIGINT)
            return FakeRuntime().ask(task, request)

        answering(monkeypatch, interrupted)
        assert ovtune(*CHECK).status == 130


class TestOutput:
    def test_json_is_one_document(self, ovtune: Callable[..., Ran]) -> None:
        """Every number that the table shows, and nothing else on standard output."""
        told = json.loads(ovtune(*CHECK, "--json", "--soak", "20s").out)
        assert told["kind"] == "holds"
        assert (told["objective"], told["margin"]) == ("throughput", 0.02)
        assert told["ratio"]["low"] < told["ratio"]["value"] < told["ratio"]["high"]
        assert told["floor"] == pytest.approx(0.98 * told["promised"])
        assert told["pairs"] == len(told["blocks"]["config"]) == len(told["blocks"]["opponent"])
        assert set(told["next_block"]) >= {"low", "high", "below", "outside_share"}
        assert told["differences"] == told["limits_broken"] == []
        assert told["soak"]["config"]["remains"] == pytest.approx(1.0, rel=0.1)
        assert told["soak"]["opponent"]["elapsed_s"] == pytest.approx(20.0, rel=0.1)

    def test_json_of_nothing(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """An interval without bounds has null for its ends, and what was not measured is null."""
        interrupt(evaluator, 2)
        told = json.loads(ovtune(*CHECK, "--json").out)
        assert (told["kind"], told["interrupted"], told["pairs"]) == ("undecided", True, 1)
        assert (told["ratio"]["low"], told["ratio"]["high"], told["soak"]) == (None, None, None)

    def test_quiet(self, ovtune: Callable[..., Ran]) -> None:
        """No progress."""
        assert ovtune(*CHECK, "--quiet").err == ""

    def test_what_differs_is_warned_of(self, ovtune: Callable[..., Ran]) -> None:
        """A line each, and one that the absolute figures were left out."""
        given("best.json", document(environment={"openvino": "2025.1", "cpus": 999}))
        told = ovtune(*CHECK, "--quiet")
        assert told.status == 0
        lines = told.err.splitlines()
        assert lines[0] == "warning: OpenVINO is 2026.4, measured with 2025.1"
        assert "CPUs may be used, measured with 999" in lines[1]
        assert lines[2].startswith("warning: the published throughput is from other circumstances")
        assert "next block" not in told.out

    def test_a_slower_machine_is_named(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """Nobody shall look for a fault in the config."""
        slowed(evaluator, machine=0.8)
        told = ovtune(*CHECK)
        assert told.status == 0
        said = " ".join(told.out.split())
        assert "but the machine is slower: the baseline has 79% of its published throughput, too" in said

    def test_a_broken_limit_is_named(self, ovtune: Callable[..., Ran]) -> None:
        """With the figure and the limit."""
        given("best.json", document(goal={"min_throughput_per_s": 1000.0}))
        told = ovtune(*CHECK)
        assert told.status == 3
        assert "below the limit of 1000/s" in " ".join(told.out.split())

    def test_a_config_that_is_its_own_baseline(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """It says that there is nothing relative to check."""
        alone = {"rival": None, "kind": "unconfirmed", "throughput_ratio": None, "latency_ratio": None}
        given("best.json", document(BASELINE, verdict=alone))
        told = ovtune(*CHECK)
        assert told.status == 0
        assert told.out.startswith("HOLDS: no more blocks are below the promised interval than chance allows\n")
        assert "nothing: it is its own baseline" in told.out
        assert "warning: the config was not confirmed against the baseline" in told.err
        slowed(evaluator, machine=0.7)
        told = ovtune(*CHECK)
        assert told.status == 4
        assert "whether the machine or the config is slower cannot be told" in " ".join(told.out.split())

    def test_a_soak_is_shown(self, ovtune: Callable[..., Ran]) -> None:
        """Start and end of each side, and the ratio."""
        told = ovtune(*CHECK, "--soak", "20s")
        assert told.status == 0
        said = " ".join(told.out.split())
        assert "/s at the start, " in said
        assert "of the short blocks' speed the baseline " in said
        assert "over the whole soak" in said


class TestOptions:
    def test_against(self, ovtune: Callable[..., Ran]) -> None:
        """The other config, in the baseline's place."""
        told = ovtune(*CHECK, "--against", given("other.json", document(OTHER)))
        assert told.status == 0
        assert "the other config" in told.out

    def test_against_another_load(self, ovtune: Callable[..., Ran]) -> None:
        """Is refused in one line."""
        other = given("other.json", document(OTHER, load={"kind": "interval", "interval_s": 0.1}))
        told = ovtune(*CHECK, "--against", other)
        assert told.status == 1
        one_line(told, "different loads", "give two for one load")

    def test_margin(self, ovtune: Callable[..., Ran], evaluator: FakeEvaluator) -> None:
        """A loss within the margin is none."""
        slowed(evaluator, config=0.9)
        assert ovtune(*CHECK, "--margin", "20%", "--quiet").status == 0

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--confirm", "0s"), "duration '0s' is not above zero"),
            (("--soak", "x"), "duration 'x' cannot be read"),
            (("--margin", "300%"), "share '300%' is not below 100%"),
            (("--plugin", "X"), "plugin 'X' cannot be read"),
        ],
    )
    def test_values_that_make_no_sense(self, ovtune: Callable[..., Ran], arguments: tuple[str, ...], said: str) -> None:
        """Wrong usage: exit status 2 and one line."""
        told = ovtune(*CHECK, *arguments)
        assert told.status == 2
        one_line(told, said)

    def test_a_missing_document(self, ovtune: Callable[..., Ran]) -> None:
        """A failure in one line."""
        told = ovtune("check", "nosuch.json")
        assert told.status == 1
        one_line(told, "nosuch.json cannot be read")

    def test_plugins(self, ovtune: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
        """As of the other commands, or from the environment."""
        seen = []

        def process(*, plugins: dict[str, str], **_: object) -> FakeEvaluator:
            seen.append(plugins)
            return FakeEvaluator(noise=0.01)

        monkeypatch.setattr(checking, "TrialProcess", process)
        assert ovtune(*CHECK, "--plugin", "CPUX=lib").status == 0
        monkeypatch.setenv("OVTUNE_PLUGINS", "CPUY=lib2")
        assert ovtune(*CHECK).status == 0
        assert seen == [{"CPUX": "lib"}, {"CPUY": "lib2"}]


@pytest.mark.runtime
def test_a_real_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With the real runtime a pair is measured in child processes; in a second that decides nothing."""
    from ovtune import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    given("best.json", document(model={"name": "mlp", "path": "demo:mlp", "sha256": "a" * 64}))
    monkeypatch.setattr(sys, "argv", ["ovtune", *CHECK, "--confirm", "1s", "--soak", "1s", "--json"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    told = json.loads(capsys.readouterr().out)
    assert left.value.code == 4
    assert (told["kind"], told["pairs"]) == ("undecided", 1)
    assert told["blocks"]["config"][0]["throughput_per_s"] > 0
    assert "model demo:mlp is not the one that was measured (demo:mlp)" in told["differences"]
    assert told["soak"]["config"]["elapsed_s"] >= 1.0


def interrupt(evaluator: FakeEvaluator, visits: int, times: int = 1) -> None:
    """Presses Ctrl-C while the ``visits``-th block is measured."""
    evaluate = evaluator.evaluate

    def interrupted(config: Config, plan: Plan, /) -> Outcome:
        if len(evaluator.asked) + 1 == visits:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return evaluate(config, plan)

    evaluator.evaluate = interrupted  # type: ignore[method-assign]

"""The real command in real processes on the real CPU plugin: ended, killed and typed again, one beside the other."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ovtune.document import read
from ovtune.measurement import Block
from ovtune.store import Store, file_url
from ovtune.study import Study

pytestmark = pytest.mark.runtime
_PATIENCE_S = 120


class Command:
    """``ovtune`` with some arguments, in a folder of its own, its lines read as they come."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = os.environ | {"TMPDIR": str(folder), "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from ovtune.cli import main; main()", *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.err = ""
        self._watchdog = threading.Timer(_PATIENCE_S, self.process.kill)
        self._watchdog.start()

    def wait_for(self, pattern: str) -> None:
        """Reads progress until a line matches."""
        for line in self.process.stderr or ():
            self.err += line
            if re.search(pattern, line):
                return
        raise AssertionError(f"{pattern} was never said: {self.err}")

    def end(self) -> tuple[int, str]:
        """The exit status and the results; the rest of the progress stands in ``err``."""
        out, err = self.process.communicate()
        self._watchdog.cancel()
        self.err += err
        return self.process.returncode, out


@pytest.fixture
def ovtune(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    begun: list[Command] = []

    def begin(*arguments: str) -> Command:
        begun.append(Command(tmp_path, *arguments))
        return begun[-1]

    yield begin
    for command in begun:
        command.process.kill()
        command.end()


def study_in(folder: Path, name: str = "mlp") -> Study:
    store = Store(file_url(folder / "studies" / "ovtune.db"))
    try:
        return store.load(name)
    finally:
        store.close()


def one_at_a_time(study: Study) -> None:
    """Checks that no measured time overlaps with another one."""
    times = sorted(
        (v.outcome.started_at, v.outcome.started_at + v.outcome.elapsed_s)
        for v in study.visits
        if isinstance(v.outcome, Block)
    )
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(times))


SEARCH = ("search", "demo:mlp", "--confirm", "1s", "--trials")


def test_first_ctrl_c_reports_and_the_second_stops_at_once(ovtune: Callable[..., Command], tmp_path: Path) -> None:
    """The first Ctrl-C ends a long search after the running block, with report and document; the second one at once.

    Both with status 130 and without a traceback, and the study can be gone on with.
    """
    search = ovtune(*SEARCH, "500")
    search.wait_for(r"^trial 1 \(2/500\): ")
    search.process.send_signal(signal.SIGINT)
    status, out = search.end()
    assert (status, "Traceback" in search.err) == (130, False)
    assert "press Ctrl-C again" in search.err
    assert out.startswith("UNCONFIRMED")
    assert read(tmp_path / "studies/mlp/best.json").verdict.kind == "unconfirmed"
    assert (tmp_path / "studies/mlp/report.html").exists()
    first = study_in(tmp_path)
    assert 2 <= first.trials == len({v.trial for v in first.visits}) <= 4
    assert first.stopped == "interrupted"

    search = ovtune(*SEARCH, "500")
    search.wait_for(r"^trial \d+ \(\d+/500\): ")
    search.process.send_signal(signal.SIGINT)
    search.wait_for("press Ctrl-C again")
    search.process.send_signal(signal.SIGINT)
    status, out = search.end()
    assert (status, out, "Traceback" in search.err) == (130, "", False)
    assert not psutil.pid_exists(search.process.pid)
    second = study_in(tmp_path)
    assert second.visits[: len(first.visits)] == first.visits
    assert len(second.visits) > len(first.visits)


def test_kill_and_the_same_command_at_once(ovtune: Callable[..., Command], tmp_path: Path) -> None:
    """After a SIGKILL of the parent alone, the same command typed at once ends with its trials.

    No finished block is lost, none measured twice, no two processes measure at the same time, and no child is left.
    """
    trials = 6
    killed = ovtune(*SEARCH, str(trials))
    killed.wait_for(rf"^trial 1 \(2/{trials}\): ")
    parent = psutil.Process(killed.process.pid)
    children: list[psutil.Process] = []
    while not children:
        children = [c for c in parent.children(recursive=True) if "ovtune.child_entry" in c.cmdline()]
    killed.process.kill()
    again = ovtune(*SEARCH, str(trials), "--json")
    killed.end()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert (len(gone), alive) == (len(children), [])
    status, out = again.end()
    assert status == 0, again.err
    assert json.loads(out)["study"]["name"] == "mlp"
    study = study_in(tmp_path)
    assert study.trials == trials
    made = dict.fromkeys(v.trial for v in study.visits if v.phase == "search")  # a contended one is made again
    assert list(made) == list(range(trials))
    assert len({v.config.key for v in study.visits if v.phase == "search"}) == trials
    said = re.findall(r"^trial \d+ \((\d+)/", killed.err + again.err, re.MULTILINE)
    lines = [number for number, _ in itertools.groupby(said)]
    assert len(lines) == len(set(lines))
    assert {"1", "2"} <= set(lines)
    one_at_a_time(study)


def test_second_search_beside_a_running_one(ovtune: Callable[..., Command], tmp_path: Path) -> None:
    """A second search is refused at once with the first one's process; with --wait it begins when that has ended."""
    first = ovtune(*SEARCH, "3")
    first.wait_for(r"^trial 0 \(1/3\): ")
    waiting = ovtune(*SEARCH, "2", "--study", "two", "--wait")
    second = ovtune(*SEARCH, "2", "--study", "three")
    status, out = second.end()
    assert (status, out) == (1, "")
    assert second.err.count("\n") == 1
    assert f"process {first.process.pid}" in second.err
    assert "--wait" in second.err
    assert first.end()[0] == 0
    assert waiting.end()[0] == 0, waiting.err
    last = study_in(tmp_path).visits[-1].outcome
    begun = study_in(tmp_path, "two").visits[0].outcome
    assert isinstance(last, Block)
    assert isinstance(begun, Block)
    assert begun.started_at >= last.started_at + last.elapsed_s


def test_search_apply_and_other_commands(ovtune: Callable[..., Command], tmp_path: Path) -> None:
    """A search, then its document applied, on another model too, and its report written anew, on the real runtime."""
    search = ovtune(*SEARCH, "3", "--quiet")
    status, out = search.end()
    assert (status, search.err) == (0, "")
    assert out.startswith("UNCONFIRMED: ")
    best = tmp_path / "studies/mlp/best.json"
    applied = ovtune("apply", str(best))
    status, out = applied.end()
    assert status == 0
    assert re.search(r"nireq +\d+", out)
    assert "one inference ran in" in out
    assert applied.err == "warning: the config was not confirmed against OpenVINO's own best answer\n"
    told = ovtune("apply", str(best), "demo:mlp", "--json").end()
    assert told[0] == 0
    assert json.loads(told[1])["config"]["nireq"] == read(best).config.nireq
    other = ovtune("apply", str(best), "demo:encoder")
    assert other.end()[0] == 0
    assert "warning: model demo:encoder is not the one that was measured (demo:mlp)" in other.err
    strict = ovtune("apply", str(best), "demo:encoder", "--strict")
    assert strict.end() == (1, "")
    assert strict.err.count("\n") == 1
    assert ovtune("report", "mlp").end() == (0, "studies/mlp/report.html\n")
    one_at_a_time(study_in(tmp_path))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"\x08\x07\x12\x04ovtu"), "cannot be read"),
        (lambda path: path.write_text("not a model"), "cannot be read"),
        (lambda path: path.mkdir(), "empty directory"),
        (lambda path: (path.mkdir(), (path / "x").write_text("y")), "cannot be read"),
    ],
    ids=["missing", "empty", "truncated", "text", "empty directory", "directory"],
)
def test_bad_models(ovtune: Callable[..., Command], tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    """What is no model is refused with status 1 by one line that names it, and makes no study."""
    path = tmp_path / "net.onnx"
    make(path)
    search = ovtune("search", "net.onnx")
    assert search.end() == (1, "")
    assert search.err.count("\n") == 1
    assert said in search.err
    assert "net.onnx" in search.err
    assert not (tmp_path / "studies" / "net").exists()


def test_file_name_that_is_no_text(ovtune: Callable[..., Command], tmp_path: Path) -> None:
    """A model whose name is no UTF-8 gives one clear line, and no traceback."""
    name = os.fsdecode(b"caf\xe9.onnx")
    (tmp_path / name).write_text("not a model")
    search = ovtune("search", name)
    assert search.end() == (2, "")
    assert search.err == "ovtune: argument 'caf\\udce9.onnx' is no UTF-8: rename the file\n"

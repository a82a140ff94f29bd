import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ovtune import child
from ovtune.child import Answer, Death, Refusal

PATIENCE_S = 30.0
"""How long a test waits at most for what takes a fraction of it."""


@pytest.fixture(autouse=True)
def _findable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children find the tests' own table of tasks, wherever they are started."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent), prepend=os.pathsep)


def call(task: str, request: str = "", *, timeout_s: float = PATIENCE_S, keep_open: tuple[int, ...] = ()) -> object:
    """A task of the tests' own table, in a child."""
    return child.call(task, request, timeout_s=timeout_s, keep_open=keep_open, module="tests.child_tasks")


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds, or fails."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its status yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_answers() -> None:
    """What a task returns comes back as it is."""
    assert call("echo", '{"a": "ä\\n"}') == Answer(value='{"a": "ä\\n"}')


def test_large_requests_and_answers() -> None:
    """Requests and answers may be larger than a pipe's buffer."""
    request = "y" * 1_000_000
    assert call("echo", request) == Answer(value=request)
    assert call("big", "1000000") == Answer(value="x" * 1_000_000)


def test_printing_does_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    """What a task or a plugin prints neither mixes with the answer nor reaches the user, however much it is."""
    assert call("noisy", "7") == Answer(value="7")
    assert capfd.readouterr() == ("", "")


def test_segmentation_fault() -> None:
    """A crash is a death that names the signal."""
    assert call("segfault") == Death(reason="the process was ended by SIGSEGV")


def test_abort() -> None:
    """An abort is a death that names the signal and the last thing that was said."""
    assert call("abort") == Death(reason="the process was ended by SIGABRT: what(): out of memory")


def test_no_answer() -> None:
    """A child that ends without an answer is a death with its status."""
    assert call("leave") == Death(reason="the process ended with status 7")


def test_not_started() -> None:
    """A child that cannot start is a death with its last words."""
    answer = child.call("echo", "", timeout_s=PATIENCE_S, module="tests.no_such_module")
    assert isinstance(answer, Death)
    assert answer.reason.startswith("the process ended with status 1: ")
    assert answer.reason.endswith("No module named tests.no_such_module")


def test_refusal() -> None:
    """An error on purpose comes back with its type's name and its message."""
    expected = Refusal(kind="ModelError", message="model m.xml cannot be read: give another")
    assert call("refuse", "m.xml") == expected


def test_fault() -> None:
    """Any other exception is a death that says it on one short line."""
    answer = call("fault")
    assert isinstance(answer, Death)
    assert answer.reason.startswith("KeyError: 'one")
    assert "\n" not in answer.reason
    assert len(answer.reason) <= 300


def test_timeout_kills_the_group(tmp_path: Path) -> None:
    """A child that hangs is killed when its time is over, and so is what it started."""
    for timeout_s in (1, 4, 16):
        told = tmp_path / f"pids-{timeout_s}"
        expected = f"no answer within {timeout_s} s: the process was killed"
        assert call("hang", str(told), timeout_s=timeout_s) == Death(reason=expected)
        if told.exists():
            break
    processes = json.loads(told.read_text())
    assert len(processes) == 2
    until(lambda: all(gone(pid) for pid in processes))


def test_deaf_child() -> None:
    """A child that hangs before it reads a request larger than the pipe's buffer is killed all the same."""
    began = time.monotonic()
    assert isinstance(call("deaf", "y" * 1_000_000, timeout_s=1.0), Death)
    assert time.monotonic() - began < PATIENCE_S


def test_survivor_does_not_hold_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash is noticed at once, even where what the child had started lives on with its pipes; that dies too."""
    monkeypatch.setattr(child, "_PATIENCE_S", 60.0)
    began = time.monotonic()
    assert call("leave_behind", timeout_s=60.0) == Death(reason="the process ended with status 7")
    assert time.monotonic() - began < PATIENCE_S


def test_interrupt_kills(tmp_path: Path) -> None:
    """A caller that is interrupted takes the child with it."""
    told = tmp_path / "pids"
    caller = subprocess.Popen([sys.executable, "-c", CALLER, "hang_alone", str(told)], stderr=subprocess.DEVNULL)
    try:
        until(told.exists)
        caller.send_signal(signal.SIGINT)
        assert caller.wait(PATIENCE_S) != 0
        until(lambda: all(gone(pid) for pid in json.loads(told.read_text())))
    finally:
        caller.kill()
        caller.wait()


# A test run in the background of a shell script ignores Ctrl-C, and what it starts would inherit that.
CALLER = """
import signal, sys
from ovtune import child
signal.signal(signal.SIGINT, signal.default_int_handler)
child.call(sys.argv[1], sys.argv[2], timeout_s=50, module="tests.child_tasks")
"""


def test_dies_with_its_parent(tmp_path: Path) -> None:
    """A child dies when its parent is killed, even while it hangs with the interpreter locked."""
    told = tmp_path / "pids"
    parent = subprocess.Popen([sys.executable, "-c", CALLER, "hang_alone", str(told)])
    try:
        until(told.exists)
    finally:
        parent.kill()
        parent.wait()
    until(lambda: all(gone(pid) for pid in json.loads(told.read_text())))


def test_inherits_descriptors(tmp_path: Path) -> None:
    """A descriptor that is to stay open does so in the child, so that a lock on it outlives the parent."""
    file = tmp_path / "lock"
    with file.open("wb") as stream:
        assert call("write_to", str(stream.fileno()), keep_open=(stream.fileno(),)) == Answer(value="")
    assert file.read_bytes() == b"from the child"


def test_no_other_descriptors(tmp_path: Path) -> None:
    """A descriptor that is not named is closed in the child."""
    with (tmp_path / "lock").open("wb") as stream:
        os.set_inheritable(stream.fileno(), True)
        answer = call("write_to", str(stream.fileno()))
    assert isinstance(answer, Death)
    assert "Bad file descriptor" in answer.reason


def test_a_group_of_its_own() -> None:
    """A child leads a process group, which Ctrl-C does not reach, and leaves no memory image when it crashes."""
    assert call("limits") == Answer(value='{"core": 0, "leader": true}')


def test_leaves_nothing_open(tmp_path: Path) -> None:
    """Calls leave no descriptor, process or thread behind."""
    call("echo")
    gc.collect()
    before, threads = psutil.Process().num_fds(), psutil.Process().num_threads()
    children = set(psutil.Process().children())
    call("echo")
    call("segfault")
    call("hang_alone", str(tmp_path / "pids"), timeout_s=0.3)
    assert psutil.Process().num_fds() <= before
    until(lambda: psutil.Process().num_threads() <= threads)
    assert set(psutil.Process().children()) <= children

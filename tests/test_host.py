import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ovtune import host
from ovtune.errors import HostBusyError
from ovtune.host import exclusive

HOLD = """
import sys, time
from ovtune.host import exclusive
with exclusive(wait="--wait" in sys.argv):
    print("held", flush=True)
    sys.stdin.read()
"""
HOLD_WITH_CHILD = """
import subprocess, sys
from ovtune.host import exclusive
with exclusive(wait=False) as lock:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=(lock,))
    print(child.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of this test's own, here and in child processes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


class Holder:
    """Another process that runs ``code`` and tells a line once it holds the lock."""

    def __init__(self, code: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.told = self.process.stdout.readline() if self.process.stdout is not None else ""

    def end(self, *, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def holders() -> Iterator[Callable[..., Holder]]:
    made: list[Holder] = []

    def make(code: str, *arguments: str) -> Holder:
        made.append(Holder(code, *arguments))
        return made[-1]

    yield make
    for one in made:
        one.end(kill=True)


def test_lock_is_free_again_after_use(folder: Path) -> None:
    """One after the other may hold it, whether the one before ended well or with an error."""
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), exclusive(wait=False):
            int((folder / "ovtune.lock").read_text()) // (os.getpid() - os.getpid())


def test_second_one_is_refused_and_told_who_holds_it(
    holders: Callable[..., Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a running one a new one is refused without waiting, with its process, and what to do."""
    other = holders(HOLD)

    def sleep(_: float) -> None:
        raise AssertionError("it waited")

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(HostBusyError) as caught, exclusive(wait=False):
        pass
    said = str(caught.value)
    assert f"process {other.process.pid}" in said
    assert "--wait" in said
    assert "\n" not in said
    other.end()
    with exclusive(wait=False):
        pass


def test_second_one_in_the_same_process_is_refused() -> None:
    """Two searches in two threads of one program exclude each other, too."""
    with exclusive(wait=False), pytest.raises(HostBusyError), exclusive(wait=False):
        pass


def test_waiting_ends_when_the_other_one_ends(holders: Callable[..., Holder]) -> None:
    """With wait it is not refused, and begins once the other one has ended."""
    held = threading.Event()
    with exclusive(wait=False):

        def hold() -> None:
            holders(HOLD, "--wait")
            held.set()

        waiting = threading.Thread(target=hold)
        waiting.start()
        assert not held.wait(0.7)
    assert held.wait(30)
    waiting.join()


def test_waiting_can_be_given_up() -> None:
    """Ctrl-C while waiting ends the wait."""
    with exclusive(wait=False), pytest.raises(HostBusyError), exclusive(wait=True, stopping=lambda: True):
        pass


def test_dead_holder_is_no_holder(holders: Callable[..., Holder], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a SIGKILL of a holder without children the lock is free at once, whatever its file says."""
    other = holders(HOLD)
    other.end(kill=True)
    monkeypatch.setattr(host, "_GRACE_S", -1.0)
    with exclusive(wait=False):
        pass


def test_orphan_keeps_the_lock(holders: Callable[..., Holder], monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that inherited the lock keeps it after its parent's SIGKILL, and it is free once the child has ended."""
    monkeypatch.setattr(host, "_GRACE_S", 0.3)
    other = holders(HOLD_WITH_CHILD)
    child = int(other.told)
    try:
        os.kill(other.process.pid, signal.SIGKILL)
        other.process.wait()
        with pytest.raises(HostBusyError, match="a process that it left behind"), exclusive(wait=False):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
    monkeypatch.setattr(host, "_GRACE_S", 30.0)
    with exclusive(wait=False):
        pass


def test_orphan_that_ends_soon_is_waited_for(holders: Callable[..., Holder], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command typed right after a kill does not fail because a child takes a moment to follow its parent."""
    monkeypatch.setattr(host, "_GRACE_S", 30.0)
    other = holders(HOLD_WITH_CHILD)
    os.kill(other.process.pid, signal.SIGKILL)
    other.process.wait()
    threading.Timer(0.4, os.kill, (int(other.told), signal.SIGKILL)).start()
    with exclusive(wait=False):
        pass


def test_symbolic_link_is_not_followed(folder: Path) -> None:
    """A link that somebody put in the lock's place is not written through."""
    target = folder / "precious"
    target.write_text("keep me")
    (folder / "ovtune.lock").symlink_to(target)
    with pytest.raises(HostBusyError, match="cannot be opened"), exclusive(wait=False):
        pass
    assert target.read_text() == "keep me"


def test_missing_folder_is_one_clear_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that is not there is an error with the path and what to do."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nosuch"))
    with pytest.raises(HostBusyError, match=r"nosuch/ovtune.lock cannot be opened: .* TMPDIR"), exclusive(wait=False):
        pass


def test_lock_of_another_user_still_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock file that may only be read, as another user's may, excludes and is released all the same."""
    path = folder / "ovtune.lock"
    path.write_text("")
    real = os.open

    def only_reading(name: str, flags: int, *rest: int) -> int:
        if str(name) == str(path) and flags & (os.O_RDWR | os.O_WRONLY):
            raise PermissionError(13, "Permission denied")
        return real(name, flags, *rest)

    monkeypatch.setattr(os, "open", only_reading)
    with exclusive(wait=False):
        other = real(path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
    with exclusive(wait=False):
        pass


def test_lock_is_open_to_all_users(folder: Path) -> None:
    """The lock is one for the host: whoever makes it, all others may take it."""
    before = os.umask(0o077)
    try:
        with exclusive(wait=False):
            assert (folder / "ovtune.lock").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


def test_nonsense_in_the_file_is_no_holder(folder: Path) -> None:
    """Whatever stands in the lock's file, it decides nothing."""
    for text in ("", "x" * 100, "-1", "99999999999", str(os.getpid()), "\0\0"):
        (folder / "ovtune.lock").write_text(text)
        with exclusive(wait=False):
            pass

import os
import sys
import time
from pathlib import Path

import pytest

from ovtune.beside import check, running
from ovtune.errors import UsageError

FOREVER = f"{sys.executable} -c 'import time; time.sleep(600)'"


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_runs_meanwhile() -> None:
    """The command runs while it is needed and has ended afterwards, also where an error ends the need."""
    seen = []

    def needed() -> None:
        with running(FOREVER) as beside:
            assert beside is not None
            assert beside.obituary is None
            assert os.getpgid(beside.process.pid) == beside.process.pid != os.getpgid(0)
            seen.append(beside.process.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        needed()
    assert _gone(seen[0])


def test_what_it_started_is_ended_too(tmp_path: Path) -> None:
    """So is all that the command started itself."""
    told = tmp_path / "pid"
    inner = "import subprocess,sys,pathlib,time; "
    inner += "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    inner += f"pathlib.Path('{told}.part').write_text(str(p.pid)); pathlib.Path('{told}.part').rename('{told}'); "
    inner += "time.sleep(600)"
    with running(f'{sys.executable} -c "{inner}"'):
        while not told.exists():
            time.sleep(0.01)
    pid = int(told.read_text())
    while not _gone(pid) and "zombie" not in Path(f"/proc/{pid}/status").read_text():
        time.sleep(0.01)


def test_its_end_is_told() -> None:
    """A command that ended by itself is told with its status."""
    with running(f"{sys.executable} -c 'raise SystemExit(7)'") as beside:
        assert beside is not None
        beside.process.wait()
        assert beside.obituary is not None
        assert "ended with status 7 before the measurement did" in beside.obituary


def test_none() -> None:
    """Without a command nothing runs."""
    with running(None) as beside:
        assert beside is None


def test_no_shell(tmp_path: Path) -> None:
    """The command's words are its program's own: no shell expands or redirects."""
    target = tmp_path / "made"
    with running(f"echo $HOME > {target}") as beside:
        assert beside is not None
        assert beside.process.wait() == 0
    assert not target.exists()


@pytest.mark.parametrize("command", ["", "   ", "echo 'open", "no-such-program-anywhere --x", "/no/such/file"])
def test_what_cannot_run_is_refused(command: str) -> None:
    """No words, an open quote and a program that is not there are refused in one line."""
    with pytest.raises(UsageError, match="background command") as refused:
        check(command)
    assert "\n" not in str(refused.value)
    assert check(FOREVER) == FOREVER


def test_what_cannot_be_started_is_refused(tmp_path: Path) -> None:
    """A program that has gone meanwhile is told."""
    with pytest.raises(UsageError, match="cannot be started"), running(str(tmp_path / "gone")):
        pass

import os
import subprocess
import sys

import pytest

from ovtune.errors import UsageError
from ovtune.host import kept_on, read_cpus


@pytest.mark.parametrize(
    ("text", "shown"),
    [("0-3,8", "0-3,8"), ("8, 3,2,1,0", "0-3,8"), ("5", "5"), ("0-1,1-3", "0-3"), ("4-4", "4"), ("1,3,5", "1,3,5")],
)
def test_read_cpus(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    """Lists and ranges of CPUs are read, and written in one way."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    assert read_cpus(text) == shown


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "0-", "0,,1", "0;1", "0x1", "99999999"])
def test_cpus_that_cannot_be_read_are_refused(text: str) -> None:
    """Anything else is refused with how to write it."""
    with pytest.raises(UsageError, match="cannot be read: write them as in 0-3"):
        read_cpus(text)


def test_cpus_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that this process may not run on is refused with those that it may."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 6})
    with pytest.raises(UsageError, match=r"name 3-4, where this process may not run: choose from 0-2,6"):
        read_cpus("0-4")


def test_kept_on() -> None:
    """What is started meanwhile runs on the named CPUs from its beginning; afterwards all is as before."""
    before = os.sched_getaffinity(0)
    one = str(max(before))
    with kept_on(one):
        told = subprocess.check_output([sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"], text=True)
    assert told.strip() == f"{{{one}}}"
    assert os.sched_getaffinity(0) == before
    with kept_on(None):
        assert os.sched_getaffinity(0) == before

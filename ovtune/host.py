"""One measurement at a time: an exclusive lock per host, inherited by the children that measure."""

import contextlib
import fcntl
import itertools
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil

from ovtune.errors import HostBusyError, UsageError

_GRACE_S = 5.0
_POLL_S = 0.1
_CPUS = re.compile(r"\s*([0-9]{1,5})(?:-([0-9]{1,5}))?\s*")


@contextlib.contextmanager
def exclusive(*, wait: bool, stopping: Callable[[], bool] = lambda: False) -> Iterator[int]:
    """Holds this host for measuring; gives the lock's file descriptor, for children to inherit.

    The lock is free again when its last holder has ended, however it ended: a child that outlives a killed search
    keeps it. Where the one that took it is dead, its children are given a few seconds to follow.

    Args:
        wait: Wait for as long as another ovtune measures, instead of refusing.
        stopping: Whether the user asked to stop waiting.

    Raises:
        HostBusyError: another one is measuring.
    """
    path = Path(tempfile.gettempdir()) / "ovtune.lock"
    descriptor = _open(path)
    try:
        refuse_at = time.monotonic() + _GRACE_S
        while not _taken(descriptor):
            holder = _holder(descriptor)
            if stopping() or (not wait and (holder is not None or time.monotonic() > refuse_at)):
                raise HostBusyError(
                    f"another ovtune ({_describe(holder)}) is measuring on this host: end it, or wait with --wait"
                )
            time.sleep(_POLL_S)
        with contextlib.suppress(OSError):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def read_cpus(text: str) -> str:
    """The CPUs that ``text`` names, such as ``0-3,8``, in order and written in the shortest way.

    Raises:
        UsageError: it cannot be read, or names a CPU that this process may not run on.
    """
    named = _cpus(text)
    allowed = os.sched_getaffinity(0)
    if named - allowed:
        raise UsageError(
            f"CPUs {text!r} name {_shown(named - allowed)}, where this process may not run: "
            f"choose from {_shown(allowed)}"
        )
    return _shown(named)


@contextlib.contextmanager
def kept_on(cpus: str | None) -> Iterator[None]:
    """Keeps this thread on ``cpus``, and with it each process that it starts, from that one's very beginning.

    Raises:
        UsageError: as :func:`read_cpus`.
    """
    if cpus is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _cpus(read_cpus(cpus)))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _cpus(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _CPUS.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise UsageError(f"CPUs {text!r} cannot be read: write them as in 0-3 or 0-3,8")
        found.update(range(first, last + 1))
    return found


def _shown(cpus: Iterable[int]) -> str:
    runs = [
        [n for _, n in run] for _, run in itertools.groupby(enumerate(sorted(cpus)), lambda pair: pair[1] - pair[0])
    ]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _open(path: Path) -> int:
    """The lock's file, shared by all users: opened where it is, made where it is not."""
    for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, 0o666)
            return descriptor
    raise HostBusyError(f"the lock {path} cannot be opened: check its permissions, or set TMPDIR")


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> psutil.Process | None:
    """The process that took the lock, where it is still alive."""
    with contextlib.suppress(ValueError, OSError, psutil.Error):
        process = psutil.Process(int(os.pread(descriptor, 20, 0)))
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _describe(holder: psutil.Process | None) -> str:
    if holder is None:
        return "a process that it left behind"
    with contextlib.suppress(psutil.Error):
        started = time.strftime("%H:%M:%S", time.localtime(holder.create_time()))
        command = " ".join(" ".join(holder.cmdline()).split())
        return f"process {holder.pid}, since {started}: {command[:80]}"
    return f"process {holder.pid}"

"""A background command that runs beside a measurement, so that a config is tuned for the machine as it will be."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ovtune.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A background command that was started.

    Attributes:
        command: The command.
        process: Its process, which leads a group of its own.
    """

    command: str
    process: subprocess.Popen[bytes]

    @property
    def obituary(self) -> str | None:
        """What to say where the command has ended already; None where it still runs."""
        status = self.process.poll()
        if status is None:
            return None
        return (
            f"the background command {self.command!r} ended with status {status} before the measurement did: "
            "give one that goes on until it is ended"
        )


def check(command: str) -> str:
    """``command``, where it can be started.

    Raises:
        UsageError: it is empty, has a quote that is not closed, or names no program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"background command {command!r} cannot be read ({error}): check its quotes") from error
    if not words or shutil.which(words[0]) is None:
        raise UsageError(f"background command {command!r} names no program that can be run: check its path")
    return command


@contextlib.contextmanager
def running(command: str | None, *, keep_open: Sequence[int] = ()) -> Iterator[Beside | None]:
    """Runs ``command`` meanwhile, without a shell; ends it afterwards with all that it started.

    Args:
        command: The command; None for none.
        keep_open: File descriptors that it inherits, such as the host's lock: one that outlives a killed search is
            then known to be in the way.

    Raises:
        UsageError: it cannot be started.
    """
    if command is None:
        yield None
        return
    null = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            shlex.split(command), stdin=null, stdout=null, stderr=null, start_new_session=True, pass_fds=keep_open
        )
    except OSError as error:
        raise UsageError(f"background command {command!r} cannot be started ({error.strerror}): check it") from error
    try:
        yield Beside(command=command, process=process)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

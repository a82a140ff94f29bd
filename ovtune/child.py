"""Calls a task in a fresh process that cannot outlive its parent, hang it, or take it down.

The request goes in as one line of JSON on standard input, which then stays open: when it closes, the parent has died
and so does the child. The answer comes back on a pipe of its own, since plugins print to standard output. A child
leaves by ``os._exit``: taking some compiled models apart can hang.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 4096
_LINE_LENGTH = 300
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a task returned, as JSON text."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error that the task raised on purpose: its type's name and its message."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A child that gave no answer, and why."""

    reason: str


def call(
    task: str, request: str, *, timeout_s: float, keep_open: Sequence[int] = (), module: str = "ovtune.child_entry"
) -> Answer | Refusal | Death:
    """Runs ``task`` (a key of the child's table) on ``request`` in a fresh process.

    Args:
        task: What to run.
        request: JSON text on one line.
        timeout_s: When the child and all that it started are killed.
        keep_open: File descriptors that the child inherits, such as the host's lock.
        module: What the child runs: a module that calls :func:`serve` with a task of its table.
    """
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as answer:
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", module, task, str(writer)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=(writer, *keep_open),
            )
        finally:
            os.close(writer)
        try:
            return _converse(child, answer, request.encode() + b"\n", timeout_s)
        finally:
            _reap(child)


def _converse(
    child: subprocess.Popen[bytes], answer: IO[bytes], request: bytes, timeout_s: float
) -> Answer | Refusal | Death:
    """Gives the request and waits for the answer; a child that hangs can hold up neither."""
    if child.stdin is None or child.stderr is None:
        raise RuntimeError("the child was started without pipes")
    received, errors = _Collector(answer), _Collector(child.stderr, last=_TAIL_BYTES)
    threading.Thread(target=_send, args=(child.stdin, request), daemon=True).start()
    if not received.join(timeout_s):
        return Death(reason=f"no answer within {timeout_s:.3g} s: the process was killed")
    try:
        child.wait(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return Death(reason="the process closed its answer and did not end: it was killed")
    _kill_group(child)
    errors.join(_PATIENCE_S)
    return _read(received.data, child.returncode, errors.data)


def serve(task: Callable[[str], str], writer: int, translated: type[Exception]) -> None:
    """The child's side of :func:`call`: reads the request, runs ``task``, answers, and leaves without a clean-up."""
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.set_inheritable(writer, False)  # noqa: FBT003  (what a task starts must not keep its caller waiting)
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_leave_at_end_of_input, daemon=True).start()
    try:
        message: dict[str, object] = {"answer": task(line.decode())}
    except translated as error:
        message = {"refusal": [type(error).__name__, str(error)]}
    except Exception as error:  # noqa: BLE001  (the one place that must answer whatever happens)
        message = {"fault": textwrap.shorten(f"{type(error).__name__}: {error}", _LINE_LENGTH, placeholder=" …")}
    data = json.dumps(message).encode()
    while data:
        data = data[os.write(writer, data) :]
    os._exit(0)


class _Collector:
    """Reads a pipe to its end in a thread of its own, so that its writer never waits.

    Keeps all of it, or its ``last`` bytes.
    """

    def __init__(self, pipe: IO[bytes], *, last: int | None = None) -> None:
        self.data = b""
        self._pipe = pipe
        self._last = last
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while part := self._pipe.read(1 << 16):
                self.data += part
                if self._last is not None:
                    self.data = self.data[-self._last :]

    def join(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


def _read(data: bytes, returncode: int, errors: bytes) -> Answer | Refusal | Death:
    try:
        message = json.loads(data)
    except ValueError:
        return Death(reason=_obituary(returncode, errors))
    if "answer" in message:
        return Answer(value=message["answer"])
    if "fault" in message:
        return Death(reason=message["fault"])
    kind, text = message["refusal"]
    return Refusal(kind=kind, message=text)


def _obituary(returncode: int, errors: bytes) -> str:
    """How a child ended, and the last thing that it said."""
    how = f"the process ended with status {returncode}"
    if returncode < 0:
        known = -returncode in {number.value for number in signal.Signals}
        how = f"the process was ended by {signal.Signals(-returncode).name if known else f'signal {-returncode}'}"
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    return f"{how}: {textwrap.shorten(lines[-1], _LINE_LENGTH, placeholder=' …')}" if lines else how


def _send(pipe: IO[bytes], data: bytes) -> None:
    """Writes all of ``data``, in a thread of its own: a child that hangs may never read it."""
    with contextlib.suppress(OSError, ValueError):
        while data:
            data = data[pipe.write(data) :]


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and what it started, waits for it, and closes its pipes."""
    _kill_group(child)
    child.wait()
    for stream in (child.stdin, child.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _die_with_parent() -> None:
    """Asks Linux to kill this process with its parent, even while it hangs in a plugin.

    Elsewhere the end of its input does it, unless it hangs.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _leave_at_end_of_input() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)

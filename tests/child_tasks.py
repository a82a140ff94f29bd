"""What the children of test_child run: ``python -m tests.child_tasks TASK DESCRIPTOR``."""

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ovtune import child
from ovtune.errors import ModelError, OvtuneError


def echo(request: str) -> str:
    """Answers what it was asked."""
    return request.strip()


def big(request: str) -> str:
    """Answers with as many letters as asked for."""
    return "x" * int(request)


def noisy(request: str) -> str:
    """Prints as a plugin does, past Python's own buffers too, before it answers."""
    print("to standard output")  # noqa: T201
    os.write(1, b"to its descriptor\n")
    os.write(2, b"E0000 text_format.cc:417] much\n" * 20_000)
    return request.strip()


def segfault(request: str) -> str:
    """Reads from address 0."""
    ctypes.string_at(0)
    return request


def abort(request: str) -> str:
    """Says something, as std::terminate does, and aborts."""
    os.write(2, b"terminate called\n  what():  out of memory\n\n")
    os.abort()


def leave(request: str) -> str:
    """Ends without an answer."""
    os._exit(7)


def refuse(request: str) -> str:
    """Refuses on purpose."""
    raise ModelError(f"model {request.strip()} cannot be read: give another")


def fault(request: str) -> str:
    """Has a bug."""
    raise KeyError("one\ntwo " + 400 * "x")


def hang(request: str) -> str:
    """Hangs in C with the interpreter locked, as plugins do; first tells two processes, a child's too, in that file."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    partial = Path(request.strip() + ".partial")
    partial.write_text(json.dumps([os.getpid(), other.pid]))
    partial.rename(request.strip())
    ctypes.PyDLL(None).sleep(60)
    return request


def hang_alone(request: str) -> str:
    """Hangs in C with the interpreter locked; tells its process first, in the named file."""
    partial = Path(request.strip() + ".partial")
    partial.write_text(json.dumps([os.getpid()]))
    partial.rename(request.strip())
    ctypes.PyDLL(None).sleep(60)
    return request


def leave_behind(request: str) -> str:
    """Crashes and leaves a process behind that inherits what it can."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    os._exit(7)


def write_to(request: str) -> str:
    """Writes to the descriptor of that number."""
    os.write(int(request), b"from the child")
    return ""


def limits(request: str) -> str:
    """The size of the memory image that a crash of it would leave, and whose process group it is."""
    return json.dumps({"core": resource.getrlimit(resource.RLIMIT_CORE)[0], "leader": os.getpgid(0) == os.getpid()})


def deaf(request: str) -> str:
    """Never gets here: its process sleeps before it reads its request."""
    return request


TASKS: Mapping[str, Callable[[str], str]] = {
    task.__name__: task
    for task in (
        echo, big, noisy, segfault, abort, leave, refuse, fault, hang, hang_alone, leave_behind, write_to, limits, deaf,
    )
}  # fmt: skip

if __name__ == "__main__":
    if sys.argv[1] == "deaf":
        time.sleep(60)
    child.serve(TASKS[sys.argv[1]], int(sys.argv[2]), OvtuneError)

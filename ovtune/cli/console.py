"""What the commands share: where their words go, how they are interrupted, and how they leave."""

import contextlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ovtune.ledger import Event
    from ovtune.place import Place

INTERRUPTED = 130
NARROW = 80
_WIDE = 500
_state = {"debug": False}


class _Flag:
    """Whether the user asked to stop."""

    def __init__(self) -> None:
        self.is_set = False
        self.missed = False


@contextlib.contextmanager
def interrupts() -> Iterator[_Flag]:
    """The first Ctrl-C sets the flag, the second stops at once.

    It may come where a library cleans up. What that would tell of it, at length, is left out; and where nothing can be
    raised, it is when all else is over.
    """
    flag = _Flag()
    usual = sys.unraisablehook

    def stop(_signal: int, _frame: Any) -> None:
        if flag.is_set:
            logging.disable()
            raise KeyboardInterrupt
        flag.is_set = True
        with contextlib.suppress(RuntimeError):  # it came while a line was being written
            say("stopping after this measurement; press Ctrl-C again to stop at once")

    def miss(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            flag.missed = True
        else:
            usual(unraisable)

    before = signal.signal(signal.SIGINT, stop)
    sys.unraisablehook = miss
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = usual
        logging.disable(logging.NOTSET)
    if flag.missed:
        raise KeyboardInterrupt


@contextlib.contextmanager
def progress(request: Any, *, quiet: bool) -> Iterator[Any]:
    """A live view on a terminal, a line per visit elsewhere, nothing when quiet."""
    from rich.live import Live

    from ovtune.live import Progress

    progress = Progress(request.goal, request.budget)
    console = Console(stderr=True)

    def tell(event: "Event") -> None:
        line = progress.update(event)
        if line is not None and not quiet and not console.is_terminal:
            print(line, file=sys.stderr, flush=True)

    if quiet or not console.is_terminal:
        yield tell
        return
    with Live(progress, console=console, refresh_per_second=2, transient=True):
        yield tell


def place_of(studies: Path, storage: str | None) -> "Place":
    """Where the studies are."""
    from ovtune.place import Place

    return Place(folder=studies, url=storage)


def show(result: "RenderableType", *, width: int = _WIDE) -> None:
    """Prints a result, as wide as the terminal, or else by default so wide that no path is broken.

    Cells are filled up to the width of their column; where no terminal is, nothing stands at the end of a line.
    """
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else width)
    if console.is_terminal:
        console.print(result)
        return
    with console.capture() as shown:
        console.print(result)
    for line in shown.get().splitlines():
        print(line.rstrip())


def leave(message: str, status: int) -> NoReturn:
    """Says why the command ends, and ends it."""
    if _state["debug"]:
        traceback.print_exc()
    say(f"ovtune: {message}")
    sys.exit(status)


def say(text: str) -> None:
    """Prints one line on standard error, whatever stands in ``text``."""
    print(_clean(text), file=sys.stderr, flush=True)


def put(text: str) -> None:
    """Prints one line of a result on standard output, whatever stands in ``text``."""
    print(_clean(text))


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def show_tracebacks(debug: bool) -> None:  # noqa: FBT001 - the option's value
    """Whether errors come with where they were raised."""
    _state["debug"] = debug

"""OpenVINO, imported without its telemetry, and its errors as ours.

On import OpenVINO forks a process that sends an event over the network. Beside a measurement that is noise, and a
fork keeps open what its parent has opened. OpenVINO takes a stub where the telemetry package is missing: so it is
hidden during the import, and in its place again afterwards.
"""

import contextlib
import re
import sys
import textwrap
from collections.abc import Iterator

from ovtune.errors import OvtuneError

_TELEMETRY = "openvino_telemetry"

_known = sys.modules.get(_TELEMETRY)
sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
try:
    import openvino as ov
    from openvino import opset13 as op
finally:
    if _known is None:
        del sys.modules[_TELEMETRY]
    else:
        sys.modules[_TELEMETRY] = _known

__all__ = ["op", "ov", "reason", "translated"]
_PLACES = re.compile(
    r"(Error: )?Exception from \S+:\d+:|Check '[^\n]*' failed at \S+:\d+:|FrontEnd API failed with [^\n]*"
)
_REASON_LENGTH = 300


@contextlib.contextmanager
def translated(kind: type[OvtuneError], what: str, todo: str = "check its name and path") -> Iterator[None]:
    """Turns what the runtime raises into ``kind``: what failed, the runtime's own reason, what to do."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, OSError) as error:
        raise kind(f"{what} ({reason(error)}): {todo}") from error


def reason(error: BaseException) -> str:
    """The sentence of a runtime's error that tells something, on one line, without the places in its sources."""
    text = " ".join(_PLACES.sub(" ", str(error)).split())
    return textwrap.shorten(text, _REASON_LENGTH, placeholder=" …") or type(error).__name__

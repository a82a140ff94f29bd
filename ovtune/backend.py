"""OpenVINO, imported without its telemetry.

On import OpenVINO forks a process that sends an event over the network. Beside a measurement that is noise, and a
fork keeps open what its parent has opened. OpenVINO takes a stub where the telemetry package is missing: so it is
hidden during the import, and in its place again afterwards.
"""

import sys

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

__all__ = ["op", "ov"]

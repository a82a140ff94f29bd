import subprocess
import sys


def test_no_telemetry() -> None:
    """Importing OpenVINO through ovtune loads no telemetry, starts no process, and hides no package afterwards."""
    code = """
import sys
from multiprocessing import active_children
from ovtune.backend import ov
assert "openvino_telemetry" not in sys.modules, "the telemetry was loaded"
assert ov.Core().available_devices
assert not active_children()
import openvino_telemetry
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr

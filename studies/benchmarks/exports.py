"""A deployed config against the same config as other tools run it, interleaved.

    python studies/benchmarks/exports.py [--rounds 24] [--seconds 3]

demo:mobilenet in a tuned config (streams, requests, batch, FP16 weights), deployed four ways: through `ovtune.apply`,
by OpenVINO's benchmark_app with the exported file and command line, as the exported Python program, and as the exported
C++ program, compiled against the headers of OpenVINO's Python package. Each round runs all four in fresh processes, in
an order that changes; a ratio is that of one way to `ovtune.apply` in the same round, and a way is equivalent where the
90 % signed-rank interval over the rounds (two one-sided tests at 5 %) lies within 3 %. Ends with 1 where one is not.

Needs the `test` extra and a C++ compiler. Seven minutes with the default; nothing else should run meanwhile.
"""

import argparse
import json
import math
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import openvino as ov

from ovtune import exporting, stats
from ovtune.config import Config
from ovtune.document import Document, text_of
from ovtune.environment import describe_host
from ovtune.model import digest
from ovtune.tool import Tool

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests import promised

MODEL = "demo:mobilenet"
CONFIG = Config(
    device="CPU",
    properties={"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 2},
    nireq=4,
    batch_size=2,
    precision="FP16",
)
EQUIVALENT, ALPHA = 0.03, 0.10
BIN, OPENVINO = Path(sys.executable).parent, Path(ov.__file__).parent
_APPLIED = """
import sys, time
import numpy as np, ovtune
with ovtune.apply("best.json") as deployment:
    queue, inputs = deployment.queue, deployment.compiled_model.inputs
    data = {i: np.zeros(tuple(p.shape), p.element_type.to_dtype()) for i, p in enumerate(inputs)}
    for request in queue:
        request.infer(data)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < float(sys.argv[1]):
        queue.start_async()
        count += 1
    queue.wait_all()
    print(count * inputs[0].shape[0] / (time.perf_counter() - began))
"""
"""The loop of the exported Python program, on a deployment."""


def main() -> int:
    """Measures, prints, and returns how many ways are not equivalent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=int, default=3, help="measured by each in each round")
    asked = parser.parse_args()
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs, OpenVINO {ov.get_version()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as text:
        ways = prepared(Path(text), asked.seconds)
        told: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(asked.rounds):
            order = list(ways)[:: 1 if number % 2 else -1]
            for name in order[number // 2 % len(order) :] + order[: number // 2 % len(order)]:
                told[name].append(ways[name]())
    return judged(told)


def prepared(folder: Path, seconds: int) -> dict[str, Callable[[], float]]:
    """What runs each way once and tells its throughput."""
    document = promised.document(CONFIG, model={"name": "mobilenet", "path": MODEL, "sha256": digest(MODEL)})
    commands = {tool: exported(document, tool, folder) for tool in ("benchmark_app", "python", "cpp")}
    (folder / "best.json").write_text(text_of(document), encoding="utf-8")
    app, python, cpp = (folder / tool for tool in commands)
    command = commands["benchmark_app"]
    command[command.index("-t") + 1] = str(seconds)
    library = next((OPENVINO / "libs").glob("libopenvino.so.*"))
    paths = [f"-I{OPENVINO / 'include'}", f"-L{library.parent}", f"-Wl,-rpath,{library.parent}", f"-l:{library.name}"]
    compiler = commands["cpp"][: commands["cpp"].index("-lopenvino")]
    subprocess.run([*compiler, *paths, "-lpthread"], cwd=cpp, check=True)
    return {
        "ovtune.apply": lambda: float(said(sys.executable, "-c", _APPLIED, str(seconds), cwd=folder)),
        "benchmark_app": lambda: found(
            r"Throughput: +([\d.]+) FPS", said(str(BIN / command[0]), *command[1:], cwd=app)
        ),
        "Python": lambda: float(
            json.loads(said(sys.executable, "run.py", "model.xml", str(seconds), cwd=python))["throughput_per_s"]
        ),
        "C++": lambda: found(r"throughput_per_s ([\d.e+]+)", said("./run", "model.xml", str(seconds), cwd=cpp)),
    }


def exported(document: Document, tool: Tool, folder: Path) -> list[str]:
    """Writes an export; its command."""
    request = exporting.Request(document=document, path=MODEL, tool=tool, folder=folder / tool)
    return shlex.split(exporting.write(request).command)


def said(*command: str, cwd: Path) -> str:
    """What a command prints."""
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=120).stdout


def found(pattern: str, text: str) -> float:
    """The number in a text."""
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"{pattern} is not in {text[-500:]}")
    return float(match[1])


def judged(told: Mapping[str, list[float]]) -> int:
    """Prints each way's throughput and its ratio to the deployment; how many are not equivalent."""
    own, missed = np.log(told["ovtune.apply"]), 0
    for name, values in told.items():
        logs = np.log(values)
        line = f"{name:14} {math.exp(stats.location(logs)):8.1f}/s"
        if name != "ovtune.apply":
            low, high = (math.exp(end) for end in stats.signed_rank_interval(logs - own, alpha=ALPHA))
            met = low >= 1 - EQUIVALENT and high <= 1 + EQUIVALENT
            missed += not met
            ratio = math.exp(stats.location(logs - own))
            line += f"  {ratio:.3f} times ({low:.3f} to {high:.3f}): {'equivalent' if met else 'NOT SHOWN'} within 3 %"
        print(line)
    return missed


if __name__ == "__main__":
    sys.exit(main())

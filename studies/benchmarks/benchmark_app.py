"""ovtune's readings against those of OpenVINO's own benchmark_app, interleaved.

    python studies/benchmarks/benchmark_app.py [--rounds N] [--seconds N] [--only mobilenet|resnet50|matmul] [--quick]

Both run the same model file with the same hint, infer requests, precision and seconds, each time in a fresh process,
one after the other in an order that changes from round to round; the streams and threads that came of it are read
back from both and compared. A ratio is ovtune / benchmark_app of one round; its interval is that of the signed-rank
test over the rounds. It is looked at after a third, two thirds and all of the rounds, at a level shared out over
the looks, and the rounds end where a look shows what is wanted. benchmark_app itself warms up with a single inference
and counts the time until its last request is done, ovtune warms up for a second: so give it two seconds at least.

mobilenet, resnet50  demo:mobilenet as an IR, and light_resnet50.onnx of the onnx package: equivalent within 3 %, that
                     is, the 90 % interval (two one-sided tests at 5 %) lies in 0.97 to 1.03.
matmul               64 x 64, the THROUGHPUT hint: at least as many requests per second, that is, the lower end of the
                     one-sided 95 % interval of the ratio is above 0.97, and its value not below 1.00.

For the matmul also ovtune's occupancy (Little's law), and what driving costs per request: the CPU time of the thread
that drives it, OpenVINO's binding included; and of both loops alone, on a queue that does nothing, in turns.

Needs the `test` extra (onnx). 7 s per round and model with the default 2 s, so 7 minutes for all three on a quiet host
and up to 21 on a noisy one. Exits with 1 where a target is missed or not reached in the rounds.
With --quick at most 8 rounds of 1 s, by which nothing is judged.
"""

import argparse
import itertools
import math
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import openvino as ov
from openvino import opset13
from openvino.tools.benchmark.benchmark import Benchmark

from ovtune import demo, stats
from ovtune.config import Config
from ovtune.content import Content
from ovtune.driver import ClosedLoopDriver, SystemClock
from ovtune.engine import QueueEngine
from ovtune.environment import describe_host
from ovtune.measurement import Block, Plan
from ovtune.runtime import Runtime
from ovtune.timeline import Recorder
from ovtune.trial_process import TrialProcess
from ovtune.workload import ClosedLoop

EQUIVALENT, AS_MANY = 0.03, 1.00
LEAST_ROUNDS = 8
ALPHA = 0.10
LOOP_REQUESTS, LOOP_TURNS = 50_000, 15
COMPARED = ("PERFORMANCE_HINT", "NUM_STREAMS", "INFERENCE_NUM_THREADS", "INFERENCE_PRECISION_HINT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model file and how it is run."""

    name: str
    path: str
    nireq: int

    @property
    def config(self) -> Config:
        """As ovtune is told it: what benchmark_app makes of its own options."""
        return Config(
            device="CPU",
            properties={
                "PERFORMANCE_HINT": "THROUGHPUT",
                "PERFORMANCE_HINT_NUM_REQUESTS": str(self.nireq),
                "INFERENCE_PRECISION_HINT": "f32",
            },
            nireq=self.nireq,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one run told: requests per second, and the settings that came of it."""

    requests_per_s: float
    settings: dict[str, str]
    occupancy: float = math.nan


def main() -> None:
    """Measures, prints, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="per model, at most")
    parser.add_argument("--seconds", type=int, default=2, help="measured by each in each round")
    parser.add_argument("--only", choices=("mobilenet", "resnet50", "matmul"))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    rounds, seconds = (LEAST_ROUNDS, 1) if asked.quick else (asked.rounds, asked.seconds)
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs, OpenVINO {ov.get_version()}, Python {platform.python_version()}")
    met = True
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)):
            if asked.only in {None, case.name}:
                met &= compared(case, rounds, seconds)
                if case.name == "matmul":
                    costs(case)
    sys.exit(not met and not asked.quick)


def cases(folder: Path) -> Iterator[Case]:
    """The three models as files."""
    for name, model, nireq in (("mobilenet", demo.build("mobilenet"), 2), ("matmul", matmul(), 4)):
        path = folder / f"{name}.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        yield Case(name=name, path=str(path), nireq=nireq)
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_resnet50.onnx"
    yield Case(name="resnet50", path=str(light), nireq=2)


def matmul() -> ov.Model:
    """One product of two 64 x 64 matrices, the second one constant."""
    left = opset13.parameter([64, 64], np.float32, name="left")
    right = opset13.constant(np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32))
    return ov.Model([opset13.result(opset13.matmul(left, right, False, False))], [left], "matmul")  # noqa: FBT003


def compared(case: Case, rounds: int, seconds: int) -> bool:
    """Rounds of one model until its target is reached; prints and tells whether it was."""
    looks = sorted({max(LEAST_ROUNDS, math.ceil(rounds * k / 3)) for k in (1, 2, 3)})
    ours, theirs = [], []
    for number in range(looks[-1]):
        sides = [(ours, own_reading), (theirs, app_reading)]
        for found, read in sides if number % 4 in {0, 3} else reversed(sides):
            found.append(read(case, seconds))
        if number + 1 in looks:
            logs = np.log([a.requests_per_s / b.requests_per_s for a, b in zip(ours, theirs, strict=True)])
            low, high = (math.exp(end) for end in stats.signed_rank_interval(logs, alpha=ALPHA / len(looks)))
            ratio = math.exp(stats.location(logs))
            if reached(case, ratio, low, high):
                break
    met = reached(case, ratio, low, high)
    print(
        f"\n{case.name}, nireq {case.nireq}, THROUGHPUT, {seconds} s: ovtune / benchmark_app "
        f"{ratio:.3f} ({low:.3f} to {high:.3f}) in {len(ours)} rounds: {'as wanted' if met else 'NOT SHOWN'}"
    )
    for name, found in (("ovtune", ours), ("benchmark_app", theirs)):
        speeds = np.log([r.requests_per_s for r in found])
        spread = 100 * stats.scale(speeds)
        print(f"  {name:<15}{math.exp(stats.location(speeds)):>10.1f} requests/s, blocks differ by {spread:.1f} %")
    occupancies = sorted(r.occupancy for r in ours)
    print(f"  occupancy {np.median(occupancies):.3f} ({occupancies[0]:.3f} to {occupancies[-1]:.3f})")
    return same_settings(ours[0], theirs[0]) and met


def reached(case: Case, ratio: float, low: float, high: float) -> bool:
    """Whether the interval shows what is wanted."""
    if case.name == "matmul":
        return ratio >= AS_MANY and low > 1 - EQUIVALENT
    return low > 1 - EQUIVALENT and high < 1 + EQUIVALENT


def same_settings(one: Reading, other: Reading) -> bool:
    """Whether both ran with the same settings; prints them, and where they differ."""
    known = [name for name in COMPARED if name in one.settings and name in other.settings]
    different = [name for name in known if one.settings[name] != other.settings[name]]
    print("  " + ", ".join(f"{name} {one.settings[name]}" for name in known))
    for name in different:
        print(f"  DIFFERENT {name}: ovtune {one.settings[name]}, benchmark_app {other.settings[name]}")
    return len(known) >= 3 and not different


def own_reading(case: Case, seconds: int) -> Reading:
    """One visit as ovtune makes it, its own warm-up before the measured time."""
    evaluator = TrialProcess(files={"FP32": case.path}, plugins={}, workload=ClosedLoop())
    block = evaluator.evaluate(case.config, Plan(duration_s=seconds, longest_s=4.0 * seconds))
    if not isinstance(block, Block):
        sys.exit(f"{case.name}: {block}")
    settings = {name: str(value) for name, value in block.effective.items()}
    return Reading(
        requests_per_s=block.throughput_per_s, settings=_spelled(settings), occupancy=block.occupancy or math.nan
    )


def app_reading(case: Case, seconds: int) -> Reading:
    """One run of benchmark_app; it warms up with one inference."""
    program = shutil.which("benchmark_app", path=str(Path(sys.executable).parent)) or "benchmark_app"
    command = [program, "-m", case.path, "-d", "CPU", "-hint", "throughput", "-nireq", str(case.nireq)]
    command += ["-t", str(seconds), "-infer_precision", "f32", "-ip", "f32", "-api", "async"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    count, time_ms = (re.search(rf"{name}:\s+([\d.]+)", told) for name in ("Count", "Duration"))
    if count is None or time_ms is None:
        sys.exit(f"{case.name}: benchmark_app tells no count: {told[-500:]}")
    settings = dict(re.findall(r"([A-Z_]{6,}):\s*(\S+)", told))
    return Reading(requests_per_s=1000 * float(count[1]) / float(time_ms[1]), settings=_spelled(settings))


def _spelled(settings: dict[str, str]) -> dict[str, str]:
    """Settings without the names of their enumerations: ``PerformanceMode.THROUGHPUT``, ``<Type: 'float32'>``."""
    other = {"<Type: 'float32'>": "f32", "<Type:": "f32"}
    return {name: other.get(value, value.rpartition(".")[2].rstrip(",>")) for name, value in settings.items()}


def costs(case: Case) -> None:
    """Prints what driving one request costs in CPU time, with OpenVINO's binding and without."""
    runtime = Runtime({})
    compiled = runtime.compile(runtime.read(case.path), case.config)
    plan = Plan(duration_s=0.5, least_requests=1)
    driving = []
    for _ in range(LOOP_TURNS):
        driver = ClosedLoopDriver(Recorder(QueueEngine(compiled, case.config, Content()), SystemClock()), SystemClock())
        driver.warm_up(plan)
        began = time.thread_time()
        run = driver.measure(plan)
        driving.append(1e6 * (time.thread_time() - began) / run.requests)
    print(f"  driving thread's CPU time per request: {_told(driving)} us")
    ours, theirs = [], []
    for _ in range(LOOP_TURNS):
        ours.append(own_loop_us(case.nireq))
        theirs.append(app_loop_us(case.nireq))
    print(f"  the loop alone, on a queue that does nothing: ovtune {_told(ours)} us, benchmark_app {_told(theirs)} us")


def own_loop_us(nireq: int) -> float:
    """The CPU time of ovtune's measuring loop per request that takes no time."""
    engine = SimpleNamespace(
        nireq=nireq,
        wait_idle=itertools.cycle(range(nireq)).__next__,
        is_idle=bool,
        start=bool,
        latency_ms=float,
        wait_all=bool,
    )
    driver = ClosedLoopDriver(Recorder(engine, SystemClock()), SystemClock())
    driver.warm_up(Plan(warmup_s=0.0))
    began = time.thread_time()
    run = driver.measure(Plan(duration_s=0.0, least_requests=LOOP_REQUESTS))
    return 1e6 * (time.thread_time() - began) / run.requests


class _Nothing:
    """An infer queue that does nothing, as benchmark_app uses one."""

    def __init__(self, nireq: int) -> None:
        self._request = SimpleNamespace(latency=0.0)
        self.get_idle_request_id = itertools.cycle(range(nireq)).__next__
        self.start_async = bool
        self.wait_all = bool

    def __getitem__(self, _: int) -> SimpleNamespace:
        return self._request


def app_loop_us(nireq: int) -> float:
    """The CPU time of benchmark_app's measuring loop per request that takes no time."""
    bench = Benchmark("CPU", nireq, LOOP_REQUESTS, None, "async", inference_only=True)
    data = SimpleNamespace(get_next_batch_size=lambda: 1)
    began = time.thread_time()
    *_, count = bench.async_inference_only(_Nothing(nireq), data)
    return 1e6 * (time.thread_time() - began) / count


def _told(values: list[float]) -> str:
    low, high = stats.signed_rank_interval(np.array(values), alpha=0.05)
    return f"{stats.location(np.array(values)):.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()

"""Whole searches on real models, devices and processes, with blocks as short as can be."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from ovtune import asset, document, preparation, session
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.evaluator import Failed, Infeasible
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.report.view import view_of
from ovtune.result import Result, conclude
from ovtune.session import Search
from ovtune.space import Space
from ovtune.store import Store, file_url
from ovtune.trial_process import TrialProcess
from ovtune.tuning import Tuning
from ovtune.workload import ClosedLoop, Streams, StreamsCapacity, parse
from tests import models

PLAN = Plan(duration_s=0.05, warmup_s=0.1, least_requests=8, longest_s=1.0, timeout_s=240.0)

GOAL = Goal(latency="p50")
NONSENSE = "its outputs have nothing to do with those of CPU f32"


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search on this machine beside the tests keeps its lock, and they theirs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def searched(folder: Path, wish: Wish, *, trials: int, goal: Goal = GOAL, confirm_s: float = 8) -> Result:
    """A short search, and what it left checked for form."""
    search = Search(
        wish=wish,
        study="s",
        goal=goal,
        budget=Budget(trials=trials, confirm_s=confirm_s, plan=PLAN),
    )
    result, files = session.run(search, Place(folder=folder))
    told = document.read(files.best)
    assert told.to_config() == result.recommended
    assert told.verdict.kind == result.verdict.kind
    assert "<html" in files.report.read_text(encoding="utf-8")
    assert result.study.trials == trials
    loaded = optuna.load_study(study_name="s", storage=f"sqlite:///{folder / 'ovtune.db'}")
    assert len(loaded.trials) == trials
    return result


def reasons(result: Result) -> list[str]:
    """Why trials came to nothing."""
    return [v.outcome.reason for v in result.study.visits if isinstance(v.outcome, Infeasible | Failed)]


def served_by(result: Result) -> dict[str, str]:
    """Of each trial that was measured or shared who served it, as the report tells, by its config in words."""
    facts = [(row.words, fact) for row in view_of(result).rows for fact in row.facts]
    return {words: fact.text for words, fact in facts if fact.name == "served by"}


@pytest.mark.runtime
def test_model_of_others(tmp_path: Path) -> None:
    """A model that the project did not make is searched to the end, duel included, and no trial comes to nothing."""
    result = searched(tmp_path, Wish(model=models.light("squeezenet", tmp_path)), trials=4)
    assert reasons(result) == []
    assert {c.batch_size for c in result.study.setup.space.configs} > {1}


@pytest.mark.runtime
def test_device_lists_and_priorities(tmp_path: Path) -> None:
    """With a second device AUTO in both orders, exclusion, HETERO and automatic batching run, and it shows who served.

    The report tells it of each trial, and of the devices that had nothing to do.
    """
    strings = ("AUTO:CPUX,CPU", "AUTO:CPU,CPUX", "AUTO:-CPU", "HETERO:CPU,CPUX", "BATCH:CPUX(4)")
    wish = Wish(model="demo:mlp", device_strings=strings, plugins={"CPUX": "openvino_intel_cpu_plugin"})
    result = searched(tmp_path, wish, trials=15)
    assert reasons(result) == []
    served = {
        v.config.device: v.outcome.effective["EXECUTION_DEVICES"]
        for v in result.study.visits
        if isinstance(v.outcome, Block) and v.config.hint != "CUMULATIVE_THROUGHPUT"  # serves aliases from the last one
    }
    assert served["AUTO:CPUX,CPU"] == served["AUTO:-CPU"] == served["BATCH:CPUX(4)"] == ["CPUX"]
    assert served["HETERO:CPU,CPUX"] == served["AUTO:CPU,CPUX"] == ["CPU"]
    assert set(served_by(result).values()) == {"CPU", "CPUX"}
    doubts = {caveat for row in view_of(result).rows for caveat in row.caveats}
    assert "CPUX is in the device list and served nothing: CPU did." in doubts


@pytest.mark.runtime
def test_open_loop(tmp_path: Path) -> None:
    """Under a given load the latency is weighed against CPU time, and automatic batching's timeout is searched."""
    wish = Wish(model="demo:mlp", workload=parse("interval:10ms"))
    result = searched(tmp_path, wish, trials=5, goal=Goal(latency="p50", prefer="latency"))
    assert result.goal.against == "efficiency"
    assert "AUTO_BATCH_TIMEOUT" in result.study.setup.space.dimensions
    assert result.measured.throughput_per_s.value == pytest.approx(100, rel=0.2)


@pytest.mark.runtime
def test_cameras(tmp_path: Path) -> None:
    """How many cameras are served is asked under one load after the other, each in its own process, and ends in time.

    What a busy machine serves, nobody knows: but what is claimed was verified.
    """
    load = StreamsCapacity(frames_per_s=500)
    wish = Wish(model="demo:mlp", workload=load, device_strings=("CPU",))
    result = searched(tmp_path, wish, trials=2, goal=Goal(latency="p50", deadline_ms=50.0), confirm_s=12)
    probed = [v for v in result.study.visits if v.phase in {"capacity", "verification"}]
    assert probed
    for visit in probed:
        assert isinstance(visit.workload, Streams)
        assert isinstance(visit.outcome, Block)
        assert visit.outcome.occupancy is None
    for key, band in result.bands.items():
        at_high = Streams(cameras=int(band.high), frames_per_s=500)
        fresh = [v for v in probed if v.phase == "verification" and v.config.key == key and v.workload == at_high]
        assert 2 <= band.at_high.blocks <= len(fresh)  # contended ones may have been left out
        assert band.at_high.high <= 0.01
    assert result.verdict.kind in {"better", "equal", "undecided", "infeasible", "unconfirmed"}


@pytest.mark.gpu
@pytest.mark.usefixtures("two_f32_gpus")
def test_two_gpus(tmp_path: Path) -> None:
    """Two GPUs alone, in lists, all at once, batched and in HETERO: the search ends, the report tells who served.

    With automatic batching the GPU of tests gives zeros: that is found out, and never recommended.
    """
    several = "AUTO:GPU.1,GPU.0,CPU"
    strings = ("GPU.0", "GPU.1", several, "AUTO:GPU,-CPU", "BATCH:GPU(4)", "HETERO:GPU.0,CPU")
    baselines, batched, trials = 15, 3, 17
    result = searched(tmp_path, Wish(model="demo:mlp", device_strings=strings), trials=trials, confirm_s=1)
    assert len(result.study.setup.baselines) == baselines
    assert [reason.partition(" (")[0] for reason in reasons(result)] == [NONSENSE] * batched
    assert result.recommended.auto_batch_size == 1
    served = served_by(result)
    assert len(served) == trials - batched
    for words, devices in served.items():
        expected = "GPU.1" if words.partition(" on ")[2].startswith(("GPU.1,", several)) else "GPU.0"
        if words.startswith("CUMULATIVE_THROUGHPUT"):
            expected = "GPU.1, GPU.0, CPU" if several in words else "GPU.0, GPU.1"
        assert devices == expected, words


@pytest.mark.gpu
@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("model", "why"), [("demo:encoder", "the process was ended by SIGSEGV"), ("demo:mobilenet", NONSENSE)]
)
def test_device_that_crashes_or_computes_nonsense(model: str, why: str, tmp_path: Path) -> None:
    """A device that crashes, or whose outputs are wrong, leaves its reason in a search that recommends another one.

    The device is put beside the CPU's space by hand: asking it for its own answers would compile the model once for
    each hint, which takes it half a minute.
    """
    setup = preparation.make(Wish(model=model, device_strings=("CPU",)), model, ClosedLoop(), tmp_path)
    bad = Config(device="GPU.0", nireq=1)
    setup = replace(setup, space=Space(configs=(*(b.config for b in setup.baselines), bad)))
    store = Store(file_url(tmp_path / "ovtune.db"))
    store.create("s", setup, GOAL)
    evaluator = TrialProcess(
        files=asset.files(setup, tmp_path),
        plugins={},
        workload=ClosedLoop(),
        feed=setup.feed,
        reference=asset.reference(setup, tmp_path),
    )
    study = Tuning(store, "s", evaluator, goal=GOAL, budget=Budget(trials=3, confirm_s=1, plan=PLAN)).run()
    store.close()
    result = conclude(study, GOAL)
    (reason,) = reasons(result)
    assert all(isinstance(v.outcome, Infeasible | Failed) for v in study.visits if v.config == bad)
    assert reason.startswith(why)
    assert result.recommended.device == "CPU"
    assert why in str(view_of(result).failures)


@pytest.mark.runtime
def test_python_deploys_what_was_written(tmp_path: Path) -> None:
    """A program gets results, each with its own userdata, from the queue that the document names."""
    searched(tmp_path, Wish(model="demo:mlp"), trials=2)
    program = """
import sys, numpy, ovtune
seen = []
with ovtune.apply(sys.argv[1], "demo:mlp") as deployment:
    assert len(deployment.queue) == deployment.config.nireq
    deployment.queue.set_callback(lambda request, data: seen.append((data, request.get_output_tensor().data.copy())))
    for number in range(8):
        frame = numpy.full((deployment.config.batch_size, 256), number / 8, dtype=numpy.float32)
        deployment.queue.start_async({0: frame}, number)
    deployment.queue.wait_all()
assert sorted(data for data, _ in seen) == list(range(8)), seen
assert len({float(output.ravel()[0]) for _, output in seen}) == 8
print("done")
"""
    best = str(tmp_path / "s" / "best.json")
    done = subprocess.run(
        [sys.executable, "-c", program, best], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "done\n", done.stderr


@pytest.mark.runtime
def test_optuna_dashboard_opens_the_database(tmp_path: Path) -> None:
    """optuna-dashboard lists the study and its confirmed companion, each trial with both of its values."""
    searched(tmp_path, Wish(model="demo:mlp"), trials=2, confirm_s=1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [str(Path(sys.executable).with_name("optuna-dashboard")), f"sqlite:///{tmp_path / 'ovtune.db'}"]
    server = subprocess.Popen(
        [*program, "--host", "127.0.0.1", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        told = _asked(f"http://127.0.0.1:{port}/api/studies", server)
        assert [study["study_name"] for study in told["study_summaries"]] == ["s", "s.confirmed"]
        one = _asked(f"http://127.0.0.1:{port}/api/studies/{told['study_summaries'][0]['study_id']}", server)
        assert [trial["state"] for trial in one["trials"]] == ["Complete", "Complete"]
        assert [len(trial["values"]) for trial in one["trials"]] == [2, 2]
    finally:
        server.kill()
        server.wait()


def _asked(url: str, server: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """What a server on this machine answers, once it does."""
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback
            told: dict[str, Any] = json.load(answer)
            return told
        assert server.poll() is None, "the server ended"
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")

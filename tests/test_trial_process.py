import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ovtune import child, codec, survey
from ovtune.config import Config
from ovtune.errors import DeviceError, MeasurementError, ModelError, StorageError
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.host import kept_on
from ovtune.measurement import Block, Plan
from ovtune.survey import Conversion, DeviceQuestion, Question
from ovtune.trial_process import TrialProcess, ask
from ovtune.workload import ClosedLoop, ConstantRate, Streams, Workload
from tests import models

pytestmark = pytest.mark.runtime

PLAN = Plan(duration_s=0.05, warmup_s=0.1, least_requests=8, longest_s=2.0)
CPUX = {"CPUX": "openvino_intel_cpu_plugin"}


def evaluate(
    config: Config,
    *,
    path: str = "demo:mlp",
    plan: Plan = PLAN,
    workload: Workload = ClosedLoop(),  # noqa: B008  (a value)
    plugins: Mapping[str, str] = CPUX,
) -> Outcome:
    """A visit in a child process."""
    evaluator = TrialProcess(files={"FP32": path, "FP16": path}, plugins=plugins, workload=workload)
    return evaluator.evaluate(config, plan)


def block(config: Config, **others: object) -> Block:
    """The block of a visit that must succeed."""
    outcome = evaluate(config, **others)  # type: ignore[arg-type]
    assert isinstance(outcome, Block), outcome
    return outcome


def without_waiting(config: Config, **others: object) -> Block:
    """The block of a visit in which no batch waited for its timeout, of eight at most.

    In one visit of four the runtime itself misses that a batch is full, and lets it wait; a driver that leaves a group
    incomplete makes every visit wait.
    """
    timeout_s = float(str(config.properties["AUTO_BATCH_TIMEOUT"])) / 1000
    found = (block(config, **others) for _ in range(8))
    return next(b for b in found if b.cost_s < timeout_s)


@pytest.fixture(scope="module")
def bad_plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Libraries that crash or hang as soon as they are loaded, each under a device's name."""
    folder = tmp_path_factory.mktemp("plugins")
    built = {}
    for name, does in {"CRASHING": "*(volatile int *)8 = 1;", "HANGING": "sleep(60);"}.items():
        source, library = folder / f"{name}.c", folder / f"lib{name}.so"
        source.write_text(f"#include <unistd.h>\n__attribute__((constructor)) static void start(void) {{ {does} }}\n")
        subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        built[name] = str(library)
    return built


class TestBlocks:
    """Visits that succeed."""

    @pytest.mark.parametrize("name", ["mlp", "mobilenet", "encoder"])
    def test_demo(self, name: str) -> None:
        """A visit to a built-in model gives a block whose figures fit together."""
        before = time.time()
        plan = replace(PLAN, duration_s=0.3)
        found = block(Config(device="CPU", nireq=2, batch_size=2), path=f"demo:{name}", plan=plan)
        assert before < found.started_at < time.time()
        assert found.elapsed_s >= plan.duration_s
        assert found.items == 2 * len(found.latencies_ms) >= 2 * plan.least_requests
        assert found.occupancy is not None
        assert 0 < found.occupancy <= 1.2
        assert found.cpu_s > 0
        assert found.memory_bytes > 0
        assert found.compile_ms > 0
        assert found.first_inference_ms > 0
        assert found.cost_s > found.elapsed_s + found.compile_ms / 1000
        assert found.effective["EXECUTION_DEVICES"] == ["CPU"]
        assert {caveat.kind for caveat in found.caveats} >= {"batch_wait_hidden"}

    def test_same_key_in_every_process(self) -> None:
        """The effective key of a config is the same in every visit."""
        first, second = (block(Config(device="CPU", nireq=2)) for _ in range(2))
        assert first.effective_key == second.effective_key
        assert first.effective == second.effective

    def test_automatic_batching(self) -> None:
        """Automatic batching is measured on a second device: whole groups, on that device, without any timeout."""
        found = without_waiting(Config(device="BATCH:CPUX(4)", nireq=8, properties={"AUTO_BATCH_TIMEOUT": 10_000}))
        assert found.effective["EXECUTION_DEVICES"] == ["CPUX"]
        assert found.items == len(found.latencies_ms)
        assert found.items % 4 == 0
        assert "auto_batching_inactive" not in {caveat.kind for caveat in found.caveats}

    def test_automatic_batching_that_stays_out(self, tmp_path: Path) -> None:
        """Where automatic batching does not engage, the block says so."""
        path = models.saved(models.transposed(), tmp_path)
        config = Config(device="BATCH:CPU(4)", nireq=4, properties={"AUTO_BATCH_TIMEOUT": 1})
        assert "auto_batching_inactive" in {caveat.kind for caveat in block(config, path=path).caveats}

    def test_automatic_batching_in_an_open_loop(self) -> None:
        """Items wait for their group under an open load, where the timeout leaves them the time."""
        config = Config(device="BATCH:CPU(4)", nireq=4, properties={"AUTO_BATCH_TIMEOUT": 10_000})
        found = without_waiting(config, workload=ConstantRate(interval_s=0.05))
        assert found.items == len(found.latencies_ms) == 8
        assert found.latencies_ms.max() >= 149
        assert "partial_batch" in {caveat.kind for caveat in found.caveats}

    def test_kept_on_cpus(self) -> None:
        """A visit that is kept on one CPU sees one CPU from the start: the runtime plans one thread."""
        with kept_on(str(max(os.sched_getaffinity(0)))):
            found = block(Config(device="CPU", nireq=1, properties={"PERFORMANCE_HINT": "THROUGHPUT"}))
        assert found.effective["INFERENCE_NUM_THREADS"] == 1

    def test_beside(self) -> None:
        """What runs beside a visit on purpose is no contention, and has ended with it."""
        busy = f"{sys.executable} -c 'while True: pass'"
        process = TrialProcess(files={"FP32": "demo:mlp"}, plugins={}, workload=ClosedLoop(), beside=busy)
        found = process.evaluate(Config(device="CPU", nireq=1), PLAN)
        assert isinstance(found, Block)
        assert not any(busy == " ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]))

    def test_what_runs_beside_must_last(self) -> None:
        """A background command that ends before the visit makes it fail, with the command's status."""
        process = TrialProcess(files={"FP32": "demo:mlp"}, plugins={}, workload=ClosedLoop(), beside="false")
        outcome = process.evaluate(Config(device="CPU", nireq=1), PLAN)
        assert isinstance(outcome, Failed)
        assert "'false' ended with status 1 before the measurement did" in outcome.reason

    def test_two_devices_at_once(self) -> None:
        """A list of devices with the hint to use them all is measured."""
        config = Config(device="AUTO:CPUX,CPU", nireq=4, properties={"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"})
        assert block(config).items > 0

    def test_real_network(self, tmp_path: Path) -> None:
        """A model file with a batch that cannot change is measured with a batch of 1."""
        assert block(Config(device="CPU", nireq=1), path=models.light("shufflenet", tmp_path)).items > 0

    def test_shared(self) -> None:
        """What runs as a measured config comes back as that, with what it took to find out."""
        first = block(Config(device="CPU", nireq=1))
        hinted = Config(device="CPU", nireq=1, properties={"PERFORMANCE_HINT": "LATENCY"})
        outcome = evaluate(hinted, plan=Plan(shared={first.effective_key: "the first"}))
        assert isinstance(outcome, SameAs)
        assert outcome.config_key == "the first"
        assert outcome.cost_s > 0

    def test_many_shared(self) -> None:
        """A visit is told of as many measured configs as a long search has."""
        shared = {f"{n:032x}": Config(device="CPU", nireq=n + 1).key for n in range(5000)}
        assert block(Config(device="CPU", nireq=1), plan=replace(PLAN, shared=shared)).items > 0


class TestRefusals:
    """Configs that cannot run."""

    @pytest.mark.parametrize(
        ("config", "says"),
        [
            (Config(device="CPU", nireq=1, properties={"NUM_STREEMS": 1}), "Unsupported property NUM_STREEMS"),
            (Config(device="TPU", nireq=1), '"TPU" name is not registered'),
            (Config(device="AUTO:TPU", nireq=1), "No available device"),
        ],
        ids=["setting", "device", "list"],
    )
    def test_infeasible(self, config: Config, says: str) -> None:
        """What the runtime refuses is infeasible, with a reason on one line."""
        outcome = evaluate(config)
        assert isinstance(outcome, Infeasible)
        assert says in outcome.reason
        assert "\n" not in outcome.reason
        assert outcome.cost_s > 0

    def test_plugin(self) -> None:
        """So is a plugin that is not there."""
        outcome = evaluate(Config(device="CPU", nireq=1), plugins={"CPUX": "nowhere"})
        assert isinstance(outcome, Infeasible)
        assert "plugin CPUX=nowhere cannot be registered" in outcome.reason


class TestFailures:
    """Visits that come to nothing."""

    def test_crash(self, bad_plugins: dict[str, str]) -> None:
        """A plugin that crashes takes nothing but its visit down."""
        plugins = {"CRASHING": bad_plugins["CRASHING"]}
        outcome = evaluate(Config(device="CRASHING", nireq=1), plugins=plugins)
        assert outcome == Failed(reason="the process was ended by SIGSEGV", cost_s=outcome.cost_s)

    def test_hang(self, bad_plugins: dict[str, str]) -> None:
        """A plugin that hangs is killed when the plan says."""
        plugins = {"HANGING": bad_plugins["HANGING"]}
        outcome = evaluate(Config(device="HANGING", nireq=1), plan=replace(PLAN, timeout_s=2.0), plugins=plugins)
        assert outcome == Failed(reason="no answer within 2 s: the process was killed", cost_s=outcome.cost_s)
        assert outcome.cost_s >= 2.0

    def test_failing_inference(self, tmp_path: Path) -> None:
        """An inference that fails fails the visit: the config is not called infeasible."""
        outcome = evaluate(Config(device="CPU", nireq=1), path=models.saved(models.failing(), tmp_path))
        assert isinstance(outcome, Failed)
        assert "conflicts with the reshape pattern" in outcome.reason

    def test_bug(self) -> None:
        """A fault of the measurement itself fails the visit and is told."""
        outcome = evaluate(Config(device="CPU", nireq=1, precision="int8"))
        assert isinstance(outcome, Failed)
        assert outcome.reason == "KeyError: 'int8'"


class TestAsk:
    """The tasks other than a visit."""

    def test_survey(self, capfd: pytest.CaptureFixture[str]) -> None:
        """The devices and a model are described from a child process, which says nothing to the user."""
        answer = ask("survey", codec.dump(Question(path="demo:mlp", plugins=CPUX), Question))
        seen: survey.Sight = codec.load(answer, survey.Sight)
        assert {"CPU", "CPUX"} <= {device.name for device in seen.devices}
        assert seen.model is not None
        assert seen.model.batch_sizes[-1] == 32
        assert capfd.readouterr() == ("", "")

    def test_no_noise(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """What the frontends print about a file that is no model does not reach the user: the error does."""
        (tmp_path / "notes.txt").write_text("no model at all\n" * 100)
        with pytest.raises(ModelError, match=r"notes\.txt cannot be read") as caught:
            ask("survey", codec.dump(Question(path=str(tmp_path / "notes.txt"), plugins={}), Question))
        assert "\n" not in str(caught.value)
        assert capfd.readouterr() == ("", "")

    def test_advise(self) -> None:
        """OpenVINO's own answers come from a child process, and its refusal as an error."""
        question = DeviceQuestion(path="demo:mlp", plugins={}, device="CPU")
        advice = codec.load(ask("advise", codec.dump(question, DeviceQuestion)), survey.AdviceList)
        assert [one.hint for one in advice] == ["none", "LATENCY", "THROUGHPUT"]
        with pytest.raises(DeviceError, match="TPU does not take the model"):
            ask("advise", codec.dump(replace(question, device="TPU"), DeviceQuestion))

    def test_convert(self, tmp_path: Path) -> None:
        """A model is converted in a child process; a place that cannot be written to is told as such."""
        conversion = Conversion(path="demo:mlp", plugins={}, precision="FP16", target=str(tmp_path / "half.xml"))
        assert ask("convert", codec.dump(conversion, Conversion)) == ""
        assert block(Config(device="CPU", nireq=1, precision="FP16"), path=conversion.target).items > 0
        (tmp_path / "file").touch()
        nowhere = replace(conversion, target=str(tmp_path / "file" / "half.xml"))
        with pytest.raises(StorageError, match="cannot be written"):
            ask("convert", codec.dump(nowhere, Conversion))

    def test_crash(self, bad_plugins: dict[str, str]) -> None:
        """A plugin that crashes while it is asked is an error that names the signal."""
        plugins = {"CRASHING": bad_plugins["CRASHING"]}
        with pytest.raises(MeasurementError, match=r"asking the runtime \(survey\) failed: .* SIGSEGV"):
            ask("survey", codec.dump(Question(path=None, plugins=plugins), Question))

    def test_hang(self, bad_plugins: dict[str, str]) -> None:
        """A plugin that hangs while it is asked is an error when the time is over."""
        plugins = {"HANGING": bad_plugins["HANGING"]}
        with pytest.raises(MeasurementError, match="no answer within 1 s"):
            ask("survey", codec.dump(Question(path=None, plugins=plugins), Question), timeout_s=1.0)


def test_models_are_cached_when_they_come_again(tmp_path: Path) -> None:
    """The first visit compiles cold and leaves nothing; later ones keep what they compiled, and take it from there."""
    config, cache = Config(device="CPU", nireq=1), tmp_path / "compiled"
    evaluator = TrialProcess(files={"FP32": "demo:mlp"}, plugins={}, workload=ClosedLoop(), cache=str(cache))
    visits = [evaluator.evaluate(config, replace(PLAN, again=again)) for again in (False, True, True)]
    blocks = [v for v in visits if isinstance(v, Block)]
    assert [b.compile_cached for b in blocks] == [False, False, True]
    assert len({b.effective_key for b in blocks}) == 1
    assert len(list(cache.glob("*.blob"))) == 1


def test_auto_is_never_cached(tmp_path: Path) -> None:
    """AUTO from a cache would leave out the device that it starts up on."""
    cache = tmp_path / "compiled"
    evaluator = TrialProcess(files={"FP32": "demo:mlp"}, plugins={}, workload=ClosedLoop(), cache=str(cache))
    outcome = evaluator.evaluate(Config(device="AUTO:CPU", nireq=1), replace(PLAN, again=True))
    assert isinstance(outcome, Block)
    assert not outcome.compile_cached
    assert not cache.exists()


def test_a_visit_has_time_for_its_arrivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """At one frame per minute the first may come later than a timeout: the time until the last one is added to it."""
    given: list[float] = []

    def called(task: str, request: str, *, timeout_s: float, **_: object) -> child.Death:
        given.append(timeout_s)
        return child.Death(reason="not begun")

    monkeypatch.setattr(child, "call", called)
    config = Config(device="CPU", nireq=1)
    for workload in (ClosedLoop(), Streams(cameras=1, frames_per_s=1 / 60)):
        TrialProcess(files={}, plugins={}, workload=workload).evaluate(config, Plan())
    closed, slow = given
    assert closed == Plan().timeout_s
    assert closed < slow <= closed + 2 * 60

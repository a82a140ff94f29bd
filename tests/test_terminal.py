import io
import re
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from ovtune import terminal
from ovtune.budget import CAPACITY_S, CONFIRM_S, Budget
from ovtune.caveat import Caveat
from ovtune.comparison import compare
from ovtune.config import Config
from ovtune.environment import Device
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.finalist import left_s
from ovtune.goal import Goal
from ovtune.lead import Lead, Member
from ovtune.ledger import Begun, VisitEnded, VisitStarted
from ovtune.lineup import Band
from ovtune.live import Progress
from ovtune.measurement import Block, Plan
from ovtune.result import conclude
from ovtune.sharing import Sharing
from ovtune.space import Advice
from ovtune.store import Summary
from ovtune.study import Phase
from ovtune.survey import Sight
from ovtune.tolerance import Judgement
from ovtune.workload import Streams, StreamsCapacity
from tests import fake
from tests.report import sample

STUDY = fake.study()
SEARCHED = replace(STUDY, visits=tuple(v for v in STUDY.visits if v.phase == "search"), duels={})
RESULT = conclude(STUDY, Goal())


def shown(what: RenderableType, *, width: int = 200) -> str:
    """What a person sees, without the spaces that fill a line."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test moves itself."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def started(number: int, *, total: int = 50, phase: Phase = "search") -> VisitStarted:
    return VisitStarted(phase=phase, number=number, total=total, config=fake.BASELINES[1].config)


def ended(number: int, outcome: Outcome | None = None, *, total: int = 50, phase: Phase = "search") -> VisitEnded:
    visit = started(number, total=total, phase=phase)
    block = fake.FakeEvaluator().evaluate(visit.config, Plan())
    return VisitEnded(started=visit, outcome=outcome or block, study=SEARCHED)


class TestProgress:
    def test_before_the_first_trial_it_says_what_it_does(self) -> None:
        """While devices and model are asked, the view is not empty."""
        assert "asking the devices" in shown(Progress(Goal(), Budget(trials=50)))

    def test_live_view_shows_where_the_search_stands(self, clock: list[float]) -> None:
        """Trial of how many, config in words, best throughput, best latency, size of the front, time left."""
        progress = Progress(Goal(), Budget(trials=50, confirm_s=120))
        progress.update(started(1))
        clock[0] += 2
        progress.update(ended(1))
        progress.update(started(2))
        view = shown(progress)
        assert "trial 1 (2/50)" in view
        assert "THROUGHPUT hint on CPU, nireq 2" in view
        assert re.search(r"best throughput +\d+/s", view)
        assert re.search(r"best p50 +[\d.]+ ms", view)
        assert re.search(r"front +\d+ configs", view)
        assert re.search(r"about \dm \d+s left", view)

    def test_time_left_follows_the_pace_and_the_confirmation(self, clock: list[float]) -> None:
        """What is left: the trials at their pace and what is expected of the confirmation, which time uses up."""
        progress = Progress(Goal(), Budget(trials=10, confirm_s=60))
        assert progress.left_s() == pytest.approx(60)
        for number in range(1, 6):
            progress.update(started(number, total=10))
            clock[0] += 3
            progress.update(ended(number, total=10))
        progress.update(started(6, total=10))
        after_s = left_s(SEARCHED, Goal(), time_s=60, spent_s=0)
        assert 0 < after_s <= 60
        assert progress.left_s() == pytest.approx(5 * 3 + after_s)
        progress.update(started(1, total=1000, phase="elimination"))
        clock[0] += 5
        assert progress.left_s() == pytest.approx(after_s - 5)
        clock[0] += 500
        assert progress.left_s() == 0

    def test_time_left_knows_what_a_capacity_may_take(self, clock: list[float]) -> None:
        """Five minutes unless told, counted from its first block on, as those of elimination and duel are."""
        load = StreamsCapacity(frames_per_s=30)
        study = replace(STUDY, setup=replace(STUDY.setup, workload=load))
        progress = Progress(Goal(deadline_ms=33), Budget(trials=1))
        progress.update(started(1, total=1))
        assert progress.left_s() == pytest.approx(CONFIRM_S)
        progress.update(replace(ended(1, total=1), study=study))
        progress.update(started(1, total=1000, phase="capacity"))
        clock[0] += 50
        progress.update(started(2, total=1000, phase="capacity"))
        assert progress.left_s() == pytest.approx(CAPACITY_S - 50)

    @pytest.mark.parametrize(
        ("phase", "number", "label", "again"),
        [
            ("search", 2, "trial 1 (2/9)", ""),
            ("search", 3, "trial 2 (3/9)", ", once more"),
            ("reference", 3, "reference (3/9)", ""),
            ("elimination", 3, "elimination visit 3", ""),
            ("duel", 3, "duel block 3/9", ""),
        ],
    )
    def test_one_line_for_each_visit(self, phase: Phase, number: int, label: str, again: str) -> None:
        """Elsewhere than on a terminal a visit is one line: which one, which config, what came of it."""
        progress = Progress(Goal(), Budget(trials=9))
        assert progress.update(started(number, total=9, phase=phase)) is None
        line = progress.update(ended(number, total=9, phase=phase))
        assert line is not None
        assert line.startswith(f"{label}: THROUGHPUT hint on CPU, nireq 2{again}: ")
        assert re.search(r"\d+/s, p95 [\d.]+ ms$", line)

    def test_view_survives_a_study_without_numbers(self) -> None:
        """While all has failed so far, the view shows the trial and no figures."""
        progress = Progress(Goal(), Budget(trials=9))
        progress.update(started(1, total=9))
        event = ended(1, Failed(reason="no"), total=9)
        progress.update(replace(event, study=replace(STUDY, visits=())))
        assert "trial 0 (1/9)" in shown(progress)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (SameAs(config_key="k", effective_key="e"), "runs exactly as one that was measured: shared"),
        (Infeasible(reason="CPU refuses it"), "infeasible: CPU refuses it"),
        (Failed(reason="SIGSEGV"), "failed: SIGSEGV"),
    ],
)
def test_outcome_in_words(outcome: Outcome, words: str) -> None:
    """What came of a visit without numbers is said with its reason."""
    assert terminal.outcome_words(outcome) == words


def test_summary_shows_verdict_figures_and_files() -> None:
    """The closing summary: verdict first, both sides' figures with intervals, caveats, where the files are."""
    result = replace(RESULT, caveats=(Caveat(kind="few_samples", parameters={"samples": 3}),))
    text = shown(terminal.summary(result, "studies/x/best.json", "studies/x/report.html"))
    assert text.startswith(f"{result.verdict.kind.upper()}: {result.verdict.text}")
    assert result.recommended.words in text
    assert result.baseline.name in text
    assert len(re.findall(r"throughput +\d+/s \(\d+ to \d+, 20 blocks\)", text)) == 1
    assert re.search(r"which is +THROUGHPUT hint on CPU", text)
    assert re.search(r"rival +LATENCY hint on CPU, synchronous\n +throughput +0\.\d+ \(0\.\d+ to 0\.\d+\) times", text)
    assert "Only 3 inferences" in text
    assert "studies/x/best.json" in text
    assert "studies/x/report.html" in text


def test_summary_of_a_winner_shows_both_sides() -> None:
    """A config that won stands beside the baseline, each with its own figures."""
    text = shown(terminal.summary(sample.better(), "b", "r"))
    assert len(re.findall(r"throughput +\d+/s \(\d+ to \d+, \d+ blocks\)", text)) == 2
    assert "against" in text
    assert "rival" not in text


def test_summary_and_progress_tell_a_capacity() -> None:
    """What both sides serve stands first among their figures; a line of progress names the load of its block."""
    load = StreamsCapacity(frames_per_s=30)
    seen = Judgement(mark="holds", blocks=3, samples=2700, value=0.001, high=0.0042, least_ms=3.0)
    band = Band(low=1, high=12, above=13, at_high=seen)
    study = replace(STUDY, setup=replace(STUDY.setup, workload=load))
    weak = fake.BASELINES[0]
    bands = {RESULT.recommended.key: band, weak.config.key: replace(band, high=9)}
    result = replace(RESULT, study=study, goal=Goal(deadline_ms=33), baseline=weak, bands=bands)
    text = shown(terminal.summary(result, "a", "b"))
    assert re.search(
        r"capacity +12 cameras with at most 1% late within 33 ms "
        r"\(verified: 0.10% late of 2,700 in 3 blocks, at most 0.42%\)",
        text,
    )
    assert re.search(r"capacity +9 cameras with", text)
    assert "capacity" not in shown(terminal.summary(RESULT, "a", "b"))
    progress = Progress(Goal(), Budget(trials=50))
    event = ended(3, phase="verification")
    event = replace(event, started=replace(event.started, workload=Streams(cameras=12, frames_per_s=30)))
    progress.update(event.started)
    line = progress.update(event)
    assert line is not None
    assert line.startswith("verification block 3/50: THROUGHPUT hint on CPU, nireq 2 under streams:12x30/s: ")
    assert "under streams:12x30/s" in shown(progress)


def test_summary_says_why_a_percentile_is_missing() -> None:
    """A latency objective without enough samples is shown as unavailable, with how many there are and must be."""
    goal = Goal(latency="p99.9")
    text = shown(terminal.summary(conclude(fake.study(goal=goal), goal), "b", "r"))
    assert re.search(r"p99.9 +unavailable: \d+ of 6636 samples", text)
    assert re.search(r"p50 +[\d.]+ ms", text)


@pytest.mark.parametrize("text", ["a[/red]b", "[bold]x", "[link=http://x]", "a:smile:b", "[", "x\\[y"])
def test_brackets_in_names_are_shown_as_they_are(text: str) -> None:
    """A path, a device's name or a setting with brackets is text and no markup."""
    model = replace(fake.MODEL, path=text)
    seen = Sight(version="1", devices=(Device(name="CPU", full_name=text),), model=model)
    advice = Advice(device="CPU", hint="none", nireq=1, effective={"EXECUTION_DEVICES": [text]}, effective_key="k")
    summary = Summary(name="one", created="2026-11-20T09:00:00Z", model=text, trials=3, stopped="")
    config = Config(device="CPU", nireq=1, properties={"P": text})
    result = replace(RESULT, recommended=config)
    for table, times in (
        (terminal.studies([summary]), 1),
        (terminal.settings(config, {"Q": text}), 2),
        (terminal.summary(result, text, text), 3),
    ):
        assert shown(table).count(text) == times
    assert sum(shown(table).count(text) for table in terminal.devices(seen, [advice], {"GPU": text})) == 4


def test_studies_are_listed() -> None:
    """Each study is one line; one whose search was cut off says so."""
    made = [
        Summary(name="one", created="2026-11-20T09:00:00Z", model="m.onnx", trials=3, stopped="all 3 trials are done"),
        Summary(name="two", created="2026-11-21T09:00:00Z", model="demo:mlp", trials=0, stopped=""),
    ]
    lines = shown(terminal.studies(made)).splitlines()
    assert re.search(r"one +m.onnx +3 +2026-11-20 09:00 +all 3 trials are done", lines[-2])
    assert re.search(r"two +demo:mlp +0 +2026-11-21 09:00 +running, or cut off", lines[-1])


def test_settings_stand_side_by_side() -> None:
    """Requested and effective settings share a line; those of a device under AUTO carry its name."""
    config = Config(
        device="CPU", nireq=4, properties={"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    )
    effective: Mapping[str, object] = {
        "INFERENCE_PRECISION_HINT": "F32",
        "DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 2}},
        "EXECUTION_DEVICES": ["CPU", "GPU"],
    }
    text = shown(terminal.settings(config, effective))
    assert re.search(r"INFERENCE_PRECISION_HINT +f32 +F32", text)
    assert re.search(r"CPU.NUM_STREAMS +2", text)
    assert re.search(r"EXECUTION_DEVICES +CPU, GPU", text)


def test_devices_with_a_model_show_its_answers() -> None:
    """Without a model the devices alone; with one OpenVINO's own answers, and what refused with its reason."""
    alone = terminal.devices(Sight(version="2026.4", devices=(fake.CPU,), model=None), (), {})
    assert len(alone) == 1
    assert re.search(r"CPU +Test CPU +bf16 +FP32, BF16, INT8", shown(alone[0]))
    effective = {"NUM_STREAMS": 2, "DEVICE_PROPERTIES": {"CPU": {"INFERENCE_NUM_THREADS": 4}}}
    advice = Advice(device="AUTO", hint="THROUGHPUT", nireq=2, effective=effective, effective_key="k")
    seen = Sight(version="2026.4", devices=(fake.CPU,), model=fake.MODEL)
    text = "\n".join(shown(table) for table in terminal.devices(seen, [advice], {"GPU": "no such device"})[1:])
    assert re.search(r"AUTO\n +THROUGHPUT +2 +2 +4", text)
    assert re.search(r"GPU +refused: no such device", text)


def test_each_value_stands_for_the_device_that_serves() -> None:
    """Of devices at once each column tells its values in the order of those that serve, with a dash for none."""
    inner = {"CPU": {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 2}}
    inner["GPU.1"] = {"INFERENCE_PRECISION_HINT": "f16"}
    effective = {"DEVICE_PROPERTIES": inner, "EXECUTION_DEVICES": ["GPU.1", "CPU"]}
    advice = Advice(device="AUTO", hint="CUMULATIVE_THROUGHPUT", nireq=6, effective=effective, effective_key="k")
    seen = Sight(version="2026.4", devices=(fake.CPU,), model=fake.MODEL)
    text = "\n".join(shown(table) for table in terminal.devices(seen, [advice], {}))
    assert re.search(r"CUMULATIVE_THROUGHPUT +6 +-, 2 +f16, bf16 +GPU.1, CPU", text)


def test_devices_fit_a_terminal() -> None:
    """With three devices at once under the longest hint the table of answers still fits 80 columns, nothing cut off."""
    inner = {
        name: {"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f16"}
        for name in ("GPU.1", "GPU.0", "CPU")
    }
    effective = {"EXECUTION_DEVICES": list(inner), "DEVICE_PROPERTIES": inner}
    device, hint = "AUTO:GPU.1,GPU.0,CPU", "CUMULATIVE_THROUGHPUT"
    advice = Advice(device=device, hint=hint, nireq=10, effective=effective, effective_key="k")
    gpu = Device(name="GPU.0", full_name="Some GPU", driver="26.1", memory_bytes=3 * 2**30)
    seen = Sight(version="2026.4", devices=(fake.CPU, gpu), model=fake.MODEL)
    own, answers = (shown(table, width=80) for table in terminal.devices(seen, [advice], {}))
    assert "26.1" in own
    assert "3.0 GiB" in own
    assert device in answers
    assert f" {hint} " in answers
    assert "2, 2, 2" in answers


def test_summary_tells_who_served_and_what_was_shared() -> None:
    """Who served is told where the device string does not say it, and what sharing saved where it did."""
    text = shown(terminal.summary(RESULT, "a", "b"))
    assert "served by" not in text
    assert "shared" not in text
    config = replace(RESULT.recommended, device="AUTO:CPU,GPU")
    shared = Sharing(saved=3, trials=30, pairs=())
    text = shown(terminal.summary(replace(RESULT, recommended=config, sharing=shared), "a", "b"))
    assert re.search(r"served by +CPU", text)
    assert re.search(r"shared +3 of 30 trials ran exactly as one that was measured", text)


@pytest.mark.parametrize(
    ("value", "text"), [(0.02134, "0.0213 ms"), (3.937, "3.94 ms"), (128.4, "128 ms"), (1240.3, "1240 ms")]
)
def test_milliseconds(value: float, text: str) -> None:
    """A latency has three digits or more."""
    assert terminal.milliseconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.123456, "0.123"), (12.34, "12.3"), (512.3, "512"), (31_999.6, "32000")])
def test_rate(value: float, text: str) -> None:
    """A rate has three digits or more."""
    assert terminal.rate(value) == text


def test_narrow_terminal_loses_nothing() -> None:
    """On a narrow terminal long texts are folded, not cut."""
    path = "/a/very/long/path/" + "x" * 100 + "/best.json"
    text = shown(terminal.summary(RESULT, path, "r"), width=40)
    assert path in "".join(re.sub(r"^(deploy)? +", "", line) for line in text.splitlines())
    assert all(len(line) <= 40 for line in text.splitlines())


def test_block_in_words_is_rounded() -> None:
    """A block is told by its throughput and its median."""
    block = fake.FakeEvaluator(noise=0.0).evaluate(fake.BASELINES[0].config, Plan())
    assert isinstance(block, Block)
    assert re.fullmatch(r"100/s, p50 [\d.]+ ms", terminal.outcome_words(block))


def test_check_in_80_columns() -> None:
    """The answer stands above the table, and long texts are folded."""
    told = shown(
        terminal.check("slower", "it is slower", [("config", "THROUGHPUT hint, " * 8), ("ratio", "0.9")]), width=80
    )
    assert told.startswith("SLOWER: it is slower")
    assert max(len(line) for line in told.splitlines()) <= 80
    assert re.search(r"^ratio +0\.9", told, re.MULTILINE)


LEAD = Lead(
    study="other",
    model="demo:mlp",
    members=(
        Member(words="no hint on CPU, nireq 2", config=fake.BASELINES[1].config),
        Member(words="no hint on GPU, nireq 2", config=None, note="device GPU is none of CPU"),
    ),
)


def test_what_a_search_begins_with_is_told() -> None:
    """One line when it begins, a row in the live view and in the summary; nothing where it begins with nothing."""
    study = replace(STUDY, setup=replace(STUDY.setup, lead=LEAD))
    said = "1 of 2 configs of the front of study other (demo:mlp)"
    left = "; left out: no hint on GPU, nireq 2 (device GPU is none of CPU)"
    progress = Progress(Goal(), Budget(trials=50))
    assert progress.update(Begun(study=STUDY)) is None
    assert progress.update(Begun(study=study)) == f"begun with {said}{left}"
    progress.update(started(1))
    assert said in " ".join(shown(progress).split())
    assert said + left in " ".join(shown(terminal.summary(replace(RESULT, study=study), "b", "r")).split())
    assert "begun with" not in shown(terminal.summary(RESULT, "b", "r"))


def test_summary_says_why_a_search_ended_early() -> None:
    """Every reason but that all trials are done, which needs no words."""
    early = replace(RESULT, study=replace(STUDY, stopped="the last 5 trials gained nothing"))
    assert re.search(r"ended +the last 5 trials gained nothing", shown(terminal.summary(early, "b", "r")))
    assert not re.search(r"^ended", shown(terminal.summary(RESULT, "b", "r")), re.MULTILINE)


class TestComparison:
    def test_notes_stand_above_the_tables(self) -> None:
        """Whose goal is used, by which percentile, and what does not compare is said before the winners."""
        told = shown(terminal.comparison(compare(sample.result(), sample.offered()), ("old", "new")))
        above, _, below = told.partition("ahead")
        assert "under the goal of old" in above
        assert "compared by p50" in above
        assert "The loads differ (closed; interval:20ms)" in above
        assert "the loads differ: nothing is compared" in below
        assert "better" not in below

    def test_another_goal_and_model(self) -> None:
        """What differs in goals and models is said, and stands in the table of what differs."""
        goal = Goal(latency="p90", prefer="latency", max_latency_ms=25.0)
        other = sample.study(goal=goal)
        model = replace(other.setup.model, sha256="1" * 64)
        second = conclude(replace(other, setup=replace(other.setup, model=model)), goal)
        told = shown(terminal.comparison(compare(sample.result(), second), ("old", "new")))
        assert "The models differ" in told.partition("ahead")[0]
        for name in ("latency of the goal", "preferred", "limits", "SHA-256"):
            assert name in told.partition("differs ")[2]

    def test_throughput(self) -> None:
        """In a closed loop the sides are told by throughput and latency."""
        told = shown(terminal.comparison(compare(sample.result(), sample.result()), ("old", "new")))
        assert re.search(r": [0-9.]+/s, p50 [0-9.]+ ms", told)
        assert "CPU time" not in told

    def test_offered_load(self) -> None:
        """Under an offered load the sides are told by CPU time and latency."""
        told = shown(terminal.comparison(compare(sample.offered(), sample.offered()), ("old", "new")))
        assert re.search(r": CPU time [0-9.]+ ms, p50 [0-9.]+ ms", told)
        assert "50/s" not in told

"""The whole way on a simulated server and clock: search, capacity, verification, verdict."""

from dataclasses import replace
from pathlib import Path

import pytest

from ovtune.capacity import bound
from ovtune.config import Config
from ovtune.document import parse as parse_document
from ovtune.document import text_of
from ovtune.goal import Goal
from ovtune.ledger import VisitEnded, VisitStarted
from ovtune.lineup import findings
from ovtune.recommendation import document_of
from ovtune.report import render
from ovtune.report.view import view_of
from ovtune.result import conclude
from ovtune.space import Space
from ovtune.study import Setup, Study
from ovtune.workload import ClosedLoop, Poisson, PoissonCapacity, Streams, StreamsCapacity
from tests import bench as benches
from tests import fake
from tests.bench import Bench, KilledError, of
from tests.queueing import Queueing

CAMERAS = StreamsCapacity(frames_per_s=20)
DEADLINE = bound(Goal(latency="p50", deadline_ms=33), CAMERAS)
LATENCY = bound(Goal(latency="p95", max_latency_ms=40), PoissonCapacity())
FAST = Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=4)
BATCHED = Config(device="BATCH:CPU(4)", nireq=4)
HINT = fake.BASELINES[1].config
LONG_S = 900.0


def truth(config: Config) -> float:
    """OpenVINO's THROUGHPUT hint does 150/s, its LATENCY hint 100/s, with more requests it is 205/s."""
    return {FAST.key: 205.0, BATCHED.key: 205.0, HINT.key: 150.0}.get(config.key, 100.0)


def bench(
    folder: Path,
    *others: Config,
    load: StreamsCapacity | PoissonCapacity = CAMERAS,
    goal: Goal = DEADLINE,
    evaluator: Queueing | None = None,
) -> Bench:
    known = [b.config for b in fake.BASELINES]
    setup: Setup = replace(fake.setup(), workload=load, space=Space(configs=(*known, *others)))
    return benches.make(folder, setup, goal=goal, evaluator=evaluator or Queueing(truth=truth, noise=0.01))


def probes(study: Study) -> list[tuple[str, str, object]]:
    return [(v.phase, v.config.key, v.workload) for v in of(study, "capacity", "verification")]


def test_cameras_are_counted_verified_and_compared(tmp_path: Path) -> None:
    """The config that serves 10 cameras beats the hint that serves 7; each end was verified by fresh blocks."""
    found = bench(tmp_path, FAST)
    study = found.search(3, confirm_s=LONG_S)
    result = conclude(study, DEADLINE)
    assert result.verdict.kind == "better"
    assert result.verdict.text == (
        "It serves 10 cameras of 20 frames/s with at most 1% late within 33 ms; "
        "OpenVINO's THROUGHPUT hint on CPU serves 7 cameras"
    )
    assert (result.recommended, result.baseline) == (FAST, fake.BASELINES[1])
    mine, its = result.bands[FAST.key], result.bands[HINT.key]
    assert (mine.low, mine.high, mine.above) == (1, 10, 11)
    assert (its.low, its.high, its.above) == (1, 7, 8)
    for config, band in ((FAST, mine), (HINT, its)):
        fresh = [v for v in of(study, "verification") if v.config == config]
        at_high = [v for v in fresh if v.workload == Streams(cameras=int(band.high), frames_per_s=20)]
        assert len(at_high) == band.at_high.blocks >= 3
        assert band.at_high.high <= 0.01
    assert study.duels == {}
    assert of(study, "elimination", "duel") == []


def test_search_itself_is_a_closed_loop(tmp_path: Path) -> None:
    """Trials have no load of their own; the blocks after them have one each, and arrivals of their own."""
    found = bench(tmp_path, FAST)
    study = found.search(3, confirm_s=LONG_S)
    assert all(v.workload is None and isinstance(found.evaluator, Queueing) for v in of(study, "search"))
    assert isinstance(found.evaluator, Queueing)
    plans = [plan for config, plan in found.evaluator.plans if config == FAST]
    keys = [(plan.workload, plan.seed) for plan in plans]
    assert len(set(keys)) == len(keys)
    assert all(isinstance(plan.workload, Streams) and plan.timeout_s > plan.duration_s for plan in plans)


def test_beaten_configs_are_asked_once(tmp_path: Path) -> None:
    """The weaker hint is asked only for more than the stronger one serves."""
    study = bench(tmp_path, FAST).search(3, confirm_s=LONG_S)
    weak = [v.workload for v in of(study, "capacity", "verification") if v.config == fake.BASELINES[0].config]
    assert weak == [Streams(cameras=8, frames_per_s=20)]
    told = next(f for f in findings(study, DEADLINE) if f.config == fake.BASELINES[0].config)
    assert told.settled
    assert told.reason == "it does not serve 8, more than the best so far"


def test_poisson_rates_are_a_band(tmp_path: Path) -> None:
    """Rates are answered from a low to a high end on the common scale, within the named percentile."""
    found = bench(tmp_path, FAST, load=PoissonCapacity(), goal=LATENCY)
    result = conclude(found.search(3, confirm_s=LONG_S), LATENCY)
    band = result.bands[FAST.key]
    assert band.low is not None
    assert band.low < 10
    assert 120 < band.high < 190
    assert band.above is not None
    assert band.above > band.high
    assert "with p95 within 40 ms; OpenVINO's THROUGHPUT hint on CPU sustains" in result.verdict.text


def test_low_rates_pay_for_a_batch(tmp_path: Path) -> None:
    """Where few items wait for a batch to fill, the low end of the band is where they no longer wait too long."""

    def waits_ms(config: Config, rate: float) -> float:
        return min(1000.0, 2000 / rate) if config == BATCHED else 0.0

    evaluator = Queueing(truth=truth, noise=0.01, waits_ms=waits_ms)
    found = bench(tmp_path, BATCHED, load=PoissonCapacity(), goal=LATENCY, evaluator=evaluator)
    band = conclude(found.search(3, confirm_s=LONG_S), LATENCY).bands[BATCHED.key]
    assert band.low is not None
    assert 50 < band.low < 80
    assert band.low < band.high


def test_openvinos_own_answer_may_be_best(tmp_path: Path) -> None:
    """A config that serves no more cameras than the hint is not recommended."""
    slower = replace(FAST, nireq=8)
    result = conclude(bench(tmp_path, slower).search(3, confirm_s=LONG_S), DEADLINE)
    assert result.verdict.kind == "equal"
    assert result.recommended == HINT
    assert "is already best here: it serves 7 cameras of 20 frames/s" in result.verdict.text


def test_limit_that_no_config_can_meet(tmp_path: Path) -> None:
    """A deadline that is shorter than any inference is answered soon, with the quickest answer that there was."""
    goal = replace(DEADLINE, deadline_ms=3.0)
    found = bench(tmp_path, FAST, goal=goal)
    study = found.search(3, confirm_s=LONG_S)
    result = conclude(study, goal)
    assert result.verdict.kind == "infeasible"
    assert "not a single camera with at most 1% late within 3 ms; the quickest answer of all took 4.8" in (
        result.verdict.text
    )
    assert len(probes(study)) <= 12
    assert result.bands == {}


def test_rate_far_above_capacity_is_answered(tmp_path: Path) -> None:
    """One camera that sends more than any config serves is too much."""
    load = StreamsCapacity(frames_per_s=5000)
    goal = bound(Goal(latency="p50", deadline_ms=33), load)
    study = bench(tmp_path, FAST, load=load, goal=goal).search(3, confirm_s=LONG_S)
    assert conclude(study, goal).verdict.kind == "infeasible"
    assert {w.cameras for _, _, w in probes(study) if isinstance(w, Streams)} <= {1, 2}


def test_blocks_that_fail_do_not_hang(tmp_path: Path) -> None:
    """A config whose process dies again and again is given up with the reason."""
    evaluator = Queueing(truth=truth, noise=0.01, breaks=True)
    study = bench(tmp_path, FAST, evaluator=evaluator).search(3, confirm_s=LONG_S)
    assert {f.reason for f in findings(study, DEADLINE)} == {"the process was ended by SIGSEGV"}
    assert len(probes(study)) == 9
    assert conclude(study, DEADLINE).verdict.kind == "infeasible"


def test_killed_search_goes_on_where_it_stood(tmp_path: Path) -> None:
    """Killed after any block and taken up again, it makes the same blocks as one that was never killed, each once."""
    whole = bench(tmp_path / "whole", FAST, evaluator=Steady(truth=truth)).search(3, confirm_s=LONG_S)
    cut = bench(tmp_path / "cut", FAST, evaluator=Steady(truth=truth))
    for visits in (4, 1, 6, 2, 5):
        with pytest.raises(KilledError):
            cut.search(3, confirm_s=LONG_S, dies_after=visits)
    assert probes(cut.search(3, confirm_s=LONG_S)) == probes(whole)
    assert conclude(cut.load(), DEADLINE).verdict == conclude(whole, DEADLINE).verdict
    asked = len(cut.evaluator.asked)
    cut.search(3, confirm_s=LONG_S)
    assert len(cut.evaluator.asked) == asked


def test_time_that_ends_is_said_and_can_be_added(tmp_path: Path) -> None:
    """Without time nothing is claimed; more of it goes on, and comes to the verdict."""
    found = bench(tmp_path, FAST)
    told = conclude(found.search(3, confirm_s=20.0), DEADLINE)
    assert told.verdict.kind == "unconfirmed"
    assert "give more --confirm" in told.verdict.text
    assert told.caveats[-1].kind == "unconfirmed"
    made = len(probes(found.load()))
    assert made > 0
    assert conclude(found.search(3, confirm_s=LONG_S), DEADLINE).verdict.kind == "better"
    assert len(probes(found.load())) > made


def test_another_deadline_goes_on_from_the_same_blocks(tmp_path: Path) -> None:
    """Blocks hold their latencies: under another deadline what was measured is judged anew, and the rest is added."""
    found = bench(tmp_path, FAST)
    before = probes(found.search(3, confirm_s=LONG_S))
    found.goal = replace(DEADLINE, deadline_ms=20.0)
    study = found.search(3, confirm_s=LONG_S)
    assert probes(study)[: len(before)] == before
    assert conclude(study, found.goal).bands[FAST.key].high <= conclude(study, DEADLINE).bands[FAST.key].high


def test_events_name_the_load(tmp_path: Path) -> None:
    """Whoever watches is told under which load each block is made, and never a number above the total."""
    found = bench(tmp_path, FAST)
    found.search(3, confirm_s=LONG_S)
    started = [e for e in found.events if isinstance(e, VisitStarted) and e.phase != "search"]
    assert started
    assert all(e.workload is not None and 1 <= e.number <= e.total for e in started)
    assert any(isinstance(e, VisitEnded) and e.started.phase == "verification" for e in found.events)


def test_document_and_report_tell_the_capacity(tmp_path: Path) -> None:
    """The document holds both bands and comes back as it was written; the report shows them first."""
    study = bench(tmp_path, FAST).search(3, confirm_s=LONG_S)
    result = conclude(study, DEADLINE)
    document = document_of(result)
    assert parse_document(text_of(document), name="x") == document
    assert document.load.kind == "streams_capacity"
    assert document.goal.deadline_ms == 33
    assert document.capacity is not None
    assert document.baseline.capacity is not None
    assert (document.capacity.kind, document.capacity.low, document.capacity.high) == ("cameras", 1, 10)
    assert (document.capacity.allowed_late, document.capacity.limit_ms) == (0.01, 33)
    assert document.baseline.capacity.high == 7
    figure = view_of(result).key_figures[0]
    assert figure.name == "capacity"
    assert figure.recommended.text.startswith("10 cameras with at most 1% late within 33 ms (verified: 0.00% late of")
    assert figure.baseline is not None
    assert figure.baseline.text.startswith("7 cameras")


class Steady(Queueing):
    """Answers a closed loop the same each time, so that two courses can be compared."""

    noise = 0.0

    def __post_init__(self) -> None:
        self.noise = 0.0
        super().__post_init__()


def test_closed_loop_studies_ask_for_no_capacity(tmp_path: Path) -> None:
    """A study under a given load has no bands, no capacity in its document, and no such line in its report."""
    result = conclude(fake.study(), Goal())
    assert result.bands == {}
    assert document_of(result).capacity is None
    assert view_of(result).key_figures[0].name == "throughput"
    assert isinstance(fake.study().setup.workload, ClosedLoop)
    assert not any(isinstance(v.workload, Poisson) for v in fake.study().visits)


def test_page_explains_how_a_capacity_is_found(tmp_path: Path) -> None:
    """The report's method tells of capacities where one was asked for, and of nothing else where none was."""
    study = bench(tmp_path, FAST).search(3, confirm_s=LONG_S)
    assert "<b>Capacity.</b>" in render(conclude(study, DEADLINE), document="", command="", python="")
    assert "<b>Capacity.</b>" not in render(conclude(fake.study(), Goal()), document="", command="", python="")

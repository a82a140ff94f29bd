import dataclasses
from typing import get_args

from ovtune.evaluator import Failed, SameAs
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.report.view import BADGES, View, view_of
from ovtune.result import conclude
from ovtune.verdict import VerdictKind
from tests import fake
from tests.report import sample


def view(**options: int) -> View:
    """What the report on a sample shows."""
    return view_of(sample.result(**options))


def test_key_figures() -> None:
    """The first table holds throughput and every latency, with intervals or with the reason why there is none."""
    figures = {figure.name: figure for figure in view().key_figures}
    assert figures["throughput"].recommended.range
    assert figures["p95 latency"].of_goal
    assert "of 6636 samples" in figures["p99.9 latency"].recommended.text


def test_baseline_beside() -> None:
    """A recommendation of ovtune's own stands beside OpenVINO's strongest answer, with the duel's ratio."""
    found = view_of(sample.better())
    assert found.kind == "better"
    figures = found.key_figures
    assert figures[0].baseline is not None
    assert figures[0].ratio


def test_baseline_itself() -> None:
    """Where OpenVINO's own answer is recommended it is not compared with itself."""
    found = view_of(sample.result())
    assert found.kind == "equal"
    assert all(figure.baseline is None and not figure.ratio for figure in found.key_figures)


def test_badges() -> None:
    """Each kind of verdict has words of its own."""
    assert set(BADGES) == set(get_args(VerdictKind))
    assert len(set(BADGES.values())) == len(BADGES)


def test_fallback_metric_is_said() -> None:
    """Where not all configs have the goal's percentile, the reader learns by which one they are compared."""
    found = view()
    assert found.metric == "p50"
    assert "p95" in found.metric_note
    assert view_of(sample.result(goal=Goal(latency="p50"))).metric_note == ""


def test_shared_baseline() -> None:
    """Baselines that run alike share one mark on the front."""
    made = sample.study()
    first, second = (b.config for b in fake.BASELINES)
    made = sample.with_outcomes(made, {0: SameAs(config_key=second.key, effective_key="x")})
    found = view_of(conclude(made, made.goal))
    assert first != second
    assert [b.letter for b in found.baselines] == ["A", "A"]


def test_unmeasured_baseline() -> None:
    """A baseline that could not be measured is listed and says so."""
    made = sample.with_outcomes(sample.study(pairs=0), {0: Failed(reason="no")})
    found = view_of(conclude(made, made.goal))
    first = found.baselines[0]
    assert (first.letter, first.text) == ("\u2013", "not measured")


def test_failures_by_reason() -> None:
    """Failures are gathered by their reason, the most frequent first, with the places where they happened."""
    made = sample.with_outcomes(sample.study(), {n: Failed(reason="out of memory") for n in (9, 10, 11, 40)})
    failures = view_of(conclude(made, made.goal)).failures
    assert (failures[0].reason, failures[0].count) == ("out of memory", 4)
    assert failures[0].where == "trial 9, trial 10, trial 11, duel, round 6"
    assert {f.reason for f in failures[1:]} == {"CPU refuses it <for a test>", "the process was ended by SIGSEGV"}


def test_refused_devices() -> None:
    """A device string that could not be searched is among what could not be measured."""
    made = sample.study()
    made = dataclasses.replace(made, setup=dataclasses.replace(made.setup, refused={"GPU": "no driver"}))
    failures = view_of(conclude(made, made.goal)).failures
    assert ("no driver", "device GPU") in {(f.reason, f.where) for f in failures}


def test_no_duel() -> None:
    """Without a duel the verdict is unconfirmed."""
    assert view(pairs=0).kind == "unconfirmed"


def test_goal_in_words() -> None:
    """The goal's limits are told as they were given."""
    goal = Goal(max_latency_ms=25, min_throughput_per_s=50, max_memory_bytes=500e6)
    asked = {fact.name: fact.text for fact in view_of(sample.result(goal=goal)).asked}
    assert "p95 at most 25 ms; at least 50/s; memory at most 500 MB; differences count from 2 %" in asked["goal"]


def test_the_hosts_course_is_told() -> None:
    """How many measurements other work held up is said, and the processor's frequency where the host tells it."""
    result = sample.result()
    visits = []
    for place, visit in enumerate(result.study.visits):
        found = visit.outcome
        if isinstance(found, Block):
            found = dataclasses.replace(found, others_busy=0.5 * (place < 3), frequency_mhz=2000.0 + place)
        visits.append(dataclasses.replace(visit, outcome=found))
    study = dataclasses.replace(result.study, visits=tuple(visits))
    facts = {fact.name: fact.text for fact in view_of(conclude(study, result.goal)).counts}
    blocks = sum(isinstance(v.outcome, Block) for v in visits)
    assert facts["held up by other work"] == f"3 of {blocks} measurements"
    assert facts["processor frequency"].startswith("2000 to 20")
    told = {fact.name: fact.text for fact in view().counts}
    assert told["held up by other work"].startswith("0 of ")
    assert "processor frequency" not in told

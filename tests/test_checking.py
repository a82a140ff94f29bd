import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovtune import checking, content, duel
from ovtune.checking import Finding, Request
from ovtune.config import Config
from ovtune.content import Feed
from ovtune.document import Document, InputsPart, text_of
from ovtune.errors import DeploymentError, DeviceError, DocumentError, HostBusyError, MeasurementError, ModelError
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.host import exclusive
from ovtune.ledger import Watch
from ovtune.measurement import Block, Plan
from ovtune.pairing import Visited
from ovtune.workload import ClosedLoop
from tests import fake
from tests.fake import FakeEvaluator
from tests.fake_runtime import FakeRuntime, answering
from tests.promised import BASELINE, CONFIG, OTHER, document

ALONE = {"rival": None, "kind": "unconfirmed", "throughput_ratio": None, "latency_ratio": None}


@dataclass
class Bench:
    """A check on simulated time."""

    evaluator: FakeEvaluator
    runtime: FakeRuntime
    given: dict[str, Any]
    seen: list[Visited]
    stop_after: int | None = None

    def run(self, told: Document, against: Document | None = None, **fields: Any) -> Finding:
        Path("best.json").write_text(text_of(told))
        if against is not None:
            Path("other.json").write_text(text_of(against))
            fields["against"] = Path("other.json")
        watch = Watch(
            emit=self.seen.append,
            stopping=lambda: self.stop_after is not None and len(self.evaluator.asked) >= self.stop_after,
            clock=lambda: self.evaluator.now_s,
        )
        return checking.run(Request(config=Path("best.json"), **fields), watch)

    def slow(self, *, config: float = 1.0, machine: float = 1.0) -> None:
        self.evaluator.truth = lambda asked: fake.speed(asked) * machine * (config if asked == CONFIG else 1.0)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(evaluator=FakeEvaluator(noise=0.01), runtime=FakeRuntime(), given={}, seen=[])

    def process(**fields: Any) -> FakeEvaluator:
        made.given.update(fields)
        return made.evaluator

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answering(monkeypatch, made.runtime.ask)
    monkeypatch.setattr(checking, "TrialProcess", process)
    yield made
    assert not list(tmp_path.glob("tmp*"))


class TestAnswers:
    def test_it_holds(self, bench: Bench) -> None:
        """A config that is as it was: decided at the first look, with no difference and nothing failed."""
        found = bench.run(document())
        assert (found.kind, found.differences, found.failures, found.interrupted) == ("holds", (), (), False)
        assert len(found.pairs.blocks) == len(found.pairs.others) == found.pairs.looks[0]

    def test_it_is_fed_as_the_document_says(self, bench: Bench) -> None:
        """The files that were run, and the copies that were measured, are run and measured again."""
        np.save("x.npy", np.zeros((1, 3, 224, 224)))
        file = str(Path("x.npy").resolve())
        feed = Feed(inputs=fake.MODEL.inputs, files=(file,), digests=content.digests([file]), copying=True)
        told = document().model_copy(update={"inputs": InputsPart(files=[file], sha256=feed.sha256, copied=True)})
        assert bench.run(told).differences == ()
        assert bench.given["feed"] == feed
        np.save("x.npy", np.ones((1, 3, 224, 224)))
        assert bench.run(told).differences == (f"random values are run, measured with {file} (they have changed)",)
        assert bench.given["feed"] == replace(feed, files=(), digests=())
        Path("x.npy").unlink()
        assert any("x.npy cannot be read" in text for text in bench.run(told).differences)

    def test_it_is_slower(self, bench: Bench) -> None:
        """A config that lost 10 % against its baseline."""
        bench.slow(config=0.9)
        assert bench.run(document()).kind == "slower"

    def test_a_slower_machine_is_no_fault_of_the_config(self, bench: Bench) -> None:
        """Config and baseline at 80 % of what they were."""
        bench.slow(machine=0.8)
        found = bench.run(document())
        assert found.kind == "holds"
        assert found.pairs.judgement is not None
        assert found.pairs.judgement.absolute is not None
        assert found.pairs.judgement.absolute.standing == "machine"

    def test_it_is_not_decided(self, bench: Bench) -> None:
        """A config as good as promised less the margin, in noise: all pairs are made, and more would be needed."""
        bench.evaluator.noise = 0.05
        bench.slow(config=0.98 * 0.98)
        found = bench.run(document())
        assert found.kind == "undecided"
        assert found.pairs.judgement is not None
        assert found.pairs.judgement.relative == "undecided"
        assert len(found.pairs.blocks) == found.pairs.looks[-1]

    def test_another_document_takes_the_baselines_place(self, bench: Bench) -> None:
        """It is measured instead, and the promise is not to be slower than it."""
        found = bench.run(document(), document(OTHER))
        assert set(bench.evaluator.asked) == {CONFIG, OTHER}
        assert (found.kind, found.promise.least) == ("holds", 1.0)
        assert bench.run(document(OTHER), document()).kind == "slower"


class TestPairs:
    def test_sides_take_turns(self, bench: Bench) -> None:
        """A B, B A, A B: as in a duel, each a visit as it was measured."""
        bench.run(document())
        asked = bench.evaluator.asked
        assert asked[:6] == [CONFIG, BASELINE, BASELINE, CONFIG, CONFIG, BASELINE]
        assert bench.given["workload"] == ClosedLoop()
        assert bench.given["files"] == {"FP32": "demo:mobilenet"}
        assert len(bench.given["keep_open"]) == 1

    def test_a_config_that_comes_again_may_be_cached(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first visit to each compiles anew, as the folder for compiled models is the check's own."""
        evaluate, again = FakeEvaluator.evaluate, []

        def noted(self: FakeEvaluator, config: Config, plan: Plan, /) -> Outcome:
            again.append(plan.again)
            return evaluate(self, config, plan)

        monkeypatch.setattr(FakeEvaluator, "evaluate", noted)
        bench.run(document())
        assert again[:3] == [False, False, True]
        assert all(again[2:])
        assert bench.given["cache"].endswith("/compiled")

    def test_what_other_work_held_up_is_visited_again(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """The repeat counts in its place; on a host that is never quiet at most a fifth of all visits are repeated."""
        evaluate = FakeEvaluator.evaluate

        def contended(self: FakeEvaluator, config: Config, plan: Plan, /) -> Outcome:
            block = evaluate(self, config, plan)
            assert isinstance(block, Block)
            return replace(block, others_busy=0.5)

        monkeypatch.setattr(FakeEvaluator, "evaluate", contended)
        found = bench.run(document())
        made, asked = 2 * len(found.pairs.blocks), len(bench.evaluator.asked)
        assert bench.evaluator.asked[:2] == [CONFIG, CONFIG]
        assert 0 < asked - made <= 0.2 * asked + 1

    def test_looks_are_planned_from_the_first_pair(self, bench: Bench) -> None:
        """A pair takes 3 s: in two minutes there are 40, looked at in thirds."""
        assert bench.run(document(), confirm_s=120.0).pairs.looks == duel.looks(40)
        assert bench.seen[1].total is None
        assert bench.seen[2].total == 80

    def test_progress_names_the_sides(self, bench: Bench) -> None:
        """Each visit is told with its number, side and outcome."""
        bench.run(document())
        assert [(v.number, v.side) for v in bench.seen[:3]] == [(1, "config"), (2, "the baseline"), (3, "the baseline")]
        assert all(isinstance(v.outcome, Block) for v in bench.seen)

    def test_too_little_time_is_not_used_up(self, bench: Bench) -> None:
        """Where the first pair shows that no interval can come of it, the check ends with it."""
        found = bench.run(document(), confirm_s=10.0)
        assert (found.kind, len(found.pairs.blocks)) == ("undecided", 1)

    def test_the_last_look_is_taken_when_the_time_ends(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """Visits that take longer than the first ones end the check in its time, with what there is."""
        evaluate = FakeEvaluator.evaluate

        def slower(self: FakeEvaluator, config: Config, plan: Plan, /) -> Outcome:
            self.now_s += 1.5 if len(self.asked) > 8 else 0.0
            return evaluate(self, config, plan)

        monkeypatch.setattr(FakeEvaluator, "evaluate", slower)
        found = bench.run(document(), confirm_s=60.0)
        assert 6 <= len(found.pairs.blocks) < found.pairs.looks[-1]
        assert found.kind == "holds"
        assert bench.evaluator.now_s - 1_700_000_000 <= 60.0

    def test_a_failed_visit_costs_its_pair(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """The other side's block is dropped with it, and the failure is told."""
        evaluate = FakeEvaluator.evaluate

        def failing(self: FakeEvaluator, config: Config, plan: Plan, /) -> Outcome:
            block = evaluate(self, config, plan)
            return Failed(reason="it crashed") if len(self.asked) in {1, 8} else block

        monkeypatch.setattr(FakeEvaluator, "evaluate", failing)
        found = bench.run(document())
        assert found.kind == "holds"
        assert found.failures == ("config: it crashed", "config: it crashed")
        assert len(found.pairs.blocks) == len(found.pairs.others)

    @pytest.mark.parametrize(
        ("config", "outcome", "error", "said"),
        [
            (CONFIG, Infeasible(reason="no"), DeviceError, r"config cannot run here \(no\): search again"),
            (BASELINE, Infeasible(reason="no"), DeviceError, r"the baseline cannot run here \(no\)"),
            (CONFIG, Failed(reason="no"), MeasurementError, r"config failed 3 times \(no\)"),
            (CONFIG, SameAs(config_key="a", effective_key="b"), MeasurementError, "config was not measured"),
        ],
    )
    def test_what_does_not_run_is_an_error(
        self, bench: Bench, config: Config, outcome: Outcome, error: type[Exception], said: str
    ) -> None:
        """A side that is refused, or fails each time, ends the check."""
        bench.evaluator.outcomes = {config.key: outcome}
        with pytest.raises(error, match=said):
            bench.run(document())

    def test_a_config_that_dies_now_and_then_forever_ends(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """After the first pair failures are counted, not fatal, and the time bounds them."""
        evaluate = FakeEvaluator.evaluate

        def failing(self: FakeEvaluator, config: Config, plan: Plan, /) -> Outcome:
            block = evaluate(self, config, plan)
            return Failed(reason="it crashed") if len(self.asked) > 2 else block

        monkeypatch.setattr(FakeEvaluator, "evaluate", failing)
        found = bench.run(document())
        assert (found.kind, len(found.pairs.blocks)) == ("undecided", 1)


class TestAlone:
    def test_its_blocks_alone_are_measured(self, bench: Bench) -> None:
        """A config that is its own baseline, with no rival, is compared with its interval for the next block."""
        found = bench.run(document(BASELINE, verdict=ALONE))
        assert set(bench.evaluator.asked) == {BASELINE}
        assert (found.kind, found.pairs.others, found.unconfirmed) == ("holds", (), True)

    def test_a_slow_machine_is_not_decided(self, bench: Bench) -> None:
        """There is nothing to tell it from the config by."""
        bench.slow(machine=0.8)
        assert bench.run(document(BASELINE, verdict=ALONE)).kind == "undecided"

    def test_nothing_to_check(self, bench: Bench) -> None:
        """Elsewhere its interval is worth nothing, either."""
        told = document(BASELINE, verdict=ALONE, environment={"openvino": "2025.1"})
        with pytest.raises(
            DeploymentError, match=r"nothing that can be checked here \(OpenVINO is 2026.4, .*--against"
        ):
            bench.run(told)
        assert (
            bench.run(
                document(
                    BASELINE, verdict=ALONE, environment={"openvino": "2025.1"}, goal={"min_throughput_per_s": 1.0}
                )
            ).kind
            == "holds"
        )


class TestDifferences:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"openvino": "2025.1"}, "OpenVINO is 2026.4, measured with 2025.1"),
            ({"cpus": 999}, f"{len(os.sched_getaffinity(0))} CPUs may be used, measured with 999"),
            ({"cpu_set": "4000"}, "it runs on all CPUs, measured on 4000"),
            ({"beside": "stress -c 1"}, "nothing runs beside it, measured beside 'stress -c 1'"),
        ],
    )
    def test_absolute_figures_of_other_circumstances_are_not_judged(
        self, bench: Bench, change: dict[str, Any], said: str
    ) -> None:
        """The difference is told, and the ratio alone decides."""
        bench.slow(machine=0.8)
        found = bench.run(document(environment=change))
        assert (found.kind, found.differences) == ("holds", (said,))
        assert found.pairs.judgement is not None
        assert found.pairs.judgement.absolute is None

    def test_another_model_is_told(self, bench: Bench) -> None:
        """By its digest, whatever its path."""
        found = bench.run(document(), model="demo:mlp")
        assert found.differences == ()
        bench.runtime.model = replace(fake.MODEL, sha256="e" * 64)
        (line,) = bench.run(document(), model="demo:mlp").differences
        assert line == "model demo:mlp is not the one that was measured (demo:mobilenet)"
        assert bench.given["files"] == {"FP32": "demo:mlp"}

    def test_the_other_documents_are_told_with_its_name(self, bench: Bench) -> None:
        """Its figures are no witness then, the first document's still are a promise."""
        found = bench.run(document(), document(OTHER, environment={"openvino": "2025.1"}))
        assert found.differences == ("other.json: OpenVINO is 2026.4, measured with 2025.1",)
        assert found.promise.throughput_ratio is None
        assert found.promise.next_per_s is not None

    def test_it_is_kept_on_the_same_cpus(self, bench: Bench) -> None:
        """A config that was measured on some CPUs is checked on them."""
        one = str(min(os.sched_getaffinity(0)))
        evaluate, on = bench.evaluator.evaluate, []

        def noted(config: Config, plan: Plan, /) -> Outcome:
            on.append(os.sched_getaffinity(0))
            return evaluate(config, plan)

        bench.evaluator.evaluate = noted  # type: ignore[method-assign]
        found = bench.run(document(environment={"cpu_set": one, "cpus": 1}))
        assert found.differences == ()
        assert set(map(frozenset, on)) == {frozenset({int(one)})}


class TestSoak:
    def test_each_side_runs_once_after_the_pairs(self, bench: Bench) -> None:
        """For the asked time, and told like the other visits."""
        found = bench.run(document(), soak_s=30.0)
        assert bench.evaluator.asked[-2:] == [CONFIG, BASELINE]
        assert [v.side for v in bench.seen[-2:]] == ["soak of config", "soak of the baseline"]
        assert found.soak is not None
        assert found.soak.opponent is not None
        assert found.soak.config.elapsed_s == pytest.approx(30.0, rel=0.02)
        assert found.kind == "holds"

    def test_a_config_that_gets_hot_is_slower(self, bench: Bench) -> None:
        """Its short blocks hold, its long one falls below the promise."""
        evaluate = bench.evaluator.evaluate

        def hot(config: Config, plan: Plan, /) -> Outcome:
            bench.slow(config=0.8 if plan.duration_s > 10 else 1.0)
            return evaluate(config, plan)

        bench.evaluator.evaluate = hot  # type: ignore[method-assign]
        found = bench.run(document(), soak_s=30.0)
        assert found.pairs.judgement is not None
        assert found.pairs.judgement.kind == "holds"
        assert found.kind == "slower"

    def test_alone(self, bench: Bench) -> None:
        """Without an opponent its course is told."""
        found = bench.run(document(BASELINE, verdict=ALONE), soak_s=30.0)
        assert found.soak is not None
        assert found.soak.opponent is None

    def test_a_failed_soak_is_told(self, bench: Bench) -> None:
        """The pairs' answer stands."""
        evaluate = bench.evaluator.evaluate
        bench.evaluator.evaluate = lambda config, plan, /: (  # type: ignore[method-assign]
            Failed(reason="too hot") if plan.duration_s > 10 else evaluate(config, plan)
        )
        found = bench.run(document(), soak_s=30.0)
        assert (found.kind, found.soak, found.failures) == ("holds", None, ("soak of config: too hot",))


class TestStopping:
    @pytest.mark.parametrize("after", [0, 1, 5, 13])
    def test_it_is_not_decided(self, bench: Bench, after: int) -> None:
        """After the running block it ends with the whole pairs that it has."""
        bench.stop_after = after
        found = bench.run(document())
        assert len(bench.evaluator.asked) == after
        assert (found.kind, found.interrupted, len(found.pairs.blocks)) == ("undecided", True, after // 2)

    def test_an_answer_outlives_an_interrupted_soak(self, bench: Bench) -> None:
        """What the pairs decided stands, and the soak that was made is told."""
        made = 2 * len(bench.run(document()).pairs.blocks)
        bench.evaluator.asked.clear()
        bench.stop_after = made + 1
        found = bench.run(document(), soak_s=30.0)
        assert (found.kind, found.interrupted) == ("holds", True)
        assert found.soak is not None
        assert found.soak.opponent is None


class TestErrors:
    def test_the_host_is_taken(self, bench: Bench) -> None:
        """Nothing is measured beside another measurement."""
        with exclusive(wait=False), pytest.raises(HostBusyError):
            bench.run(document())

    def test_documents_are_read_before_anything_is_measured(self, bench: Bench) -> None:
        """Two models cannot be compared, and no device is asked."""
        with pytest.raises(DocumentError, match="for different models"):
            bench.run(document(), document(OTHER, model={"sha256": "f" * 64}))
        assert bench.runtime.asked == []

    def test_weights_that_cannot_be_made(self, bench: Bench) -> None:
        """A variant of another model is refused by name."""
        with pytest.raises(ModelError, match="INT8 weights cannot be made of demo:mobilenet"):
            bench.run(document(replace(CONFIG, precision="INT8")))


def test_weights_are_converted_only_where_they_are_needed(bench: Bench) -> None:
    """FP16 for the config, the model's own for the baseline."""
    bench.run(document(replace(CONFIG, precision="FP16")))
    assert [asked for asked in bench.runtime.asked if asked[0] == "convert"] == [("convert", "FP16")]
    assert set(bench.given["files"]) == {"FP32", "FP16"}

"""Outputs compared with the reference's on the real runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from ovtune import agreement, asset, codec, preparation, session, survey
from ovtune.agreement import Agreement
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.content import Feed
from ovtune.errors import UsageError
from ovtune.evaluator import Infeasible, Outcome
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.session import Search
from ovtune.study import agreement_of
from ovtune.trial_process import TrialProcess
from ovtune.wanted import Wanted
from ovtune.workload import ClosedLoop
from tests import models

pytestmark = pytest.mark.runtime

PLAN = Plan(duration_s=0.02, warmup_s=0.02, least_requests=2, longest_s=1.0, timeout_s=120.0)
DEFAULT = Config(device="CPU", nireq=1)
EXACT = Config(device="CPU", nireq=1, properties={"INFERENCE_PRECISION_HINT": "f32"})


def has_bf16() -> bool:
    """Whether the CPU computes in bf16 where nothing else is asked for."""
    (cpu,) = (device for device in preparation.sight(None, {}).devices if device.name == "CPU")
    return cpu.precision == "bf16"


def random_weights(*shape: int) -> ov.Node:
    """A constant of normal values."""
    return op.constant(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def evaluator(path: str, folder: Path, **others: str) -> TrialProcess:
    """Visits that compare with the outputs of the model at ``path``; ``others`` are variants."""
    seen = preparation.sight(path, {})
    assert seen.model is not None
    feed = Feed(inputs=seen.model.inputs)
    reference = asset.reference_of(seen.model, folder, feed=feed, shapes={}, plugins={})
    files = {"FP32": path, "FP16": path, **others}
    return TrialProcess(files=files, plugins={}, workload=ClosedLoop(), feed=feed, reference=reference)


def compared(outcome: Outcome) -> Agreement:
    """What a visit found that must succeed."""
    assert isinstance(outcome, Block), outcome
    assert outcome.outputs is not None, outcome.caveats
    return outcome.outputs


def why_not(outcome: Outcome) -> str:
    """Why a visit compared nothing."""
    assert isinstance(outcome, Block), outcome
    assert outcome.outputs is None
    return " ".join(caveat.text for caveat in outcome.caveats if caveat.kind == "not_compared")


def test_precision_shows(tmp_path: Path) -> None:
    """The same config as the reference's agrees; the CPU's default does so only where that is not bf16."""
    visits = evaluator("demo:encoder", tmp_path)
    exact, default = (compared(visits.evaluate(config, PLAN)) for config in (EXACT, DEFAULT))
    assert exact.max_rel == pytest.approx(0, abs=1e-5)
    assert default.max_rel is not None
    assert (default.max_rel > 1e-4) == has_bf16()
    assert not default.nonsense


@pytest.mark.parametrize(
    "config",
    [
        Config(device="CPU", nireq=3),
        Config(device="CPU", nireq=2, batch_size=4),
        Config(device="BATCH:CPU(4)", nireq=4),
        Config(device="BATCH:CPU(4)", nireq=6, properties={"AUTO_BATCH_TIMEOUT": 50}),
        Config(device="CPU", nireq=1, api="sync"),
    ],
    ids=lambda config: config.words,
)
def test_all_items_are_compared(config: Config, tmp_path: Path) -> None:
    """Requests and batches get eight different items at least, and each output is that of its item."""
    found = compared(evaluator(models.saved(models.dense(), tmp_path), tmp_path).evaluate(config, PLAN))
    assert found.items >= 8
    assert found.max_rel is not None
    assert found.max_rel < 0.02


def test_another_network_is_found_out(tmp_path: Path) -> None:
    """A variant of the same shapes with other weights is infeasible, for a reason that says so."""
    x = models.parameter((1, 16))
    path = models.saved(models.model(op.matmul(x, random_weights(16, 16), False, False), x), tmp_path, "own")
    y = models.parameter((1, 16))
    twisted = op.matmul(op.matmul(y, random_weights(16, 16), False, False), random_weights(16, 16), False, False)
    other = models.saved(models.model(twisted, y), tmp_path, "other")
    found = evaluator(path, tmp_path, small=other).evaluate(Config(device="CPU", nireq=1, precision="small"), PLAN)
    assert isinstance(found, Infeasible)
    assert "have nothing to do with those of CPU f32" in found.reason


@pytest.mark.parametrize("build", [models.randomised, models.seeded])
def test_random_outputs_are_not_compared(build: Callable[[], ov.Model], tmp_path: Path) -> None:
    """A model that gives something else each time is measured, and it is said why nothing was compared."""
    found = evaluator(models.saved(build(), tmp_path), tmp_path).evaluate(DEFAULT, PLAN)
    assert "gives other outputs each time" in why_not(found)


def test_differences_of_large_numbers_blame_nobody(tmp_path: Path) -> None:
    """Where bf16 leaves nothing of an output, that is told, and the default stays a config that can be recommended."""
    x = models.parameter((1, 256))
    weights = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
    nearly = weights + 1e-6 * np.random.default_rng(1).standard_normal((256, 256)).astype(np.float32)
    one, other = (op.matmul(x, op.constant(w), False, False) for w in (weights, nearly))
    path = models.saved(models.model(op.subtract(one, other), x), tmp_path)
    assert not compared(evaluator(path, tmp_path).evaluate(DEFAULT, PLAN)).nonsense


def test_reference_that_fails_is_told(tmp_path: Path) -> None:
    """The file holds the reason then, and with a limit of the error a search refuses to begin."""
    path = models.saved(models.failing(), tmp_path)
    seen = preparation.sight(path, {})
    assert seen.model is not None
    feed = Feed(inputs=seen.model.inputs)
    reference = asset.reference_of(seen.model, tmp_path, feed=feed, shapes={}, plugins={})
    assert "in full precision" in agreement.reason_in(reference)
    asked = Search(wish=Wish(model=path), goal=Goal(max_error=0.01), budget=Budget(trials=2))
    with pytest.raises(UsageError, match=r"--max-error 0.01 needs outputs to compare with"):
        session.run(asked, Place(folder=tmp_path / "studies"))


def test_limit_makes_the_recommendation_exact(tmp_path: Path) -> None:
    """With a limit that bf16 breaks an f32 config is recommended, and the baseline's own error stands beside it."""
    goal = Goal(max_error=1e-4)
    held = {"INFERENCE_PRECISION_HINT": ("f32",), "nireq": (1, 2), "batch_size": (1,), "auto_batch_size": (1,)}
    space = Wanted(only=held)
    wish = Wish(model="demo:mlp", device_strings=("CPU",), space=space)
    budget = Budget(trials=6, confirm_s=1.0, plan=PLAN)
    result, files = session.run(Search(wish=wish, goal=goal, budget=budget), Place(folder=tmp_path))
    mine, its = (agreement_of(result.study, c) for c in (result.recommended, result.baseline.config))
    assert mine is not None
    assert mine.max_rel is not None
    assert mine.max_rel <= 1e-4
    assert its is not None
    assert its.max_rel is not None
    if has_bf16():
        assert result.measured.effective["INFERENCE_PRECISION_HINT"] == "f32"
        assert its.max_rel > 1e-4
        assert "breaks a limit: outputs differ by" in result.verdict.text or result.verdict.kind == "trade"
        assert "output error" in files.report.read_text()


def test_survey_question_is_plain() -> None:
    """What a child is asked is read again as it was written."""
    question = survey.ReferenceQuestion(path="a", plugins={}, target="b", feed=Feed())
    assert codec.load(codec.dump(question, survey.ReferenceQuestion), survey.ReferenceQuestion) == question

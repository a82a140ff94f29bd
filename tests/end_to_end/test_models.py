"""Whole searches on odd models and inputs: each ends, wastes no trial, and says what could not be searched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import openvino as ov
import pytest

from ovtune import document, session
from ovtune.budget import Budget
from ovtune.evaluator import SameAs
from ovtune.measurement import Block
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.result import Result
from ovtune.session import Search
from ovtune.study import agreement_of
from ovtune.wanted import Wanted
from tests import models
from tests.end_to_end.test_real import GOAL, PLAN, _own_lock, reasons

pytestmark = [pytest.mark.runtime, pytest.mark.usefixtures("_own_lock")]

BATCHED = Wanted(only={"batch_size": (2,), "nireq": (1,)})
"""The trials behind OpenVINO's own answers run two items at once."""
__all__ = ["_own_lock"]  # a fixture, used by its name


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, and what a search on it must find.

    Attributes:
        make: Writes it into a folder and returns its path.
        batches: Whether it takes a batch.
        says: The kinds of its caveats.
        words: What these tell.
        shapes: What its dynamic inputs are given.
    """

    make: Callable[[Path], str]
    batches: bool = True
    says: tuple[str, ...] = ()
    words: str = ""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def small(build: Callable[..., ov.Model], *given: object) -> Callable[[Path], str]:
    return lambda folder: models.saved(build(*given), folder)


def light(name: str) -> Callable[[Path], str]:
    return lambda folder: models.light(name, folder)


CASES = {
    "inception_v1": Case(
        make=light("inception_v1"), batches=False, says=("one_batch",), words="the model does not take a batch of 2"
    ),
    "shufflenet": Case(
        make=light("shufflenet"), batches=False, says=("one_batch",), words="the model does not take a batch of 2"
    ),
    "resnet50": Case(make=light("resnet50"), says=("auto_batching_silent",), words="on CPU"),
    "two dynamic inputs": Case(
        make=small(models.two_dynamic_inputs), says=("auto_batching_silent",), shapes={"x": (1, 8), "y": (1, 8)}
    ),
    "int64": Case(make=small(models.tokens)),
    "boolean": Case(make=small(models.masked), says=("auto_batching_silent",)),
    "FP16 alone": Case(make=lambda folder: models.saved(models.dense(), folder, fp16=True)),
    "f16": Case(make=small(models.typed_dense, ov.Type.f16)),
    "bf16": Case(make=small(models.typed_dense, ov.Type.bf16)),
    "stateful": Case(
        make=small(models.stateful), batches=False, says=("state_reset", "one_batch"), words="a state for each"
    ),
    "no batch": Case(
        make=small(models.without_batch), batches=False, says=("one_batch",), words="x [8, 16] has no batch of 1"
    ),
    "scalar output": Case(
        make=small(models.scalar_output), batches=False, says=("one_batch",), words="outputs do not follow a batch of 2"
    ),
    "softmax over the batch": Case(
        make=small(models.mixing, "softmax"), batches=False, says=("one_batch",), words="depend on the others"
    ),
}


def searched(folder: Path, wish: Wish, *, trials: int) -> tuple[Result, Path]:
    """A search without a confirmation, and its document."""
    budget = Budget(trials=trials, confirm_s=0.1, plan=PLAN)
    result, files = session.run(Search(wish=wish, study="s", goal=GOAL, budget=budget), Place(folder=folder))
    return result, files.best


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_search_ends_and_says_what_it_left_out(case: Case, tmp_path: Path) -> None:
    """No trial fails, all outputs are the reference's, and document and report tell what could not be searched."""
    wish = Wish(model=case.make(tmp_path), shapes=case.shapes or None, space=BATCHED if case.batches else None)
    result, best = searched(tmp_path, wish, trials=3)
    setup = result.study.setup
    assert reasons(result) == []
    batches = {c.batch_size for c in setup.space.configs}
    assert batches == ({2} if case.batches else {1})
    automatic = {c.auto_batch_size for c in setup.space.configs}
    assert automatic == {1}
    assert setup.model.batches_on("CPU") == (not case.says)
    told = document.read(best)
    of_model = [c for c in told.caveats if c.kind in {"one_batch", "auto_batching_silent", "state_reset"}]
    assert tuple(c.kind for c in of_model) == case.says
    assert case.words in " ".join(c.text for c in of_model)
    assert all(c.text.partition(":")[0] in (best.parent / "report.html").read_text("utf-8") for c in of_model)
    visits = [v for v in result.study.visits if v.phase == "search" and isinstance(v.outcome, Block | SameAs)]
    assert case.batches == (2 in {v.config.batch_size for v in visits})
    for visit in visits:
        agreed = agreement_of(result.study, visit.config)
        assert agreed is not None
        assert agreed.cosine is None or agreed.cosine > 0.99
        assert not agreed.nonsense
    assert told.config.shapes == {name: list(shape) for name, shape in case.shapes.items()}

from dataclasses import replace
from pathlib import Path

import pytest

from ovtune.config import Config
from ovtune.evaluator import Failed, SameAs
from ovtune.field import survey_field
from ovtune.measurement import Block
from ovtune.result import alternative, conclude
from ovtune.sharing import EVERY, MOST, due, sharing_of
from ovtune.space import Space
from ovtune.study import Setup, Study
from tests import bench as benches
from tests import fake
from tests.bench import Bench, of, small

SHORT = 1.0
SOME = 7


def twins(count: int = SOME) -> Setup:
    """A setup whose configs come in pairs that run alike: with FP32 and with FP16 weights."""
    setup = small(count - len(fake.BASELINES))
    others = tuple(replace(c, precision="FP16") for c in setup.space.configs)
    return replace(setup, space=Space(configs=(*setup.space.configs, *others)))


def searched(bench: Bench) -> Study:
    """The study when all configs of its space have been tried."""
    return bench.search(50, confirm_s=SHORT)


def quicker(config: Config) -> float:
    """A truth in which FP16 weights are half as fast again, although the runtime reads back the same."""
    return fake.speed(config) * (1.5 if config.precision == "FP16" else 1.0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return benches.make(tmp_path, twins())


def test_a_shared_pair_is_measured_after_all(bench: Bench) -> None:
    """After some shared trials one of them is measured beside its owner, agrees, and goes on sharing."""
    study = searched(bench)
    shared = [v for v in study.visits if isinstance(v.outcome, SameAs)]
    checks = of(study, "check")
    assert EVERY <= len(shared) < 2 * EVERY
    fourth = shared[EVERY - 1].config.key
    assert [v.config.key for v in checks] == [fourth, study.owners[fourth]]
    assert all(isinstance(v.outcome, Block) for v in checks)
    assert study.owners.keys() == {v.config.key for v in shared}
    known = sharing_of(study)
    assert (known.saved, known.trials) == (len(shared), study.trials)
    assert not known.pairs[0].differs
    assert known.words.startswith(f"{len(shared)} of {study.trials} trials ran exactly as one that was measured")
    assert "1 pair was measured all the same: within " in known.words


def test_checks_choose_nothing(bench: Bench) -> None:
    """Blocks of a check that agrees are no part of what the configs are judged by."""
    study = searched(bench)
    without = replace(study, visits=tuple(v for v in study.visits if v.phase != "check"))
    assert survey_field(study, bench.goal).estimates == survey_field(without, bench.goal).estimates


def test_checks_are_few(tmp_path: Path) -> None:
    """However much is shared, only a few pairs are checked, each another one, and nothing is left to do."""
    bench = benches.make(tmp_path, twins(EVERY * (MOST + 3)))
    study = bench.search(100, confirm_s=SHORT)
    assert len(sharing_of(study).pairs) == MOST
    asked = len(bench.evaluator.asked)
    assert due(study) is None
    bench.search(100, confirm_s=SHORT)
    assert len(bench.evaluator.asked) == asked


def test_a_difference_undoes_the_sharing(bench: Bench) -> None:
    """A pair that differs in three rounds is one no more: each is judged by its own blocks, and it is told."""
    bench.evaluator.truth = quicker
    study = searched(bench)
    known = sharing_of(study)
    pair = known.pairs[0]
    assert pair.differs
    assert len(pair.logs) == 3
    assert pair.difference == pytest.approx(0.5, abs=0.1)
    assert pair.config.key not in study.owners
    estimates = survey_field(study, bench.goal).estimates
    ratio = estimates[pair.config.key].throughput_per_s.value / estimates[pair.owner.key].throughput_per_s.value
    assert max(ratio, 1 / ratio) == pytest.approx(1.5, rel=0.1)
    assert "1 pair was found to differ, and no longer shared" in known.words
    result = alternative(conclude(study, bench.goal), pair.config)
    assert [c.kind for c in result.caveats if c.kind == "shared_differs"] == ["shared_differs"]
    assert pair.owner.words in result.caveats[-1].text


def test_interrupted_check_is_taken_up(bench: Bench) -> None:
    """A check that was cut off between its two sides goes on with the other side."""
    whole = searched(bench)
    first = of(whole, "check")[0].number
    cut = replace(whole, visits=whole.visits[: first + 1])
    wanted = due(cut)
    assert wanted is not None
    assert (wanted.config, wanted.round) == (of(whole, "check")[1].config, 0)


def test_one_outlier_shows_nothing(bench: Bench) -> None:
    """One block that other work slowed down costs two more rounds, and undoes nothing."""
    whole = searched(bench)
    first = of(whole, "check")[0]
    assert isinstance(first.outcome, Block)
    slow = replace(first, outcome=replace(first.outcome, elapsed_s=2 * first.outcome.elapsed_s))
    visits = [*whole.visits[: first.number], slow, of(whole, "check")[1]]
    study = replace(whole, visits=tuple(visits))
    for number in (1, 2):
        wanted = due(study)
        assert wanted is not None
        assert wanted.round == number
        visits += [replace(v, round=number) for v in of(whole, "check")]
        study = replace(whole, visits=tuple(visits))
    pair = sharing_of(study).pairs[0]
    assert pair.settled
    assert not pair.differs


def test_a_check_that_fails_shows_nothing(bench: Bench) -> None:
    """Where a side of the check cannot be measured, it is tried no more than three times."""
    whole = searched(bench)
    first, second = of(whole, "check")
    failed = replace(first, outcome=Failed(reason="ended by SIGSEGV"))
    visits = list(whole.visits[: first.number])
    for number in range(3):
        visits += [replace(failed, round=number), replace(second, round=number)]
    study = replace(whole, visits=tuple(visits))
    pair = sharing_of(study).pairs[0]
    assert pair.settled
    assert not pair.differs
    assert due(study) is None
    assert "measured all the same" not in sharing_of(study).words


def test_nothing_shared_says_nothing() -> None:
    """A study without shared trials has nothing to say, and nothing to check."""
    study = fake.study()
    assert sharing_of(study).words == ""
    assert due(study) is None

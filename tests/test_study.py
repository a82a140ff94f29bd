import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ovtune.config import Config
from ovtune.errors import UsageError
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.goal import Goal
from ovtune.study import Phase, Study, Visit, blocks_by_config, check_name, name_for, reason_of
from tests import fake
from tests.value import block


@pytest.mark.parametrize("name", ["a", "mobilenet", "A.b_c-1", "_x", "0", "a" * 64, "recordings2", "confirmed"])
def test_names_that_a_study_may_have(name: str) -> None:
    """Letters, digits, dot, underscore and hyphen, at most 64 of them, make a name."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".x",
        "-x",
        "a/b",
        "a b",
        "ä",
        "a\n",
        "\u0661",
        "a" * 65,
        "recordings",
        "benchmarks",
        "x.confirmed",
    ],
)
def test_names_that_a_study_may_not_have(name: str) -> None:
    """Names that leave the folder, that hide, that are options, that are too long or taken are refused."""
    with pytest.raises(UsageError):
        check_name(name)


def test_a_refused_name_is_shown_cut_off() -> None:
    """A very long name does not fill the screen with its refusal."""
    with pytest.raises(UsageError) as caught:
        check_name("x" * 10_000)
    assert len(str(caught.value)) < 300


@given(st.text(max_size=80))
@example("recordings")
@example("benchmarks")
@example("x" * 54 + ".confirmed")
@example("-.-")
@example("m\u00f6del 1")
def test_every_model_gives_a_name(model_name: str) -> None:
    """Whatever a model is called, the study named after it has a name that it may have."""
    assert check_name(name_for(model_name))


@pytest.mark.parametrize(
    ("model_name", "name"),
    [("mobilenet", "mobilenet"), ("my model (v2)", "my-model--v2-"), (".hidden", "hidden"), ("", "model")],
)
def test_name_for(model_name: str, name: str) -> None:
    """Other characters of a model's name become hyphens."""
    assert name_for(model_name) == name


CONFIGS = [Config(device="CPU", nireq=n) for n in (1, 2, 3)]


def _visit(number: int, config: Config, outcome: Outcome, phase: Phase = "search") -> Visit:
    return Visit(number=number, phase=phase, trial=None, confirmation=0, round=0, config=config, outcome=outcome)


def test_blocks_by_config() -> None:
    """Blocks are gathered by config in the order of time, only those of the asked phases, and nothing but blocks."""
    first, second, other, fought = (block(throughput_per_s=t) for t in (1, 2, 3, 4))
    visits = (
        _visit(0, CONFIGS[0], first),
        _visit(1, CONFIGS[1], Failed(reason="died")),
        _visit(2, CONFIGS[2], other),
        _visit(3, CONFIGS[0], second, "elimination"),
        _visit(4, CONFIGS[0], fought, "duel"),
    )
    assert blocks_by_config(visits, "search", "elimination") == {
        CONFIGS[0].key: [first, second],
        CONFIGS[2].key: [other],
    }
    assert blocks_by_config(visits, "duel") == {CONFIGS[0].key: [fought]}
    assert blocks_by_config(visits) == {}


def test_owners() -> None:
    """A config that runs as another one does is owned by that one; measured ones own themselves unsaid."""
    shared = SameAs(config_key=CONFIGS[0].key, effective_key="k")
    study = Study(
        name="s",
        created="2026-11-20T09:00:00Z",
        setup=fake.setup(),
        goal=Goal(),
        trials=2,
        stopped="",
        duels={},
        visits=(_visit(0, CONFIGS[0], block()), _visit(1, CONFIGS[1], shared)),
    )
    assert study.owners == {CONFIGS[1].key: CONFIGS[0].key}


def test_reason_of() -> None:
    """What holds no numbers has a reason, and only that."""
    assert reason_of(Infeasible(reason="too large")) == "too large"
    assert reason_of(Failed(reason="died")) == "died"
    assert not reason_of(SameAs(config_key="a", effective_key="b"))
    assert not reason_of(block())

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.config import Config, Scalar
from ovtune.errors import StudyError, UsageError
from ovtune.fit import followed, lead_of, why_not
from ovtune.goal import Goal
from ovtune.lead import Lead
from ovtune.measurement import Block, Plan, pack
from ovtune.result import conclude
from ovtune.space import Space, build
from ovtune.study import Baseline, Setup, Study
from ovtune.wanted import Wanted
from ovtune.workload import ClosedLoop
from tests import fake

HOST = replace(
    fake.host(), devices=(replace(fake.CPU, settings=("NUM_STREAMS", "INFERENCE_NUM_THREADS", "PERFORMANCE_HINT")),)
)
HERE = replace(fake.setup(), space=build(HOST, fake.MODEL, ClosedLoop(), {}))
OTHER = fake.study(name="other")


def found_in(*configs: Config, baselines: tuple[Baseline, ...] = fake.BASELINES) -> Study:
    """A study whose front is exactly these configs: each slower than the one before, and with less latency."""
    study = fake.study(trials=len(configs), pairs=0, name="other")
    speeds = {config.key: 1000.0 - 10 * i for i, config in enumerate(configs)}
    evaluator = fake.FakeEvaluator(noise=0, truth=lambda config: speeds[config.key])
    visits = []
    for place, config in enumerate(configs):
        block = evaluator.evaluate(config, Plan())
        assert isinstance(block, Block)
        samples = pack(np.full(200, 100.0 - 20 * place))
        visit = replace(study.visits[0], number=place, trial=place, config=config)
        visits.append(replace(visit, outcome=replace(block, samples=samples)))
    space = Space(configs=configs)
    setup = replace(study.setup, space=space, baselines=baselines)
    return replace(study, setup=setup, visits=tuple(visits), goal=Goal(latency="p50", prefer="throughput"))


def config(nireq: int = 2, **fields: object) -> Config:
    return Config(**({"device": "CPU", "properties": {"PERFORMANCE_HINT": "LATENCY"}, "nireq": nireq} | fields))  # type: ignore[arg-type]


def only(**values: tuple[Scalar, ...]) -> Setup:
    """A setup that is held to some values."""
    wanted = Wanted(only=values)
    return replace(HERE, space=build(HOST, fake.MODEL, ClosedLoop(), {}, wanted), wanted=wanted)


def test_the_recommended_config_comes_first() -> None:
    """The other study's recommended config, then the rest of its front, each as it is there."""
    lead = lead_of(OTHER, HERE)
    result = conclude(OTHER, OTHER.goal)
    assert lead.configs[0] == result.recommended
    assert set(lead.configs) == {result.recommended, *(e.config for e in result.front)}
    assert not lead.left_out
    assert (
        lead.words == f"{len(lead.members)} of {len(lead.members)} configs of the front of study other (demo:mobilenet)"
    )
    assert lead.details == lead.words


def test_what_the_space_does_not_hold_is_left_out() -> None:
    """A config with a value that is not searched here is left out, with the value and those that are."""
    lead = lead_of(found_in(config(2), config(5), config(1)), HERE)
    assert lead.configs == (config(2), config(1))
    [left] = lead.left_out
    assert left.said == "LATENCY hint on CPU, nireq 5 (nireq 5 is none of 1, 2, 3, 4, 6, 8, 16, 32)"
    assert lead.details.endswith(f"; left out: {left.said}")
    assert lead.words.startswith("2 of 3 configs")


def test_shapes_are_those_of_the_model_here() -> None:
    """Shapes say nothing of speed settings: the other model's give way to this one's, without a word."""
    shapes = {"x": (1, 8)}
    here = replace(HERE, space=build(HOST, fake.MODEL, ClosedLoop(), shapes), shapes=shapes)
    lead = lead_of(found_in(config(2, shapes={"y": (1, 9)})), here)
    assert lead.configs == (config(2, shapes=shapes),)
    assert lead.members[0].note == ""


def test_weights_that_are_not_here_give_way_to_the_models_own() -> None:
    """A variant, or FP32 for a model in FP16, is tried with the weights that there are; that is told."""
    lead = lead_of(found_in(config(2, precision="int8")), HERE)
    assert lead.configs == (config(2),)
    assert lead.members[0].note == "FP32 weights, as int8 ones are not searched here"
    assert "changed: LATENCY hint on CPU, nireq 2, int8 weights (FP32 weights" in lead.details
    half = lead_of(found_in(config(2)), only(precision=("FP16",)))
    assert half.configs == (config(2, precision="FP16"),)


def test_an_own_answer_stays_one() -> None:
    """OpenVINO's own answer there, with as many requests as that host takes, is its answer here."""
    answer = Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=64)
    lead = lead_of(found_in(answer, baselines=(Baseline(name="there", config=answer),)), HERE)
    assert lead.configs == (fake.BASELINES[1].config,)
    assert lead.members[0].note == "OpenVINO's own answer: nireq 2 here"
    with pytest.raises(StudyError, match="nireq 64 is none of"):
        lead_of(found_in(answer, baselines=()), HERE)


def test_an_own_answer_outside_the_space_is_taken() -> None:
    """It is measured in any case."""
    lead = lead_of(found_in(fake.BASELINES[1].config, config(1)), only(nireq=(1,)))
    assert lead.configs == (fake.BASELINES[1].config, config(1))


def test_a_containers_threads_are_put_on_and_taken_off() -> None:
    """The threads that a CPU quota forces on every config belong to the host, and not to what was found."""
    advice = tuple(replace(answer, threads=1) for answer in HOST.advice)
    space = build(replace(HOST, advice=advice), fake.MODEL, ClosedLoop(), {})
    inside = replace(HERE, space=space)
    held = config(2, properties={"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1})
    into = lead_of(found_in(config(2)), inside)
    assert into.configs == (held,)
    assert into.members[0].note == "threads held to 1"
    out = lead_of(found_in(held), HERE)
    assert out.configs == (config(2),)
    assert out.members[0].note == "threads not held"


def test_settings_that_a_device_may_have_fit() -> None:
    """Further settings are part of the space, as long as they do not clash."""
    assert why_not(HERE, config(2, properties={"NUM_STREAMS": 1})) == ""
    clash = config(2, properties={"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1})
    assert why_not(HERE, clash).startswith("NUM_STREAMS takes the place of the hint's own streams")


@given(st.integers(0, 10**6))
def test_whatever_the_space_gives_fits_into_it(seed: int) -> None:
    """No config of a space is refused by it."""
    assert [why_not(HERE, drawn) for drawn in HERE.space.draw(5, seed=seed)] == [""] * 5


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"device": "GPU"}, "device GPU is none of CPU"),
        ({"batch_size": 64}, "batch_size 64 is none of 1, 2, 4"),
        ({"properties": {"ENABLE_MMAP": True}}, "ENABLE_MMAP is not searched here"),
        ({"properties": {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 7}}, "NUM_STREAMS 7 is none of 1, 2, unset"),
    ],
)
def test_the_reason_names_the_value(fields: Mapping[str, object], reason: str) -> None:
    """Device, value or parameter that the space does not have."""
    assert why_not(HERE, config(2, **fields)) == reason


def test_a_held_parameter_that_the_config_does_not_set() -> None:
    """What every config here sets, and this one does not, is named."""
    assert why_not(only(NUM_STREAMS=(2,)), config(2, properties={})) == "NUM_STREAMS is held to 2"


def test_a_recording_holds_what_it_holds() -> None:
    """In a recording there is no better reason than that."""
    setup = replace(HERE, space=Space(configs=(config(1),)), recording="f" * 64)
    assert why_not(setup, config(2)) == "it is not in the recording"


def test_nothing_fits() -> None:
    """A front of which nothing fits is refused, with the reasons of the first few."""
    alone = replace(HERE, space=Space(configs=(config(1),)), baselines=())
    with pytest.raises(StudyError, match=r"nothing of the front .*nireq 5 is none of 1.*and 1 more.*--like") as caught:
        lead_of(found_in(*(config(n) for n in (5, 6, 7, 8)), baselines=()), alone)
    assert str(caught.value).count("is none of") == 3


def test_a_study_without_measurements() -> None:
    """There is nothing to begin with, and why is said."""
    empty = replace(OTHER, visits=(), duels={})
    with pytest.raises(StudyError, match=r"study other has no front to begin with .*holds no measurement"):
        lead_of(empty, HERE)


def test_an_unfinished_study_has_a_front() -> None:
    """One that was never confirmed is as good to begin with."""
    assert lead_of(fake.study(pairs=0), HERE).configs


def test_what_is_to_be_followed_is_checked() -> None:
    """Not itself; not nothing at all; not one that is not there. A study that exists needs no other one any more."""
    known = replace(HERE, lead=Lead(study="other", model="m", members=()))
    assert followed(None, "one", None, None, alone=False) is None
    assert followed(None, "one", known, None, alone=True) is None
    assert followed("gone", "one", known, None, alone=False) is None
    with pytest.raises(UsageError, match="names the study itself"):
        followed("one", "one", None, None, alone=False)
    for setup in (None, HERE):
        with pytest.raises(UsageError, match=r"--only-front .*--like"):
            followed(None, "one", setup, None, alone=True)
    with pytest.raises(StudyError, match=r"other does not exist here \(there are none yet\): .*--storage"):
        followed("other", "one", None, None, alone=False)

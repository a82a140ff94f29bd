"""Results that the report is tried on."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.environment import Environment
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.goal import Goal
from ovtune.measurement import Block, LatencyMetric, Plan, Summary, pack
from ovtune.report import render
from ovtune.result import Result, conclude
from ovtune.study import Study, Visit
from ovtune.workload import ConstantRate
from tests import fake

DOCUMENT = '{\n  "format": "ovtune-config",\n  "note": "<b>&amp;</b> \' \\" \u00e9"\n}\n'
COMMAND = "ovtune apply 'studies/mobilenet/best.json' demo:mobilenet"
PYTHON = (
    'import ovtune\n\nwith ovtune.apply("best.json", "model.xml") as deployment:\n    deployment.queue.wait_all()\n'
)
HOSTILE = "</script><script>alert(1)</script>"
EFFECTIVE: Mapping[str, object] = {
    "CPU_DENORMALS_OPTIMIZATION": False,
    "CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": 1.0,
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 32,
    "ENABLE_CPU_PINNING": True,
    "ENABLE_CPU_RESERVATION": False,
    "ENABLE_HYPER_THREADING": True,
    "ENABLE_TENSOR_PARALLEL": False,
    "EXECUTION_DEVICES": ["CPU"],
    "EXECUTION_MODE_HINT": "PERFORMANCE",
    "INFERENCE_NUM_THREADS": 2,
    "INFERENCE_PRECISION_HINT": "f32",
    "KEY_CACHE_GROUP_SIZE": 0,
    "KEY_CACHE_PRECISION": "f32",
    "KV_CACHE_PRECISION": "f16",
    "LOG_LEVEL": "LOG_NONE",
    "MODEL_DISTRIBUTION_POLICY": [],
    "NUM_STREAMS": 2,
    "OPTIMAL_NUMBER_OF_INFER_REQUESTS": 2,
    "PERFORMANCE_HINT": "THROUGHPUT",
    "PERFORMANCE_HINT_NUM_REQUESTS": 0,
    "SCHEDULING_CORE_TYPE": "ANY_CORE",
    "VALUE_CACHE_PRECISION": "f32",
}
"""What the CPU plugin reads back, in number and length."""
_SUMMED: tuple[LatencyMetric, ...] = ("p50", "p90", "p95", "p99")


def html(result: Result) -> str:
    """The report on ``result``."""
    return render(result, document=DOCUMENT, command=COMMAND, python=PYTHON)


@functools.cache
def study(*, trials: int = 30, pairs: int = 20, goal: Goal | None = None) -> Study:
    """A fake study with real-looking settings, one shared config (trial 8) and caveats on some blocks."""
    made = fake.study(trials=trials, pairs=pairs, goal=goal)
    owner = made.visits[1].config.key
    return with_outcomes(made, {8: SameAs(config_key=owner, effective_key="same")} if trials > 8 else {})


def with_outcomes(made: Study, outcomes: Mapping[int, Outcome]) -> Study:
    """``made`` with other outcomes at some visits, and a caveat and settings on each block."""
    visits = []
    for visit in made.visits:
        outcome = outcomes.get(visit.number, visit.outcome)
        if isinstance(outcome, Block):
            caveats = (Caveat(kind="contention", parameters={"others": 0.17}),) if visit.number % 7 == 0 else ()
            outcome = dataclasses.replace(outcome, effective=EFFECTIVE, caveats=caveats)
        visits.append(dataclasses.replace(visit, outcome=outcome))
    return dataclasses.replace(made, visits=tuple(visits))


@functools.cache
def result(*, trials: int = 30, pairs: int = 20, goal: Goal | None = None) -> Result:
    """What that study says."""
    made = study(trials=trials, pairs=pairs, goal=goal)
    return conclude(made, made.goal)


@functools.cache
def large(trials: int) -> Result:
    """A study with as many different configs as ``trials``."""
    made = study(trials=100)
    search = [visit for visit in made.visits if visit.trial is not None]
    more = []
    for number in range(len(search), trials):
        visit = search[number % len(search)]
        config = dataclasses.replace(visit.config, nireq=1000 + number, api="async")
        more.append(dataclasses.replace(visit, config=config, trial=number, number=len(made.visits) + number))
    whole = dataclasses.replace(made, trials=trials, visits=(*made.visits, *more))
    return conclude(whole, whole.goal)


@functools.cache
def eliminated() -> Result:
    """The same study with an elimination of four configs in three rounds before its duel."""
    made = study()
    measured = [v.config for v in made.visits if v.phase == "search" and isinstance(v.outcome, Block)]
    evaluator = fake.FakeEvaluator(seed=9)
    rounds = [
        Visit(
            number=0,
            phase="elimination",
            trial=None,
            confirmation=1,
            round=round_,
            config=config,
            outcome=evaluator.evaluate(config, Plan()),
        )
        for round_ in range(3)
        for config in measured[:2] + measured[-2:]
    ]
    phases = [[v for v in made.visits if (v.phase == "duel") is fought] for fought in (False, True)]
    visits = tuple(
        dataclasses.replace(visit, number=number) for number, visit in enumerate([*phases[0], *rounds, *phases[1]])
    )
    return conclude(dataclasses.replace(made, visits=visits), made.goal)


@functools.cache
def timed(lanes: int) -> Result:
    """The same study with the times of the first requests, of which so many ran at once."""
    made = study()
    times = [(5.0 * (number // lanes), 5.0 * (number // lanes) + 4.0) for number in range(12)]
    timeline = pack(np.array(times))
    visits = tuple(
        dataclasses.replace(v, outcome=dataclasses.replace(v.outcome, timeline=timeline))
        if isinstance(v.outcome, Block)
        else v
        for v in made.visits
    )
    return conclude(dataclasses.replace(made, visits=visits), made.goal)


@functools.cache
def replayed() -> Result:
    """The same study as it would be in a recording, of which the latencies' summaries are held."""
    made = study()
    visits = []
    for visit in made.visits:
        outcome = visit.outcome
        if isinstance(outcome, Block):
            told = {metric: outcome.latency_ms(metric) for metric in _SUMMED}
            outcome = dataclasses.replace(outcome, samples=b"", summary=Summary(count=outcome.count, latency_ms=told))
        visits.append(dataclasses.replace(visit, outcome=outcome))
    return conclude(dataclasses.replace(made, visits=tuple(visits)), made.goal)


RATE_PER_S = 50.0
"""At which items are offered to :func:`offered`."""


def under(made: Study, *, energy: bool = False) -> Study:
    """``made`` as it would be under an offered load: the same throughput of all, what is faster takes less CPU time."""
    visits = []
    for visit in made.visits:
        block = visit.outcome
        if isinstance(block, Block):
            block = dataclasses.replace(
                block,
                elapsed_s=block.items / RATE_PER_S,
                cpu_s=block.elapsed_s,
                energy_j=10 * block.elapsed_s if energy else None,
                occupancy=None,
            )
        visits.append(dataclasses.replace(visit, outcome=block))
    return dataclasses.replace(
        made,
        setup=fake.setup(workload=ConstantRate(interval_s=1 / RATE_PER_S)),
        goal=dataclasses.replace(made.goal, against="efficiency", prefer="latency"),
        visits=tuple(visits),
        duels={},
    )


@functools.cache
def offered(*, trials: int = 30, energy: bool = False) -> Result:
    """What that study says."""
    made = under(study(trials=trials), energy=energy)
    return conclude(made, made.goal)


@functools.cache
def better() -> Result:
    """A study whose duel a config of its own wins."""
    made = with_outcomes(fake.study(trials=1000), {})
    return conclude(made, made.goal)


@functools.cache
def hostile() -> Result:
    """A study in which every text from outside is an attempt to run a script."""
    model = dataclasses.replace(
        fake.MODEL, name=HOSTILE, path=HOSTILE, inputs=(dataclasses.replace(fake.MODEL.inputs[0], name=HOSTILE),)
    )
    made = fake.study(trials=12, model=model)
    environment = Environment(
        openvino=HOSTILE,
        devices={HOSTILE: HOSTILE},
        cpu=HOSTILE,
        cpus=2,
        quota=None,
        memory_bytes=2**30,
        system=HOSTILE,
    )
    visits = []
    for visit in made.visits:
        config, outcome = visit.config, visit.outcome
        if isinstance(outcome, Block):
            caveat = Caveat(kind="key_dropped", parameters={"name": HOSTILE})
            outcome = dataclasses.replace(
                outcome, effective={HOSTILE: HOSTILE, "NUM_STREAMS": HOSTILE}, caveats=(caveat,)
            )
        if isinstance(outcome, Failed | Infeasible):
            outcome = dataclasses.replace(outcome, reason=HOSTILE + "\u2028")
        if visit.trial is not None and visit.trial > 2:
            config = _renamed(config)
        visits.append(dataclasses.replace(visit, config=config, outcome=outcome))
    setup = dataclasses.replace(made.setup, environment=environment, refused={HOSTILE: HOSTILE})
    baselines = tuple(dataclasses.replace(b, name=HOSTILE) for b in setup.baselines)
    whole = dataclasses.replace(
        made,
        name=HOSTILE,
        created=HOSTILE,
        stopped=HOSTILE,
        setup=dataclasses.replace(setup, baselines=baselines),
        visits=tuple(v for v in visits if v.phase == "search"),
        duels={},
    )
    return conclude(whole, whole.goal)


def _renamed(config: Config) -> Config:
    return dataclasses.replace(config, device=HOSTILE, properties={**config.properties, HOSTILE: HOSTILE})

"""A deterministic evaluator, and studies made with it: no runtime, no waiting."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ovtune import duel, measurement
from ovtune.agreement import Agreement
from ovtune.config import Config
from ovtune.environment import Device, Environment, Topology
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan
from ovtune.model import Input, Model
from ovtune.recording import Header, Recording, record_of
from ovtune.space import Advice, Host, Space, build
from ovtune.study import Baseline, Setup, Sides, Study, Visit
from ovtune.workload import ClosedLoop, Workload

CPU = Device(name="CPU", full_name="Test CPU", capabilities=("FP32", "BF16", "INT8"), precision="bf16", streams=2)
MODEL = Model(
    name="mobilenet",
    path="demo:mobilenet",
    sha256="0" * 64,
    inputs=(Input(name="image", element_type="f32", shape=(1, 3, 224, 224)),),
    batch_sizes=(1, 2, 4),
    auto_batchable=True,
)
ENVIRONMENT = Environment(
    openvino="2026.4.1",
    devices={"CPU": "Test CPU"},
    cpu="Test CPU",
    cpus=2,
    quota=None,
    memory_bytes=8 * 2**30,
    system="Linux 6.1",
)


def speed(config: Config) -> float:
    """The true throughput per second: more requests help up to two, larger batches a little."""
    hint = {"THROUGHPUT": 1.2, "LATENCY": 1.0, None: 1.0}.get(config.hint, 1.0)
    overlap = min(config.nireq, 2) ** 0.4
    f32 = 0.6 if config.properties.get("INFERENCE_PRECISION_HINT") == "f32" else 1.0
    return float(100.0 * hint * overlap * f32 * (config.batch_size * config.auto_batch_size) ** 0.1)


def agreement(max_rel: float) -> Agreement:
    """Outputs that are off by such a share."""
    return Agreement(
        reference="CPU f32", items=8, max_abs=max_rel, max_rel=max_rel, cosine=1.0, top1=None, nonsense=False
    )


@dataclass
class FakeEvaluator:
    """Answers from :func:`speed` with seeded noise; moves a clock by what each visit would cost.

    Attributes:
        noise: The standard deviation of a block's logarithm.
        truth: The true throughput of a config.
        outcomes: What to answer for some configs, by key, instead of a block.
        holds: How many fresh blocks it has of a config, as a recording has; None for no limit.
        now_s: The simulated time.
    """

    noise: float = 0.03
    seed: int = 0
    truth: Callable[[Config], float] = speed
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    holds: Callable[[Config], int | None] = lambda _: None
    now_s: float = 1_700_000_000.0
    asked: list[Config] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._generator = np.random.default_rng(self.seed)

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        """One visit: 1.5 simulated seconds."""
        self.asked.append(config)
        self.now_s += 1.5
        if config.key in self.outcomes:
            return self.outcomes[config.key]
        key = f"{config.device}|{config.key if config.precision == 'FP32' else config.key.replace('FP16', 'FP32')}"
        owner = plan.shared.get(key)
        if owner is not None and owner != config.key:
            return SameAs(config_key=owner, effective_key=key, cost_s=0.4)
        slowed = math.exp(-abs(self._generator.normal(0, self.noise)))
        throughput = self.truth(config) * slowed
        requests = max(int(throughput / config.batch_size * plan.duration_s), 1)
        mean_ms = 1000 * config.nireq * config.batch_size / throughput
        latencies = mean_ms * self._generator.gamma(100, 1 / 100, requests)
        return Block(
            started_at=self.now_s,
            elapsed_s=requests * config.batch_size / throughput,
            items=requests * config.batch_size,
            samples=measurement.pack(latencies),
            cpu_s=1.6 * plan.duration_s,
            compile_ms=80.0,
            compile_cached=False,
            first_inference_ms=5.0,
            memory_bytes=70_000_000 + 1_000_000 * config.nireq * config.batch_size,
            occupancy=0.99,
            others_busy=0.01,
            effective={"EXECUTION_DEVICES": ["CPU"], "NUM_STREAMS": min(config.nireq, 2)},
            effective_key=key,
            cost_s=1.5,
        )

    def fresh_blocks(self, config: Config, /) -> int | None:
        """How many of what it holds were not asked for yet."""
        held = self.holds(config)
        return None if held is None else max(held - self.asked.count(config), 0)


def sped(block: Block, times: float) -> Block:
    """A block of a config that is so many times as fast."""
    return replace(
        block, elapsed_s=block.elapsed_s / times, samples=measurement.pack(block.latencies_ms.astype(float) / times)
    )


def host() -> Host:
    """A host with one CPU and OpenVINO's own answers on it."""
    answers = (("none", 1, "a"), ("LATENCY", 1, "a"), ("THROUGHPUT", 2, "b"))
    return Host(
        devices=(CPU,),
        topology=Topology(cpus=2, cores=2, memory_bytes=8 * 2**30),
        device_strings=("CPU",),
        advice=tuple(
            Advice(device="CPU", hint=hint, nireq=nireq, effective={}, effective_key=key)
            for hint, nireq, key in answers
        ),
        refused={},
    )


def space(workload: Workload | None = None) -> Space:
    """The space of that host."""
    return build(host(), MODEL, workload or ClosedLoop(), {})


BASELINES = (
    Baseline(
        name="LATENCY hint on CPU", config=Config(device="CPU", properties={"PERFORMANCE_HINT": "LATENCY"}, nireq=1)
    ),
    Baseline(
        name="THROUGHPUT hint on CPU",
        config=Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=2),
    ),
)


def setup(model: Model = MODEL, workload: Workload | None = None) -> Setup:
    """What a study on that host remembers."""
    load = workload or ClosedLoop()
    return Setup(model=model, workload=load, environment=ENVIRONMENT, space=space(load), baselines=BASELINES)


def recording(
    configs: Sequence[Config] | None = None, *, rounds: int = 6, noise: float = 0.03, seed: int = 0, named: bool = True
) -> Recording:
    """A recording of shuffled rounds over the baselines and some more configs, made with the fake evaluator."""
    evaluator = FakeEvaluator(noise=noise, seed=seed)
    begun = evaluator.now_s
    names = {b.config: b.name for b in BASELINES} if named else {}
    others = [c for c in space().configs if c not in {b.config for b in BASELINES} and c.precision == "FP32"]
    members = [*(b.config for b in BASELINES), *others[::23]] if configs is None else list(configs)
    generator = np.random.default_rng(seed)
    header = Header(model=MODEL, workload=ClosedLoop(), environment=ENVIRONMENT, created="2023-11-14T22:13:20+00:00")
    records = []
    for round_ in range(rounds):
        for i in generator.permutation(len(members)):
            started_s, config = evaluator.now_s - begun, members[int(i)]
            block = evaluator.evaluate(config, Plan())
            if isinstance(block, Block):
                record = record_of(block, config, header, started_s=started_s, round_=round_)
                records.append(replace(record, samples_ms=None, baseline=names.get(config)))
    return Recording(header=header, records=tuple(records), sha256="f" * 64)


def study(
    *,
    trials: int = 30,
    pairs: int = 20,
    seed: int = 0,
    name: str = "mobilenet",
    model: Model = MODEL,
    goal: Goal | None = None,
) -> Study:
    """A finished study: the baselines, configs all over the space, one infeasible, one failed, and a duel."""
    evaluator = FakeEvaluator(seed=seed)
    about = setup(model)
    known = [b.config for b in BASELINES]
    others = [c for c in about.space.configs if c not in known and c.precision == "FP32"]
    step = max(len(others) // max(trials - len(known), 1), 1)
    asked = (known + others[::step])[:trials]
    outcomes: list[tuple[Config, Outcome]] = [(c, evaluator.evaluate(c, Plan())) for c in asked]
    if trials > 6:
        outcomes[4] = (asked[4], Infeasible(reason="CPU refuses it <for a test>", cost_s=0.4))
        outcomes[5] = (asked[5], Failed(reason="the process was ended by SIGSEGV", cost_s=1.1))
    visits = [
        Visit(number=i, phase="search", trial=i, confirmation=0, round=0, config=config, outcome=outcome)
        for i, (config, outcome) in enumerate(outcomes)
    ]
    measured = [(c, o) for c, o in outcomes if isinstance(o, Block) and c not in known]
    winner = max(measured, key=lambda m: speed(m[0]) / float(np.mean(m[1].latencies_ms)))[0] if measured else known[0]
    for pair in range(pairs):
        for side in duel.order(pair):
            config = winner if side == "candidate" else known[1]
            visits.append(
                Visit(
                    number=len(visits),
                    phase="duel",
                    trial=None,
                    confirmation=1,
                    round=pair,
                    config=config,
                    outcome=evaluator.evaluate(config, Plan()),
                )
            )
    return Study(
        name=name,
        created="2026-11-20T09:00:00Z",
        setup=about,
        goal=goal or Goal(),
        trials=trials,
        stopped=f"all {trials} trials are done",
        duels={1: Sides(candidate=winner, baseline=known[1], goal=goal or Goal(), looks=duel.looks(pairs))}
        if pairs
        else {},
        visits=tuple(visits),
    )

"""Documents and promises to check: a config against the THROUGHPUT hint, measured on this host as far as it tells."""

import json
from collections.abc import Mapping
from typing import Any

from ovtune import codec
from ovtune.config import Config
from ovtune.document import Document, part_of, text_of
from ovtune.environment import Environment, describe_host
from ovtune.goal import Goal
from ovtune.promise import Opponent, Promise
from ovtune.recommendation import document_of
from ovtune.result import conclude
from tests import fake

BASELINE = fake.BASELINES[1].config
CONFIG = Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=2, batch_size=4)
OTHER = Config(device="CPU", properties={"PERFORMANCE_HINT": "LATENCY"}, nireq=2)
_TREE = json.loads(text_of(document_of(conclude(fake.study(), Goal(prefer="throughput")))))
_HERE = json.loads(codec.dump(describe_host("2026.4", (fake.CPU,)), Environment))


def document(config: Config = CONFIG, against: Config = BASELINE, **changes: Any) -> Document:
    """A document with fitting figures: what :data:`tests.fake.speed` says of both; changed in some parts."""
    ratio = fake.speed(config) / fake.speed(against)
    measured = _TREE["measured"] | {"throughput_per_s": _throughput(config)}
    wide = {"value": ratio, "low": 0.98 * ratio, "high": 1.02 * ratio}
    tree = _TREE | {
        "config": part(config),
        "measured": measured,
        "baseline": {
            "name": "THROUGHPUT hint on CPU",
            "config": part(against),
            "measured": measured | {"throughput_per_s": _throughput(against)},
        },
        "verdict": {
            "kind": "better",
            "throughput_ratio": wide,
            "latency_ratio": {"value": 1 / ratio, "low": 0.98 / ratio, "high": 1.02 / ratio},
            "cost_ratio": {"value": 0.8, "low": 0.78, "high": 0.82},
            "metric": "p95",
            "work": "CPU time",
            "rival": part(config),
            "text": "better",
        },
        "environment": _HERE,
    }
    for name, value in changes.items():
        tree[name] = tree[name] | value if isinstance(value, Mapping) else value
    return Document.model_validate_json(json.dumps(tree))


def promise(**fields: Any) -> Promise:
    """A promise of 1.2 times the throughput of a baseline with 100/s, at a margin of 2 %."""
    usual: dict[str, Any] = {
        "config": CONFIG,
        "opponent": Opponent(name="the baseline", config=BASELINE, throughput_per_s=100.0),
        "prefer": "throughput",
        "metric": "p95",
        "work": None,
        "goal": Goal(prefer=fields.get("prefer", "throughput")),
        "least": 1.2,
        "next_per_s": (115.0, 130.0),
        "throughput_ratio": 1.2,
        "limits": True,
    }
    return Promise(**(usual | fields))


def _throughput(config: Config) -> dict[str, float]:
    speed = fake.speed(config)
    return {
        "value": speed,
        "low": 0.99 * speed,
        "high": 1.01 * speed,
        "next_low": 0.9 * speed,
        "next_high": 1.1 * speed,
    }


def part(config: Config) -> Any:
    """The JSON of a config in a document."""
    return json.loads(part_of(config).model_dump_json())

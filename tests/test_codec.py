import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune import codec
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.environment import Environment
from ovtune.evaluator import Failed, Infeasible, Outcome
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan
from ovtune.space import Space
from ovtune.study import Setup
from ovtune.workload import ClosedLoop, ConstantRate, Poisson, Streams, Workload
from tests import fake
from tests.value import block, blocks, configs, outcomes


def _again(value: object, kind: Any) -> Any:
    return codec.load(codec.dump(value, kind), kind)


@given(configs)
def test_config_round_trip(config: Config) -> None:
    """A config comes back with the same key: True stays True, 1 stays 1 and 1.0 stays 1.0."""
    found = _again(config, Config)
    assert found == config
    assert found.key == config.key


@given(blocks)
def test_block_round_trip(value: Block) -> None:
    """A block comes back whole, its samples to the last bit."""
    found = _again(value, Block)
    assert found == value
    assert found.latencies_ms.tolist() == value.latencies_ms.tolist()


@given(outcomes)
def test_outcome_round_trip(outcome: Outcome) -> None:
    """An outcome comes back as what it was: a failure is not taken for an infeasible config."""
    found = _again(outcome, Outcome)
    assert type(found) is type(outcome)
    assert found == outcome


@pytest.mark.parametrize("kind", [Infeasible, Failed])
def test_a_reason_keeps_its_kind(kind: type[Infeasible | Failed]) -> None:
    """Outcomes that hold the same fields are told apart."""
    outcome = kind(reason="it does not fit", cost_s=1.5)
    assert type(_again(outcome, Outcome)) is kind


@given(st.lists(configs, max_size=5))
def test_space_round_trip(found: list[Config]) -> None:
    """A space comes back with its configs in their order."""
    space = Space(configs=tuple(found))
    assert _again(space, Space) == space


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (ClosedLoop(), Workload),
        (ConstantRate(interval_s=1 / 33), Workload),
        (Poisson(rate_per_s=1 / 3), Workload),
        (Streams(cameras=4, frames_per_s=29.97), Workload),
        (Goal(latency="p99.9", prefer="efficiency", max_latency_ms=20.5, against="efficiency"), Goal),
        (Plan(shared={"a": "b"}), Plan),
        (fake.ENVIRONMENT, Environment),
        (fake.setup(), Setup),
        (fake.setup(workload=ConstantRate(interval_s=0.03)), Setup),
        (Caveat(kind="contention", parameters={"others": 0.25}), Caveat),
    ],
)
def test_stored_values_round_trip(value: object, kind: Any) -> None:
    """What a study stores beside its blocks comes back equal and of the same type."""
    found = _again(value, kind)
    assert type(found) is type(value)
    assert found == value


def test_what_does_not_hold_is_refused_by_name() -> None:
    """A wrong type, a missing field and a value that the type itself refuses are told with their field."""
    good = json.loads(codec.dump(Config(device="CPU", nireq=2), Config))
    with pytest.raises(ValueError, match="nireq"):
        codec.load(json.dumps(good | {"nireq": "many"}), Config)
    with pytest.raises(ValueError, match="nireq is 0"):
        codec.load(json.dumps(good | {"nireq": 0}), Config)
    del good["device"]
    with pytest.raises(ValueError, match="device"):
        codec.load(json.dumps(good), Config)
    with pytest.raises(ValueError, match="JSON"):
        codec.load("{", Config)


def test_an_unknown_caveat_in_stored_data_is_refused() -> None:
    """A block whose caveat cannot be worded is not read."""
    stored = json.loads(codec.dump(block(), Block))
    stored["caveats"] = [{"kind": "gremlins", "parameters": {}}]
    with pytest.raises(ValueError, match="gremlins"):
        codec.load(json.dumps(stored), Block)

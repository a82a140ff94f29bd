import shlex
from dataclasses import replace

import pytest

from ovtune.budget import Budget
from ovtune.content import Feed
from ovtune.goal import Goal
from ovtune.lead import Lead
from ovtune.reproduction import command_of
from ovtune.wanted import Wanted
from ovtune.workload import ConstantRate, PoissonCapacity, StreamsCapacity
from tests import fake

STUDY = fake.study()


def command(**changes: object) -> str:
    """The command of a study whose setup has these parts."""
    return command_of(replace(STUDY, setup=replace(STUDY.setup, **changes)))  # type: ignore[arg-type]


def test_plain() -> None:
    """A study of the defaults needs its model, its name, its trials and what it prefers."""
    assert (
        command_of(STUDY) == f"ovtune search demo:mobilenet --study mobilenet --prefer balanced --trials {STUDY.trials}"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"workload": ConstantRate(interval_s=0.03)}, "--load interval:30ms"),
        ({"device_strings": ("AUTO:GPU,CPU", "CPU")}, "--device AUTO:GPU,CPU --device CPU"),
        ({"plugins": {"CPUX": "lib"}}, "--plugin CPUX=lib"),
        ({"shapes": {"image": (1, 3, 8, 8)}}, "--shape 'image[1,3,8,8]'"),
        ({"variants": {"int8": replace(fake.MODEL, path="int8.xml")}}, "--variant int8=int8.xml"),
        ({"feed": Feed(files=("a.npy",), digests=("0",), copying=True)}, "--input a.npy --include-input-copy"),
        ({"wanted": Wanted(size="full", only={"nireq": (1, 2)})}, "--space full --set nireq=1,2"),
        ({"environment": replace(fake.ENVIRONMENT, cpu_set="0-1")}, "--cpus 0-1"),
        ({"beside": "stress --cpu 1"}, "--beside 'stress --cpu 1'"),
        ({"lead": Lead(study="other", model="m", members=())}, "--like other"),
    ],
)
def test_setup(changes: dict[str, object], said: str) -> None:
    """What a study remembers of its beginning stands in its command."""
    assert f" {said} " in f" {command(**changes)} "


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (Goal(latency="p99"), "--latency p99 --prefer balanced"),
        (Goal(prefer="throughput", max_latency_ms=20), "--prefer throughput --max-latency 20ms"),
        (Goal(min_throughput_per_s=0.5), "--min-throughput 0.5/s"),
        (Goal(max_memory_bytes=5e8, max_error=0.001), "--max-memory 500000000B --max-error 0.001"),
        (Goal(margin=0.05), "--margin 0.05"),
    ],
)
def test_goal(goal: Goal, said: str) -> None:
    """The goal and its limits stand in the command, without exponents."""
    assert f" {said} " in command_of(replace(STUDY, goal=goal))


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(trials=50), "--trials 50"),
        (Budget(trials=50, patience=4, seed=7), "--trials 50 --patience 4 --seed 7"),
        (Budget(trials=9, timeout_s=3600, confirm_s=0.5), "--trials 9 --timeout 3600s --confirm 0.5s"),
        (Budget(trials=9, soak_s=1e6, only_front=True), "--trials 9 --soak 1000000s --only-front"),
    ],
)
def test_budget(budget: Budget, said: str) -> None:
    """What the last search might take, and its seed, stand at the command's end."""
    assert command_of(replace(STUDY, budget=budget)).endswith(f" {said}")


def test_capacity() -> None:
    """A capacity is asked for with its limit and without a preference."""
    cameras = replace(STUDY.setup, workload=StreamsCapacity(frames_per_s=30))
    told = command_of(replace(STUDY, setup=cameras, goal=Goal(deadline_ms=33)))
    assert "--load streams:30/s --deadline 33ms --trials" in told
    users = replace(STUDY.setup, workload=PoissonCapacity())
    assert "--prefer" not in command_of(replace(STUDY, setup=users, goal=Goal(max_latency_ms=20)))


def test_recording() -> None:
    """A study in a recording is made again in that: its model and load come from there."""
    assert command(recording="0" * 64).startswith("ovtune search --replay RECORDING --study mobilenet")


def test_hostile_names() -> None:
    """What comes from outside is quoted, and comes back as one word each."""
    path = "a b'; rm -rf $HOME #"
    told = command(model=replace(fake.MODEL, path=path))
    assert shlex.split(told)[2] == path

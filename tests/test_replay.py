from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.config import Config
from ovtune.evaluator import Failed, Infeasible
from ovtune.measurement import Block, Plan
from ovtune.recording import Record, Recording
from ovtune.replay import Replay, setup_of
from ovtune.workload import ClosedLoop, Streams
from tests import fake

A, B, C, D = (Config(device="CPU", nireq=n) for n in (1, 2, 3, 4))
ROUND_S = 10.0


def record(config: Config, started_s: float, *, round_: int = 0, ok: bool = True, reason: str = "") -> Record:
    """A visit of 1.5 s whose throughput tells when it was recorded."""
    return Record(
        round=round_,
        started_s=started_s,
        config=config,
        ok=ok,
        reason=reason or None,
        throughput_per_s=1000 + started_s,
        latency_ms={"mean": 5.0, "p50": 5.0},
        samples=100,
        elapsed_s=0.8,
        cost_s=1.5,
    )


def recording(*records: Record) -> Recording:
    return replace(fake.recording(rounds=1), records=tuple(sorted(records, key=lambda r: r.started_s)))


def rounds(count: int, *members: Config) -> list[Record]:
    """Rounds of 10 s in each of which the members follow each other, every second time the other way round."""
    return [
        record(config, ROUND_S * r + 2 * place, round_=r)
        for r in range(count)
        for place, config in enumerate(members if r % 2 == 0 else members[::-1])
    ]


def times(replay: Replay, *asked: Config) -> list[float]:
    """When the blocks that the visits get were recorded."""
    found = []
    for config in asked:
        outcome = replay.evaluate(config, Plan())
        assert isinstance(outcome, Block)
        found.append(round(outcome.throughput_per_s - 1000, 6))
    return found


def test_blocks_come_in_recorded_order_and_begin_again() -> None:
    """A config's blocks are given one after the other, and after the last one the first again."""
    replay = Replay(recording(*rounds(3, A)))
    assert times(replay, *[A] * 7) == [0, 10, 20, 0, 10, 20, 0]


def test_the_clock_moves_by_what_visits_took() -> None:
    """The simulated time is the sum of the recorded costs, whatever lies between the blocks; blocks begin at it."""
    replay = Replay(recording(*rounds(3, A, B)))
    begun = [replay.evaluate(config, Plan()) for config in (A, B, A)]
    assert replay.now_s == pytest.approx(4.5)
    assert [b.started_at for b in begun if isinstance(b, Block)] == [1_700_000_000, 1_700_000_001.5, 1_700_000_003]


def test_a_visit_gets_the_nearest_block() -> None:
    """A config that comes in late gets the block recorded next to the last visit, before or after it."""
    late = recording(*rounds(5, A), record(B, 1), record(B, 19), record(B, 43), record(C, 22), record(C, 47))
    assert times(Replay(late), A, A, A, B, C) == [0, 10, 20, 19, 22]
    assert times(Replay(late), A, A, A, A, A, B, A, B) == [0, 10, 20, 30, 40, 43, 0, 1]


def test_of_two_as_near_the_later_one() -> None:
    """Where two blocks lie as near, time goes forward."""
    replay = Replay(recording(record(A, 0), record(B, 1), record(B, 2)))
    assert times(replay, A, B) == [0, 2]


def test_a_duel_meets_in_one_round_after_the_other() -> None:
    """Though one side had been visited more often before, all pairs but the first are each from one round."""
    replay = Replay(recording(*rounds(12, A, B, C)))
    times(replay, B, C, B, C, B)
    pairs = [sorted(times(replay, *(A, B)[:: 1 if pair % 2 == 0 else -1])) for pair in range(6)]
    assert all(high - low == 2 for low, high in pairs[1:]), pairs
    assert [low for low, _ in pairs] == sorted(low for low, _ in pairs)


@given(
    st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=40),
    st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(0, 99)), max_size=30, unique=True),
)
def test_every_block_is_given_before_any_is_given_again(
    asked: Sequence[Config], more: Sequence[tuple[Config, int]]
) -> None:
    """Each config's blocks come once each before the first of them comes a second time."""
    held = [record(A, 5), record(B, 50), record(C, 95), *(record(config, float(s) + 0.5) for config, s in more)]
    replay = Replay(recording(*held))
    given_ = times(replay, *asked)
    for config in (A, B, C):
        mine = [t for c, t in zip(asked, given_, strict=True) if c == config]
        all_ = sorted(r.started_s for r in held if r.config == config)
        for start in range(0, len(mine), len(all_)):
            passed = mine[start : start + len(all_)]
            assert len(set(passed)) == len(passed)
            assert set(passed) <= set(all_)
    assert replay.now_s == pytest.approx(1.5 * len(asked))


def test_time_goes_back_for_all_configs_at_once() -> None:
    """When one has nothing left to come, the others that were skipped meet it at the beginning, in their order."""
    replay = Replay(recording(*rounds(6, A, B), record(C, 31)))
    assert times(replay, C, A, B, A, B) == [31, 32, 30, 40, 42]
    assert times(replay, A, B, A) == [52, 50, 0]
    assert times(replay, B, A, B, A, B) == [2, 12, 10, 20, 22]


def test_fresh_blocks_are_those_never_given() -> None:
    """Each visit takes one of them, failed visits are none, and what begins again has none left."""
    replay = Replay(recording(*rounds(3, A), record(A, 31, ok=False), record(B, 5)))
    assert [replay.fresh_blocks(config) for config in (A, B, D)] == [3, 1, 0]
    told = []
    for _ in range(5):
        replay.evaluate(A, Plan())
        told.append(replay.fresh_blocks(A))
    assert told == [2, 1, 0, 0, 0]


def test_rounds_are_held_out() -> None:
    """A replay draws from its rounds alone: what it never gives is left to judge it by."""
    whole = recording(*rounds(6, A, B))
    drawn, left = Replay(whole, rounds={0, 2, 4}), Replay(whole, rounds={1, 3, 5})
    assert set(times(drawn, *[A, B] * 9)).isdisjoint(times(left, *[A, B] * 9))
    assert set(times(drawn, *[A] * 9)) == {0, 20, 40}


def test_what_the_recording_does_not_hold_is_infeasible() -> None:
    """A config that is not in it, or only in rounds that are held out, cannot be measured, and costs nothing."""
    replay = Replay(recording(*rounds(2, A), record(B, 30, round_=7)), rounds=range(2))
    for config in (B, D):
        outcome = replay.evaluate(config, Plan())
        assert isinstance(outcome, Infeasible)
        assert "not in the recording" in outcome.reason
    assert replay.now_s == 0


def test_another_load_is_not_answered() -> None:
    """A visit under a load of its own, as a capacity needs it, fails with the reason; the recorded load is answered."""
    replay = Replay(recording(*rounds(2, A)))
    outcome = replay.evaluate(A, Plan(workload=Streams(cameras=3, frames_per_s=30)))
    assert outcome == Failed(reason="the recording was made under closed, not under streams:3x30/s")
    assert isinstance(replay.evaluate(A, Plan(workload=ClosedLoop())), Block)


def test_what_never_ran_is_infeasible_and_what_sometimes_did_failed() -> None:
    """The reason and the cost are the recorded ones."""
    never = [record(A, t, ok=False, reason="CPU refuses it") for t in (0, 10)]
    at_times = [record(B, 2), record(B, 12, ok=False, reason="ended by SIGSEGV"), record(C, 1, ok=False)]
    replay = Replay(recording(*never, *at_times))
    assert replay.evaluate(A, Plan()) == Infeasible(reason="CPU refuses it", cost_s=1.5)
    assert isinstance(replay.evaluate(B, Plan()), Block)
    assert replay.evaluate(B, Plan()) == Failed(reason="ended by SIGSEGV", cost_s=1.5)
    assert replay.evaluate(C, Plan()) == Infeasible(reason="the recording does not say why", cost_s=1.5)
    assert replay.now_s == pytest.approx(6)


def test_the_same_questions_have_the_same_answers() -> None:
    """A replay is a function of the recording and of what was asked before: a search that goes on asks it again."""
    held = fake.recording(rounds=5)
    asked = [*held.configs[:9], *held.configs[3:6], *held.configs[:2]]
    one, other = ([replay.evaluate(c, Plan()) for c in asked] for replay in (Replay(held), Replay(held)))
    assert one == other


class TestSetup:
    """What a study in a recording is about."""

    def test_from_the_recording_alone(self) -> None:
        """Model, load, host and space are the recorded ones, and the setup knows which recording it is from."""
        held = fake.recording()
        setup = setup_of(held)
        assert (setup.model, setup.environment) == (fake.MODEL, fake.ENVIRONMENT)
        assert setup.space.configs == held.configs
        assert setup.recording == held.sha256

    def test_named_baselines(self) -> None:
        """OpenVINO's own answers are those that the recording names."""
        assert set(setup_of(fake.recording()).baselines) == set(fake.BASELINES)

    def test_usual_baselines(self) -> None:
        """Where none is named: nothing or a hint alone, one device, batch 1, told apart by their requests."""
        hint = {"PERFORMANCE_HINT": "LATENCY"}
        members = [
            A,
            B,
            Config(device="CPU", properties=hint, nireq=1),
            Config(device="CPU", properties=hint | {"NUM_STREAMS": 2}, nireq=1),
            Config(device="CPU", nireq=1, batch_size=2),
            Config(device="CPU", nireq=1, api="sync"),
            Config(device="CPU", nireq=1, precision="FP16"),
            Config(device="AUTO", nireq=1),
            Config(device="AUTO:GPU,CPU", nireq=1),
            Config(device="BATCH:CPU(4)", nireq=4),
            Config(device="GPU.1", properties=hint, nireq=3),
        ]
        found = setup_of(recording(*rounds(1, *members))).baselines
        assert {b.name: b.config for b in found} == {
            "no settings on CPU, nireq 1": A,
            "no settings on CPU, nireq 2": B,
            "LATENCY hint on CPU": members[2],
            "LATENCY hint on GPU.1": members[-1],
        }

    def test_advised_requests(self) -> None:
        """Where the recording tells what the device advises, the config with so many requests is the answer."""
        advice = {"OPTIMAL_NUMBER_OF_INFER_REQUESTS": 2}
        held = recording(*(replace(r, effective=advice) for r in rounds(1, A, B, C)))
        assert [(b.name, b.config) for b in setup_of(held).baselines] == [("no settings on CPU", B)]

    def test_no_baseline_at_all(self) -> None:
        """A recording may hold none of them."""
        assert setup_of(recording(*rounds(1, Config(device="AUTO", nireq=2)))).baselines == ()

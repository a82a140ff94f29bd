import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ovtune import finding, soak
from ovtune.check import judge
from ovtune.checking import Finding
from ovtune.measurement import Block
from ovtune.pairing import Pairs
from ovtune.promise import Promise
from tests.promised import promise
from tests.value import block


def found(
    rate: float = 120.0,
    *,
    asked: Promise | None = None,
    other: float = 100.0,
    count: int = 12,
    spread: float = 0.01,
    looks: int = 1,
    pair_s: float = 4.0,
    block_fields: dict[str, Any] | None = None,
    **fields: Any,
) -> Finding:
    """What a check found whose blocks lie evenly around ``rate``, and the opponent's at ``other``."""
    about = asked or promise()
    at = rate * (1 + spread * np.linspace(-1, 1, count))
    blocks = tuple(replace(block(throughput_per_s=float(value)), **(block_fields or {})) for value in at)
    others: tuple[Block, ...] = (block(throughput_per_s=other),) * count if about.opponent is not None else ()
    pairs = Pairs(
        blocks=blocks,
        others=others,
        looks=(count,),
        pair_s=pair_s,
        failures=(),
        judgement=judge(about, blocks, others, looks=looks) if blocks else None,
        cut=fields.pop("cut", False),
    )
    return Finding(promise=about, pairs=pairs, differences=fields.pop("differences", ()), **fields)


class TestSentence:
    def test_what_holds(self) -> None:
        """The ratio with its interval, and what is promised."""
        said = finding.sentence(found(spread=0.0))
        assert said == (
            "it is 1.200 (1.200 to 1.200) times as good as the baseline in throughput, "
            "and 1.176 is promised, margin included"
        )

    @pytest.mark.parametrize(
        ("prefer", "objective"),
        [
            ("latency", "p50 latency"),
            ("balanced", "throughput / p50 latency"),
            ("efficiency", "CPU time per inference"),
        ],
    )
    def test_it_names_the_objective(self, prefer: Any, objective: str) -> None:
        """What the promise is about."""
        asked = promise(prefer=prefer, least=1.0, next_per_s=None)
        assert f"as good as the baseline in {objective}, " in finding.sentence(found(asked=asked))

    def test_all_that_is_wrong_is_told(self) -> None:
        """The ratio, the blocks below, and the soak."""
        slow = soak.Soak(config=soak.course(block([5.0])), ratio=0.8, high=0.9)
        said = finding.sentence(found(100.0, spread=0.0, soak=slow))
        assert said == (
            "it is 1.000 (1.000 to 1.000) times as good as the baseline in throughput, "
            "and 1.176 is promised, margin included; "
            "12 of 12 blocks ran below the promised 115/s, and the baseline did not slow down alike; "
            "over the soak the ratio is 0.800, promised at least 1.176"
        )

    def test_how_much_more_would_decide_it(self) -> None:
        """In pairs, and as an option."""
        said = finding.sentence(found(119.5, asked=promise(next_per_s=None), spread=0.04, looks=3))
        assert said.startswith("12 pairs were measured, and the ratio may lie on either side of 1.176: about ")
        assert (
            " more would decide it, as in --confirm 2m" in said or " more would decide it, as in --confirm 3m" in said
        )

    @pytest.mark.parametrize(
        ("rate", "spread", "ending"),
        [
            (117.94, 0.04, "pairs, more than a check makes; a wider --margin takes fewer"),
            (117.61, 0.04, "it is too near to it to be told apart; a wider --margin can be shown"),
        ],
    )
    def test_what_no_time_decides(self, rate: float, spread: float, ending: str) -> None:
        """Then the margin is what can be changed."""
        said = finding.sentence(found(rate, asked=promise(next_per_s=None), spread=spread, looks=3))
        assert said.endswith(ending)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"count": 0}, "0 pairs were measured, too few to tell"),
            ({"count": 1}, "1 pair was measured, too few to tell: give it time, as in --confirm 96s"),
            ({"count": 9, "cut": True}, "9 pairs were measured, too few to tell: it was interrupted"),
        ],
    )
    def test_too_few(self, fields: dict[str, Any], said: str) -> None:
        """And why there are no more."""
        assert finding.sentence(found(**fields)) == said

    def test_what_was_promised_cannot_be_read(self) -> None:
        """Energy is not compared with CPU time."""
        asked = promise(prefer="efficiency", work="energy", next_per_s=None)
        told = found(asked=asked)
        assert told.kind == "undecided"
        assert finding.sentence(told) == (
            "12 pairs were measured, but the energy per inference, which is promised, cannot be told here: "
            "run it as it was measured"
        )

    def test_nobody_can_tell_the_machine_from_the_config(self) -> None:
        """Where there is nothing beside it, or what was measured of both does not tell."""
        alone = promise(opponent=None, throughput_ratio=None)
        assert finding.sentence(found(90.0, asked=alone)).endswith("cannot be told with nothing beside it")
        unknown = promise(least=1.0, throughput_ratio=None)
        assert finding.sentence(found(110.0, asked=unknown)).endswith("cannot be told with so few pairs")


class TestRows:
    def test_both_sides_and_the_promise(self) -> None:
        """Each with today's figures."""
        rows = finding.rows(found(spread=0.0))
        assert [name for name, _ in rows] == [
            "config", "  today", "beside", "  today", "ratio", "promised", "next block"
        ]  # fmt: skip
        told = dict(rows)
        assert rows[1][1] == "120/s, p50 10 ms, 12 blocks"
        assert rows[3][1] == "100/s, p50 10 ms, 12 blocks"
        assert told["beside"] == "the baseline: THROUGHPUT hint on CPU, nireq 2"
        assert told["ratio"] == "1.200 (1.200 to 1.200) in throughput"
        assert told["promised"] == "at least 1.200: 1.176 with the margin of 2 %"
        assert told["next block"] == "12 of 12 blocks within 115 to 130/s, 0 below"

    def test_a_slower_machine(self) -> None:
        """The opponent's throughput is compared with its published one, where there is one."""
        told = found(96.0, other=80.0)
        assert finding.sentence(told).endswith(
            "12 of 12 blocks ran below the promised 115/s, but the machine is slower: "
            "the baseline has 80% of its published throughput, too"
        )
        assert dict(finding.rows(told))["next block"] == "0 of 12 blocks within 115 to 130/s, 12 below"

    def test_soaks(self) -> None:
        """In a closed loop by throughput, in an open one by latency."""
        closed = soak.course(block([10.0] * 10 + [20.0] * 80 + [20.0] * 10, throughput_per_s=100.0))
        opened = soak.course(block([10.0, 20.0], occupancy=None), [block([10.0], occupancy=None)])
        told = dict(finding.rows(found(soak=soak.Soak(config=closed, opponent=opened, ratio=1.3, high=1.5))))
        assert told["soak"] == "190/s at the start, 95/s at the end of 1s: 50% remains"
        assert told["  the baseline"] == (
            "p50 10 ms at the start, 20 ms at the end of 20ms: 50% remains; 67% of the short blocks' speed"
        )
        assert told["  ratio"] == "1.300 over the whole soak"

    def test_nothing_was_measured(self) -> None:
        """The two sides are named all the same."""
        assert [name for name, _ in finding.rows(found(count=0))] == ["config", "beside"]


class TestWarnings:
    def test_none(self) -> None:
        """Where there is nothing to be said, nothing is."""
        assert list(finding.warnings(found())) == []

    def test_a_better_opponent_is_told_even_where_the_promise_holds(self) -> None:
        """A document that left it undecided promised little, and today may show more."""
        told = found(90.0, asked=promise(least=0.8, next_per_s=None), spread=0.01)
        assert told.kind == "holds"
        assert list(finding.warnings(told))[1:] == [
            "the baseline is shown to be better here by more than the margin: use that, or search again"
        ]

    def test_an_opponent_that_breaks_a_limit_is_not_advised(self) -> None:
        """A faster baseline that is too inexact is no better one."""
        told = found(90.0, asked=promise(least=0.8, next_per_s=None, excused=True), spread=0.01)
        assert not any("use that" in line for line in finding.warnings(told))

    def test_each_doubt_is_a_line(self) -> None:
        """Differences, an unconfirmed config, limits that were not met, contention, failures."""
        told = found(
            asked=promise(limits=False, next_per_s=None),
            block_fields={"others_busy": 0.3},
            differences=("another host",),
            unconfirmed=True,
            failures=("config: it crashed",),
        )
        assert list(finding.warnings(told)) == [
            "another host",
            "the published throughput is from other circumstances: it was not compared with today's",
            "the config was not confirmed against the baseline when the document was written",
            "no config met the limits when the document was written: they were not checked",
            "other processes used the machine during 12 of 24 blocks",
            "1 visit came to nothing, the last one: config: it crashed",
        ]


@pytest.mark.parametrize("count", [0, 1, 12])
def test_the_tree_is_json_without_infinities(count: int) -> None:
    """Whatever was measured, a strict reader of JSON can read it."""
    tree = finding.tree(found(count=count, soak=soak.Soak(config=soak.course(block([5.0])))))
    assert json.loads(json.dumps(tree, allow_nan=False))["pairs"] == count

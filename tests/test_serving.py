from dataclasses import replace

import pytest

from ovtune.config import Config
from ovtune.goal import Goal
from ovtune.lineup import Band, Finding, leader
from ovtune.serving import Words, _judged, serve, told_of
from ovtune.tolerance import Judgement
from ovtune.workload import ClosedLoop, PoissonCapacity, StreamsCapacity
from tests import fake

CAMERAS = Words(load=StreamsCapacity(frames_per_s=30), goal=Goal(deadline_ms=33))
RATES = Words(load=PoissonCapacity(), goal=Goal(latency="p99", max_latency_ms=20))
SEEN = Judgement(mark="holds", blocks=3, samples=1200, value=0.002, high=0.006, least_ms=4.0)
MINE = Config(device="CPU", nireq=4)
ITS = fake.BASELINES[1].config
NAME = "OpenVINO's THROUGHPUT hint"


def band(high: float, above: float | None = None, low: float | None = 1.0) -> Band:
    return Band(low=low, high=high, above=above, at_high=SEEN)


def finding(told: Band | None, *, answer: bool, settled: bool = True, least_ms: float | None = 4.0) -> Finding:
    config = ITS if answer else MINE
    return Finding(config=config, answer=answer, band=told, settled=settled, least_ms=least_ms)


def judged(*found: Finding, words: Words = CAMERAS) -> tuple[str, str]:
    best, answer = (leader(f for f in found if f.answer == side) for side in (False, True))
    return _judged(found, best, answer, words, NAME)


@pytest.mark.parametrize(
    ("mine", "its", "kind"),
    [
        (band(12, 13), band(9, 10), "better"),
        (band(10, 11), band(9, 10), "better"),
        (band(9, 10), band(9, 10), "equal"),
        (band(8, 9), band(9, 10), "equal"),
        (band(12, 13), band(9, None), "undecided"),
        (band(12, 13), band(9, 13), "undecided"),
        (band(13, 14), band(9, 13), "better"),
        (band(101, 102), band(100, 101), "equal"),
        (band(104, 105), band(100, 102), "better"),
    ],
)
def test_cameras_are_compared(mine: Band, its: Band, kind: str) -> None:
    """Better serves more than the other was shown to be able to, by more than the margin; else equal, or open."""
    assert judged(finding(mine, answer=False), finding(its, answer=True))[0] == kind


@pytest.mark.parametrize(
    ("mine", "its", "kind"),
    [
        (band(150, 158), band(138, 144.8), "better"),
        (band(144.8, 151.9), band(138, 144.8), "equal"),
        (band(138, 144.8), band(138, 144.8), "equal"),
        (band(120, 125), band(138, 144.8), "equal"),
        (band(151.9, 160), band(138, 160), "undecided"),
    ],
)
def test_rates_are_compared(mine: Band, its: Band, kind: str) -> None:
    """Rates that lie a step of the scale apart are equal, as exactly as was looked."""
    assert judged(finding(mine, answer=False), finding(its, answer=True), words=RATES)[0] == kind


def test_words() -> None:
    """A camera is one camera; a band of rates has both ends; the limit is named as it was given."""
    assert CAMERAS.full(band(1)) == "serves 1 camera of 30 frames/s with at most 1% late within 33 ms"
    assert CAMERAS.short(band(12, low=3)) == "3 to 12 cameras"
    assert CAMERAS.short(band(12, low=None)) == "12 cameras"
    assert RATES.full(band(138, low=9.472)) == "sustains 9.472 to 138/s with p99 within 20 ms"
    assert RATES.short(band(138, low=None)) == "up to 138/s"
    mean = replace(RATES, goal=Goal(latency="mean", max_latency_ms=20))
    assert mean.limit == "mean latency within 20 ms"
    told = told_of(mean.load, mean.goal, Band(low=1, high=9, above=None, at_high=replace(SEEN, value=12.3, high=15.6)))
    assert (
        told == "1 to 9/s with mean latency within 20 ms (verified: mean 12.3 ms of 1,200 in 3 blocks, at most 15.6 ms)"
    )
    assert told_of(mean.load, mean.goal, None) is told_of(ClosedLoop(), Goal(), band(3)) is None


def test_one_side_alone() -> None:
    """Who alone serves anything is better, or already best; where neither does, the limit cannot be met."""
    both = (finding(None, answer=False), finding(None, answer=True, least_ms=5.5))
    assert judged(*both) == (
        "infeasible",
        (
            "No config keeps the limit: not a single camera with at most 1% late within 33 ms; "
            "the quickest answer of all took 4 ms"
        ),
    )
    kind, text = judged(finding(band(3, 4), answer=False), both[1])
    assert (kind, text) == (
        "better",
        (
            "It serves 3 cameras of 30 frames/s with at most 1% late within 33 ms; "
            "OpenVINO's THROUGHPUT hint serves not a single camera"
        ),
    )
    kind, text = judged(both[0], finding(band(3, 4), answer=True))
    assert kind == "equal"
    assert text.endswith("no other config that was tried does so")


def test_what_was_not_finished_is_unconfirmed() -> None:
    """While somebody on the other side may serve more, nothing is claimed, and how to go on is said."""
    open_answer, open_other = finding(None, answer=True, settled=False), finding(None, answer=False, settled=False)
    mine, its = finding(band(12, 13), answer=False), finding(band(9, 10), answer=True)
    less = finding(band(8, 9), answer=False)
    for found in (
        (open_other, open_answer),
        (mine, open_answer),
        (open_other, its),
        (mine, its, open_answer),
        (less, its, open_other),
    ):
        kind, text = judged(*found)
        assert kind == "unconfirmed"
        assert text.endswith("give more --confirm")
    assert judged(mine, its, open_other)[0] == "better"
    assert judged(less, its, open_answer)[0] == "equal"


def test_other_studies_are_not_asked() -> None:
    """A study under a given load says nothing of capacities."""
    assert serve(fake.study(), Goal()) is None

import dataclasses

import pytest

from ovtune.goal import Goal
from ovtune.report.progress import progress_of, steps_of
from ovtune.result import conclude
from tests.report import sample


def test_both_shares_rise_to_one() -> None:
    """Neither falls from one trial to the next; both are whole after the last one."""
    steps = steps_of(sample.result())
    for name in ("best", "front", "minutes"):
        values = [getattr(step, name) for step in steps]
        assert values == sorted(values)
    assert steps[-1].best == pytest.approx(1.0)
    assert steps[-1].front == pytest.approx(1.0)
    assert [step.trial for step in steps] == sorted({step.trial for step in steps})


def test_a_limit_that_nothing_keeps() -> None:
    """While no config keeps the limits there is no best one."""
    result = conclude(sample.study(), Goal(max_latency_ms=0.001))
    assert {step.best for step in steps_of(result)} == {0.0}
    assert {step.leader for step in steps_of(result)} == {""}


def test_why_it_ended() -> None:
    """The reader is told why the search ended, and how many measurements were shared."""
    result = sample.result()
    ended = dataclasses.replace(result, study=dataclasses.replace(result.study, stopped="nothing more to gain"))
    first, second = progress_of(ended).panels
    assert "nothing more to gain" in first.text
    assert result.sharing.words in first.text
    assert first.table is not None
    assert len(first.table.rows) == len(steps_of(result))
    assert first.drawn is not None
    assert second.drawn is not None
    assert [s.x for s in second.drawn.series[0].spots] == [step.minutes for step in steps_of(result)]


def test_a_thousand_trials() -> None:
    """A long search has a step for each of its trials."""
    assert len(steps_of(sample.large(1000))) == 1000

"""Whether a search still gains anything: a pure function of what was measured."""

import math
from collections.abc import Sequence

from ovtune import goal as goals
from ovtune.estimate import Estimate, Quantity
from ovtune.field import Field, beaten, survey_field
from ovtune.goal import Goal
from ovtune.study import Study, trials_of


def idle(study: Study, goal: Goal, *, start: int) -> int:
    """How many trials in a row, up to the last one, have gained nothing; the first ``start`` of them do not count.

    A trial gains where its config was not tried before and is ahead, by more than their joint standard error, of each
    config that was known when something was last gained: for the goal (its limits come first), or of each of them in
    throughput (or in work per inference, where the load is given) or in latency, so that the front has moved. Small
    steps so add up. Each config counts with all that is known of it by now.
    """
    field = survey_field(study, goal)
    owners = study.owners
    known: list[Estimate] = []
    since: list[Estimate] = []
    seen: set[str] = set()
    last = -1
    trials = trials_of(study)
    for place, visit in enumerate(trials):
        key = owners.get(visit.config.key, visit.config.key)
        estimate = field.estimates.get(key)
        if estimate is None or key in seen:
            continue
        seen.add(key)
        since.append(estimate)
        if gains(estimate, known, goal, field):
            known, since, last = [*known, *since], [], place
    return len(trials) - max(last + 1, start) if len(trials) > start else 0


def gains(new: Estimate, known: Sequence[Estimate], goal: Goal, field: Field) -> bool:
    """Whether ``new`` moves the front of ``known``, or their best for the goal, beyond the uncertainty."""
    if not known or all(_apart(new, old, goal, field) for old in known):
        return True
    best = goals.ranked(known, goal, field.metric)[0]
    mine, its = (goals.breaches(e, goal, field.metric) for e in (new, best))
    if mine:
        return False
    return bool(its) or beaten(new, best, goal, field.metric, by=1.0)


def _apart(new: Estimate, old: Estimate, goal: Goal, field: Field) -> bool:
    """Whether ``new`` is ahead of ``old`` in one of the two objectives."""
    ahead = goals.merit(new, goal.against, field.metric) - goals.merit(old, goal.against, field.metric)
    if ahead > math.hypot(new.throughput_per_s.error, old.throughput_per_s.error):
        return True
    mine, its = new.latency_ms[field.metric], old.latency_ms[field.metric]
    if not (isinstance(mine, Quantity) and isinstance(its, Quantity)):
        raise TypeError(f"{field.metric} is not available for every config")
    return math.log(its.value / mine.value) > math.hypot(mine.error, its.error)

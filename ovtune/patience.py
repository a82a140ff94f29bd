"""Whether a search still gains anything: a pure function of what was measured."""

import numpy as np

from ovtune import goal as goals
from ovtune.estimate import Estimate, Quantity
from ovtune.field import Field, beaten, survey_field
from ovtune.goal import Goal
from ovtune.stats import Array
from ovtune.study import Study, trials_of


def idle(study: Study, goal: Goal, *, start: int) -> int:
    """How many trials in a row, up to the last one, have gained nothing; the first ``start`` of them do not count.

    A trial gains where its config was not tried before and is ahead, by more than their joint standard error, of what
    was known when something was last gained: of the best for the goal (its limits come first), or of each config in
    throughput (in work per inference, where the load is given) or in latency, so that the front has moved. Small steps
    so add up. Each config counts with all that is known of it by now.
    """
    field = survey_field(study, goal)
    trials = trials_of(study)
    found = _found(study, field)
    estimates = [estimate for _, estimate in found]
    points = np.array([_point(estimate, goal, field) for estimate in estimates])
    known, last = 0, -1
    best: Estimate | None = None
    for i, (place, estimate) in enumerate(found):
        if _moves(points[i], points[:known]) or (best is not None and _leads(estimate, best, goal, field)):
            known, last = i + 1, place
            best = goals.ranked(estimates[:known], goal, field.metric)[0]
    return max(len(trials) - max(last + 1, start), 0)


def _found(study: Study, field: Field) -> list[tuple[int, Estimate]]:
    """What each trial measured that no trial before had, with its place among them."""
    owners = study.owners
    first: dict[str, int] = {}
    for place, visit in enumerate(trials_of(study)):
        first.setdefault(owners.get(visit.config.key, visit.config.key), place)
    return [(place, field.estimates[key]) for key, place in first.items() if key in field.estimates]


def _point(estimate: Estimate, goal: Goal, field: Field) -> tuple[float, float, float, float]:
    """The two objectives as logarithms, both better when larger, and the errors of both."""
    metric = field.metric
    if not isinstance(estimate.latency_ms[metric], Quantity):
        raise TypeError(f"{metric} is not available for every config")
    gain, quick = goals.merit(estimate, goal.against, metric), goals.merit(estimate, "latency", metric)
    return gain, quick, goals.error(estimate, goal.against, metric), goals.error(estimate, "latency", metric)


def _moves(new: Array, known: Array) -> bool:
    """Whether a point is ahead of each known one in at least one objective."""
    if len(known) == 0:
        return True
    ahead = new[:2] - known[:, :2] > np.hypot(new[2:], known[:, 2:])
    return bool(ahead.any(axis=1).all())


def _leads(new: Estimate, best: Estimate, goal: Goal, field: Field) -> bool:
    """Whether an estimate keeps the limits, and the best for the goal until then breaks them or is beaten."""
    if goals.breaches(new, goal, field.metric):
        return False
    return bool(goals.breaches(best, goal, field.metric)) or beaten(new, best, goal, field.metric, by=1.0)

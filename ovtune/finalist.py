"""Who goes into the elimination, by how much the first one leads, and how long deciding it is likely to take."""

import itertools
import math
from collections.abc import Iterable

import numpy as np

from ovtune import duel
from ovtune import goal as goals
from ovtune.config import Config
from ovtune.field import LEAST_COST_S, Duel, Field, contested, last_duel, survey_field
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.study import Study, last_confirmation

_ROUNDS = 3
"""The rounds of an elimination that its finalists are chosen for."""
_LATEST = 3
_CHALLENGERS = 5
_ANSWERS = 5
_KNOWN = 4
"""The blocks from which on it is known how good one of OpenVINO's own answers is."""
_HOPE = 0.02
_TOLD = 4
"""From how many pairs on a duel tells better than what came before how much is left of it."""


def finalists(field: Field) -> list[Config]:
    """Who goes into the elimination, the most important first: best challenger and best baseline, and so on in turn.

    The challengers are those that may be the best one, and after them the rest of the front.
    """
    others, own = hopeful(field)
    on_front = goals.front(field.estimates.values(), field.metric, field.goal.against)
    others += [e.config.key for e in on_front if e.config.key not in {*others, *field.answers, *field.lost}]
    turns = itertools.zip_longest(others[:_CHALLENGERS], own[:_ANSWERS])
    return [field.estimates[key].config for turn in turns for key in turn if key is not None]


def hopeful(field: Field) -> tuple[list[str], list[str]]:
    """The keys of the challengers and of the baselines that may be the best of their kind, who leads first.

    Of a baseline nobody knows before it has a few blocks: one that other work disturbed lies off by more than any error
    foresees, and a verdict against the weaker one is none.
    """
    best = field.challenger.config.key if field.challenger is not None else None
    known = field.prospects
    order = sorted(known, key=lambda key: (key != best, -known[key].worth))
    chosen = [key for key in order if key not in field.lost and (key == best or known[key].leads >= _HOPE)]
    own = [key for key in order if key in field.answers]
    return (
        [key for key in chosen if key not in field.answers],
        [key for key in own if key in chosen or field.estimates[key].blocks < _KNOWN],
    )


def left_s(study: Study, goal: Goal, *, time_s: float, spent_s: float) -> float:
    """What elimination and duel may be expected to take from now on: all of it where nobody challenges yet.

    Args:
        study: The study, which may still be searched.
        goal: The goal.
        time_s: The time for both.
        spent_s: What they have taken of it.
    """
    field = survey_field(study, goal)
    if field.challenger is None or field.strongest is None:
        return max(time_s - spent_s, 0.0)
    ahead, error, deviation = lead(field)
    sure = max(abs(ahead) - error, 0.0)
    sides = study.duels.get(last_confirmation(study))
    if sides is not None and begun(study, last_confirmation(study)):
        fight = last_duel(study)
        done = len(fight.pairs) if fight is not None else 0
        if fight is not None and done >= _TOLD:
            sure, deviation = _shown(fight, field)
        pairs = duel.likely(sides.looks, done, sure, deviation) - done
        return pairs * (cost_s(study, sides.candidate) + cost_s(study, sides.baseline))
    baseline = field.strongest.config
    pair_s = cost_s(study, field.challenger.config) + cost_s(study, baseline)
    free_s = time_s - min(pair_s * duel.needed(ahead - error, deviation), duel.SHARE * time_s)
    open_ = any(len(kind) > 1 for kind in hopeful(field))
    round_s = sum(cost_s(study, config) for config in affordable(study, finalists(field), free_s))
    eliminated_s = max(free_s if open_ else min(round_s, free_s), spent_s)
    pairs = duel.likely(duel.looks(int((time_s - eliminated_s) / pair_s)), 0, sure, deviation)
    return max(eliminated_s + pairs * pair_s - spent_s, 0.0)


def _shown(fight: Duel, field: Field) -> tuple[float, float]:
    """What the pairs of a duel show of the difference, less its error, and how far they lie apart; on logarithms."""
    about = contested(field.goal, field.estimates[fight.baseline.key], field.metric)
    metric = duel.compared(fight.pairs, field.goal.latency)
    apart = duel.gains(fight.pairs, about, metric)
    deviation = float(np.std(apart, ddof=1))
    return max(abs(float(np.median(apart))) - deviation / math.sqrt(len(apart)), 0.0), deviation


def cost_s(study: Study, config: Config) -> float:
    """What a visit to a measured config takes: the last ones tell, after which its compiled model was kept."""
    key = study.owner(config)
    made = [v for v in study.visits if v.config.key == key and v.phase != "soak"]
    costs = [v.outcome.cost_s for v in made if isinstance(v.outcome, Block)]
    return max(float(np.median(costs[-_LATEST:])), LEAST_COST_S)


def affordable(study: Study, configs: Iterable[Config], time_s: float) -> list[Config]:
    """As many of ``configs``, the first ones first, as all rounds have time for; two of them at least."""
    taken: list[Config] = []
    for config in configs:
        time_s -= _ROUNDS * cost_s(study, config)
        if time_s < 0 and len(taken) >= 2:
            break
        taken.append(config)
    return taken


def lead(field: Field) -> tuple[float, float, float]:
    """By how much the challenger leads the strongest baseline in what they would duel for, and the error of that.

    And the deviation of the difference of a pair of their blocks; all on logarithms.
    """
    if field.challenger is None or field.strongest is None:
        return 0.0, 0.0, 0.0
    baseline = field.estimates[field.owners.get(field.strongest.config.key, field.strongest.config.key)]
    mine, its = (field.prospects[e.config.key].estimate for e in (field.challenger, baseline))
    about, metric = contested(field.goal, baseline, field.metric), field.goal.latency
    ahead = goals.merit(mine, about, metric) - goals.merit(its, about, metric)
    error = math.hypot(*(goals.error(one, about, metric) for one in (mine, its)))
    energy = its.energy_mj_per_inference is not None
    return ahead, error, math.sqrt(2) * goals.deviation(field.spread, about, metric, energy=energy)


def begun(study: Study, number: int) -> bool:
    """Whether a confirmation has begun, and no trial came after it."""
    last_trial = max((v.number for v in study.visits if v.phase == "search"), default=-1)
    return last_trial < min((v.number for v in study.visits if v.confirmation == number), default=-1)

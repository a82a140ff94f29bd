"""What a study says under a goal: front, recommendation, figures, verdict. Derived, never stored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ovtune import duel, soak
from ovtune import goal as goals
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.duel import Score
from ovtune.errors import MeasurementError
from ovtune.estimate import Estimate, Spread, spread_of
from ovtune.field import Duel, Field, contested, deciding_duel, failing, fresh, last_duel, survey_field
from ovtune.figures import Evidence, Measured, figures
from ovtune.goal import Goal
from ovtune.lineup import Band
from ovtune.measurement import Block, LatencyMetric
from ovtune.serving import serve
from ovtune.sharing import Sharing, sharing_of
from ovtune.soak import Soak
from ovtune.stability import low_ratio, unstable
from ovtune.study import (
    CHOOSING,
    Baseline,
    Study,
    agreement_of,
    blocks_by_config,
    every_block,
    last_confirmation,
    reason_of,
    trials_of,
)
from ovtune.verdict import Verdict, decided, limited, unconfirmed

_COUNT_ONCE = frozenset({"switched_device"})
_CHOSEN = "another config of the study was"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A study's answer under a goal.

    Attributes:
        study: The study.
        goal: The goal.
        metric: The latency by which the configs are compared: the goal's, or p50 where it is not yet available.
        estimates: What each measured config does, by its key, from search and elimination.
        front: The estimates that no other one beats, by falling throughput.
        recommended: The config to deploy.
        trial: The trial that proposed it.
        measured: Its published figures.
        baseline: The strongest of OpenVINO's own answers.
        baseline_measured: Its published figures.
        verdict: What may be said.
        caveats: The doubts about the recommendation, without repetition.
        bands: Where a capacity is asked for, what each finalist serves within the limit, by its key.
        duel: The duel that tells the verdict; None where none does.
        sharing: Which trials were told by another one's measurement, and whether that was right where it was checked.
        soak: The long runs of the duel's two sides, or of what is recommended without one; None where there are none.
    """

    study: Study
    goal: Goal
    metric: LatencyMetric
    estimates: Mapping[str, Estimate]
    front: tuple[Estimate, ...]
    recommended: Config
    trial: int
    measured: Measured
    baseline: Baseline
    baseline_measured: Measured
    verdict: Verdict
    caveats: tuple[Caveat, ...]
    sharing: Sharing
    bands: Mapping[str, Band] = field(default_factory=dict)
    duel: Duel | None = None
    soak: Soak | None = None


def conclude(study: Study, goal: Goal) -> Result:
    """What ``study`` says under ``goal``.

    Raises:
        MeasurementError: nothing in it was measured; the message names the most frequent reason.
    """
    field = survey_field(study, goal)
    if not field.estimates:
        raise MeasurementError(why_nothing(study))
    best = field.best
    strongest = field.strongest or Baseline(name="the first config measured", config=_first_measured(field))
    owner = study.owner(strongest.config)
    fight = deciding_duel(study, goal, owner)
    score, unsteady = (None, None) if fight is None else _judged(fight, goal, field, owner)
    recommended = best.config
    if fight is not None and score is not None:
        recommended = fight.candidate if score.standing in {"better", "trade"} else fight.baseline
    blocks = _published(study, fight)
    broken = _broken(field, blocks, goal)
    if broken[recommended.key] and not broken[owner]:
        recommended = field.estimates[owner].config
    elif fight is not None and recommended == fight.baseline and _keeps_what_was_not_contested(fight, field, broken):
        recommended = fight.candidate
    if fight is None or score is None:
        verdict = unconfirmed(strongest.name, leads=recommended.key == owner)
    else:
        verdict = decided(
            strongest.name,
            fight.candidate,
            score,
            goal,
            made=len(fight.pairs),
            pair_s=fight.pair_s,
            unsteady=unsteady,
        )
    verdict = limited(verdict, strongest.name, broken, recommended=recommended.key, baseline=owner)
    doubts = _doubts(study, blocks[recommended.key].blocks, _unconfirmed(study, verdict))
    if unsteady is not None and fight is not None and recommended == fight.candidate:
        doubts = (*doubts, unsteady)
    doubts = (*doubts, *_few_recorded(study, verdict), *_overtaken(field, fight, recommended))
    doubts = (*doubts, *_uncompared(study, recommended, doubts))
    soaked = _soaked(study, recommended, fight, score)
    if soaked is not None and fight is not None and recommended == fight.candidate and soaked.below(1):
        doubts = (*doubts, Caveat(kind="soak_lost", parameters={"minutes": soaked.config.elapsed_s / 60}))
    known = sharing_of(study)
    result = Result(
        study=study,
        goal=goal,
        metric=field.metric,
        estimates=field.estimates,
        front=tuple(goals.front(field.estimates.values(), field.metric, goal.against)),
        recommended=recommended,
        trial=_trial_of(study, recommended),
        measured=_figures(study, recommended, blocks[recommended.key], field.estimates, field.spread),
        baseline=strongest,
        baseline_measured=_figures(study, strongest.config, blocks[owner], field.estimates, field.spread),
        verdict=verdict,
        caveats=(*doubts, *known.doubts(recommended)),
        sharing=known,
        duel=fight,
        soak=soaked,
    )
    return _served(result)


def _served(result: Result) -> Result:
    """The result where a capacity is asked for: what was served decides, not the duel of a closed loop."""
    service = serve(result.study, result.goal)
    if service is None:
        return result
    chosen = service.recommended or result.recommended
    baseline = service.baseline or result.baseline
    key = result.study.owner(chosen)
    blocks = blocks_by_config(result.study.visits, *CHOOSING)[key]
    return replace(
        result,
        recommended=chosen,
        trial=_trial_of(result.study, chosen),
        measured=measured(result, chosen),
        baseline=baseline,
        baseline_measured=measured(result, baseline.config),
        verdict=service.verdict,
        caveats=(
            *_doubts(result.study, blocks, _unconfirmed(result.study, service.verdict)),
            *result.sharing.doubts(chosen),
        ),
        bands=service.bands,
    )


def _soaked(study: Study, recommended: Config, fight: Duel | None, score: Score | None) -> Soak | None:
    """What the last long runs showed, beside the duel's blocks where it was fought."""
    number = last_confirmation(study)
    long: dict[str, Block] = {}
    for visit in study.visits:
        if visit.phase == "soak" and visit.confirmation == number and isinstance(visit.outcome, Block):
            long[visit.config.key] = visit.outcome
    if fight is None or score is None:
        alone = long.get(recommended.key)
        return Soak(config=soak.course(alone)) if alone is not None else None
    if {fight.candidate.key, fight.baseline.key} <= long.keys():
        sides = long[fight.candidate.key], long[fight.baseline.key]
        return soak.compare(sides, fight.judged, prefer=fight.goal.prefer, metric=score.metric)
    return None


def _keeps_what_was_not_contested(fight: Duel, field: Field, broken: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the candidate keeps all limits and the baseline breaks one that the duel was not about."""
    about = contested(fight.goal, field.estimates[fight.baseline.key], field.metric)
    return bool(broken[fight.baseline.key]) and not broken[fight.candidate.key] and about == fight.goal.prefer


def _few_recorded(study: Study, verdict: Verdict) -> tuple[Caveat, ...]:
    """That a recording has fewer fresh blocks than the duel has time for, where it told nothing."""
    fight = last_duel(study) if study.setup.recording else None
    told = verdict.kind not in {"undecided", "unconfirmed"}
    if fight is None or told or _ended_before(study) or failing(study):
        return ()
    wanted = max(fight.planned[-1], study.duels[max(study.duels)].wanted)
    if len(fight.pairs) >= wanted:
        return ()
    return (Caveat(kind="few_recorded", parameters={"pairs": len(fight.pairs), "planned": wanted}),)


def _overtaken(field: Field, fight: Duel | None, recommended: Config) -> tuple[Caveat, ...]:
    """That a config which promises more than all that the duel was about did not come into one."""
    challenger = field.challenger
    candidate = None if fight is None else field.estimates.get(fight.candidate.key)
    if challenger is None or candidate is None or recommended == challenger.config:
        return ()
    near = field.close(challenger, by=1.0)
    if candidate in near or any(e.config == recommended for e in near):
        return ()
    ahead = field.prospects[challenger.config.key].worth - field.prospects[recommended.key].worth
    return (Caveat(kind="overtaken", parameters={"config": challenger.config.words}),) if ahead > 0 else ()


def _judged(fight: Duel, goal: Goal, field: Field, baseline: str) -> tuple[Score, Caveat | None]:
    """Where the duel stands; a candidate that spreads wider than the baseline gains only if its low quantile does."""
    prefer = contested(goal, field.estimates[baseline], field.metric)
    score = fight.score(prefer, goal)
    told = duel.worths([block for pair in fight.judged for block in pair], prefer, score.metric)
    mine, its = told[0::2], told[1::2]
    ratio, low = unstable(mine, its), low_ratio(mine, its)
    if ratio is None:
        return score, None
    objective = {"balanced": f"throughput / {score.metric}", "latency": score.metric, "efficiency": score.work}
    names: dict[str, str | float] = {"objective": objective.get(prefer, prefer), "ratio": ratio, "low": low}
    caveat = Caveat(kind="unstable", parameters=names)
    gains = score.standing in {"better", "trade"}
    return (replace(score, standing="undecided", more_pairs=None) if gains and low < 1 else score), caveat


def alternative(result: Result, config: Config) -> Result:
    """The same study with another measured config recommended, which nobody confirmed."""
    key = result.study.owner(config)
    blocks = blocks_by_config(result.study.visits, *CHOOSING)[key]
    return replace(
        result,
        recommended=config,
        trial=_trial_of(result.study, config),
        measured=measured(result, config),
        verdict=unconfirmed(result.baseline.name, leads=config.key == result.baseline.config.key),
        caveats=(*_doubts(result.study, blocks, _CHOSEN), *result.sharing.doubts(config)),
    )


def measured(result: Result, config: Config) -> Measured:
    """The figures of any measured config, from search and elimination."""
    study = result.study
    key = study.owner(config)
    blocks = blocks_by_config(study.visits, *CHOOSING)
    made = every_block(study.visits, *CHOOSING)[key]
    evidence = Evidence(source="search", blocks=blocks[key], made=made)
    return _figures(study, config, evidence, result.estimates, spread_of(blocks.values()))


def why_nothing(study: Study) -> str:
    """Why a study holds no measurement: the most frequent reason."""
    reasons = Counter(reason_of(v.outcome) for v in trials_of(study) if reason_of(v.outcome))
    if not reasons:
        return f"study {study.name} holds no measurement yet: run ovtune search to make some"
    why, count = reasons.most_common(1)[0]
    return f"all {sum(reasons.values())} trials came to nothing, {count} of them because: {why}"


def _published(study: Study, fight: Duel | None) -> dict[str, Evidence]:
    made = every_block(study.visits, *CHOOSING)
    told = blocks_by_config(study.visits, *CHOOSING)
    found = {key: Evidence(source="search", blocks=blocks, made=made[key]) for key, blocks in told.items()}
    found |= {key: found[owner] for key, owner in study.owners.items()}
    if fight is not None:
        sides = zip((fight.candidate, fight.baseline), fight.undisturbed, fight.made, strict=True)
        found |= {side.key: Evidence(source="duel", blocks=blocks, made=every) for side, blocks, every in sides}
    return found


def _first_measured(field: Field) -> Config:
    return next(iter(field.estimates.values())).config


def _broken(field: Field, evidence: Mapping[str, Evidence], goal: Goal) -> dict[str, tuple[str, ...]]:
    """The limits that each config breaks by its published figures: the asked latency, where they tell it."""
    found = {}
    for key, told in field.estimates.items():
        latest = evidence[key]
        final = fresh(told, latest.blocks, field.spread) if latest.source == "duel" else told
        found[key] = goals.breaches(final, goal, goals.common_metric([final], goal.latency))
    return found


def why_unconfirmed(study: Study) -> str:
    """Why a study's last confirmation has no duel to its end."""
    if _ended_before(study):
        return "the search was ended before"
    if not study.setup.baselines:
        return "none of OpenVINO's own answers is there to compare it with"
    answers = {baseline.config.key for baseline in study.setup.baselines}
    if all(visit.config.key in answers for visit in trials_of(study)):
        return "nothing but OpenVINO's own answers was measured"
    if failing(study):
        return "one side of the duel failed again and again"
    if study.setup.recording:
        return "the recording holds too few fresh blocks"
    return f"--confirm left too little time for {duel.LEAST_PAIRS} pairs of blocks"


def _ended_before(study: Study) -> bool:
    """Whether a search was ended before its confirmation was."""
    return not study.stopped or "interrupted" in study.stopped


def _unconfirmed(study: Study, verdict: Verdict) -> str:
    return why_unconfirmed(study) if verdict.kind == "unconfirmed" else ""


def _doubts(study: Study, blocks: Sequence[Block], unconfirmed: str) -> tuple[Caveat, ...]:
    """The model's, those of the blocks, and why the config was not confirmed, "" where it was."""
    found = (*usual(blocks), *study.setup.model.caveats)
    return (*found, Caveat(kind="unconfirmed", parameters={"why": unconfirmed})) if unconfirmed else found


def usual(blocks: Sequence[Block]) -> tuple[Caveat, ...]:
    """The doubts that at least a third of the blocks raise, as the block in the middle of them words it.

    That another device took over counts if it happened once: the first one had failed.
    """
    found: dict[tuple[str, object], list[Caveat]] = {}
    for caveat in (c for block in blocks for c in block.caveats):
        found.setdefault((caveat.kind, caveat.parameters.get("name")), []).append(caveat)
    return tuple(
        _middle(same) for (kind, _), same in found.items() if 3 * len(same) >= len(blocks) or kind in _COUNT_ONCE
    )


def _uncompared(study: Study, config: Config, known: Sequence[Caveat]) -> tuple[Caveat, ...]:
    """Why nobody compared the outputs of ``config``, which the first of its blocks alone would tell."""
    key = study.owner(config)
    if agreement_of(study, config) is not None or any(caveat.kind == "not_compared" for caveat in known):
        return ()
    blocks = [v.outcome for v in study.visits if v.config.key == key and isinstance(v.outcome, Block)]
    return tuple(c for block in blocks for c in block.caveats if c.kind == "not_compared")[:1]


def _middle(caveats: Sequence[Caveat]) -> Caveat:
    """Of caveats of one kind, the one whose figures lie in the middle."""

    def figures(caveat: Caveat) -> list[float]:
        return [value for value in caveat.parameters.values() if isinstance(value, int | float)]

    return sorted(caveats, key=figures)[len(caveats) // 2]


def _figures(
    study: Study, config: Config, evidence: Evidence, estimates: Mapping[str, Estimate], spread: Spread
) -> Measured:
    """The figures of a config, its compilation and first inference as they were when nothing was cached."""
    key = study.owner(config)
    cold = next(v.outcome for v in study.visits if v.config.key == key and isinstance(v.outcome, Block))
    known = None if evidence.source == "duel" else estimates.get(config.key, estimates[key])
    return figures(config, evidence, known=known, cold=cold, spread=spread)


def _trial_of(study: Study, config: Config) -> int:
    return next((v.trial for v in study.visits if v.config.key == config.key and v.trial is not None), 0)

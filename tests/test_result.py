import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ovtune import duel
from ovtune import goal as goals
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.errors import MeasurementError
from ovtune.estimate import Unavailable
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.field import contested, last_duel, survey_field
from ovtune.figures import Interval
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan, Summary
from ovtune.result import Result, conclude, measured
from ovtune.study import Baseline, Phase, Sides, Study, Visit, blocks_by_config
from tests import fake
from tests.value import block, told

LATENCY, THROUGHPUT = (b.config for b in fake.BASELINES)
BEST = Config(device="CPU", nireq=2, properties={"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"})
CROWD = replace(BEST, nireq=4)
QUICK = Goal(latency="p50", prefer="throughput")
Truth = Mapping[Config, float]


def _visits(
    told_so_far: Sequence[Visit], made: Sequence[tuple[Config, Outcome]], phase: Phase, confirmation: int = 0
) -> tuple[Visit, ...]:
    """Further visits: a trial each in the search, a round for each two of them in a duel."""
    first = len(told_so_far)
    return (
        *told_so_far,
        *(
            Visit(
                number=first + i,
                phase=phase,
                trial=i if phase == "search" else None,
                confirmation=confirmation,
                round=i // 2 if phase == "duel" else 0,
                config=config,
                outcome=outcome,
            )
            for i, (config, outcome) in enumerate(made)
        ),
    )


def _evaluator(truth: Truth, noise: float, seed: int = 0) -> fake.FakeEvaluator:
    by_key = {config.key: value for config, value in truth.items()}
    return fake.FakeEvaluator(noise=noise, seed=seed, truth=lambda config: by_key[config.key])


def _study(visits: tuple[Visit, ...], *, goal: Goal = QUICK, duels: Mapping[int, Sides] | None = None) -> Study:
    return Study(
        name="s",
        created="2026-11-20T09:00:00Z",
        setup=fake.setup(),
        goal=goal,
        trials=sum(v.phase == "search" for v in visits),
        stopped="",
        duels=duels or {},
        visits=visits,
    )


def _fought(
    truth: Truth,
    *,
    candidate: Config = BEST,
    baseline: Config = THROUGHPUT,
    noise: float = 0.005,
    pairs: int = 20,
    cap: int = 20,
    goal: Goal = QUICK,
    searched: Truth | None = None,
) -> Study:
    """A study whose search found ``searched``; its duel of ``pairs`` pairs, planned for ``cap``, found ``truth``."""
    search, fight = _evaluator(searched or truth, noise), _evaluator(truth, noise, seed=1)
    visits = _visits((), [(config, search.evaluate(config, Plan())) for config in truth], "search")
    sides = {"candidate": candidate, "baseline": baseline}
    turns = [sides[side] for pair in range(pairs) for side in duel.order(pair)]
    visits = _visits(visits, [(config, fight.evaluate(config, Plan())) for config in turns], "duel", 1)
    planned = Sides(candidate=candidate, baseline=baseline, goal=goal, looks=duel.looks(cap))
    return _study(visits, goal=goal, duels={1: planned})


def _truth(best: float, config: Config = BEST) -> dict[Config, float]:
    """The baselines' latencies are 25 ms and 20 ms; that of BEST is 2000 ms by its throughput."""
    return {LATENCY: 40.0, THROUGHPUT: 100.0, config: best}


def test_better() -> None:
    """A gain that the duel shows is recommended, with its ratios and in words."""
    result = conclude(_fought(_truth(130)), QUICK)
    assert result.verdict.kind == "better"
    assert result.recommended == BEST
    assert result.baseline.name == "THROUGHPUT hint on CPU"
    assert result.verdict.throughput_ratio is not None
    assert result.verdict.throughput_ratio.value == pytest.approx(1.3, rel=0.01)
    assert 1 < result.verdict.throughput_ratio.low < result.verdict.throughput_ratio.high < 1.6
    assert result.verdict.text.startswith("30 % (")
    assert result.verdict.text.endswith("than OpenVINO's THROUGHPUT hint on CPU")
    assert result.verdict.pairs == 20
    assert result.trial == 2
    assert not result.caveats


def test_trade() -> None:
    """A gain that costs latency is a trade, and the text tells both sides of it."""
    result = conclude(_fought(_truth(140, CROWD), candidate=CROWD), QUICK)
    assert result.verdict.kind == "trade"
    assert result.recommended == CROWD
    assert "more throughput and" in result.verdict.text
    assert "higher p50" in result.verdict.text


@pytest.mark.parametrize("best", [100.0, 70.0])
def test_equal(best: float) -> None:
    """Where the duel finds both alike, or the candidate slower, the baseline is best and is recommended."""
    result = conclude(_fought(_truth(best), searched=_truth(130)), QUICK)
    assert result.verdict.kind == "equal"
    assert result.recommended == result.baseline.config == THROUGHPUT
    assert "already best" in result.verdict.text


def test_undecided() -> None:
    """Where noise hides the difference the baseline is recommended, and it is said how much more would tell."""
    result = conclude(_fought(_truth(102), noise=0.1), QUICK)
    assert result.verdict.kind == "undecided"
    assert result.recommended == result.baseline.config == THROUGHPUT
    assert "after 20 pairs" in result.verdict.text
    assert re.search(r"about \d+ more would decide it, as in --confirm (\d+h)?(\d+m)?(\d+s)?$", result.verdict.text)


def test_a_difference_too_small_to_be_told_apart() -> None:
    """Where it would take more pairs than any duel makes, that is said, and no time is promised."""
    result = conclude(_fought(_truth(102), noise=0.3), QUICK)
    assert result.verdict.kind == "undecided"
    assert "more than a duel makes" in result.verdict.text


def test_infeasible() -> None:
    """Where nothing meets the limits the nearest is named with what it breaks."""
    goal = Goal(prefer="throughput", max_latency_ms=1)
    result = conclude(_fought(_truth(130), goal=goal), goal)
    assert result.verdict.kind == "infeasible"
    assert "the nearest one: p95 latency" in result.verdict.text
    assert "is above 1 ms" in result.verdict.text


def test_unconfirmed() -> None:
    """Without a duel the most promising config is recommended, marked as such in verdict and caveats."""
    result = conclude(_fought(_truth(130), pairs=0), QUICK)
    assert result.verdict.kind == "unconfirmed"
    assert result.recommended == BEST
    assert [c.kind for c in result.caveats] == ["unconfirmed"]
    assert (result.verdict.pairs, result.verdict.throughput_ratio, result.verdict.latency_ratio) == (0, None, None)
    assert result.measured.source == "search"


@pytest.mark.parametrize(("pairs", "judged"), [(7, 0), (9, 0), (10, 10), (19, 10), (20, 20)])
def test_a_duel_is_judged_only_at_its_planned_looks(pairs: int, judged: int) -> None:
    """A duel that was cut off is judged by the last look that it reached; before the first one it is unconfirmed."""
    result = conclude(_fought(_truth(130), pairs=pairs), QUICK)
    assert result.verdict.pairs == judged
    assert result.verdict.kind == ("better" if judged else "unconfirmed")


def test_a_duel_for_another_goal_settles_nothing() -> None:
    """Asked for another goal than was fought for, the study answers without confirmation."""
    study = _fought(_truth(130))
    for goal in (Goal(prefer="latency"), replace(QUICK, margin=0.05), replace(QUICK, max_latency_ms=100)):
        assert conclude(study, goal).verdict.kind == "unconfirmed"


def test_a_duel_against_another_baseline_settles_nothing() -> None:
    """Where another baseline has become the strongest, beating the old one is no verdict."""
    result = conclude(_fought(_truth(130), baseline=LATENCY), QUICK)
    assert result.baseline.config == THROUGHPUT
    assert result.verdict.kind == "unconfirmed"


def test_a_baseline_that_leads_is_not_set_against_itself() -> None:
    """Without any challenger the strongest baseline is the answer so far, and is not compared to itself."""
    result = conclude(_study(_visits((), [(THROUGHPUT, block())], "search")), QUICK)
    assert result.verdict.kind == "unconfirmed"
    assert result.recommended == THROUGHPUT
    assert result.verdict.text.startswith("OpenVINO's THROUGHPUT hint on CPU is the most promising")


def test_published_figures_are_from_the_duel_alone() -> None:
    """What the search read of the two sides, by which they were chosen, is in none of their published figures."""
    result = conclude(_fought(_truth(130), searched=_truth(390)), QUICK)
    for figures, value in ((result.measured, 130), (result.baseline_measured, 100)):
        assert figures.source == "duel"
        assert figures.blocks == 20
        assert figures.throughput_per_s.value == pytest.approx(value, rel=0.02)
        assert figures.throughput_per_s.high < 1.1 * value
        assert figures.next_high < 1.1 * value
    assert result.estimates[BEST.key].throughput_per_s.value > 300


def _held_up(study: Study, pairs: int, slower: float) -> Study:
    """The study with the candidate that much slower in the first pairs of the duel, since other work held it up."""
    visits = []
    for visit in study.visits:
        found = visit.outcome
        if visit.phase == "duel" and visit.round < pairs and visit.config == BEST and isinstance(found, Block):
            found = replace(found, elapsed_s=slower * found.elapsed_s, others_busy=0.5)
        visits.append(replace(visit, outcome=found))
    return replace(study, visits=tuple(visits))


@pytest.mark.parametrize(("pairs", "held_up", "counted"), [(20, 6, 14), (20, 11, 20), (14, 7, 7), (10, 5, 10)])
def test_pairs_that_other_work_held_up_do_not_count(pairs: int, held_up: int, counted: int) -> None:
    """Neither in the verdict nor in the figures, unless that leaves less than half of them or too few to be sure."""
    study = _held_up(_fought(_truth(130), pairs=pairs, cap=pairs), held_up, slower=3.0)
    result = conclude(study, QUICK)
    assert result.verdict.pairs == counted
    assert (result.verdict.kind == "better") == (counted < pairs)
    figures, baseline = (result.measured, result.baseline_measured)
    if counted < pairs:
        assert (figures.blocks, baseline.blocks) == (counted, pairs)
        assert figures.throughput_per_s.value == pytest.approx(130, rel=0.02)


def test_figures_of_both_sides_are_of_the_same_pairs_where_one_was_held_up_always() -> None:
    """Left out on one side alone, other work would make that one look faster than the duel says."""
    study = _fought(_truth(108), pairs=24, cap=24)
    visits = []
    for visit in study.visits:
        found = visit.outcome
        if visit.phase == "duel" and isinstance(found, Block) and (visit.config == BEST or visit.round % 4 < 2):
            slower = 1.5 if visit.round % 2 else 1.0
            found = replace(found, elapsed_s=slower * found.elapsed_s, others_busy=0.5)
        visits.append(replace(visit, outcome=found))
    result = conclude(replace(study, visits=tuple(visits)), QUICK)
    assert result.measured.blocks == result.baseline_measured.blocks == 24


def test_the_next_measurement_may_be_held_up_as_some_were() -> None:
    """What other work held up is in no figure, and in the interval for the next measurement all the same."""
    result = conclude(_held_up(_fought(_truth(130)), 4, slower=2.0), QUICK)
    assert result.measured.blocks == 16
    assert result.measured.throughput_per_s.low > 120
    assert result.measured.next_low < 66


def test_a_duel_that_stayed_open_counts_on_as_much_other_work() -> None:
    """What would decide it is told as pairs to be made, of which as many will not count; a further duel makes more."""
    found = conclude(_held_up(_fought(_truth(103), noise=0.08, pairs=24, cap=24), 12, slower=1.0), QUICK).verdict
    assert (found.kind, found.pairs) == ("undecided", 12)
    told = re.search(r"about (\d+) more would decide it", found.text)
    assert told is not None
    assert int(told[1]) >= (duel.MORE - 1) * 24


def test_a_look_takes_pairs_in_that_do_not_count() -> None:
    """A duel comes to its planned end by the pairs that were made: one of a recording has no others."""
    fight = last_duel(_held_up(_fought(_truth(130), pairs=16, cap=16), 3, slower=1.0))
    assert fight is not None
    assert (fight.planned, fight.reached, len(fight.judged)) == ((8, 16), 16, 13)
    assert fight.score("throughput", QUICK).throughput.low > 1.2


def test_other_configs_figures_are_from_the_search() -> None:
    """A config that was not in the duel is shown with what search and elimination read of it."""
    study = _fought(_truth(130))
    result = conclude(study, QUICK)
    figures = measured(result, LATENCY)
    assert (figures.source, figures.blocks) == ("search", 1)
    assert figures.throughput_per_s.value == pytest.approx(40, rel=0.02)


def test_figures_from_the_search_are_those_that_it_chose_by() -> None:
    """Configs that run alike tell what slowed a config's block: of that, chart, table and figures know the same."""
    study, further = (fake.study(pairs=0, seed=seed) for seed in (1, 2))
    again = [
        replace(v, number=v.number + len(study.visits), phase="elimination", trial=None, confirmation=1)
        for v in further.visits[:12]
        if isinstance(v.outcome, Block)
    ]
    result = conclude(replace(study, visits=(*study.visits, *again)), QUICK)
    own = {key: blocks[0].throughput_per_s for key, blocks in blocks_by_config(result.study.visits, "search").items()}
    shifted = []
    for key, estimate in result.estimates.items():
        figures = measured(result, estimate.config)
        throughput, latency = figures.throughput_per_s, figures.latency_ms["p50"]
        assert isinstance(latency, Interval)
        assert throughput.value == estimate.throughput_per_s.value
        assert latency.value == estimate.latency_ms["p50"].value  # type: ignore[union-attr]
        assert figures.cpu_ms_per_inference.value == estimate.cpu_ms_per_inference.value
        assert figures.next_low <= throughput.low <= throughput.high <= figures.next_high
        if estimate.blocks == 1:
            shifted.append(abs(throughput.value / own[key] - 1))
    assert max(shifted) > 0.005


def test_the_duels_blocks_take_no_part_in_choosing() -> None:
    """Estimates, front and strongest baseline are the same with and without the duel's blocks."""
    study = _fought(_truth(130), searched=_truth(150))
    without = replace(study, visits=tuple(v for v in study.visits if v.phase != "duel"))
    assert survey_field(study, QUICK) == survey_field(without, QUICK)


def test_intervals_hold_their_values() -> None:
    """The interval of the mean holds the value, and the one of the next block holds that interval and all blocks."""
    study = _fought(_truth(130), noise=0.05)
    figures = conclude(study, QUICK).measured
    throughput = figures.throughput_per_s
    assert figures.next_low <= throughput.low <= throughput.value <= throughput.high <= figures.next_high
    fought = last_duel(study)
    assert fought is not None
    seen = [pair[0].throughput_per_s for pair in fought.pairs]
    assert figures.next_low <= min(seen) < max(seen) <= figures.next_high
    for latency in figures.latency_ms.values():
        assert isinstance(latency, Unavailable) or latency.low <= latency.value <= latency.high
    assert isinstance(figures.latency_ms["p95"], Interval)
    assert isinstance(figures.latency_ms["p99.9"], Unavailable)


def test_a_limit_is_held_against_the_published_figures() -> None:
    """Whether the recommendation meets the limits is read from its duel, in the asked percentile."""
    goal = Goal(prefer="throughput", max_latency_ms=16)
    result = conclude(_fought(_truth(130), goal=goal), goal)
    latency = result.measured.latency_ms["p95"]
    assert result.metric == "p50"
    assert isinstance(latency, Interval)
    assert 2000 / 130 < 16 < latency.value
    assert result.recommended == BEST
    assert result.verdict.kind == "infeasible"
    assert "the nearest one: p95 latency" in result.verdict.text


def test_a_baseline_outside_the_limits_is_said() -> None:
    """Where the winner meets a limit that the baseline breaks, the text says so."""
    goal = Goal(prefer="throughput", min_throughput_per_s=110)
    result = conclude(_fought(_truth(130), goal=goal), goal)
    assert result.verdict.kind == "better"
    assert "; OpenVINO's THROUGHPUT hint on CPU breaks a limit: throughput 99" in result.verdict.text


def test_infeasible_is_only_what_nothing_meets() -> None:
    """A baseline that is recommended although it breaks a limit, while another config meets it, is not infeasible."""
    goal = Goal(latency="p50", prefer="latency", max_latency_ms=25)
    truth = {LATENCY: 30.0, THROUGHPUT: 79.0, BEST: 79.0, CROWD: 400.0}
    study = _fought(truth, goal=goal, searched={**truth, BEST: 300.0})
    result = conclude(study, goal)
    assert result.recommended == THROUGHPUT
    assert result.verdict.kind == "equal"
    assert "what is recommended breaks a limit: p50 latency" in result.verdict.text
    alone = conclude(replace(study, visits=tuple(v for v in study.visits if v.config != CROWD)), goal)
    assert alone.verdict.kind == "infeasible"


@pytest.mark.parametrize(
    ("goal", "baseline", "about"),
    [
        (Goal(prefer="balanced"), told(100, 30), "balanced"),
        (Goal(prefer="throughput", max_latency_ms=20), told(100, 30), "latency"),
        (Goal(prefer="latency", min_throughput_per_s=200), told(100, 30), "throughput"),
        (Goal(prefer="throughput", max_latency_ms=40), told(100, 30), "throughput"),
        (Goal(prefer="efficiency", max_memory_bytes=1), told(100, 30), "efficiency"),
    ],
)
def test_what_a_duel_is_about(goal: Goal, baseline: object, about: str) -> None:
    """A duel is about the limit that the baseline breaks, else about what is preferred."""
    assert contested(goal, baseline, "p95") == about  # type: ignore[arg-type]


def test_the_strongest_baseline_depends_on_the_goal() -> None:
    """The strongest of OpenVINO's answers is the best for the goal, and no answer is a challenger."""
    study = _fought({LATENCY: 90.0, THROUGHPUT: 100.0, BEST: 80.0})
    fast, quick = survey_field(study, QUICK), survey_field(study, Goal(prefer="latency"))
    assert fast.strongest is not None
    assert quick.strongest is not None
    assert fast.strongest.config == THROUGHPUT
    assert quick.strongest.config == LATENCY
    assert fast.challenger is not None
    assert fast.challenger.config == BEST


def test_a_baseline_that_shares_blocks_is_measured_by_them() -> None:
    """A baseline that runs as a config measured before has that one's figures, and that one is no challenger."""
    search = _visits(
        (),
        [(BEST, block(throughput_per_s=130)), (THROUGHPUT, SameAs(config_key=BEST.key, effective_key="key"))],
        "search",
    )
    field = survey_field(_study(search), QUICK)
    assert field.strongest is not None
    assert field.strongest.config == THROUGHPUT
    assert field.challenger is None
    result = conclude(_study(search), QUICK)
    assert result.baseline_measured.throughput_per_s.value == pytest.approx(130)


def test_without_any_baseline_the_first_config_stands_for_it() -> None:
    """Where none of OpenVINO's own answers could be measured, others are held against the first config."""
    search = _visits(
        (),
        [
            (THROUGHPUT, Failed(reason="died")),
            (CROWD, block(throughput_per_s=90)),
            (BEST, block(throughput_per_s=130)),
        ],
        "search",
    )
    result = conclude(_study(search), QUICK)
    assert result.baseline == Baseline(name="the first config measured", config=CROWD)
    assert result.recommended == BEST
    assert "OpenVINO's the" not in result.verdict.text


def test_nothing_measured_names_the_most_frequent_reason() -> None:
    """A study in which every trial came to nothing says why most of them did."""
    gone, refused = Failed(reason="the process was ended by SIGSEGV"), Infeasible(reason="CPU refuses it")
    study = _study(_visits((), [(LATENCY, refused), (THROUGHPUT, gone), (BEST, gone)], "search"))
    with pytest.raises(MeasurementError, match=r"all 3 trials came to nothing, 2 of them because: .*SIGSEGV"):
        conclude(study, QUICK)


def test_an_empty_study_says_so() -> None:
    """A study without any visit asks for a search."""
    with pytest.raises(MeasurementError, match="holds no measurement yet"):
        conclude(_study(()), QUICK)


def test_incomplete_pairs_do_not_count() -> None:
    """A pair of which one side failed, or has not been measured yet, is left out; the others stay pairs."""
    study = _fought(_truth(130), pairs=10, cap=10)
    broken = [replace(v, outcome=Failed(reason="died")) if v.number == 5 else v for v in study.visits[:-1]]
    fought = last_duel(replace(study, visits=tuple(broken)))
    assert fought is not None
    assert len(fought.pairs) == 8
    for candidate, baseline in fought.pairs:
        assert candidate.throughput_per_s > 1.2 * baseline.throughput_per_s


def test_caveats_are_those_of_what_is_recommended() -> None:
    """A doubt about the recommended config is told once, however many blocks had it; others' doubts are not."""
    doubt, other = (Caveat(kind="few_samples", parameters={"samples": n}) for n in (3, 4))
    search = _visits(
        (),
        [
            (THROUGHPUT, block(throughput_per_s=100, caveats=(other,))),
            (BEST, block(throughput_per_s=130, caveats=(doubt,))),
            (BEST, block(throughput_per_s=130, caveats=(doubt,))),
        ],
        "search",
    )
    assert [c.text for c in conclude(_study(search), QUICK).caveats if c.kind != "unconfirmed"] == [doubt.text]


def test_the_front_is_what_nothing_beats() -> None:
    """The front of a study runs from the most throughput to the least latency."""
    result = conclude(_fought({LATENCY: 90.0, THROUGHPUT: 100.0, BEST: 130.0, CROWD: 140.0}), QUICK)
    throughputs = [e.throughput_per_s.value for e in result.front]
    assert [e.config for e in result.front] == [CROWD, BEST, LATENCY]
    assert throughputs == sorted(throughputs, reverse=True)


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.3, "30 %"), (0.7, "30 %"), (1.0, "0 %")], ids=["gain", "loss", "nothing"]
)
def test_percent_in_words(ratio: float, text: str) -> None:
    """A ratio is told as a change, with its interval where that lies on one side."""
    study = _fought(_truth(100 * ratio), searched=_truth(130))
    result: Result = conclude(study, QUICK)
    told_ratio = result.verdict.throughput_ratio
    assert told_ratio is not None
    assert abs(told_ratio.value - ratio) < 0.01
    if ratio != 1:
        assert text in result.verdict.text
    assert math.isfinite(told_ratio.high)


def test_a_whole_study() -> None:
    """A finished study with refused and failed trials gives an answer whose parts fit each other."""
    study = fake.study()
    result = conclude(study, study.goal)
    assert result.verdict.kind in {"better", "trade", "equal", "undecided"}
    assert result.measured.source == result.baseline_measured.source == "duel"
    assert result.recommended.key in {v.config.key for v in study.visits}
    assert set(result.estimates) == {
        v.config.key for v in study.visits if v.phase == "search" and isinstance(v.outcome, Block)
    }
    assert all(e.config.key in result.estimates for e in result.front)


def test_compilation_is_told_as_it_was_when_nothing_was_cached() -> None:
    """The compile time of a confirmed config is that of its first visit, whatever its later ones took from a cache."""
    study = _fought(_truth(130))
    cold = {b.config.key for b in study.setup.baselines}
    visits = []
    for visit in study.visits:
        first = visit.config.key not in cold
        cold.add(visit.config.key)
        found = visit.outcome
        if isinstance(found, Block):
            found = replace(found, compile_ms=90.0 if first else 9.0, compile_cached=not first)
        visits.append(replace(visit, outcome=found))
    figures = conclude(replace(study, visits=tuple(visits)), QUICK).measured
    assert (figures.source, figures.compile_ms, figures.compile_cached) == ("duel", 90.0, False)


def _unsteady(study: Study, factors: Sequence[float]) -> Study:
    """The study with the candidate's duel blocks slower or faster by these factors in turn."""
    fought = last_duel(study)
    assert fought is not None
    visits = []
    for visit in study.visits:
        found = visit.outcome
        if visit.phase == "duel" and visit.config == fought.candidate and isinstance(found, Block):
            found = replace(found, elapsed_s=found.elapsed_s / factors[visit.round % len(factors)])
        visits.append(replace(visit, outcome=found))
    return replace(study, visits=tuple(visits))


def test_an_unstable_gain_is_judged_by_what_can_be_relied_on() -> None:
    """A config that is faster in most blocks and far slower in some is not recommended, and the verdict says why."""
    steady = _fought(_truth(130))
    assert conclude(steady, QUICK).verdict.kind in {"better", "trade"}
    result = conclude(_unsteady(steady, (1.6, 0.6, 1.7, 1.6, 0.6)), QUICK)
    assert result.verdict.kind == "undecided"
    assert result.recommended == result.baseline.config
    assert "cannot be relied on" in result.verdict.text


def test_an_unstable_config_that_gains_all_the_same_is_marked() -> None:
    """Where even its slow blocks are faster than the baseline's, it is recommended with a caveat."""
    result = conclude(_unsteady(_fought(_truth(130)), (1.0, 1.6, 1.1, 1.9)), QUICK)
    assert result.recommended != result.baseline.config
    assert "unstable" in {caveat.kind for caveat in result.caveats}


def test_a_gain_that_breaks_a_limit_is_not_recommended() -> None:
    """Where the duel shows a gain beyond a limit that the baseline keeps, the baseline is best, and it is said why."""
    goal = Goal(latency="p50", prefer="throughput", max_latency_ms=30)
    truth = {LATENCY: 40.0, THROUGHPUT: 100.0, CROWD: 110.0}
    result = conclude(_fought(truth, candidate=CROWD, goal=goal, searched={**truth, CROWD: 400.0}), goal)
    assert (result.recommended, result.verdict.kind) == (THROUGHPUT, "equal")
    assert "gains, but breaks a limit: p50 latency" in result.verdict.text


def test_who_broke_a_limit_in_a_duel_leads_no_more() -> None:
    """Where the other side kept it, under the goal that the duel was for, and at its end: a cut-off one goes on."""
    goal = Goal(latency="p50", prefer="throughput", max_latency_ms=30)
    truth = {LATENCY: 40.0, THROUGHPUT: 100.0, CROWD: 110.0}
    study = _fought(truth, candidate=CROWD, goal=goal, searched={**truth, CROWD: 400.0})
    field = survey_field(study, goal)
    assert field.lost == {CROWD.key}
    assert goals.ranked(field.estimates.values(), goal, field.metric)[0].config == CROWD
    assert (field.best.config, field.challenger) == (THROUGHPUT, None)
    assert not survey_field(study, replace(goal, margin=0.03)).lost
    equal, seen = {**truth, CROWD: 101.0}, {**truth, CROWD: 400.0}
    cut = _fought(equal, candidate=CROWD, goal=goal, noise=0.1, pairs=20, cap=60, searched=seen)
    whole = _fought(equal, candidate=CROWD, goal=goal, noise=0.1, pairs=60, cap=60, searched=seen)
    assert not survey_field(cut, goal).lost
    assert survey_field(whole, goal).lost == {CROWD.key}
    tight = replace(goal, max_latency_ms=5)
    both = _fought(truth, candidate=CROWD, goal=tight, searched={**truth, CROWD: 4000.0})
    assert not survey_field(both, tight).lost


def test_a_config_that_alone_keeps_the_memory_is_recommended() -> None:
    """A limit that the duel was not about decides where only one side keeps it, whoever is faster."""
    goal = Goal(latency="p50", prefer="throughput", max_memory_bytes=100)
    study = _fought(_truth(80), goal=goal)
    visits = [
        replace(v, outcome=replace(v.outcome, memory_bytes=10 if v.config == BEST else 1000))
        for v in study.visits
        if isinstance(v.outcome, Block)
    ]
    result = conclude(replace(study, visits=tuple(visits)), goal)
    assert (result.recommended, result.verdict.kind) == (BEST, "trade")
    assert "keeps the limits" in result.verdict.text


def test_a_duel_that_was_just_begun_takes_nothing_back() -> None:
    """Until a further duel has come to a look, the last one that did tells the verdict."""
    study = _fought(_truth(130))
    again = replace(study, duels={**study.duels, 2: study.duels[1]})
    assert conclude(again, QUICK).verdict == conclude(study, QUICK).verdict


def test_finalists_count_until_the_next_trial() -> None:
    """A config that was found after an elimination is not behind those that were in it."""
    search = [(c, block(throughput_per_s=s)) for c, s in ((THROUGHPUT, 100), (BEST, 110))]
    visits = _visits(_visits((), search, "search"), search, "elimination", 1)
    later = _visits(visits, [(CROWD, block(throughput_per_s=400))], "search")
    field = survey_field(_study(later), QUICK)
    assert field.challenger is not None
    assert field.challenger.config == CROWD


def test_a_recorded_block_counts_once() -> None:
    """A recording that has no more blocks of a config begins again: those pairs are no fresh ones."""
    study = _fought(_truth(130), pairs=10, cap=10)
    first = {v.config: v.outcome for v in study.visits if v.phase == "duel" and v.round == 0}
    repeated = tuple(replace(v, outcome=first[v.config]) if v.phase == "duel" else v for v in study.visits)
    live = last_duel(replace(study, visits=repeated))
    replayed = replace(_replayed(study), visits=repeated)
    found = last_duel(replayed)
    assert live is not None
    assert found is not None
    assert (len(live.pairs), len(found.pairs)) == (10, 1)
    result = conclude(replayed, QUICK)
    assert result.verdict.kind == "unconfirmed"
    assert "few_recorded" in {caveat.kind for caveat in result.caveats}


def test_a_duel_that_a_recording_cut_short_says_so() -> None:
    """Though it had all the pairs that it planned, it was to have had more."""
    study = _fought(_truth(101), noise=0.1, pairs=10, cap=10)
    sides = {number: replace(found, wanted=25) for number, found in study.duels.items()}
    replayed = replace(_replayed(study), duels=sides)
    (caveat,) = [c for c in conclude(replayed, QUICK).caveats if c.kind == "few_recorded"]
    assert caveat.parameters == {"pairs": 10, "planned": 25}
    interrupted = conclude(replace(replayed, stopped="interrupted"), QUICK)
    assert "few_recorded" not in {c.kind for c in interrupted.caveats}


def test_recorded_blocks_that_were_rounded_are_told_apart() -> None:
    """By their latencies, where all else is the same: a recording need not tell more."""
    study = _fought(_truth(130), pairs=10, cap=10)
    visits = []
    for visit in study.visits:
        assert isinstance(visit.outcome, Block)
        summary = Summary(count=100, latency_ms={"p50": 5 + visit.round})
        outcome = replace(visit.outcome, elapsed_s=1.0, items=100, cpu_s=0.0, samples=b"", summary=summary)
        visits.append(replace(visit, outcome=outcome))
    fight = last_duel(replace(_replayed(study), visits=tuple(visits)))
    assert fight is not None
    assert len(fight.pairs) >= 9  # the first is as the search's own was


def test_why_a_duel_failed() -> None:
    """Where one side failed again and again, that is said, not that blocks were too few."""
    study = _replayed(_fought(_truth(130), pairs=4))
    broken = tuple(
        replace(v, outcome=Failed(reason="no memory", cost_s=1.0)) if v.phase == "duel" and v.config == BEST else v
        for v in study.visits
    )
    result = conclude(replace(study, visits=broken), QUICK)
    assert result.verdict.kind == "unconfirmed"
    assert [c.text for c in result.caveats] == [
        "The recommendation was not confirmed against the baseline: one side of the duel failed again and again."
    ]


def test_why_there_was_no_duel() -> None:
    """Where there is nothing to compare with, that is said."""
    study = _replayed(_study(_visits((), [(BEST, block())], "search")))
    alone = replace(study, setup=replace(study.setup, baselines=()))
    assert "none of OpenVINO's own answers is there" in conclude(alone, QUICK).caveats[-1].text
    answers = replace(study, visits=_visits((), [(THROUGHPUT, block()), (LATENCY, block())], "search"))
    assert "nothing but OpenVINO's own answers" in conclude(answers, QUICK).caveats[-1].text


def test_what_later_trials_found_is_told_beside_an_older_duel() -> None:
    """Until there is a duel for it, the older one stands, and that more was found is said."""
    study = _fought(_truth(99))
    assert conclude(study, QUICK).verdict.kind == "equal"
    later = replace(study, visits=_visits(study.visits, [(CROWD, block(throughput_per_s=400))], "search"))
    result = conclude(later, QUICK)
    assert result.recommended == THROUGHPUT
    assert [c.kind for c in result.caveats] == ["overtaken"]
    assert result.caveats[0].parameters == {"config": CROWD.words}


def _replayed(study: Study) -> Study:
    """The study as one that measured in a recording, to its end."""
    return replace(study, stopped="all 3 trials are done", setup=replace(study.setup, recording="0" * 64))

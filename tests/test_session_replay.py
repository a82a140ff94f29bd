"""Searches in a recording, from the file to the report."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ovtune import child, preparation, resumption, session
from ovtune.budget import Budget
from ovtune.errors import OvtuneError, RecordingError, StudyError, UsageError
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.recording import Recording
from ovtune.recording_file import Writer, read
from ovtune.result import Result
from ovtune.session import Search
from ovtune.workload import ConstantRate, StreamsCapacity
from tests import fake
from tests.place import database

HELD = fake.recording(rounds=8)
GOAL = Goal(latency="p50")


@pytest.fixture(autouse=True)
def no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a child process nor the host's lock may be asked for."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay needs no host")

    monkeypatch.setattr(child, "call", refuse)
    monkeypatch.setattr(preparation, "sight", refuse)
    monkeypatch.setattr(session, "exclusive", refuse)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    database(tmp_path)
    return Place(folder=tmp_path)


def put(path: Path, recording: Recording = HELD) -> Path:
    with Writer(path, recording.header) as writer:
        for record in recording.records:
            writer.add(record)
    return path


def search(
    place: Place,
    file: Path,
    *,
    trials: int = 12,
    goal: Goal = GOAL,
    study: str | None = None,
    wish: Wish | None = None,
    only_front: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    budget = Budget(trials=trials, confirm_s=90, only_front=only_front)
    request = Search(wish=wish or Wish(), study=study, goal=goal, budget=budget, replay=file)
    return session.run(request, place, stopping=stopping)[0]


def test_a_whole_search(place: Place, tmp_path: Path) -> None:
    """A search in a recording tries, eliminates, duels and writes a report and a document, in simulated time."""
    held = fake.recording(rounds=40)
    file = put(tmp_path / "r.gz", held)
    result = search(place, file, trials=9, goal=Goal(latency="p50", prefer="throughput"))
    study = result.study
    assert study.name == "mobilenet-replay"
    assert study.setup.recording == read(file).sha256
    assert {v.phase for v in study.visits} == {"search", "elimination", "duel"}
    assert study.trials == 9
    assert {v.config for v in study.visits} <= set(held.configs)
    assert result.verdict.kind in {"better", "trade"}
    assert fake.speed(result.recommended) > max(fake.speed(b.config) for b in fake.BASELINES)
    starts = [v.outcome.started_at for v in study.visits if isinstance(v.outcome, Block)]
    assert starts == [pytest.approx(1_700_000_000 + 1.5 * i) for i in range(len(starts))]
    best = json.loads((tmp_path / study.name / "best.json").read_text())
    assert best["study"]["name"] == study.name
    assert best["measured"]["samples"] > 130
    assert "unavailable" in best["measured"]["latency_ms"]["p99.9"]
    assert (tmp_path / study.name / "report.html").stat().st_size > 10_000


def test_the_same_search_again_is_the_same(place: Place, tmp_path: Path) -> None:
    """A replay depends on nothing but the recording, the seed and the command."""
    file = put(tmp_path / "r.gz")
    one, other = (search(place, file, study=name).study for name in ("one", "other"))
    assert one.visits == other.visits
    assert one.duels == other.duels


def test_a_search_that_was_stopped_goes_on_where_it_was(place: Place, tmp_path: Path) -> None:
    """Stopped among its trials and begun again, it has the trials of an unbroken one, blocks and times included."""
    file = put(tmp_path / "r.gz")
    whole = search(place, file, study="whole").study
    count = iter(range(10**6))
    search(place, file, study="broken", stopping=lambda: next(count) >= 5)
    broken = search(place, file, study="broken").study
    trials = [[v for v in study.visits if v.phase == "search"] for study in (whole, broken)]
    assert trials[0] == trials[1]


def test_another_recording_is_another_study(place: Place, tmp_path: Path) -> None:
    """A study is not gone on with in another recording, nor one from a host in any."""
    search(place, put(tmp_path / "r.gz"), trials=3)
    with pytest.raises(StudyError, match="another recording"):
        search(place, put(tmp_path / "s.gz", fake.recording(rounds=8, seed=1)), trials=5)
    with place.open() as store:
        store.create("measured", fake.setup(), GOAL)
    with pytest.raises(StudyError, match="measured in a host"):
        search(place, tmp_path / "r.gz", study="measured")


def test_a_replay_is_not_gone_on_with_on_the_host(place: Place, tmp_path: Path) -> None:
    """A study from a recording never gets blocks from a host."""
    search(place, put(tmp_path / "r.gz"), trials=3)
    with place.open() as store:
        setup = store.load("mobilenet-replay").setup
    with pytest.raises(StudyError, match="--replay"):
        resumption.check_same(setup, Wish(), "mobilenet-replay")


@pytest.mark.parametrize(
    ("wish", "goal", "says"),
    [
        (Wish(model="demo:mlp"), GOAL, "is not that of"),
        (Wish(workload=ConstantRate(interval_s=0.03)), GOAL, "leave --load out"),
        (Wish(workload=StreamsCapacity(frames_per_s=30)), GOAL, "needs visits under many loads"),
        (Wish(device_strings=("GPU",)), GOAL, "--device changes nothing"),
        (Wish(shapes={"x": (1, 8)}), GOAL, "--shape changes nothing"),
        (Wish(variants={"small": "small.xml"}), GOAL, "--variant changes nothing"),
        (Wish(int8="images"), GOAL, "--int8 changes nothing"),
        (Wish(inputs=("image.png",)), GOAL, "--input changes nothing"),
        (Wish(copying=True), GOAL, "--include-input-copy changes nothing"),
        (Wish(cpu_set="0"), GOAL, "--cpus changes nothing"),
        (Wish(beside="true"), GOAL, "--beside changes nothing"),
        (Wish(), Goal(latency="p99.9"), "does not tell the p99.9 latency"),
    ],
)
def test_what_a_recording_cannot_give_is_refused(
    place: Place, tmp_path: Path, wish: Wish, goal: Goal, says: str
) -> None:
    """Another model, load or device, and a latency that was not recorded, are refused before anything is made."""
    with pytest.raises(UsageError, match=says):
        search(place, put(tmp_path / "r.gz"), wish=wish, goal=goal)
    with place.open() as store:
        assert store.names() == []


def test_a_soak_needs_a_host(place: Place, tmp_path: Path) -> None:
    """A recording holds short visits only, and none of them is passed off as a long run."""
    request = Search(replay=put(tmp_path / "r.gz"), budget=Budget(trials=3, soak_s=30.0))
    with pytest.raises(UsageError, match="--soak 30s needs a host"):
        session.run(request, place)


@pytest.mark.parametrize(
    "goal", [Goal(latency="p50", prefer="efficiency"), Goal(latency="p50", max_memory_bytes=10**9)]
)
def test_what_was_not_recorded_is_no_goal(place: Place, tmp_path: Path, goal: Goal) -> None:
    """CPU time and memory, which a recording need not tell, can be asked for only where it does."""
    poor = replace(HELD, records=tuple(replace(r, cpu_s=None, memory_bytes=None) for r in HELD.records))
    with pytest.raises(UsageError, match="does not tell"):
        search(place, put(tmp_path / "poor.gz", poor), goal=goal)
    search(place, put(tmp_path / "rich.gz"), goal=goal, trials=4)


def test_what_is_asked_for_again_may_be_named(place: Place, tmp_path: Path) -> None:
    """The recording's own model and load may be given."""
    wish = Wish(model="demo:mobilenet", workload=HELD.header.workload)
    assert search(place, put(tmp_path / "r.gz"), wish=wish, trials=3).study.trials == 3


def test_strange_dimensions_and_devices(place: Place, tmp_path: Path) -> None:
    """Properties that ovtune does not know, on devices that this host has not, are parameters like all others."""
    configs = [
        replace(config, device="NPU.7", properties={**config.properties, "TURBO": turbo, "DEPTH": depth, "RATIO": 0.5})
        for config in (b.config for b in fake.BASELINES)
        for turbo in (True, "auto")
        for depth in (1, 8)
    ]
    held = fake.recording([*(replace(b.config, device="NPU.7") for b in fake.BASELINES), *configs])
    result = search(place, put(tmp_path / "r.gz", held), trials=60)
    assert {v.config for v in result.study.visits} == set(held.configs)
    assert result.baseline.name.endswith("on NPU.7")


def test_failures_are_kept_with_their_reasons(place: Place, tmp_path: Path) -> None:
    """Lines that are not ok are infeasible trials, and nothing is recommended of them."""
    broken = HELD.configs[3]
    records = tuple(replace(r, ok=False, reason="CPU refuses it") if r.config == broken else r for r in HELD.records)
    study = search(place, put(tmp_path / "r.gz", replace(HELD, records=records)), trials=10 * len(HELD.configs)).study
    outcome = next(v.outcome for v in study.visits if v.config == broken)
    assert getattr(outcome, "reason", "") == "CPU refuses it"


def test_a_file_that_is_none(place: Place, tmp_path: Path) -> None:
    """A missing or damaged recording is an error of its own, before a study is made."""
    (tmp_path / "r.gz").write_bytes(b"nothing of the kind")
    for name in ("r.gz", "absent.gz"):
        with pytest.raises(RecordingError) as caught:
            search(place, tmp_path / name)
        assert isinstance(caught.value, OvtuneError)
        assert "\n" not in str(caught.value)


def test_a_replay_begins_like_another_study(place: Place, tmp_path: Path) -> None:
    """The front of a study in the same folder comes right after OpenVINO's own answers, and stays known."""
    file = put(tmp_path / "r.gz")
    search(place, file, study="first")
    led = search(place, file, study="second", wish=Wish(like="first"), only_front=True).study
    lead = led.setup.lead
    assert lead is not None
    assert lead.study == "first"
    assert not lead.left_out
    answers = [baseline.config for baseline in led.setup.baselines]
    asked = list(dict.fromkeys([*answers, *lead.configs]))
    assert [v.config for v in led.visits if v.phase == "search"] == asked
    assert json.loads((tmp_path / "second" / "best.json").read_text())["study"]["like"] == "first"
    assert "configs of the front of study first" in (tmp_path / "second" / "report.html").read_text()
    assert search(place, file, study="second", trials=len(asked) + 1).study.setup.lead == lead
    assert search(place, file, study="second", trials=3, only_front=True).study.setup.lead == lead


def test_what_cannot_be_begun_with_is_refused(place: Place, tmp_path: Path) -> None:
    """Another front for a study that has begun, the study itself, one that is not there, one without measurements."""
    file = put(tmp_path / "r.gz")
    search(place, file, study="first", trials=3)
    search(place, file, study="second", trials=3, wish=Wish(like="first"))
    with pytest.raises(StudyError, match=r"begun with the front of study first, and cannot .* that of third"):
        search(place, file, study="second", wish=Wish(like="third"))
    with pytest.raises(StudyError, match="first was begun without --like"):
        search(place, file, study="first", wish=Wish(like="second"))
    with pytest.raises(UsageError, match="names the study itself"):
        search(place, file, study="new", wish=Wish(like="new"))
    with pytest.raises(StudyError, match=r"gone does not exist here \(first, second\)"):
        search(place, file, study="new", wish=Wish(like="gone"))
    with pytest.raises(UsageError, match="--only-front"):
        search(place, file, study="first", only_front=True)
    with place.open() as store:
        store.create("empty", fake.setup(), GOAL)
    with pytest.raises(StudyError, match="study empty has no front to begin with"):
        search(place, file, study="new", wish=Wish(like="empty"))
    with place.open() as store:
        assert store.names() == ["first", "second", "empty"]


def test_a_dry_run_says_what_it_would_begin_with(place: Place, tmp_path: Path) -> None:
    """Without a study to be made, and of one that is there what it began with."""
    file = put(tmp_path / "r.gz")
    search(place, file, study="first", trials=6)
    request = Search(wish=Wish(like="first"), study="second", goal=GOAL, replay=file)
    setup = session.outline(request, place)
    assert setup.lead is not None
    assert setup.lead.study == "first"
    search(place, file, study="second", trials=3, wish=Wish(like="first"))
    assert session.outline(replace(request, wish=Wish()), place).lead == setup.lead

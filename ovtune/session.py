"""A search from a model's name to a report and a config document: what the command line and Python call."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ovtune import agreement, asset, fit, preparation, recording_file, resumption
from ovtune.budget import Budget
from ovtune.capacity import bound
from ovtune.errors import StudyError, UsageError
from ovtune.goal import Goal, usual
from ovtune.host import exclusive, kept_on, read_cpus
from ovtune.ledger import Event, Watch
from ovtune.model import DEMO_PREFIX, Shapes, name_of
from ovtune.place import Files, Place, publish
from ovtune.preparation import Wish
from ovtune.recorder import Recorded, Recorder, Sweep
from ovtune.recording import Header, Record, Recording
from ovtune.replay import Replay, setup_of
from ovtune.result import Result, conclude
from ovtune.study import Setup, Study, check_name, name_for
from ovtune.trial_process import TrialProcess
from ovtune.tuning import Tuning
from ovtune.wanted import Wanted
from ovtune.workload import Capacity, ClosedLoop, describe, parse, searched_under

DEFAULT_MODEL = "demo:mobilenet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search to be made.

    Attributes:
        replay: The recording to measure in, instead of on this host.
        wish: What it is about.
        study: The study's name; None to name it after the model.
        goal: What is looked for.
        usual: Whether the preference is left open: it then follows from the load and the limits.
        budget: How much it may take.
        wait: Wait while another ovtune measures on this host, instead of refusing.
    """

    wish: Wish = field(default_factory=Wish)
    study: str | None = None
    goal: Goal = field(default_factory=Goal)
    usual: bool = False
    budget: Budget = field(default_factory=lambda: Budget(trials=50))
    wait: bool = False
    replay: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A recording to be made.

    Attributes:
        out: Its file.
        wish: What it is about.
        sweep: What is to be recorded.
        wait: Wait while another ovtune measures on this host, instead of refusing.
    """

    out: Path
    wish: Wish = field(default_factory=Wish)
    sweep: Sweep = field(default_factory=Sweep)
    wait: bool = False


def run(
    search: Search,
    place: Place,
    *,
    emit: Callable[[Event], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[Result, Files]:
    """Makes a study or goes on with it, writes its report and its document, and returns what it found.

    Raises:
        OvtuneError: any of its kinds; what was measured until then is kept.
    """
    if search.budget.trials < 1:
        raise UsageError(f"trials is {search.budget.trials}: ask for at least 1")
    if search.budget.patience is not None and search.budget.patience < 1:
        raise UsageError(f"patience is {search.budget.patience}: wait for at least 1 trial without gain")
    if search.replay is not None:
        return _replay(search, recording_file.read(search.replay), place, Watch(emit=emit, stopping=stopping))
    wish = search.wish
    if wish.workload is not None:
        bound(search.goal, wish.workload)
    name = _name(search)
    _check_followed(search, name, place)
    with exclusive(wait=search.wait, stopping=stopping) as lock, place.open(make=True) as store, ExitStack() as holding:
        known = store.load(name).setup if name in store.names() else None
        other = fit.followed(wish.like, name, known, store, alone=search.budget.only_front)
        holding.enter_context(kept_on(wish.cpu_set or (known.environment.cpu_set if known is not None else None)))
        if known is not None:
            resumption.check_same(known, wish, name)
            setup = resumption.placed(known, wish)
            goal = _weighed(search, setup)
        else:
            setup = _made(search, place.folder / name / "model", other)
            goal = _weighed(search, setup)
            store.create(name, setup, goal)
        compiled = place.folder / name / "compiled"
        holding.callback(shutil.rmtree, compiled, ignore_errors=True)
        reference = asset.reference(setup, place.folder / name / "model")
        _check_compared(goal, reference)
        evaluator = TrialProcess(
            files=asset.files(setup, place.folder / name / "model"),
            plugins=setup.plugins,
            workload=searched_under(setup.workload),
            keep_open=(lock,),
            beside=setup.beside,
            cache=str(compiled.resolve()),
            feed=setup.feed,
            reference=reference,
        )
        watch = Watch(emit=emit, stopping=stopping)
        study = Tuning(store, name, evaluator, goal=goal, budget=search.budget, watch=watch).run()
        result = conclude(study, goal)
        return result, publish(result, place.folder / name)


def outline(search: Search, place: Place) -> Setup:
    """What a search would be about: the setup of its study, or of the one that it would make; nothing is measured.

    Raises:
        OvtuneError: any of its kinds.
    """
    wish = search.wish
    recorded = setup_of(recording_file.read(search.replay)) if search.replay is not None else None
    name = _name(search, recorded)
    with ExitStack() as holding:
        holding.enter_context(kept_on(wish.cpu_set))
        store = holding.enter_context(place.open()) if place.exists else None
        known = store.load(name).setup if store is not None and name in store.names() else None
        other = fit.followed(wish.like, name, known, store, alone=search.budget.only_front)
        if known is not None:
            resumption.check_lead(known, wish, name)
        if recorded is not None:
            return _led(recorded, other) if known is None else replace(recorded, lead=known.lead)
        if known is not None:
            resumption.check_same(known, wish, name)
            return known
        return _made(search, place.folder / name / "model", other)


def record(
    taking: Taking,
    *,
    emit: Callable[[Recorded], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Makes a recording or goes on with it; whether it is complete, or was stopped before.

    Raises:
        OvtuneError: any of its kinds; what was recorded until then is kept.
    """
    wish = taking.wish
    path, load = _path(wish), wish.workload or ClosedLoop()
    if isinstance(load, Capacity):
        raise UsageError(f"load {describe(load)} asks for a capacity: record under one load, such as poisson:200/s")
    with exclusive(wait=taking.wait, stopping=stopping) as lock, tempfile.TemporaryDirectory() as folder:
        setup = preparation.make(wish, path, load, Path(folder))
        evaluator = TrialProcess(
            files=asset.files(setup, Path(folder)),
            plugins=setup.plugins,
            workload=load,
            keep_open=(lock,),
            feed=setup.feed,
        )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        header = Header(model=setup.model, workload=load, environment=setup.environment, created=now)
        with recording_file.Writer(taking.out, header) as writer:
            return Recorder(writer, evaluator, setup, taking.sweep).run(emit=emit, stopping=stopping)


def search(  # noqa: PLR0913 - the command's options, by name
    model: str | None = None,
    *,
    trials: int = 50,
    study: str | None = None,
    studies: str | Path = "studies",
    storage: str | None = None,
    load: str | None = None,
    devices: Sequence[str] = (),
    plugins: Mapping[str, str] | None = None,
    shapes: Shapes | None = None,
    variants: Mapping[str, str] | None = None,
    int8: str | None = None,
    inputs: Sequence[str] = (),
    include_input_copy: bool = False,
    space: Wanted | None = None,
    cpus: str | None = None,
    beside: str | None = None,
    goal: Goal | None = None,
    timeout_s: float | None = None,
    patience: int | None = None,
    like: str | None = None,
    only_front: bool = False,
    confirm_s: float | None = None,
    soak_s: float | None = None,
    seed: int = 0,
    wait: bool = False,
    replay: str | Path | None = None,
) -> Result:
    """Searches for the best config of ``model`` on this host: ``ovtune search`` as a function.

    Args:
        model: A model's path or ``demo:NAME``; by default the study's, or ``demo:mobilenet``.
        trials: How many trials the study shall hold.
        study: Its name; by default after the model.
        studies: The folder of studies.
        storage: The database's SQLAlchemy URL; by default an SQLite file in that folder.
        load: ``closed``, ``interval:30ms``, ``constant:33/s``, ``poisson:200/s`` or ``streams:4x30/s``; for a capacity
            ``poisson:auto`` (with ``Goal(max_latency_ms=...)``) or ``streams:30/s`` (with ``Goal(deadline_ms=...)``).
        devices: Exactly these device strings; by default all that make sense.
        plugins: Further device names and the libraries that serve them.
        shapes: A concrete shape for each dynamic input, by its name.
        variants: Other files of the same model, by the name that they go by, such as ``{"int8": "model_int8.xml"}``.
        int8: The items (a file or a folder) by which the model is quantized to eight bits, as another variant.
        inputs: Files (.npy, .npz, images) and folders of items to run, in turn; by default random values.
        include_input_copy: Whether writing an item into a request is part of what is measured.
        space: Which part of what can be searched.
        cpus: The CPUs to keep what is measured on, such as ``0-3,8``.
        beside: A command that runs in the background of every measurement.
        goal: What is looked for.
        timeout_s: When to stop asking for new trials.
        patience: After how many trials in a row, at least 1, to stop that gained nothing; by default never.
        like: Another study in the same folder or database: its front is measured right after OpenVINO's own answers.
        only_front: Whether nothing is measured but these.
        confirm_s: The time that elimination and duel may take together, by default two minutes; that a capacity may
            take, by default five.
        soak_s: How long the winner and the baseline then run without a pause, each.
        seed: Seeds proposals and inputs.
        wait: Wait while another ovtune measures on this host, instead of refusing.
        replay: The recording to measure in, instead of on this host.

    Returns:
        The result; its report and document are in the study's folder.

    Raises:
        OvtuneError: any of its kinds; what was measured until then is kept.
    """
    wish = Wish(
        model=model,
        workload=parse(load) if load is not None else None,
        device_strings=tuple(devices),
        plugins=plugins,
        shapes=shapes,
        variants=variants,
        int8=int8,
        inputs=tuple(inputs),
        copying=include_input_copy,
        space=space,
        cpu_set=read_cpus(cpus) if cpus is not None else None,
        beside=beside,
        like=like,
    )
    budget = Budget(
        trials=trials,
        timeout_s=timeout_s,
        patience=patience,
        only_front=only_front,
        confirm_s=confirm_s,
        soak_s=soak_s,
        seed=seed,
    )
    request = Search(
        wish=wish,
        study=study,
        goal=goal or Goal(),
        usual=goal is None,
        budget=budget,
        wait=wait,
        replay=Path(replay) if replay is not None else None,
    )
    result, _ = run(request, Place(folder=Path(studies), url=storage))
    return result


def _replay(search: Search, recording: Recording, place: Place, watch: Watch[Event]) -> tuple[Result, Files]:
    """A search in a recording: no host is asked or held, and time is what the visits took when they were recorded."""
    setup = setup_of(recording)
    _check_replayed(replace(search, goal=_weighed(search, setup)), setup, recording)
    name = _name(search, setup)
    _check_followed(search, name, place)
    evaluator = Replay(recording)
    with place.open(make=True) as store:
        before = store.load(name).setup if name in store.names() else None
        other = fit.followed(search.wish.like, name, before, store, alone=search.budget.only_front)
        if before is None:
            store.create(name, _led(setup, other), _weighed(search, setup))
        else:
            resumption.check_lead(before, search.wish, name)
        known = store.load(name)
        if known.setup.recording != setup.recording:
            origin = "another recording" if known.setup.recording else "a host"
            raise StudyError(
                f"study {name} was measured in {origin}, not in {search.replay}: name a new one with --study"
            )
        for visit in known.visits:
            evaluator.evaluate(visit.config, search.budget.plan)
        goal = _weighed(search, setup)
        watch = replace(watch, clock=lambda: evaluator.now_s)
        study = Tuning(store, name, evaluator, goal=goal, budget=search.budget, watch=watch).run()
        result = conclude(study, goal)
        return result, publish(result, place.folder / name)


def _check_replayed(search: Search, setup: Setup, recording: Recording) -> None:
    """Checks that what was asked for is what the recording holds.

    Raises:
        UsageError: it is about another model or load, names devices, or does not tell what the goal is about.
    """
    resumption.check_recorded(setup, search.wish, search.replay)
    if search.budget.soak_s is not None:
        raise UsageError(f"--soak {search.budget.soak_s:g}s needs a host: {search.replay} holds short visits only")
    _check_told(search, [record for record in recording.records if record.ok])


def _check_told(search: Search, measured: Sequence[Record]) -> None:
    """Checks that the visits of a recording tell what the goal is about."""
    goal = search.goal
    if not all(record.tells(goal.latency) for record in measured):
        raise UsageError(f"{search.replay} does not tell the {goal.latency} latency of all visits: choose another one")
    if "efficiency" in {goal.prefer, goal.against} and any(record.cpu_s is None for record in measured):
        todo = "choose another --prefer" if goal.against != "efficiency" else "record it anew with ovtune record"
        raise UsageError(f"{search.replay} does not tell the CPU time of all visits: {todo}")
    if goal.max_error is not None:
        raise UsageError(
            f"--max-error {goal.max_error:g} needs outputs, which {search.replay} does not hold: leave it out"
        )
    if goal.max_memory_bytes is not None and any(record.memory_bytes is None for record in measured):
        raise UsageError(f"{search.replay} does not tell the memory of all visits: leave --max-memory out")


def _name(search: Search, recorded: Setup | None = None) -> str:
    """The name of the study: as asked for, or after the model, or after that of the recording."""
    if search.study is not None:
        return check_name(search.study)
    return check_name(name_for(f"{recorded.model.name}-replay" if recorded else name_of(_path(search.wish))))


def _check_followed(search: Search, name: str, place: Place) -> None:
    """Checks, where there are no studies at all, that no other one is to be followed: before a folder is made."""
    if not place.exists:
        fit.followed(search.wish.like, name, None, None, alone=search.budget.only_front)


def _made(search: Search, folder: Path, other: Study | None) -> Setup:
    """The setup of a new study on this host."""
    wish = search.wish
    return _led(preparation.make(wish, _path(wish), wish.workload or ClosedLoop(), folder), other)


def _led(setup: Setup, other: Study | None) -> Setup:
    """The setup with the front of the study that it is to begin with."""
    return setup if other is None else replace(setup, lead=fit.lead_of(other, setup))


def _check_compared(goal: Goal, reference: str) -> None:
    """Checks that a limit of the outputs' error can be looked at.

    Raises:
        UsageError: there is nothing to compare the outputs with.
    """
    reason = agreement.reason_in(reference) if goal.max_error is not None else ""
    if reason:
        raise UsageError(f"--max-error {goal.max_error:g} needs outputs to compare with ({reason}): leave it out")


def _weighed(search: Search, setup: Setup) -> Goal:
    """The goal, completed by what the load asks for, its latency weighed against what the load leaves open."""
    closed = isinstance(searched_under(setup.workload), ClosedLoop)
    goal = replace(search.goal, against="throughput" if closed else "efficiency")
    return bound(replace(goal, prefer=usual(goal)) if search.usual else goal, setup.workload)


def _path(wish: Wish) -> str:
    """The model that was asked for, by a path that holds in every folder."""
    if wish.model is None:
        return DEFAULT_MODEL
    return wish.model if wish.model.startswith(DEMO_PREFIX) or not wish.model else str(Path(wish.model).resolve())

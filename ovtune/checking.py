"""A check from a document's path to a judgement: the config and its opponent, measured by turns on this host."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ovtune import asset, check, content, difference, preparation, soak
from ovtune import document as documents
from ovtune.content import Feed
from ovtune.deploy import variant_file
from ovtune.document import Document
from ovtune.environment import describe_host
from ovtune.errors import DeploymentError, ModelError, UsageError
from ovtune.evaluator import Evaluator
from ovtune.host import exclusive, kept_on, read_cpus
from ovtune.ledger import Watch
from ovtune.measurement import Block, Plan
from ovtune.model import DEMO_PREFIX, Model, digest
from ovtune.pairing import Pairs, Visited, block_of, measured
from ovtune.promise import Promise, promise_of, workload_of
from ovtune.soak import Soak
from ovtune.trial_process import TrialProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A check to be made.

    Attributes:
        config: The document's path.
        model: The model's path; None for the one that the document names.
        against: The path of another document, whose config takes the opponent's place.
        plugins: Further device names and the libraries that serve them.
        confirm_s: The time that the pairs may take.
        soak_s: How long each soak takes; None for none.
        margin: What counts as a difference; None for what the document says.
        wait: Wait while another ovtune measures on this host, instead of refusing.
        plan: How each visit is made: as the ones were that the promise rests on.
    """

    config: Path
    model: str | None = None
    against: Path | None = None
    plugins: Mapping[str, str] = field(default_factory=dict)
    confirm_s: float = 120.0
    soak_s: float | None = None
    margin: float | None = None
    wait: bool = False
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        promise: What was checked.
        pairs: What was measured for it.
        differences: What differs from where the document was measured, in words.
        unconfirmed: Whether the document says that nobody confirmed its config.
        soak: What the soak showed, where one was asked for and made.
        failures: Why visits and soaks came to nothing.
        interrupted: Whether the user ended it before it was over.
    """

    promise: Promise
    pairs: Pairs
    differences: tuple[str, ...]
    unconfirmed: bool = False
    soak: Soak | None = None
    failures: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def kind(self) -> check.Kind:
        """Whether the promises hold."""
        if self.soak is not None and self.soak.below(self.promise.floor):
            return "slower"
        judgement = self.pairs.judgement
        if self.pairs.cut or judgement is None:
            return "undecided"
        return judgement.kind


def run(request: Request, watch: Watch[Visited]) -> Finding:
    """Makes a check.

    Raises:
        OvtuneError: a document, the model or a device cannot be used, or nothing in the document can be checked here.
    """
    document = documents.read(request.config)
    against = documents.read(request.against) if request.against is not None else None
    promise_of(document, against, margin=request.margin)
    path = _path(_original(document, request.model))
    with ExitStack() as holding:
        lock = holding.enter_context(exclusive(wait=request.wait, stopping=watch.stopping))
        folder = Path(holding.enter_context(tempfile.TemporaryDirectory()))
        cpu_set = _cpu_set(document)
        holding.enter_context(kept_on(cpu_set))
        model, own = _look(document, path, request.plugins, cpu_set)
        other = _look(against, path, request.plugins, cpu_set)[1] if against is not None else []
        promise = promise_of(
            document, against, margin=request.margin, absolute=not own, absolute_against=not (own or other)
        )
        differences = (*own, *(f"{request.against}: {text}" for text in other if text not in own))
        _check_something(promise, differences)
        documents_ = [document] if against is None else [document, against]
        wanted = {promise.config.precision} | ({promise.opponent.config.precision} if promise.opponent else set())
        variants = _variants(documents_, wanted - set(model.precisions), request.model or path)
        own_weights = [precision for precision in model.precisions if precision in wanted]
        feed = _feed(document, model)
        reference = _reference(document, model, feed, request.plugins, folder)
        if promise.goal.max_error is not None and reference is None:
            differences = (*differences, "outputs are not compared on other inputs: their limit is not checked")
        evaluator = TrialProcess(
            files=asset.weights(model, request.plugins, folder, own_weights) | variants,
            plugins=request.plugins,
            workload=workload_of(document),
            feed=feed,
            keep_open=(lock,),
            cache=str(folder / "compiled"),
            reference=reference,
        )
        pairs = measured(evaluator, promise, plan=request.plan, time_s=request.confirm_s, watch=watch)
        soaked, failures = _soak(evaluator, promise, pairs, request, watch)
        return Finding(
            promise=promise,
            pairs=pairs,
            differences=differences,
            unconfirmed=document.verdict.kind == "unconfirmed",
            soak=soaked,
            failures=(*pairs.failures, *failures),
            interrupted=watch.stopping(),
        )


def _soak(
    evaluator: Evaluator, promise: Promise, pairs: Pairs, request: Request, watch: Watch[Visited]
) -> tuple[Soak | None, tuple[str, ...]]:
    """One long run of each side, and why one came to nothing; the config's alone where the opponent's is missing."""
    if request.soak_s is None:
        return None, ()
    sides = [("config", promise.config)]
    if promise.opponent is not None:
        sides.append((promise.opponent.name, promise.opponent.config))
    outcomes = soak.run(
        evaluator,
        [config for _, config in sides],
        usual=request.plan,
        duration_s=request.soak_s,
        stopping=watch.stopping,
    )
    made: list[Block] = []
    failures: list[str] = []
    for number, ((name, _), outcome) in enumerate(zip(sides, outcomes, strict=False), start=1):
        side = f"soak of {name}"
        watch.emit(Visited(number=number, total=len(sides), side=side, outcome=outcome))
        block = block_of(outcome, side, failures, measured=True)
        made += [block] if block is not None else []
    if not made:
        return None, tuple(failures)
    if len(made) == 1 or pairs.judgement is None:
        return Soak(config=soak.course(made[0], pairs.blocks)), tuple(failures)
    short = list(zip(pairs.blocks, pairs.others, strict=True))
    metric = pairs.judgement.metric
    return soak.compare((made[0], made[1]), short, prefer=promise.prefer, metric=metric), tuple(failures)


def _look(document: Document, path: str, plugins: Mapping[str, str], cpu_set: str | None) -> tuple[Model, list[str]]:
    """The model as it is here, and what differs from where ``document`` was measured."""
    seen = preparation.sight(path, plugins, document.to_config().shapes)
    if seen.model is None:
        raise ModelError(f"model {path} was not found: give its path after the config")
    here = describe_host(seen.version, seen.devices, cpu_set=cpu_set)
    found = [one.text for one in difference.differences(document, here, path=path, sha256=seen.model.sha256)]
    if document.environment.cpu_set != cpu_set:
        kept = f"CPUs {cpu_set}" if cpu_set is not None else "all CPUs"
        found.append(f"it runs on {kept}, measured on {document.environment.cpu_set or 'all'}")
    if document.environment.beside is not None:
        found.append(f"nothing runs beside it, measured beside {document.environment.beside!r}")
    return seen.model, found + _other_inputs(document, seen.model)


def _feed(document: Document, model: Model) -> Feed:
    """What the document's config was fed with; random values where its files are no longer what they were."""
    told = document.inputs
    if told is None or _other_inputs(document, model):
        return Feed(inputs=model.inputs, copying=told is not None and told.copied)
    files = tuple(told.files)
    return Feed(inputs=model.inputs, files=files, digests=content.digests(files), copying=told.copied)


def _other_inputs(document: Document, model: Model) -> list[str]:
    told = document.inputs
    if told is None or not told.files:
        return []
    files, why = tuple(told.files), "they have changed"
    try:
        feed = Feed(inputs=model.inputs, files=files, digests=content.digests(files))
        if feed.sha256 == told.sha256:
            return []
    except UsageError as error:
        why = str(error)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return [f"random values are run, measured with {files[0]}{more} ({why})"]


def _cpu_set(document: Document) -> str | None:
    """The CPUs that the document's config was kept on, where it can be kept there here."""
    try:
        return read_cpus(document.environment.cpu_set) if document.environment.cpu_set is not None else None
    except UsageError:
        return None


def _original(document: Document, given: str | None) -> str:
    """The model: what was given, unless that is the variant that the config runs in the model's place."""
    if given is None or document.variant is None:
        return given or document.model.path
    return document.model.path if digest(_path(given)) == document.variant.sha256 else given


def _variants(found: Sequence[Document], wanted: set[str], given: str) -> dict[str, str]:
    """The files of what the model has no weights of: the variants that the documents name."""
    files: dict[str, str] = {}
    for precision in sorted(wanted):
        named = [document for document in found if document.config.precision == precision]
        if not any(document.variant for document in named):
            raise ModelError(f"{precision} weights cannot be made of {given}: search again on this model")
        files[precision] = variant_file(named[0], _path(given))
    return files


def _reference(document: Document, model: Model, feed: Feed, plugins: Mapping[str, str], folder: Path) -> str | None:
    """The file of the outputs to compare with; None where they were compared on inputs that are not here."""
    if document.outputs is None or (document.outputs.inputs == "given") != bool(feed.files):
        return None
    shapes = document.to_config().shapes
    return asset.reference_of(model, folder, feed=feed, shapes=shapes, plugins=plugins)


def _check_something(promise: Promise, differences: Sequence[str]) -> None:
    goal = promise.goal
    limits = (goal.max_latency_ms, goal.min_throughput_per_s, goal.max_memory_bytes, goal.max_error)
    limited = any(limit is not None for limit in limits)
    if promise.opponent is None and promise.next_per_s is None and not (limited and promise.limits):
        raise DeploymentError(
            f"the config promises nothing that can be checked here ({'; '.join(differences)}; it is its own baseline): "
            "compare it with another one by --against, or search again on this host"
        )


def _path(model: str) -> str:
    return model if model.startswith(DEMO_PREFIX) else str(Path(model).resolve())

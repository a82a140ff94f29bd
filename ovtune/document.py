"""The config document: one JSON file with the recommended config, what was measured, and how sure that is.

Reading checks the form and nothing else: a document is data, and whether it holds on a host is seen when it is applied.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ovtune.config import Config, split_batch
from ovtune.errors import DocumentError

FORMAT = "ovtune-config"
VERSION = 1
_WRITING = ("_DIR", "_PATH", "_FILE")
"""How the names of properties end that make the runtime read or write files."""
_NAMING = frozenset({"MULTI_DEVICE_PRIORITIES", "TARGET_FALLBACK", "DEVICE_ID", "DEVICE_PROPERTIES"})
"""The properties that name devices; of these a document knows DEVICE_PROPERTIES alone, as settings by device."""
_MOST = 1_000_000
"""How many requests or items a config may hold."""
_MOST_BYTES = 32_000_000
_MARK = "\ufeff".encode()
"""What some editors write in front of a text in UTF-8."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=_MOST)]
Natural = Annotated[int, Field(ge=0, le=2**63 - 1)]
Scalar = bool | int | Finite | str
_LOAD_FIELDS: Mapping[str, frozenset[str]] = {
    "closed": frozenset(),
    "interval": frozenset({"interval_s"}),
    "poisson": frozenset({"rate_per_s"}),
    "streams": frozenset({"cameras", "frames_per_s"}),
    "poisson_capacity": frozenset(),
    "streams_capacity": frozenset({"frames_per_s"}),
}
Metric = Literal["p50", "p90", "p95", "p99", "p99.9", "mean"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ModelPart(_Part):
    """Which model was measured."""

    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    path: str


class ConfigPart(_Part):
    """The config that a deployment applies."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"api": {"const": "sync"}}},
            "then": {"properties": {"nireq": {"const": 1}}},
        }
    )
    device: Annotated[str, Field(min_length=1, max_length=1000)]
    properties: Annotated[
        dict[str, Scalar | dict[str, dict[str, Scalar]]],
        Field(
            json_schema_extra={
                "propertyNames": {"not": {"pattern": f"({'|'.join(_WRITING)})$"}},
                "properties": {name: {"type": "object"} for name in sorted(_NAMING)},
            }
        ),
    ]
    nireq: Count
    batch_size: Count
    precision: str
    shapes: dict[str, list[Annotated[int, Field(ge=0)]]]
    api: Literal["async", "sync"]


class LoadPart(_Part):
    """The load under which it was measured, or the capacity that was asked for."""

    kind: Literal["closed", "interval", "poisson", "streams", "poisson_capacity", "streams_capacity"]
    interval_s: Positive | None = None
    rate_per_s: Positive | None = None
    cameras: Count | None = None
    frames_per_s: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in (f for f in type(self).model_fields if f != "kind"):
            belongs = name in _LOAD_FIELDS[self.kind]
            if belongs != (getattr(self, name) is not None):
                raise ValueError(
                    f"{name} {'is missing from' if belongs else 'is no part of'} a load of kind {self.kind}"
                )
        return self


class GoalPart(_Part):
    """What was looked for."""

    latency: Metric
    prefer: Literal["throughput", "latency", "balanced", "efficiency"]
    max_latency_ms: Positive | None
    min_throughput_per_s: Positive | None = None
    max_memory_bytes: Positive | None = None
    max_error: Positive | None = None
    deadline_ms: Positive | None = None
    margin: Positive


class IntervalPart(_Part):
    """A value with its 95 % interval."""

    value: Positive
    low: Positive
    high: Positive


class ThroughputPart(IntervalPart):
    """Throughput, and the interval that the next block's falls into."""

    next_low: Positive
    next_high: Positive


class UnavailablePart(_Part):
    """A latency that too few samples tell about."""

    unavailable: str


class MeasuredPart(_Part):
    """The published figures of one config."""

    throughput_per_s: ThroughputPart
    latency_ms: dict[Metric, IntervalPart | UnavailablePart]
    blocks: Count
    samples: Annotated[int, Field(ge=1, le=2**63 - 1)]
    source: Literal["search", "duel"]
    occupancy: Positive | None
    compile_ms: Positive
    compile_cached: bool
    first_inference_ms: Positive
    memory_bytes: Natural
    cpu_ms_per_inference: Positive
    energy_mj_per_inference: Positive | None = None


class CapacityPart(_Part):
    """What a config serves within the limit, both ends verified by fresh blocks: cameras, or items per second.

    ``low`` is null where the low end was not looked at, ``above`` the least that was shown not to hold. ``value`` and
    ``bound`` are what the fresh blocks at ``high`` tell: the share of late items and the upper end of its 97.5 %
    interval, or the mean latency in ms where that is limited.
    """

    kind: Literal["cameras", "rate_per_s"]
    frames_per_s: Positive | None = None
    limit_ms: Positive
    allowed_late: Positive | None
    low: Positive | None
    high: Positive
    above: Positive | None
    value: Positive
    bound: Positive
    blocks: Count
    samples: Annotated[int, Field(ge=1, le=2**63 - 1)]


class OutputsPart(_Part):
    """How far the outputs are from the reference's; ``max_rel`` is a share of the largest magnitude there.

    ``cosine`` is null where the outputs have no direction, ``top1`` where they are no class scores; ``inputs`` tells
    whether these were random values or the user's.
    """

    reference: str
    max_abs: Positive
    max_rel: Positive
    cosine: Finite | None
    top1: Positive | None
    items: Count | None = None
    inputs: Literal["random", "given"] = "random"


class BaselinePart(_Part):
    """The strongest of OpenVINO's own answers."""

    name: str
    config: ConfigPart
    measured: MeasuredPart
    outputs: OutputsPart | None = None
    capacity: CapacityPart | None = None


class RatioPart(_Part):
    """A ratio config / baseline with its interval; an end that is not bounded is null."""

    value: Positive
    low: Positive | None
    high: Positive | None


class VerdictPart(_Part):
    """What may be said of ``rival``, the best of the other configs, against the baseline; the ratios are its.

    ``latency_ratio`` is that of ``metric``, and ``cost_ratio`` that of the ``work`` per inference; ``about`` is what
    the duel was fought for.
    """

    kind: Literal["better", "trade", "equal", "undecided", "infeasible", "unconfirmed"]
    throughput_ratio: RatioPart | None
    latency_ratio: RatioPart | None
    cost_ratio: RatioPart | None = None
    metric: Metric | None = None
    work: Literal["CPU time", "energy"] | None = None
    rival: ConfigPart | None = None
    about: Literal["throughput", "latency", "balanced", "efficiency"] | None = None
    text: str


class CoursePart(_Part):
    """A long run without a pause; ``remains`` is the speed at its end as a share of that at its start."""

    elapsed_s: Positive
    throughput_per_s: Positive
    remains: Positive
    of_short: Positive | None


class SoakPart(_Part):
    """The long runs of the duel's two sides, or of the config alone; ``ratio`` is that of the goal's objective."""

    config: CoursePart
    baseline: CoursePart | None = None
    ratio: Positive | None = None


class FrontPart(_Part):
    """Another point of the front."""

    config: ConfigPart
    measured: MeasuredPart
    outputs: OutputsPart | None = None


class CaveatPart(_Part):
    """A doubt about the result."""

    kind: str
    text: str


class EnvironmentPart(_Part):
    """Where it was measured."""

    openvino: str
    devices: dict[str, str]
    cpu: str
    cpus: Count
    quota: Positive | None
    memory_bytes: Natural
    system: str
    cpu_set: str | None = None
    energy: Literal["readable", "root only", "none"] = "none"
    beside: str | None = None


class InputsPart(_Part):
    """What was run: the files of items (none for random values), their digest, whether copying them in was measured."""

    files: list[str]
    sha256: str | None
    copied: bool


class StudyPart(_Part):
    """The study that it comes from; ``like`` is the study whose front it began with, null where there was none."""

    name: str
    trial: Natural
    created: str
    like: str | None = None


class Document(_Part):
    """The whole document.

    ``variant`` is the file that the config runs in place of the model's own, ``inputs`` what was run where that was not
    random values, written once.
    """

    format: Literal["ovtune-config"]
    version: Annotated[int, Field(ge=VERSION, le=VERSION)]
    model: ModelPart
    config: ConfigPart
    effective: dict[str, Any]
    load: LoadPart
    goal: GoalPart
    measured: MeasuredPart
    baseline: BaselinePart
    verdict: VerdictPart
    outputs: OutputsPart | None
    soak: SoakPart | None = None
    front: list[FrontPart]
    caveats: list[CaveatPart]
    environment: EnvironmentPart
    study: StudyPart
    capacity: CapacityPart | None = None
    variant: ModelPart | None = None
    inputs: InputsPart | None = None

    def to_config(self) -> Config:
        """The config that a deployment applies."""
        return config_of(self.config)


def config_of(part: ConfigPart) -> Config:
    """The config that a part of a document describes.

    Raises:
        DocumentError: its parts do not fit together.
    """
    names = {
        *part.properties,
        *(n for v in part.properties.values() if isinstance(v, dict) for i in v.values() for n in i),
    }
    writing = sorted(name for name in names if name.endswith(_WRITING))
    if writing:
        raise DocumentError(f"config of the document sets {', '.join(writing)}, which touches files: remove it")
    naming = sorted(name for name, value in part.properties.items() if name in _NAMING and not isinstance(value, dict))
    if naming:
        raise DocumentError(
            f"config of the document names devices by {', '.join(naming)}: write them into its device, and what is set "
            "for one device into DEVICE_PROPERTIES, by the device's name"
        )
    if split_batch(part.device)[1] > _MOST:
        raise DocumentError(f"config of the document batches on {part.device}: a batch holds {_MOST} requests at most")
    try:
        return Config(
            device=part.device,
            properties=part.properties,
            nireq=part.nireq,
            batch_size=part.batch_size,
            precision=part.precision,
            shapes={name: tuple(shape) for name, shape in part.shapes.items()},
            api=part.api,
        )
    except ValueError as error:
        raise DocumentError(f"config of the document does not fit together ({error}): search again") from error


def part_of(config: Config) -> ConfigPart:
    """A config as a part of a document."""
    return ConfigPart(
        device=config.device,
        properties={
            name: {device: dict(inner) for device, inner in value.items()} if isinstance(value, Mapping) else value
            for name, value in config.properties.items()
        },
        nireq=config.nireq,
        batch_size=config.batch_size,
        precision=config.precision,
        shapes={name: list(shape) for name, shape in config.shapes.items()},
        api=config.api,
    )


def read(path: str | Path) -> Document:
    """The document at ``path``.

    Raises:
        DocumentError: it cannot be read, is no JSON, is of a newer version, or has a field that does not belong there.
    """
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"config {path} cannot be read ({error.strerror}): check the path") from error
    if len(data) > _MOST_BYTES:
        raise DocumentError(f"config {path} is larger than {_MOST_BYTES} bytes: it is not one that ovtune wrote")
    return parse(data, name=str(path))


def parse(data: bytes | str, *, name: str) -> Document:
    """The document in ``data``; ``name`` is what errors call it.

    Raises:
        DocumentError: see :func:`read`.
    """
    data = data.removeprefix(_MARK) if isinstance(data, bytes) else data
    try:
        tree = json.loads(data, object_pairs_hook=_distinct, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"config {name} is no proper JSON ({error}): give a file that ovtune wrote") from error
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise DocumentError(f"config {name} is not an {FORMAT} document: give a best.json that ovtune wrote")
    version = tree.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise DocumentError(f"config {name} is of version {version}, this ovtune reads {VERSION}: upgrade ovtune")
    try:
        document = Document.model_validate_json(data)
    except ValidationError as error:
        raise DocumentError(f"config {name}: {_complaint(error, tree)}: give a file that ovtune wrote") from error
    for part in (document.config, document.baseline.config, *(point.config for point in document.front)):
        config_of(part)
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"{twice} stands there twice")
    return tree


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no number that it could hold")
    return value


def _complaint(error: ValidationError, tree: Any) -> str:
    """The first field that is wrong, and how; of a field of several types pydantic names each one that it is not."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where: list[str] = []
    for step in first["loc"]:
        known = step in tree if isinstance(tree, dict) else isinstance(tree, list) and isinstance(step, int)
        if not known and first["type"] != "missing":
            return f"{'.'.join(where)}: its value has the wrong type"
        where.append(str(step))
        tree = tree[step] if known else None
    return f"{'.'.join(where) or 'the document'}: {first['msg']}"


def text_of(document: Document) -> str:
    """The document as JSON text."""
    return document.model_dump_json(indent=2) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of the document, as the package ships it in ``document.schema.json``."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"{FORMAT}, version {VERSION}"}
    return Document.model_json_schema() | draft

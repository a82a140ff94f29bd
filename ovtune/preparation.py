"""Everything before the first trial: what the devices and the model are, what OpenVINO advises, what may be tried."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ovtune import asset, beside, codec, content, space, survey
from ovtune.asset import INT8
from ovtune.cap import capped, thread_cap
from ovtune.config import Config, split_batch
from ovtune.content import Feed
from ovtune.device_string import worth_trying
from ovtune.environment import Device, describe_host, topology
from ovtune.errors import DeviceError, MeasurementError, ModelError, UsageError
from ovtune.model import DEMO_PREFIX, Model, Shapes
from ovtune.setting import Size
from ovtune.space import Advice, Host
from ovtune.study import Baseline, Setup
from ovtune.trial_process import ask
from ovtune.wanted import Wanted
from ovtune.workload import Load, searched_under

_SILENT = "automatic batching does not engage there on this model, and the runtime would not say so"
_ADVISING_S = 900.0
"""How long a device may take to compile a model once for each hint: on some of them that takes minutes."""
_LISTS = frozenset({"AUTO", "MULTI", "HETERO"})
_NAMES = {"none": "no settings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked a study to be about; None leaves it to the study, or to the default.

    Attributes:
        model: A path or ``demo:NAME``.
        workload: The load, or the capacity that is asked for.
        device_strings: Exactly these device strings; empty for all that make sense.
        plugins: Further device names and the libraries that serve them.
        shapes: A concrete shape for each dynamic input.
        variants: Other files of the same model, by the name that they go by.
        int8: The items by which the model is quantized to eight bits, as another variant; None for not at all.
        inputs: Files and folders of items to run; empty for random values.
        copying: Whether writing an item into a request is part of what is measured.
        space: Which part of what can be searched.
        cpu_set: The CPUs to keep what is measured on, such as ``0-3,8``.
        beside: A command that runs in the background of every measurement.
        like: The study whose front to begin with.
    """

    model: str | None = None
    workload: Load | None = None
    device_strings: tuple[str, ...] = ()
    plugins: Mapping[str, str] | None = None
    shapes: Shapes | None = None
    variants: Mapping[str, str] | None = None
    int8: str | None = None
    inputs: tuple[str, ...] = ()
    copying: bool = False
    space: Wanted | None = None
    cpu_set: str | None = None
    beside: str | None = None
    like: str | None = None


def sight(path: str | None, plugins: Mapping[str, str], shapes: Shapes | None = None) -> survey.Sight:
    """The devices, and the model where one is named, as a child process sees them.

    Raises:
        ModelError: the model cannot be read.
    """
    question = survey.Question(path=path, plugins=plugins, shapes=shapes or {})
    answer = ask("survey", codec.dump(question, survey.Question))
    seen: survey.Sight = codec.load(answer, survey.Sight)
    return seen


def advice(
    path: str,
    plugins: Mapping[str, str],
    strings: Sequence[str],
    shapes: Shapes | None = None,
    *,
    shown: bool = False,
) -> tuple[tuple[Advice, ...], dict[str, str]]:
    """OpenVINO's own answers on each device string, each asked in a child of its own; what refuses, with reasons.

    Settings that automatic batching hides are among them where they are to be ``shown``, which takes longer.
    """
    found: list[Advice] = []
    refused: dict[str, str] = {}
    for device in strings:
        question = survey.DeviceQuestion(
            path=path,
            plugins=plugins,
            device=device,
            most_threads=thread_cap(),
            shapes=shapes or {},
            shown=shown,
        )
        try:
            answer = ask("advise", codec.dump(question, survey.DeviceQuestion), timeout_s=_ADVISING_S)
            found += codec.load(answer, survey.AdviceList)
        except (DeviceError, MeasurementError) as error:
            refused[device] = str(error)
    return tuple(found), refused


def make(wish: Wish, path: str, workload: Load, folder: Path) -> Setup:
    """The setup of a new study, whose files lie in ``folder``.

    Raises:
        UsageError: the background command cannot be run, the items cannot be read, or two variants have one name.
        ModelError: the model cannot be read.
        DeviceError: none of the device strings can run it.
    """
    plugins = wish.plugins or {}
    if wish.beside is not None:
        beside.check(wish.beside)
    shapes = wish.shapes or {}
    seen = sight(path, plugins, shapes)
    model = model_of(seen)
    files_ = dict(wish.variants or {})
    if wish.int8 is not None:
        if INT8 in files_:
            raise UsageError(f"--int8 {wish.int8} makes a variant of that name, too: name {files_[INT8]} otherwise")
        files_[INT8] = asset.quantized(wish.int8, model, shapes, folder)
    variants = {name: _variant(name, file, model, wish) for name, file in files_.items()}
    feed = _feed(wish, model)
    single = tuple(name for name, variant in variants.items() if variant.one_batch)
    model = replace(model, precisions=(*model.precisions, *variants), single=single)
    check_devices(wish.device_strings, seen)
    strings = wish.device_strings or strings_of((wish.space or Wanted()).size, seen.devices)
    model = _batched(model, strings, feed, plugins, shapes)
    silent = {
        text: _SILENT for text in strings if split_batch(text)[1] > 1 and not model.batches_on(split_batch(text)[0])
    }
    answers, refused = advice(path, plugins, [text for text in strings if text not in silent], shapes)
    refused |= silent
    if not answers:
        reasons = "; ".join(f"{device}: {why}" for device, why in refused.items())
        raise DeviceError(f"no device can run {path} ({reasons}): see ovtune devices")
    host = Host(devices=seen.devices, topology=topology(), device_strings=strings, advice=answers, refused=refused)
    return Setup(
        model=model,
        workload=workload,
        environment=describe_host(seen.version, seen.devices, cpu_set=wish.cpu_set),
        space=space.build(host, model, searched_under(workload), shapes, wish.space),
        shapes=shapes,
        variants=variants,
        feed=feed,
        wanted=wish.space or Wanted(),
        baselines=baselines(host, model, shapes, chosen=bool(wish.device_strings)),
        plugins=plugins,
        device_strings=wish.device_strings,
        refused=refused,
        beside=wish.beside,
    )


def strings_of(size: Size, devices: Sequence[Device]) -> tuple[str, ...]:
    """The device strings of a space: of a quick one each device and AUTO, of a full one HETERO, too."""
    return worth_trying(devices, lists=size != "quick", hetero=size == "full")


def check_devices(strings: Sequence[str], seen: survey.Sight) -> None:
    """Checks that each device that the strings name is there.

    Raises:
        DeviceError: one is not.
    """
    known = {d.name for d in seen.devices} | {d.name.partition(".")[0] for d in seen.devices}
    for text in strings:
        if not all(named_devices(text)) or text.endswith(":"):
            raise DeviceError(f"device {text!r} cannot be read: name one or a list, such as CPU or AUTO:GPU,CPU")
        if text.startswith("BATCH:") and (len(named_devices(text)) > 1 or named_devices(text)[0] in _LISTS):
            one = seen.devices[0].name
            raise DeviceError(f"device {text} names a list: BATCH takes one device, such as BATCH:{one}(4)")
        missing = [name for name in named_devices(text) if name not in known]
        if missing:
            raise DeviceError(
                f"device {text} names {', '.join(missing)}, which this host has not: "
                f"it has {', '.join(d.name for d in seen.devices)}"
            )


def named_devices(text: str) -> list[str]:
    """The devices that a device string names: ``AUTO:-GPU,CPU`` gives GPU and CPU, ``AUTO`` none."""
    kind, _, rest = text.partition(":")
    if not rest:
        return [] if kind in _LISTS else [kind]
    return [part.strip().removeprefix("-").partition("(")[0] for part in rest.split(",")]


def baselines(host: Host, model: Model, shapes: Shapes, *, chosen: bool) -> tuple[Baseline, ...]:
    """OpenVINO's own answers, those that run alike merged under a joined name.

    On each device alone and on AUTO; on exactly the device strings that the user chose, where they were chosen. With
    the weights that the model has.
    """
    merged: dict[str, tuple[list[str], Advice]] = {}
    for answer in host.advice:
        if chosen or answer.device == "AUTO" or ":" not in answer.device:
            names, _ = merged.setdefault(answer.effective_key, ([], answer))
            names.append(answer.hint)
    found = (_baseline(names, answer, host, model.precisions[0]) for names, answer in merged.values())
    return tuple(replace(baseline, config=replace(baseline.config, shapes=shapes)) for baseline in found)


def _baseline(hints: list[str], answer: Advice, host: Host, precision: str) -> Baseline:
    hinted = [hint for hint in hints if hint != "none"]
    hint = hinted[0] if hinted else "none"
    words = " or ".join(_NAMES.get(h, f"{h} hint") for h in sorted(set(hints), key=lambda h: h == "none"))
    config = Config(
        device=answer.device,
        properties={} if hint == "none" else {"PERFORMANCE_HINT": hint},
        nireq=answer.nireq,
        precision=precision,
    )
    return Baseline(name=f"{words} on {answer.device}", config=capped(config, answer.threads, host.devices))


def _feed(wish: Wish, model: Model) -> Feed:
    """What the model is fed with; its files are read once here, so that what does not fit is told before a search."""
    return content.feed_of(wish.inputs, model.inputs, copying=wish.copying)


def _batched(model: Model, strings: Sequence[str], feed: Feed, plugins: Mapping[str, str], shapes: Shapes) -> Model:
    """The model, and what came of running it in batches: its own, and automatic ones on each device.

    Of random items no two are alike, as a user's may be; but a model may take those alone.
    """
    if model.one_batch:
        return model
    for items in (Feed(inputs=model.inputs), feed) if feed.files else (feed,):
        asked = survey.BatchQuestion(path=model.path, plugins=plugins, feed=items, shapes=shapes)
        with contextlib.suppress(DeviceError, MeasurementError):
            why = ask("why_one_batch", codec.dump(asked, survey.BatchQuestion))
            if why:
                return replace(model, batch_sizes=(1,), one_batch=why, auto_batchable=False)
    alone = dict.fromkeys(split_batch(text)[0] for text in strings)
    unbatched = [name for name in alone if named_devices(name) == [name] and not _batches(name, model, plugins, shapes)]
    return replace(model, unbatched_on=tuple(unbatched))


def _batches(device: str, model: Model, plugins: Mapping[str, str], shapes: Shapes) -> bool:
    question = survey.DeviceQuestion(path=model.path, plugins=plugins, device=device, shapes=shapes)
    with contextlib.suppress(DeviceError, MeasurementError):
        return bool(codec.load(ask("auto_batches", codec.dump(question, survey.DeviceQuestion)), bool))
    return False


def _variant(name: str, file: str, model: Model, wish: Wish) -> Model:
    """Another file of the same model.

    Raises:
        ModelError: it cannot be read, takes other inputs, takes them in another order, or gives other outputs.
    """
    try:
        found = model_of(sight(absolute(file), wish.plugins or {}, wish.shapes))
    except ModelError as error:
        raise ModelError(f"variant {name}: {error}") from error
    todo = "give a file of the same model"
    if [(i.element_type, i.shape) for i in found.inputs] != [(i.element_type, i.shape) for i in model.inputs]:
        ours, theirs = (", ".join(f"{i.element_type} {list(i.shape)}" for i in m.inputs) for m in (found, model))
        raise ModelError(f"variant {name} ({file}) takes {ours}, the model takes {theirs}: {todo}")
    names, others = ([i.name for i in m.inputs] for m in (found, model))
    if names != others and sorted(names) == sorted(others):
        raise ModelError(f"variant {name} ({file}) takes {', '.join(names)} in this order, the model {others}: {todo}")
    if len(found.outputs) != len(model.outputs) or not all(map(_alike, found.outputs, model.outputs)):
        ours, theirs = (", ".join(str(list(shape)) for shape in m.outputs) or "nothing" for m in (found, model))
        raise ModelError(f"variant {name} ({file}) gives {ours}, the model gives {theirs}: {todo}")
    return found


def _alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two shapes are one where both are known."""
    return len(one) == len(other) and all(a == b or -1 in {a, b} for a, b in zip(one, other, strict=True))


def absolute(path: str) -> str:
    """A path that holds in every folder."""
    return path if path.startswith(DEMO_PREFIX) else str(Path(path).resolve())


def model_of(seen: survey.Sight) -> Model:
    """The model that was seen.

    Raises:
        ModelError: none was named.
    """
    if seen.model is None:
        raise ModelError("no model was named: give a path, or a built-in one such as demo:mobilenet")
    return seen.model

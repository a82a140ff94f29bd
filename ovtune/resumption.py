"""Whether a study may be gone on with: here, with this model, and as it is asked for now."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ovtune import content
from ovtune.asset import INT8, quantized_name
from ovtune.content import files_of
from ovtune.environment import describe_host
from ovtune.errors import ModelError, StudyError, UsageError
from ovtune.model import Shapes, digest, name_of
from ovtune.preparation import Wish, absolute, model_of, sight
from ovtune.study import Setup
from ovtune.workload import Capacity, describe


def check_same(setup: Setup, wish: Wish, name: str) -> None:
    """Checks that a study may be gone on with here and as asked.

    Raises:
        StudyError: the model, the load, the devices or the host differ, the message shows how; or it is a replay.
        ModelError: the model or a variant cannot be read.
    """
    check_lead(setup, wish, name)
    if setup.recording:
        raise StudyError(f"study {name} was measured in a recording: go on with --replay, or take another --study")
    seen = sight(wish.model or setup.model.path, setup.plugins, setup.shapes)
    model = model_of(seen)
    here = describe_host(seen.version, seen.devices, cpu_set=wish.cpu_set or setup.environment.cpu_set)
    differences = list(here.differences(setup.environment))
    if model.sha256 != setup.model.sha256:
        ours, theirs = (f"{m.path} ({m.sha256[:8]})" for m in (model, setup.model))
        differences.append(f"model: {ours}, not {theirs}")
    differences += _asked_otherwise(setup, wish)
    if differences:
        raise StudyError(
            f"study {name} was made under other circumstances ({'; '.join(differences)}): name a new one with --study"
        )


def check_lead(setup: Setup, wish: Wish, name: str) -> None:
    """Checks that a study began with the front that is asked for, where one is.

    Raises:
        StudyError: it began with another one, or with none.
    """
    begun = setup.lead.study if setup.lead is not None else None
    if wish.like not in {None, begun}:
        how = f"with the front of study {begun}" if begun is not None else "without --like"
        raise StudyError(
            f"study {name} was begun {how}, and cannot be begun with that of {wish.like} any more: "
            "leave --like as it was, or name a new one with --study"
        )


def check_recorded(setup: Setup, wish: Wish, file: Path | None) -> None:
    """Checks that what a search in the recording ``file`` is to be about is what it holds.

    Raises:
        UsageError: it is about another model, load or space, or says how a host is to measure.
    """
    if wish.model is not None and name_of(wish.model) != setup.model.name:
        raise UsageError(f"model {wish.model} is not that of {file}, {setup.model.name}: leave it out")
    if isinstance(wish.workload, Capacity):
        raise UsageError(f"load {describe(wish.workload)} needs visits under many loads: search on a host for it")
    if wish.workload is not None and wish.workload != setup.workload:
        raise UsageError(f"the load of {file} is {describe(setup.workload)}: leave --load out")
    if wish.space is not None:
        raise UsageError(f"the space of {file} is what was recorded: leave --space, --set and --fix out")
    for option, given in _of_a_host(wish).items():
        if given:
            raise UsageError(f"{option} changes nothing in {file}, which is measured already: leave it out")


def _of_a_host(wish: Wish) -> dict[str, object]:
    """What says how a host is to measure, by its option."""
    return {
        "--device": wish.device_strings,
        "--shape": wish.shapes,
        "--variant": wish.variants,
        "--int8": wish.int8,
        "--input": wish.inputs,
        "--include-input-copy": wish.copying,
        "--cpus": wish.cpu_set,
        "--beside": wish.beside,
    }


def placed(setup: Setup, wish: Wish) -> Setup:
    """The setup with its files where they are now: what was moved or renamed is the same by its content."""
    named = wish.variants or {}
    variants = {
        name: replace(model, path=absolute(named[name])) if name in named else model
        for name, model in setup.variants.items()
    }
    return replace(setup, model=replace(setup.model, path=wish.model or setup.model.path), variants=variants)


def _asked_otherwise(setup: Setup, wish: Wish) -> list[str]:
    """What is asked for in other words than the study was made with; what is left out is as it was."""
    pairs: tuple[tuple[str, str | None, str], ...] = (
        ("load", describe(wish.workload) if wish.workload else None, describe(setup.workload)),
        ("devices", ", ".join(wish.device_strings) or None, ", ".join(setup.device_strings) or "all"),
        ("shapes", _spelled(wish.shapes), _spelled(setup.shapes) or "none"),
        ("inputs", ", ".join(files_of(wish.inputs)) or None, ", ".join(setup.feed.files) or "random values"),
        ("input copies", "measured" if wish.copying else None, "measured" if setup.feed.copying else "left out"),
        ("space", wish.space.words if wish.space else None, setup.wanted.words),
        ("plugins", _shown(wish.plugins), _shown(setup.plugins) or "none"),
        ("beside", wish.beside, setup.beside or "nothing"),
    )
    found = [f"{name}: {asked}, not {was}" for name, asked, was in pairs if asked is not None and asked != was]
    return [*found, *_changed_inputs(setup), *_changed_variants(setup, wish)]


def _changed_inputs(setup: Setup) -> list[str]:
    """The first file of items that holds something else than when the study was made."""
    pairs = zip(setup.feed.files, setup.feed.digests, content.digests(setup.feed.files), strict=True)
    changed = [file for file, then, now in pairs if now != then]
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return [f"input {changed[0]}{more}: other content than it had"] if changed else []


def _changed_variants(setup: Setup, wish: Wish) -> list[str]:
    """How the variants differ from those that a study was made with, by name or by content."""
    was = {name: model.path for name, model in setup.variants.items()}
    here = dict(was)
    if wish.variants is not None or wish.int8 is not None:
        here = {name: absolute(path) for name, path in (wish.variants or {}).items()}
    if wish.int8 is not None:
        here |= {INT8: was.get(INT8, wish.int8)}
    if here.keys() != setup.variants.keys():
        return [f"variants: {', '.join(here) or 'none'}, not {', '.join(setup.variants) or 'none'}"]
    if wish.int8 is not None and Path(was[INT8]).name != quantized_name(wish.int8, setup.model):
        return [f"variant {INT8}: {wish.int8} holds other items than it was quantized by"]
    return [
        f"variant {name}: {path} is another file than {setup.variants[name].path} was"
        for name, path in here.items()
        if _digest(name, path) != setup.variants[name].sha256
    ]


def _digest(name: str, path: str) -> str:
    try:
        return digest(path)
    except ModelError as error:
        raise ModelError(f"variant {name}: {error}") from error


def _shown(pairs: Mapping[str, object] | None) -> str | None:
    """Names and values in the order of the names; None where nothing is said."""
    return ", ".join(f"{name}={pairs[name]}" for name in sorted(pairs)) if pairs else None


def _spelled(shapes: Shapes | None) -> str | None:
    """Shapes as the option takes them; None where there are none."""
    found = (f"{name}[{','.join(map(str, shape))}]" for name, shape in sorted((shapes or {}).items()))
    return ", ".join(found) or None

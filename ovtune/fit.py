"""Which configs of another study's front a new study can begin with: other models and hosts have other spaces."""

from collections.abc import Mapping
from dataclasses import replace

from ovtune import goal as goals
from ovtune.cap import THREADS
from ovtune.config import Config, Scalar, parameters, split_batch
from ovtune.conflict import broken_by
from ovtune.errors import MeasurementError, StudyError, UsageError
from ovtune.lead import Lead, Member, shortened
from ovtune.result import conclude
from ovtune.setting import with_settings
from ovtune.space import Space
from ovtune.store import Store
from ovtune.study import Setup, Study
from ovtune.wanted import UNSET

_SAID = 3


def followed(like: str | None, name: str, known: Setup | None, store: Store | None, *, alone: bool) -> Study | None:
    """The study whose front the study ``name`` is to begin with; None where none is asked for, or it began before.

    Args:
        like: The other study's name, where one is asked for.
        name: That of the one to be begun.
        known: The setup of that one, where it exists.
        store: Where both are; None where there is none yet.
        alone: Whether nothing but such a front is to be measured.

    Raises:
        UsageError: it is the study itself; or nothing but a front is to be measured, and none is known.
        StudyError: it does not exist.
    """
    if like == name:
        raise UsageError(f"--like {like} names the study itself: name another one, or leave it out to go on with it")
    if alone and like is None and (known is None or known.lead is None):
        raise UsageError("--only-front asks for the front of another study: name it with --like")
    if like is None or known is not None:
        return None
    names = store.names() if store is not None else []
    if store is None or like not in names:
        raise StudyError(
            f"study {like} does not exist here ({', '.join(names) or 'there are none yet'}): "
            "--like takes one of the same --studies folder or --storage"
        )
    return store.load(like)


def lead_of(other: Study, setup: Setup) -> Lead:
    """The front of ``other`` under its own goal, as far as it fits into a new study's ``setup``.

    Raises:
        StudyError: nothing was measured in it, or nothing of its front fits.
    """
    try:
        result = conclude(other, other.goal)
    except MeasurementError as error:
        raise StudyError(
            f"study {other.name} has no front to begin with ({error}): name another with --like"
        ) from error
    order = goals.ranked(result.front, other.goal, result.metric)
    found = dict.fromkeys((result.recommended, *(estimate.config for estimate in order)))
    members = tuple(_member(config, other.setup, setup) for config in found)
    lead = Lead(study=other.name, model=other.setup.model.path, members=members)
    if not lead.configs:
        raise StudyError(
            f"nothing of the front of study {other.name} fits here ({shortened((m.said for m in members), _SAID)}): "
            "leave --like out, or allow more in the space"
        )
    return lead


def _member(config: Config, there: Setup, here: Setup) -> Member:
    """What a config of a study's front comes to in another study."""
    answers = [baseline.config for baseline in here.baselines]
    adjusted, changes = _adjusted(config, there.space, here)
    reason = "" if adjusted in answers else why_not(here, adjusted)
    if not reason:
        return Member(words=config.words, config=adjusted, note=", ".join(changes))
    if any(config == baseline.config for baseline in there.baselines):
        for answer in answers:
            if (answer.device, answer.hint) == (config.device, config.hint):
                return Member(
                    words=config.words, config=answer, note=f"OpenVINO's own answer: nireq {answer.nireq} here"
                )
    return Member(words=config.words, config=None, note=reason)


def _adjusted(config: Config, there: Space, here: Setup) -> tuple[Config, list[str]]:
    """``config`` with what follows from model and host and not from the search, and what of it is worth telling.

    The shapes of the model; its weights where those are not searched here; and the threads that a container is held to.
    """
    changes = []
    configs = here.space.configs
    if config.shapes not in [c.shapes for c in configs]:
        config = replace(config, shapes=configs[0].shapes)
    weights = {c.precision: None for c in configs}
    if config.precision not in weights:
        own = next((p for p in here.model.precisions if p in weights), next(iter(weights)))
        changes.append(f"{own} weights, as {config.precision} ones are not searched here")
        config = replace(config, precision=own)
    was, now = (_cap(split_batch(config.device)[0], space) for space in (there, here.space))
    if was != now and was.items() <= parameters(config).items():
        config = with_settings(_without(config, was), now)
        changes.append(f"threads held to {next(iter(now.values()))}" if now else "threads not held")
    return config, changes


def _cap(device: str, space: Space) -> Mapping[str, Scalar]:
    """The threads that all configs on ``device`` are held to; empty where they are held to none."""
    flats = [parameters(c) for c in space.configs if split_batch(c.device)[0] == device]
    held = [{n: v for n, v in flat.items() if n.rpartition(".")[2] == THREADS} for flat in flats]
    return held[0] if held and all(one == held[0] for one in held) else {}


def _without(config: Config, names: Mapping[str, Scalar]) -> Config:
    """``config`` without some of its settings."""
    bare = {key: value for key, value in config.properties.items() if key != "DEVICE_PROPERTIES"}
    nested = {name: value for name, value in parameters(config).items() if "." in name and name not in names}
    kept = {key: value for key, value in bare.items() if key not in names}
    return with_settings(replace(config, properties=kept), nested)


def why_not(setup: Setup, config: Config) -> str:
    """Why a study's space does not hold ``config``, in words; "" where it does."""
    space, flat = setup.space, parameters(config)
    device = split_batch(config.device)[0]
    bases = [base for base in space.configs if split_batch(base.device)[0] == device and base.shapes == config.shapes]
    if any(_from(base, config, flat, space) for base in bases):
        return ""
    if setup.recording:
        return "it is not in the recording"
    if not bases:
        devices = dict.fromkeys(split_batch(base.device)[0] for base in space.configs)
        return f"device {device} is none of {', '.join(devices)}"
    return _why_outside(flat, {name: own[device] for name, own in space.by_device.items() if device in own})


def _from(base: Config, config: Config, flat: Mapping[str, Scalar], space: Space) -> bool:
    """Whether ``config`` is ``base`` with further settings that it may have."""
    own = parameters(base)
    more = {name: value for name, value in flat.items() if name not in own}
    choices = space.offered(base)
    if any(value not in choices.get(name, ()) for name, value in more.items()):
        return False
    return with_settings(base, more) == config and next(broken_by(flat), None) is None


def _why_outside(flat: Mapping[str, Scalar], values: Mapping[str, tuple[Scalar, ...]]) -> str:
    """What of a config's parameters is not among the ``values`` on its device."""
    found = []
    for name in (n for n in flat if n != "device"):
        if name not in values:
            found.append(f"{name} is not searched here")
        elif flat[name] not in values[name]:
            found.append(f"{name} {flat[name]} is none of {_listed(values[name])}")
    missing = [name for name, own in values.items() if name not in flat and UNSET not in own]
    found += [f"{name} is held to {_listed(values[name])}" for name in missing]
    conflict = next(broken_by(flat), None)
    if not found and conflict is not None:
        found.append(conflict.reason)
    return ", ".join(found) or "no config that makes sense here combines its values"


def _listed(values: tuple[Scalar, ...]) -> str:
    return ", ".join(map(str, values))

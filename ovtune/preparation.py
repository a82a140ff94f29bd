"""Everything before the first trial: what the devices and the model are, what OpenVINO advises, what may be tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovtune import beside, codec, space, survey
from ovtune.cap import capped, thread_cap
from ovtune.config import Config
from ovtune.environment import describe_host
from ovtune.errors import DeviceError, MeasurementError, ModelError, StorageError, StudyError
from ovtune.model import DEMO_PREFIX, Model
from ovtune.space import Advice, Host
from ovtune.study import Baseline, Setup
from ovtune.trial_process import ask
from ovtune.workload import Workload, describe

_NAMES = {"none": "no settings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked a study to be about; None leaves it to the study, or to the default.

    Attributes:
        model: A path or ``demo:NAME``.
        workload: The load.
        device_strings: Exactly these device strings; empty for all that make sense.
        plugins: Further device names and the libraries that serve them.
        cpu_set: The CPUs to keep what is measured on, such as ``0-3,8``.
        beside: A command that runs in the background of every measurement.
    """

    model: str | None = None
    workload: Workload | None = None
    device_strings: tuple[str, ...] = ()
    plugins: Mapping[str, str] | None = None
    cpu_set: str | None = None
    beside: str | None = None


def sight(path: str | None, plugins: Mapping[str, str]) -> survey.Sight:
    """The devices, and the model where one is named, as a child process sees them.

    Raises:
        ModelError: the model cannot be read.
    """
    answer = ask("survey", codec.dump(survey.Question(path=path, plugins=plugins), survey.Question))
    seen: survey.Sight = codec.load(answer, survey.Sight)
    return seen


def advice(path: str, plugins: Mapping[str, str], strings: Sequence[str]) -> tuple[tuple[Advice, ...], dict[str, str]]:
    """OpenVINO's own answers on each device string, each asked in a child of its own; what refuses, with reasons."""
    found: list[Advice] = []
    refused: dict[str, str] = {}
    for device in strings:
        question = survey.DeviceQuestion(path=path, plugins=plugins, device=device, most_threads=thread_cap())
        try:
            found += codec.load(ask("advise", codec.dump(question, survey.DeviceQuestion)), survey.AdviceList)
        except (DeviceError, MeasurementError) as error:
            refused[device] = str(error)
    return tuple(found), refused


def make(wish: Wish, path: str, workload: Workload) -> Setup:
    """The setup of a new study.

    Raises:
        UsageError: the background command cannot be run.
        ModelError: the model cannot be read.
        DeviceError: none of the device strings can run it.
    """
    plugins = wish.plugins or {}
    if wish.beside is not None:
        beside.check(wish.beside)
    seen = sight(path, plugins)
    model = _model(seen)
    check_devices(wish.device_strings, seen)
    strings = wish.device_strings or space.device_strings(seen.devices)
    answers, refused = advice(path, plugins, strings)
    if not answers:
        reasons = "; ".join(f"{device}: {why}" for device, why in refused.items())
        raise DeviceError(f"no device can run {path} ({reasons}): see ovtune devices")
    host = Host(devices=seen.devices, device_strings=strings, advice=answers, refused=refused)
    return Setup(
        model=model,
        workload=workload,
        environment=describe_host(seen.version, seen.devices, cpu_set=wish.cpu_set),
        space=space.build(host, model, workload, {}),
        baselines=baselines(host, chosen=bool(wish.device_strings)),
        plugins=plugins,
        device_strings=wish.device_strings,
        refused=refused,
        beside=wish.beside,
    )


def check_same(setup: Setup, wish: Wish, name: str) -> None:
    """Checks that a study may be gone on with here and as asked.

    Raises:
        StudyError: the model, the load, the devices or the host differ, the message shows how; or it is a replay.
    """
    if setup.recording:
        raise StudyError(f"study {name} was measured in a recording: go on with --replay, or take another --study")
    seen = sight(wish.model or setup.model.path, setup.plugins)
    model = _model(seen)
    here = describe_host(seen.version, seen.devices, cpu_set=wish.cpu_set or setup.environment.cpu_set)
    differences = list(here.differences(setup.environment))
    if model.sha256 != setup.model.sha256:
        ours, theirs = (f"{m.path} ({m.sha256[:8]})" for m in (model, setup.model))
        differences.append(f"model: {ours}, not {theirs}")
    if wish.workload is not None and wish.workload != setup.workload:
        differences.append(f"load: {describe(wish.workload)}, not {describe(setup.workload)}")
    if wish.device_strings and wish.device_strings != setup.device_strings:
        before = ", ".join(setup.device_strings) or "all"
        differences.append(f"devices: {', '.join(wish.device_strings)}, not {before}")
    if wish.plugins is not None and dict(wish.plugins) != dict(setup.plugins):
        differences.append(f"plugins: {dict(wish.plugins)}, not {dict(setup.plugins)}")
    if wish.beside is not None and wish.beside != setup.beside:
        differences.append(f"beside: {wish.beside}, not {setup.beside or 'nothing'}")
    if differences:
        raise StudyError(
            f"study {name} was made under other circumstances ({'; '.join(differences)}): name a new one with --study"
        )


def check_devices(strings: Sequence[str], seen: survey.Sight) -> None:
    """Checks that each device that the strings name is there.

    Raises:
        DeviceError: one is not.
    """
    known = {d.name for d in seen.devices} | {d.name.partition(".")[0] for d in seen.devices}
    for text in strings:
        if not all(named_devices(text)) or text.endswith(":"):
            raise DeviceError(f"device {text!r} cannot be read: name one or a list, such as CPU or AUTO:GPU,CPU")
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
        return [] if kind in {"AUTO", "MULTI", "HETERO"} else [kind]
    return [part.strip().removeprefix("-").partition("(")[0] for part in rest.split(",")]


def baselines(host: Host, *, chosen: bool) -> tuple[Baseline, ...]:
    """OpenVINO's own answers, those that run alike merged under a joined name.

    On each device alone and on AUTO; on exactly the device strings that the user chose, where they were chosen.
    """
    merged: dict[str, tuple[list[str], Advice]] = {}
    for answer in host.advice:
        if chosen or answer.device == "AUTO" or ":" not in answer.device:
            names, _ = merged.setdefault(answer.effective_key, ([], answer))
            names.append(answer.hint)
    return tuple(_baseline(names, answer, host) for names, answer in merged.values())


def files(setup: Setup, folder: Path) -> dict[str, str]:
    """For each precision the model's file: converted once, kept in ``folder``, and found there the next time."""
    return weights(setup.model, setup.plugins, folder, setup.model.precisions)


def weights(model: Model, plugins: Mapping[str, str], folder: Path, precisions: Sequence[str]) -> dict[str, str]:
    """As :func:`files`, of ``model`` and in these ``precisions`` of its own alone."""
    found: dict[str, str] = {}
    for precision in precisions:
        path = model.path
        native = precision == model.precisions[0]
        if native and (path.startswith(DEMO_PREFIX) or path.endswith(".xml")):
            found[precision] = str(Path(path).resolve()) if path.endswith(".xml") else path
            continue
        target = folder / f"{precision}-{model.sha256[:16]}.xml"
        if not target.exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"folder {folder} cannot be made ({error.strerror}): choose another with --studies"
                ) from error
            conversion = survey.Conversion(
                path=path, plugins=plugins, precision=precision, target=str(target.resolve())
            )
            ask("convert", codec.dump(conversion, survey.Conversion))
        found[precision] = str(target.resolve())
    return found


def _baseline(hints: list[str], answer: Advice, host: Host) -> Baseline:
    hinted = [hint for hint in hints if hint != "none"]
    hint = hinted[0] if hinted else "none"
    words = " or ".join(_NAMES.get(h, f"{h} hint") for h in sorted(set(hints), key=lambda h: h == "none"))
    config = Config(
        device=answer.device, properties={} if hint == "none" else {"PERFORMANCE_HINT": hint}, nireq=answer.nireq
    )
    return Baseline(name=f"{words} on {answer.device}", config=capped(config, answer.threads, host.devices))


def _model(seen: survey.Sight) -> Model:
    if seen.model is None:
        raise ModelError("no model was named: give a path, or a built-in one such as demo:mobilenet")
    return seen.model

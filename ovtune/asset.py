"""The files of a study: the model's weights in each precision, its variant in eight bits, the reference's outputs."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from ovtune import agreement, codec, content, survey, whole
from ovtune.agreement import Reference
from ovtune.content import Feed
from ovtune.errors import DeviceError, MeasurementError, ModelError
from ovtune.model import DEMO_PREFIX, Model, Shapes
from ovtune.quantization import Quantization
from ovtune.study import Setup
from ovtune.trial_process import ask

INT8 = "int8"
"""What the variant that is quantized here is called."""
_QUANTIZING_S = 1800.0


def files(setup: Setup, folder: Path) -> dict[str, str]:
    """For each precision the model's file: converted once, kept in ``folder``, and found there the next time."""
    own = [precision for precision in setup.model.precisions if precision not in setup.variants]
    found = weights(setup.model, setup.plugins, folder, own)
    for name, variant in setup.variants.items():
        found[name] = weights(variant, setup.plugins, folder, variant.precisions[:1])[variant.precisions[0]]
    return found


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
            whole.made(folder)
            conversion = survey.Conversion(
                path=path, plugins=plugins, precision=precision, target=str(target.resolve())
            )
            ask("convert", codec.dump(conversion, survey.Conversion))
        found[precision] = str(target.resolve())
    return found


def reference(setup: Setup, folder: Path) -> str:
    """As :func:`reference_of`, of a study's model on what it is fed with."""
    return reference_of(setup.model, folder, feed=setup.feed, shapes=setup.shapes, plugins=setup.plugins)


def reference_of(model: Model, folder: Path, *, feed: Feed, shapes: Shapes, plugins: Mapping[str, str]) -> str:
    """The file of the outputs that those of each config are compared with: made once, kept in ``folder``.

    Where the model does not run in full precision, or not in time, that of the reason, which is looked for anew by the
    next search.

    Raises:
        StorageError: the file cannot be written.
    """
    about = f"{model.sha256} {feed} {shapes}"
    target = folder / f"outputs-{hashlib.sha256(about.encode()).hexdigest()[:16]}.npz"
    if not target.exists():
        whole.made(folder)
        question = survey.ReferenceQuestion(
            path=model.path,
            plugins=plugins,
            target=str(target.resolve()),
            feed=feed,
            shapes=shapes,
        )
        try:
            ask("refer", codec.dump(question, survey.ReferenceQuestion))
        except (ModelError, DeviceError, MeasurementError) as error:
            target = target.with_name(f"no-{target.name}")
            agreement.write(str(target), Reference(reason=str(error)))
    return str(target.resolve())


def quantized(calibration: str, model: Model, shapes: Shapes, folder: Path) -> str:
    """The file of the model in eight bits: made once from the items of ``calibration``, kept in ``folder``.

    Where that fails, no folder is left behind.
    """
    feed = content.feed_of([calibration], model.inputs)
    target = (folder / quantized_name(calibration, model)).resolve()
    if not target.exists():
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        whole.made(folder)
        asked = Quantization(path=model.path, feed=feed, shapes=shapes, target=str(target))
        try:
            ask("quantize", codec.dump(asked, Quantization), timeout_s=_QUANTIZING_S)
        finally:
            for one in missing:
                with contextlib.suppress(OSError):  # one that holds something stays
                    one.rmdir()
    return str(target)


def quantized_name(calibration: str, model: Model) -> str:
    """The name of the file of ``model`` in eight bits, which tells by which items."""
    items = hashlib.sha256(" ".join(content.digests(content.files_of([calibration]))).encode()).hexdigest()
    return f"{INT8}-{model.sha256[:16]}-{items[:16]}.xml"

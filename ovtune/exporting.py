"""Writes a config document as another tool takes it, with the model as it was measured where the config changes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ovtune import codec, difference, survey, whole
from ovtune.config import Config
from ovtune.deploy import variant_file
from ovtune.document import Document
from ovtune.export import Order, export
from ovtune.model import DEMO_PREFIX, PRECISIONS, digest
from ovtune.study import name_for
from ovtune.tool import Tool
from ovtune.trial_process import ask

_MODEL = "model.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to write where.

    Attributes:
        document: The document.
        path: The model's path, or that of its variant.
        tool: For which tool.
        folder: The folder that the files go into.
    """

    document: Document
    path: str
    tool: Tool
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written, and what is to be known.

    Attributes:
        files: The files, by their names in the folder.
        command: How the tool is run in that folder, or what is written into its place.
        notes: What the tool cannot express, and what is doubtful about the document.
    """

    files: tuple[str, ...]
    command: str
    notes: tuple[str, ...]


def write(request: Request) -> Written:
    """Writes the files of an export.

    Raises:
        ModelError: the model is not there, or does not take the config's batch or shapes.
        StorageError: the folder cannot be written.
    """
    document, config = request.document, request.document.to_config()
    source = request.path if config.precision in PRECISIONS else variant_file(document, request.path)
    found = digest(source)
    name = name_for(document.model.name)
    changed = config.batch_size > 1 or config.shapes or config.precision == "FP16" or source.startswith(DEMO_PREFIX)
    model = f"{name}/1/{_MODEL}" if request.tool == "ovms" else _MODEL
    files: tuple[str, ...] = ()
    if request.tool == "ovms" or (changed and request.tool != "onnxruntime"):
        _convert(config, source, request.folder / model)
        files = (model, str(Path(model).with_suffix(".bin")))
    else:
        model = str(Path(source).resolve())
    original = source if source.startswith(DEMO_PREFIX) else str(Path(source).resolve())
    order = Order(config=config, effective=document.effective, name=name, model=model, source=original)
    made = export(order, request.tool)
    for file, text in made.files.items():
        whole.write(request.folder / file, text)
    notes = (*made.notes, *_doubts(document, found, request.path))
    return Written(files=(*made.files, *files), command=made.command, notes=notes)


def _doubts(document: Document, found: str, path: str) -> Iterator[str]:
    """What is to be known whatever the tool; ``found`` is the digest of the file that is exported."""
    measured = document.model if document.config.precision in PRECISIONS else document.variant
    if measured is not None and found != measured.sha256:
        yield difference.another_model(path, measured.path)
    yield from difference.doubts(document)
    if any(caveat.kind == "state_reset" for caveat in document.caveats):
        yield "the model keeps a state, which was reset before each inference when it was measured, and is not here"


def _convert(config: Config, source: str, target: Path) -> None:
    """Writes the model as ``config`` runs it."""
    whole.made(target.parent)
    conversion = survey.Conversion(
        path=source,
        plugins={},
        precision=config.precision,
        target=str(target.resolve()),
        batch_size=config.batch_size,
        shapes=config.shapes,
    )
    ask("convert", codec.dump(conversion, survey.Conversion))

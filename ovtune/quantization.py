"""A model in eight bits, by NNCF, which is installed only where it is asked for. Runs inside a child."""

import os
from dataclasses import dataclass
from pathlib import Path

from ovtune.backend import reason
from ovtune.content import Feed
from ovtune.errors import ModelError
from ovtune.model import Shapes
from ovtune.network import reshaped, save
from ovtune.runtime import Runtime

_MOST_ITEMS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Which model to quantize by which items, with which shapes for its dynamic inputs, and where to write it."""

    path: str
    feed: Feed
    shapes: Shapes
    target: str


def quantize(asked: Quantization) -> None:
    """Writes the model with weights and activations in eight bits, their ranges those that the items show.

    To a temporary name first, so that a cut-off leaves no half file.

    Raises:
        ModelError: NNCF is not installed, or cannot quantize the model.
        StorageError: it cannot be written.
    """
    os.environ["NNCF_CI"] = "1"  # no telemetry: what it forks to send outlives this process and holds its answer open
    try:
        import nncf
    except ImportError as error:
        raise ModelError("--int8 needs NNCF, which is not installed: pip install 'ovtune[int8]'") from error
    wide = reshaped(Runtime({}).read(asked.path), batch_size=1, shapes=asked.shapes)
    items = asked.feed.content(0, places=_MOST_ITEMS).items
    given = [{port.name: values for port, values in zip(asked.feed.inputs, item, strict=True)} for item in items]
    try:
        small = nncf.quantize(wide, nncf.Dataset(given), subset_size=min(len(given), _MOST_ITEMS))
    except (RuntimeError, ValueError, TypeError, nncf.ValidationError) as error:
        why = reason(error)
        raise ModelError(f"model {asked.path} cannot be quantized ({why}): give a variant with --variant") from error
    save(small, Path(asked.target), "FP32")

"""A network before it is compiled: what it is, its shapes, its batch, its weights."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ovtune.backend import ov, translated
from ovtune.compiled import shape_of
from ovtune.errors import ModelError, StorageError
from ovtune.model import Input, Model, digest, name_of, size_of
from ovtune.runtime import Runtime

_BATCH_SIZES = (1, 2, 4, 8, 16, 32)
_ONE_BATCH = ": search it with batch 1"
_SMALL = frozenset({"i4", "u4", "i8", "u8"})


def reshaped(network: ov.Model, *, batch_size: int, shapes: Mapping[str, Sequence[int]]) -> ov.Model:
    """``network`` with concrete ``shapes`` for its dynamic inputs, and ``batch_size`` in dimension 0 of each input.

    Raises:
        ModelError: it does not take them, has no such input, or its outputs do not grow with the batch.
    """
    _check_names(network, shapes)
    for port in network.inputs:
        _check_shape(port, shapes)
    wanted = {port: _wanted(port, shapes) for port in network.inputs}
    open_inputs = [_name(port) for port, shape in wanted.items() if -1 in shape]
    if open_inputs:
        raise ModelError(f"the model's inputs {', '.join(open_inputs)} are dynamic: give each a shape")
    if any(shape_of(port.partial_shape) != shape for port, shape in wanted.items()):
        asked = " ".join(f"{name}{list(shape)}" for name, shape in shapes.items())
        with translated(ModelError, f"the model does not take the shapes {asked}", "give others"):
            network.reshape({port: list(shape) for port, shape in wanted.items()})
    if batch_size == 1:
        return network
    alone = [shape_of(port.partial_shape) for port in network.outputs]
    with translated(ModelError, f"the model does not take a batch of {batch_size}", _ONE_BATCH.removeprefix(": ")):
        network.reshape({port: [batch_size * n for n in s[:1]] + list(s[1:]) for port, s in wanted.items()})
    batched = [shape_of(port.partial_shape) for port in network.outputs]
    if not all(_grew(old, new, batch_size) for old, new in zip(alone, batched, strict=True)):
        raise ModelError(f"the model's outputs do not follow a batch of {batch_size}{_ONE_BATCH}")
    return network


def mark_batch(network: ov.Model) -> None:
    """Says of each input that dimension 0 is the batch, where it says nothing: other tools look for it there."""
    for parameter in network.get_parameters():
        if parameter.layout.empty and parameter.get_partial_shape().rank.get_length() > 0:
            parameter.layout = ov.Layout("N...")


def inspect(runtime: Runtime, path: str, shapes: Mapping[str, Sequence[int]]) -> Model:
    """What the model at ``path`` is and takes with ``shapes`` for its dynamic inputs, found out by trying.

    Raises:
        ModelError: it cannot be read or given these shapes, has other inputs of unknown size, or takes text.
    """
    sha256 = digest(path)
    network = runtime.read(path)
    _check_shapes(network, path, shapes)
    network = reshaped(network, batch_size=1, shapes=shapes)
    inputs = tuple(
        Input(name=_name(port), element_type=port.element_type.to_string(), shape=shape_of(port.partial_shape))
        for port in network.inputs
    )
    texts = [i.name for i in inputs if i.element_type == "string"]
    if texts:
        raise ModelError(
            f"model {path} takes text ({', '.join(texts)}): cut it behind its tokenizer, so that it takes numbers"
        )
    batch_sizes, one_batch = _batches(network, inputs)
    return Model(
        name=name_of(path),
        path=path,
        sha256=sha256,
        inputs=inputs,
        precisions=_precisions(network),
        batch_sizes=batch_sizes,
        one_batch=one_batch,
        auto_batchable=not one_batch,
        stateful=bool(network.get_variables()),
        output_bytes=sum(
            size_of(port.element_type.to_string(), tuple(port.shape))
            for port in network.outputs
            if port.partial_shape.is_static
        ),
        compressed=_compressed(network),
        caches=bool(network.get_variables())
        and any(node.get_type_name() == "ScaledDotProductAttention" for node in network.get_ops()),
        outputs=tuple(shape_of(port.partial_shape) for port in network.outputs),
    )


def save(network: ov.Model, path: Path, precision: str) -> None:
    """Writes ``network`` as an IR with ``FP32`` weights (as they are) or ``FP16`` ones.

    To a temporary name first, so that a cut-off leaves no half file.

    Raises:
        StorageError: there is no such directory, no right to write in it, or no room.
    """
    partial = path.with_name(f"partial-{path.name}")
    with translated(StorageError, f"model {path} cannot be written", "make room, or choose another directory"):
        ov.save_model(network, partial, compress_to_fp16=precision == "FP16")
        partial.with_suffix(".bin").replace(path.with_suffix(".bin"))
        partial.replace(path)


def with_weights(runtime: Runtime, network: ov.Model, precision: str) -> ov.Model:
    """``network`` with its weights in ``precision``: compressed through a temporary file where they are wider."""
    if precision != "FP16" or "FP32" not in _precisions(network):
        return network
    with tempfile.TemporaryDirectory(prefix="ovtune-") as folder:
        save(network, Path(folder) / "model.xml", precision)
        return runtime.read(str(Path(folder) / "model.xml"))


def _batches(network: ov.Model, inputs: Sequence[Input]) -> tuple[tuple[int, ...], str]:
    """The batches that a model of static inputs takes, found by trying on copies; and why it takes 1 alone, or ""."""
    if network.get_variables():
        return (1,), "a batch of sequences would need a state for each"
    if not inputs:
        return (1,), "the model has no input"
    for port in inputs:
        if port.shape[:1] != (1,):
            return (1,), f"the model's input {port.name} {list(port.shape)} has no batch of 1 in dimension 0"
    sizes = [1]
    for size in _BATCH_SIZES[1:]:
        try:
            reshaped(network.clone(), batch_size=size, shapes={})
        except ModelError as error:
            return tuple(sizes), str(error).removesuffix(_ONE_BATCH) if size == _BATCH_SIZES[1] else ""
        sizes.append(size)
    return tuple(sizes), ""


def quantizes_by_range(network: ov.Model) -> bool:
    """Whether it takes the least and the largest value of a whole tensor, as ONNX's DynamicQuantizeLinear does."""
    reduced: dict[str, set[tuple[str, int]]] = {"ReduceMin": set(), "ReduceMax": set()}
    for node in network.get_ops():
        kind = node.get_type_name()
        if kind in reduced and shape_of(node.get_output_partial_shape(0)) == ():
            source = node.input_value(0)
            reduced[kind].add((source.get_node().get_friendly_name(), source.get_index()))
    return bool(reduced["ReduceMin"] & reduced["ReduceMax"])


def _check_shape(port: ov.Output, shapes: Mapping[str, Sequence[int]]) -> None:
    """Checks that a shape that an input is given has its rank and keeps the sizes that are fixed in a dynamic one."""
    own, wanted = port.partial_shape, _wanted(port, shapes)
    if own.rank.is_dynamic or wanted == shape_of(own):
        return
    if len(wanted) != len(shape_of(own)) or (own.is_dynamic and not own.compatible(ov.PartialShape(list(wanted)))):
        raise ModelError(
            f"input {_name(port)} is {own.to_string()}, which {list(wanted)} does not fit: "
            f"give another shape, as in {_example(port)}"
        )


def _example(port: ov.Output) -> str:
    """An option that gives a dynamic input a shape: 1 where any size will do, else the least that will."""
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return f'--shape "{_name(port)}[1]"'
    return f'--shape "{_name(port)}[{",".join(str(max(d.get_min_length(), 1)) for d in shape)}]"'


def _check_names(network: ov.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """Checks that every shape is for an input."""
    unknown = set(shapes) - {name for port in network.inputs for name in {_name(port), *port.get_names()}}
    if unknown:
        names = ", ".join(_name(port) for port in network.inputs)
        raise ModelError(f"the model has no input {', '.join(sorted(unknown))}: name one of {names or 'none'}")


def _check_shapes(network: ov.Model, path: str, shapes: Mapping[str, Sequence[int]]) -> None:
    """Checks that every dynamic input is given a shape."""
    _check_names(network, shapes)
    dynamic = [port for port in network.inputs if port.partial_shape.is_dynamic]
    missing = [port for port in dynamic if not {_name(port), *port.get_names()} & shapes.keys()]
    if missing:
        names = ", ".join(f"{_name(port)} {port.partial_shape.to_string()}" for port in missing)
        what, whom = ("a dynamic input", "it") if len(missing) == 1 else ("dynamic inputs", "each")
        raise ModelError(
            f"model {path} has {what} {names}: give {whom} a shape, as in {' '.join(map(_example, missing))}"
        )


def _precisions(network: ov.Model) -> tuple[Literal["FP32", "FP16"], ...]:
    """FP32 and FP16 where there are FP32 weights of any size, else FP16 alone where the weights are that."""
    types: dict[str, int] = {}
    for node in network.get_ops():
        if node.get_type_name() == "Constant":
            kind = node.get_output_element_type(0).to_string()
            types[kind] = types.get(kind, 0) + int(np.prod(list(node.get_output_shape(0)), dtype=np.int64))
    return ("FP16",) if types.get("f16", 0) > types.get("f32", 0) else ("FP32", "FP16")


def _compressed(network: ov.Model) -> bool:
    """Whether there is a constant of small whole numbers that is converted where it is used."""
    return any(
        node.get_type_name() == "Convert"
        and node.input_value(0).get_node().get_type_name() == "Constant"
        and node.get_input_element_type(0).to_string() in _SMALL
        and math.prod(node.get_input_shape(0)) > 1
        for node in network.get_ops()
    )


def _name(port: ov.Output) -> str:
    names = sorted(port.get_names())
    return str(names[0] if names else port.get_node().get_friendly_name())


def _wanted(port: ov.Output, shapes: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """The shape that is asked for an input, by any of its names, or else its own."""
    asked = [shapes[name] for name in (_name(port), *sorted(port.get_names())) if name in shapes]
    return tuple(asked[0]) if asked else shape_of(port.partial_shape)


def _grew(alone: tuple[int, ...], batched: tuple[int, ...], batch_size: int) -> bool:
    """Whether an output holds one item after the other: dimension 0 grew with the batch, and nothing else did."""
    return bool(alone) and alone[0] > 0 and batched == (batch_size * alone[0], *alone[1:])

"""Models for tests: small ones made from operators, and the `onnx` package's networks with random weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import openvino as ov
from numpy.typing import NDArray
from onnx import numpy_helper
from openvino import opset6, opset13

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def light(name: str, folder: Path) -> str:
    """The path of the `onnx` package's network ``name`` in ``folder``, with seeded random weights.

    As it comes, each of its weight tensors is one number repeated, made by a ConstantOfShape node: all outputs are
    then the same for every input. Here each becomes a tensor of random numbers that keeps the signal's size, and the
    softmax at the end, which random scores would make a single 1, is left out.
    """
    model = onnx.load(LIGHT / f"light_{name}.onnx")
    generator = np.random.default_rng(1)
    shapes = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in shapes:
            weights = _weights_of(generator, shapes[node.input[0]].tolist())
            model.graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
        else:
            kept.append(node)
    if kept[-1].op_type == "Softmax":
        softmax = kept.pop()
        kept[-1].output[0] = softmax.output[0]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return str(path)


def _weights_of(generator: np.random.Generator, shape: Sequence[int]) -> NDArray[np.float32]:
    if len(shape) > 1:
        return (generator.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)
    return generator.uniform(0.5, 1.5, shape).astype(np.float32)


def parameter(shape: Sequence[int] | ov.PartialShape, kind: object = np.float32, name: str = "x") -> ov.Node:
    """An input of a model to be."""
    node = opset13.parameter(shape, kind, name=name)
    node.output(0).get_tensor().set_names({name})
    return node


def model(output: ov.Node, *inputs: ov.Node) -> ov.Model:
    """A model of one output."""
    return ov.Model([opset13.result(output)], list(inputs), "small")


def weights(*shape: int) -> ov.Node:
    """Seeded random weights."""
    return opset13.constant(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def dense(shape: Sequence[int] | ov.PartialShape = (1, 8)) -> ov.Model:
    """``x`` of ``shape``, whose last size is 8, times random weights [8, 4]."""
    x = parameter(shape)
    return model(opset13.matmul(x, weights(8, 4), transpose_a=False, transpose_b=False), x)


def square(size: int = 64) -> ov.Model:
    """``x`` [1, size] times random weights that keep its size, which the GPU of tests gets right."""
    x = parameter([1, size])
    kept = opset13.divide(weights(size, size), opset13.constant(np.float32(size**0.5)))
    return model(opset13.relu(opset13.matmul(x, kept, transpose_a=False, transpose_b=False)), x)


def two_inputs() -> ov.Model:
    """f32 ``x`` [1, 8] and i64 ``ids`` [1, 8], multiplied with weights, added."""
    x, ids = parameter([1, 8]), parameter([1, 8], np.int64, "ids")
    mixed = opset13.add(x, opset13.convert(ids, "f32"))
    return model(opset13.matmul(mixed, weights(8, 4), transpose_a=False, transpose_b=False), x, ids)


def typed(kind: ov.Type, shape: Sequence[int] = (2, 64)) -> ov.Model:
    """An input ``x`` of any type, given out as f32."""
    x = parameter(shape, kind)
    return model(opset13.convert(x, "f32"), x)


def text() -> ov.Model:
    """An input of type string, given out as it is."""
    x = parameter([1], ov.Type.string)
    return model(x, x)


def transposed() -> ov.Model:
    """``x`` [1, 8] to [32, 1]: a larger batch makes dimension 1 larger, and dimension 0 divides by it all the same."""
    x = parameter([1, 8])
    product = opset13.matmul(x, weights(8, 32), transpose_a=False, transpose_b=False)
    return model(opset13.transpose(product, opset13.constant(np.array([1, 0]))), x)


def uncountable() -> ov.Model:
    """``x`` [1, 8] to the places of its non-zero values, [2, ?]: dimension 0 is no batch."""
    x = parameter([1, 8])
    return model(opset13.non_zero(x), x)


def without_inputs() -> ov.Model:
    """No input at all, the same [1, 4] each time."""
    return model(opset13.relu(weights(1, 4)))


def scalar() -> ov.Model:
    """``x``, one number without dimensions, to [1, 4]."""
    x = parameter([])
    return model(opset13.multiply(x, weights(1, 4)), x)


def stateful() -> ov.Model:
    """``x`` [1, 4] added to the sum of all before it, which the model keeps."""
    x = parameter([1, 4])
    info = ov.op.util.VariableInfo()
    info.data_shape, info.data_type, info.variable_id = ov.PartialShape([1, 4]), ov.Type.f32, "sum"
    variable = ov.op.util.Variable(info)
    kept = opset6.read_value(opset13.constant(np.zeros((1, 4), np.float32)), variable)
    total = opset13.add(x, kept)
    return ov.Model([opset13.result(total)], [opset6.assign(total, variable)], [x], "stateful")


def failing() -> ov.Model:
    """``x`` [1, 4] and i64 ``shape`` [2] that it is to be given: random ones do not fit, and the inference fails."""
    x, shape = parameter([1, 4]), parameter([2], np.int64, "shape")
    return model(opset13.reshape(x, shape, special_zero=False), x, shape)


def saved(network: ov.Model, folder: Path, name: str = "small", *, fp16: bool = False) -> str:
    """The path of ``network`` written as an IR."""
    path = folder / f"{name}.xml"
    ov.save_model(network, path, compress_to_fp16=fp16)
    return str(path)


def outputs(network: ov.Model, seeds: Sequence[int] = (0,)) -> list[NDArray[np.float32]]:
    """What ``network`` gives as :func:`run` says, for a random input of each seed."""
    return [run(network, _inputs(network, np.random.default_rng(seed))) for seed in seeds]


def run(network: ov.Model, given: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    """The first output of ``network`` on the CPU in f32, without dynamic quantization."""
    exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    return np.array(ov.Core().compile_model(network, "CPU", exact)(list(given))[0])


def _inputs(network: ov.Model, generator: np.random.Generator) -> list[NDArray[np.generic]]:
    return [
        generator.random(list(port.shape), dtype=np.float32)
        if port.element_type.is_real()
        else generator.integers(0, 128, list(port.shape))
        for port in network.inputs
    ]


def constants(network: ov.Model) -> dict[str, int]:
    """How many numbers of each element type the model's constants hold."""
    held: dict[str, int] = {}
    for node in network.get_ops():
        if node.get_type_name() == "Constant":
            kind = node.get_output_element_type(0).to_string()
            held[kind] = held.get(kind, 0) + int(np.prod(list(node.get_output_shape(0)), dtype=np.int64))
    return held


def two_dynamic_inputs() -> ov.Model:
    """f32 ``x`` [?, 8] and ``y`` [?, 8], added and multiplied with weights."""
    x, y = parameter(ov.PartialShape([-1, 8])), parameter(ov.PartialShape([-1, 8]), np.float32, "y")
    return model(opset13.matmul(opset13.add(x, y), weights(8, 4), transpose_a=False, transpose_b=False), x, y)


def tokens() -> ov.Model:
    """i64 ``ids`` [1, 6] to their rows of a table [128, 8], of which the mean is taken: [1, 8]."""
    ids = parameter([1, 6], np.int64, "ids")
    rows = opset13.gather(weights(128, 8), ids, opset13.constant(np.int64(0)))
    return model(opset13.reduce_mean(rows, opset13.constant(np.array([1])), keep_dims=False), ids)


def masked() -> ov.Model:
    """f32 ``x`` [1, 8] where the boolean ``mask`` [1, 8] is true, else its weights, multiplied with others."""
    x, mask = parameter([1, 8]), parameter([1, 8], ov.Type.boolean, "mask")
    chosen = opset13.select(mask, x, weights(1, 8))
    return model(opset13.matmul(chosen, weights(8, 4), transpose_a=False, transpose_b=False), x, mask)


def without_batch() -> ov.Model:
    """``x`` [8, 16], a table without a batch dimension, multiplied with weights [16, 4]."""
    x = parameter([8, 16])
    return model(opset13.matmul(x, weights(16, 4), transpose_a=False, transpose_b=False), x)


def scalar_output() -> ov.Model:
    """``x`` [1, 8] to the sum of all its values, one number without dimensions."""
    x = parameter([1, 8])
    return model(opset13.reduce_sum(x, opset13.constant(np.array([0, 1])), keep_dims=False), x)


def typed_dense(kind: ov.Type) -> ov.Model:
    """``x`` [1, 8] of a real type, times random weights [8, 4], given out as the same type."""
    x = parameter([1, 8], kind)
    product = opset13.matmul(opset13.convert(x, "f32"), weights(8, 4), transpose_a=False, transpose_b=False)
    return model(opset13.convert(product, kind.to_string()), x)


def mixing(how: str, share: float = 0.2) -> ov.Model:
    """``x`` [1, 8] times weights, of which each item's result depends on the others in its batch.

    By a softmax over the batch, or by that share of its mean.
    """
    x = parameter([1, 8])
    product = opset13.matmul(x, weights(8, 4), transpose_a=False, transpose_b=False)
    if how == "softmax":
        return model(opset13.softmax(product, axis=0), x)
    mean = opset13.reduce_mean(product, opset13.constant(np.array([0])), keep_dims=True)
    return model(opset13.add(product, opset13.multiply(mean, opset13.constant(np.float32(share)))), x)


def randomised(*seeds: int) -> ov.Model:
    """A model that adds noise of its own, which follows two seeds where they are given."""
    x = parameter((1, 8))
    bounds = (opset13.constant(np.float32(0)), opset13.constant(np.float32(1)))
    noise = opset13.random_uniform(opset13.constant(np.array([1, 8])), *bounds, "f32", *(seeds or (0, 0)))
    return model(opset13.add(x, noise), x)


def seeded() -> ov.Model:
    """A model whose noise is the same each time that it is compiled, and not each time that it is run."""
    return randomised(7, 3)


def quantized_by_range(kind: str, folder: Path) -> str:
    """The path of an ONNX model of ``x`` [1, 64] to [1, 10].

    What it is multiplied with weights by is in eight bits, after a range that is found in all of ``x`` as it runs
    (``dynamic``), or one that is fixed (``static``).
    """
    generator = np.random.default_rng(0)
    held = {
        "w": generator.integers(-127, 127, (64, 10)).astype(np.int8),
        "s": np.float32(1 / 255),
        "z": np.uint8(0),
    }
    nodes = [
        onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])
        if kind == "dynamic"
        else onnx.helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        onnx.helper.make_node("MatMulInteger", ["q", "w", "z"], ["m"]),
        onnx.helper.make_node("Cast", ["m"], ["f"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Mul", ["f", "s"], ["y"]),
    ]
    constants_ = [numpy_helper.from_array(np.asarray(held[n]), n) for n in (("w",) if kind == "dynamic" else held)]
    sizes = (("x", 64), ("y", 10))
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size]) for name, size in sizes]
    graph = onnx.helper.make_graph(nodes, "g", ports[:1], ports[1:], constants_)
    path = folder / f"{kind}.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    return str(path)

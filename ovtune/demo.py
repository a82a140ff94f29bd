"""The built-in models, made from operators with seeded weights: nothing is downloaded."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ovtune.backend import op, ov
from ovtune.errors import ModelError


def build(name: str) -> ov.Model:
    """The built-in model ``name``: ``mobilenet``, ``mlp`` or ``encoder``; the same weights every time.

    Raises:
        ModelError: there is none of that name.
    """
    if name not in MODELS:
        raise ModelError(f"built-in model {name!r} does not exist: use one of {', '.join(sorted(MODELS))}")
    return MODELS[name](np.random.default_rng(20260101))


def mobilenet(generator: np.random.Generator) -> ov.Model:
    """A network shaped like MobileNetV2: f32 ``image`` [1, 3, 224, 224] to 1000 scores.

    Its layers are those of table 2 in Sandler et al., 2018 (arXiv:1801.04381).
    """
    image = op.parameter([1, 3, 224, 224], np.float32, name="image")
    x = _relu6(_convolution(generator, image, 32, kernel=3, stride=2))
    channels = 32
    for expansion, width, repeats, first_stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            inner = x
            if expansion > 1:
                inner = _relu6(_convolution(generator, inner, channels * expansion))
            inner = _relu6(_depthwise(generator, inner, stride))
            inner = _convolution(generator, inner, width)
            x = op.add(x, inner) if stride == 1 and channels == width else inner
            channels = width
    x = _relu6(_convolution(generator, x, 1280))
    pooled = op.reduce_mean(x, op.constant(np.array([2, 3], np.int64)), keep_dims=False)
    return _model("mobilenet", _dense(generator, pooled, 1280, 1000), image)


def mlp(generator: np.random.Generator) -> ov.Model:
    """A multilayer perceptron 256-1024-1024-256-1: f32 ``features`` [1, 256] to one value."""
    features = op.parameter([1, 256], np.float32, name="features")
    x = features
    for inputs, outputs in ((256, 1024), (1024, 1024), (1024, 256)):
        x = op.relu(_dense(generator, x, inputs, outputs))
    return _model("mlp", _dense(generator, x, 256, 1), features)


def encoder(generator: np.random.Generator) -> ov.Model:
    """A 4-layer transformer encoder, width 256, 4 heads: i64 ``tokens`` [1, 64] (ids below 1000) to [1, 64, 256]."""
    length, width, heads, vocabulary = 64, 256, 4, 1000
    tokens = op.parameter([1, length], np.int64, name="tokens")
    table = _weights(generator, (vocabulary, width), scale=1.0)
    x = op.gather(op.constant(table), tokens, op.constant(np.int64(0)))
    x = op.add(x, op.constant(_weights(generator, (1, length, width), scale=0.1)))
    for _ in range(4):
        x = _normalised(op.add(x, _attention(generator, x, length, width, heads)))
        hidden = op.gelu(_dense(generator, x, width, 4 * width), "erf")
        x = _normalised(op.add(x, _dense(generator, hidden, 4 * width, width)))
    return _model("encoder", x, tokens)


MODELS: Mapping[str, Callable[[np.random.Generator], ov.Model]] = MappingProxyType(
    {"mobilenet": mobilenet, "mlp": mlp, "encoder": encoder}
)


def _model(name: str, output: ov.Node, parameter: ov.Node) -> ov.Model:
    result = op.result(output, name="result")
    result.output(0).get_tensor().set_names({"result"})
    parameter.output(0).get_tensor().set_names({parameter.get_friendly_name()})
    return ov.Model([result], [parameter], name)


def _weights(generator: np.random.Generator, shape: tuple[int, ...], *, scale: float) -> NDArray[np.float32]:
    return (generator.standard_normal(shape) * scale).astype(np.float32)


def _dense(generator: np.random.Generator, x: ov.Node, inputs: int, outputs: int) -> ov.Node:
    weights = _weights(generator, (inputs, outputs), scale=(2 / inputs) ** 0.5)
    bias = _weights(generator, (outputs,), scale=0.05)
    return op.add(_product(x, op.constant(weights)), op.constant(bias))


def _product(a: ov.Node, b: ov.Node, *, transpose_b: bool = False) -> ov.Node:
    return op.matmul(a, b, transpose_a=False, transpose_b=transpose_b)


def _convolution(
    generator: np.random.Generator, x: ov.Node, outputs: int, *, kernel: int = 1, stride: int = 1
) -> ov.Node:
    inputs = x.get_output_shape(0)[1]
    weights = _weights(generator, (outputs, inputs, kernel, kernel), scale=(2 / (inputs * kernel**2)) ** 0.5)
    pad = kernel // 2
    x = op.convolution(x, op.constant(weights), [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
    return _biased(generator, x)


def _depthwise(generator: np.random.Generator, x: ov.Node, stride: int) -> ov.Node:
    channels = x.get_output_shape(0)[1]
    weights = _weights(generator, (channels, 1, 1, 3, 3), scale=(2 / 9) ** 0.5)
    x = op.group_convolution(x, op.constant(weights), [stride] * 2, [1, 1], [1, 1], [1, 1])
    return _biased(generator, x)


def _biased(generator: np.random.Generator, x: ov.Node) -> ov.Node:
    return op.add(x, op.constant(_weights(generator, (1, x.get_output_shape(0)[1], 1, 1), scale=0.05)))


def _relu6(x: ov.Node) -> ov.Node:
    return op.clamp(x, 0.0, 6.0)


def _attention(generator: np.random.Generator, x: ov.Node, length: int, width: int, heads: int) -> ov.Node:
    def split(projected: ov.Node) -> ov.Node:
        shape = op.constant(np.array([0, length, heads, width // heads], np.int64))
        return op.transpose(
            op.reshape(projected, shape, special_zero=True), op.constant(np.array([0, 2, 1, 3], np.int64))
        )

    query, key, value = (split(_dense(generator, x, width, width)) for _ in range(3))
    scaled = op.multiply(query, op.constant(np.float32((width // heads) ** -0.5)))
    mixed = _product(op.softmax(_product(scaled, key, transpose_b=True), -1), value)
    joined = op.transpose(mixed, op.constant(np.array([0, 2, 1, 3], np.int64)))
    flat = op.reshape(joined, op.constant(np.array([0, length, width], np.int64)), special_zero=True)
    return _dense(generator, flat, width, width)


def _normalised(x: ov.Node) -> ov.Node:
    return op.mvn(x, op.constant(np.array([-1], np.int64)), normalize_variance=True, eps=1e-5, eps_mode="inside_sqrt")

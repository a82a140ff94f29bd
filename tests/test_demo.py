import itertools

import numpy as np
import pytest

from ovtune import demo
from ovtune.errors import ModelError
from ovtune.network import reshaped
from tests import models

pytestmark = pytest.mark.runtime

NAMES = sorted(demo.MODELS)
INPUTS = {
    "mobilenet": ("image", "f32", [1, 3, 224, 224], [1, 1000]),
    "mlp": ("features", "f32", [1, 256], [1, 1]),
    "encoder": ("tokens", "i64", [1, 64], [1, 64, 256]),
}


@pytest.mark.parametrize("name", NAMES)
def test_form(name: str) -> None:
    """Each built-in model has one named input and one output of the documented type and shape."""
    network = demo.build(name)
    (given,), (result,) = network.inputs, network.outputs
    found = given.get_any_name(), given.element_type.to_string(), list(given.shape), list(result.shape)
    assert found == INPUTS[name]
    assert result.get_any_name() == "result"


@pytest.mark.parametrize("name", NAMES)
def test_same_every_time(name: str) -> None:
    """The weights are the same every time."""
    first, second = (
        [node.data for node in demo.build(name).get_ordered_ops() if node.get_type_name() == "Constant"]
        for _ in range(2)
    )
    assert len(first) == len(second) > 4
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_weights_differ(name: str) -> None:
    """The weights are random, not one number repeated: outputs then mean something."""
    for node in demo.build(name).get_ordered_ops():
        if node.get_type_name() == "Constant" and node.data.size > 100:
            assert len(np.unique(node.data)) > 0.9 * min(node.data.size, 1000)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_depend_on_the_input(name: str) -> None:
    """Outputs are finite, of a moderate size, and differ between inputs by far more than rounding does."""
    outputs = models.outputs(demo.build(name), seeds=(0, 1, 2))
    assert all(np.isfinite(output).all() for output in outputs)
    assert 0.1 < np.max(np.abs(outputs)) < 100
    for one, other in itertools.pairwise(outputs):
        assert np.max(np.abs(one - other)) > 0.05 * np.max(np.abs(one))


@pytest.mark.parametrize("name", ["mobilenet", "encoder"])
def test_outputs_differ_among_themselves(name: str) -> None:
    """The numbers of one output differ from each other."""
    (output,) = models.outputs(demo.build(name))
    assert len(np.unique(output)) > 0.9 * output.size
    assert output.std() > 0.1


def test_tokens_matter() -> None:
    """Another token changes the encoder's output everywhere: its attention mixes all places."""
    network = demo.build("encoder")
    tokens = np.random.default_rng(0).integers(0, 999, (1, 64))
    before = models.run(network, [tokens])
    tokens[0, 0] += 1
    after = models.run(network, [tokens])
    assert (np.abs(after - before).max(axis=2) > 1e-4).all()


@pytest.mark.parametrize("name", NAMES)
def test_batch_keeps_items_apart(name: str) -> None:
    """In a batch each item's output is what the item gives alone."""
    generator = np.random.default_rng(0)
    shape = [2, *INPUTS[name][2][1:]]
    items = generator.random(shape, np.float32) if INPUTS[name][1] == "f32" else generator.integers(0, 999, shape)
    together = models.run(reshaped(demo.build(name), batch_size=2, shapes={}), [items])
    alone = [models.run(demo.build(name), [items[i : i + 1]])[0] for i in range(2)]
    assert np.allclose(together, alone, atol=1e-3 * np.max(np.abs(alone)))


def test_unknown() -> None:
    """A name that does not exist is refused with those that do."""
    with pytest.raises(ModelError, match="'vgg' does not exist: use one of encoder, mlp, mobilenet"):
        demo.build("vgg")

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.config import Config, Scalar, parameters, split_batch
from tests.value import configs


def test_key_does_not_depend_on_the_order_of_properties() -> None:
    """Properties and shapes in another order, or shapes as lists, are the same config."""
    one = Config(
        device="CPU",
        nireq=2,
        properties={"A": 1, "DEVICE_PROPERTIES": {"CPU": {"X": 1, "Y": 2}, "GPU": {}}},
        shapes={"b": (1, 2), "a": (3,)},
    )
    other = Config(
        device="CPU",
        nireq=2,
        properties={"DEVICE_PROPERTIES": {"GPU": {}, "CPU": {"Y": 2, "X": 1}}, "A": 1},
        shapes={"a": (3,), "b": (1, 2)},
    )
    assert one.key == other.key
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    "change",
    [
        {"device": "GPU"},
        {"properties": {"A": 2}},
        {"properties": {"B": 1}},
        {"properties": {}},
        {"properties": {"A": True}},
        {"properties": {"A": 1.0}},
        {"properties": {"A": "1"}},
        {"nireq": 3},
        {"batch_size": 2},
        {"precision": "FP16"},
        {"shapes": {"x": (1,)}},
        {"nireq": 1, "api": "sync"},
    ],
)
def test_every_field_is_part_of_the_key(change: dict[str, Any]) -> None:
    """Configs that differ in one field, be it 1 against True, are not equal and have other keys."""
    fields: dict[str, Any] = {"device": "CPU", "properties": {"A": 1}, "nireq": 2}
    one, other = Config(**fields), Config(**(fields | change))
    assert one.key != other.key
    assert one != other


@given(st.lists(configs, min_size=2, max_size=4))
def test_key_is_canonical(found: list[Config]) -> None:
    """Two configs are equal exactly when their keys are, and equal ones have one hash."""
    for one in found:
        for other in found:
            assert (one == other) == (one.key == other.key)
            assert one != other or hash(one) == hash(other)


def test_a_config_is_no_text() -> None:
    """A config equals nothing but a config, not even its own key."""
    config = Config(device="CPU", nireq=1)
    assert config != config.key


def test_changing_the_given_mapping_changes_nothing() -> None:
    """A config keeps its own copy of what it was made from."""
    given_properties: dict[str, Scalar] = {"A": 1}
    config = Config(device="CPU", nireq=1, properties=given_properties)
    before = config.key
    given_properties["A"] = 2
    assert config.key == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"device": "", "nireq": 1}, "device is empty"),
        ({"device": "CPU", "nireq": 0}, "nireq is 0"),
        ({"device": "CPU", "nireq": 1, "batch_size": 0}, "batch_size is 0"),
        ({"device": "CPU", "nireq": 2, "api": "sync"}, "not nireq 2"),
    ],
)
def test_impossible_configs_are_refused(fields: dict[str, Any], message: str) -> None:
    """A config that cannot run is refused when it is made, with the value in the message."""
    with pytest.raises(ValueError, match=message):
        Config(**fields)


@pytest.mark.parametrize(
    ("device", "parts"),
    [
        ("BATCH:CPU(4)", ("CPU", 4)),
        ("BATCH:GPU.1(16)", ("GPU.1", 16)),
        ("CPU", ("CPU", 1)),
        ("BATCH:CPU", ("BATCH:CPU", 1)),
        ("BATCH:CPU(0)", ("BATCH:CPU(0)", 1)),
        ("AUTO:GPU,CPU", ("AUTO:GPU,CPU", 1)),
    ],
)
def test_split_batch(device: str, parts: tuple[str, int]) -> None:
    """Only automatic batching with a size is taken apart; the size is never below 1."""
    assert split_batch(device) == parts
    assert Config(device=device, nireq=4).auto_batch_size == parts[1]


def test_words_name_what_is_not_at_its_default() -> None:
    """A config is told in words: its hint, device and requests, then whatever else was chosen."""
    plain = Config(device="CPU", nireq=2)
    rich = Config(
        device="BATCH:GPU(4)",
        nireq=8,
        batch_size=2,
        precision="FP16",
        properties={"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": 2, "AUTO_BATCH_TIMEOUT": 10},
    )
    assert plain.words == "no hint on CPU, nireq 2"
    assert rich.words == (
        "THROUGHPUT hint on GPU, nireq 8, batch 2, automatic batching of 4, FP16 weights, "
        "batch timeout (ms) 10, streams 2"
    )
    assert Config(device="CPU", nireq=1, api="sync").words == "no hint on CPU, synchronous"


def test_parameters_are_flat() -> None:
    """A search sees one value per parameter: the device without its batching, nested properties by device."""
    config = Config(
        device="BATCH:CPU(4)",
        nireq=8,
        properties={
            "PERFORMANCE_HINT": "LATENCY",
            "DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 2}},
            "AUTO_BATCH_TIMEOUT": 3,
        },
    )
    assert parameters(config) == {
        "device": "CPU",
        "hint": "LATENCY",
        "nireq": 8,
        "batch_size": 1,
        "auto_batch_size": 4,
        "precision": "FP32",
        "api": "async",
        "CPU.NUM_STREAMS": 2,
        "AUTO_BATCH_TIMEOUT": 3,
    }
    assert parameters(Config(device="CPU", nireq=1))["hint"] == "none"

import pytest

from ovtune.config import Config
from ovtune.device_string import is_list, kind_of, missing, used_by, worth_trying
from ovtune.environment import Device

CPU, GPU, NPU, FIRST, SECOND = (Device(name=n, full_name=n) for n in ("CPU", "GPU", "NPU", "GPU.0", "GPU.1"))


def test_one_device() -> None:
    """One device is searched by its name alone: AUTO over it would be the same again."""
    assert worth_trying((CPU,), hetero=True) == ("CPU",)


def test_two_devices() -> None:
    """Of two devices there are the plain names, AUTO, AUTO in both orders, and AUTO without either."""
    pairs = ("AUTO:CPU,GPU", "AUTO:GPU,CPU", "AUTO:-CPU", "AUTO:-GPU")
    assert worth_trying((CPU, GPU)) == ("CPU", "GPU", "AUTO", *pairs)
    assert worth_trying((CPU, GPU), lists=False) == ("CPU", "GPU", "AUTO")
    assert worth_trying((CPU, GPU), hetero=True)[7:] == ("HETERO:GPU,CPU", "HETERO:CPU,GPU")


def test_three_devices() -> None:
    """Of three devices there are all ordered pairs, and the whole list with each first, the CPU behind the others."""
    found = worth_trying((CPU, GPU, NPU))
    assert len(found) == len(set(found)) == 3 + 1 + 6 + 3 + 3
    assert [text for text in found if text.count(",") == 2] == [
        "AUTO:CPU,GPU,NPU",
        "AUTO:GPU,NPU,CPU",
        "AUTO:NPU,GPU,CPU",
    ]


@pytest.mark.parametrize(("count", "strings"), [(4, 27), (5, 38)])
def test_many_devices_make_no_hundreds(count: int, strings: int) -> None:
    """The device strings grow with the square of the devices, not with their orders."""
    devices = (CPU, *(Device(name=f"GPU.{i}", full_name="") for i in range(count - 1)))
    assert len(set(worth_trying(devices, hetero=True))) == strings


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CPU", ["CPU"]),
        ("GPU", ["GPU.0"]),
        ("GPU.1", ["GPU.1"]),
        ("AUTO:GPU.1,CPU", ["GPU.1", "CPU"]),
        ("AUTO:GPU, CPU", ["GPU.0", "CPU"]),
        ("AUTO", ["GPU.0", "GPU.1", "CPU"]),
        ("AUTO:-CPU", ["GPU.0", "GPU.1"]),
        ("AUTO:-GPU", ["CPU"]),
        ("AUTO:-GPU.0,-CPU", ["GPU.1"]),
        ("AUTO:GPU.1,-CPU", ["GPU.1"]),
        ("HETERO:GPU.1,CPU", ["GPU.1", "CPU"]),
        ("MULTI:CPU(2),GPU.1(4)", ["CPU", "GPU.1"]),
        ("BATCH:GPU.1(4)", ["GPU.1"]),
        ("BATCH:CPU", ["CPU"]),
        ("AUTO:XPU,CPU", ["CPU"]),
        ("XPU", []),
    ],
)
def test_what_a_string_may_use(text: str, names: list[str]) -> None:
    """The named devices in their order, ``GPU`` being the first one; unnamed, all but an NPU and what is left out."""
    assert [device.name for device in used_by(text, (CPU, FIRST, SECOND, NPU))] == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        *((text, ()) for text in ("CPU", "GPU", "GPU.1", "AUTO", "AUTO:-GPU", "AUTO:GPU.1,CPU", "MULTI:CPU(2),GPU(4)")),
        *((text, ()) for text in ("BATCH:CPU(4)", "BATCH:CPU", "HETERO:GPU, CPU", "BATCH:AUTO(4)", "AUTO:-NPU")),
        ("AUTO:XPU,CPU", ("XPU",)),
        ("CPU:GPU", ("CPU:GPU",)),
        ("CPU,GPU", ("CPU,GPU",)),
        ("BATCH:CPU(4", ("CPU(4",)),
        ("BATCH:CPU(0)", ("CPU(0)",)),
        *((text, (text,)) for text in ("HETERO:", "BATCH:", "MULTI:,", "HETERO", "cpu", " ")),
    ],
)
def test_what_is_missing(text: str, names: tuple[str, ...]) -> None:
    """Every device that is named and not there, and what is no device string at all."""
    assert missing(Config(device=text, nireq=1), (CPU, FIRST, SECOND)) == names


def test_devices_of_single_settings_may_be_missing() -> None:
    """A device that only a setting names is one that is named."""
    properties = {"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 1}, "XPU": {"NUM_STREAMS": 1}}}
    assert missing(Config(device="AUTO", properties=properties, nireq=1), (CPU,)) == ("XPU",)


def test_kinds() -> None:
    """What a string asks for first, and whether that chooses among devices."""
    assert [kind_of(text) for text in ("GPU.1", "AUTO:GPU.1,CPU", "BATCH:CPU(4)")] == ["GPU", "AUTO", "BATCH"]
    assert [is_list(text) for text in ("GPU.1", "AUTO", "HETERO:GPU,CPU", "BATCH:CPU(4)")] == [False, True, True, False]

from pathlib import Path

import pytest

from ovtune.errors import UsageError
from ovtune.wanted import Wanted, read


def test_nothing_asked_is_nothing() -> None:
    """Without an option a study keeps the space that it has."""
    assert read(None, (), ()) is None


@pytest.mark.parametrize("size", ["quick", "standard", "full"])
def test_sizes(size: str) -> None:
    """A space is named by its size."""
    wanted = read(size, (), ())
    assert wanted is not None
    assert (wanted.size, wanted.only) == (size, {})


def test_values() -> None:
    """Numbers, truth values and words are told apart; what stands twice counts once."""
    wanted = read(None, ["nireq=1,2,2,4", "ENABLE_CPU_PINNING=yes,0", "X=0.5,f32"], ["hint=LATENCY"])
    assert wanted is not None
    assert wanted.only == {
        "nireq": (1, 2, 4),
        "ENABLE_CPU_PINNING": (True, False),
        "X": (0.5, "f32"),
        "hint": ("LATENCY",),
    }
    assert wanted.words == "standard, nireq=1,2,4, ENABLE_CPU_PINNING=True,False, X=0.5,f32, hint=LATENCY"


def test_a_fixed_value_may_have_commas() -> None:
    """One value is one value, whatever is in it."""
    wanted = read(None, (), ["NPU_COMPILATION_MODE_PARAMS=a=1,b=2"])
    assert wanted is not None
    assert wanted.only == {"NPU_COMPILATION_MODE_PARAMS": ("a=1,b=2",)}


def test_a_file(tmp_path: Path) -> None:
    """A TOML file holds a size and a table; options come on top of it."""
    file = tmp_path / "mine.toml"
    file.write_text('size = "full"\n[only]\nnireq = [1, 2]\nhint = "THROUGHPUT"\n')
    assert read(str(file), ["nireq=4"], ()) == Wanted(size="full", only={"nireq": (4,), "hint": ("THROUGHPUT",)})


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("NIREQ=2", "nireq", 2),
        ("PERFORMANCE_HINT=throughput", "hint", "THROUGHPUT"),
        ("num_streams=2", "NUM_STREAMS", 2),
        ("GPU.1.num_streams=2", "GPU.1.NUM_STREAMS", 2),
        ("inference_precision_hint=F32", "INFERENCE_PRECISION_HINT", "f32"),
        ("ENABLE_CPU_PINNING=1", "ENABLE_CPU_PINNING", True),
        ("NPU_TURBO=NO", "NPU_TURBO", False),
        ("NUM_STREAMS=unset", "NUM_STREAMS", "unset"),
        ("X=nan", "X", "nan"),
    ],
)
def test_spellings(text: str, name: str, value: object) -> None:
    """Names and values are taken as people write them, and stand in one spelling."""
    wanted = read(None, (), [text])
    assert wanted is not None
    assert wanted.only == {name: (value,)}


def test_devices_in_a_file(tmp_path: Path) -> None:
    """A setting of one device has a dotted name in TOML, too."""
    file = tmp_path / "mine.toml"
    file.write_text("[only]\nGPU.1.NUM_STREAMS = 2\nCPU.NUM_STREAMS = [1, 2]\n")
    wanted = read(str(file), (), ())
    assert wanted is not None
    assert wanted.only == {"GPU.1.NUM_STREAMS": (2,), "CPU.NUM_STREAMS": (1, 2)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("size = full", "no TOML"),
        ('size = "huge"', "quick, standard, full"),
        ("sizes = 3", "it may have size"),
        ("only = 3", "it is a table"),
        ("[only]\nnireq = []", "no value"),
        ("[only]\nnireq = [[1]]", "a number, a word"),
        ("[only]\nnireq = [0]", "at least 1"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, words: str) -> None:
    """A file that cannot be read says where and what belongs there."""
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=words):
        read(str(file), (), ())


@pytest.mark.parametrize(
    ("space", "sets", "fixes", "words"),
    [
        ("big", [], [], "none of quick, standard, full"),
        ("missing.toml", [], [], "cannot be read"),
        (None, ["nireq"], [], "--set nireq=1,2,4"),
        (None, ["nireq=1,,2"], [], "--set nireq=1,2,4"),
        (None, [], ["=2"], "--fix NUM_STREAMS=2"),
        (None, ["nireq=1.5"], [], "whole number"),
        (None, ["batch_size=true"], [], "whole number"),
        (None, ["api=later"], [], "async, sync"),
        (None, ["hint=fast"], [], "one of none, LATENCY"),
        (None, ["NUM_STREAMS=0"], [], "NUM_STREAMS is held to 0: it is a whole number"),
        (None, ["CPU.NUM_STREAMS=true"], [], "held to true: it is a whole number"),
        (None, ["NUM_STREAMS=AUTO"], [], "whole number"),
        (None, ["ENABLE_CPU_PINNING=2"], [], "true or false"),
        (None, ["AUTO_BATCH_TIMEOUT=1.5"], [], "milliseconds"),
        (None, ["nireq=1"], ["NIREQ=2"], "names nireq again"),
        (None, ["device=CPU"], [], "--device"),
        (None, ["nireq=unset"], [], "whole number"),
    ],
)
def test_bad_texts(space: str | None, sets: list[str], fixes: list[str], words: str) -> None:
    """What cannot be read is refused with an example."""
    with pytest.raises(UsageError, match=words):
        read(space, sets, fixes)

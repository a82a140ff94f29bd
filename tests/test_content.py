import builtins
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovtune import content
from ovtune.content import Content, Feed, Item, digests, files_of
from ovtune.errors import UsageError
from ovtune.model import Input

IMAGE = Input(name="image", element_type="f32", shape=(1, 3, 4, 6))
IDS = Input(name="ids", element_type="i64", shape=(1, 5))


def read(files: Sequence[str], inputs: Sequence[Input]) -> list[Item]:
    """All items."""
    return list(content.read(files, inputs))


def saved(path: Path, **arrays: np.ndarray) -> str:
    if path.suffix == ".npz":
        np.savez(path, allow_pickle=False, **arrays)
    else:
        np.save(path, arrays["array"])
    return str(path)


@pytest.mark.parametrize(
    ("shape", "items"), [((1, 3, 4, 6), 1), ((3, 4, 6), 1), ((7, 3, 4, 6), 7)], ids=["item", "without batch", "several"]
)
def test_arrays(tmp_path: Path, shape: tuple[int, ...], items: int) -> None:
    """An array is one item, with or without its batch dimension, or several that are stacked in it."""
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = read([saved(tmp_path / "a.npy", array=values)], [IMAGE])
    assert len(found) == items
    assert all(item[0].shape == (1, 3, 4, 6) for item in found)
    assert np.array_equal(np.concatenate([item[0] for item in found]).ravel(), values.ravel())


def test_several_inputs_come_in_one_file(tmp_path: Path) -> None:
    """An .npz holds an array for each input by its name, with as many items each."""
    file = saved(tmp_path / "a.npz", ids=np.ones((2, 5), dtype=np.int64), image=np.zeros((2, 3, 4, 6)))
    found = read([file], [IMAGE, IDS])
    assert [[part.shape for part in item] for item in found] == [[(1, 3, 4, 6), (1, 5)]] * 2


def test_images_become_what_the_input_takes(tmp_path: Path) -> None:
    """An image is resized, its channels go where the input has them, and reals lie between 0 and 1."""
    pixels = np.zeros((8, 12, 3), dtype=np.uint8)
    pixels[..., 0] = 255
    Image.fromarray(pixels).save(tmp_path / "red.png")
    ((first,),) = read([str(tmp_path / "red.png")], [IMAGE])
    assert first.shape == (1, 3, 4, 6)
    assert first[0, 0].min() == 1
    assert first[0, 1:].max() == 0
    last = Input(name="image", element_type="u8", shape=(1, 4, 6, 3))
    ((found,),) = read([str(tmp_path / "red.png")], [last])
    assert found.shape == (1, 4, 6, 3)
    assert found[0, 0, 0].tolist() == [255, 0, 0]
    grey = Input(name="image", element_type="f32", shape=(1, 1, 4, 6))
    assert read([str(tmp_path / "red.png")], [grey])[0][0].shape == (1, 1, 4, 6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_images_of_eight_bits_are_read(tmp_path: Path, mode: str) -> None:
    """White is white, however the image holds it."""
    Image.new("RGB", (3, 3), "white").convert(mode).save(tmp_path / "a.png")
    assert read([str(tmp_path / "a.png")], [IMAGE])[0][0].min() == 1


def test_images_of_more_bits_are_refused(tmp_path: Path) -> None:
    """Pixels of 16 bits would all become white: the message says what to do."""
    Image.fromarray(np.full((3, 3), 300, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"a\.png has pixels of mode I.*convert it to 8 bits, or give arrays"):
        read([str(tmp_path / "a.png")], [IMAGE])


def test_folders_hold_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Of a folder what can be read is taken, by name; the rest is left alone."""
    for name in ("b.npy", "a.npy", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(file).name for file in files_of([str(tmp_path)])] == ["a.npy", "b.npy"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("missing.npy", "does not exist"), ("notes.txt", "is none of"), ("empty", "holds no")],
)
def test_what_is_no_input_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """A path that is not there, of another kind, or an empty folder is told by name."""
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=words) as caught:
        files_of([str(tmp_path / name)])
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "arrays", "inputs", "words"),
    [
        ("a.npy", {"array": np.zeros((2, 2))}, [IMAGE], r"has shape \[2, 2\]"),
        ("a.npy", {"array": np.zeros((0, 3, 4, 6))}, [IMAGE], "has shape"),
        ("a.npy", {"array": np.zeros((1, 5))}, [IMAGE, IDS], "the model has 2"),
        ("a.npz", {"image": np.zeros((1, 3, 4, 6))}, [IMAGE, IDS], "no array ids"),
        ("a.npz", {"image": np.zeros((1, 3, 4, 6)), "ids": np.zeros((2, 5))}, [IMAGE, IDS], "1, 2 items"),
        ("a.npy", {"array": np.array([{}], dtype=object)}, [IMAGE], "cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, name: str, arrays: dict[str, np.ndarray], inputs: list[Input], words: str
) -> None:
    """Arrays of another shape, a missing input, unequal counts, and pickled objects are told with what would fit."""
    with pytest.raises(UsageError, match=words):
        read([saved(tmp_path / name, **arrays)], inputs)


@pytest.mark.parametrize(
    ("name", "todo"), [("a.npy", "with numpy.save"), ("a.npz", "with numpy.save"), ("a.png", "save it anew$")]
)
def test_broken_files_are_refused(tmp_path: Path, name: str, todo: str) -> None:
    """A file that is not what its name says is told by name, and what to do by its kind."""
    (tmp_path / name).write_bytes(b"nothing of that kind")
    with pytest.raises(UsageError, match=rf"{name}.*{todo}"):
        read([str(tmp_path / name)], [IMAGE])


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_model_without_inputs_takes_none(tmp_path: Path, name: str) -> None:
    """Items for a model that has no input are refused as such."""
    with pytest.raises(UsageError, match="the model has no inputs"):
        content.feed_of([saved(tmp_path / name, array=np.zeros((1, 3)))], [])


def test_an_image_for_no_image_input_is_refused(tmp_path: Path) -> None:
    """A list of token ids takes no image."""
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="takes none"):
        read([str(tmp_path / "a.png")], [IDS])


def test_random_values_follow_seed_item_and_input() -> None:
    """The same item of the same input is the same wherever it is drawn, and no other one is like it."""
    draws = {
        (seed, item, port): tuple(Content(seed=seed).generator(item, port).random(3))
        for seed in (0, 1)
        for item in (0, 1)
        for port in (0, 1)
    }
    assert len(set(draws.values())) == len(draws)
    assert tuple(Content(seed=1).generator(1, 0).random(3)) == draws[1, 1, 0]


def test_a_feed_without_files_is_random() -> None:
    """Nothing given, nothing read."""
    assert Feed(inputs=(IMAGE,)).content(3, places=8) == Content(seed=3)


def port(element_type: str) -> Input:
    """An input of three values of this type."""
    return Input(name="x", element_type=element_type, shape=(1, 3))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("f32", np.array([[0.1, 1e-3, np.nan]])),
        ("f16", np.array([[0.1, -3.0, np.inf]], np.float32)),
        ("bf16", np.array([[1, 2, 255]], np.uint8)),
        ("i64", np.array([[1.0, -2.0, 3e9]])),
        ("u8", np.array([[0, 128, 255]], np.int64)),
        ("boolean", np.array([[0, 1, 1]])),
        ("i32", np.array([[True, False, True]])),
    ],
)
def test_values_are_taken_where_none_is_lost(tmp_path: Path, kind: str, given: np.ndarray) -> None:
    """Another type will do where the input's holds the same values; reals are rounded to its precision."""
    ((found,),) = read([saved(tmp_path / "a.npy", array=given)], [port(kind)])
    assert np.allclose(found.astype(np.float64), given.astype(np.float64), rtol=1e-3, equal_nan=True)
    types = {"f32": "f4", "f16": "f2", "bf16": "f4", "i64": "i8", "i32": "i4", "u8": "u1", "boolean": "?"}
    assert found.dtype == types[kind]


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("i64", np.array([[1.0, 2.5, 3.0]]), r"holds 2\.5 \(float64\), which x cannot take as i64"),
        ("i64", np.array([[1.0, np.nan, 3.0]]), "holds nan"),
        ("u8", np.array([[1, 2, 256]]), "holds 256"),
        ("u8", np.array([[1, 2, -1]]), "holds -1"),
        ("f16", np.array([[1, 2, 1e9]]), "holds 1000000000"),
        ("f32", np.array([[1, 2, 2**24 + 1]]), "holds 16777217"),
        ("boolean", np.array([[0, 1, 2]]), "holds 2"),
        ("f32", np.array([[1j, 2, 3]]), "holds complex128"),
        ("f32", np.array([["a", "b", "c"]]), "holds <U1"),
        ("u4", np.array([[1, 2, 3]]), "NumPy has no u4"),
    ],
)
def test_values_that_would_change_are_refused(tmp_path: Path, kind: str, given: np.ndarray, words: str) -> None:
    """A value that the input's type does not hold is shown, and nothing is cut off in silence."""
    with pytest.raises(UsageError, match=words):
        read([saved(tmp_path / "a.npy", array=given)], [port(kind)])


class Bomb:
    """Raises where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_explode, ())


def _explode() -> None:
    raise AssertionError("a pickle was loaded")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_pickles_are_never_loaded(tmp_path: Path, name: str) -> None:
    """An array of objects, and a bare pickle, are refused unread: loading one would run what it says."""
    file = tmp_path / name
    objects = np.array([Bomb()], dtype=object)
    if file.suffix == ".npz":
        np.savez(file, x=objects)
    else:
        np.save(file, objects, allow_pickle=True)
    for _ in range(2):
        with pytest.raises(UsageError, match="cannot be read"):
            read([str(file)], [port("f32")])
        file.write_bytes(pickle.dumps(Bomb()))


@pytest.mark.parametrize(
    ("name", "other"), [("a.npy", "npz"), ("a.npz", "npy"), ("a.npy", "cut"), ("a.png", "cut"), ("a.npy", "empty")]
)
def test_files_of_another_kind_are_refused(tmp_path: Path, name: str, other: str) -> None:
    """A file that holds the other kind of array, is cut off or is empty is told by name."""
    file = tmp_path / name
    with file.open("wb") as stream:
        if other == "npz":
            np.savez(stream, x=np.zeros((1, 3)))
        elif file.suffix == ".png":
            Image.effect_noise((64, 64), 50).save(stream, "PNG")
        elif other != "empty":
            np.save(stream, np.zeros((1, 3)))
    if other == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    with pytest.raises(UsageError, match=r"a\.np|a\.png"):
        read([str(file)], [IMAGE if file.suffix == ".png" else port("f32")])


@pytest.mark.parametrize(("kind", "most"), [("u8", 255), ("i64", 255), ("f32", 1), ("f16", 1), ("bf16", 1)])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_scaled_for_reals_alone(tmp_path: Path, kind: str, most: int, last: bool, channels: int) -> None:
    """Integers take pixels as they are, 0 to 255, and reals from 0 to 1; grey ones where there is one channel."""
    Image.fromarray(np.full((5, 7), 255, np.uint8)).save(tmp_path / "white.png")
    shape = (1, 4, 6, channels) if last else (1, channels, 4, 6)
    ((found,),) = read([str(tmp_path / "white.png")], [Input(name="x", element_type=kind, shape=shape)])
    assert found.shape == shape
    assert found.min() == found.max() == most


def test_images_need_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Pillow is not installed, the message says how to get it."""
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"install ovtune\[images\]"):
        read([str(tmp_path / "a.png")], [IMAGE])


def test_one_array_needs_no_name(tmp_path: Path) -> None:
    """For a model of one input, the only array of an .npz is its, whatever it is called."""
    (item,) = read([saved(tmp_path / "a.npz", arr_0=np.ones((1, 5), np.int64))], [IDS])
    assert item[0].sum() == 5


def test_no_more_is_read_than_there_is_room_for(tmp_path: Path) -> None:
    """A large folder fills the requests that there are; the files behind are not opened."""
    names = [saved(tmp_path / f"{n}.npy", array=np.full((1, 5), n)) for n in range(4)]
    (tmp_path / "4.npy").write_bytes(b"broken")
    feed = Feed(inputs=(IDS,), files=(*names, str(tmp_path / "4.npy")))
    assert [int(item[0][0, 0]) for item in feed.content(0, places=3).items] == [0, 1, 2]


def test_a_folder_too_large_is_refused(tmp_path: Path) -> None:
    """More files than a study can remember are refused with their number."""
    for number in range(10_001):
        (tmp_path / f"{number}.npy").touch()
    with pytest.raises(UsageError, match="are 10001 files: give at most 10000"):
        files_of([str(tmp_path)])


def test_copied_items_fill_a_fixed_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where items are written anew each time, all that fit into that room are taken in turn."""
    feed = Feed(inputs=(IDS,), files=(saved(tmp_path / "a.npy", array=np.zeros((40, 5))),), copying=True)
    assert len(feed.content(0, places=2).items) == 40
    monkeypatch.setattr(content, "_COPIED_BYTES", 7 * 5 * 8)
    assert len(feed.content(0, places=2).items) == 7
    assert len(feed.content(0, places=9).items) == 9


def test_large_files_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large array only the items that are asked for come into memory."""
    monkeypatch.setattr(content, "_LARGE_BYTES", 100)
    items = content.read([saved(tmp_path / "a.npy", array=np.arange(200).reshape(40, 5))], [IDS])
    assert next(items)[0].tolist() == [[0, 1, 2, 3, 4]]
    assert next(items)[0].tolist() == [[5, 6, 7, 8, 9]]


def test_digests_follow_the_content(tmp_path: Path) -> None:
    """A file with other content has another digest, and one that has gone is told by name."""
    file = tmp_path / "a.npy"
    file.write_bytes(b"one")
    first = digests([str(file)])
    file.write_bytes(b"two")
    assert digests([str(file)]) != first
    file.unlink()
    with pytest.raises(UsageError, match=r"a\.npy cannot be read"):
        digests([str(file)])

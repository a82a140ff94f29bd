from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovtune.content import Content, Feed, files_of, read
from ovtune.errors import UsageError
from ovtune.model import Input

IMAGE = Input(name="image", element_type="f32", shape=(1, 3, 4, 6))
IDS = Input(name="ids", element_type="i64", shape=(1, 5))


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


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.png"])
def test_broken_files_are_refused(tmp_path: Path, name: str) -> None:
    """A file that is not what its name says is told by name."""
    (tmp_path / name).write_bytes(b"nothing of that kind")
    with pytest.raises(UsageError, match=name):
        read([str(tmp_path / name)], [IMAGE])


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
    assert Feed(inputs=(IMAGE,)).content(3) == Content(seed=3)

from pathlib import Path

import numpy as np
import pytest

from ovtune import agreement
from ovtune.agreement import compare

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]], dtype=np.float32)


def test_equal_outputs_agree_entirely() -> None:
    """No difference, cosine 1, the same place of the largest value."""
    found = compare([SCORES], [SCORES.copy()], name="CPU f32")
    assert (found.items, found.max_abs, found.max_rel, found.top1, found.reference) == (2, 0, 0, 1, "CPU f32")
    assert found.cosine == pytest.approx(1)
    assert not found.nonsense


def test_differences_are_absolute_and_as_a_share_of_the_largest() -> None:
    """The largest difference of any value, and that as a share of the largest magnitude of its output."""
    other = SCORES + np.array([[0, 0.07, 0], [0, 0, 0]], dtype=np.float32)
    found = compare([SCORES], [other], name="r")
    assert found.max_abs == pytest.approx(0.07)
    assert found.max_rel == pytest.approx(0.1)


def test_each_output_is_measured_by_its_own_size() -> None:
    """A difference of 1 is little in an output of thousands and much in one of ones: the share is the larger."""
    large, small = np.full((1, 2), 1000.0), np.full((1, 2), 1.0)
    found = compare([large, small], [large + 1, small + 0.5], name="r")
    assert found.max_abs == 1
    assert found.max_rel == pytest.approx(0.5)
    assert found.top1 is None


def test_top1_counts_the_items_whose_largest_value_stays() -> None:
    """One of two items prefers another class."""
    other = SCORES[:, [1, 0, 2]] * np.array([[1], [0]]) + SCORES * np.array([[0], [1]])
    assert compare([SCORES], [other.astype(np.float32)], name="r").top1 == 0.5


@pytest.mark.parametrize("shape", [(2, 1), (2, 3, 4), (2,)], ids=["one value", "a map", "scalars"])
def test_what_is_no_list_of_scores_has_no_top1(shape: tuple[int, ...]) -> None:
    """Top-1 agreement means something for a list of class scores alone."""
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    assert compare([values], [values], name="r").top1 is None


def test_scores_with_dimensions_of_one_are_a_list() -> None:
    """Class scores of shape [1, 3, 1, 1] are a list of three."""
    values = SCORES.reshape(2, 1, 3, 1, 1)
    assert compare([values], [values], name="r").top1 == 1


def test_values_that_are_no_numbers_are_nonsense() -> None:
    """NaN where the reference has a number has no difference that could be told."""
    other = SCORES.copy()
    other[1, 1] = np.nan
    found = compare([SCORES], [other], name="r")
    assert (found.max_abs, found.max_rel, found.cosine) == (None, None, 0)
    assert found.nonsense
    assert found.words == "some are no numbers"


def test_the_same_infinities_agree() -> None:
    """Where the reference itself is infinite or no number, the same is expected of others."""
    values = np.array([[np.inf, -np.inf, np.nan, 1.0]])
    found = compare([values], [values.copy()], name="r")
    assert (found.max_abs, found.nonsense) == (0, False)


def test_unrelated_outputs_are_nonsense() -> None:
    """The cosine of two unrelated directions is far from 1."""
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal((2, 4, 100))
    found = compare([one], [other], name="r")
    assert abs(found.cosine) < 0.5
    assert found.nonsense


def test_the_worst_item_counts() -> None:
    """A batch that is right in all items but one is wrong: the least cosine of the items is told."""
    other = SCORES.copy()
    other[1] = other[1, ::-1]
    other[1, 0] = -1
    assert compare([SCORES], [other], name="r").nonsense


@pytest.mark.parametrize(("value", "nonsense"), [(0.0, False), (5.0, True)])
def test_zeros_have_no_direction(value: float, nonsense: bool) -> None:
    """Outputs that are all zero agree with zeros and with nothing else."""
    zeros = np.zeros((1, 4))
    assert compare([zeros], [np.full((1, 4), value)], name="r").nonsense == nonsense


def test_integers_are_told_by_difference_alone() -> None:
    """Indices that one rounding swaps are no nonsense: of integers the difference is told, and no direction."""
    found = compare([np.array([[3, 9, 1]])], [np.array([[9, 3, 1]])], name="r")
    assert (found.max_abs, found.cosine, found.top1, found.nonsense) == (6, 1, None, False)


def test_no_outputs() -> None:
    """A model without outputs agrees with itself."""
    assert not compare([], [], name="r").nonsense


def test_other_shapes_cannot_be_compared() -> None:
    """Outputs that cannot be laid side by side are an error, not a difference."""
    with pytest.raises(ValueError, match="shapes"):
        compare([SCORES], [SCORES[:1]], name="r")


def test_a_file_holds_them(tmp_path: Path) -> None:
    """What is written is read again, each output with its type and its place."""
    path = str(tmp_path / "outputs.npz")
    outputs = [np.arange(i + 2, dtype=np.int32).reshape(1, -1) for i in range(12)]
    agreement.write(path, "CPU f32", outputs)
    name, found = agreement.read(path)
    assert name == "CPU f32"
    assert [o.tolist() for o in found] == [o.tolist() for o in outputs]
    assert {o.dtype for o in found} == {np.dtype(np.int32)}

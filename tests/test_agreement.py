import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ovtune import agreement
from ovtune.agreement import Agreement, Comparison, Reference

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]], dtype=np.float32)
Arrays = Sequence[NDArray[Any]]


def compare(reference: Arrays, outputs: Arrays, *, noise: float = 0.0) -> Agreement:
    """Compares outputs whose first dimension counts the items."""
    items = [[values[i] for values in reference] for i in range(len(reference[0]))]
    comparison = Comparison(Reference(name="CPU f32", items=items, noise=[noise] * len(reference)))
    for number in range(len(items)):
        comparison.add(number, [values[number] for values in outputs])
    found = comparison.result
    assert found is not None
    return found


def test_equal_outputs_agree_entirely() -> None:
    """No difference, cosine 1, the same place of the largest value."""
    found = compare([SCORES], [SCORES.copy()])
    assert (found.items, found.max_abs, found.max_rel, found.top1, found.reference) == (2, 0, 0, 1, "CPU f32")
    assert found.cosine == pytest.approx(1)
    assert not found.nonsense
    assert found.words == "the same"


def test_differences_are_absolute_and_as_a_share_of_the_largest() -> None:
    """The largest difference of any value, and that as a share of the largest magnitude of its output in any item."""
    other = SCORES + np.array([[0, 0, 0], [0, 0.07, 0]], dtype=np.float32)
    found = compare([SCORES], [other])
    assert found.max_abs == pytest.approx(0.07)
    assert found.max_rel == pytest.approx(0.1)
    assert found.words.startswith("off by at most 0.07, 10 % of the largest; cosine 0.99")


def test_each_output_is_measured_by_its_own_size() -> None:
    """A difference of 1 is little in an output of thousands and much in one of ones: the share is the larger."""
    large, small = np.full((1, 2), 1000.0), np.full((1, 2), 1.0)
    found = compare([large, small], [large + 1, small + 0.5])
    assert found.max_abs == 1
    assert found.max_rel == pytest.approx(0.5)
    assert found.top1 is None


def test_top1_counts_the_items_whose_largest_value_stays() -> None:
    """One of two items prefers another class."""
    other = SCORES.copy()
    other[0] = other[0, [1, 0, 2]]
    assert compare([SCORES], [other]).top1 == 0.5


def test_equally_large_values_may_change_places() -> None:
    """Where the reference has its largest value twice, either place is the same class."""
    assert compare([np.array([[2.0, 2.0, 1.0]])], [np.array([[1.99, 2.0, 1.0]])]).top1 == 1


@pytest.mark.parametrize("shape", [(2, 1), (2, 3, 4), (2,)], ids=["one value", "a map", "scalars"])
def test_what_is_no_list_of_scores_has_no_top1(shape: tuple[int, ...]) -> None:
    """Top-1 agreement means something for a list of class scores alone."""
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    assert compare([values], [values]).top1 is None


def test_scores_with_dimensions_of_one_are_a_list() -> None:
    """Class scores of shape [1, 3, 1, 1] are a list of three."""
    values = SCORES.reshape(2, 1, 3, 1, 1)
    assert compare([values], [values]).top1 == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_nonsense(value: float) -> None:
    """NaN or infinity where the reference has a number has no difference that could be told."""
    other = SCORES.copy()
    other[1, 1] = value
    found = compare([SCORES], [other])
    assert (found.max_abs, found.max_rel, found.cosine) == (None, None, None)
    assert found.nonsense
    assert found.words == "some are no numbers"


def test_the_same_infinities_agree() -> None:
    """Where the reference itself is infinite or no number, the same is expected of others."""
    values = np.array([[np.inf, -np.inf, np.nan, 1.0, 2.0]])
    found = compare([values], [values.copy()])
    assert (found.max_abs, found.nonsense) == (0, False)


@pytest.mark.parametrize("value", [-np.inf, -65504.0])
def test_what_fills_a_mask_may_leave_the_range_of_f16(value: float) -> None:
    """A score of -1e9 is a mask: what f16 makes of it is told, and no nonsense."""
    reference = np.array([[-1e9, 0.1, 0.7, 0.2]])
    assert not compare([reference], [np.array([[value, 0.1, 0.7, 0.2]])]).nonsense


@pytest.mark.parametrize("filling", [-1e9, float(np.finfo(np.float32).min)])
def test_what_fills_a_mask_is_no_measure_of_the_rest(filling: float) -> None:
    """A score that is off by half of the largest one is off by half, whatever fills a mask beside it."""
    reference = np.array([[filling, 0.1, 0.8, 0.2]], np.float32)
    found = compare([reference], [reference + np.array([[0, 0, 0, 0.4]], np.float32)])
    assert found.max_rel == pytest.approx(0.5)


def test_what_fills_a_mask_is_measured_by_itself() -> None:
    """A filling that bf16 rounds by a thousandth is off by a thousandth, and so is an output of large values alone."""
    reference = np.array([[-1e9, 0.1, 0.8, 0.2]])
    found = compare([reference], [reference * np.array([[1.001, 1, 1, 1]])])
    assert found.max_rel == pytest.approx(0.001)
    large = np.array([[1e6, 2e6]])
    assert compare([large], [large + np.array([[2e4, 0]])]).max_rel == pytest.approx(0.01)


def test_large_integers_are_a_measure() -> None:
    """Of integers none is beyond what f16 holds: a token's number may be any."""
    reference = np.array([[3, 100_000]])
    assert compare([reference], [np.array([[4, 100_001]])]).max_rel == pytest.approx(1e-5)


def test_where_the_reference_is_no_number_nothing_is_blamed() -> None:
    """A reference that is no number itself cannot tell who is right."""
    found = compare([np.array([[np.nan, 1.0, 2.0]])], [np.array([[3.0, 1.0, 2.0]])])
    assert (found.max_abs, found.nonsense) == (None, False)


@pytest.mark.parametrize("offset", [0.0, 1.0, 5.0])
def test_unrelated_outputs_are_nonsense(offset: float) -> None:
    """Unrelated values of the same distribution are, also where all are positive and the cosine is near 1."""
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal((2, 4, 100)) * 2 + offset
    assert compare([one], [other]).nonsense


def test_another_size_is_nonsense() -> None:
    """Outputs in the right direction and twice as large have a cosine of 1, and zeros would be as near."""
    values = np.random.default_rng(0).standard_normal((4, 100))
    found = compare([values], [2.5 * values])
    assert found.cosine == pytest.approx(1)
    assert found.nonsense


def test_the_worst_item_counts() -> None:
    """A batch that is right in all items but one is wrong."""
    values = np.random.default_rng(0).standard_normal((4, 100))
    other = values.copy()
    other[3] = values[0]
    assert compare([values], [other]).nonsense


def test_a_small_offset_of_a_large_value_is_none() -> None:
    """Outputs that hardly depend on the input, 1 % off: further than they are spread, and yet of use."""
    values = 5 + 0.001 * np.random.default_rng(0).standard_normal((8, 1))
    found = compare([values], [values + 0.05])
    assert not found.nonsense
    assert found.max_rel == pytest.approx(0.01, rel=0.01)


def test_what_low_precision_does_to_the_model_is_none() -> None:
    """Small differences of large numbers are noise in bf16, whoever computes it: no device is blamed for that."""
    generator = np.random.default_rng(0)
    one, other = 1e-6 * generator.standard_normal((2, 4, 100))
    assert compare([one], [other]).nonsense
    assert not compare([one], [other], noise=1e-6).nonsense


def test_zeros_blame_nobody() -> None:
    """Outputs that are all zero have no size by which others could be far off; a limit takes the difference itself."""
    zeros = np.zeros((1, 4))
    found = compare([zeros], [np.full((1, 4), 5.0)])
    assert (found.nonsense, found.cosine, found.max_rel) == (False, None, 5)


def test_integers_are_told_by_difference_alone() -> None:
    """Indices that one rounding swaps are no nonsense: of integers the difference is told, and no direction."""
    found = compare([np.array([[3, 9, 1]])], [np.array([[9, 3, 1]])])
    assert (found.max_abs, found.cosine, found.top1, found.nonsense) == (6, None, None, False)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (np.arange(100), np.where(np.arange(100) == 1, 99, np.arange(100)), 0.01),
        (np.full(100, 255), np.full(100, 254), 1 / 255),
        (np.array([True, True, False, False]), np.array([True, True, True, False]), 0.25),
    ],
    ids=["one label of a hundred", "all pixels by one", "booleans"],
)
def test_of_integers_the_share_that_differs_counts_where_that_is_less(
    one: NDArray[Any], other: NDArray[Any], expected: float
) -> None:
    """One wrong label of a hundred is 1 % however far it is off; each pixel off by one of 255 is 0.4 %."""
    assert compare([one[None]], [other[None]]).max_rel == pytest.approx(expected)


def test_large_outputs_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures do not depend on the parts in which values are taken."""
    one, other = np.random.default_rng(0).standard_normal((2, 2, 1000))
    whole = compare([one], [one + 0.01 * other])
    monkeypatch.setattr(agreement, "_CHUNK", 64)
    parts = compare([one], [one + 0.01 * other])
    assert (parts.max_abs, parts.max_rel) == (whole.max_abs, whole.max_rel)
    assert parts.cosine == pytest.approx(whole.cosine)


def test_no_outputs() -> None:
    """A model without outputs agrees with itself."""
    comparison = Comparison(Reference(items=[[]]))
    comparison.add(0, [])
    found = comparison.result
    assert found is not None
    assert found.max_rel == 0


def test_nothing_is_said_of_no_items() -> None:
    """Before the first item there is nothing to tell."""
    assert Comparison(Reference(items=[[SCORES]], noise=[0.0])).result is None


def test_other_shapes_cannot_be_compared() -> None:
    """Outputs that cannot be laid side by side are an error that shows both shapes, not a difference."""
    with pytest.raises(ValueError, match=r"\[\[2\]\] and the reference's of \[\[3\]\]"):
        compare([SCORES], [SCORES[:, :2]])


def test_noise_is_that_of_the_worst_item() -> None:
    """For each output, over the items that both have; infinite where shapes or numbers differ."""
    items = [[np.zeros(4), np.zeros(1), np.ones(3)], [np.zeros(4), np.zeros(1), np.ones(3)]]
    rough = [[np.full(4, 2.0), np.zeros(1), np.ones(2)], [np.full(4, 3.0), np.full(1, np.nan), np.ones(3)]]
    assert agreement.noise_of(items, rough) == [3, math.inf, math.inf]
    assert agreement.noise_of(items, rough[:1]) == [2, 0, math.inf]


def test_two_runs_of_one_item_may_differ_by_a_rounding() -> None:
    """More than that, or other shapes, and the model is not one that gives the same for the same."""
    one = [[np.ones(4)]]
    assert agreement.settled(one, [[np.ones(4) * (1 + 1e-6)]])
    assert not agreement.settled(one, [[np.ones(4) * 1.1]])
    assert not agreement.settled(one, [[np.ones(3)]])


def test_how_much_items_change() -> None:
    """The largest difference as a share, infinite where it cannot be told."""
    one = [[np.ones(4)], [np.full(4, 2.0)]]
    assert agreement.change(one, [[np.ones(4)], [np.full(4, 1.5)]]) == 0.25
    assert agreement.change(one, [[np.ones(3)], [np.ones(4)]]) == math.inf
    assert agreement.change(one, [[np.full(4, np.nan)], [np.ones(4)]]) == math.inf


def test_a_file_holds_them(tmp_path: Path) -> None:
    """What is written is read again, each output with its type, shape and place."""
    path = str(tmp_path / "outputs.npz")
    items = [[np.full((i + 2, k), i, dtype=np.int32) for k in range(12)] for i in range(3)]
    agreement.write(path, Reference(name="CPU f32", items=items, noise=[math.inf, *[0.5] * 11]))
    found = agreement.read(path)
    assert (found.name, found.reason, agreement.reason_in(path)) == ("CPU f32", "", "")
    assert found.noise == [math.inf, *[0.5] * 11]
    assert [[o.tolist() for o in item] for item in found.items] == [[o.tolist() for o in item] for item in items]
    assert {o.dtype for item in found.items for o in item} == {np.dtype(np.int32)}


def test_a_file_may_hold_the_reason(tmp_path: Path) -> None:
    """Where there are no outputs, the file says why."""
    path = str(tmp_path / "outputs.npz")
    agreement.write(path, Reference(reason="too slow"))
    assert agreement.read(path).items == []
    assert agreement.reason_in(path) == "too slow"

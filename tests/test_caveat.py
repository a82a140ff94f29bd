import string

import pytest

from ovtune.caveat import WORDING, Caveat


def _parameters(kind: str) -> dict[str, str | int | float]:
    fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(WORDING[kind]) if name]
    return {name: 0.5 if spec else f"<{name}>" for name, spec in fields}


@pytest.mark.parametrize("kind", sorted(WORDING))
def test_wording_shows_every_parameter(kind: str) -> None:
    """Each kind of doubt is one sentence or two that shows its parameters and leaves no placeholder."""
    parameters = _parameters(kind)
    text = Caveat(kind=kind, parameters=parameters).text
    assert text.endswith(".")
    assert "{" not in text
    assert all(value in text for value in parameters.values() if isinstance(value, str))


@pytest.mark.parametrize("kind", sorted(kind for kind in WORDING if _parameters(kind)))
def test_a_missing_parameter_is_refused(kind: str) -> None:
    """A doubt that could not be worded later is refused when it is made."""
    parameters = _parameters(kind)
    parameters.popitem()
    with pytest.raises(ValueError, match=kind):
        Caveat(kind=kind, parameters=parameters)


def test_unknown_kinds_and_wrong_types_are_refused() -> None:
    """A kind without a wording, and a text where a figure is formatted, are refused."""
    with pytest.raises(ValueError, match="gremlins"):
        Caveat(kind="gremlins")
    with pytest.raises(ValueError, match="contention"):
        Caveat(kind="contention", parameters={"others": "much"})


def test_equal_caveats_have_one_hash() -> None:
    """Equal doubts fall together in a set, also where a whole number is told as a real one."""
    one = Caveat(kind="few_samples", parameters={"samples": 3})
    other = Caveat(kind="few_samples", parameters={"samples": 3.0})
    assert one == other
    assert len({one, other}) == 1
    assert one != Caveat(kind="few_samples", parameters={"samples": 4})

import pytest

from ovtune import option
from ovtune.errors import UsageError


def test_plugins_of_the_options() -> None:
    """Each option names a device and the library that serves it; without any there is nothing to say."""
    assert option.plugins(["A=one", "B=two=2"]) == {"A": "one", "B": "two=2"}
    assert option.plugins(None) is None


def test_plugins_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``OVTUNE_PLUGINS`` holds them with commas between, and counts where no option does."""
    monkeypatch.setenv("OVTUNE_PLUGINS", "A=one,,B=two")
    assert option.plugins([]) == {"A": "one", "B": "two"}
    assert option.plugins(["C=three"]) == {"C": "three"}


@pytest.mark.parametrize("text", ["A", "A=", "=one", ""])
def test_a_plugin_that_cannot_be_read(text: str) -> None:
    """A text that is no NAME=LIBRARY is refused with an example."""
    with pytest.raises(UsageError, match="NAME=LIBRARY"):
        option.plugins([text])


def test_limits_are_those_that_are_given() -> None:
    """Limits are read with their units into the goal's own; what is not given is no limit."""
    assert option.limits(None, None, None, None) == {}
    assert option.limits("20ms", "300/s", "500MB", "1%") == {
        "max_error": 0.01,
        "max_latency_ms": pytest.approx(20),
        "min_throughput_per_s": 300,
        "max_memory_bytes": 500e6,
    }

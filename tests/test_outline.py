import io
import json
from dataclasses import replace

from rich.console import Console

from ovtune import outline
from ovtune.goal import Goal
from ovtune.tuning import Budget
from ovtune.wanted import Wanted
from tests import fake


def shown(width: int = 80, **only: tuple[int | str, ...]) -> str:
    """What a dry run prints on a terminal of that width."""
    setup = replace(fake.setup(), wanted=Wanted(only=only))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(outline.table(setup, Goal(), Budget(trials=7)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_space_and_plan_are_told() -> None:
    """The count of configs, each parameter with its values, the plan, and what is measured first; within 80 columns."""
    text = shown()
    assert f"{fake.space().size:,} distinct configs" in text
    assert "7 trials" in text
    assert "nireq (requests in flight)" in text
    assert all(baseline.name in text for baseline in fake.BASELINES)
    assert max(map(len, text.splitlines())) <= 80


def test_values_that_no_config_has_are_told() -> None:
    """A value that is held and that nothing can have is no promise of the space."""
    text = " ".join(shown(nireq=(1, 1000)).split())
    assert "1000: no config that makes sense can have it" in text


def test_json_says_the_same() -> None:
    """The document holds the count and the values, and is JSON."""
    tree = json.loads(json.dumps(outline.document(fake.setup(), Goal(), Budget(trials=7))))
    assert tree["configs"] == fake.space().size
    assert tree["trials"] == 7
    assert set(tree["dimensions"]) == set(fake.space().dimensions)

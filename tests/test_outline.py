import io
import json
from dataclasses import replace

from rich.console import Console

from ovtune import outline
from ovtune.budget import Budget
from ovtune.goal import Goal
from ovtune.lead import Lead, Member
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


def test_what_is_begun_with_is_told() -> None:
    """Each config of the other study's front, what was left out and why, and that nothing else is measured."""
    taken = Member(words="LATENCY hint on CPU, nireq 1", config=fake.BASELINES[0].config)
    left = Member(words="no hint on GPU, nireq 2", config=None, note="device GPU is none of CPU")
    setup = replace(fake.setup(), lead=Lead(study="other", model="demo:mlp", members=(taken, left)))
    budget = Budget(trials=7, only_front=True, patience=3)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(outline.table(setup, Goal(), budget))
    assert isinstance(console.file, io.StringIO)
    text = " ".join(console.file.getvalue().split())
    assert "begins with 1 of 2 configs of the front of study other (demo:mlp)" in text
    assert "left out no hint on GPU, nireq 2 (device GPU is none of CPU)" in text
    assert "7 trials, of OpenVINO's own answers and that front alone, at most 3 in a row without gain" in text
    tree = json.loads(json.dumps(outline.document(setup, Goal(), budget)))
    assert tree["like"]["study"] == "other"
    assert [member["config"] is None for member in tree["like"]["front"]] == [False, True]
    assert (tree["patience"], tree["only_front"]) == (3, True)
    assert outline.document(fake.setup(), Goal(), budget)["like"] is None

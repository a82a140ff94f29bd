import json
from dataclasses import replace

from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.evaluator import Failed
from ovtune.measurement import Block
from ovtune.report.row import rows_of, settings_of
from ovtune.result import conclude
from tests.report import sample


def test_shared_trial() -> None:
    """A config that shares another one's blocks names that trial and shows its figures."""
    rows = rows_of(sample.result(), {}, {})
    assert rows[8].state_text == "same as trial 1"
    assert rows[8].throughput == rows[1].throughput


def test_trial_that_measures_a_config_again() -> None:
    """It names the first trial of the config, shows the figures of all its blocks, and shares its place in charts."""
    made = sample.result().study
    one, other = [v for v in made.visits if isinstance(v.outcome, Block) and v.trial is not None][2:4]
    visits = [replace(v, config=one.config) if v is other else v for v in made.visits]
    rows = rows_of(conclude(replace(made, visits=tuple(visits)), made.goal), {}, {})
    told = {row.number: row for row in rows}
    assert one.trial is not None
    assert other.trial is not None
    row = told[other.trial]
    assert told[one.trial].state_text == "measured"
    assert (row.state_text, row.shares) == (f"trial {one.trial} again", one.trial)
    assert row.throughput == told[one.trial].throughput


def test_doubts_of_a_shared_trial() -> None:
    """A config that shares has the doubts about its own settings, not those of the one that was measured."""
    result = sample.result()
    owner, sharer = (result.study.visits[trial] for trial in (1, 8))
    assert isinstance(owner.outcome, Block)
    doubts = (
        Caveat(kind="effective_differs", parameters={"name": "NUM_STREAMS", "requested": "4", "effective": "2"}),
        Caveat(kind="contention", parameters={"others": 0.2}),
    )
    block = replace(owner.outcome, caveats=doubts, effective={"NUM_STREAMS": 2})
    asked = replace(sharer.config, properties={**sharer.config.properties, "NUM_STREAMS": 64})
    visits = list(result.study.visits)
    visits[1], visits[8] = replace(owner, outcome=block), replace(sharer, config=asked)
    rows = rows_of(replace(result, study=replace(result.study, visits=tuple(visits))), {}, {})
    assert [text.split(" ")[5] for text in rows[1].caveats if "NUM_STREAMS" in text] == ["4"]
    assert [text.split(" ")[5] for text in rows[8].caveats if "NUM_STREAMS" in text] == ["64"]
    assert "contention" in rows[8].doubts


def test_repeated_visit() -> None:
    """A trial that was visited again, since others held it up, is one row, told by its last visit."""
    result = sample.result()
    trial = result.study.visits[6]
    held_up = replace(trial, outcome=Failed(reason="held up"))
    visits = (*result.study.visits[:6], held_up, *result.study.visits[6:])
    again = rows_of(replace(result, study=replace(result.study, visits=visits)), {}, {})
    assert again == rows_of(result, {}, {})


def test_failures() -> None:
    """A trial without numbers says why, and shows what was asked for."""
    rows = rows_of(sample.result(), {}, {})
    assert (rows[4].state, rows[4].reason) == ("infeasible", "CPU refuses it <for a test>")
    assert (rows[5].state, rows[5].throughput, rows[5].latency) == ("failed", None, {})
    assert any(setting.requested for setting in rows[5].settings)


def test_requested_beside_effective() -> None:
    """Settings stand side by side, nested ones under the device's name, and a difference is marked."""
    config = Config(
        device="AUTO:GPU,CPU",
        properties={"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 3}}, "ENABLE_CPU_PINNING": True},
        nireq=2,
        shapes={"x": (1, 3)},
    )
    found = {"CPU": {"NUM_STREAMS": 2}, "ENABLE_CPU_PINNING": "True", "EXECUTION_DEVICES": ["CPU", "GPU"]}
    settings = {s.name: s for s in settings_of(config, found)}
    assert (settings["CPU.NUM_STREAMS"].requested, settings["CPU.NUM_STREAMS"].effective) == ("3", "2")
    assert settings["CPU.NUM_STREAMS"].differs
    assert not settings["ENABLE_CPU_PINNING"].differs
    assert settings["EXECUTION_DEVICES"].effective == "CPU, GPU"
    assert settings["shape of x"].requested == "[1, 3]"


def test_config_json() -> None:
    """A trial's JSON gives the same config back."""
    result = sample.result()
    for row, visit in zip(rows_of(result, {}, {}), result.study.visits, strict=False):
        told = json.loads(row.json)
        told["shapes"] = {name: tuple(shape) for name, shape in told["shapes"].items()}
        assert Config(**told) == visit.config


def test_document() -> None:
    """Where there is a whole document of a config, that is what a reader saves."""
    result = sample.result()
    rows = rows_of(result, {}, {result.study.visits[2].config.key: sample.DOCUMENT})
    assert (rows[2].json, rows[2].deployable, rows[2].file) == (sample.DOCUMENT, True, "mobilenet-trial-2.best.json")
    assert (rows[3].deployable, rows[3].file) == (False, "mobilenet-trial-3.config.json")

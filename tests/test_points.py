import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ovtune.config import Config
from ovtune.points import as_run, requested, served_by


def test_features_put_equal_steps_at_equal_distances() -> None:
    """Numbers lie on a logarithmic scale between 0 and 1, choices apart; a parameter that never differs is left out."""
    configs = tuple(Config(device="CPU", nireq=n, properties={"PERFORMANCE_HINT": h}) for n in (1, 3, 7) for h in "AB")
    points = requested(configs)
    assert points.rows.shape == (6, 3)
    assert points.owners.tolist() == [0, 0, 1]
    assert points.rows[:, 2].tolist() == pytest.approx([0, 0, 0.5, 0.5, 1, 1])
    assert len({tuple(p) for p in points.rows[:, :2]}) == 2
    assert requested(configs[:1]).rows.shape == (1, 1)


def test_features_of_odd_values_are_finite() -> None:
    """A property that only some configs have, negative numbers, booleans and texts all become finite coordinates."""
    odd: list[dict[str, bool | int | float | str]] = [{}, {"P": -1}, {"P": 8}, {"Q": True}, {"Q": False}, {"R": "x"}]
    points = requested(tuple(Config(device="CPU", nireq=1, properties=one) for one in odd)).rows
    assert np.isfinite(points).all()
    assert len({tuple(p) for p in points}) == len(odd)


READ_BACK = {"EXECUTION_DEVICES": ["CPU"], "NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 4, "PERFORMANCE_HINT": "LATENCY"}


def test_hints_that_come_to_the_same_are_one_point() -> None:
    """What was asked for counts no more once it is read back what came of it; the infer requests stay."""
    hinted = Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=2)
    plain = Config(device="CPU", properties={"NUM_STREAMS": 2}, nireq=2)
    rows = as_run([hinted, plain, replace(plain, nireq=8)], [READ_BACK] * 3).rows
    assert rows[0].tolist() == rows[1].tolist() != rows[2].tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXECUTION_DEVICES", ["GPU"]),
        ("NUM_STREAMS", 1),
        ("INFERENCE_NUM_THREADS", 2),
        ("INFERENCE_PRECISION_HINT", "f32"),
        ("ENABLE_CPU_PINNING", False),
        ("ENABLE_HYPER_THREADING", False),
        ("SCHEDULING_CORE_TYPE", "PCORE_ONLY"),
    ],
)
def test_what_runs_otherwise_is_another_point(name: str, value: object) -> None:
    """Each of the settings that a hint comes to, wherever it is read back."""
    config = Config(device="AUTO", nireq=2)
    usual = {**READ_BACK, name: "usual"}
    flat = as_run([config] * 2, [usual, {**READ_BACK, name: value}]).rows
    nested = as_run([config] * 2, [{"DEVICE_PROPERTIES": {"CPU": one}} for one in (usual, {**READ_BACK, name: value})])
    assert flat[0].tolist() != flat[1].tolist()
    assert nested.rows[0].tolist() != nested.rows[1].tolist()


def test_a_scheduler_is_another_point_than_its_device() -> None:
    """AUTO costs some CPU time of its own, in whichever order its list is; a setting that is read back is told once."""
    nested = {"EXECUTION_DEVICES": ["CPU"], "DEVICE_PROPERTIES": {"CPU": READ_BACK}}
    plain, auto, ordered = (Config(device=name, nireq=2) for name in ("CPU", "AUTO", "AUTO:CPU,GPU"))
    given = replace(plain, properties={"NUM_STREAMS": 2})
    inner = replace(auto, properties={"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 2}}})
    rows = as_run([plain, given, auto, ordered, inner], [READ_BACK, READ_BACK, nested, nested, nested]).rows
    assert rows[0].tolist() == rows[1].tolist() != rows[2].tolist()
    assert rows[2].tolist() == rows[3].tolist() == rows[4].tolist()


def test_numbers_that_are_read_back_lie_on_a_scale() -> None:
    """Two streams lie between one and four."""
    config = Config(device="CPU", nireq=2)
    rows = as_run([config] * 3, [{**READ_BACK, "NUM_STREAMS": count} for count in (1, 2, 4)]).rows
    assert rows.shape == (3, 1)
    assert rows[0, 0] < rows[1, 0] < rows[2, 0]


def test_what_reads_nothing_back_counts_as_asked_for() -> None:
    """Automatic batching tells no streams: its hints stay apart."""
    configs = [
        Config(device="BATCH:CPU(4)", properties={"PERFORMANCE_HINT": hint}, nireq=4)
        for hint in ("LATENCY", "THROUGHPUT")
    ]
    rows = as_run(configs, [{"EXECUTION_DEVICES": ["CPU"]}] * 2).rows
    assert rows[0].tolist() != rows[1].tolist()


def test_several_devices_tell_what_each_of_them_runs() -> None:
    """Devices that run differently are another point than devices that run alike, and odd values are no obstacle."""
    config = Config(device="MULTI:CPU,GPU", nireq=2)
    one = {"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 2}, "GPU": {"NUM_STREAMS": 2}}}
    two = {"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 2}, "GPU": {"NUM_STREAMS": 4}}}
    odd = {"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": ["?"]}, "GPU": "none"}}
    rows = as_run([config] * 3, [one, two, odd]).rows
    assert np.isfinite(rows).all()
    assert len({tuple(row) for row in rows}) == 3


@pytest.mark.parametrize(
    ("devices", "name"),
    [(["CPU"], "CPU"), (("CPUX", "CPU"), "CPU"), (["GPU.0", "CPU"], "GPU.0,CPU"), ("NPU", "NPU"), ([], ""), (None, "")],
)
def test_what_the_cpu_plugin_serves_is_one(devices: object, name: str) -> None:
    """Under whichever names it serves; what is not told, or odd, is one of its own."""
    assert served_by({} if devices is None else {"EXECUTION_DEVICES": devices}) == name


def test_points_are_the_same_in_every_process() -> None:
    """The order of the coordinates does not hang on how texts are hashed."""
    code = (
        "from ovtune.config import Config; from ovtune.points import as_run; "
        "effective = {'NUM_STREAMS': 1, 'INFERENCE_NUM_THREADS': 2, 'INFERENCE_PRECISION_HINT': 'f32'}; "
        "other = {'NUM_STREAMS': 2, 'INFERENCE_NUM_THREADS': 8, 'INFERENCE_PRECISION_HINT': 'bf16'}; "
        "many = [effective, other, other | {'NUM_STREAMS': 4}]; "
        "print(as_run([Config(device='CPU', nireq=1)] * 3, many).rows.tolist())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "22", "23")
    }
    assert len(told) == 1

"""What is exported, run by the tools that it is for: they end up with the settings that applying it comes to."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openvino as ov
import pytest

from ovtune.config import Config
from ovtune.document import text_of
from ovtune.model import digest
from tests import models, promised

pytestmark = pytest.mark.exports

BIN = Path(sys.executable).parent
OPENVINO = Path(ov.__file__).parent
COMPARED = (
    "NUM_STREAMS",
    "INFERENCE_NUM_THREADS",
    "INFERENCE_PRECISION_HINT",
    "ENABLE_CPU_PINNING",
    "EXECUTION_DEVICES",
)
CONFIGS = {
    "streams": Config(
        device="CPU",
        properties={"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 2, "ENABLE_CPU_PINNING": False},
        nireq=3,
        batch_size=4,
        precision="FP16",
    ),
    "hint": Config(
        device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}, nireq=1
    ),
    "sync": Config(device="CPU", properties={"PERFORMANCE_HINT": "LATENCY"}, nireq=1, api="sync"),
}
SECONDS = "0.5"


def run(*command: str, cwd: Path) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> Config:
    """One of the configs that every tool can express."""
    return CONFIGS[request.param]


def exported(tool: str, config: Config, folder: Path, path: str = "demo:mlp") -> tuple[Path, list[str], dict[str, str]]:
    """Writes an export: its folder, its command, and the settings that applying the document comes to."""
    document = folder / "best.json"
    tree = json.loads(text_of(promised.document(config, model={"name": "m", "path": path, "sha256": digest(path)})))
    document.write_text(json.dumps(tree))
    applied = json.loads(run(str(BIN / "ovtune"), "apply", "best.json", "--json", cwd=folder))
    tree["effective"] = applied["effective"]
    document.write_text(json.dumps(tree))
    made = json.loads(run(str(BIN / "ovtune"), "export", "best.json", "--to", tool, "--json", cwd=folder))
    effective = {name: spelled(applied["effective"][name]) for name in COMPARED}
    return folder / tool, shlex.split(made["command"]), effective


def spelled(value: Any) -> str:
    """A setting as any of the tools spells it, brought to one form."""
    text = str(value[0] if isinstance(value, list) else value)
    names = {"True": "YES", "False": "NO", "<Type: 'bfloat16'>": "bf16", "<Type: 'float32'>": "f32", "['CPU']": "CPU"}
    return names.get(text, text)


def same(found: Mapping[str, str], effective: Mapping[str, str]) -> None:
    """Checks that a tool ended up with these settings."""
    assert {name: spelled(found[name]) for name in COMPARED} == dict(effective)


def test_benchmark_app(config: Config, tmp_path: Path) -> None:
    """OpenVINO's benchmark_app, given the file and the command line, has the same settings, requests and batch."""
    folder, command, effective = exported("benchmark_app", config, tmp_path)
    assert command[-2:] == ["-t", "10"]
    output = run(str(BIN / command[0]), *command[1:-1], "1", cwd=folder)
    same(dict(re.findall(r"\[ INFO \] +(\w+): (.+)", output)), effective)
    assert f"Model batch size: {config.batch_size}" in output
    if config.nireq > 1:
        assert f"{config.nireq} inference requests" in output
    assert ("Start inference synchronously" in output) == (config.nireq == 1)


def test_python_program(config: Config, tmp_path: Path) -> None:
    """The Python program runs as it is, with the same settings, requests and batch."""
    folder, command, effective = exported("python", config, tmp_path)
    told = json.loads(run(sys.executable, command[1], "model.xml", SECONDS, cwd=folder))
    same(told["effective"], effective)
    assert (told["nireq"], told["shapes"]) == (config.nireq, [f"[{config.batch_size},256]"])
    assert told["throughput_per_s"] > 0


def test_cpp_program(config: Config, tmp_path: Path) -> None:
    """The C++ program compiles with the headers of OpenVINO's Python package, and has the same settings."""
    folder, command, effective = exported("cpp", config, tmp_path)
    compiler = command[: command.index("-lopenvino")]
    library = next((OPENVINO / "libs").glob("libopenvino.so.*"))
    run(
        *compiler,
        f"-I{OPENVINO / 'include'}",
        f"-L{library.parent}",
        f"-l:{library.name}",
        f"-Wl,-rpath,{library.parent}",
        "-lpthread",
        cwd=folder,
    )
    told = dict(
        line.split(" ", 1) for line in run("./run", "model.xml", SECONDS, cwd=folder).splitlines() if " " in line
    )
    same(told, effective)
    assert (int(told["nireq"]), told["shape"]) == (config.nireq, f"[{config.batch_size},256]")
    assert float(told["throughput_per_s"]) > 0


def test_onnx_runtime(tmp_path: Path) -> None:
    """ONNX Runtime takes the options, and its OpenVINO provider really runs the model."""
    path = models.light("squeezenet", tmp_path)
    config = Config(device="CPU", properties={"NUM_STREAMS": 2, "INFERENCE_PRECISION_HINT": "f32"}, nireq=2)
    folder, command, _ = exported("onnxruntime", config, tmp_path, path)
    told = run(sys.executable, command[1], path, SECONDS, cwd=folder)
    assert float(told.split()[1]) > 0


def test_automatic_batching(tmp_path: Path) -> None:
    """A program under automatic batching runs and ends."""
    config = Config(device="BATCH:CPU(4)", properties={"AUTO_BATCH_TIMEOUT": 20}, nireq=8)
    path = models.saved(models.dense(), tmp_path)
    document = promised.document(config, model={"name": "m", "path": path, "sha256": digest(path)})
    (tmp_path / "best.json").write_text(text_of(document))
    run(str(BIN / "ovtune"), "export", "best.json", "--to", "python", cwd=tmp_path)
    told = json.loads(run(sys.executable, "run.py", path, SECONDS, cwd=tmp_path / "python"))
    assert told["nireq"] == 8

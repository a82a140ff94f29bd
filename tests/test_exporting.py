"""What is said of an export whatever the tool, and which files there are."""

from pathlib import Path
from typing import Any

import pytest

from ovtune.cli.console import put
from ovtune.config import Config
from ovtune.exporting import Request, Written, write
from ovtune.model import digest
from tests import promised


def exported(folder: Path, **changes: Any) -> Written:
    """A Python program of a document with these parts, for a model that needs no conversion."""
    path = folder / "net.onnx"
    path.write_bytes(b"a model")
    model = {"name": "net", "path": str(path), "sha256": digest(str(path))}
    told = promised.document(Config(device="CPU", nireq=2), **({"model": model} | changes))
    return write(Request(document=told, path=str(path), tool="python", folder=folder / "out"))


def test_files(tmp_path: Path) -> None:
    """The files that are named are there, and of a sound document there is nothing to be said."""
    made = exported(tmp_path)
    assert (made.files, made.notes) == (("run.py",), ())
    assert (tmp_path / "out" / "run.py").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"sha256": "0" * 64}}, "is not the one that was measured"),
        ({"verdict": {"kind": "unconfirmed"}}, "the config was not confirmed"),
        ({"verdict": {"kind": "infeasible"}}, "the config did not meet the limits"),
        ({"caveats": [{"kind": "state_reset", "text": "The model keeps a state."}]}, "was reset before each inference"),
    ],
)
def test_doubts(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    """What is doubtful about a document is said with each export."""
    (note,) = exported(tmp_path, **changes).notes
    assert said in note


def test_what_stands_in_a_document_does_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control signs of a document are blanks in the line that is printed."""
    put("run in x: ovms --target_device CPU\x1b[31m\nrm -rf x")
    assert capsys.readouterr().out == "run in x: ovms --target_device CPU [31m rm -rf x\n"

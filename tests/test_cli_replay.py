"""``ovtune record`` and ``ovtune search --replay`` as they are typed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ovtune.recording_file import Writer, read
from tests import fake


def ovtune(folder: Path, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from ovtune.cli import main; main()", *arguments],
        cwd=folder,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "r.gz"
    held = fake.recording(rounds=8)
    with Writer(path, held.header) as writer:
        for record in held.records:
            writer.add(record)
    return path


def test_search_in_a_recording(recorded: Path, tmp_path: Path) -> None:
    """A search in a recording ends with one document on standard output, and with the study's files."""
    done = ovtune(tmp_path, "search", "--replay", str(recorded), "--trials", "6", "--latency", "p50", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["study"]["name"] == "mobilenet-replay"
    assert "trial 5 (6/6)" in done.stderr
    assert (tmp_path / "studies/mobilenet-replay/report.html").exists()


def test_compare(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two studies are compared in one table and one page, one of them in another folder; as JSON it is one document."""
    for folder in ("studies", "there"):
        arguments = ("--trials", "6", "--latency", "p50", "--studies", folder, "--quiet")
        assert ovtune(tmp_path, "search", "--replay", str(recorded), *arguments).returncode == 0
    done = ovtune(tmp_path, "compare", "mobilenet-replay", "there/mobilenet-replay")
    assert done.returncode == 0, done.stderr
    assert "balanced" in done.stdout
    page = tmp_path / "studies/mobilenet-replay/against-mobilenet-replay.html"
    assert done.stdout.splitlines()[-1] == str(page.relative_to(tmp_path))
    assert "there/mobilenet-replay" in page.read_text()
    told = json.loads(ovtune(tmp_path, "compare", "mobilenet-replay", "there/mobilenet-replay", "--json").stdout)
    assert [one["prefer"] for one in told["contests"]] == ["throughput", "latency", "balanced"]
    monkeypatch.setenv("OVTUNE_STORAGE", f"sqlite:///{tmp_path / 'studies/ovtune.db'}")
    elsewhere = ovtune(tmp_path, "compare", "mobilenet-replay", "gone/mobilenet-replay")
    assert "there are no studies in gone" in elsewhere.stderr
    monkeypatch.delenv("OVTUNE_STORAGE")
    lost = ovtune(tmp_path, "compare", "mobilenet-replay", "gone/mobilenet-replay")
    assert (lost.returncode, "there are no studies in gone" in lost.stderr) == (1, True)


@pytest.fixture(scope="module")
def searched(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the studies one and other in its studies folder."""
    folder = tmp_path_factory.mktemp("searched")
    for name in ("one", "other"):
        arguments = ("--trials", "6", "--latency", "p50", "--study", name, "--quiet")
        assert ovtune(folder, "search", "--replay", str(recorded), *arguments).returncode == 0
    return folder


@pytest.mark.parametrize("first", ["studies/one", "studies/one/", "./studies/one/", "one/"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_compare_takes_what_the_shell_completes(
    first: str, elsewhere: bool, searched: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder of a study's files names it, with or without a slash behind, and wherever the database is."""
    if elsewhere:
        folder = tmp_path / "copy"
        shutil.copytree(searched, folder)
        (folder / "studies/ovtune.db").rename(folder / "moved.db")
        monkeypatch.setenv("OVTUNE_STORAGE", f"sqlite:///{folder / 'moved.db'}")
        searched = folder
    done = ovtune(searched, "compare", first, "other", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["studies"] == ["one", "other"]
    assert f"under the goal of {first.rstrip('/')} (p50 latency)" in told["notes"][0]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("one", "one"), "one and one are the same study"),
        (("one", "studies/one/"), "one and studies/one are the same study"),
        (("", "one"), "a study's name is empty: give NAME, or FOLDER/NAME"),
        (("one", "/"), "a study's name is empty: give NAME, or FOLDER/NAME"),
    ],
)
def test_compare_refuses(names: tuple[str, str], says: str, searched: Path) -> None:
    """A study is not compared with itself, however it is named, and one without a name is told as such."""
    done = ovtune(searched, "compare", *names)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("search", "--replay", "absent.gz"), 1, "recording absent.gz cannot be read"),
        (("search", "--replay", "FILE", "--device", "GPU"), 2, "--device changes nothing"),
        (("search", "--replay", "FILE", "--latency", "p99.9"), 2, "p99.9"),
        (("search", "demo:mlp", "--replay", "FILE"), 2, "demo:mlp"),
        (("search", "--replay", "FILE", "--patience", "0"), 2, "--patience"),
        (("search", "--replay", "FILE", "--only-front"), 2, "--like"),
        (("search", "--replay", "FILE", "--like", "gone"), 1, "study gone does not exist here"),
        (("search", "--replay", "FILE", "--like", "mobilenet-replay"), 2, "names the study itself"),
        (("record", "demo:mlp"), 2, "--out"),
        (("record", "--out", "r.gz", "--rounds", "0"), 2, "--rounds"),
        (("record", "--out", "r.gz", "--configs", "0"), 2, "--configs"),
        (("record", "--out", "r.gz", "--duration", "soon"), 2, "soon"),
        (("record", "--out", "r.gz", "--load", "gently"), 2, "gently"),
    ],
)
def test_errors_are_one_line(
    recorded: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, says: str
) -> None:
    """What cannot be done is said in one line, with the status of its kind, and leaves nothing behind."""
    done = ovtune(tmp_path, *(str(recorded) if a == "FILE" else a for a in arguments))
    assert done.returncode == status
    assert done.stderr.startswith("ovtune: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.runtime
class TestRecord:
    """Recordings of this very host."""

    COMMAND = ("record", "demo:mlp", "--configs", "4", "--rounds", "2", "--duration", "50ms", "--out", "r.gz")

    def test_record_and_search_in_it(self, tmp_path: Path) -> None:
        """A recording holds each config in each round, is complete when asked for again, and can be searched in."""
        done = ovtune(tmp_path, *self.COMMAND)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "r.gz\n"
        assert len(done.stderr.splitlines()) == 8
        found = read(tmp_path / "r.gz")
        assert (len(found.records), len(found.configs), found.header.model.path) == (8, 4, "demo:mlp")
        assert {r.round for r in found.records} == {0, 1}
        assert any(r.baseline for r in found.records)
        assert found.records[0].started_s < found.records[-1].started_s < 120
        assert ovtune(tmp_path, *self.COMMAND).stderr == ""
        searched = ovtune(tmp_path, "search", "--replay", "r.gz", "--confirm", "10s", "--latency", "p50")
        assert searched.returncode == 0, searched.stderr

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        """Where the recording cannot be written nothing is measured."""
        (tmp_path / "nowhere").touch()
        done = ovtune(tmp_path, *self.COMMAND[:-1], "nowhere/r.gz")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert "nowhere/r.gz" in done.stderr

    def test_a_strange_file_is_left_alone(self, tmp_path: Path) -> None:
        """A file that is no recording is not written over."""
        (tmp_path / "r.gz").write_text("mine")
        assert ovtune(tmp_path, *self.COMMAND).returncode == 1
        assert (tmp_path / "r.gz").read_text() == "mine"

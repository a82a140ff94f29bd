import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ovtune import recording_file
from ovtune.errors import RecordingError
from ovtune.recording import Header, Record, Recording
from ovtune.recording_file import Writer, header_line, read
from ovtune.workload import ClosedLoop, ConstantRate
from tests import fake
from tests.value import configs, texts

SMALL = fake.recording(rounds=2)
HEADER: dict[str, Any] = {"format": "ovtune-recording", "version": 1}
LINE: dict[str, Any] = {
    "round": 0,
    "started_s": 12.5,
    "config": {"device": "CPU", "properties": {"STRANGE": "1", "DEEP": {"GPU": {"X": 2}}}, "nireq": 2},
    "ok": True,
    "reason": None,
    "throughput_per_s": 512.1,
    "latency_ms": {"mean": 4.0, "p50": 3.9, "p90": 4.1, "p95": 4.2, "p99": 4.4},
    "samples": 410,
    "elapsed_s": 0.8,
    "cost_s": 1.5,
}
_figures = st.floats(0.001, 9999).map(lambda value: float(f"{value:.6g}"))
records = st.builds(
    Record,
    round=st.integers(0, 99),
    started_s=_figures,
    config=configs,
    ok=st.just(True),
    throughput_per_s=_figures,
    latency_ms=st.dictionaries(st.sampled_from(["mean", "p90", "p95", "p99"]), _figures).flatmap(
        lambda rest: _figures.map(lambda p50: rest | {"p50": p50})
    ),
    samples=st.integers(1, 10**6),
    elapsed_s=_figures,
    cost_s=_figures,
    effective=st.none()
    | st.dictionaries(texts, texts | st.integers(-99, 99) | st.lists(texts, max_size=2), max_size=2),
    cpu_s=st.none() | _figures,
    host_busy=st.none() | _figures,
    samples_ms=st.none() | st.lists(_figures, min_size=1, max_size=3).map(tuple),
    baseline=st.none() | texts.filter(bool),
    memory_bytes=st.none() | st.integers(0, 2**40),
) | st.builds(
    Record,
    round=st.integers(0, 99),
    started_s=_figures,
    config=configs,
    ok=st.just(False),
    reason=texts,
    cost_s=_figures,
)


def put(path: Path, *lines: object) -> Path:
    """A recording's file of these lines: text as it stands, all else as JSON."""
    texts_ = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_bytes(gzip.compress("\n".join(texts_).encode()))
    return path


def write(path: Path, recording: Recording) -> Path:
    with Writer(path, recording.header) as writer:
        for record in recording.records:
            writer.add(record)
    return path


class TestRoundTrip:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
    @given(st.lists(records, min_size=1, max_size=4))
    def test_what_is_written_is_read(self, tmp_path: Path, some: list[Record]) -> None:
        """Whatever a record holds, the file gives it again, in the order of recorded time."""
        path = tmp_path / "some.jsonl.gz"
        path.unlink(missing_ok=True)
        found = read(write(path, replace(SMALL, records=tuple(some))))
        assert found.header == SMALL.header
        assert list(found.records) == sorted(some, key=lambda record: record.started_s)

    def test_form(self, tmp_path: Path) -> None:
        """A file is gzipped JSON lines, a header with its format and one line per visit, nulls left out."""
        lines = gzip.decompress(write(tmp_path / "r.gz", SMALL).read_bytes()).splitlines()
        assert len(lines) == 1 + len(SMALL.records)
        header, first = json.loads(lines[0]), json.loads(lines[1])
        assert (header["format"], header["version"], header["load"]) == ("ovtune-recording", 1, {"kind": "closed"})
        assert header["model"]["name"] == "mobilenet"
        assert header["environment"]["cpus"] == 2
        assert set(first["latency_ms"]) == {"mean", "p50", "p90", "p95", "p99"}
        assert (first["reason"], "samples_ms" in first) == (None, False)

    def test_a_visit_takes_little_room(self, tmp_path: Path) -> None:
        """Thousands of visits make a file of a few megabytes at most."""
        assert write(tmp_path / "r.gz", SMALL).stat().st_size < 400 * len(SMALL.records)

    def test_equal_files_have_equal_digests(self, tmp_path: Path) -> None:
        """The digest is that of the contents, not of the moment they were written in."""
        one, two = (read(write(tmp_path / name, SMALL)) for name in ("a.gz", "b.gz"))
        assert one == two


class TestOthers:
    """Recordings that others made."""

    def test_the_least_that_is_needed(self, tmp_path: Path) -> None:
        """A header of its format alone, and lines without anything optional, are read; unknown properties are kept."""
        found = read(put(tmp_path / "theirs.jsonl.gz", HEADER, LINE))
        assert found.header.model.name == "theirs"
        assert found.header.model.sha256 == "0" * 64
        assert found.header.workload == ClosedLoop()
        assert found.header.environment.cpus == 1
        assert found.records[0].config.properties == {"STRANGE": "1", "DEEP": {"GPU": {"X": 2}}}
        assert found.records[0].effective is None

    @pytest.mark.parametrize(
        ("load", "workload"),
        [
            ("closed", ClosedLoop()),
            ({"kind": "closed"}, ClosedLoop()),
            (None, ClosedLoop()),
            ("interval:30ms", ConstantRate(interval_s=0.03)),
            ({"kind": "interval", "interval_s": 0.03}, ConstantRate(interval_s=0.03)),
        ],
    )
    def test_loads(self, tmp_path: Path, load: object, workload: object) -> None:
        """A load is told as on the command line, or as in a config document."""
        assert read(put(tmp_path / "r.gz", HEADER | {"load": load}, LINE)).header.workload == workload

    def test_what_is_told_of_model_and_host_is_taken(self, tmp_path: Path) -> None:
        """Of a model a name is enough; of a host what fits is taken, and what does not is as if it were not told."""
        told = {"cpu": "Odd CPU", "cpus": 64, "devices": ["GPU"], "mood": "good", "quota": 2}
        header = read(put(tmp_path / "r.gz", HEADER | {"model": "resnet", "environment": told}, LINE)).header
        assert (header.model.name, header.environment.cpu, header.environment.cpus) == ("resnet", "Odd CPU", 64)
        assert (header.environment.quota, header.environment.devices) == (2.0, {})

    @pytest.mark.parametrize("told", [{"cpus": "8"}, {"cpus": 0}, {"quota": -1}, {"memory_bytes": -1}])
    def test_numbers_of_a_host_that_cannot_be_are_as_if_not_told(self, tmp_path: Path, told: dict[str, object]) -> None:
        """A count as text is read; none, or one below it, such as a quota that means unlimited, is left out."""
        found = read(put(tmp_path / "r.gz", HEADER | {"environment": told}, LINE)).header.environment
        assert (found.cpus, found.quota, found.memory_bytes) == (8 if told == {"cpus": "8"} else 1, None, 0)

    def test_unknown_fields_and_blank_lines_are_passed_over(self, tmp_path: Path) -> None:
        """A newer writer may say more, and a line may be empty."""
        assert len(read(put(tmp_path / "r.gz", HEADER | {"x": 1}, "", LINE | {"y": [1]}, "")).records) == 1

    def test_order_is_that_of_time(self, tmp_path: Path) -> None:
        """Lines are sorted by the time that they began at, wherever they stand."""
        found = read(put(tmp_path / "r.gz", HEADER, LINE | {"started_s": 9}, LINE | {"started_s": 2}))
        assert [record.started_s for record in found.records] == [2, 9]


class TestHostile:
    """Files that are none, or only nearly one."""

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"started_s": float("nan")}, "NaN"),
            ({"throughput_per_s": float("inf")}, "Infinity"),
            ({"config": {"device": "CPU", "nireq": 1, "properties": {"X": float("nan")}}}, "NaN"),
            ({"cost_s": -1}, "cost_s"),
            ({"cost_s": None}, "cost_s"),
            ({"elapsed_s": 0}, "elapsed_s"),
            ({"samples": 0}, "samples"),
            ({"samples": 2**70}, "samples"),
            ({"round": "first"}, "round"),
            ({"ok": "perhaps"}, "ok"),
            ({"latency_ms": {"p50": -3}}, "latency_ms"),
            ({"latency_ms": [1, 2]}, "latency_ms"),
            ({"samples_ms": [1, 0]}, "samples_ms"),
            ({"config": {"device": "CPU", "nireq": 0}}, "nireq"),
            ({"config": {"device": "", "nireq": 1}}, "device"),
            ({"config": {"device": "CPU", "nireq": 1, "streams": 4}}, "streams"),
            ({"config": "CPU"}, "config"),
        ],
    )
    def test_a_wrong_line_is_named(self, tmp_path: Path, change: dict[str, object], says: str) -> None:
        """One line says which line of the file is wrong, and what in it."""
        path = put(tmp_path / "r.gz", HEADER, LINE, LINE | change)
        with pytest.raises(RecordingError, match=f"line 3: .*{says}") as caught:
            read(path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("text", ["[1]", "{", "7", "\x00", "[" * 100_000, '{"a": 1e999}'])
    def test_what_is_no_json_object(self, tmp_path: Path, text: str) -> None:
        """A line that is no JSON object is named."""
        with pytest.raises(RecordingError, match="line 2"):
            read(put(tmp_path / "r.gz", HEADER, text))

    @pytest.mark.parametrize(
        ("header", "says"),
        [
            ({"format": "ovtune-config", "version": 1}, "format"),
            ({"format": "ovtune-recording", "version": 2}, "version 2, this ovtune reads 1"),
            ({"format": "ovtune-recording", "version": True}, "version True"),
            ({"format": "ovtune-recording"}, "version None"),
            (HEADER | {"load": "gently"}, "gently"),
            (HEADER | {"load": {"kind": "interval", "interval_s": -1}}, "interval"),
            (HEADER | {"created": "yesterday"}, "yesterday"),
            (HEADER | {"model": {"name": "x", "inputs": 7}}, "inputs"),
            (LINE, "format"),
        ],
    )
    def test_a_wrong_header(self, tmp_path: Path, header: dict[str, object], says: str) -> None:
        """A file of another format, of a newer version, or with a header that cannot be read is refused."""
        with pytest.raises(RecordingError, match=f"line 1: .*{says}"):
            read(put(tmp_path / "r.gz", header, LINE))

    def test_no_whole_gzip_file(self, tmp_path: Path) -> None:
        """A file that was cut off anywhere, damaged, or never compressed is refused."""
        whole = write(tmp_path / "whole.gz", SMALL).read_bytes()
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 255
        for data in (*(whole[:n] for n in range(1, len(whole), 97)), bytes(damaged), b"{}", header_line(SMALL.header)):
            path = tmp_path / "r.gz"
            path.write_bytes(data)
            with pytest.raises(RecordingError, match=r"r\.gz"):
                read(path)

    @pytest.mark.parametrize(("lines", "says"), [((), "is empty"), ((HEADER,), "holds no visit")])
    def test_nothing_in_it(self, tmp_path: Path, lines: tuple[object, ...], says: str) -> None:
        """A file without a visit has nothing to measure in."""
        with pytest.raises(RecordingError, match=says):
            read(put(tmp_path / "r.gz", *lines))

    @pytest.mark.parametrize("name", ["absent.gz", "."])
    def test_no_file(self, tmp_path: Path, name: str) -> None:
        """A path that is not there, or is a folder, is said to be so."""
        with pytest.raises(RecordingError, match="cannot be read"):
            read(tmp_path / name)

    def test_size_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither one endless line nor endlessly many of them fill the memory."""
        monkeypatch.setattr(recording_file, "_MOST_IN_A_LINE", 2000)
        monkeypatch.setattr(recording_file, "_MOST_IN_ALL", 9000)
        for lines in ((LINE | {"reason": "x" * 3000},), (LINE,) * 40):
            with pytest.raises(RecordingError, match="larger than"):
                read(put(tmp_path / "r.gz", HEADER, *lines))


class TestWriting:
    def test_going_on(self, tmp_path: Path) -> None:
        """A recording that is opened again holds what it did, keeps its header, and takes more."""
        path = write(tmp_path / "r.gz", replace(SMALL, records=SMALL.records[:3]))
        with Writer(path, replace(SMALL.header, created="2026-11-20T09:00:00+00:00")) as writer:
            assert writer.header == SMALL.header
            assert len(writer.records) == 3
            writer.add(SMALL.records[3])
        assert [r.config for r in read(path).records] == [r.config for r in SMALL.records[:4]]

    @pytest.mark.parametrize("cut", [0, 1, 40])
    def test_a_killed_writer_loses_nothing(self, tmp_path: Path, cut: int) -> None:
        """What was added is there after a kill, but for a last line that was not written to its end."""
        path = tmp_path / "r.gz"
        killed = Writer(path, SMALL.header)
        for record in SMALL.records[:3]:
            killed.add(record)
        killed._stream.close()
        part = tmp_path / "r.gz.part"
        part.write_bytes(part.read_bytes()[: -cut or None])
        with Writer(path, SMALL.header) as writer:
            assert len(writer.records) == (2 if cut else 3)
            writer.add(SMALL.records[3])
        assert len(read(path).records) == (3 if cut else 4)
        assert sorted(tmp_path.iterdir()) == [path]

    def test_a_kill_while_going_on_keeps_what_was_before(self, tmp_path: Path) -> None:
        """A finished recording that is extended and cut off holds both parts."""
        path = write(tmp_path / "r.gz", replace(SMALL, records=SMALL.records[:3]))
        killed = Writer(path, SMALL.header)
        killed.add(SMALL.records[3])
        killed._stream.close()
        with Writer(path, SMALL.header) as writer:
            assert len(writer.records) == 4

    def test_killed_in_its_first_line(self, tmp_path: Path) -> None:
        """Where not even the header was written to its end, the recording begins anew."""
        (tmp_path / "r.gz.part").write_bytes(header_line(SMALL.header)[:-9])
        with Writer(tmp_path / "r.gz", SMALL.header) as writer:
            assert writer.records == []

    def test_nothing_added_leaves_nothing(self, tmp_path: Path) -> None:
        """A recording without a visit is no file."""
        write(tmp_path / "r.gz", replace(SMALL, records=()))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("header", "says"),
        [
            (replace(SMALL.header, model=replace(fake.MODEL, sha256="1" * 64)), "model"),
            (replace(SMALL.header, workload=ConstantRate(interval_s=0.03)), "load"),
            (replace(SMALL.header, environment=replace(fake.ENVIRONMENT, cpus=64)), "cpus: 64, not 2"),
        ],
    )
    def test_other_circumstances_are_refused(self, tmp_path: Path, header: Header, says: str) -> None:
        """A recording of another model, load or host is not mixed with this one, and left as it is."""
        path = write(tmp_path / "r.gz", SMALL)
        before = path.read_bytes()
        with pytest.raises(RecordingError, match=says):
            Writer(path, header)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("data", [b"a photograph", gzip.compress(b"{}")], ids=["no gzip", "no recording"])
    def test_a_strange_file_is_not_overwritten(self, tmp_path: Path, data: bytes) -> None:
        """Whatever stands at the path and is no recording stays there."""
        path = tmp_path / "r.gz"
        path.write_bytes(data)
        with pytest.raises(RecordingError):
            Writer(path, SMALL.header)
        assert path.read_bytes() == data

    def test_no_place_to_write(self, tmp_path: Path) -> None:
        """A folder that cannot be written in is said to be so, in one line."""
        (tmp_path / "file").touch()
        with pytest.raises(RecordingError, match="cannot be written"):
            Writer(tmp_path / "file" / "r.gz", SMALL.header)

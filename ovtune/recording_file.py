"""The file of a recording: gzipped JSON lines, the first one a header.

Anybody may have made one. So each line is checked and a wrong one named by its number, what is optional may be absent,
fields that are not known are passed over, and no file can make its reader hold more than some hundred megabytes.
"""

import contextlib
import gzip
import hashlib
import io
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

import pydantic

from ovtune import codec, whole
from ovtune.config import Config
from ovtune.environment import Environment
from ovtune.errors import RecordingError, StorageError, UsageError
from ovtune.model import Model
from ovtune.recording import Header, Record, Recording
from ovtune.workload import ClosedLoop, Workload, parse, searched_under

FORMAT = "ovtune-recording"
VERSION = 1
_MOST_IN_A_LINE = 8_000_000
_MOST_IN_ALL = 256_000_000
_CONFIG_FIELDS = frozenset(Config.__slots__)
_UNKNOWN_SHA256 = "0" * 64


def read(path: str | Path) -> Recording:
    """The recording at ``path``.

    Raises:
        RecordingError: it cannot be read, is none, is of a newer version, or has a wrong line; the message says which.
    """
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as stream:
                header, records = _parsed(stream, str(path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(
            f"recording {path} is no whole gzip file ({error}): make it again, or get it again"
        ) from error
    except OSError as error:
        raise RecordingError(f"recording {path} cannot be read ({error.strerror}): check the path") from error
    if not records:
        raise RecordingError(f"recording {path} holds no visit: record some, with ovtune record --out {path}")
    ordered = tuple(sorted(records, key=lambda record: record.started_s))
    return Recording(header=header, records=ordered, sha256=digest)


class Writer:
    """Adds to a recording, which is always safe: a visit that was added is kept, whatever happens then.

    While it is open, the lines stand in ``FILE.part``, as plain text; closing turns them into ``FILE``. Opening goes
    on with either, so that the same recording can be begun again after a crash, and extended after its end.

    Args:
        path: The recording's file.
        header: What is common; what is there already must have been made under the same circumstances.

    Raises:
        RecordingError: what is there is no recording or another one's, or the file cannot be written.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        with _written(path):
            self.header, found = self._found(header)
            self.records = list(found)
            self._stream = self._part.open("ab")

    def add(self, record: Record) -> None:
        """Adds one visit, and brings it to the disk."""
        with _written(self._path):
            self._stream.write(_line(record))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self.records.append(record)

    def close(self) -> None:
        """Makes the recording's file of all that was added; where nothing ever was, none."""
        with _written(self._path):
            self._stream.close()
            if self.records:
                whole.write(self._path, gzip.compress(self._part.read_bytes(), mtime=0))
            self._part.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _found(self, wanted: Header) -> tuple[Header, Iterable[Record]]:
        """The header and the records that are there already; the part holds just these lines from now on."""
        lines = b""
        if self._part.exists():
            lines = self._part.read_bytes()
            lines = lines[: lines.rfind(b"\n") + 1]  # a last line that was cut off is measured again
        elif self._path.exists():
            read(self._path)
            lines = gzip.decompress(self._path.read_bytes())
        if not lines:
            whole.write(self._part, header_line(wanted))
            return wanted, ()
        header, records = _parsed(io.BytesIO(lines), str(self._path))
        differences = list(wanted.environment.differences(header.environment))
        if header.model.sha256 != wanted.model.sha256:
            differences.append(f"model: {wanted.model.path}, not {header.model.path}")
        if header.workload != wanted.workload:
            differences.append("another load")
        if differences:
            raise RecordingError(
                f"recording {self._path} was made under other circumstances ({'; '.join(differences)}): "
                "name another file with --out"
            )
        whole.write(self._part, lines)
        return header, records


def header_line(header: Header) -> bytes:
    """The first line of a recording."""
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "model": json.loads(codec.dump(header.model, Model)),
        "load": json.loads(codec.dump(header.workload, Workload)),
        "environment": json.loads(codec.dump(header.environment, Environment)),
        "created": header.created,
    }
    return json.dumps(tree, separators=(",", ":")).encode() + b"\n"


def _line(record: Record) -> bytes:
    """A record as a line, without what it does not tell, figures to six digits."""
    tree = json.loads(codec.dump(record, Record))
    for name in [name for name, value in tree.items() if value is None and name != "reason"]:
        del tree[name]
    return json.dumps(_short(tree), separators=(",", ":")).encode() + b"\n"


def _short(tree: Any) -> Any:
    """A tree with its real numbers rounded, but for those of the config: a deployment applies them as they are."""
    if isinstance(tree, dict):
        return {name: value if name == "config" else _short(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_short(value) for value in tree]
    return float(f"{tree:.6g}") if isinstance(tree, float) else tree


def _parsed(stream: IO[bytes] | gzip.GzipFile, name: str) -> tuple[Header, list[Record]]:
    """The header and the records in a stream of lines; ``name`` is what errors call it."""
    header: Header | None = None
    records: list[Record] = []
    for number, line in enumerate(_lines(stream, name), start=1):
        try:
            tree = _tree(line)
            if header is None:
                header = _header(tree, name)
            else:
                records.append(_record(tree, line))
        except (ValueError, RecursionError, UsageError) as error:
            raise RecordingError(
                f"recording {name}, line {number}: {_complaint(error)}: give a file in the form of ovtune record"
            ) from error
    if header is None:
        raise RecordingError(f"recording {name} is empty: make one with ovtune record")
    return header, records


def _tree(line: bytes) -> dict[str, Any]:
    tree = json.loads(line, parse_float=_finite, parse_constant=_finite)
    if not isinstance(tree, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - of the line, not of the program
    return tree


def _lines(stream: IO[bytes] | gzip.GzipFile, name: str) -> Iterator[bytes]:
    """The lines of a stream that are not blank, none longer and all together no larger than what is reasonable."""
    total = 0
    while line := stream.readline(_MOST_IN_A_LINE + 1):
        total += len(line)
        if len(line) > _MOST_IN_A_LINE or total > _MOST_IN_ALL:
            raise RecordingError(
                f"recording {name} is larger than {_MOST_IN_ALL} bytes, or a line of it than {_MOST_IN_A_LINE}: "
                "record fewer visits, or without --samples"
            )
        if line.strip():
            yield line


def _header(tree: dict[str, Any], name: str) -> Header:
    """The first line, of whose parts others may have written less than ovtune does."""
    if tree.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    version = tree.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ValueError(f"it is of version {version!r}, this ovtune reads {VERSION}")
    created = str(tree.get("created") or "")
    datetime.fromisoformat(created or "2026-01-01")
    return Header(
        model=_model(tree.get("model"), name),
        workload=_workload(tree.get("load")),
        environment=_environment(tree.get("environment")),
        created=created,
    )


def _model(told: Any, name: str) -> Model:
    known = told if isinstance(told, dict) else {"name": told} if isinstance(told, str) else {}
    called = str(known.get("name") or Path(name).name.partition(".")[0])
    usual = {"name": called, "path": called, "sha256": _UNKNOWN_SHA256, "inputs": ()}
    tree = usual | {key: value for key, value in known.items() if value is not None}
    model: Model = codec.load(json.dumps(tree), Model)
    digest = model.sha256.lower()
    proper = len(digest) == len(_UNKNOWN_SHA256) and set(digest) <= set("0123456789abcdef")
    return replace(model, sha256=digest if proper else _UNKNOWN_SHA256)


def _workload(told: Any) -> Workload:
    if told is None:
        return ClosedLoop()
    if isinstance(told, str):
        load = parse(told)
        if searched_under(load) != load:
            raise ValueError(f"its load {told!r} is not that of a visit")
        return searched_under(load)
    workload: Workload = codec.load(json.dumps(told), Workload)
    return workload


def _environment(told: Any) -> Environment:
    """What is told of the host; of what ovtune does not know or cannot read as its own, nothing."""
    known = told if isinstance(told, dict) else {}
    usual = {
        "openvino": "unknown",
        "devices": {},
        "cpu": "unknown",
        "cpus": 1,
        "quota": None,
        "memory_bytes": 0,
        "system": "unknown",
    }
    found = dict(usual)
    for key, value in known.items():
        try:
            one: Environment = codec.load(json.dumps(usual | {key: value}), Environment)
        except ValueError:
            continue
        if one.cpus >= 1 and one.memory_bytes >= 0 and (one.quota is None or one.quota > 0):
            found[key] = value
    environment: Environment = codec.load(json.dumps(found), Environment)
    return environment


def _record(tree: dict[str, Any], line: bytes) -> Record:
    config = tree.get("config")
    strange = set(config) - _CONFIG_FIELDS if isinstance(config, dict) else ()
    if strange:
        raise ValueError(f"config has {', '.join(sorted(strange))}, which is not known: write it as a property")
    record: Record = codec.load(line, Record)
    return record


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no number that it could hold")
    return value


def _complaint(error: Exception) -> str:
    """What is wrong, in one line."""
    if isinstance(error, pydantic.ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    return str(error).partition("\n")[0] or type(error).__name__


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turns what writing a file can raise into our own error."""
    try:
        yield
    except (OSError, StorageError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RecordingError(f"recording {path} cannot be written ({why}): choose another place with --out") from error

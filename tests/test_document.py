import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovtune import document as documents
from ovtune.config import Config
from ovtune.document import Document, config_of, parse, part_of, read, schema, text_of
from ovtune.errors import DocumentError, StorageError
from ovtune.goal import Goal
from ovtune.recommendation import document_of
from ovtune.result import conclude
from ovtune.whole import write
from tests import fake
from tests.value import configs

TEXT = text_of(document_of(conclude(fake.study(), Goal())))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def tree() -> dict[str, Any]:
    """The JSON of a whole document."""
    loaded: dict[str, Any] = json.loads(TEXT)
    return loaded


def paths(value: Any, so_far: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands in a JSON tree: every field and every element."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, inner in inside for p in ((*so_far, key), *paths(inner, (*so_far, key)))]


PATHS = paths(tree())
FIELDS = [p for p in PATHS if "effective" not in p[:-1] and not isinstance(p[-1], int)]


def parent_of(root: Any, path: tuple[str | int, ...]) -> Any:
    for step in path[:-1]:
        root = root[step]
    return root


def refused(change: Callable[[dict[str, Any]], object]) -> str:
    """What is said of a document after ``change``, on one line."""
    root = tree()
    change(root)
    with pytest.raises(DocumentError) as caught:
        parse(json.dumps(root), name="best.json")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_document_comes_back_as_it_was_written() -> None:
    """Writing and reading give the same document, and the same text again."""
    document = parse(TEXT, name="x")
    assert document == document_of(conclude(fake.study(), Goal()))
    assert text_of(document) == TEXT
    assert json.loads(TEXT)["format"] == "ovtune-config"


@given(config=configs)
def test_every_config_comes_back(config: Config) -> None:
    """Any config, with every kind of property and shape, survives the document with the types of its values."""
    root = tree()
    root["config"] = json.loads(part_of(config).model_dump_json())
    back = parse(json.dumps(root), name="x").to_config()
    assert back == config
    assert back.key == config.key
    assert config_of(part_of(config)) == config


def test_kinds_of_values_are_kept_apart() -> None:
    """True is not 1, 1 is not 1.0, "1" is not 1: a property is applied as it was measured."""
    values: dict[str, Any] = {"A": True, "B": 1, "C": 1.0, "D": "1", "E": "YES", "F": 0, "G": False}
    nested = {"DEVICE_PROPERTIES": {"CPU": values}}
    config = Config(device="CPU", properties=values | nested, nireq=1)
    root = tree()
    root["config"] = json.loads(part_of(config).model_dump_json())
    back = parse(json.dumps(root), name="x").to_config()
    assert {k: type(v) for k, v in back.properties.items()} == {k: type(v) for k, v in (values | nested).items()}
    inner = back.properties["DEVICE_PROPERTIES"]
    assert isinstance(inner, dict)
    assert {k: (type(v), v) for k, v in inner["CPU"].items()} == {k: (type(v), v) for k, v in values.items()}


@pytest.mark.parametrize("path", [p for p in FIELDS if p[-1] not in {"properties", "shapes"}][:80], ids=str)
def test_missing_field_is_named(path: tuple[str | int, ...]) -> None:
    """Each field of the form is needed, and the error names the one that is missing; maps may lack any key."""
    if parent_is_map(path):
        root = tree()
        del parent_of(root, path)[path[-1]]
        parse(json.dumps(root), name="x")
        return
    said = refused(lambda root: parent_of(root, path).pop(path[-1]))
    assert str(path[-1]) in said or path == ("format",) or path[-1] == "unavailable"


def parent_is_map(path: tuple[str | int, ...]) -> bool:
    optional = {
        ("goal", "min_throughput_per_s"),
        ("goal", "max_memory_bytes"),
        ("goal", "max_error"),
        ("goal", "deadline_ms"),
        ("load", "interval_s"),
        ("verdict", "rival"),
    }
    optional |= {("verdict", name) for name in ("cost_ratio", "metric", "work")}
    optional |= {("load", name) for name in ("rate_per_s", "cameras", "frames_per_s")}
    maps = {"properties", "latency_ms", "effective", "devices", "shapes"}
    return (
        path in optional
        or path[-1] in {"outputs", "soak", "energy_mj_per_inference", "energy", "beside", "capacity"}
        or (len(path) > 1 and path[-2] in maps)
    )


@pytest.mark.parametrize("path", [p for p in FIELDS if "latency_ms" not in p[:-1]], ids=str)
def test_wrong_type_is_named(path: tuple[str | int, ...]) -> None:
    """A value of a type that no field has is refused wherever it stands, and the error names the field."""
    said = refused(lambda root: parent_of(root, path).update({path[-1]: [[]]}))
    named = ".".join(map(str, path)).split(".properties")[0]
    assert named in said or path == ("format",)


@pytest.mark.parametrize("where", [(), ("config",), ("measured",), ("baseline", "config"), ("front", 0), ("study",)])
def test_unknown_field_is_named(where: tuple[str | int, ...]) -> None:
    """A field that no version knows is refused by name, at any depth."""
    said = refused(lambda root: parent_of(root, (*where, "x")).update(surprise=1))
    assert ".".join(map(str, (*where, "surprise"))) in said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2, "is of version 2, this ovtune reads 1: upgrade ovtune"),
        (10**30, "upgrade ovtune"),
        (0, "version"),
        (True, "version"),
        (1.0, "version"),
        ("1", "version"),
        (None, "version"),
    ],
)
def test_other_versions_are_refused(value: object, said: str) -> None:
    """A newer version says what to do; what is no version is refused by the field's name."""
    assert said in refused(lambda root: root.update(version=value))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no proper JSON"),
        (b"\x00\xff", "no proper JSON"),
        (TEXT.encode() + b"\xff", "no proper JSON"),
        (TEXT[:-100].encode(), "no proper JSON"),
        (TEXT.encode() + b"{}", "no proper JSON"),
        (b"[]", "not an ovtune-config document"),
        (b"null", "not an ovtune-config document"),
        (b"3", "not an ovtune-config document"),
        (b'{"format": "ovtune-recording", "version": 1}', "not an ovtune-config document"),
        (TEXT.replace('"nireq": 1', '"nireq": NaN', 1).encode(), "NaN"),
        (TEXT.replace('"nireq": 1', '"nireq": -Infinity', 1).encode(), "-Infinity"),
        (TEXT.replace('"effective": {', '"effective": {"a": 1e999,', 1).encode(), "1e999"),
        (TEXT.replace('"nireq": ', '"nireq": 1, "nireq": ', 1).encode(), "nireq stands there twice"),
        (TEXT.replace('"effective": {', '"effective": {"a": ' + "[" * 100_000 + ",", 1).encode(), "recursion"),
        (TEXT.replace('"effective": {', '"effective": {"a": ' + "9" * 5000 + ",", 1).encode(), "no proper JSON"),
        (TEXT.encode("utf-16"), "Invalid JSON"),
    ],
)
def test_what_is_no_document_is_refused(data: bytes, said: str) -> None:
    """What is no JSON, no object, cut off, nested without end or holds what is no number gives one clear line."""
    with pytest.raises(DocumentError) as caught:
        parse(data, name="best.json")
    assert said in str(caught.value)
    assert "config best.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("config", "nireq"), 0),
        (("config", "nireq"), 10**400),
        (("config", "nireq"), True),
        (("config", "nireq"), 1.0),
        (("config", "batch_size"), -1),
        (("config", "device"), ""),
        (("config", "api"), "threads"),
        (("config", "shapes"), {"x": [1, -1]}),
        (("config", "properties"), {"P": None}),
        (("config", "properties"), {"P": {"CPU": 1}}),
        (("model", "sha256"), "0" * 63),
        (("goal", "margin"), 10**400),
        (("measured", "samples"), 10**400),
        (("measured", "throughput_per_s"), {"value": -1.0, "low": 0.0, "high": 1.0, "next_low": 0.0, "next_high": 1.0}),
        (("verdict", "kind"), "best"),
        (("load", "kind"), "camera"),
    ],
    ids=str,
)
def test_value_out_of_range_is_named(path: tuple[str, ...], value: object) -> None:
    """A number, a choice or a text outside of what it may be is refused by the field's name."""
    assert ".".join(path) in refused(lambda root: parent_of(root, path).update({path[-1]: value}))


@pytest.mark.parametrize("where", [("config",), ("baseline", "config"), ("front", 0, "config")])
def test_parts_that_do_not_fit_together_are_refused(where: tuple[str | int, ...]) -> None:
    """A synchronous config with several requests is refused wherever it stands."""
    said = refused(lambda root: parent_of(root, (*where, "x")).update(api="sync", nireq=4))
    assert "api sync" in said


@given(data=st.data())
@settings(max_examples=1000, deadline=None)
def test_mutated_document_is_read_or_refused(data: st.DataObject) -> None:
    """A document with any values put in, taken out or doubled is a document or a DocumentError, and nothing else."""
    root = tree()
    for path in data.draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=3)):
        try:
            parent = parent_of(root, path)
            match data.draw(st.sampled_from(["put", "delete", "add"])):
                case "put":
                    parent[path[-1]] = data.draw(JSON_VALUES)
                case "delete":
                    del parent[path[-1]]
                case _ if isinstance(parent, dict):
                    parent[data.draw(st.text(max_size=5))] = data.draw(JSON_VALUES)
        except (KeyError, IndexError, TypeError):
            continue
    read_or_refused(json.dumps(root))


@given(data=st.data())
@settings(max_examples=1000, deadline=None)
def test_mutated_bytes_are_read_or_refused(data: st.DataObject) -> None:
    """A file with bytes flipped, cut out or put in is a document or a DocumentError, and nothing else."""
    raw = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    read_or_refused(bytes(raw))


def read_or_refused(data: bytes | str) -> None:
    try:
        document = parse(data, name="x")
    except DocumentError as error:
        assert str(error).startswith("config ")  # noqa: PT017 - both ends are right
    else:
        assert parse(text_of(document), name="x") == document


def test_schema_describes_what_is_written() -> None:
    """The published JSON Schema accepts what is written and refuses an unknown field and a wrong type."""
    jsonschema = importlib.import_module("jsonschema")
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    assert list(validator.iter_errors(tree())) == []
    changes: list[dict[str, object]] = [{"surprise": 1}, {"version": 2}, {"config": {}}, {"front": {}}]
    for change in changes:
        assert list(validator.iter_errors(tree() | change))


def test_schema_is_shipped() -> None:
    """The file in the package is the schema of today's documents, as ``json.dumps(schema(), indent=2)`` writes it."""
    shipped = Path(documents.__file__).with_name("document.schema.json")
    assert shipped.read_text(encoding="utf-8") == json.dumps(schema(), indent=2) + "\n"


def test_file_is_read(tmp_path: Path) -> None:
    """A document is read from its file."""
    write(tmp_path / "best.json", TEXT)
    assert read(tmp_path / "best.json") == parse(TEXT, name="x")
    assert isinstance(read(str(tmp_path / "best.json")), Document)


def test_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a directory and one that is too large are refused with the path."""
    for path in (tmp_path / "nosuch.json", tmp_path):
        with pytest.raises(DocumentError, match=str(path)):
            read(path)
    (tmp_path / "large").write_text(TEXT)
    monkeypatch.setattr(documents, "_MOST_BYTES", 100)
    with pytest.raises(DocumentError, match="larger than 100 bytes"):
        read(tmp_path / "large")


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


class TestWrite:
    def test_it_makes_the_folder_and_replaces_the_file(self, tmp_path: Path) -> None:
        """The folder is made where it is missing; an older file gives way to the new one; nothing else is left."""
        target = tmp_path / "a" / "b" / "best.json"
        for text in ("one", "two ü"):
            write(target, text)
            assert target.read_text(encoding="utf-8") == text
        assert names(target.parent) == ["best.json"]
        assert target.stat().st_mode & 0o777 == 0o644

    @pytest.mark.parametrize("step", ["replace", "chmod"])
    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    def test_failure_leaves_the_old_file_and_no_half_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
    ) -> None:
        """When it cannot be finished, the file that was there is as it was, and no partial one stays."""
        target = tmp_path / "best.json"
        write(target, "old")

        def fail(*_: object, **__: object) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(Path, step, fail)
            with pytest.raises(StorageError if isinstance(error, OSError) else KeyboardInterrupt):
                write(target, "new")
        assert target.read_text() == "old"
        assert names(tmp_path) == ["best.json"]

    def test_text_that_cannot_be_encoded_leaves_nothing(self, tmp_path: Path) -> None:
        """A lone surrogate, as from a file name that is no UTF-8, leaves no partial file."""
        with pytest.raises((StorageError, UnicodeEncodeError)):
            write(tmp_path / "best.json", "a\udce9")
        assert names(tmp_path) == []

    def test_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        """A folder that is a file, and a target that is a folder, are refused by one line with the path."""
        (tmp_path / "file").write_text("")
        (tmp_path / "folder" / "inside").mkdir(parents=True)
        for target in (tmp_path / "file" / "best.json", tmp_path / "folder"):
            with pytest.raises(StorageError, match=str(target)):
                write(target, TEXT)
        assert {p.name for p in tmp_path.iterdir()} == {"file", "folder"}


def test_old_document_without_later_fields_is_read() -> None:
    """Fields that came later than version 1's first documents may be missing: the limits and the load's interval."""
    root = tree()
    for part, name in (("goal", "min_throughput_per_s"), ("goal", "max_memory_bytes"), ("load", "interval_s")):
        root[part].pop(name)
    assert parse(json.dumps(root), name="x") == parse(TEXT, name="x")


def test_config_of_a_document_is_the_recommended_one() -> None:
    """What a deployment applies is exactly the config that the result recommends."""
    result = conclude(fake.study(), Goal())
    assert document_of(result).to_config() == result.recommended
    assert replace(result.recommended, nireq=7) != document_of(result).to_config()


@pytest.mark.parametrize("properties", [{"CACHE_DIR": "/x"}, {"DEVICE_PROPERTIES": {"CPU": {"WEIGHTS_PATH": "/x"}}}])
def test_document_touches_no_files(properties: dict[str, Any]) -> None:
    """A document is data: a property that makes the runtime read or write files is refused by name."""
    root = tree()
    root["config"]["properties"] = properties
    with pytest.raises(DocumentError, match="which touches files"):
        parse(json.dumps(root), name="x")


@pytest.mark.parametrize(
    ("device", "properties", "said"),
    [
        (
            "AUTO",
            {"MULTI_DEVICE_PRIORITIES": "GPU,CPU"},
            "names devices by MULTI_DEVICE_PRIORITIES: write them into its",
        ),
        ("AUTO", {"DEVICE_PROPERTIES": "{GPU:{NUM_STREAMS:1}}"}, "names devices by DEVICE_PROPERTIES"),
        ("GPU", {"DEVICE_ID": 1}, "names devices by DEVICE_ID"),
        ("BATCH:CPU(99999999999)", {}, r"batches on BATCH:CPU\(99999999999\): a batch holds 1000000 requests at most"),
    ],
)
def test_devices_stand_in_their_place(device: str, properties: dict[str, Any], said: str) -> None:
    """What names devices elsewhere, or a batch beyond all bounds, is refused by name."""
    root = tree()
    root["config"] |= {"device": device, "properties": properties}
    with pytest.raises(DocumentError, match=said):
        parse(json.dumps(root), name="x")


def test_mark_of_an_editor_is_passed_over() -> None:
    """A document that an editor saved with a byte order mark is read."""
    assert parse(b"\xef\xbb\xbf" + TEXT.encode(), name="x") == parse(TEXT, name="x")


@pytest.mark.parametrize(
    "change",
    [
        {"api": "sync", "nireq": 4},
        {"properties": {"CACHE_DIR": "/x"}},
        {"properties": {"DEVICE_PROPERTIES": "{GPU:{NUM_STREAMS:1}}"}},
    ],
)
def test_schema_refuses_what_reading_refuses(change: dict[str, Any]) -> None:
    """What a schema can say about a config that makes no sense, it says."""
    jsonschema = importlib.import_module("jsonschema")
    root = tree()
    root["config"] |= change
    assert list(jsonschema.Draft202012Validator(schema()).iter_errors(root))
    with pytest.raises(DocumentError):
        parse(json.dumps(root), name="x")

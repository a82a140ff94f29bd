"""What each tool is given: exact, with hostile values, and what is said to be left out."""

import ast
import json
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from ovtune.config import Config, Property
from ovtune.export import Export, Order, export
from ovtune.tool import Tool

HOSTILE = "a,b=c d\"e\\f;g'h!{i:j}</script>$(k)`l`%n??/\n\t\u2028é"


def order(
    properties: Mapping[str, Property] | None = None, device: str = "CPU", effective: Any = None, **fields: Any
) -> Order:
    """An order of a config with such properties."""
    config = Config(device=device, properties=properties or {}, **{"nireq": 4} | fields)
    model = {"name": "net", "model": "/models/net.xml", "source": "/models/net.onnx"}
    return Order(config=config, effective={} if effective is None else effective, **model)


def told(made: Export, *words: str) -> bool:
    """Whether one of the notes holds all these words."""
    return any(all(word in note for word in words) for note in made.notes)


class TestBenchmarkApp:
    def written(self, one: Order) -> tuple[Export, dict[str, dict[str, str]]]:
        made = export(one, "benchmark_app")
        return made, json.loads(made.files["benchmark_app.json"])

    def test_recipe(self) -> None:
        """A file of texts under the device's name, and a command line with device, hint, API and requests."""
        made, tree = self.written(
            order({"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": True, "NUM_STREAMS": 2})
        )
        assert tree == {"CPU": {"ENABLE_CPU_PINNING": "YES", "NUM_STREAMS": "2"}}
        words = shlex.split(made.command)
        for pair in (
            ("-d", "CPU"),
            ("-hint", "throughput"),
            ("-api", "async"),
            ("-nireq", "4"),
            ("-m", "/models/net.xml"),
        ):
            assert words[words.index(pair[0]) + 1] == pair[1]
        assert "-b" not in words

    def test_streams_are_told(self) -> None:
        """It sets the number of requests as a property, from which a hint would make other streams: they are told."""
        _, tree = self.written(order({"PERFORMANCE_HINT": "THROUGHPUT"}, effective={"NUM_STREAMS": 3}))
        assert tree["CPU"]["NUM_STREAMS"] == "3"

    def test_exclusions(self) -> None:
        """benchmark_app was seen to ask a device that a list leaves out: it is said."""
        assert told(self.written(order(device="AUTO:-GPU"))[0], "AUTO:-GPU leaves out")
        assert not told(self.written(order(device="AUTO:GPU,CPU"))[0], "leaves out")

    def test_lists(self) -> None:
        """A list's key is its scheduler; settings of its devices become one text, but for names that cannot be read."""
        nested: dict[str, Property] = {"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 3}, "GPU.1": {"NUM_STREAMS": 5}}}
        made, tree = self.written(order(nested, device="AUTO:GPU.1,CPU"))
        assert tree == {"AUTO": {"DEVICE_PROPERTIES": "{CPU:{NUM_STREAMS:3}}"}}
        assert told(made, "GPU.1's NUM_STREAMS=5 is left out")

    def test_synchronous(self) -> None:
        """One request is measured synchronously: told a number of requests, a device makes other streams."""
        made, _ = self.written(order({"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=1))
        assert "-api sync" in made.command
        assert "-nireq" not in made.command

    def test_fewer_requests_than_streams(self) -> None:
        """Where that cannot be had, it is said."""
        made, _ = self.written(order(effective={"NUM_STREAMS": 8}))
        assert told(made, "4 and not 8")

    def test_automatic_batching_is_left_out(self) -> None:
        """benchmark_app refuses a BATCH device: the note says what is missing."""
        made, tree = self.written(order({"AUTO_BATCH_TIMEOUT": 20}, device="BATCH:CPU(4)"))
        assert tree == {"CPU": {}}
        assert "-d CPU" in made.command
        assert told(made, "BATCH:CPU(4)", "left out")


class TestModelServer:
    def test_recipe(self) -> None:
        """Properties are texts inside of config; the command line of one model says the same."""
        made = export(
            order({"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}, device="AUTO:GPU,CPU"), "ovms"
        )
        entry = json.loads(made.files["config.json"])["model_config_list"][0]["config"]
        assert entry == {
            "name": "net",
            "base_path": "net",
            "nireq": 4,
            "target_device": "AUTO:GPU,CPU",
            "plugin_config": {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"},
        }
        words = shlex.split(made.command)
        assert json.loads(words[words.index("--plugin_config") + 1]) == entry["plugin_config"]
        assert words[words.index("--target_device") + 1] == "AUTO:GPU,CPU"

    def test_hint_or_streams(self) -> None:
        """A hint and streams are refused together: the streams that it came to are kept, and that is said."""
        made = export(order({"PERFORMANCE_HINT": "THROUGHPUT"}, effective={"NUM_STREAMS": 2}), "ovms")
        entry = json.loads(made.files["config.json"])["model_config_list"][0]["config"]
        assert entry["plugin_config"] == {"NUM_STREAMS": "2"}
        assert told(made, "PERFORMANCE_HINT=THROUGHPUT is left out")

    def test_hint_of_a_list(self) -> None:
        """AUTO has no streams of its own: its hint stays."""
        made = export(order({"PERFORMANCE_HINT": "LATENCY"}, device="AUTO:GPU,CPU"), "ovms")
        entry = json.loads(made.files["config.json"])["model_config_list"][0]["config"]
        assert entry["plugin_config"] == {"PERFORMANCE_HINT": "LATENCY"}

    def test_hostile_values(self) -> None:
        """Whatever a value holds arrives as it is, in the file and through a shell."""
        made = export(order({HOSTILE: HOSTILE}, device=HOSTILE), "ovms")
        entry = json.loads(made.files["config.json"])["model_config_list"][0]["config"]
        assert entry["target_device"] == HOSTILE
        assert entry["plugin_config"] == {HOSTILE: HOSTILE}
        words = shlex.split(made.command)
        assert json.loads(words[words.index("--plugin_config") + 1]) == {HOSTILE: HOSTILE}


class TestOnnxRuntime:
    def test_options(self) -> None:
        """The options hold the properties as JSON text under the scheduler, those of single devices inside."""
        nested: dict[str, Property] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 3, "ENABLE_CPU_PINNING": True}},
        }
        made = export(order(nested, device="AUTO:GPU,CPU"), "onnxruntime")
        options = json.loads(made.files["provider_options.json"])
        assert options["device_type"] == "AUTO:GPU,CPU"
        assert json.loads(options["load_config"]) == {
            "AUTO": {
                "PERFORMANCE_HINT": "THROUGHPUT",
                "DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": "3", "ENABLE_CPU_PINNING": "YES"}},
            }
        }
        assert told(made, "4 threads")

    def test_what_it_cannot_express(self) -> None:
        """Automatic batching, batch and weights are said to be no matter of the provider's."""
        made = export(order(device="BATCH:CPU(4)", batch_size=2, precision="FP16"), "onnxruntime")
        assert json.loads(made.files["provider_options.json"])["device_type"] == "CPU"
        assert told(made, "BATCH:CPU(4)", "left out")
        assert told(made, "batch of 2")
        assert told(made, "FP16 weights")

    def test_model_of_another_kind(self) -> None:
        """Where the model is no ONNX file, that is said."""
        one = order()
        made = export(
            Order(config=one.config, effective={}, name="net", model="net.xml", source="net.xml"), "onnxruntime"
        )
        assert told(made, "ONNX", "net.xml")


class TestDlStreamer:
    def pairs(self, made: Export) -> dict[str, str]:
        """What the element makes of ie-config: split at commas, then at the first equals sign."""
        element = made.files["pipeline.txt"].split()
        found = [word.removeprefix("ie-config=") for word in element if word.startswith("ie-config=")]
        return dict(pair.split("=") for pair in found[0].split(",")) if found else {}

    def test_element(self) -> None:
        """Device, requests, batch and settings; streams are always told, as read back."""
        made = export(order({"PERFORMANCE_HINT": "LATENCY"}, effective={"NUM_STREAMS": 2}, batch_size=8), "dlstreamer")
        element = made.files["pipeline.txt"].split()
        assert element[:5] == ["gvainference", "model=/models/net.xml", "device=CPU", "nireq=4", "batch-size=8"]
        assert self.pairs(made) == {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "2"}

    def test_unknown_streams_are_said(self) -> None:
        """Where nobody read the streams back, the note says what DL Streamer does with a GPU."""
        assert told(export(order(device="AUTO:GPU,CPU"), "dlstreamer"), "NUM_STREAMS=-1")
        assert not told(export(order(device="HETERO:CPU"), "dlstreamer"), "NUM_STREAMS=-1")

    @pytest.mark.parametrize("device", ["CPU", "BATCH:CPU(4)", "CPU$(touch x)", HOSTILE])
    def test_command_is_one_of_the_shell(self, device: str) -> None:
        """In a shell the command is gst-launch-1.0 with the element's own words, and nothing else."""
        made = export(order({"ODD": "`touch y`$(z)"}, device=device, effective={"NUM_STREAMS": 2}), "dlstreamer")
        words = shlex.split(made.command)
        assert words[:6] == ["gst-launch-1.0", "filesrc", "location=VIDEO", "!", "decodebin3", "!"]
        assert " ".join(words[6:-2]) + "\n" == made.files["pipeline.txt"]
        assert words[-2:] == ["!", "fakesink"]
        quoted = made.command.replace(" ! ", " ")
        assert shlex.join(shlex.split(quoted)) == quoted

    def test_timeout(self) -> None:
        """The timeout of automatic batching is a property of the element."""
        made = export(order({"AUTO_BATCH_TIMEOUT": 20}, device="BATCH:CPU(4)"), "dlstreamer")
        assert "batch-timeout=20" in made.files["pipeline.txt"]
        assert not self.pairs(made)

    @pytest.mark.parametrize("value", ["a,b", "a=b", "a b", 'a"b', "a!b", "a\nb"])
    def test_hostile_values_are_left_out(self, value: str) -> None:
        """What ie-config would split is left out and said, not written in part."""
        made = export(order({"ODD": value, "KEPT": 1}), "dlstreamer")
        assert self.pairs(made) == {"KEPT": "1"}
        assert told(made, "ODD=", "left out")

    def test_settings_of_single_devices_are_left_out(self) -> None:
        """Nested settings cannot be told."""
        made = export(order({"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 3}}}, device="AUTO:GPU,CPU"), "dlstreamer")
        assert told(made, "CPU's NUM_STREAMS=3 is left out")
        assert 'device="AUTO:GPU,CPU"' in made.files["pipeline.txt"]


class TestPrograms:
    def test_python_takes_any_value(self) -> None:
        """The program's literals are the config's values, whatever they hold; streams are text at any depth."""
        nested: dict[str, Property] = {
            HOSTILE: HOSTILE,
            "NUM_STREAMS": 2,
            "DEVICE_PROPERTIES": {HOSTILE: {HOSTILE: True, "NUM_STREAMS": 3}},
        }
        tree = ast.parse(export(order(nested, device=HOSTILE), "python").files["run.py"])
        found = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        assert found["DEVICE"] == HOSTILE
        texts = {"NUM_STREAMS": "2", "DEVICE_PROPERTIES": {HOSTILE: {HOSTILE: True, "NUM_STREAMS": "3"}}}
        assert found["PROPERTIES"] == nested | texts
        assert (found["NIREQ"], found["SYNC"], found["MODEL"]) == (4, False, "/models/net.xml")

    def test_cpp_holds_plain_signs_alone(self) -> None:
        """A literal of the C++ program has no sign that could end it, begin a trigraph or leave its line."""
        text = export(order({HOSTILE: HOSTILE}, device=HOSTILE), "cpp").files["run.cpp"]
        assert text.isascii()
        assert HOSTILE[:3] in text
        assert "</script>" in text
        assert "??/" not in text
        assert 'd"e' not in text

    @pytest.mark.parametrize("tool", ["python", "cpp"])
    def test_everything_is_expressed(self, tool: Tool) -> None:
        """The programs leave nothing of a config out."""
        assert not any("left out" in note for note in export(order(device="BATCH:CPU(4)", batch_size=1), tool).notes)

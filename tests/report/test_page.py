import base64
import gzip
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest

import ovtune
from ovtune.report import figure, render
from ovtune.report.page import island, policy, templates
from ovtune.report.view import view_of
from ovtune.template import _PLACES
from tests.report import sample


class Reader(HTMLParser):
    """Gathers the scripts, all attributes and all text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: dict[str, str] = {}
        self.attributes: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag and its attributes."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "script":
            self._open = dict(attrs).get("id") or "own"
            self.scripts[self._open] = ""

    def handle_endtag(self, tag: str) -> None:
        """Ends a script."""
        if tag == "script":
            self._open = None

    def handle_data(self, data: str) -> None:
        """Notes a text, in a script or outside of one."""
        if self._open is None:
            self.words.append(data)
        else:
            self.scripts[self._open] += data


def test_no_network() -> None:
    """The page forbids every fetch, refers to no other place, and names each script that may run by its digest."""
    text = sample.html(sample.result())
    found = Reader(text)
    rules = next(value for name, value in found.attributes if name == "content" and "default-src" in value)
    assert "default-src 'none'" in rules
    assert "unsafe-eval" not in rules
    assert "script-src 'sha256-" in rules
    links = [value for name, value in found.attributes if name in {"src", "href", "action", "srcset", "data"}]
    assert all(value.startswith(("#", "data:,")) for value in links)
    assert not re.search(r"url\(|@import", text.split("</style>", maxsplit=1)[0])


def test_scripts_are_allowed() -> None:
    """The digests in the policy are those of the page's own script and of Plotly's."""
    found = Reader(sample.html(sample.result()))
    plotly = gzip.decompress(base64.b64decode(found.scripts["plotly"])).decode()
    assert plotly == figure.script()
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in (found.scripts["own"], plotly)]
    rules = next(value for name, value in found.attributes if name == "content" and "default-src" in value)
    assert all(f"'sha256-{digest}'" in rules for digest in digests)
    assert rules == policy(found.scripts["own"], plotly)


def test_hostile_texts() -> None:
    """A script in a model's name, a device, a property, a reason or a study's name stays text everywhere."""
    text = sample.html(sample.hostile())
    assert sample.HOSTILE not in text
    assert text.count("<script") == text.count("</script>") == len(Reader(text).scripts) == 5
    trials = Reader(text).scripts["trials"]
    assert sample.HOSTILE in json.loads(trials)["4"]["reason"]
    assert "<" not in trials
    assert "\u2028" not in trials
    assert sample.HOSTILE in "".join(Reader(text).words)


def test_hostile_document() -> None:
    """The document, the command and the Python lines are shown as they are, whatever they hold."""
    text = render(sample.result(), document=sample.HOSTILE, command=sample.HOSTILE, python=sample.HOSTILE)
    assert sample.HOSTILE not in text
    assert text.count(html.escape(sample.HOSTILE)) == 3


@pytest.mark.parametrize("nasty", ["</script>", "<!--<script>", "a&b", "\u2028\u2029", '"\\'])
def test_island(nasty: str) -> None:
    """An island is JSON that ends no script element and gives the same text back."""
    text = island({"text": nasty})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"text": nasty}


def test_island_takes_no_infinity() -> None:
    """A number that JSON does not know is refused, not written."""
    with pytest.raises(ValueError, match="JSON"):
        island({"value": float("inf")})


def test_content_without_scripts() -> None:
    """Verdict, config, figures, caveats, static drawing, trials, failures and method stand in the page itself."""
    result = sample.result()
    text = sample.html(result)
    words = " ".join("".join(Reader(text).words).split())
    for part in (
        result.verdict.text,
        result.recommended.words,
        "Caveats",
        "Test CPU",
        "demo:mobilenet",
        "same as trial 1",
        "CPU refuses it <for a test>",
        "the process was ended by SIGSEGV",
        "unavailable:",
        "Hodges-Lehmann",
        "OpenVINO 2026.4.1",
        "NUM_STREAMS",
    ):
        assert part in words
    assert Reader(text).tags.count("svg") > 2
    assert sample.COMMAND in "".join(Reader(text).words)
    assert sample.DOCUMENT in "".join(Reader(text).words)


def test_data_tables() -> None:
    """Behind each chart stands a table of its data, and the table of trials holds each trial."""
    result = sample.result()
    text = sample.html(result)
    panels = [panel for section in view_of(result).sections for panel in section.panels]
    told = sum(panel.table is not None for panel in panels)
    assert text.count("<summary>Data of this chart</summary>") == 1 + told
    without = {panel.name for panel in panels if panel.plot is not None and panel.table is None}
    assert without <= {"parallel", "progress-time", "contention"}
    assert text.count('<tr data-trial="') == 30


def test_nothing_may_be_missing() -> None:
    """A template that asks for what is not there fails instead of printing nothing."""
    with pytest.raises(jinja2.UndefinedError):
        templates().from_string("{{ nobody }}").render()


def test_same_result_same_page() -> None:
    """A result gives the same page each time."""
    assert sample.html(sample.result()) == sample.html(sample.result())


@pytest.mark.parametrize(("trials", "most_bytes"), [(50, 3e6), (1000, 8e6)])
def test_size(trials: int, most_bytes: float) -> None:
    """A report is small enough to be sent."""
    result = sample.large(trials) if trials > 100 else sample.result(trials=trials)
    assert len(sample.html(result).encode()) <= most_bytes


def test_installed_package(tmp_path: Path) -> None:
    """A package that is installed from a wheel finds its templates inside of itself."""
    source = Path(ovtune.__file__).parent
    shutil.copytree(source, tmp_path / "ovtune", ignore=shutil.ignore_patterns("__pycache__", "templates"))
    inside = tmp_path / "ovtune" / "templates"
    shutil.copytree(next(place for place in _PLACES if place.exists()), inside)
    code = "from ovtune.report.page import templates; print(templates().get_template('report.html.j2').filename)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert run.stdout.strip() == str(inside / "report.html.j2")

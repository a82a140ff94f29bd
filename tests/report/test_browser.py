import base64
import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import Select, WebDriverWait

from ovtune.comparison import compare
from ovtune.report import render_comparison
from ovtune.report.view import view_of
from ovtune.result import Result
from tests.report import sample
from tests.report.conftest import WAIT_S, Open, complaints

pytestmark = pytest.mark.browser

_PLACE = """
const plot = document.getElementById("front-plot");
const layout = plot._fullLayout;
const box = plot.getBoundingClientRect();
for (const trace of plot.data) {
  const at = (trace.customdata || []).indexOf(arguments[0]);
  if (at >= 0) return [
    box.left + layout.xaxis._offset + layout.xaxis.d2p(trace.x[at]),
    box.top + layout.yaxis._offset + layout.yaxis.d2p(trace.y[at]),
  ];
}
"""
_BROKEN = """
return Array.from(document.querySelectorAll(".numbers th, thead th, .tag, button")).filter((e) => {
  if (!e.firstChild || e.children.length || !e.getClientRects().length) return false;
  const text = document.createRange();
  text.selectNodeContents(e);
  const lines = new Set(Array.from(text.getClientRects(), (r) => Math.round(r.top))).size;
  return lines > Math.max(e.textContent.trim().split(/\\s+/).length, 1);
}).map((e) => e.tagName + " " + e.textContent.trim());
"""
"""Elements in more lines than they have words."""
_CUT = """
return Array.from(document.querySelectorAll("h1, h2, h3, p, li, dt, dd, th, td, label, button, .card, .badge"))
  .filter((e) => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1)
  .filter((e) => getComputedStyle(e).display !== "inline")
  .map((e) => e.tagName + " " + e.id + " " + e.textContent.trim().slice(0, 60));
"""

_PAGED = """
const sheet = document.createElement("style");
sheet.textContent = "html { width: 182mm; } body { margin: 0; width: 182mm; height: 269mm; columns: 182mm; "
  + "column-gap: 40mm; column-fill: auto; }";
document.head.append(sheet);
"""
"""Pages of A4 beside each other: columns are broken like pages, and what stands in them has a place to ask for."""
_COLLIDING = """
const whole = document.body.getBoundingClientRect();
const step = whole.width + 40 * 96 / 25.4;
const parts = [];
for (const e of document.querySelectorAll("h1, h2, h3, p, li, dt, dd, tr, pre, .badge, .static svg")) {
  if (!e.checkVisibility()) continue;
  for (const box of e.getClientRects()) {
    if (box.width < 1 || box.height < 1) continue;
    const sheet = Math.floor((box.left - whole.left + 1) / step);
    const left = box.left - whole.left - sheet * step, top = box.top - whole.top;
    const told = "page " + (sheet + 1) + " " + e.tagName + " " + e.textContent.trim().slice(0, 40);
    parts.push({ e, told, sheet, left, top, right: left + box.width, bottom: top + box.height });
  }
}
const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
const apart = (a, b) => a.sheet === b.sheet && !a.e.contains(b.e) && !b.e.contains(a.e);
return [
  ...parts.filter((a) => a.left < -1 || a.top < -1 || a.right > whole.width + 1 || a.bottom > whole.height + 1)
    .map((a) => a.told + " sticks out"),
  ...parts.flatMap((a, i) => parts.slice(i + 1).filter((b) => apart(a, b) && over(a, b))
    .map((b) => a.told + " lies over " + b.told)),
];
"""


_WIDE = """
return Array.from(document.querySelectorAll(arguments[0]))
  .filter((e) => e.getBoundingClientRect().width > e.parentNode.clientWidth + 1).map((e) => e.id);
"""
"""Elements that are wider than the room that they have."""
_TICKS_TOGETHER = """
const boxes = Array.from(document.querySelectorAll(arguments[0]), (e) => [e.textContent, e.getBoundingClientRect()]);
boxes.sort((one, other) => one[1].left - other[1].left);
return boxes.slice(1).filter(([, box], i) => box.left < boxes[i][1].right + 4).map(([text]) => text);
"""
"""Labels of ticks that touch the one to their left."""


def by_id(page: webdriver.Chrome, name: str) -> WebElement:
    """The element of that id."""
    return page.find_element(By.ID, name)


def column(page: webdriver.Chrome, place: int) -> list[str]:
    """The texts of one column of the table of trials, of the rows that are shown."""
    rows = page.find_elements(By.CSS_SELECTOR, "#all tbody tr")
    return [row.find_elements(By.TAG_NAME, "td")[place].text for row in rows if row.is_displayed()]


def set_width(page: webdriver.Chrome, width: int) -> None:
    """Makes the window that wide, a phone's below 600."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_colours(page: webdriver.Chrome, scheme: str) -> None:
    """Makes the reader prefer light or dark."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def point_at(page: webdriver.Chrome, trial: int) -> ActionChains:
    """Moves the pointer to a trial's point on the front."""
    page.execute_script("document.getElementById('front-plot').scrollIntoView({block: 'center'})")
    x, y = page.execute_script(_PLACE, trial)
    actions = ActionChains(page)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))  # type: ignore[no-untyped-call]
    return actions.pause(0.3)


def test_front_is_drawn(opened: Open) -> None:
    """The page opens from disk with the network off, fetches nothing, and draws each measured config and each pair."""
    result = sample.result()
    page = opened(result)
    points = page.find_elements(By.CSS_SELECTOR, "#front-plot .scatterlayer path.point")
    assert len(points) == len(result.estimates) + 2  # and the rings around the selected and the balanced one
    assert len(page.find_elements(By.CSS_SELECTOR, "[data-panel=duel] .scatterlayer path.point")) == 40
    assert not by_id(page, "front-static").is_displayed()
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_nothing_is_sent_away(opened: Open) -> None:
    """The charts offer no button that would send their data anywhere."""
    page = opened(sample.result())
    titles = [b.get_attribute("data-title") or "" for b in page.find_elements(By.CSS_SELECTOR, ".modebar-btn")]
    assert any("Download" in title for title in titles)
    assert not [title for title in titles if "hare" in title or "loud" in title]


def test_click_on_a_point(opened: Open, downloads: Path) -> None:
    """A click on a point shows its details and its config, which can be saved."""
    result = sample.result()
    page = opened(result)
    trial = max(v.trial for v in result.study.visits if v.trial is not None and v.config.key in result.estimates)
    config = next(v.config for v in result.study.visits if v.trial == trial)
    point_at(page, trial).click().perform()
    WebDriverWait(page, WAIT_S).until(lambda p: by_id(p, "details").get_attribute("data-trial") == str(trial))
    assert config.words in by_id(page, "details-title").text
    shown = json.loads(by_id(page, "details-json").text)
    assert (shown["nireq"], shown["batch_size"]) == (config.nireq, config.batch_size)
    by_id(page, "details-download").click()
    saved = downloads / f"mobilenet-trial-{trial}.config.json"
    WebDriverWait(page, WAIT_S).until(lambda _: saved.exists())
    assert json.loads(saved.read_text()) == shown


def test_all_panels_are_drawn(opened: Open) -> None:
    """Each panel's chart is drawn, without its static drawing; a click on one of its dots shows that trial."""
    page = opened(sample.eliminated())
    for place in page.find_elements(By.CSS_SELECTOR, "[data-panel]"):
        assert place.find_elements(By.CSS_SELECTOR, "svg.main-svg"), place.get_attribute("data-panel")
    dot = page.find_element(By.CSS_SELECTOR, "[data-panel=elimination] .scatterlayer path.point")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", dot)
    before = by_id(page, "details").get_attribute("data-trial")
    dots = page.find_elements(By.CSS_SELECTOR, "[data-panel=elimination] .scatterlayer path.point")
    for one in dots:
        ActionChains(page).move_to_element(one).pause(0.2).click().perform()
        if by_id(page, "details").get_attribute("data-trial") != before:
            return
    raise AssertionError("no dot of the elimination showed another trial")


@pytest.mark.parametrize(("lanes", "ticks"), [(1, ["1"]), (3, ["1", "2", "3"])])
def test_lanes(opened: Open, lanes: int, ticks: list[str]) -> None:
    """The lanes of the first requests are counted from one on, and no others are told."""
    page = opened(sample.timed(lanes))
    told = page.find_elements(By.CSS_SELECTOR, "#timeline-plot .ytick text")
    assert sorted(tick.text for tick in told) == ticks


def test_ring_in_the_key(opened: Open) -> None:
    """The key tells what the ring around a point is, where the chart with the ring is shown."""
    page = opened(sample.result())
    ring = page.find_element(By.CSS_SELECTOR, ".legend .ring")
    assert ring.is_displayed()
    page.execute_script("document.documentElement.classList.remove('drawn')")
    assert not ring.is_displayed()


def test_sheet(opened: Open, downloads: Path) -> None:
    """The trials are saved as comma-separated values, a line for each."""
    result = sample.result()
    page = opened(result)
    by_id(page, "csv").click()
    saved = downloads / "mobilenet-trials.csv"
    WebDriverWait(page, WAIT_S).until(lambda _: saved.exists())
    lines = list(csv.DictReader(io.StringIO(saved.read_text(encoding="utf-8"))))
    assert len(lines) == len([v for v in result.study.visits if v.trial is not None])


def test_comparison(opened: Open) -> None:
    """The comparison of two studies draws both fronts and fetches nothing."""
    result = sample.result()
    page = opened(render_comparison(compare(result, sample.better()), ("old", "new")))
    points = page.find_elements(By.CSS_SELECTOR, "[data-panel=fronts] .scatterlayer path.point")
    assert len(points) == len(result.estimates) + len(sample.better().estimates)
    assert page.find_elements(By.CSS_SELECTOR, "#contests tbody tr")
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("width", [1024, 390])
def test_comparison_layout(opened: Open, chromium: webdriver.Chrome, width: int) -> None:
    """At each width the page holds both studies' columns whole, and no word of its text is cut or runs into another."""
    set_width(chromium, width)
    page = opened(render_comparison(compare(sample.result(), sample.better()), ("mobilenet", "newer")))
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script(_WIDE, ".sides") == []
    assert page.execute_script(_CUT) == []
    assert page.execute_script(_BROKEN) == []
    assert page.execute_script(_TICKS_TOGETHER, "[data-panel=fronts] .xtick text") == []


def test_hostile_comparison(opened: Open) -> None:
    """No name runs as a script in a comparison either."""
    page = opened(render_comparison(compare(sample.hostile(), sample.result()), (sample.HOSTILE, "new")))
    assert sample.HOSTILE in page.find_element(By.TAG_NAME, "h1").text


def test_choice_from_the_table(opened: Open) -> None:
    """A trial is chosen from the table with the keyboard alone; a failed one shows its reason and no figures."""
    page = opened(sample.result())
    page.find_element(By.CSS_SELECTOR, "#all button[data-trial='5']").send_keys(Keys.ENTER)
    assert "SIGSEGV" in by_id(page, "details-reason").text
    assert not by_id(page, "details-figures-table").is_displayed()
    assert page.switch_to.active_element.get_attribute("id") == "details-title"
    page.find_element(By.CSS_SELECTOR, "#all button[data-trial='8']").send_keys(Keys.ENTER)
    assert "same as trial 1" in by_id(page, "details-names").text
    assert by_id(page, "details-figures-table").is_displayed()


def test_metric_and_scale(opened: Open) -> None:
    """Another latency metric or scale redraws chart and table without a reload; points without it are left out."""
    page = opened(sample.result())
    page.execute_script("window.stays = true")
    points = "return document.querySelectorAll('#front-plot .scatterlayer path.point').length"
    before = page.execute_script(points)
    Select(by_id(page, "metric")).select_by_value("p90")
    title = "return document.getElementById('front-plot').layout.xaxis.title.text"
    assert page.execute_script(title) == "p90 latency (ms)"
    assert 0 < page.execute_script(points) < before
    assert "too few samples for p90" in by_id(page, "front-note").text
    assert by_id(page, "latency-title").text == "p90 latency"
    chosen = page.find_element(By.CSS_SELECTOR, "#all tr.chosen .latency .value").text
    details = page.find_elements(By.CSS_SELECTOR, "#details-figures tr")
    assert next(row.text for row in details if row.text.startswith("p90")).startswith(f"p90 latency {chosen}")
    kind = "return document.getElementById('front-plot').layout.xaxis.type"
    was = page.execute_script(kind)
    by_id(page, "log").click()
    assert {was, page.execute_script(kind)} == {"log", "linear"}
    assert page.execute_script("return window.stays")


def test_unavailable_metric(opened: Open) -> None:
    """A metric that no config has enough samples for cannot be chosen."""
    page = opened(sample.result())
    enabled = {o.get_attribute("value"): o.is_enabled() for o in Select(by_id(page, "metric")).options}
    assert enabled["p50"]
    assert not enabled["p99.9"]


def test_copy(opened: Open) -> None:
    """The copy buttons put best.json, the command and the Python lines into the clipboard as they are."""
    page = opened(sample.result())
    page.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    for name, text in (("document", sample.DOCUMENT), ("command", sample.COMMAND), ("python", sample.PYTHON)):
        page.find_element(By.CSS_SELECTOR, f"[data-copy='{name}']").click()
        WebDriverWait(page, WAIT_S).until(
            text_to_be_present_in_element((By.CSS_SELECTOR, f"[data-copy='{name}']"), "Copied")
        )
        read = "navigator.clipboard.readText().then(arguments[arguments.length - 1])"
        assert page.execute_async_script(read) == text


def test_copy_without_clipboard(opened: Open) -> None:
    """Where a browser has no clipboard for pages, copying goes the old way."""
    page = opened(sample.result())
    page.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "document.execCommand = (what) => { window.copied = what + document.activeElement.value; return true; };"
    )
    button = page.find_element(By.CSS_SELECTOR, "[data-copy='document']")
    button.click()
    WebDriverWait(page, WAIT_S).until(lambda _: button.text == "Copied")
    assert page.execute_script("return window.copied") == "copy" + sample.DOCUMENT


def test_download(opened: Open, downloads: Path) -> None:
    """best.json is saved byte by byte."""
    page = opened(sample.result())
    page.find_element(By.CSS_SELECTOR, "[data-download='document']").click()
    saved = downloads / "best.json"
    WebDriverWait(page, WAIT_S).until(lambda _: saved.exists())
    assert saved.read_text(encoding="utf-8") == sample.DOCUMENT


def test_sort(opened: Open) -> None:
    """A header sorts the table by its numbers, pressed again the other way round; rows without one come last."""
    page = opened(sample.result())
    button = page.find_elements(By.CSS_SELECTOR, "#all thead button")[3]
    button.send_keys(Keys.ENTER)
    cells = "return Array.from(document.querySelectorAll('#all tbody tr'), (r) => r.cells[3].dataset.value)"
    values = page.execute_script(cells)
    numbers = [float(v) for v in values if v]
    assert numbers == sorted(numbers)
    assert values[-2:] == ["", ""]
    heading = page.find_elements(By.CSS_SELECTOR, "#all thead th")[3]
    assert heading.get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.ENTER)
    values = page.execute_script(cells)
    assert [float(v) for v in values if v] == sorted(numbers, reverse=True)
    assert values[-2:] == ["", ""]
    assert heading.get_attribute("aria-sort") == "descending"


def test_filter(opened: Open) -> None:
    """The filter keeps the trials that hold all its words, and says how many."""
    page = opened(sample.result())
    by_id(page, "filter").send_keys("latency NIREQ f32")
    words = column(page, 1)
    assert words
    assert all("LATENCY" in w or "latency" in w for w in words)
    assert all("f32" in w for w in words)
    assert by_id(page, "filter-count").text == f"{len(words)} of 30 trials"
    by_id(page, "filter").send_keys(Keys.CONTROL, "a")
    by_id(page, "filter").send_keys(Keys.DELETE)
    assert len(column(page, 1)) == 30


def test_filter_reads_words(opened: Open) -> None:
    """Words are found by their beginnings, numbers whole and behind their word, in what is said and not in figures."""
    result = sample.result()
    page = opened(result)
    told = {
        row.number: " ".join((row.words, *row.names, row.state_text, *row.doubts, row.reason))
        for row in view_of(result).rows
    }
    for sought, said in (
        ("LATENCY nireq 4", r"LATENCY hint on CPU, nireq 4\b"),
        ("nireq 4", r"nireq 4\b"),
        ("NIREQ 1", r"nireq 1\b"),
        ("batching of 4, nireq 8", r"nireq 8,.* batching of 4\b"),
        ("2", r"\b2\b"),
        ("lat", r"LATENCY"),
        ("shared", r"same as trial"),
        ("recomm", r"recommended"),
        ("contention", r"contention"),
        ("sigsegv", r"SIGSEGV"),
        ("ency", r"nothing"),
        (" , ", r""),
    ):
        by_id(page, "filter").clear()
        by_id(page, "filter").send_keys(sought)
        found = [int(number) for number in column(page, 0)]
        assert found == [number for number, text in told.items() if re.search(said, text)], sought


def test_enter_in_the_filter(opened: Open) -> None:
    """Enter filters no less and submits nothing, of which the console would complain."""
    page = opened(sample.result())
    by_id(page, "filter").send_keys("shared", Keys.ENTER)
    by_id(page, "log").send_keys(Keys.ENTER)
    assert column(page, 0) == ["8"]
    assert complaints(page) == []


def test_hostile_names(opened: Open) -> None:
    """Names that try to run a script are shown and do nothing, in the page, in its details and in its charts."""
    page = opened(sample.hostile())
    assert page.execute_script("return document.scripts.length") == 5
    assert sample.HOSTILE in page.find_element(By.CSS_SELECTOR, ".where").text
    for trial in (0, 4, 6):
        page.find_element(By.CSS_SELECTOR, f"#all button[data-trial='{trial}']").send_keys(Keys.ENTER)
    assert sample.HOSTILE in by_id(page, "details-settings").text
    assert sample.HOSTILE in by_id(page, "details-title").text
    point_at(page, 6).perform()
    hover = WebDriverWait(page, WAIT_S).until(lambda p: p.find_element(By.CSS_SELECTOR, "#front-plot .hovertext"))
    assert "alert(1)" in hover.text
    assert page.execute_script("return document.scripts.length") == 5


@pytest.mark.parametrize("width", [1440, 1024, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_layout(opened: Open, chromium: webdriver.Chrome, width: int, scheme: str) -> None:
    """At each width and in both colour schemes nothing sticks out of the page, is cut off or broken in a word."""
    set_width(chromium, width)
    set_colours(chromium, scheme)
    page = opened(sample.better())
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script(_CUT) == []
    assert page.execute_script(_BROKEN) == []
    plot = "return document.querySelector('#front-plot svg.main-svg').getBoundingClientRect().width"
    assert page.execute_script(plot) <= width


def test_long_names_at_a_phone(opened: Open, chromium: webdriver.Chrome) -> None:
    """Names without a space in them are broken, so that they do not widen the page."""
    set_width(chromium, 390)
    page = opened(sample.hostile())
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390


def test_colours_follow(opened: Open, chromium: webdriver.Chrome) -> None:
    """A change between light and dark recolours page and charts at once."""
    set_colours(chromium, "light")
    page = opened(sample.result())
    ink = "return document.getElementById('front-plot').layout.font.color"
    light = page.execute_script(ink)
    set_colours(chromium, "dark")
    WebDriverWait(page, WAIT_S).until(lambda p: p.execute_script(ink) != light)


def test_print(opened: Open) -> None:
    """Print shows the static drawings and the whole table, on white, without anything to press."""
    page = opened(sample.result())
    set_colours(page, "dark")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert by_id(page, "front-static").is_displayed()
    assert not by_id(page, "front-plot").is_displayed()
    assert not [b for b in page.find_elements(By.CSS_SELECTOR, ".act, #filter, #metric") if b.is_displayed()]
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shown = page.find_element(By.TAG_NAME, "body").text
    assert "click" not in shown
    assert "browser with scripts" not in shown
    assert sample.DOCUMENT not in shown


@pytest.mark.parametrize("scripts", [True, False])
def test_printed_tables(chromium: webdriver.Chrome, tmp_path: Path, scripts: bool) -> None:
    """A chart without a static drawing is printed as its table, though that is folded; one that has it is not."""
    path = tmp_path / "report.html"
    path.write_text(sample.html(sample.result()), encoding="utf-8")
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        chromium.get(path.as_uri())
        shown = "return Array.from(document.querySelectorAll(arguments[0]), (table) => table.checkVisibility())"
        assert set(chromium.execute_script(shown, ".panel.small table")) == {True}
        assert set(chromium.execute_script(shown, "#duel table, #parallel")) == {False}
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {})


@pytest.mark.parametrize("name", ["short", "eliminated", "better", "timed", "hostile", "comparison"])
def test_printed_pages(opened: Open, chromium: webdriver.Chrome, name: str) -> None:
    """On pages of A4 nothing lies over anything else, and nothing sticks out of the page."""
    pages: dict[str, Callable[[], Result | str]] = {
        "short": lambda: sample.result(trials=20),
        "eliminated": sample.eliminated,
        "better": sample.better,
        "timed": lambda: sample.timed(3),
        "hostile": sample.hostile,
        "comparison": lambda: render_comparison(compare(sample.result(), sample.better()), ("old", "new")),
    }
    page = opened(pages[name]())
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    set_width(chromium, 688)
    page.execute_script(_PAGED)
    assert page.execute_script(_COLLIDING) == []


def test_printed_length(opened: Open) -> None:
    """The report on twenty trials is printed on at most ten pages."""
    page = opened(sample.result(trials=20))
    a4_inches = {"paperWidth": 8.27, "paperHeight": 11.69}
    printed = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", a4_inches)["data"])
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", printed)) <= 10


def test_without_scripts(chromium: webdriver.Chrome, tmp_path: Path) -> None:
    """Without scripts the static drawing, the details of the recommended config and all tables are there."""
    path = tmp_path / "report.html"
    path.write_text(sample.html(sample.result()), encoding="utf-8")
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chromium.get(path.as_uri())
        assert by_id(chromium, "front-static").is_displayed()
        assert not by_id(chromium, "front-plot").is_displayed()
        assert not [b for b in chromium.find_elements(By.CSS_SELECTOR, ".act, #filter") if b.is_displayed()]
        assert "NUM_STREAMS" in by_id(chromium, "details-settings").text
        assert len(column(chromium, 0)) == 30
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_broken_unpacking(chromium: webdriver.Chrome, tmp_path: Path) -> None:
    """Where the chart cannot be drawn, the static drawing stays and the page says so."""
    text = sample.html(sample.result())
    path = tmp_path / "report.html"
    head, _, rest = text.partition('id="figures">')
    path.write_text(head + 'id="figures">AAAA</script>' + rest.partition("</script>")[2], encoding="utf-8")
    chromium.get(path.as_uri())
    note = (By.ID, "front-note")
    WebDriverWait(chromium, WAIT_S).until(text_to_be_present_in_element(note, "could not be drawn"))
    assert by_id(chromium, "front-static").is_displayed()
    complaints(chromium)

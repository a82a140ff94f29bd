"""How long a whole search takes, how right its time left is, how quickly the command answers; and pictures of it.

    python studies/benchmarks/search.py

Runs `ovtune --help` a few times, then a search of 50 trials of demo:mobilenet, confirmation included, in a folder of
its own; targets on two cores: 0.3 s and 300 s. The time left that the terminal shows at each visit is held against
what was left in truth, while that was ten seconds and more: it should be right within a third. Nothing else should run
meanwhile. What the terminal showed at the 30th trial and at the end goes between the README's `terminal` markers, and
the report's first screen, as headless Chromium draws it, to images/report.png. Needs the `test` extra, and Debian's
chromium and chromium-driver.
"""

import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from selenium import webdriver

from ovtune.budget import Budget
from ovtune.environment import describe_host
from ovtune.ledger import Event, VisitStarted
from ovtune.live import Progress
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.session import Search, run
from ovtune.terminal import summary

HERE = Path(__file__).parent
README = HERE.parent.parent / "README.md"
HELP_RUNS = 11
TRIALS, SHOWN = 50, 30
LEAST_LEFT_S = 10.0
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def main() -> None:
    """Measures, prints and draws."""
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs, {platform.system()}, Python {platform.python_version()}")
    helps = sorted(help_s() for _ in range(HELP_RUNS))
    print(f"ovtune --help: median {statistics.median(helps):.2f} s, {helps[0]:.2f} to {helps[-1]:.2f} s")
    search = Search(wish=Wish(model="demo:mobilenet"), budget=Budget(trials=TRIALS))
    progress = Progress(search.goal, search.budget)
    console = Console(width=80, record=True, color_system=None)

    left: list[tuple[float, float]] = []

    def emit(event: Event) -> None:
        progress.update(event)
        if isinstance(event, VisitStarted):
            left.append((time.perf_counter(), progress.left_s()))
        if isinstance(event, VisitStarted) and event.phase == "search" and event.number == SHOWN:
            console.print(progress)

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result, files = run(search, Place(folder=Path(folder)), emit=emit)
        ended = time.perf_counter()
        print(f"{TRIALS} trials of demo:mobilenet, verdict included: {ended - began:.0f} s")
        print(f"time left, as shown / in truth: {rightness(left, ended)}")
        console.print("...\n")
        console.print(summary(result, "studies/mobilenet/best.json", "studies/mobilenet/report.html"))
        draw(files.report, HERE / "images" / "report.png")
    shown = "\n".join(line.rstrip() for line in console.export_text().splitlines())
    block = f"<!-- terminal -->\n```text\n$ ovtune search --trials {TRIALS}\n\n{shown}\n```\n<!-- end of terminal -->"
    text = README.read_text(encoding="utf-8")
    text = re.sub(r"<!-- terminal -->.*<!-- end of terminal -->", lambda _: block, text, flags=re.DOTALL)
    README.write_text(text, encoding="utf-8")


def rightness(left: list[tuple[float, float]], ended: float) -> str:
    """How right the times left were that were shown at some moments."""
    ratios = sorted(shown / (ended - moment) for moment, shown in left if ended - moment >= LEAST_LEFT_S)
    within = sum(2 / 3 <= ratio <= 4 / 3 for ratio in ratios) / len(ratios)
    return (
        f"median {statistics.median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f} over {len(ratios)} visits, "
        f"{within:.0%} within a third"
    )


def help_s() -> float:
    """The seconds that `ovtune --help` takes."""
    ovtune = shutil.which("ovtune", path=str(Path(sys.executable).parent)) or "ovtune"
    began = time.perf_counter()
    subprocess.run([ovtune, "--help"], check=True, capture_output=True, timeout=60)
    return time.perf_counter() - began


def draw(page: Path, target: Path) -> None:
    """The first screen of ``page``, 1280 pixels wide."""
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, "--window-size=1280,1250", "--hide-scrollbars"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options)
    try:
        browser.implicitly_wait(10)
        browser.get(page.as_uri())
        browser.find_element("css selector", ".main-svg")
        target.parent.mkdir(exist_ok=True)
        browser.save_screenshot(str(target))
    finally:
        browser.quit()


if __name__ == "__main__":
    main()

"""A real headless browser, and reports on disk for it to open."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from ovtune.result import Result
from tests.report import sample

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_S = 60

Open = Callable[[Result | str], webdriver.Chrome]


def complaints(driver: webdriver.Chrome) -> list[dict[str, object]]:
    """What the browser's console was told since this was asked last."""
    return list(driver.get_log("browser"))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("needs Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "--window-size=1440,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def downloads(chromium: webdriver.Chrome, tmp_path: Path) -> Path:
    """The folder that the browser saves to."""
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    return tmp_path


@pytest.fixture
def opened(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Open]:
    """Opens a report, or another page, from disk with the network off, and waits until its charts are drawn."""

    def open_report(result: Result | str) -> webdriver.Chrome:
        path = tmp_path / "report.html"
        path.write_text(result if isinstance(result, str) else sample.html(result), encoding="utf-8")
        chromium.get(path.as_uri())
        ready = "return document.documentElement.dataset.ready === 'yes'"
        WebDriverWait(chromium, WAIT_S).until(lambda driver: driver.execute_script(ready))
        return chromium

    chromium.execute_cdp_cmd("Network.enable", {})
    chromium.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    complaints(chromium)
    yield open_report
    assert complaints(chromium) == []
    for command in ("Emulation.clearDeviceMetricsOverride", "Emulation.setEmulatedMedia"):
        chromium.execute_cdp_cmd(command, {})
    chromium.get("about:blank")

"""A headless Chromium for tests of the page. Skips the test program where there is none."""

import base64
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import fourfold_testbed as testbed  # noqa: E402

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

DESKTOP = (1280, 1000)
PHONE = (375, 812)
# Where screenshots go; for a person to look at.
SCREENSHOTS = pathlib.Path(os.environ.get("FOURFOLD_SCREENSHOTS", "screenshots"))


def _program(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    testbed.skip(f"none of {', '.join(names)} is installed (Debian: chromium, chromium-driver)")
    return None


def open_browser():
    """A driver that keeps the browser's console, asks nobody but the addresses it is given and has
    one window of the size of DESKTOP."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program("chromium", "chromium-browser", "google-chrome")
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-proxy-server", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-default-apps", "--disable-extensions",
                     "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's sandbox does not start for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(_program("chromedriver")))
    driver.set_page_load_timeout(60)
    driver.set_script_timeout(60)
    resize(driver, DESKTOP)
    return driver


def resize(driver, size):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE})


def colour_scheme(driver, name):
    """Asks pages for `name`: "light" or "dark"."""
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": name}]})


def screenshot(driver, name):
    """The whole page, not only what the window shows."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    width, height = driver.execute_script(
        "return [innerWidth, document.documentElement.scrollHeight]")
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", {
        "captureBeyondViewport": True,
        "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
    (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


def wait(driver, condition, what, timeout=30):
    return WebDriverWait(driver, timeout, poll_frequency=0.05).until(condition, what)


def call(driver, module, expression, *arguments):
    """The value of a JavaScript expression over `m`, the page's module of that name, and `a`, the
    arguments."""
    done = driver.execute_async_script(
        "const [path, ...a] = arguments; const done = a.pop();"
        f"import(path).then((m) => done({{value: {expression}}}), (e) => done({{error: `${{e}}`}}));",
        f"/assets/{module}", *arguments)
    if "error" in done:
        raise AssertionError(f"{module}: {expression}: {done['error']}")
    return done["value"]

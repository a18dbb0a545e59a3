"""Headless Chromium, driven by the W3C WebDriver protocol: somebody clicks and types, and has scripts turned off."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

BINARIES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=OptimizationHints,MediaRouter",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference to an element


class Browser:
    """A session; all methods wait until the page that they lead to is loaded."""

    def __init__(self, port: int, options: dict[str, Any]) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=60)
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self._session = f"/session/{made['sessionId']}"

    def open(self, url: str) -> None:
        """Follows a link, as one in a mail."""
        self._call("POST", f"{self._session}/url", {"url": url})

    def text(self, selector: str) -> str:
        """The text of the first element that fits, as it is seen; empty when there is none."""
        found = self._find(selector)
        return str(self._call("GET", f"{found}/text")) if found else ""

    def style(self, selector: str, name: str) -> str:
        """A property of CSS, as it is computed."""
        return str(self._call("GET", f"{self._find(selector)}/css/{name}"))

    def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        self._call("POST", f"{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Clicks on an element."""
        self._call("POST", f"{self._find(selector)}/click", {})

    def has(self, selector: str) -> bool:
        """Whether there is such an element."""
        return bool(self._find(selector))

    def resize(self, width: int, height: int) -> None:
        """The size of a phone's screen, or of a window."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", size)

    def content_width(self) -> int:
        """How wide the page is; more than the window's width has to be scrolled sideways."""
        return int(self.command("Page.getLayoutMetrics")["cssContentSize"]["width"])

    def picture(self, path: Path) -> None:
        """Keeps the whole page as a PNG."""
        shot = self.command("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(shot["data"]))

    def command(self, name: str, parameters: dict[str, Any] | None = None) -> Any:
        """A command of Chromium's own protocol."""
        return self._call("POST", f"{self._session}/goog/cdp/execute", {"cmd": name, "params": parameters or {}})

    def close(self) -> None:
        """Ends the browser."""
        self._call("DELETE", self._session)
        self._http.close()

    def _find(self, selector: str) -> str:
        query = {"using": "css selector", "value": selector}
        found = self._call("POST", f"{self._session}/elements", query)
        return f"{self._session}/element/{found[0][_ELEMENT]}" if found else ""

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        self._http.request(method, path, None if body is None else json.dumps(body))
        answer = json.loads(self._http.getresponse().read())["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{method} {path}: {answer['error']}: {answer['message']}")
        return answer


def require_chromium() -> tuple[str, str]:
    """The browser and its driver. Where there are none these tests are left out, but not in CI, which installs them."""
    binary = next(filter(None, map(shutil.which, BINARIES)), None)
    driver = shutil.which("chromedriver")
    if binary and driver:
        return binary, driver
    missing = "The page is tested in a real browser: install Debian's chromium and chromium-driver (or the like)."
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, of which nothing remains."""
    binary, driver = require_chromium()
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [driver, "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"HOME": profile, "XDG_CONFIG_HOME": profile, "XDG_CACHE_HOME": profile},
        ) as process,
    ):
        try:
            assert process.stdout
            port = next(
                int(match[1]) for line in process.stdout if (match := re.search(r"successfully on port (\d+)", line))
            )
            made = Browser(
                port,
                {
                    "binary": binary,
                    "args": [*FLAGS, f"--user-data-dir={profile}/profile"],
                    "prefs": {"profile.managed_default_content_settings.javascript": 2},
                },
            )
            try:
                yield made
            finally:
                made.close()
        finally:
            process.terminate()

"""Starts a real Chromium with a profile of its own, on this machine or in a namespace, and ends it.

    with opened(folder) as browser:
        browser.open("http://login.vall.example/")
        browser.press("Accept and go online")

Chromium and chromedriver are Debian's; Selenium controls them (W3C WebDriver and the DevTools protocol).
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.browser.chromium import PAGE_SECONDS, Browser
from tests.lab.netns import Namespace

BINARY, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
AXE = Path(sys.prefix) / "share" / "axe-core" / "pytest_playwright_axe" / "resources" / "axe.min.js"
READY_SECONDS = 30.0
STARTS_MAX = 8
SWITCHES = (
    "--headless=new",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-features=Translate,MediaRouter,OptimizationHints,DialMediaRouteProvider",
    "--password-store=basic",
    "--hide-scrollbars",
    "--font-render-hinting=none",
)
_STARTED = re.compile(r"started successfully on port (\d+)")


def missing_for_browser() -> str | None:
    """The reason why no browser can be started here, in one sentence; None if it can."""
    for program in (BINARY, DRIVER):
        if shutil.which(program) is None:
            return f"{program} is not here; run: deploy/setup browser"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "Selenium is not here; run: deploy/setup browser"
    if not AXE.exists():
        return "axe-core is not here; run: deploy/setup browser"
    return None


@contextlib.contextmanager
def opened(
    folder: Path,
    *,
    place: Namespace | None = None,
    resolver: str = "",
    hosts: Mapping[str, str] | None = None,
    switches: tuple[str, ...] = (),
) -> Iterator[Browser]:
    """A browser for the duration of the block; its profile and logs are in `folder`.

    With `place` it runs in that namespace and uses the resolver `resolver`. `hosts` maps names to addresses without
    DNS; no other names are resolved then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    process, port = _started(folder, place, resolver)
    try:
        browser = Browser(_connect(port, folder, place, hosts, switches), place)
        try:
            yield browser
        finally:
            browser.quit()
    finally:
        process.terminate()
        process.wait(10)


def _start_driver(
    folder: Path, place: Namespace | None, resolver: str
) -> tuple["subprocess.Popen[bytes]", Path]:
    log = folder / "chromedriver.log"
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    argv = [DRIVER, "--port=0"]
    with log.open("wb") as sink:
        more: dict[str, Any] = {"stdout": sink, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        if place is None:
            return subprocess.Popen(argv, env=environment, **more), log
        names = folder / "resolv.conf"
        names.write_text(f"nameserver {resolver}\n")
        # `ip netns exec` has a mount namespace of its own, so these mounts end with the program.
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return place.popen("sh", "-c", script, str(names), *argv, env=environment, **more), log


def _started(folder: Path, place: Namespace | None, resolver: str) -> tuple["subprocess.Popen[bytes]", int]:
    """chromedriver and its port. The port that it chooses is free on IPv6 and may be in use on IPv4: then it is
    retried."""
    for _ in range(STARTS_MAX):
        process, log = _start_driver(folder, place, resolver)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if found := _STARTED.search(log.read_text(errors="replace")):
                return process, int(found[1])
            time.sleep(0.02)
        process.kill()
        process.wait()
        if "Address already in use" not in log.read_text(errors="replace"):
            break
    raise RuntimeError(f"chromedriver did not start: {log.read_text(errors='replace')[-2000:]}")


def _connect(
    port: int,
    folder: Path,
    place: Namespace | None,
    hosts: Mapping[str, str] | None,
    switches: tuple[str, ...],
) -> Any:
    from selenium.webdriver import ChromeOptions
    from selenium.webdriver.chromium.remote_connection import ChromiumRemoteConnection
    from selenium.webdriver.remote.webdriver import WebDriver

    class DriverConnection(ChromiumRemoteConnection):
        """Opens sockets in the namespace of the driver."""

        def execute(self, command: str, params: Any) -> Any:
            with place.entered() if place else contextlib.nullcontext():
                return super().execute(command, params)

    options = ChromeOptions()
    options.binary_location = BINARY
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Events of pages are many, and nobody reads them.
    options.add_experimental_option("perfLoggingPrefs", {"enablePage": False})
    for switch in (*SWITCHES, *switches, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(switch)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    if hosts is not None:
        known = ", ".join(f"MAP {name} {address}" for name, address in hosts.items())
        options.add_argument(f"--host-resolver-rules={known}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    connection = DriverConnection(f"http://127.0.0.1:{port}", "goog", "chrome", keep_alive=True)
    driver = WebDriver(command_executor=connection, options=options)
    driver.set_page_load_timeout(PAGE_SECONDS)
    driver.set_script_timeout(PAGE_SECONDS)
    return driver

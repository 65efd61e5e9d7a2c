"""One window of Firefox or of WebKit (Epiphany's engine, and nearly Safari's), used like a person uses it.

Debian has no driver for Firefox, which speaks Marionette by itself: JSON with its length before it, over TCP. WebKit has
WebKitWebDriver, which speaks WebDriver over HTTP, and needs a screen, which Xvfb imagines.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.lab.free_port import free_port

FIREFOX, WEBKIT_DRIVER, SCREEN = "firefox-esr", "WebKitWebDriver", "Xvfb"
MINI_BROWSERS = "usr/lib/*/webkit2gtk-4.1/MiniBrowser"
START_SECONDS, ANSWER_SECONDS = 60.0, 30.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""Name of the field with an element's id (W3C WebDriver)."""
_PORT = re.compile(r"Listening on port (\d+)")

type Command = Callable[[str, str, dict[str, Any] | None], Any]
"""Sends a WebDriver command by its method, path and body; returns the value of the answer."""


class OtherWindow:
    """A window that a driver controls."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def open(self, address: str) -> None:
        self._command("POST", "url", {"url": address})

    @property
    def address(self) -> str:
        return str(self._command("GET", "url", None))

    def read(self, css: str = "body") -> str:
        """What a person sees of the first element that fits."""
        return str(self._command("GET", f"element/{self._find(css)}/text", None))

    def type(self, css: str, text: str) -> None:
        element = self._find(css)
        self._command("POST", f"element/{element}/clear", {})
        self._command("POST", f"element/{element}/value", {"text": text})

    def press(self, css: str) -> None:
        """And waits for the page that it leads to."""
        before = self._find("html")
        self._command("POST", f"element/{self._find(css)}/click", {})
        deadline = time.monotonic() + ANSWER_SECONDS
        while self._find("html") == before:
            assert time.monotonic() < deadline, f"{css} leads nowhere"
            time.sleep(0.05)

    def unfold(self, css: str) -> None:
        self._command("POST", f"element/{self._find(css)}/click", {})

    def _find(self, css: str) -> str:
        found = self._command("POST", "element", {"using": "css selector", "value": css})
        return str(found[ELEMENT])


# --- Firefox ---


class _Marionette:
    """The commands of WebDriver in Firefox's own protocol."""

    _NAMES: Mapping[tuple[str, str], str] = {
        ("POST", "url"): "Navigate",
        ("GET", "url"): "GetCurrentURL",
        ("POST", "element"): "FindElement",
        ("GET", "text"): "GetElementText",
        ("POST", "clear"): "ElementClear",
        ("POST", "value"): "ElementSendKeys",
        ("POST", "click"): "ElementClick",
    }

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), START_SECONDS)
        self._file, self._number = self._socket.makefile("rwb"), 0
        self._receive()
        self._ask("WebDriver:NewSession", {"capabilities": {}})

    def command(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        parts = path.split("/")
        fields = dict(body or {})
        if len(parts) == 3:
            fields["id"] = parts[1]
        found = self._ask(f"WebDriver:{self._NAMES[method, parts[-1]]}", fields)
        return found.get("value") if isinstance(found, dict) else found

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _ask(self, name: str, fields: dict[str, Any]) -> Any:
        self._number += 1
        said = json.dumps([0, self._number, name, fields]).encode()
        self._file.write(b"%d:%b" % (len(said), said))
        self._file.flush()
        _, number, error, value = self._receive()
        assert number == self._number
        assert error is None, error
        return value

    def _receive(self) -> Any:
        length = b""
        while (digit := self._file.read(1)) != b":":
            assert digit, "Firefox has ended"
            length += digit
        return json.loads(self._file.read(int(length)))


@contextlib.contextmanager
def firefox(folder: Path, host: str) -> Iterator[OtherWindow]:
    """A window of Firefox with a profile of its own, for which the name `host` means this machine."""
    settings = {
        "marionette.port": 0,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "dom.security.https_first": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "app.normandy.enabled": False,
        "browser.aboutwelcome.enabled": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f'user_pref("{name}", {json.dumps(value)});\n' for name, value in settings.items())
    (folder / "user.js").write_text("".join(lines))
    argv = (FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(folder), "about:blank")
    with _running(_with_host(argv, folder, host), folder) as log:
        driver = _Marionette(int(_seen(log, _PORT)))
        try:
            yield OtherWindow(driver.command)
        finally:
            driver.close()


# --- WebKit ---


@contextlib.contextmanager
def webkit(folder: Path, host: str) -> Iterator[OtherWindow]:
    """As `firefox`."""
    folder.mkdir(parents=True, exist_ok=True)
    port, screen = free_port(), f":{90 + os.getpid() % 900}"
    with (
        _running((SCREEN, screen, "-screen", "0", "800x900x24", "-nolisten", "tcp"), folder / "screen"),
        _running(
            _with_host((WEBKIT_DRIVER, f"--port={port}", "--host=127.0.0.1"), folder, host),
            folder,
            DISPLAY=screen,
        ),
    ):
        driver = _HttpDriver(f"http://127.0.0.1:{port}")
        wanted = {"webkitgtk:browserOptions": {"binary": _mini_browser(), "args": ["--automation"]}}
        session = driver.begin({"capabilities": {"alwaysMatch": wanted}})
        try:
            yield OtherWindow(
                lambda method, path, body: driver.ask(method, f"session/{session}/{path}", body)
            )
        finally:
            driver.ask("DELETE", f"session/{session}", None)


class _HttpDriver:
    def __init__(self, address: str) -> None:
        self._address = address

    def begin(self, wanted: dict[str, Any]) -> str:
        """The id of a new session, as soon as the driver listens."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return str(self.ask("POST", "session", wanted)["sessionId"])
            except OSError:
                assert time.monotonic() < deadline, "the driver does not answer"
                time.sleep(0.1)

    def ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"}
        request = Request(f"{self._address}/{path}", sent, kind, method=method)
        with urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)["value"]


def _mini_browser() -> str:
    return str(next(Path("/").glob(MINI_BROWSERS), ""))


# --- both ---


OTHERS = {"firefox": firefox, "webkit": webkit}


def missing_for(name: str) -> str | None:
    """Why this browser cannot be started here, in one sentence; None if it can."""
    programs = {"firefox": (FIREFOX,), "webkit": (WEBKIT_DRIVER, SCREEN)}[name]
    if os.geteuid() != 0:
        return "a name of the node's for one browser alone needs root"
    missing = [each for each in programs if shutil.which(each) is None]
    if name == "webkit" and not missing and not _mini_browser():
        missing = ["MiniBrowser"]
    return f"{missing[0]} is not here; run: deploy/setup browsers" if missing else None


def _with_host(argv: tuple[str, ...], folder: Path, host: str) -> tuple[str, ...]:
    """The program with a file of hosts of its own: the mount ends with it."""
    folder.mkdir(parents=True, exist_ok=True)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {host}\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, str(hosts), *argv)


@contextlib.contextmanager
def _running(argv: tuple[str, ...], folder: Path, **more: str) -> Iterator[Path]:
    """The program's log while it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{argv[0]}.log"
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), **more}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _seen(log: Path, wanted: re.Pattern[str]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not (found := wanted.search(log.read_text(errors="replace"))):
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-2_000:]
        time.sleep(0.05)
    return found[1]

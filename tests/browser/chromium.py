"""One window of a real Chromium, used like a person uses it: open, read, press, type, on different screens."""

import base64
import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.lab.netns import Namespace
from tests.lab.people import Person

PAGE_SECONDS = 20
READINGS_MAX = 20
# A page is loaded before it is painted.
_PAINTED = """
const done = arguments[0], wait = () => {
  const paints = performance.getEntriesByType('paint').map(paint => [paint.name, paint.startTime]);
  paints.some(paint => paint[0] === 'first-contentful-paint') ? done(paints) : setTimeout(wait, 10);
};
wait();
"""


@dataclass(frozen=True, slots=True)
class Look:
    """Emulated screen and preferences. The default is a phone in light colours."""

    width: int = 390
    height: int = 844
    dark: bool = False
    more_contrast: bool = False
    forced_colours: bool = False
    less_motion: bool = False
    pixels: int = 1
    """Device pixels for each CSS pixel."""
    paper: bool = False

    def features(self) -> list[dict[str, str]]:
        """As media features of the DevTools protocol."""
        return [
            {"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"},
            {"name": "prefers-contrast", "value": "more" if self.more_contrast else "no-preference"},
            {"name": "forced-colors", "value": "active" if self.forced_colours else "none"},
            {"name": "prefers-reduced-motion", "value": "reduce" if self.less_motion else "no-preference"},
        ]


@dataclass(frozen=True, slots=True)
class Load:
    """The responses that made up one page."""

    bytes: int
    """Bytes of headers and bodies together."""
    requests: tuple[str, ...]
    first_paint_ms: float


class Browser:
    """One window. Elements are found by the text that a person sees, or by `css` where they have none."""

    def __init__(self, driver: Any, place: Namespace | None) -> None:
        self._driver = driver
        self.place = place
        self.owner: Person | None = None
        self.home = ""
        """URL of the first page of its site, without a final slash."""
        self._screen: object = None
        self._media: object = None
        self._agent = str(self.devtools("Browser.getVersion")["userAgent"])

    # --- navigation ---

    def open(self, url: str) -> None:
        self._driver.get(url)

    def back(self) -> None:
        self._driver.back()

    @property
    def url(self) -> str:
        return str(self._driver.current_url)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def title(self) -> str:
        return str(self._driver.title)

    @property
    def text(self) -> str:
        """The visible text of the whole page."""
        return self.read("body")

    @property
    def html(self) -> str:
        return str(self._driver.page_source)

    def has(self, css: str) -> bool:
        return bool(self._driver.find_elements("css selector", css))

    def read(self, css: str) -> str:
        from selenium.common.exceptions import StaleElementReferenceException

        for _ in range(READINGS_MAX):
            with contextlib.suppress(StaleElementReferenceException):
                return str(self._element(css).text)
        raise RuntimeError(f"{self.url} loads anew without end")

    def attribute(self, css: str, name: str) -> str:
        return str(self._element(css).get_attribute(name) or "")

    def press(self, words: str) -> None:
        """Clicks the first button, link or summary with this text, and waits for the page that it leads to."""
        path = f"//*[self::button or self::a or self::summary][contains(normalize-space(.), {json.dumps(words)})]"
        self._follow(self._driver.find_element("xpath", path))

    def tap(self, css: str) -> None:
        """Like `press`, for elements without text."""
        self._follow(self._element(css))

    def type(self, css: str, text: str) -> None:
        """Replaces the content of the field, or chooses the option, day or time with this value."""
        if self._element(css).tag_name == "select" or self.attribute(css, "type") in {"date", "time"}:
            self.run("arguments[0].value = arguments[1]", self._element(css), text)
            return
        self.run("arguments[0].focus(); arguments[0].select()", self._element(css))
        self.devtools("Input.insertText", text=text)

    def choose_file(self, css: str, path: Path) -> None:
        """Chooses a file of this machine in a file field."""
        found = self.devtools("Runtime.evaluate", expression=f"document.querySelector({json.dumps(css)})")
        self.devtools("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])

    def send(self, action: str, button: str = "button", **fields: str) -> None:
        """Fills in the form with the action `action`, opens any <details> around it and its fields, and sends it by its
        first `button`."""
        form = f"form:is([action='{action}'],[action^='{action}#'])"
        self._unfold(form)
        for name, value in fields.items():
            self._unfold(f"{form} [name='{name}']")
            self.type(f"{form} [name='{name}']", value)
        self.tap(f"{form} {button}")

    def _unfold(self, css: str) -> None:
        self.run(
            "for (let e = arguments[0]; e; e = e.parentElement) if (e.tagName === 'DETAILS') e.open = true",
            self._element(css),
        )

    def press_key(self, key: str) -> None:
        """Sends a key to the focused element: ``Tab``, ``Enter``, or a character."""
        text = {"Enter": "\r", "Tab": ""}.get(key, key)
        code = {"Enter": 13, "Tab": 9}.get(key, 0)
        self.devtools(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, text=text, windowsVirtualKeyCode=code
        )

    def until(self, words: str, seconds: float = 15.0) -> bool:
        """Whether the page shows `words` before the timeout; it may reload meanwhile."""
        from selenium.common.exceptions import WebDriverException

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(WebDriverException):
                if words in self.text:
                    return True
            time.sleep(0.1)
        return False

    # --- emulation ---

    def look(self, look: Look) -> None:
        """Sends only the differences from the last look to the browser."""
        screen = (look.width, look.height, look.pixels)
        if screen != self._screen:
            self._screen = screen
            self.devtools(
                "Emulation.setDeviceMetricsOverride",
                width=look.width,
                height=look.height,
                deviceScaleFactor=look.pixels,
                mobile=look.width < 600,
            )
        media = (look.paper, look.features())
        if media != self._media:
            self._media = media
            self.devtools(
                "Emulation.setEmulatedMedia", media="print" if look.paper else "", features=look.features()
            )

    def speak(self, language: str) -> None:
        """Sets the Accept-Language header, as the language setting of a phone does."""
        self.devtools("Network.setUserAgentOverride", userAgent=self._agent, acceptLanguage=language)

    def set_cookie(self, url: str, name: str, value: str) -> None:
        self.devtools(
            "Network.setCookie", url=url, name=name, value=value, path="/", httpOnly=True, sameSite="Strict"
        )

    def without_scripts(self) -> None:
        self.devtools("Emulation.setScriptExecutionDisabled", value=True)

    def slow_line(self, bits_per_second: int, latency_ms: int) -> None:
        rate = bits_per_second // 8
        self.devtools("Network.enable")
        self.devtools(
            "Network.emulateNetworkConditions",
            offline=False,
            latency=latency_ms,
            downloadThroughput=rate,
            uploadThroughput=rate,
        )

    def fast_line(self) -> None:
        self.devtools(
            "Network.emulateNetworkConditions",
            offline=False,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    # --- inspection ---

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs JavaScript in the page (also where the page's own scripts are disabled) and returns its value."""
        return self._driver.execute_script(script, *arguments)

    def run_async(self, script: str, *arguments: Any) -> Any:
        return self._driver.execute_async_script(script, *arguments)

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._driver.execute("executeCdpCommand", {"cmd": command, "params": parameters})["value"]

    def complaints(self) -> list[str]:
        """Messages of the browser's console since the last call: errors, blocked content. A status code such as 404 is
        not included."""
        messages = [entry["message"] for entry in self._driver.get_log("browser")]
        return [message for message in messages if "the server responded with a status of" not in message]

    def asked_for(self) -> list[tuple[str, str]]:
        """Type and URL of all requests since the last call: ``("Document", "http://...")``."""
        sent = [m["params"] for m in self._network() if m["method"] == "Network.requestWillBeSent"]
        asked = [(str(each.get("type", "")), str(each["request"]["url"])) for each in sent]
        return [(kind, url) for kind, url in asked if not url.startswith("data:")]

    def measure(self, url: str) -> Load:
        """Opens a page and returns the bytes it needed."""
        self._network()
        self.open(url)
        paints = self.run_async(_PAINTED)
        messages = self._network()
        asked = [
            m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"
        ]
        weight = sum(
            int(m["params"]["encodedDataLength"])
            for m in messages
            if m["method"] == "Network.loadingFinished"
        )
        kept = tuple(url for url in asked if not url.startswith("data:"))
        return Load(weight, kept, dict(paints)["first-contentful-paint"])

    def _network(self) -> list[dict[str, Any]]:
        return [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]

    def picture(self, *, whole: bool = True) -> bytes:
        """A PNG of the page; without `whole`, of the visible part."""
        more: dict[str, Any] = {}
        if whole:
            size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
            more = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **more)
        return base64.b64decode(shot["data"])

    def print(self) -> bytes:
        """The page as a PDF, with its own ``@page`` rules."""
        pdf = self.devtools("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(pdf["data"])

    def tabs(self) -> list[str]:
        """The URL of every tab; the first tab stays in front."""
        handles = list(self._driver.window_handles)
        found = []
        for handle in handles:
            self._driver.switch_to.window(handle)
            found.append(self.url)
        self._driver.switch_to.window(handles[0])
        return found

    def quit(self) -> None:
        self._driver.quit()

    def _follow(self, element: Any) -> None:
        """Clicks, and waits until another document is loaded completely."""
        stays = element.tag_name in {"summary", "input"}
        before = self._element("html").id
        element.click()
        deadline = time.monotonic() + PAGE_SECONDS
        while not stays:
            here = self._driver.find_elements("css selector", "html")
            if here and here[0].id != before and self.run("return document.readyState") == "complete":
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing came of pressing a button or link of {self.url}")
            time.sleep(0.02)

    def _element(self, css: str) -> Any:
        return self._driver.find_element("css selector", css)

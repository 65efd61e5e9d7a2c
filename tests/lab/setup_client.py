"""A person who sets a node up with a browser without scripts: ``python -m tests.lab.setup_client CODE`` in the namespace of
their device. Prints one line of JSON: the answers that were given, and the last page."""

import json
import re
import sys
import time
from html import unescape
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlencode, urlsplit

from tests.lab.setup_mode import TYPED

PROBE_HOST, PROBE_PATH = "connectivitycheck.gstatic.com", "/generate_204"
SETUP_HOST = "10.77.0.1"
TRIED_S = 90


class SetupClient:
    """Keeps the cookie; follows redirects within the node."""

    def __init__(self, host: str) -> None:
        self.host, self.cookie, self.page = host, "", ""

    def get(self, path: str = "/", host: str = "") -> HTTPResponse:
        return self._ask("GET", path, host=host)

    def post(self, path: str, **fields: str) -> HTTPResponse:
        return self._ask("POST", path, urlencode({**shown(self.page), **fields}))

    def _ask(self, method: str, path: str, body: str | None = None, *, host: str = "") -> HTTPResponse:
        connection = HTTPConnection(self.host, 80, timeout=20)
        try:
            headers = {"Host": host or self.host, "Cookie": self.cookie}
            if body is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            self.page = response.read().decode()
        finally:
            connection.close()
        if cookie := response.getheader("Set-Cookie"):
            self.cookie = cookie.partition(";")[0]
        if response.status == 303:
            return self.get(urlsplit(response.getheader("Location", "/")).path)
        return response

    def until(self, words: str, seconds: float = TRIED_S) -> None:
        """Opens the page again and again until it shows `words`."""
        ends = time.monotonic() + seconds
        while words not in self.page:
            if time.monotonic() > ends:
                raise RuntimeError(f"no page with {words!r}: {self.page[-2000:]}")
            time.sleep(0.3)
            try:
                self.get()
            except (OSError, HTTPException) as error:
                self.page = str(error)


def shown(page: str) -> dict[str, str]:
    """Names and values of a page's fields, as a browser would send them without a change."""
    fields = {}
    for element in re.findall(r"<(?:input|select)[^>]*>", page):
        kind = (re.search(r'type="(\w+)"', element) or ["", ""])[1]
        name = re.search(r'name="(\w+)"', element)
        value = (re.search(r'value="([^"]*)"', element) or ["", ""])[1]
        if name and (kind not in {"radio", "checkbox"} or " checked" in element):
            fields[name[1]] = unescape(value)
    for name, options in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        fields[name] = (re.search(r'value="([^"]*)"[^>]* selected', options) or ["", ""])[1]
    return fields


def main(code: str) -> dict[str, object]:
    client = SetupClient(SETUP_HOST)
    redirect = client.get(PROBE_PATH, host=PROBE_HOST)
    assert redirect.status == 302, client.page
    client = SetupClient(urlsplit(redirect.getheader("Location", "")).hostname or "")
    client.get()
    client.post("/claim", code=code)
    proposed = shown(client.page)
    client.post("/answers", **TYPED)
    assert "This is the plan" in client.page, client.page
    client.post("/begin")
    if "This node is set up" not in client.page:
        client.host = SETUP_HOST
        client.until('action="/confirm"')
        client.post("/confirm")
    assert "This node is set up" in client.page, client.page
    # The passphrase counts once.
    given = {name for name, value in TYPED.items() if proposed.get(name, "") != value} - {"passphrase_again"}
    return {"answers": len(given), "proposed": proposed, "page": client.page}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))

"""A server of Debian packages with faults: ``python -m tests.lab.package_mirror ADDRESS`` in a namespace. The first part
of a path says how it behaves; ``/sent`` is how many bytes of the file it has sent."""

import contextlib
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZE = 38_000_000
PORT = 80
ELSEWHERE, PORTAL = "203.0.113.20", "203.0.113.30"
"""Addresses to which some paths redirect; the second has a page for signing in."""
_BLOCK = bytes(65_536)
_PAGE = b"<!doctype html><title>Sign in</title><p>Sign in to use this line.</p>"


class PackageMirror(BaseHTTPRequestHandler):
    """What the first part of the path can be: `good`; `whole` knows no ranges; `short` sends less than it says, `long` more;
    `hangs` after 300 kB, `silent` before anything; `missing`, `small`, `html`; `moved` and `portal` redirect, `circle`
    without end, `dead` to where nobody answers, `odd`, `binary` and `broken` to what is no server, `gateway` and `home` to
    what is not on the Internet."""

    protocol_version = "HTTP/1.1"
    sent = 0
    _lock = threading.Lock()

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "sent":
            self._page(200, str(self.sent).encode(), "text/plain")
        elif kind == "silent":
            time.sleep(30)
        elif kind == "missing":
            self._page(404, _PAGE)
        elif kind in {"html", "login"}:
            self._page(200, _PAGE)
        elif target := self._target(kind):
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._file(kind)

    def _target(self, kind: str) -> str:
        rest = self.path.partition("/dists")[2]
        return {
            "moved": f"http://{ELSEWHERE}/good/dists{rest}",
            "portal": f"http://{PORTAL}/login",
            "circle": self.path,
            "dead": "https://203.0.113.99/login",
            "odd": "ftp://example.org/",
            "binary": "http://\xff\xfe.example/",
            "broken": "http://[zz]/",
            "gateway": "http://192.0.2.1/login",
            "home": "http://127.0.0.1/good/",
        }.get(kind, "")

    def _page(self, status: int, body: bytes, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, kind: str) -> None:
        size = 5_000 if kind == "small" else SIZE
        first, last = 0, size - 1
        asked = self.headers.get("Range", "")
        if asked and kind != "whole":
            start, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end), size - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        length = last - first + 1
        said = length - 500_000 if kind == "long" and length > 1_000_000 else length
        length -= 500_000 if kind == "short" and length > 1_000_000 else 0
        self.send_header("Content-Type", "application/gzip")
        # A server that takes the file for a compressed text.
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(said))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self._send(kind, first, length)
        self.close_connection = kind in {"short", "long"}

    def _send(self, kind: str, first: int, length: int) -> None:
        if first == 0:
            self.wfile.write(b"\x1f\x8b")
            length -= 2
        left = length
        while left:
            if kind == "hangs" and length - left > 300_000:
                time.sleep(30)
            block = _BLOCK[:left]
            self.wfile.write(block)
            left -= len(block)
            with self._lock:
                PackageMirror.sent += len(block)

    def log_message(self, *_args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], PORT), PackageMirror).serve_forever()

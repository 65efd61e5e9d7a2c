"""Connectivity checks of operating systems: which one a request is, and the answer that closes its sign-in
sheet.

Phones and desktops fetch a URL of their vendor over plain HTTP. A redirect makes them show the portal; the
expected answer, byte for byte, closes the sheet. Sources: Android's NetworkMonitor, Apple's and Microsoft's
documents, NetworkManager's nm-connectivity.c, the WBA's list of captive portal behaviour (2019).
"""

from dataclasses import dataclass
from html import escape

PATH_CHARACTERS_MAX = 2_048


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """A complete response; the server adds only length and date."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """A system's connectivity check, and the answer that it expects on the open Internet."""

    system: str
    open_answer: ProbeAnswer


_FRESH = (("Cache-Control", "no-store"), ("Connection", "close"))


def _text(body: str, content_type: str = "text/plain", *more: tuple[str, str]) -> ProbeAnswer:
    return ProbeAnswer(200, body.encode(), (("Content-Type", content_type), *_FRESH, *more))


_NO_CONTENT = ProbeAnswer(204, b"", _FRESH)
_APPLE = _text("<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>", "text/html")
_FIREFOX_PAGE = _text(
    '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>', "text/html"
)
_NETWORK_MANAGER = _text("NetworkManager is online\n", "text/plain", ("X-NetworkManager-Status", "online"))
_KINDLE = _text("81ce4465-7167-4dcb-835b-dcc9e44c112a", "text/html")
_NINTENDO = _text(
    "<html><head><title>HTML Page</title></head><body>This is test.html page</body></html>",
    "text/html",
    ("X-Organization", "Nintendo"),
)
_OK = _text("OK")

_ANDROID_PATHS = ("/generate_204", "/gen_204")
_APPLE_PATHS = ("/", "/hotspot-detect.html", "/library/test/success.html")

# system, hosts, paths, answer on the open Internet
_GOLDEN: tuple[tuple[str, tuple[str, ...], tuple[str, ...], ProbeAnswer], ...] = (
    (
        "Android",
        (
            "connectivitycheck.gstatic.com",
            "connectivitycheck.android.com",
            "www.google.com",
            "play.googleapis.com",
            "www.google.cn",
        ),
        _ANDROID_PATHS,
        _NO_CONTENT,
    ),
    (
        "Chrome",
        ("www.gstatic.com", "clients1.google.com", "clients3.google.com", "clients4.google.com"),
        _ANDROID_PATHS,
        _NO_CONTENT,
    ),
    ("Samsung", ("d2uzsrnmmf6tds.cloudfront.net",), ("/", *_ANDROID_PATHS), _NO_CONTENT),
    ("Xiaomi", ("connect.rom.miui.com",), _ANDROID_PATHS, _NO_CONTENT),
    (
        "Huawei",
        ("connectivitycheck.platform.hicloud.com", "connectivitycheck.cbg-app.huawei.com"),
        _ANDROID_PATHS,
        _NO_CONTENT,
    ),
    ("GrapheneOS", ("connectivitycheck.grapheneos.network",), _ANDROID_PATHS, _NO_CONTENT),
    (
        "Apple",
        (
            "captive.apple.com",
            "www.apple.com",
            "netcts.cdn-apple.com",
            # Used by old systems, and now and then by new ones.
            "appleiphonecell.com",
            "airport.us",
            "ibook.info",
            "itools.info",
            "thinkdifferent.us",
            "www.appleiphonecell.com",
            "www.airport.us",
            "www.ibook.info",
            "www.itools.info",
            "www.thinkdifferent.us",
        ),
        _APPLE_PATHS,
        _APPLE,
    ),
    (
        "Windows",
        ("www.msftconnecttest.com", "ipv6.msftconnecttest.com"),
        ("/connecttest.txt",),
        _text("Microsoft Connect Test"),
    ),
    ("Windows 7", ("www.msftncsi.com", "ipv6.msftncsi.com"), ("/ncsi.txt",), _text("Microsoft NCSI")),
    ("Edge", ("edge.microsoft.com",), ("/captiveportal/generate_204",), _NO_CONTENT),
    ("Firefox", ("detectportal.firefox.com",), ("/canonical.html",), _FIREFOX_PAGE),
    ("Firefox", ("detectportal.firefox.com",), ("/success.txt",), _text("success\n")),
    (
        "Ubuntu",
        ("connectivity-check.ubuntu.com",),
        ("/",),
        ProbeAnswer(204, b"", (*_FRESH, ("X-NetworkManager-Status", "online"))),
    ),
    ("GNOME", ("nmcheck.gnome.org",), ("/check_network_status.txt",), _NETWORK_MANAGER),
    ("Debian", ("network-test.debian.org",), ("/nm",), _NETWORK_MANAGER),
    (
        "Arch Linux",
        ("ping.archlinux.org", "www.archlinux.org"),
        ("/nm-check.txt", "/check_network_status.txt"),
        _NETWORK_MANAGER,
    ),
    ("Fedora", ("fedoraproject.org",), ("/static/hotspot.txt",), _OK),
    ("Red Hat", ("static.redhat.com",), ("/test/rhel-networkmanager.txt",), _OK),
    ("openSUSE", ("conncheck.opensuse.org",), ("/",), _NETWORK_MANAGER),
    ("KDE", ("networkcheck.kde.org",), ("/",), _OK),
    ("Kindle", ("spectrum.s3.amazonaws.com",), ("/kindle-wifi/wifistub.html",), _KINDLE),
    ("Fire OS", ("fireoscaptiveportal.com", "tabletcaptiveportal.com"), _ANDROID_PATHS, _NO_CONTENT),
    ("Roku", ("captive.roku.com",), ("/ok",), _text("ok")),
    ("Nintendo", ("conntest.nintendowifi.net", "ctest.cdn.nintendo.net"), ("/",), _NINTENDO),
)

_PROBES = {
    (host, path): Probe(system, answer)
    for system, hosts, paths, answer in _GOLDEN
    for host in hosts
    for path in paths
}
_HOSTS = frozenset(host for host, _ in _PROBES)


def recognise(method: str, host: str | None, target: str, user_agent: str = "") -> Probe | None:
    """The probe that a request is; None for any other request.

    `host` comes from `normal_host`; a query in `target` (Firefox's ``?ipv4``) is ignored.
    """
    if host is None or method not in {"GET", "HEAD"} or len(target) > PATH_CHARACTERS_MAX:
        return None
    path = target.partition("?")[0]
    known = _PROBES.get((host, path))
    if known is not None:
        return known
    if path in _ANDROID_PATHS:
        return Probe("another Android", _NO_CONTENT)
    if user_agent.startswith("CaptiveNetworkSupport"):
        return Probe("Apple", _APPLE)
    return None


def probe_hosts() -> tuple[str, ...]:
    """Every host that systems probe, in a fixed order."""
    return tuple(sorted(_HOSTS))


def is_probe_host(host: str) -> bool:
    """Hosts that must never be in a walled garden: the system would believe that it is online."""
    return host in _HOSTS


def before_admission(portal_url: str) -> ProbeAnswer:
    """Redirects a request for another host to the portal, and closes: a kept connection would outlive the
    sign-in."""
    where = escape(portal_url)
    body = f'<!doctype html><title>Sign in</title><p><a href="{where}">Sign in to this network</a></p>\n'
    headers = (("Location", portal_url), ("Content-Type", "text/html; charset=utf-8"), *_FRESH)
    return ProbeAnswer(302, body.encode(), headers)

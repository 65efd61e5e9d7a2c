"""What a node tells an openNDS router about a person who may pass: limits, and the text that carries them."""

import base64
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

from node.gateways.opennds_query import FasKey, FasRequest, return_hash

NUMBER_MAX = 2**31 - 1
"""The router keeps these numbers as signed 32-bit integers."""
CUSTOM_CHARACTERS_MAX = 256
_RETURN_HASH = re.compile(r"[0-9a-f]{64}")
_BASE64 = re.compile(r"[0-9A-Za-z+/]*={0,2}")
_ENTRY = re.compile(r"[0-9a-f]{64}(%20\d{1,10}){5}%20([0-9A-Za-z]|%2B|%2F|%3D)*%20")
CUSTOM_MARK = "procomu"
CUSTOM_WORDS = {3: 1, 9: 6}
"""Number of words in a custom text (levels 3 and 4; 0 to 2), and where the two words of the device's mark begin."""


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Limits of one session at an openNDS router, in its own units; 0 is no limit (for `session_minutes`: the router's
    own default). The router counts the two directions apart, and checks every 15 seconds unless it is set otherwise."""

    session_minutes: int = 0
    upload_kbit_s: int = 0
    download_kbit_s: int = 0
    upload_kbytes: int = 0
    download_kbytes: int = 0

    def __post_init__(self) -> None:
        assert all(0 <= number <= NUMBER_MAX for number in self.numbers)

    @property
    def numbers(self) -> tuple[int, int, int, int, int]:
        """In the order in which `ndsctl auth` takes them."""
        return (
            self.session_minutes,
            self.upload_kbit_s,
            self.download_kbit_s,
            self.upload_kbytes,
            self.download_kbytes,
        )

    @property
    def binauth_line(self) -> str:
        """As `custombinauth.sh` prints them: seconds, kbit/s, kbit/s, kilobytes, kilobytes."""
        minutes, *others = self.numbers
        return " ".join(map(str, (minutes * 60, *others)))


def gateway_limits(
    *,
    session_s: int | None,
    upload_bits_s: int | None,
    download_bits_s: int | None,
    left_bytes: int | None,
) -> GatewayLimits:
    """Limits that never give less than a person may have: rounded up, and at least 1, since 0 would mean none. None is
    no limit."""

    def whole(amount: int | None, unit: int) -> int:
        return 0 if amount is None else min(NUMBER_MAX, max(1, -(-amount // unit)))

    left_kbytes = whole(left_bytes, 1_024)
    return GatewayLimits(
        session_minutes=whole(session_s, 60),
        upload_kbit_s=whole(upload_bits_s, 1_000),
        download_kbit_s=whole(download_bits_s, 1_000),
        upload_kbytes=left_kbytes,
        download_kbytes=left_kbytes,
    )


def sealed_custom(limits: GatewayLimits, mark: tuple[str, str], hid: str, key: FasKey) -> str:
    """The limits for `custombinauth.sh` of the levels 0 to 2, and the two words of a device's mark, in base64. They pass
    through the person's browser: the hash with the router's key at the end shows that nobody changed them, or took those
    of another client."""
    words = " ".join((CUSTOM_MARK, *map(str, limits.numbers), *mark))
    seal = hashlib.sha256(f"{words} {hid} {key.characters}".encode()).hexdigest()
    return _base64(f"{words} {seal}")


def marked_custom(mark: tuple[str, str]) -> str:
    """The device's mark alone, for the levels 3 and 4."""
    return _base64(" ".join((CUSTOM_MARK, *mark)))


def _base64(text: str) -> str:
    made = base64.b64encode(text.encode()).decode("ascii")
    assert len(made) <= CUSTOM_CHARACTERS_MAX
    return made


def return_address(request: FasRequest, custom: str, key: FasKey, end_page: str) -> str:
    """Where the person's browser goes to be let in, at the levels 0 to 2. `end_page` is what it shows afterwards; the
    router refuses a request without one."""
    token = request.token or return_hash(request.hid, key.characters)
    fields = f"tok={token}&redir={quote(end_page, safe='')}&custom={quote(custom, safe='')}"
    return f"http://{request.gateway_address}/{request.authdir}/?{fields}"


def authmon_entry(rhid: str, limits: GatewayLimits, custom: str = "") -> str:
    """One client as authmon takes it. It gives this text to a shell as root: nothing but these characters may leave."""
    assert _RETURN_HASH.fullmatch(rhid)
    assert _BASE64.fullmatch(custom)
    assert len(custom) <= CUSTOM_CHARACTERS_MAX
    numbers = " ".join(map(str, limits.numbers))
    entry = quote(f"{rhid} {numbers} {custom} ", safe="")
    assert _ENTRY.fullmatch(entry)
    return entry

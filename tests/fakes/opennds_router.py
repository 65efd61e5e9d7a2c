"""An openNDS router as its FAS sees it: the redirects of the levels 0 to 4, and the loop of authmon.

Written after openNDS 10.3: http_microhttpd.c (the queries), authmon.sh (the first 1,024 characters after ``* ``, four
clients a cycle, acknowledgements joined by spaces) and post-request.php.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

IV = "0123456789abcdef"


def sealed_text(text: str, faskey: str, iv: str = IV) -> str:
    """As PHP encrypts, to base64, and base64 of that by the router's script."""
    padder = padding.PKCS7(128).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    key = faskey.encode()[:32].ljust(32, b"\0")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv.encode())).encryptor()
    sealed = encryptor.update(padded) + encryptor.finalize()
    return base64.b64encode(base64.b64encode(sealed)).decode()


@dataclass
class FakeRouter:
    """One router with one client, whose token is `token`."""

    faskey: str
    name: str = "Test%20Node%3a001122334455%20"
    token: str = "0badcafe"
    client_ip: str = "192.168.1.50"
    client_mac: str = "aa:bb:cc:dd:ee:ff"
    address: str = "192.168.1.1:2050"
    online: dict[str, list[str]] = field(default_factory=dict)
    """Clients that authmon has let in, with the parameters of `ndsctl auth`."""
    acknowledged: list[str] = field(default_factory=list)

    @property
    def hid(self) -> str:
        return hashlib.sha256(self.token.encode()).hexdigest()

    @property
    def gateway_hash(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    def items(self, **changes: str) -> dict[str, str]:
        return {
            "hid": self.hid,
            "clientip": self.client_ip,
            "clientmac": self.client_mac,
            "client_type": "cpd_can",
            "cpi_query": "(null)",
            "gatewayname": self.name,
            "gatewayurl": "http%3a%2f%2f192.168.1.1",
            "version": "10.3.1",
            "gatewayaddress": self.address,
            "gatewaymac": "001122334455",
            "authdir": "opennds_auth",
            "originurl": "http%3a%2f%2fexample.com%2f",
            "clientif": "wlan0",
            "themespec": "(null)",
        } | changes

    def text(self, items: Mapping[str, str]) -> str:
        return "".join(f"{name}={value}, " for name, value in items.items())

    def query(self, level: int, **changes: str) -> str:
        """The query of a redirect."""
        items = self.items(**changes)
        if level == 0:
            return (
                f"authaction=http://{items['gatewayaddress']}/{items['authdir']}/?clientip={items['clientip']}"
                f"&gatewayname={items['gatewayname']}&tok={self.token}&redir={items['originurl']}"
            )
        if level in (2, 3):
            return f"fas={sealed_text(self.text(items), self.faskey)}&iv={IV}"
        del items["authdir"]
        return f"fas={base64.b64encode(self.text(items).encode()).decode()}"

    def poll(self, ask: Callable[[dict[str, str]], str]) -> str:
        """One cycle of authmon. `ask` sends the parameters, and gives the body. Returns the reply to the second request."""
        body = ask(self.asking("view", "none"))
        cycle = ["*"]
        if body.startswith("*"):
            for entry in body[2:1026].split()[:4]:
                rhid, *limits = unquote(entry).split()
                if rhid not in self.online:  # else: "Failed to authenticate"
                    self.online[rhid] = limits
                    cycle.append(rhid)
        self.acknowledged = cycle[1:]
        return ask(self.asking("view", " ".join(cycle)))

    def asking(self, action: str, payload: str, *, times: int = 1) -> dict[str, str]:
        """Parameters of one request, the payload encoded `times` times."""
        for _ in range(times):
            payload = base64.b64encode(payload.encode()).decode()
        return {"auth_get": action, "gatewayhash": self.gateway_hash, "payload": payload}

    def deauthed(self, incoming: object, outgoing: object, *, method: str = "client_deauth") -> str:
        """The log line of a client that leaves."""
        return (
            f"method={method}, clientmac={self.client_mac}, bytes_incoming={incoming}, bytes_outgoing={outgoing}, "
            f"session_start=1700000000, session_end=1700003600, token={self.token}, custom=none"
        )


def as_form(fields: Mapping[str, str]) -> str:
    """As PHP encodes a form."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())

"""The configuration of a router with WiFiDog for one gateway, to paste or to download."""

import re

from node.gateways.gateway import Gateway

_HOST = re.compile(r"[0-9A-Za-z.:-]{1,253}")


def wifidog_config(gateway: Gateway, secret: str, host: str, port: int) -> str:
    """For `wifidog.conf`, of the stock gateway and of apfree-wifidog. The secret is only in the paths that the router itself
    asks: every browser behind it sees the path of the pages."""
    assert _HOST.fullmatch(host) is not None, host
    lines = (
        "AuthServer {",
        f"    Hostname {host}",
        "    SSLAvailable no",
        f"    HTTPPort {port}",
        f"    Path /gw/{gateway.id}/",
        "    LoginScriptPathFragment login/?",
        "    PortalScriptPathFragment portal/?",
        "    MsgScriptPathFragment gw_message.php?",
        f"    PingScriptPathFragment {secret}/ping/?",
        f"    AuthScriptPathFragment {secret}/auth/?",
        "}",
        "CheckInterval 60",
        "ClientTimeout 5",
    )
    return "\n".join(lines) + "\n"

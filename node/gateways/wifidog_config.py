"""The configuration of a router with WiFiDog for one gateway, to paste or to download."""

import re

from node.gateways.gateway import Gateway

_HOST = re.compile(r"[0-9A-Za-z.:-]{1,253}")


def wifidog_config(gateway: Gateway, secret: str, host: str, port: int, second: str = "") -> str:
    """For `wifidog.conf`, of the stock gateway and of apfree-wifidog. The secret is only in the paths that the router itself
    asks: every browser behind it sees the path of the pages. `second`: host and port of the node that it asks when the first
    does not answer; empty for none."""
    lines = [*_server(gateway, secret, host, port)]
    if second:
        second_host, _, second_port = second.rpartition(":")
        lines += _server(gateway, secret, second_host, int(second_port))
    return "\n".join([*lines, "CheckInterval 60", "ClientTimeout 5"]) + "\n"


def _server(gateway: Gateway, secret: str, host: str, port: int) -> tuple[str, ...]:
    assert _HOST.fullmatch(host) is not None, host
    return (
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
    )

"""What a gateway can do of what the rules say, by its program. The rest is shown to admins and to the people behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from node.gateways.gateway import GatewayKind

Ability = Literal["yes", "no", "late", "leaving", "hour", "hours"]
"""``late``: at its next check. ``leaving``: when the person leaves. ``hour``, ``hours``: within one hour, or six."""
Feature = Literal["count", "end", "block", "quota", "ceiling", "share", "floor", "ipv6", "name"]
FEATURES: tuple[Feature, ...] = (
    "count",
    "end",
    "block",
    "quota",
    "ceiling",
    "share",
    "floor",
    "ipv6",
    "name",
)
"""Counting; ending a session; blocking a device; a used-up quota; ceilings; weights; floors; IPv6; the device's name."""
CHECK_INTERVAL_S = 60
"""Of WiFiDog, unless it is set otherwise."""


@dataclass(frozen=True, slots=True)
class GatewayAbilities:
    """Of one kind of gateway."""

    by_feature: Mapping[Feature, Ability]

    def can(self, feature: Feature) -> bool:
        """At once or later."""
        return self.by_feature[feature] != "no"


ABILITIES: Mapping[GatewayKind, GatewayAbilities] = {
    "wifidog": GatewayAbilities(
        {
            "count": "late",
            "end": "late",
            "block": "late",
            "quota": "late",
            "ceiling": "no",
            "share": "no",
            "floor": "no",
            "ipv6": "no",
            "name": "no",
        }
    ),
    "apfree": GatewayAbilities(
        {
            "count": "late",
            "end": "late",
            "block": "late",
            "quota": "late",
            "ceiling": "no",
            "share": "no",
            "floor": "no",
            "ipv6": "late",
            "name": "late",
        }
    ),
    "opennds": GatewayAbilities(
        {
            "count": "leaving",
            "end": "hour",
            "block": "hour",
            "quota": "late",
            "ceiling": "yes",
            "share": "no",
            "floor": "no",
            "ipv6": "no",
            "name": "no",
        }
    ),
}
_REPORTED: Mapping[Feature, Ability] = {"count": "late", "end": "late", "block": "late"}


_LONG: Mapping[Feature, Ability] = {"end": "hours", "block": "hours"}


def abilities(
    kind: GatewayKind, *, reports: bool = False, has_long_sessions: bool = False
) -> GatewayAbilities:
    """Of one gateway. `reports`: the node's script on an openNDS router tells what clients use, and ends them;
    `has_long_sessions`: it did so lately, and sessions from then last longer."""
    found = ABILITIES[kind]
    if kind != "opennds" or not (reports or has_long_sessions):
        return found
    return GatewayAbilities({**found.by_feature, **(_REPORTED if reports else _LONG)})

"""Parse libnftables' listing of the table into readings and observed state."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from node.accounting.meter import Reading, joined
from node.enforcement.flow_offload import ETHERNET_HEADER_BYTES, MARKED_BITS
from node.enforcement.nft import (
    FACT_COUNTERS_ID,
    FACT_ESTABLISHED,
    FACT_FORWARDING4,
    FACT_FORWARDING6,
    FACT_LAYOUT,
    FACT_OFFLOAD,
    LAYOUT,
)
from node.enforcement.plan import Admission, KernelState
from node.units import MacAddress, Monotonic

# Matched one by one with a regular expression: other threads can run in between, while json.loads would block them
# for the whole list.
_COUNTED = re.compile(
    r'"name": "([ud])(\d+)", "table": "procomu", "handle": \d+, "packets": (\d+), "bytes": (\d+)'
)

NOTHING_STANDS = KernelState(stands=False, reading=Reading("", {}), admitted={}, marks={})


def reading(counters_id: str, text: str, offloaded: str = "") -> Reading:
    """All counters in libnftables' JSON listing of a table, and those of the table of `flow_offload`."""
    ways: dict[str, dict[int, int]] = {"u": {}, "d": {}}
    for listing, header_bytes in ((text, 0), (offloaded, ETHERNET_HEADER_BYTES)):
        for match in _COUNTED.finditer(listing):
            way, mark = ways[match[1]], int(match[2])
            way[mark] = way.get(mark, 0) + int(match[4]) - header_bytes * int(match[3])
    return joined(counters_id, ways["u"], ways["d"])


def observed(
    listed: Sequence[str], now: Monotonic, offloaded: Sequence[str] = (), *, offloads: bool = False
) -> KernelState:
    """State from the JSON listings of the table's maps, counters and guest set, and from those of the maps and counters
    of `flow_offload`. For a table with another layout, or where flow offload is not as `offloads` says or its table not
    complete, `stands` is False, but its facts and counters are reported."""
    found = _elements(listed)
    facts = dict(found.get("facts", []))
    forwarding = bool(facts.get(FACT_FORWARDING4)), bool(facts.get(FACT_FORWARDING6))
    established = int(facts.get(FACT_ESTABLISHED, 0))
    counted = reading(str(facts.get(FACT_COUNTERS_ID, "")), "".join(listed), "".join(offloaded))
    if facts.get(FACT_LAYOUT) != LAYOUT or bool(facts.get(FACT_OFFLOAD)) != offloads:
        return KernelState(False, counted, {}, {}, forwarding, established)
    if offloads and not _is_complete(found, _elements(offloaded), "".join(listed), "".join(offloaded)):
        return KernelState(False, counted, {}, {}, forwarding, established)
    classes = {mark: _minor(classid) for mark, classid in found["classes"]}
    marks = {mark: classes.get(mark, 0) for mark in counted.counted}
    # A device without all three elements cannot pass, so it is admitted again completely.
    passing = {_value(elem)["concat"][1] for elem, _ in found["up"]} & {
        _value(elem) for elem, _ in found["down"]
    }
    guests = {_value(elem) for elem in found["guests"]}
    admitted: dict[MacAddress, Admission] = {}
    for elem, mark in found["members"]:
        mac = MacAddress(_value(elem))
        if mark in marks and mark in passing:
            admitted[mac] = Admission(mac, mark, marks[mark], _ends(elem, now), is_guest=mac in guests)
    return KernelState(
        stands=True,
        reading=counted,
        admitted=admitted,
        marks=marks,
        forwarding_before=forwarding,
        established_before=established,
    )


def _elements(listed: Sequence[str]) -> dict[str, Any]:
    """Of each map and set, by its name."""
    return {
        body["name"]: body.get("elem", [])
        for listing in listed
        for item in json.loads(listing)["nftables"]
        for kind, body in item.items()
        if kind in {"map", "set"}
    }


def _is_complete(found: Mapping[str, Any], beside: Mapping[str, Any], counters: str, others: str) -> bool:
    """Whether the table of `flow_offload` has the same devices and counters as the other."""
    here = {(_value(elem), mark) for elem, mark in found["members"]}
    members = {(_value(elem), mark & ~MARKED_BITS) for elem, mark in beside.get("members", ())}
    ups = {_value(elem) & ~MARKED_BITS for elem, _ in beside.get("up", ())}
    downs = {_value(elem) for elem, _ in beside.get("down", ())}
    return (
        here == members
        and ups == {mark for _, mark in here}
        and downs == {mac for mac, _ in here}
        and {match[2] for match in _COUNTED.finditer(counters)}
        == {match[2] for match in _COUNTED.finditer(others)}
    )


def devices_in(listing: str) -> tuple[MacAddress, ...]:
    """Elements of a set of hardware addresses, from libnftables' JSON listing; empty for an empty listing."""
    if not listing:
        return ()
    sets = (item["set"] for item in json.loads(listing)["nftables"] if "set" in item)
    return tuple(MacAddress(_value(elem)) for each in sets for elem in each.get("elem", ()))


def _value(elem: Any) -> Any:
    return elem["elem"]["val"] if isinstance(elem, dict) and "elem" in elem else elem


def _ends(elem: Any, now: Monotonic) -> Monotonic | None:
    if isinstance(elem, dict) and "expires" in elem["elem"]:
        return Monotonic(now + 1000 * int(elem["elem"]["expires"]))
    return None


def _minor(classid: str) -> int:
    """Class minor from libnftables' notation: ``1:1f`` or ``none`` (0)."""
    return int(classid.partition(":")[2], 16) if ":" in classid else 0

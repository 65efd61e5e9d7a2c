"""Parse libnftables' listing of the table into readings and observed state."""

import json
import re
from collections.abc import Sequence
from typing import Any

from node.accounting.meter import Reading, joined
from node.enforcement.nft import FACT_COUNTERS_ID, FACT_FORWARDING4, FACT_FORWARDING6, FACT_LAYOUT, LAYOUT
from node.enforcement.plan import Admission, KernelState
from node.units import MacAddress, Monotonic

# Matched one by one with a regular expression: other threads can run in between, while json.loads would block them
# for the whole list.
_COUNTED = re.compile(
    r'"name": "([ud])(\d+)", "table": "procomu", "handle": \d+, "packets": \d+, "bytes": (\d+)'
)

NOTHING_STANDS = KernelState(stands=False, reading=Reading("", {}), admitted={}, marks={})


def reading(counters_id: str, text: str) -> Reading:
    """All counters in libnftables' JSON listing of a table."""
    ways: dict[str, dict[int, int]] = {"u": {}, "d": {}}
    for match in _COUNTED.finditer(text):
        ways[match[1]][int(match[2])] = int(match[3])
    return joined(counters_id, ways["u"], ways["d"])


def observed(listed: Sequence[str], now: Monotonic) -> KernelState:
    """State from the JSON listings of the table's maps, counters and guest set. For a table with another layout
    `stands` is False, but its facts and counters are reported."""
    found = {
        body["name"]: body.get("elem", [])
        for listing in listed
        for item in json.loads(listing)["nftables"]
        for kind, body in item.items()
        if kind in {"map", "set"}
    }
    facts = dict(found.get("facts", []))
    forwarding = bool(facts.get(FACT_FORWARDING4)), bool(facts.get(FACT_FORWARDING6))
    counted = reading(str(facts.get(FACT_COUNTERS_ID, "")), "".join(listed))
    if facts.get(FACT_LAYOUT) != LAYOUT:
        return KernelState(False, counted, {}, {}, forwarding)
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

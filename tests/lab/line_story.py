"""The story of ``deploy/demo --nodes N``: nodes in a line share one community record, one account, and part with a node."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.lab.agreement import ALLOWANCE_BYTES, MACS
from tests.lab.node_line import are_together, is_limited, seconds_until, state
from tests.lab.people import Person
from tests.lab.village import Router, Village

FOUND_S, RECORD_S, EFFECT_S, VOUCHER_S, REVOKED_S, OUT_S, BACK_S = 30.0, 30.0, 5.0, 5.0, 5.0, 5.0, 40.0
"""What is wanted of each figure, at most."""
PORTAL = "http://login.procomu.lan"
APART_S = 120
"""Two people use a voucher at two ends one after the other, so a little less is left at the second."""
PART_BYTES = 3_000_000
QUIET_S = 3.0
"""How long a removed node is watched: usage reaches a member within one second."""


@dataclass(slots=True)
class LineFigures:
    """What the story measured, in seconds."""

    nodes: int
    found_s: float = 0.0
    record_s: float = 0.0
    effect_s: float = 0.0
    voucher_s: float = 0.0
    """Until a voucher was known at the other end."""
    voucher_apart_s: int = 0
    """How far what is left of it differs at the two ends."""
    revoked_s: float = 0.0
    """Until somebody at the other end was disconnected."""
    out_s: float = 0.0
    told_removed: bool = False
    """Whether the removed node says so itself."""
    back_s: float = 0.0
    learned_after: int = 0
    """Bytes used on another node that the removed one learned of afterwards."""
    unmet: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Note what is not as wanted."""
        wanted = (
            (self.found_s <= FOUND_S, f"neighbours found each other after {self.found_s:.1f} s"),
            (self.record_s <= RECORD_S, f"all followed one community record after {self.record_s:.1f} s"),
            (
                self.effect_s <= EFFECT_S,
                f"usage was known at the other end after {self.effect_s:.1f} s",
            ),
            (
                self.voucher_s <= VOUCHER_S,
                f"a voucher was known at the other end after {self.voucher_s:.1f} s",
            ),
            (
                self.voucher_apart_s <= APART_S,
                f"what is left of a voucher differs by {self.voucher_apart_s} s",
            ),
            (
                self.revoked_s <= REVOKED_S,
                f"a voucher revoked at one end was so at the other after {self.revoked_s:.1f} s",
            ),
            (self.out_s <= OUT_S, f"a removed node was out after {self.out_s:.1f} s"),
            (self.back_s <= BACK_S, f"a node that was taken back knew everything after {self.back_s:.1f} s"),
            (self.told_removed, "the removed node does not say that it was removed"),
            (self.learned_after == 0, f"the removed node learned of {self.learned_after} bytes"),
        )
        self.unmet = [text for is_met, text in wanted if not is_met]

    def document(self) -> dict[str, Any]:
        return {
            "ok": not self.unmet,
            "nodes": self.nodes,
            "found_s": round(self.found_s, 2),
            "record_s": round(self.record_s, 2),
            "effect_s": round(self.effect_s, 2),
            "voucher_s": round(self.voucher_s, 2),
            "voucher_apart_s": self.voucher_apart_s,
            "revoked_s": round(self.revoked_s, 2),
            "removed_out_s": round(self.out_s, 2),
            "back_s": round(self.back_s, 2),
            "removed_node_says_so": self.told_removed,
            "bytes_learned_after_removal": self.learned_after,
        }


class LineStory:
    """Tells with `say` what happens on a line of nodes that have not been started."""

    def __init__(self, line: Village, say: Callable[[str], None]) -> None:
        self._line, self._say = line, say
        self._routers: list[Router] = list(line.routers.values())
        self.figures = LineFigures(len(self._routers))

    def run(self) -> LineFigures:
        """Everything, once; no node is started a second time."""
        self._meet()
        self._follow_one_record()
        bea = self._share_an_account()
        self._pass_a_voucher_on()
        self._remove_the_last(bea)
        self.figures.judge()
        return self.figures

    def _meet(self) -> None:
        for router in self._routers:
            router.start(wait=False)
        for router in self._routers:
            router.wait_ready()
        began = time.monotonic()
        for left, right in itertools.pairwise(self._routers):
            seconds_until("neighbours trust each other", lambda a=left, b=right: are_together(a, b), began)  # type: ignore[misc]
        self.figures.found_s = time.monotonic() - began
        self._say(
            f"{len(self._routers)} nodes in a line found each other by themselves in {self.figures.found_s:.1f} s"
        )

    def _follow_one_record(self) -> None:
        first, *rest = self._routers
        began = time.monotonic()
        community = str(first.told("community", "create", "--label", "Rosa")["community"])
        for router in rest:
            seconds_until(
                "the record is offered",
                lambda r=router: r.told("community", "show")["offered"] == [community],
                began,
            )  # type: ignore[misc]
            router.told("community", "follow", community[:16])
            seconds_until(
                "it is there", lambda r=router: r.told("community", "show").get("version") == 1, began
            )  # type: ignore[misc]
        self.figures.record_s = time.monotonic() - began
        self._say(
            f"the list of nodes became a community record on {first.site.name}; the others follow it, one after the other, "
            f"after {self.figures.record_s:.1f} s"
        )

    def _share_an_account(self) -> Person:
        """An account that is used at one end, and limited by what was used there at the other end."""
        first, last = self._routers[0], self._routers[-1]
        near = self._line.settle("bea", first, 24, MACS["bea"])
        far = self._line.settle("bea-hills", last, 25, MACS["bea-hills"])
        for person in (near, far):
            person.join()
            person.do("accept")
        near.do("download", seconds=15, bytes=PART_BYTES)
        seconds_until("usage is booked", lambda: _used(first) >= PART_BYTES, time.monotonic())
        self.figures.effect_s = seconds_until(
            "it is known at the other end", lambda: _used(last) >= PART_BYTES, time.monotonic()
        )
        self._say(
            f"Bea used {PART_BYTES / 1e6:.0f} of her 8 MB on {first.site.name}; {last.site.name} knows it "
            f"{self.figures.effect_s:.1f} s later"
        )
        return near

    def _pass_a_voucher_on(self) -> None:
        """A voucher of one end is used there and at the other end, and revoked where it was issued."""
        first, last = self._routers[0], self._routers[-1]
        began = time.monotonic()
        (code,) = first.ask("vouchers-issue", count="1", group="day-pass", lasts="1 day", devices="3")[
            "codes"
        ]
        self.figures.voucher_s = seconds_until(
            "the voucher is known at the other end",
            lambda: bool(last.ask("vouchers-list")["batches"]),
            began,
        )
        left = []
        for number, router in ((26, first), (27, last)):
            guest = self._line.settle(f"guest{number}", router, number)
            guest.join()
            done = guest.do("press", url=f"{PORTAL}/", ends="/join/code", fields={"code": str(code)})
            assert done["status"] == 303, done
            left.append(int((router.device(guest.mac) or {})["seconds_left"]))
        self.figures.voucher_apart_s = abs(left[0] - left[1])
        began = time.monotonic()
        first.ask("vouchers-revoke", which=str(code))
        self.figures.revoked_s = seconds_until(
            "the guest at the other end is disconnected",
            lambda: (last.device(guest.mac) or {}).get("state") != "admitted",
            began,
        )
        self._say(
            f"a voucher of {first.site.name} was valid at {last.site.name} after {self.figures.voucher_s:.1f} s, with "
            f"the time it had left; revoked, it was so there after {self.figures.revoked_s:.1f} s"
        )

    def _remove_the_last(self, bea: Person) -> None:
        first, neighbour, last = self._routers[0], self._routers[-2], self._routers[-1]
        began = time.monotonic()
        first.told("community", "remove", last.node_id)
        self.figures.out_s = seconds_until(
            "a removed node is out",
            lambda: "trusted" not in {state(neighbour, last.node_id), state(last, neighbour.node_id)},
            began,
        )
        self.figures.told_removed = any("removed by an admin" in text for text in last.overview()["warnings"])
        self._say(
            f"{last.site.name} was removed on {first.site.name}, with no restart: out after {self.figures.out_s:.1f} s"
        )
        time.sleep(QUIET_S)  # what had arrived before is booked
        before = _used(last)
        bea.do("download", seconds=15, bytes=ALLOWANCE_BYTES)
        seconds_until("a member limits her", lambda: is_limited(neighbour), time.monotonic())
        time.sleep(QUIET_S)
        self.figures.learned_after = _used(last) - before
        self._say(
            f"Bea used up the rest: {neighbour.site.name} limits her, {last.site.name} learned of "
            f"{self.figures.learned_after} bytes"
        )
        self._take_back(last)

    def _take_back(self, last: Router) -> None:
        began = time.monotonic()
        self._routers[0].told("community", "remove", last.node_id, "--back")
        self.figures.back_s = seconds_until(
            "a node that is back limits her too", lambda: is_limited(last), began
        )
        self._say(f"{last.site.name} was taken back, and limits her too after {self.figures.back_s:.1f} s")


def _used(router: Router) -> int:
    return sum(int(quota["used"]) for quota in router.ask("why", who="bea")["allowance"]["quotas"])

"""Reports of the scripts on openNDS routers: each books what the clients used until now, and ends those who may not go on.

So a block, an ended session or a used-up quota holds there within one check interval, also in a long session.
"""

from collections.abc import Mapping

from node.app.gateway_service import GatewayService
from node.app.opennds_limits import downward_limit
from node.app.opennds_service import OpenNdsService
from node.control.ports import Clock
from node.gateways.gateway import Gateway
from node.gateways.opennds_client import read_mark
from node.gateways.opennds_query import FasKey
from node.gateways.opennds_report import (
    OnlineClient,
    RouterReport,
    is_fresh,
    read_report,
    report_answer,
    report_nonce,
)
from node.units import MacAddress

FASTER_PERCENT = 105
"""Of the ceiling that holds now: a client with more than that at its router is ended, so that it gets the new one."""


class RouterReports:
    """`key` is the node's own. Used only from the event loop's thread."""

    def __init__(self, service: OpenNdsService, people: GatewayService, clock: Clock, *, key: bytes) -> None:
        self._service, self._people, self._clock, self._key = service, people, clock, key

    def read(self, gateway: Gateway, fields: Mapping[str, str]) -> RouterReport | None:
        """None unless the script on this gateway's router made it; it may be an old one."""
        return read_report(fields, self._fas_key(gateway))

    def answer(self, gateway: Gateway, report: RouterReport) -> str:
        """What the script gets. A report that is too old changes nothing."""
        now, boot = self._clock.monotonic(), self._clock.boot
        key, nonce = self._fas_key(gateway), report_nonce(self._key, gateway, boot, now)
        if not is_fresh(self._key, gateway, boot, now, report.nonce):
            return report_answer(report, nonce, (), key, is_again=True)
        self._people.registry.reported(gateway, report.called)
        # Before the database is read nobody can be told apart; the next report holds the same bytes.
        clients = report.clients if self._people.is_ready else ()
        ended = [each.token for each in clients if not self._may_stay(gateway, each)]
        return report_answer(report, nonce, ended, key)

    def _may_stay(self, gateway: Gateway, client: OnlineClient) -> bool:
        """Books what it used. One without this node's mark let itself in, while openNDS asked no script: it does so while
        another program uses `ndsctl`."""
        mark = read_mark(self._key, gateway.id, client.hid, client.custom)
        people = self._people.people(gateway)
        if mark is None:
            people.of_nobody += 1
            return False
        self._people.book(gateway, mark.mac, client.counted, session=client.hid[:16])
        verdict = self._people.verdict(mark.mac)
        is_over = verdict.reason in {"ended", "blocked"} or self._is_too_fast(mark.mac, client.down_kbit_s)
        if is_over:
            people.devices.pop(mark.mac, None)
        else:
            self._service.still_here(gateway, client.hid, mark.mac)
        return not is_over

    def _is_too_fast(self, mac: MacAddress, kept_kbit_s: int) -> bool:
        allowance = self._people.quiet_allowance(mac)
        bits_s = None if allowance is None else downward_limit(allowance).bits_s
        if bits_s is None:
            return False
        return not kept_kbit_s or kept_kbit_s * 1_000 * 100 > bits_s * FASTER_PERCENT + 100_000

    def _fas_key(self, gateway: Gateway) -> FasKey:
        return FasKey(self._people.registry.fas_key(gateway))

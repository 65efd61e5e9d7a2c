"""What the set-up changes in the machine's network, as files, commands and sentences, and what the person who uses the
page must do then. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from node.setup.drop_ins import Command, PlannedFile, drop_in
from node.setup.network_layout import (
    LAN_ADDRESS,
    InterfaceFacts,
    Layout,
    NetworkAnswers,
    NetworkFacts,
    expected_ports,
    layout_of,
)
from node.translator import gettext_lazy, in_a_row


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A change of the machine's network, and the way back. Without files there is nothing to change."""

    lan: str
    """The interface that people are on: of the setting ``lan.interface``."""
    sentences: tuple[str, ...]
    """The plan in words, translatable."""
    cuts: str = ""
    """What the person who uses the page does when the change ends their connection; empty when it goes on."""
    ports: tuple[str, ...] = ()
    """Interfaces that are ports of `lan` when the change has worked."""
    radio: str = ""
    files: tuple[PlannedFile, ...] = ()
    prepare: tuple[Command, ...] = ()
    """Before the files are written."""
    reload: tuple[Command, ...] = ()
    """After the files are written."""
    undo: tuple[Command, ...] = ()
    """Before the earlier files are put back."""
    restore: tuple[Command, ...] = ()
    """After the earlier files are put back."""


def network_plan(answers: NetworkAnswers, facts: NetworkFacts, asked_from: str = "") -> NetworkPlan:
    """`asked_from` is the interface of the connection that asks, if it is known. Raises NodeError where the answers do
    not fit the machine."""
    layout = layout_of(answers, facts, asked_from)
    if layout.is_as_wanted:
        return NetworkPlan(layout.lan, _sentences(layout, answers, facts, ()))
    made = drop_in(layout, answers, facts)
    return NetworkPlan(
        lan=layout.lan,
        sentences=_sentences(layout, answers, facts, made.files),
        cuts=_cuts(layout, answers, facts.interface(asked_from)),
        ports=expected_ports(layout, facts.manager),
        radio=layout.radio.name if layout.radio else "",
        files=made.files,
        prepare=made.prepare,
        reload=made.reload,
        undo=made.undo,
        restore=made.restore,
    )


def _sentences(
    layout: Layout, answers: NetworkAnswers, facts: NetworkFacts, files: tuple[PlannedFile, ...]
) -> tuple[str, ...]:
    return (
        *_people_sentences(layout, answers),
        *_uplink_sentences(layout),
        *_written_sentences(facts, files),
    )


def _people_sentences(layout: Layout, answers: NetworkAnswers) -> Iterator[str]:
    if not layout.is_new:
        yield gettext_lazy("People are on {lan}, which stays as it is.", lan=layout.lan)
    elif layout.ports:
        ports = in_a_row(*map(_described, layout.ports), between=", ")
        yield gettext_lazy(
            "People plug in here: {ports}. Together this is {lan}.", ports=ports, lan=layout.lan
        )
    if layout.radio is not None:
        yield gettext_lazy(
            "{radio} makes an open Wi-Fi named “{name}”, by the rules of this country: {country}. It chooses its channel "
            "itself.",
            radio=_described(layout.radio),
            name=answers.wifi_name,
            country=answers.wifi_country,
        )
    for port in (*layout.ports, *([layout.radio] if layout.radio else [])):
        if port.own_addresses:
            lost = ", ".join(each.partition("/")[0] for each in port.own_addresses)
            yield gettext_lazy("{port} loses its address {address}.", port=port.name, address=lost)
        if port.has_default_route:
            yield gettext_lazy("{port} leads to the Internet now, and then no longer.", port=port.name)


def _uplink_sentences(layout: Layout) -> Iterator[str]:
    uplink = _described(layout.uplink)
    yield (
        gettext_lazy("The Internet comes in here: {uplink}. It gets its address by DHCP.", uplink=uplink)
        if layout.needs_dhcp
        else gettext_lazy("The Internet comes in here: {uplink}. This stays as it is.", uplink=uplink)
    )


def _written_sentences(facts: NetworkFacts, files: tuple[PlannedFile, ...]) -> Iterator[str]:
    if not files:
        yield gettext_lazy("Nothing changes in the network of this machine.")
        return
    if facts.manager == "none":
        yield gettext_lazy(
            "No program manages the network here: networkd is switched on for these ports only."
        )
    for each in files:
        if any(each.path == path for path, _ in facts.ifupdown_files):
            yield gettext_lazy("In {file}, the lines about these ports become comments.", file=each.path)


def _described(each: InterfaceFacts) -> str:
    return gettext_lazy("{name} ({described})", name=each.name, described=each.described)


def _cuts(layout: Layout, answers: NetworkAnswers, asked_from: InterfaceFacts | None) -> str:
    if asked_from is None:
        return ""
    address = f"http://{LAN_ADDRESS}/"
    if asked_from in layout.ports:
        if any(each.partition("/")[0] == LAN_ADDRESS for each in asked_from.addresses):
            return ""
        return gettext_lazy(
            "Your connection ends. Pull your cable out and plug it in again, and open {address}",
            address=address,
        )
    if asked_from == layout.radio:
        return gettext_lazy(
            "Your connection ends. Join the Wi-Fi “{name}”, and open {address}",
            name=answers.wifi_name,
            address=address,
        )
    if asked_from == layout.uplink and layout.needs_dhcp:
        return _by_another_way(layout, answers, address)
    return ""


def _by_another_way(layout: Layout, answers: NetworkAnswers, address: str) -> str:
    if not layout.ports:
        return gettext_lazy(
            "Your connection ends, because it comes from the side of the Internet. Join the Wi-Fi “{name}”, and open "
            "{address}",
            name=answers.wifi_name,
            address=address,
        )
    return gettext_lazy(
        "Your connection ends, because it comes from the side of the Internet. Plug your cable into {port}, and open "
        "{address}",
        port=in_a_row(*map(_described, layout.ports), between=", "),
        address=address,
    )

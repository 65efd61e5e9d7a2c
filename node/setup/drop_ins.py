"""Files and commands that make a layout, for each network manager: a bridge for people, a DHCP client towards the
Internet, and the settings of hostapd. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from node.errors import NodeError
from node.setup.network_layout import Layout, NetworkAnswers, NetworkFacts
from node.translator import gettext_lazy

HOSTAPD_CONF = "/etc/procomu/hostapd.conf"
HOSTAPD_UNIT = "procomu-wifi.service"
INTERFACES_FILE, INTERFACES_FOLDER = "/etc/network/interfaces", "/etc/network/interfaces.d"
READABLE_MODE, SECRET_MODE = 0o644, 0o600
OUT = "#procomu# "
"""Begins a line of ifupdown's files that the set-up took out; without it the line is as before."""
NO_SURVEY = frozenset({"brcmfmac", "rtl8192cu", "rtl8xxxu", "r8188eu"})
"""Drivers that cannot measure how busy channels are, so that hostapd cannot choose one (ACS)."""
_CHANNEL_DEFAULT = 6
_NETWORKD_UNIT = "systemd-networkd.service"
_NETWORKD_PREFIX = "/etc/systemd/network/05-procomu"
"""Below the numbers that netplan, cloud-init and people use: of several files that match, the first one counts."""
_NM_PROFILES = "/etc/NetworkManager/system-connections/procomu"
_NM_UP = ("nmcli", "--wait", "20", "connection", "up")
_NM_RADIO = "/etc/NetworkManager/conf.d/procomu.conf"
_IFUPDOWN = f"{INTERFACES_FOLDER}/procomu"
_MADE_BY = "# Made by Procomú's set-up, and deleted when the package is purged."
_IFUPDOWN_KEYWORDS = {"iface", "auto", "mapping", "source", "source-directory", "rename", "template"}
"""interfaces(5): these and ``allow-...`` begin a section."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    path: str
    text: str
    mode: int = READABLE_MODE
    """Of a new file; one that is there keeps its mode and owner."""


@dataclass(frozen=True, slots=True)
class Command:
    """Words of a command, which no shell reads."""

    words: tuple[str, ...]
    is_needed: bool = True
    """Whether the change has failed when this fails."""


@dataclass(frozen=True, slots=True)
class DropIn:
    """What one network manager needs."""

    files: tuple[PlannedFile, ...]
    prepare: tuple[Command, ...] = ()
    reload: tuple[Command, ...] = ()
    undo: tuple[Command, ...] = ()
    restore: tuple[Command, ...] = ()


def drop_in(layout: Layout, answers: NetworkAnswers, facts: NetworkFacts) -> DropIn:
    """Raises NodeError where the network manager cannot do it."""
    match facts.manager:
        case "networkd":
            made = _networkd(layout)
        case "NetworkManager":
            made = _network_manager(layout)
        case "ifupdown":
            made = _ifupdown(layout, facts)
        case "none":
            made = _networkd_switched_on(layout, facts)
    has_radio = layout.radio is not None
    return DropIn(
        files=(*made.files, *_released(layout, facts), *_hostapd_file(layout, answers)),
        prepare=made.prepare,
        reload=(
            *made.reload,
            *(
                _optional("ip", "address", "flush", "dev", name, "scope", "global")
                for name in layout.port_names
            ),
            *([_needed("systemctl", "restart", HOSTAPD_UNIT)] if has_radio else []),
        ),
        undo=(*([_optional("systemctl", "stop", HOSTAPD_UNIT)] if has_radio else []), *made.undo),
        restore=(*made.restore, *_addresses_again(layout)),
    )


def _needed(*words: str) -> Command:
    return Command(words)


def _optional(*words: str) -> Command:
    return Command(words, is_needed=False)


def _networkd(layout: Layout) -> DropIn:
    """systemd.netdev(5) and systemd.network(5)."""
    files = []
    if layout.is_new:
        mac = f"MACAddress={layout.mac}\n" if layout.mac else ""
        files += [
            _unit("lan.netdev", f"[NetDev]\nName={layout.lan}\nKind=bridge\n{mac}"),
            # KeepConfiguration: the node's addresses stay when networkd is restarted.
            _unit(
                "lan.network",
                f"[Match]\nName={layout.lan}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n"
                "ConfigureWithoutCarrier=yes\nDHCP=no\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n"
                "KeepConfiguration=static\n",
            ),
        ]
    if layout.ports:
        files.append(
            _unit(
                "ports.network",
                f"[Match]\nName={' '.join(layout.port_names)}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n"
                f"Bridge={layout.lan}\nConfigureWithoutCarrier=yes\nDHCP=no\nLinkLocalAddressing=no\n"
                "IPv6AcceptRA=no\n",
            )
        )
    if layout.radio:
        # hostapd makes it a port.
        files.append(
            _unit(
                "radio.network",
                f"[Match]\nName={layout.radio.name}\n\n[Link]\nUnmanaged=yes\nRequiredForOnline=no\n",
            )
        )
    if layout.needs_dhcp:
        # Forwarding would otherwise turn router advertisements off.
        files.append(
            _unit(
                "uplink.network",
                f"[Match]\nName={layout.uplink.name}\n\n[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n",
            )
        )
    again = _needed("systemctl", "reload-or-restart", _NETWORKD_UNIT)
    return DropIn(tuple(files), reload=(again,), restore=(*_bridge_deleted(layout), again))


def _unit(name: str, text: str) -> PlannedFile:
    return PlannedFile(f"{_NETWORKD_PREFIX}-{name}", f"{_MADE_BY}\n{text}")


def _networkd_switched_on(layout: Layout, facts: NetworkFacts) -> DropIn:
    """No network manager is there: networkd manages what its files name, and nothing else."""
    if not facts.has_networkd:
        raise NodeError(
            gettext_lazy("this machine has no network manager"),
            gettext_lazy(
                "install {one}, {two} or {three}",
                one="systemd-networkd",
                two="NetworkManager",
                three="ifupdown",
            ),
        )
    on = _needed("systemctl", "enable", "--now", _NETWORKD_UNIT)
    parts = (_NETWORKD_UNIT, "systemd-networkd.socket", "systemd-networkd-wait-online.service")
    off = _optional("systemctl", "disable", "--now", *parts)
    made = _networkd(layout)
    return DropIn(made.files, reload=(on,), restore=(off, *_bridge_deleted(layout)))


def _network_manager(layout: Layout) -> DropIn:
    """nm-settings-keyfile(5) and NetworkManager.conf(5)."""
    for port in layout.ports:
        if port.kind != "ethernet":
            raise NodeError(
                gettext_lazy(
                    "{name} cannot be a port here: {manager} makes it",
                    name=port.name,
                    manager="NetworkManager",
                ),
                gettext_lazy("choose another port, or make a bridge with it and choose the bridge"),
            )
    files: list[PlannedFile] = []
    up: list[Command] = []
    if layout.is_new:
        mac = f"mac-address={layout.mac}\n" if layout.mac else ""
        files.append(
            _profile(
                "lan",
                layout.lan,
                "bridge",
                f"[bridge]\nstp=false\n{mac}\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=ignore\n",
            )
        )
        up.append(_needed(*_NM_UP, "id", "procomu-lan"))
    for port in layout.ports:
        files.append(
            _profile(port.name, port.name, "ethernet", "", f"master={layout.lan}\nslave-type=bridge\n")
        )
        # Without a cable it fails, unless the cable was pulled out a moment ago.
        up.append(Command((*_NM_UP, "id", f"procomu-{port.name}"), is_needed=port.has_carrier))
    if layout.radio:
        # hostapd needs it alone. Unlike this, managed=0 in a section of devices counts from the next start only.
        files.append(
            PlannedFile(
                _NM_RADIO,
                f"{_MADE_BY}\n[keyfile]\nunmanaged-devices+=interface-name:{layout.radio.name}\n",
            )
        )
    if layout.needs_dhcp:
        files.append(
            _profile("uplink", layout.uplink.name, "ethernet", "[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n")
        )
    settings = [_needed("nmcli", "general", "reload", "conf")] if layout.radio else []
    read = _needed("nmcli", "connection", "reload")
    profiles = tuple(_optional(*_NM_UP, "uuid", port.profile) for port in layout.ports if port.profile)
    return DropIn(
        tuple(files),
        reload=(
            *settings,
            read,
            *up,
        ),
        restore=(*settings, read, *_bridge_deleted(layout), *profiles),
    )


def _profile(name: str, interface: str, kind: str, settings: str, more: str = "") -> PlannedFile:
    text = (
        f"{_MADE_BY}\n[connection]\nid=procomu-{name}\ntype={kind}\ninterface-name={interface}\n"
        f"autoconnect-priority=50\n{more}"
    )
    return PlannedFile(
        f"{_NM_PROFILES}-{name}.nmconnection", f"{text}\n{settings}".rstrip() + "\n", SECRET_MODE
    )


def _ifupdown(layout: Layout, facts: NetworkFacts) -> DropIn:
    """interfaces(5), with iproute2's commands, because bridge-utils may not be there."""
    texts = dict(facts.ifupdown_files)
    reads = re.compile(rf"^\s*source(-directory)?\s+({INTERFACES_FOLDER}|interfaces\.d)\b", re.MULTILINE)
    if not reads.search(texts.get(INTERFACES_FILE, "")):
        raise NodeError(
            gettext_lazy("{file} does not read {folder}", file=INTERFACES_FILE, folder=INTERFACES_FOLDER),
            gettext_lazy("add this line to it: {line}", line=f"source {INTERFACES_FOLDER}/*"),
        )
    lan, sections, ups, downs = layout.lan, [], [], []
    mac = f" address {layout.mac}" if layout.mac else ""
    made = f"    pre-up ip link show dev {lan} >/dev/null 2>&1 || ip link add name {lan}{mac} type bridge\n"
    if layout.is_new:
        sections.append(
            f"auto {lan}\niface {lan} inet manual\n{made}    up ip link set dev {lan} up\n"
            # Where no udev runs, nothing else adds them when the machine starts.
            f"{''.join(f'    up ip link set dev {name} master {lan} up || true\n' for name in layout.port_names)}"
            f"    down ip link set dev {lan} down\n    post-down ip link delete dev {lan}\n"
        )
        ups.append(_needed("ifup", lan))
    for name in layout.port_names:
        sections.append(
            f"allow-hotplug {name}\niface {name} inet manual\n{made}"
            f"    up ip link set dev {name} master {lan} up\n    down ip link set dev {name} nomaster\n"
        )
        ups.append(_needed("ifup", name))
        downs.append(_optional("ifdown", "--force", name))
    if layout.needs_dhcp:
        name = layout.uplink.name
        # Forwarding would otherwise turn router advertisements off.
        sections.append(
            f"allow-hotplug {name}\niface {name} inet dhcp\n"
            f"    pre-up echo 2 >/proc/sys/net/ipv6/conf/{name}/accept_ra || true\n"
        )
        # Without a server it waits, and goes on in the background.
        ups.append(_optional("ifup", name))
        downs.append(_optional("ifdown", "--force", name))
    earlier = [port.name for port in layout.ports if port.managed_by == "ifupdown"]
    text = "\n".join((_MADE_BY, *sections))
    return DropIn(
        (PlannedFile(_IFUPDOWN, text),) if sections else (),
        prepare=tuple(_optional("ifdown", name) for name in earlier),
        reload=tuple(ups),
        undo=(*downs, *([_optional("ifdown", "--force", lan)] if layout.is_new else [])),
        restore=(*_bridge_deleted(layout), *(_optional("ifup", name) for name in earlier)),
    )


def _bridge_deleted(layout: Layout) -> tuple[Command, ...]:
    return (_optional("ip", "link", "delete", "dev", layout.lan),) if layout.is_new else ()


def _addresses_again(layout: Layout) -> Iterator[Command]:
    """Of ports that no network manager restores. An uplink that had none is up again, like the ports."""
    for port in (*layout.ports, *([layout.uplink] if layout.needs_dhcp else [])):
        if port.managed_by != "none":
            continue
        yield _optional("ip", "link", "set", "dev", port.name, "up")
        for address in port.own_addresses:
            yield _optional("ip", "address", "replace", address, "dev", port.name)


def _released(layout: Layout, facts: NetworkFacts) -> Iterator[PlannedFile]:
    """ifupdown's files without the ports, which would otherwise get addresses of their own."""
    names = {*layout.port_names, *([layout.radio.name] if layout.radio else [])}
    for path, text in facts.ifupdown_files:
        without = without_interfaces(text, names)
        if without != text and path != _IFUPDOWN:
            yield PlannedFile(path, without)


def without_interfaces(text: str, names: set[str]) -> str:
    """A file of interfaces(5) in which the sections of these interfaces are comments, and ``auto`` and ``allow-...`` do not
    name them."""
    lines, is_out = [], False
    for line in text.splitlines(keepends=True):
        words = line.split()
        begins = bool(words) and (words[0] in _IFUPDOWN_KEYWORDS or words[0].startswith("allow-"))
        if begins:
            is_out = words[0] == "iface" and words[1:2] != [] and words[1] in names
        if begins and (words[0] == "auto" or words[0].startswith("allow-")) and names & set(words[1:]):
            left = [word for word in words[1:] if word not in names]
            lines.append(OUT + line)
            lines += [" ".join((words[0], *left)) + "\n"] if left else []
        else:
            lines.append(OUT + line if is_out and words and not words[0].startswith("#") else line)
    return "".join(lines)


def _hostapd_file(layout: Layout, answers: NetworkAnswers) -> Iterator[PlannedFile]:
    """hostapd.conf(5) of an open network in the band that every device has."""
    if layout.radio is None:
        return
    channel = _CHANNEL_DEFAULT if layout.radio.driver in NO_SURVEY else 0
    yield PlannedFile(
        HOSTAPD_CONF,
        f"{_MADE_BY}\n"
        f"interface={layout.radio.name}\n"
        f"bridge={layout.lan}\n"
        "driver=nl80211\n"
        "ctrl_interface=/run/procomu-wifi\n"
        f"ssid2={answers.wifi_name.encode().hex()}\n"
        "utf8_ssid=1\n"
        f"country_code={answers.wifi_country}\n"
        "ieee80211d=1\n"
        "hw_mode=g\n"
        "# 0: hostapd measures, and chooses the channel with the least traffic.\n"
        f"channel={channel}\n"
        "ieee80211n=1\n"
        "wmm_enabled=1\n",
        SECRET_MODE,
    )

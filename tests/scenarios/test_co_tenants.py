"""Other programs of a Debian machine beside the node, from their own packages, installed before it and after it: people get
in as without them, or `procomu doctor` names the program and its fix works."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lab import eventually
from tests.lab.debian import MISSING, Debian, built_package, dependencies
from tests.lab.internet import DNS_V4
from tests.lab.people import Person, WishFailed
from tests.lab.village import Village, village
from tests.scenarios.conftest import is_captured

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing (deploy/setup package)"),
]
SERVES_S, NO_SERVICE_S = 30.0, 8.0
"""How long a phone tries where the node should serve it, and where something may be in its way."""

STRICT = """flush ruleset
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iif lo accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport 22 accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
    }
}"""
"""The rules of somebody who wants this machine to offer nothing but ssh."""

NETWORK_MANAGER = f"""[keyfile]
unmanaged-devices=except:interface-name:br-lan,except:interface-name:wan0
[global-dns-domain-*]
servers={DNS_V4}
"""
"""Both interfaces of the node are its own; the others are parts of the lab that a machine does not have."""


@dataclass(frozen=True)
class CoTenant:
    """A program beside the node."""

    packages: tuple[str, ...]
    begin: tuple[str, ...] = ()
    """Shell commands after its installation, as its documents say."""
    end: tuple[str, ...] = ()
    """Shell commands before it is purged."""
    runs: str = ""
    """A shell command that succeeds while it is at work."""
    files: dict[str, str] = field(default_factory=dict)
    """Its settings, written before it is installed."""


CO_TENANTS = {
    "docker": CoTenant(
        ("docker.io",),
        runs="docker info",
        end=("systemctl stop docker.socket docker.service containerd.service",),
    ),
    "ufw": CoTenant(
        ("ufw",), begin=("ufw --force enable",), end=("ufw --force disable",), runs="ufw status | grep active"
    ),
    "firewalld": CoTenant(
        ("firewalld",),
        runs="firewall-cmd --state",
        end=("systemctl stop firewalld", "rm -rf /etc/firewalld/zones"),
    ),
    "nftables": CoTenant(
        (),  # a dependency of the node's
        begin=("systemctl enable --now nftables.service",),
        end=("systemctl disable --now nftables.service",),
        runs="systemctl is-active nftables.service",
    ),
    "nftables, strict": CoTenant(
        (),  # a dependency of the node's
        begin=(f"echo '{STRICT}' >/etc/nftables.conf", "systemctl enable --now nftables.service"),
        end=("systemctl disable --now nftables.service",),
        runs="nft list table inet filter",
    ),
    "resolved": CoTenant(
        ("systemd-resolved",),
        files={"etc/systemd/resolved.conf.d/uplink.conf": f"[Resolve]\nDNS={DNS_V4}\n"},
        runs="systemctl is-active systemd-resolved.service",
    ),
    "network-manager": CoTenant(
        ("network-manager",),
        files={"etc/NetworkManager/conf.d/lab.conf": NETWORK_MANAGER},
        runs="nmcli general status",
        end=("systemctl stop NetworkManager",),
    ),
    "dnsmasq": CoTenant(("dnsmasq",), end=("systemctl stop dnsmasq",)),
}


class CoTenantLab:
    """A Debian on the village's square, with or without the node."""

    def __init__(self, place: Village, debian: Debian, package: Path) -> None:
        self.place, self.debian, self.package = place, debian, package
        self._phones = 50

    def shell(self, command: str) -> str:
        return self.debian.does("sh", "-c", command)

    def install(self) -> None:
        self.debian.does("apt-get", "install", "--yes", f"/root/{self.package.name}")
        self.debian.does("procomu", "init", "--name", "library", "--lan", "br-lan", "--uplink", "wan0")
        self.shell("systemctl start procomu")

    def add(self, tenant: CoTenant) -> None:
        for name, text in tenant.files.items():
            path = self.debian.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if tenant.packages:
            self.debian.does("apt-get", "install", "--yes", *tenant.packages)
        for command in tenant.begin:
            self.shell(command)
        if tenant.runs:
            assert eventually(lambda: self.debian.run("sh", "-c", tenant.runs).returncode == 0, 30), (
                self.debian.says("journalctl", "--no-pager", "-n", "60")
            )

    def remove_all(self, tenant: CoTenant) -> None:
        """The node and the other program, and what is left of it in the kernel, as after a restart of the machine."""
        self.debian.does("apt-get", "purge", "--yes", "procomu")
        for command in tenant.end:
            self.shell(command)
        if tenant.packages:
            self.debian.does("apt-get", "purge", "--yes", *tenant.packages)
            self.debian.does("apt-get", "autoremove", "--purge", "--yes")
        router = self.place.square.place
        router.run("nft", "flush", "ruleset")
        router.sysctl(net__ipv4__ip_forward=0, net__ipv6__conf__all__forwarding=0)
        self.debian.names(DNS_V4)

    def phone(self) -> Person:
        self._phones += 1
        return self.place.settle(f"phone{self._phones}", self.place.square, self._phones)

    def troubles(self) -> dict[str, str]:
        """What doctor finds wrong, and the fix of each."""
        found = json.loads(self.debian.says("procomu", "doctor", "--json"))["diagnoses"]
        return {
            f"{each['found']}: {each['wrong']}": each["fix"] for each in found if each["verdict"] == "fail"
        }

    def mend_until_served(self, what: str) -> None:
        """A new phone is served, or is once the fix of each trouble that doctor finds has been run."""
        is_open = is_served(self.phone(), NO_SERVICE_S)
        troubles = self.troubles()
        if is_open:
            assert {} == troubles, f"{what}: doctor finds what is no trouble"
            return
        assert troubles, f"{what}: nobody is served, and doctor finds nothing"
        for fix in troubles.values():
            self.debian.run("sh", "-c", fix)
        assert is_served(self.phone(), SERVES_S), f"{what}: {troubles}, {self.troubles()}"
        assert {} == self.troubles(), what


def is_served(phone: Person, seconds: float) -> bool:
    """Whether a new phone gets an address, meets the page, is admitted, and then has names and the Internet."""

    def has_address() -> bool:
        try:
            phone.join()
        except WishFailed:
            return False
        return True

    if not eventually(lambda: has_address() and is_captured(phone), seconds):
        return False
    try:
        return phone.do("accept")["first_packet_ms"] is not None and bool(phone.do("knock")["online"])
    except WishFailed:
        return False


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoTenantLab]:
    folder = tmp_path_factory.mktemp("machine")
    package = built_package(folder)
    debian = Debian(folder / "root")
    with village("tenants") as place:
        try:
            debian.make(*dependencies(package), "radvd")
            shutil.copy(package, debian.root / "root")
            for packages in ((f"/root/{package.name}",), *(each.packages for each in CO_TENANTS.values())):
                debian.download(*packages)
            place.square.place.ip("address flush dev br-lan scope global")
            debian.boot(place.square.place.path)
            debian.wait_booted()
            yield CoTenantLab(place, debian, package)
        finally:
            debian.close()


@pytest.fixture
def phones_end(machine: CoTenantLab) -> Iterator[None]:
    yield
    machine.place.close_people()


@pytest.mark.usefixtures("phones_end")
@pytest.mark.parametrize("name", CO_TENANTS)
def test_people_are_served_beside_another_program_or_doctor_says_how(machine: CoTenantLab, name: str) -> None:
    tenant = CO_TENANTS[name]
    machine.install()
    assert is_served(machine.phone(), SERVES_S)
    machine.add(tenant)
    machine.mend_until_served(f"{name}, installed after the node")
    machine.remove_all(tenant)
    machine.add(tenant)
    machine.install()
    machine.mend_until_served(f"{name}, installed before the node")
    machine.remove_all(tenant)

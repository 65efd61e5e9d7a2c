"""The doctor: from observed symptoms to what is wrong and the command that fixes it."""

from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from node.config import parse_config
from node.config.offered_services import read_offer
from node.doctor.diagnoses import Diagnosis, diagnose, is_well
from node.doctor.symptoms import (
    AlertsSeen,
    CertificateSeen,
    DnsSeen,
    FileSeen,
    FlowsSeen,
    FolderSeen,
    ForeignChain,
    Interface,
    PacketsSeen,
    PortSeen,
    Symptoms,
)
from node.enforcement.foreign_servers import ForeignServer
from node.enforcement.plan import KernelFeatures
from node.errors import Finding
from node.lan.foreign_servers import warning
from node.units import MacAddress

CONFIG, _ = parse_config(
    '[node]\nname = "library"\n[community]\nname = "Vall Alta"\n[lan]\ninterface = "br-lan"\n'
    '[uplink]\ninterface = "eth0"\n[mesh]\ninterfaces = ["mesh0"]\n'
)
assert CONFIG is not None
LINKED = Interface(is_up=True, has_link=True)
ALL_FEATURES = KernelFeatures(nftables=True, htb=True, fq_codel=True, ipv6=True)
WELL = Symptoms(
    is_root=True,
    config_file=FileSeen("/etc/procomu/node.toml"),
    config=CONFIG,
    kernel=ALL_FEATURES,
    rules=FileSeen("/etc/procomu/rules.toml"),
    members=FileSeen("/etc/procomu/members.toml"),
    node_key=FileSeen("/var/lib/procomu/node.key", mode=0o600),
    community_key=FileSeen("/etc/procomu/community.key", mode=0o600),
    interfaces={"lo": LINKED, "br-lan": LINKED, "eth0": LINKED, "mesh0": LINKED},
    default_routes=("eth0",),
    forwarding=(True, True),
    is_running=True,
    ports=(PortSeen("the welcoming page", "10.77.0.1", 2080, "portal.port"),),
    dns=DnsSeen("/usr/sbin/dnsmasq", runs=True, answer="10.77.0.1"),
    folder=FolderSeen("/var/lib/procomu", "", 85_000_000_000, "ok"),
    clock="synced",
    clock_says="2026-11-24 18:30 CET",
)


def troubles(seen: Symptoms) -> list[Diagnosis]:
    return [diagnosis for diagnosis in diagnose(seen) if diagnosis.verdict != "ok"]


def only(seen: Symptoms) -> tuple[str, str, str, str]:
    (trouble,) = troubles(seen)
    return trouble.verdict, trouble.name, trouble.wrong, trouble.fix


def test_a_healthy_node_has_nothing_to_fix():
    assert [] == troubles(WELL)
    assert is_well(diagnose(WELL))


def test_an_uplink_that_is_dead_behind_the_modem_is_reported():
    assert [] == troubles(replace(WELL, resolver_answers=True))
    verdict, name, wrong, fix = only(replace(WELL, resolver_answers=False))
    assert ("warn", "way out") == (verdict, name)
    assert "no resolver upstream answers" in wrong
    assert "modem" in fix


@pytest.mark.parametrize("path", [None, 1_492, 1_500])
def test_an_uplink_with_its_configured_speed_is_well(path: int | None) -> None:
    assert [] == troubles(replace(WELL, packets=PacketsSeen(1_500, 1_492, path, "9.9.9.9")))


def test_an_uplink_slower_than_configured_is_reported_with_the_setting_that_fixes_it() -> None:
    seen = PacketsSeen(lan=1_500, uplink=1_500, path=1_492, target="9.9.9.9")
    verdict, name, wrong, fix = only(replace(WELL, packets=seen))
    assert ("warn", "packets") == (verdict, name)
    assert "1492 bytes as far as 9.9.9.9" in wrong
    assert "write mtu = 1492 below [uplink] in node.toml" == fix
    set_right = replace(CONFIG, uplink=replace(CONFIG.uplink, mtu=1_492))
    assert [] == troubles(replace(WELL, config=set_right, packets=seen))


def test_foreign_servers_are_reported_with_what_to_do() -> None:
    assert [] == troubles(replace(WELL, foreign=()))
    assert "other servers" in [each.name for each in diagnose(replace(WELL, foreign=()))]
    server = ForeignServer("dhcp", MacAddress("02:77:00:00:00:66"), "192.168.1.1", 3)
    verdict, name, wrong, fix = only(replace(WELL, foreign=(warning("dhcp", (server,)),)))
    assert ("warn", "other servers") == (verdict, name)
    assert "02:77:00:00:00:66 (192.168.1.1)" in wrong
    assert fix.startswith("find the device")


def test_a_healthy_node_that_is_stopped_is_only_reported_as_not_started():
    stopped = replace(
        WELL,
        is_running=False,
        forwarding=(False, False),
        dns=DnsSeen("/usr/sbin/dnsmasq", runs=False, answer=""),
    )
    assert ("warn", "node", "it is not started") == only(stopped)[:3]
    assert is_well(diagnose(stopped))


def test_an_unknown_interface_name_is_reported_with_the_existing_ones():
    seen = replace(WELL, interfaces={"lo": LINKED, "br0": LINKED, "eth0": LINKED, "mesh0": LINKED})
    assert (
        "fail",
        "interface br-lan",
        "there is no interface with this name",
        "write the right name for lan.interface in node.toml; this machine has br0, eth0, mesh0",
    ) == only(seen)


@pytest.mark.parametrize(
    ("interface", "verdict", "fix"),
    [
        (Interface(is_up=False, has_link=False), "fail", "ip link set eth0 up"),
        (Interface(is_up=True, has_link=False), "warn", "look at the cable, or at: ip link show eth0"),
    ],
)
def test_an_interface_without_a_link_says_what_to_do(interface, verdict, fix):
    seen = replace(WELL, interfaces={**WELL.interfaces, "eth0": interface})
    assert (verdict, fix) == (only(seen)[0], only(seen)[3])


def test_a_missing_default_route_is_reported():
    assert ("warn", "way out", "no route leads to the Internet through eth0") == only(
        replace(WELL, default_routes=("mesh0",))
    )[:3]


def test_disabled_forwarding_is_reported_with_its_fix():
    verdict, name, _, fix = only(replace(WELL, forwarding=(True, False)))
    assert ("fail", "forwarding", "sysctl -w net.ipv6.conf.all.forwarding=1") == (verdict, name, fix)


def test_a_network_without_ipv6_needs_no_ipv6_forwarding():
    config = replace(CONFIG, lan=replace(CONFIG.lan, address6=None))
    assert [] == troubles(replace(WELL, config=config, forwarding=(True, False)))


@pytest.mark.parametrize(
    ("dns", "wrong", "fix"),
    [
        (DnsSeen(None, runs=False, answer=""), "nobody gets an address", "apt-get install dnsmasq-base"),
        (DnsSeen("/d", runs=False, answer=""), "its dnsmasq does not", "journalctl"),
        (DnsSeen("/d", runs=True, answer=""), "does not answer", "sport = :53"),
    ],
)
def test_a_failing_dnsmasq_is_reported_with_where_to_look(dns, wrong, fix):
    verdict, name, said, does = only(replace(WELL, dns=dns))
    assert ("fail", "dnsmasq", True, True) == (verdict, name, wrong in said, fix in does)


def test_an_external_dns_server_must_know_the_portals_name():
    config = replace(CONFIG, lan=replace(CONFIG.lan, dhcp="external"))
    seen = replace(WELL, config=config, dns=DnsSeen(None, runs=False, answer=""))
    assert "let your DNS server give login.procomu.lan the address 10.77.0.1" == only(seen)[3]
    assert [] == troubles(replace(seen, dns=DnsSeen(None, runs=False, answer="10.77.0.1")))


def test_a_port_in_use_is_reported_with_the_setting():
    port = replace(WELL.ports[0], trouble="address already in use")
    verdict, name, wrong, fix = only(replace(WELL, ports=(port,)))
    assert ("fail", "port 2080", "address already in use") == (verdict, name, wrong)
    assert "portal.port" in fix


def held_by(cgroup: str) -> tuple[str, str]:
    """What is wrong with a port that nginx uses, and its fix."""
    port = replace(WELL.ports[0], trouble="address already in use", holder="nginx", cgroup=cgroup)
    _, _, wrong, fix = only(replace(WELL, ports=(port,)))
    return wrong, fix


def test_a_service_that_uses_a_port_is_named_with_the_command_that_ends_it() -> None:
    wrong, fix = held_by("0::/system.slice/nginx.service")
    assert "systemctl disable --now nginx.service" == fix
    assert "address already in use, by nginx of nginx.service" in wrong
    assert "portal.port" in wrong


@pytest.mark.parametrize(
    "cgroup",
    ["", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service"],
    ids=["unknown", "a-session"],
)
def test_a_program_that_is_no_service_of_the_machine_is_named_without_ending_one(cgroup: str) -> None:
    wrong, fix = held_by(cgroup)
    assert "address already in use, by nginx" == wrong
    assert "sport = :2080" in fix
    assert "systemctl" not in fix


@pytest.mark.parametrize("key", ["node_key", "community_key", "community_secrets"])
def test_a_key_that_others_may_read_is_reported_with_its_fix(key):
    verdict, _, wrong, fix = only(replace(WELL, **{key: FileSeen("/k", mode=0o644)}))
    assert ("fail", "others on this machine may read it (mode 644)", "chmod 600 /k") == (verdict, wrong, fix)


def test_every_error_of_a_rule_file_is_reported_with_its_line():
    findings = (Finding("E01", 3, "No unit.", "add one"), Finding("W05", 9, "One only.", "look"))
    seen = replace(WELL, rules=FileSeen("/r.toml", findings=findings))
    assert [("fail", "/r.toml, line 3", "add one"), ("warn", "/r.toml, line 9", "look")] == [
        (trouble.verdict, trouble.found, trouble.fix) for trouble in troubles(seen)
    ]


def test_rules_that_the_members_outgrew_are_in_force_and_their_fix_is_reported():
    strained = (Finding("E04", 0, "Up: too many lifelines.", "lower the lifeline"),)
    verdict, _, wrong, fix = only(replace(WELL, rules=FileSeen("/r.toml", strained=strained)))
    assert ("warn", "lower the lifeline") == (verdict, fix)
    assert "in force, but no longer fits the members: E04: Up: too many lifelines." == wrong


def test_a_line_that_the_rules_do_not_have_is_no_matter_of_the_members():
    strained = (Finding("E13", 0, "This node is the gateway of the line mil.", "correct it"),)
    _, _, wrong, fix = only(replace(WELL, rules=FileSeen("/r.toml", strained=strained)))
    assert "correct it" == fix
    assert "in force, but does not fit this node: E13: This node is the gateway of the line mil." == wrong


@pytest.mark.parametrize(
    ("folder", "verdict", "name"),
    [
        (FolderSeen("/d", "the disk is read-only", 10**9, "ok"), "fail", "disk"),
        (FolderSeen("/d", "", 100_000_000, "ok"), "warn", "disk"),
        (FolderSeen("/d", "", 1_000_000, "ok"), "fail", "disk"),
        (FolderSeen("/d", "", 10**9, "database disk image is malformed"), "fail", "database"),
        (FolderSeen("/d", "", 10**9, "none", since="2026-01-01 12:00"), "fail", "database"),
        (FolderSeen("/d", "", 10**9, "ok", losses=("On 2026-11-28 13:00 ...",)), "warn", "database"),
        (FolderSeen("/d", "", 10**9, "ok", damaged_record=7), "warn", "rule log"),
        (FolderSeen("/d", "", 10**9, "ok", mode=0o755), "fail", "data folder"),
        (FolderSeen("/d", "", 10**9, "ok", mode=0o700, database_mode=0o644), "fail", "database"),
    ],
)
def test_a_data_folder_with_errors_is_reported(folder, verdict, name):
    assert (verdict, name) == only(replace(WELL, folder=folder))[:2]


@pytest.mark.parametrize("clock", ["holdover", "unknown"])
def test_an_unsynchronized_clock_is_a_warning(clock):
    verdict, name, _, fix = only(replace(WELL, clock=clock))
    assert ("warn", "clock", True) == (verdict, name, "timedatectl" in fix)


def test_a_kernel_without_fair_queueing_still_works_and_one_without_nftables_does_not():
    less = replace(ALL_FEATURES, fq_codel=False, reasons=("no fq_codel",))
    assert ("warn", "kernel", "no fq_codel") == only(replace(WELL, kernel=less))[:3]
    for features, queue in ((ALL_FEATURES, "fq_codel"), (less, "bfifo")):
        (found,) = [each.found for each in diagnose(replace(WELL, kernel=features)) if each.name == "kernel"]
        assert found.endswith(f"queue of each account: {queue}")
    for has_it in (True, False):
        seen = replace(WELL, kernel=replace(ALL_FEATURES, flow_offload=has_it))
        (found,) = [each.found for each in diagnose(seen) if each.name == "kernel"]
        assert has_it == ("flow offload" in found)
        assert [] == troubles(seen)
    none = replace(ALL_FEATURES, nftables=False, reasons=("no nftables",))
    assert ("fail", "kernel", "no nftables") == only(replace(WELL, kernel=none))[:3]


def test_without_rights_the_rest_may_be_incomplete():
    seen = replace(WELL, is_root=False, kernel=None, kernel_trouble="only root may try")
    assert ["warn", "warn"] == [trouble.verdict for trouble in troubles(seen)]


def test_without_settings_only_the_machine_is_checked():
    seen = Symptoms(is_root=True, config_file=FileSeen("/n.toml", "it cannot be read"), kernel=ALL_FEATURES)
    assert [("rights", "ok"), ("settings", "fail"), ("kernel", "ok")] == [
        (diagnosis.name, diagnosis.verdict) for diagnosis in diagnose(seen)
    ]
    assert not is_well(diagnose(seen))


def test_every_problem_comes_with_its_fix():
    sick = replace(
        WELL, interfaces={}, default_routes=(), forwarding=(False, False), clock="unknown", kernel=None
    )
    assert all(trouble.fix for trouble in troubles(sick))


CERTIFIED, _ = parse_config(
    '[node]\nname = "library"\n[community]\nname = "Vall Alta"\n[lan]\ninterface = "br-lan"\n'
    '[uplink]\ninterface = "eth0"\n[mesh]\ninterfaces = ["mesh0"]\n[portal]\nhost = "login.vall.example"\n'
    'certificate = "/etc/procomu/portal.crt"\ncertificate_key = "/etc/procomu/portal.key"\n'
)
CERTIFICATE = CertificateSeen(
    path="/etc/procomu/portal.crt",
    trouble="",
    distrust="",
    ends="2027-01-24",
    is_ending=False,
    key_path="/etc/procomu/portal.key",
    key_mode=0o600,
    has_radvd=True,
)


def test_a_trusted_certificate_is_well_and_a_node_without_one_is_too():
    seen = replace(WELL, config=CERTIFIED, certificate=CERTIFICATE)
    assert [] == troubles(seen)
    (line,) = [each.found for each in diagnose(seen) if each.name == "certificate"]
    assert "login.vall.example until 2027-01-24; devices are told" == line


@pytest.mark.parametrize(
    ("change", "verdict", "name", "wrong"),
    [
        (
            {"trouble": "it belongs to another key; copy both"},
            "warn",
            "certificate",
            "it belongs to another key",
        ),
        ({"distrust": "it ended on 2026-01-01"}, "warn", "certificate", "it ended on 2026-01-01"),
        ({"is_ending": True}, "warn", "certificate", "it ends on 2027-01-24 and was not renewed"),
        ({"key_mode": 0o644}, "fail", "portal key", "others on this machine may read it (mode 644)"),
        ({"has_radvd": False}, "warn", "radvd", "only DHCP tells devices"),
    ],
)
def test_problems_of_a_certificate_are_reported(change, verdict, name, wrong):
    found = only(replace(WELL, config=CERTIFIED, certificate=replace(CERTIFICATE, **change)))
    assert (verdict, name) == found[:2]
    assert wrong in found[2]


def test_a_service_that_would_make_devices_believe_that_they_are_online_is_reported():
    offered = (
        "Wiki | http://10.77.0.9/ | All we know",
        "Fonts | http://www.gstatic.com/ | For pages | 203.0.113.9",
    )
    services = replace(CERTIFIED.services, offered=tuple(read_offer(line) for line in offered))
    verdict, name, wrong, fix = only(replace(WELL, config=replace(CERTIFIED, services=services)))
    assert ("warn", "services") == (verdict, name)
    assert "www.gstatic.com" in wrong
    assert "services.offered" in fix


def test_a_connection_tracking_limit_too_low_for_the_community_is_reported_with_a_number():
    assert [] == troubles(replace(WELL, connections_max=32_000, accounts=100))
    verdict, name, wrong, fix = only(replace(WELL, connections_max=16_384, accounts=100))
    assert ("warn", "connections") == (verdict, name)
    assert "100 accounts and their guests may need 32,000" in wrong
    assert "nf_conntrack_max=32000" in fix


def test_connections_are_reported_with_their_number_their_limits_and_the_device_with_the_most():
    flows = FlowsSeen(1_234, "Kitchen radio (02:00:00:00:00:01) of ana", 700)
    (found,) = (
        d for d in diagnose(replace(WELL, connections_max=262_144, flows=flows)) if d.name == "connections"
    )
    assert "ok" == found.verdict
    assert (
        "1,234 now; 262,144 at once, 1,024 of them for each device; most: "
        "Kitchen radio (02:00:00:00:00:01) of ana, 700" == found.found
    )


def test_a_device_over_its_connection_limit_is_a_warning_with_its_name():
    flows = FlowsSeen(
        1_234, warnings=("02:00:00:00:00:01 of guest-0c wants more than 1,024 connections at once",)
    )
    verdict, name, wrong, fix = only(replace(WELL, connections_max=262_144, flows=flows))
    assert ("warn", "connections") == (verdict, name)
    assert wrong.startswith("02:00:00:00:00:01 of guest-0c")
    assert "procomu devices" in fix


def test_a_neighbour_table_that_is_too_small_is_reported_with_its_fix():
    assert [] == troubles(replace(WELL, neighbours_max=65_536))
    stopped = diagnose(replace(WELL, neighbours_max=1_024, is_running=False))
    assert not any(each.name == "neighbours" for each in stopped), "a node raises it when it starts"
    verdict, name, wrong, fix = only(replace(WELL, neighbours_max=1_024))
    assert ("warn", "neighbours") == (verdict, name)
    assert "new devices are not found" in wrong
    assert "gc_thresh3=65536" in fix
    (inside,) = (d for d in diagnose(replace(WELL, neighbours_max=None)) if d.name == "neighbours")
    assert "ok" == inside.verdict
    assert "this container's host" in inside.found


def test_the_same_addresses_on_both_sides_are_named_with_others() -> None:
    assert [] == troubles(replace(WELL, uplink_network=IPv4Interface("192.168.1.20/24")))
    verdict, name, _, fix = only(replace(WELL, uplink_network=IPv4Interface("10.77.3.4/24")))
    assert ("fail", "networks") == (verdict, name)
    assert fix.startswith('write address4 = "10.78.0.1/16" below [lan]')
    _, _, _, fix = only(replace(WELL, uplink_network=IPv4Interface("10.1.3.4/8")))
    assert fix.startswith('write address4 = "172.29.0.1/16"')


def test_rules_that_do_not_state_the_speed_of_the_line_share_nothing() -> None:
    assert [] == troubles(replace(WELL, states_line=True))
    verdict, name, wrong, fix = only(replace(WELL, states_line=False))
    assert ("warn", "line") == (verdict, name)
    assert "nothing is shared" in wrong
    assert "[uplink.main]" in fix


@pytest.mark.parametrize(
    ("chain", "fix"),
    [
        (ForeignChain("ip", "filter", "FORWARD", "Docker"), "iptables -I DOCKER-USER -i br-lan -j ACCEPT"),
        (ForeignChain("ip6", "filter", "FORWARD", "Docker"), "ip6tables -I DOCKER-USER -i br-lan -j ACCEPT"),
        (ForeignChain("ip", "filter", "FORWARD", "ufw"), "ufw route allow in on br-lan out on eth0"),
        (ForeignChain("inet", "firewalld", "filter_FORWARD", "firewalld"), "firewall-cmd --permanent"),
        (
            ForeignChain("inet", "filter", "forward"),
            "nft insert rule inet filter forward iifname br-lan accept; nft insert rule inet filter forward oifname",
        ),
    ],
)
def test_a_foreign_chain_that_drops_is_an_error_with_the_command_of_its_program(
    chain: ForeignChain, fix: str
) -> None:
    verdict, name, wrong, found = only(replace(WELL, foreign_chains=(chain,)))
    assert ("fail", "other filters") == (verdict, name)
    assert "no Internet" in wrong
    assert found.startswith(fix)


@pytest.mark.parametrize(
    ("chain", "fix"),
    [
        (
            ForeignChain("ip", "filter", "INPUT", "ufw", "input"),
            "ufw allow in on br-lan to any port 53,67,547,2053 proto udp; "
            "ufw allow in on br-lan to any port 53,2053,2080 proto tcp",
        ),
        (
            ForeignChain("inet", "firewalld", "filter_INPUT", "firewalld", "input"),
            "firewall-cmd --permanent --zone=trusted --add-interface=br-lan; firewall-cmd --reload",
        ),
        (
            ForeignChain("inet", "filter", "input", "", "input"),
            "nft insert rule inet filter input iifname br-lan accept; and write the same where that table comes from",
        ),
    ],
)
def test_a_foreign_chain_that_drops_what_is_for_the_node_is_an_error_with_its_command(
    chain: ForeignChain, fix: str
) -> None:
    verdict, name, wrong, found = only(replace(WELL, foreign_chains=(chain,)))
    assert ("fail", "other filters") == (verdict, name)
    assert "no address" in wrong
    assert fix == found


def test_beside_ufw_the_admin_pages_are_opened_too_where_the_lan_has_them() -> None:
    config = replace(CONFIG, admin=replace(CONFIG.admin, lan=True))
    chain = ForeignChain("ip", "filter", "INPUT", "ufw", "input")
    fix = only(replace(WELL, config=config, foreign_chains=(chain,)))[3]
    assert fix.endswith("ufw allow in on br-lan to any port 53,2053,2080,2444 proto tcp")


def test_a_node_key_in_two_machines_is_named_with_what_to_do() -> None:
    wrong = "another machine uses this node's key (met at [fe80::7%mesh0]:7400)"
    verdict, name, said, fix = only(replace(WELL, key_copies=(wrong,)))
    assert ("warn", "node key", wrong) == (verdict, name, said)
    assert "procomu init" in fix


def test_ways_out_for_alerts_are_named_and_a_secret_that_cannot_be_used_is_a_warning():
    assert "alerts" not in {each.name for each in diagnose(WELL)}
    (line,) = [
        each for each in diagnose(replace(WELL, alerts=AlertsSeen(("mail", "file")))) if each.name == "alerts"
    ]
    assert "ok" == line.verdict
    assert "mail, file" in line.found
    trouble = AlertsSeen(("mail",), (("others can read /a", "run chmod 600 /a"),))
    assert ("warn", "alerts", "others can read /a", "run chmod 600 /a") == only(replace(WELL, alerts=trouble))

"""Documented numbers as they are written: in a document, a decision, or on a page.

A constant that is compared with itself can be changed by a typo. Here it is beside the sentence that documents it,
which must still exist. If you change one, change the other.
"""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

import mesh.directory
import mesh.discovery
import mesh.link_budget
import mesh.link_writer
import mesh.messages
import mesh.page_versions
import mesh.service
import mesh.tls_transport
from captive_portal import client_identification, forms, server
from node import toml_reader
from node.accounts import (
    appearance,
    cards,
    codes,
    device_bindings,
    login_throttle,
    member_passphrases,
    objections,
    sponsorship,
    terms,
    voucher_store,
    vouchers,
)
from node.admin import overview
from node.admin import vouchers as voucher_pages
from node.app import admin_sessions, admin_vouchers, admission, idempotency, rule_files
from node.config.settings import SETTINGS
from node.control import persistence
from node.enforcement import announcements, arrivals, dns_limits, flows, nft
from node.governance import parse, rule_evaluation, rule_table
from node.governance.rules import DEFAULT_BUSY_THRESHOLDS as BUSY
from node.lan import dnsmasq_config, upstream
from node.memory_budget import Allowed, budget
from node.sessions import device_limit
from node.storage import copies, journal
from node.web import certificate_files, certificates, https
from node.web.connections import Limits
from tests.bench.unit_limits import unit_bytes

ROOT = Path(__file__).resolve().parents[2]
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
README, CHANGES, DECISIONS, BENCHMARKS = "README.md", "CHANGELOG.md", "DECISIONS.md", "deploy/BENCHMARKS.md"
PORTAL, ADMIN, RULES = "captive_portal/README.md", "node/admin/README.md", "node/governance/README.md"
MESH, TLS, SETTINGS_LIST = "mesh/PROTOCOL.md", "deploy/CERTIFICATES.md", "deploy/SETTINGS.md"
TABLES = "node/storage/migrations.py"
ME, VOUCHERS = "captive_portal/templates/me.html", "node/accounts/vouchers.py"


def setting(name: str) -> str | None:
    """A setting's default, as TOML text."""
    return next(each.default for each in SETTINGS if each.name == name)


PROMISES: tuple[tuple[str, str, object, object], ...] = (
    # Admission and session length.
    (SETTINGS_LIST, "How long people stay online before they are asked again", setting("portal.session"), '"4 hours"'),
    (SETTINGS_LIST, "How long a device keeps its address.", setting("lan.dhcp_lease"), '"1 hour"'),
    (RULES, "30 minutes at least", rule_evaluation.SESSION_MIN, 30 * MINUTE),
    (RULES, "at least 1 and at most 50", rule_table.DEVICES_MAX, 50),
    (BENCHMARKS, "`usable_percent = 85`, the default", parse.USABLE_PERCENT, 85),
    (README, "8, 12 or 24 on a sheet", tuple(voucher_pages.SLIPS_A_PAGE.values()), (8, 12, 24)),
    (VOUCHERS, "40 sheets of 24", vouchers.BATCH_MAX, 40 * 24),
    (ADMIN, "signs in once, within ten minutes, for twelve hours",
     (admin_sessions.LINK_LIFE, admin_sessions.SESSION_LIFE), (10 * MINUTE, 12 * HOUR)),
    (ADMIN, "for 15 minutes whenever the same form is sent again", idempotency.SHOWN_MS, 15 * MINUTE),
    (ADMIN, "restarts, 4000 in all", admin_vouchers.PRINTABLE_MAX, 4_000),
    (ADMIN, "10 kB, sides of 16 to 1024 pixels",
     (appearance.LOGO_BYTES_MAX, appearance.LOGO_SIDE_MIN, appearance.LOGO_SIDE_MAX), (10_000, 16, 1_024)),
    (ADMIN, "a contrast of 4.5 to 1", appearance.CONTRAST_MIN, 4.5),
    (ADMIN, "160 characters of plain text", appearance.WELCOME_CHARS_MAX, 160),
    (DECISIONS, "a card that was shown within ten minutes", cards.SHOWN_FOR, 10 * MINUTE),
    (DECISIONS, "A device makes room when it was silent for five minutes", device_limit.IDLE_MIN, 5 * MINUTE),
    (ME, "At least 8 characters.", member_passphrases.PASSPHRASE_CHARS_MIN, 8),
    # Limits of one device.
    (DECISIONS, "one device may change 120 things at once and one more each second",
     (server.CHANGES_AT_ONCE, server.CHANGES_PER_S), (120, 1)),
    (PORTAL, "handshakes of one device at once, finished ones too | 60", https.HANDSHAKES_AT_ONCE, 60),
    (PORTAL, "of them in each second after that | 6", https.HANDSHAKES_PER_S, 6),
    (PORTAL, "seconds for a handshake | 10.0", https.HANDSHAKE_S, 10),
    (PORTAL, "handshakes under way; then the oldest makes room | 128", https.HANDSHAKES_MAX, 128),
    (PORTAL, "handshakes of one device under way | 8", https.HANDSHAKES_PER_DEVICE, 8),
    (PORTAL, "new connections of all that are not admitted: in a second; at once | 2000; 16000",
     (nft.PORTAL_CONNECTIONS_PER_SECOND_OF_STRANGERS, nft.PORTAL_CONNECTIONS_AT_ONCE_OF_STRANGERS), (2_000, 16_000)),
    (PORTAL, "`connections_per_device` (by hardware address", Limits().connections_per_device, 32),
    (PORTAL, "`at_work_per_device`", Limits().at_work_per_device, 4),
    (PORTAL, "`head_bytes` of one request | 8000", Limits().head_bytes, 8_000),
    (PORTAL, "`head_lines` of one request | 64", Limits().head_lines, 64),
    (PORTAL, "`body_bytes` of one form | 16384", Limits().body_bytes, 16_384),
    (PORTAL, "`request_s`, for a whole request to arrive | 10.0", Limits().request_s, 10),
    (PORTAL, "`answer_s`, for the answer to be made and taken | 30.0", Limits().answer_s, 30),
    (PORTAL, "`idle_s`, between two requests | 15.0", Limits().idle_s, 15),
    (PORTAL, "`requests` on one connection | 1000", Limits().requests, 1_000),
    (PORTAL, "log at most once in ten minutes", client_identification.LOGGED_EVERY_S, 600),
    (CHANGES, "stranger asks 20 times a second, all together 200, a member's device 50",
     (dns_limits.PER_STRANGER, dns_limits.STRANGERS_TOGETHER, dns_limits.PER_MEMBER), (20, 200, 50)),
    (CHANGES, "after ten minutes without joining a tunnel", dns_limits.FULL_RATE_SECONDS, 600),
    (CHANGES, "at most `lan.flows_per_device` connections (1,024) each",
     (setting("lan.flows_per_device"), flows.FLOWS_PER_DEVICE), ("1024", 1_024)),
    (DECISIONS, "Silent flows live 2 h 4 min", "established : 7440" in flows.TCP_OF_DEVICES, True),
    (DECISIONS, "a second dnsmasq (0.6 MB of its own) with its own cache and 2,500 places",
     dnsmasq_config.ASKED_AT_ONCE_BY_STRANGERS_MAX, 2_500),
    (DECISIONS, "8,000 and 50 questions a second each", dnsmasq_config.ASKED_AT_ONCE_MAX, 8_000),
    (DECISIONS, "after two rounds of real questions without an answer", upstream.SILENT_ROUNDS, 2),
    (PORTAL, "A token is good for 24 hours", forms.TOKEN_MINUTES, 24 * 60),
    (DECISIONS, "each device has 1,024 flows (a setting), a stranger 64",
     (flows.FLOWS_PER_DEVICE, flows.FLOWS_PER_STRANGER), (1_024, 64)),
    (DECISIONS, "all guests half of the table, all strangers a sixteenth",
     (flows.GUESTS_PART, flows.STRANGERS_PART), (2, 16)),
    (DECISIONS, "room for 65,536 neighbours", arrivals.NEIGHBOURS_MAX, 65_536),
    (DECISIONS, "strangers take 10 leases a second, 500 at once",
     (arrivals.LEASES_PER_SECOND, arrivals.LEASES_AT_ONCE), (10, 500)),
    (DECISIONS, "a question every 10 s", mesh.discovery.BROWSE_EVERY_S, 10),
    (DECISIONS, "2,033 connections within the shipped unit",
     budget(Allowed(unit_bytes("MemoryHigh") or 0, "unit")).connections(0), 2_033),
    (DECISIONS, "12,288 from 164 MiB on", budget(Allowed(164 * 1024 * 1024, "unit")).connections(0), 12_288),
    (DECISIONS, "256 KiB free behind the journal's last line", journal.ROOM_BYTES, 256 * 1024),
    (CHANGES, "come back from a daily copy", copies.EVERY_S <= 24 * 3600, True),
    # Retention.
    (TABLES, "30 days after the end", persistence.KEEP_ENDED_DAYS, 30),
    (TABLES, "or 400 days after it was issued if nobody used it", persistence.KEEP_USED_DAYS, 400),
    (DECISIONS, "a synced clock that ran steadily for six hours", persistence.FORGET_EVERY_MS, 6 * HOUR),
    (DECISIONS, "when it moves by a minute", persistence.CLOCK_SLIP, timedelta(minutes=1)),
    # Certificates.
    (TLS, "the node sees new files within five seconds", https.LOOK_EVERY_S, 5),
    (TLS, "stops telling devices within a minute", certificate_files.CHECK_AGAIN, timedelta(minutes=1)),
    (TLS, "It ends in less than ten days", certificates.RENEW_BEFORE, timedelta(days=10)),
    # Between nodes.
    (MESH, "every 24 to 36 s each side sends `root`", mesh.link_writer.ROUND_EVERY_S, 30),
    (MESH, "| frame | 65536 bytes |", mesh.messages.FRAME_BYTES_MAX, 65_536),
    (MESH, "| head of a page | 1024 bytes |", mesh.messages.HEAD_BYTES_MAX, 1_024),
    (MESH, "| rows of a page | 1000 |", mesh.usage_kind.ROWS_MAX, 1_000),
    (MESH, "| parts of a day | 1000 |", mesh.page_format.PARTS_MAX, 1_000),
    (MESH, "| names of nodes and communities | 64 characters |", mesh.page_format.NAME_CHARS_MAX, 64),
    (MESH, "| names of accounts | 64 bytes |", mesh.page_format.ACCOUNT_BYTES_MAX, 64),
    (MESH, "| streams in one message | 400 |", mesh.messages.STREAMS_PER_MESSAGE_MAX, 400),
    (MESH, "| pages in one message | 800 |", mesh.messages.PAGES_PER_MESSAGE_MAX, 800),
    (MESH, "| days kept of one incarnation | 62 |", mesh.page_versions.DAYS_MAX, 62),
    (MESH, "| rows kept of one author | 40000 |", mesh.page_versions.AUTHOR_ROWS_MAX, 40_000),
    (MESH, "| rows kept of one author and day | 12000 |", mesh.page_versions.AUTHOR_DAY_ROWS_MAX, 12_000),
    (MESH, "| nodes known | 512 |", mesh.directory.PEERS_MAX, 512),
    (MESH, "| addresses known of one node | 4 |", mesh.directory.ADDRESSES_MAX, 4),
    (MESH, "| connections to other nodes | 8 |", mesh.link_selection.LINKS_MAX, 8),
    (MESH, "| connections, also of callers that are refused | 64 |", mesh.tls_transport.CONNECTIONS_MAX, 64),
    (MESH, "| connections whose key is not proven | 32 |", mesh.tls_transport.UNPROVEN_MAX, 32),
    (MESH, "| of these from one address | 3 |", mesh.tls_transport.UNPROVEN_PER_ADDRESS_MAX, 3),
    (MESH, "or 16 kbit/s, with a burst of at most", mesh.link_budget.RATE_MIN, 16_000),
    (MESH, "162,332 bytes, counted as IP packets", mesh.link_budget.BURST_BYTES, 162_332),
    (MESH, "at most 2 % of the rate that TCP reached", mesh.link_budget.PART_PERCENT, 2),
    (MESH, "A tenth is for what waits longest", mesh.link_budget.SHARE_PERCENT, 10),
    (MESH, "| time to prove a key and ask | 10 s |", mesh.tls_transport.HANDSHAKE_S, 10),
    (DECISIONS, "strangers take 10 leases a second, 500 at once", (arrivals.LEASES_PER_SECOND, arrivals.LEASES_AT_ONCE),
     (10, 500)),
    (DECISIONS, "room for 65,536 neighbours", arrivals.NEIGHBOURS_MAX, 65_536),
)  # fmt: skip
"""Document, sentence, actual value, documented value."""

UNWRITTEN: tuple[tuple[str, object, object], ...] = (
    ("an uplink is busy from 80 % on, for five minutes, until below 60 % (RFC 6057)",
     (BUSY.above, BUSY.below, BUSY.after, BUSY.ends_after), (800, 600, 5 * MINUTE, MINUTE)),
    ("no charter takes less than this for everybody's lifeline, down and up",
     (rule_evaluation.CODE_LIFELINE.down, rule_evaluation.CODE_LIFELINE.up), (64_000, 32_000)),
    ("a code for one more device lives ten minutes", device_bindings.CODE_LIFE, 10 * MINUTE),
    ("a voucher lasts from ten minutes to 400 days",
     (vouchers.LASTS_MIN, vouchers.LASTS_MAX), (10 * MINUTE, 400 * DAY)),
    ("a voucher serves at most 50 devices, and so does an account",
     (vouchers.DEVICES_MAX, device_bindings.DEVICES_BOUND_MAX), (50, 50)),
    ("a question to a member stays open ten minutes", sponsorship.REQUEST_LIFETIME, 10 * MINUTE),
    ("that nobody answered is told for half an hour", sponsorship.UNANSWERED_TOLD, 30 * MINUTE),
    ("who chooses which device makes room has ten minutes", admission.CHOOSING, 10 * MINUTE),
    ("guesses are forgiven after six hours, and no wait is longer than one",
     (login_throttle.FORGIVEN_AFTER, login_throttle.WAIT_LONGEST), (6 * HOUR, HOUR)),
    ("guesses count for ten minutes", login_throttle.WINDOW, 10 * MINUTE),
    ("of objections that are kept, a fifth is not for guests",
     (objections.OBJECTIONS_MAX, objections.OBJECTIONS_OF_GUESTS_MAX), (5_000, 4_000)),
    ("the node knows as many bound devices and vouchers",
     (device_bindings.BINDINGS_MAX, voucher_store.VOUCHERS_MAX), (50_000, 50_000)),
    ("open device codes, and those known as used", (device_bindings.OPEN_MAX, device_bindings.SPENT_MAX), (2_000, 2_000)),
    ("codes: 70 and 45 random bits, more than can be tried", codes.RANDOM_BYTES, {"voucher": 7, "device": 6}),
    ("a code's letters on paper and on a screen", codes.CODE_CHARS, {"voucher": 12, "device": 10}),
    ("three open objections for each account, of 1,000 characters",
     (objections.OBJECTIONS_OPEN_MAX, objections.OBJECTION_CHARS_MAX), (3, 1_000)),
    ("terms that are read are short", terms.TERMS_CHARS_MAX, 20_000),
    ("an idempotency key of the admins' forms lives two hours", idempotency.KEY_LIFETIME, 2 * HOUR),
    ("the live overview is of the last five seconds", overview.LIVE_S, 5),
    ("the admins' links that wait, and who may be signed in at once",
     (admin_sessions.LINKS_MAX, admin_sessions.SESSIONS_MAX), (8, 32)),
    ("a token of the admins' pages cannot be guessed: 128 bits", admin_sessions.TOKEN_CHARS_MIN, 22),
    ("a token of the portal's forms has 128 bits", forms.TOKEN_CHARACTERS, 128 // 4),
    ("a stranger's connections, and a device's first packets", (flows.FLOWS_PER_STRANGER, flows.NEW_PER_SECOND,
      flows.NEW_AT_ONCE), (64, 200, 1_024)),
    ("the parts of connection tracking", (flows.GUESTS_PART, flows.STRANGERS_PART, flows.PORTAL_PART,
      flows.RATE_PART), (2, 16, 8, 64)),
    ("who was refused is told for a minute", flows.RECENT_SECONDS, 60),
    ("new neighbours of all, of one device", (arrivals.TOGETHER_PER_SECOND, arrivals.OF_ONE_PER_SECOND), (2_000, 20)),
    ("mDNS on the people's side: 20 a second of everything together, 5 of a device",
     (announcements.PER_SECOND, announcements.OF_ONE_PER_SECOND), (20, 5)),
    ("a passphrase costs whoever tries one 16 MiB, five times",
     (member_passphrases._N, member_passphrases._R, member_passphrases._P), (2**14, 8, 5)),
    ("a line of a TOML file is looked at before it is parsed", toml_reader.LINE_CHARS_MAX, 16_384),
)  # fmt: skip
"""Numbers that pages and reasons rely on without naming them in a text."""


def said(document: str) -> str:
    """Its text with all white space as one space."""
    return " ".join((ROOT / document).read_text(encoding="utf-8").replace('"\n        "', "").split())


@pytest.mark.parametrize(
    ("document", "sentence", "found", "promised"), PROMISES, ids=[row[1][:60] for row in PROMISES]
)
def test_documented_numbers_are_those_of_the_code(
    document: str, sentence: str, found: object, promised: object
) -> None:
    assert promised == found
    assert sentence in said(document)


@pytest.mark.parametrize(("sentence", "found", "promised"), UNWRITTEN, ids=[row[0][:60] for row in UNWRITTEN])
def test_numbers_behind_pages_are_unchanged(sentence: str, found: object, promised: object) -> None:
    assert promised == found, sentence


def test_an_edited_rule_file_is_checked_for_well_within_two_seconds() -> None:
    assert "an edit is in force within two seconds" in said(CHANGES)
    assert rule_files.LOOK_EVERY_S <= 0.5


def test_a_dns_tunnel_carries_four_kilobits_at_most() -> None:
    assert "names carries 4 kbit/s at most" in said(CHANGES)
    assert 8 * (dns_limits.SLOW_QUESTIONS_BYTES + dns_limits.SLOW_ANSWERS_BYTES) <= 4_000


def test_every_limit_of_the_portal_is_listed() -> None:
    table = said(PORTAL)
    assert [] == [each.name for each in fields(Limits) if f"`{each.name}`" not in table]

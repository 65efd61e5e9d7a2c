"""Writes the test vectors of mesh/PROTOCOL.md: ``python -m tests.docs.mesh_vectors``.

They change only with the version of the protocol: every node that implements it must read and write exactly these
bytes.
"""

import hashlib
import json
from dataclasses import asdict, replace
from itertools import permutations
from pathlib import Path

from mesh import messages
from mesh.announcement import Address
from mesh.batch_kind import BatchContent, BatchSaid, batch_body, batch_part
from mesh.community_changes import RecordChange, changed_record, first_record, new_invite
from mesh.community_secret import commitment_of
from mesh.community_state import CommunityState
from mesh.exchange import PAGE_KIND
from mesh.file_version import Decision, FileVersion, file_fields, replaces, text_hash, version_after
from mesh.gateway_kind import GatewaySaid, GatewaysContent, gateway_part, gateways_body
from mesh.invite import SEED_BYTES, Invite, invite_key, invite_text, make_use, read_invite
from mesh.messages import (
    Changed,
    Graft,
    Have,
    Hello,
    Keepalive,
    PageNames,
    Prune,
    Root,
    Streams,
    TimeAnswer,
    TimeRequest,
    encode,
)
from mesh.node_certificates import community_mark, leaf_certificate, wrapper_ca
from mesh.node_kind import NodeFacts, NodeLink, node_body
from mesh.node_summary import SUMMARY_KIND, NodeSummary, SignedSummary, SummaryValues, summary_text
from mesh.notice_kind import NoticeContent, notice_body
from mesh.page_format import Malformed, Page, assemble_page, canonical, page_digest, page_head
from mesh.page_kinds import page_content
from mesh.page_versions import PageCollection, counts_as
from mesh.past_kind import past_body
from mesh.registry_kind import registry_body, registry_part
from mesh.registry_records import RegistryRecords
from mesh.roster import nodes_digest
from mesh.signed_statement import FILE_KIND, as_json, make_statement
from mesh.usage_kind import PageContent, usage_body
from node.accounting.ledger import UsageBucket
from node.accounts.codes import make_code
from node.accounts.device_names import DeviceNames
from node.accounts.notices import Notice, NoticeText
from node.accounts.registry_record import RegistryRecord, Value
from node.accounts.voucher_records import join_vouchers
from node.accounts.vouchers import voucher_account, voucher_fingerprint
from node.app.roaming_records import (
    NoBinding,
    NoBlock,
    SessionEnded,
    TheBinding,
    TheBlock,
    TheSession,
    join_bindings,
    join_blocks,
    join_sessions,
)
from node.gateways.told_gateway import sealed_key, secret_hash
from node.identity import human_form, key_from_raw, own_node_id, sign
from node.keyring import derived_key
from node.units import AccountId, Bytes, MacAddress, Usage

FOLDER = Path(__file__).parents[1] / "vectors" / "mesh"
KEY = key_from_raw(bytes(range(32)))
NODE = own_node_id(KEY)
OTHER = own_node_id(key_from_raw(bytes([7] * 32)))


FILE_TEXTS = {"first": "one\n", "here": "two\n", "there": "three\n", "again": "one\n"}
PACKED = {"one\n": "eNrLz0vlAgAD3gFN", "two\n": "eNorKc/nAgAEIQFl", "three\n": "eNoryShKTeUCAAiRAiM="}


def a_cell(down: int, up: int, busy_down: int, busy_up: int) -> UsageBucket:
    return UsageBucket(Usage(Bytes(down), Bytes(up)), Usage(Bytes(busy_down), Bytes(busy_up)))


ROWS = {
    AccountId("ana"): a_cell(5_000_000_000, 700_000_000, 1_000, 20),
    AccountId("família-puig"): a_cell(1, 0, 0, 0),
}
MESSAGES = {
    "hello": Hello(1, "la-vall", NODE, "Ermita de dalt", "0123456789abcdef"),
    "beat": Keepalive(),
    "when": TimeRequest(),
    "time": TimeAnswer(1_795_600_000, 1),
    "names": PageNames(("0011223344556677", "8899aabbccddeeff")),
    "graft": Graft(("0011223344556677",)),
    "changed": Changed("00112233445566778899aabbccddeeff", ("0011223344556677", "8899aabbccddeeff")),
    "prune": Prune(),
    "root": Root("00112233445566778899aabbccddeeff"),
    "streams": Streams("", "~", ((NODE, "life-1", "00112233445566778899aabbccddeeff"),)),
    "have": Have(NODE, "life-1", "", "~", (("usage/2026-11-24/0000", 7, "0011223344556677"),), asks=True),
}
EXTENDED = Hello(
    1, "la-vall", NODE, "Ermita de dalt", "0123456789abcdef", ("kinds", "quiet", "tree"), "00112233aabbccdd"
)
MALFORMED = {
    "no JSON": "hello",
    "no object": "[]",
    "no kind": '{"v":1}',
    "a key twice": '{"digest":"00112233445566778899aabbccddeeff","digest":"x","is":"root"}',
    "a number that is not whole": encode(MESSAGES["have"]).decode().replace(",7,", ",7.0,"),
    "a name with a control character": encode(MESSAGES["hello"]).decode().replace("Ermita", "\\u0007"),
    "an id in capitals": encode(MESSAGES["hello"]).decode().replace(NODE, NODE.upper()),
}


def page() -> bytes:
    head = page_head(
        community="la-vall", author=NODE, incarnation="life-1", period="2026-11-24", part=0, seq=7
    )
    signed = head + b"\n" + usage_body(ROWS)
    return assemble_page(signed, sign(KEY, PAGE_KIND, signed))


PAST_ROWS = {("1-3f9a", account): bucket for account, bucket in ROWS.items()}
COVERS = {("1-3f9a", "usage/2026-11-24/0000"): 7}


def past_page() -> bytes:
    stream = {"community": "la-vall", "author": NODE, "incarnation": "2-c04b", "kind": "past"}
    head = page_head(**stream, period="2026-11-24", part=0, seq=8)  # type: ignore[arg-type]
    signed = head + b"\n" + past_body(PAST_ROWS, COVERS)
    return assemble_page(signed, sign(KEY, PAGE_KIND, signed))


def a_page(
    rows: dict[AccountId, UsageBucket], *, day: str, incarnation: str, seq: int, kind: str = "usage"
) -> bytes:
    """With `past` the page is about incarnation 1-3f9a."""
    stream = {"community": "la-vall", "author": NODE, "incarnation": incarnation, "kind": kind}
    head = page_head(**stream, period=day, part=0, seq=seq)  # type: ignore[arg-type]
    past = {("1-3f9a", account): bucket for account, bucket in rows.items()}
    signed = head + b"\n" + (usage_body(rows) if kind == "usage" else past_body(past, {}))
    return assemble_page(signed, sign(KEY, PAGE_KIND, signed))


def other_page() -> bytes:
    """Of a kind that this version does not know."""
    stream = {"community": "la-vall", "author": NODE, "incarnation": "2-c04b", "kind": "weather"}
    head = page_head(**stream, period="now", part=0, seq=9)  # type: ignore[arg-type]
    signed = head + b"\n" + '{"sky":"núvols"}'.encode()
    return assemble_page(signed, sign(KEY, PAGE_KIND, signed))


NODE_SAYS = NodeFacts(
    "Ermita de dalt",
    "1.2.0",
    (Address("10.0.0.1", 7400), Address("fd00::1", 7400)),
    ("main", "up"),
    25,
    (NodeLink(NODE), NodeLink(own_node_id(key_from_raw(bytes(32))), 20, 1)),
    1_795_600_000,
    through=(own_node_id(key_from_raw(bytes(32))), 1_795_500_000),
)


def node_page() -> dict[str, object]:
    stream = {"community": "la-vall", "author": NODE, "incarnation": "2-c04b", "kind": "node"}
    head = page_head(**stream, period="now", part=0, seq=10)  # type: ignore[arg-type]
    signed = head + b"\n" + node_body(NODE_SAYS)
    page = messages.decode(assemble_page(signed, sign(KEY, PAGE_KIND, signed)))
    assert isinstance(page, Page)
    says = asdict(NODE_SAYS)
    return {"frame": page.raw.decode(), "label": page.label, "digest": page_digest(page), "says": says}


RECORDS_SAID = (
    RegistryRecord("cards", "anna", 2, "", {"below": 739946}),
    RegistryRecord("passphrase", "anna-3", 4, "2027-12-30", {}),
)


def summary() -> dict[str, object]:
    """The question, and the answer as it is 42 s after it was made."""
    values = SummaryValues(15, 10, 3, 1, 40, 5, 20_000, 5_000, 20, 1, 100, 12, 45, 3_300)
    said = NodeSummary(NODE, values, (None, None, *range(0, 50, 5)), 1_795_600_000)
    signed = summary_text(said)
    frame = SignedSummary(said, signed, sign(KEY, SUMMARY_KIND, signed)).frame(42)
    ask = canonical({"hops": 31, "is": "summaryask", "node": NODE})
    return {"ask": ask.decode(), "frame": frame.decode(), "age_s": 42, "says": asdict(said)}


def notice_page() -> dict[str, object]:
    """A notice for all nodes, in two languages."""
    texts = (
        NoticeText("ca", "Dimarts no hi ha línia", "De 8 a 12.\nPorteu un llibre."),
        NoticeText("en", "No line", ""),
    )
    said = Notice(0, "network", "everyone", "", "2026-12-01", is_urgent=True, texts=texts)
    stream = {"community": "la-vall", "author": NODE, "incarnation": "2-c04b", "kind": "notice"}
    head = page_head(**stream, period="now", part=3, seq=13)  # type: ignore[arg-type]
    signed = head + b"\n" + notice_body(NoticeContent("2026-11-25", said))
    page = messages.decode(assemble_page(signed, sign(KEY, PAGE_KIND, signed)))
    assert isinstance(page, Page)
    return {
        "frame": page.raw.decode(),
        "label": page.label,
        "digest": page_digest(page),
        "title": texts[0].title,
    }


def gateways_page() -> dict[str, object]:
    """A page about one gateway, and what opens its key."""
    secret, key, community = "a" * 26, b"k" * 32, b"s" * 32
    sealed, check = sealed_key(key, NODE, "0123abcd", community)
    said = GatewaySaid(
        "0123abcd",
        "wifidog",
        "the bakery",
        "001217DA42D2",
        1,
        secret_hash(secret),
        sealed,
        check,
        ("10.1.2.0/24",),
    )
    stream = {"community": "la-vall", "author": NODE, "incarnation": "2-c04b", "kind": "gateways"}
    head = page_head(**stream, period="now", part=gateway_part(said.id), seq=13)  # type: ignore[arg-type]
    signed = head + b"\n" + gateways_body(GatewaysContent(gateways=(said,)))
    page = messages.decode(assemble_page(signed, sign(KEY, PAGE_KIND, signed)))
    assert isinstance(page, Page)
    return {
        "frame": page.raw.decode(),
        "label": page.label,
        "digest": page_digest(page),
        "secret": secret,
        "key_hex": key.hex(),
        "community_secret_hex": community.hex(),
    }


def batch_page() -> dict[str, object]:
    """Two vouchers, and the records of one at one version: each pair, and what holds of them."""
    said = BatchSaid(7, "2026-11-24", "day-pass", 86_400_000, 3, "aaaaaaaaaaaabbbbbbbbbbbb")
    stream = {"community": "la-vall", "author": NODE, "incarnation": "2-c04b", "kind": "batch"}
    head = page_head(**stream, period="now", part=batch_part(7), seq=12)  # type: ignore[arg-type]
    signed = head + b"\n" + batch_body(BatchContent("2026-11-25", (said,)))
    page = messages.decode(assemble_page(signed, sign(KEY, PAGE_KIND, signed)))
    assert isinstance(page, Page)
    pairs: list[tuple[Value, Value]] = [
        ({"end": 1795608000, "used": "2026-11-24"}, {"end": 1795604400, "used": "2026-11-24"}),
        ({"end": 1795608000, "used": "2026-11-24"}, {"revoked": True}),
        ({"end": 0}, {"end": 1795608000, "used": "2026-11-24"}),
        ({}, {"revoked": True}),
        ({"end": -1}, {}),
    ]
    joined = [[one, other, join_vouchers(one, other)] for one, other in pairs]
    code = make_code(bytes(range(7)), "voucher")
    fingerprint = voucher_fingerprint(derived_key(b"s" * 32, "vouchers"), code)
    return {
        "frame": page.raw.decode(),
        "label": page.label,
        "digest": page_digest(page),
        "joined": joined,
        "code": code.text,
        "secret_hex": (b"s" * 32).hex(),
        "account": voucher_account(fingerprint),
    }


def registry_page() -> dict[str, object]:
    """Two records of one part, and which record is in effect after each of several is heard."""
    part = registry_part("cards", "anna")
    said = [each for each in RECORDS_SAID if registry_part(each.kind, each.key) == part]
    stream = {"community": "la-vall", "author": NODE, "incarnation": "2-c04b", "kind": "registry"}
    head = page_head(**stream, period="now", part=part, seq=11)  # type: ignore[arg-type]
    signed = head + b"\n" + registry_body(said)
    page = messages.decode(assemble_page(signed, sign(KEY, PAGE_KIND, signed)))
    assert isinstance(page, Page)
    records = RegistryRecords(own_node_id(key_from_raw(bytes(32))), {"passphrase": None})
    heard = [
        [1, "", {"hash": "b"}],
        [1, "2027-12-30", {"hash": "a"}],
        [3, "2027-12-30", {}],
        [2, "", {"hash": "z"}],
    ]
    effective = []
    for version, until, value in heard:
        record = RegistryRecord("passphrase", "anna", version, until, value)  # type: ignore[arg-type]
        records.take(NODE, registry_part("passphrase", "anna"), [record])
        found = records.effective("passphrase", "anna")
        assert found is not None
        effective.append([found.version, found.until, found.value])
    return {
        "frame": page.raw.decode(),
        "label": page.label,
        "digest": page_digest(page),
        "parts": {f"{each.kind}/{each.key}": registry_part(each.kind, each.key) for each in RECORDS_SAID},
        "heard": heard,
        "in_effect_after_each": effective,
    }


def devices() -> dict[str, object]:
    """The name of a device under two secrets, and what is in effect of two values at one version."""
    secrets, mac = (bytes(range(32)), bytes(range(32, 64))), MacAddress("02:00:00:00:00:0a")
    guest = TheSession(AccountId("guest-7k3m9q2w4x1z"), "terms", "1", 1_800_000_000, "aoqqpp7tzyil4")
    later, gone = replace(guest, end_s=1_800_003_600).value, NoBinding().value
    bound = TheBinding(AccountId("anna"), "passphrase", "2027-01-15").value
    pairs = (
        ("session", join_sessions, guest.value, later),
        ("session", join_sessions, later, SessionEnded().value),
        ("binding", join_bindings, bound, gone),
        ("blocked", join_blocks, TheBlock("noise at night").value, NoBlock().value),
    )
    return {
        "mac": mac,
        "names": {
            secret.hex(): DeviceNames(lambda s=secret: (derived_key(s, "device names"),)).newest(mac)  # type: ignore[misc]
            for secret in secrets
        },
        "in_effect_of_two": [[kind, one, other, join(one, other)] for kind, join, one, other in pairs],
    }


def others() -> dict[str, object]:
    other = messages.decode(other_page())
    assert isinstance(other, Page)
    collection = PageCollection()
    for raw in (page(), past_page(), other_page()):
        each = messages.decode(raw)
        assert isinstance(each, Page)
        said = page_content(each)
        assert not isinstance(said, Malformed)
        collection.hold(each, said)
    roots = {name: collection.root(frozenset({NODE}), with_others=name == "all") for name in ("all", "first")}
    return {
        "frame": other_page().decode(),
        "label": other.label,
        "digest": page_digest(other),
        "root_with_page_and_past": roots["all"],
        "root_without_extension": roots["first"],
    }


def room() -> dict[str, object]:
    """Pages of one author in the order of eviction, the first to be evicted first."""
    many = {AccountId(f"guest-{number:02d}"): a_cell(number, 0, 0, 0) for number in range(20)}
    long = {
        AccountId(f"{number:064d}"): a_cell(10**15 + number, 10**15, 10**15, 10**15) for number in range(20)
    }
    pages = [
        a_page(ROWS, day="unknown", incarnation="2-c04b", seq=1),
        a_page(ROWS, day="2026-11-23", incarnation="10-07d1", seq=1),
        a_page(many, day="2026-11-24", incarnation="2-c04b", seq=2),
        a_page(long, day="2026-11-24", incarnation="10-07d1", seq=2, kind="past"),
        a_page(ROWS, day="2026-11-24", incarnation="10-07d1", seq=3),
    ]
    read = [messages.decode(each) for each in pages]
    return {
        "lowest_first": [
            {"frame": each.raw.decode(), "name": each.name, "counts_as": counts_as(each, said)}
            for each in read
            if isinstance(each, Page) and isinstance(said := page_content(each), PageContent)
        ]
    }


def statements() -> dict[str, object]:
    """A community with one admin, a node from its first list, and one that came with an invite."""
    seed = bytes(range(SEED_BYTES))
    first = first_record("La Vall", "Rosa", KEY, [NODE])
    state = CommunityState(first.community)
    for each in first.statements:
        state.add(each)
    made = new_invite(state, KEY, seed, 2)
    said = read_invite(made)
    assert isinstance(said, Invite)
    addresses = (Address("10.0.0.1", 7400), Address("fe80::1", 7400))
    listed = (
        *first.statements,
        made,
        make_use(seed, first.community, own_node_id(invite_key(seed)), "Ermita"),
    )
    for each in listed:
        state.add(each)
    return {
        "community": first.community,
        "statements": [{"statement": as_json(each), "hash": each.hash, "name": each.name} for each in listed],
        "digest": state.digest(),
        "nodes": sorted(state.nodes()),
        "nodes_digest": nodes_digest(state.nodes()),
        "seed": seed.hex(),
        "invite": invite_text(seed, made, said, addresses),
        "addresses": [str(address) for address in addresses],
    }


def secrets() -> dict[str, object]:
    """A chain of two versions, the second of which puts a secret in force, and how a node takes it from another."""
    secret, first = bytes(range(100, 132)), bytes(range(200, 232))
    begun = first_record("La Vall", "Rosa", KEY, (NODE, OTHER))
    state = CommunityState(begun.community)
    for each in begun.statements:
        state.add(each)
    (rotated,) = changed_record(state, RecordChange(secret=commitment_of(secret)), (KEY,))
    state.add(rotated)
    frame = {"community": begun.community}
    ask = {"is": "secretask", "commitment": commitment_of(secret), "digest": state.digest(), **frame}
    return {
        "first": first.hex(),
        "community_id": hashlib.sha256(b"procomu community\0" + first).hexdigest(),
        "secret": secret.hex(),
        "commitment": commitment_of(secret),
        "community": begun.community,
        "statements": [as_json(each) for each in (*begun.statements, rotated)],
        "held": canonical({"is": "secretheld", "number": 2, **frame}).decode(),
        "ask": canonical(ask).decode(),
        "answer": canonical({"is": "secret", "secret": secret.hex(), **frame}).decode(),
    }


def files() -> dict[str, object]:
    """Versions of the rules: a first one, two that were signed apart after it, and the first text again after both."""
    community, decision = "c" * 64, Decision("Rosa", "decided in the meeting", "2026-05-04")

    def made(name: str, *before: FileVersion) -> FileVersion:
        after = version_after(community, "rules", FILE_TEXTS[name], before, decision)
        return replace(after, packed=PACKED[FILE_TEXTS[name]])  # other libraries compress otherwise

    first = made("first")
    here, there = made("here", first), made("there", first)
    versions = {"first": first, "here": here, "there": there, "again": made("again", here, there)}
    assert all(each.hash == text_hash(FILE_TEXTS[name]) for name, each in versions.items())
    signed = {name: make_statement(FILE_KIND, file_fields(each), [KEY]) for name, each in versions.items()}
    return {
        "statements": {name: as_json(each) for name, each in signed.items()},
        "hashes": {name: each.hash for name, each in signed.items()},
        "texts": FILE_TEXTS,
        "replaces": [
            [newer, older]
            for newer, older in permutations(sorted(versions), 2)
            if replaces(versions[newer], versions[older])
        ],
    }


def vectors() -> dict[str, object]:
    """File name to content."""
    decoded = messages.decode(page())
    assert isinstance(decoded, Page)
    rows = [
        [account, *asdict(bucket)["uplink"].values(), *asdict(bucket)["busy"].values()]
        for account, bucket in ROWS.items()
    ]
    found: dict[str, object] = {
        name: {"frame": encode(message).decode(), "says": asdict(message)}
        for name, message in MESSAGES.items()
    }
    found["page"] = {
        "frame": page().decode(),
        "label": decoded.label,
        "digest": page_digest(decoded),
        "rows": rows,
    }
    past = messages.decode(past_page())
    assert isinstance(past, Page)
    found["past"] = {
        "frame": past_page().decode(),
        "label": past.label,
        "digest": page_digest(past),
        "rows": [["1-3f9a", *row] for row in rows],
        "covers": [[*key, seq] for key, seq in COVERS.items()],
    }
    found["other"] = others()
    found["node"] = node_page()
    found["summary"] = summary()
    found["registry"] = registry_page()
    found["devices"] = devices()
    found["batch"] = batch_page()
    found["gateways"] = gateways_page()
    found["notice"] = notice_page()
    found["hello-extended"] = {"frame": encode(EXTENDED).decode(), "says": asdict(EXTENDED)}
    found["room"] = room()
    found["statements"] = statements()
    found["secrets"] = secrets()
    found["files"] = files()
    found["malformed"] = MALFORMED
    found["identity"] = {
        "private_key_hex": bytes(range(32)).hex(),
        "node_id": NODE,
        "human_form": human_form(NODE),
        "leaf_certificate_hex": leaf_certificate(KEY).hex(),
        "wrapper_ca_hex": wrapper_ca().hex(),
        "wrapper_ca_sha256": hashlib.sha256(wrapper_ca()).hexdigest(),
        "community": "la-vall",
        "community_mark": community_mark("la-vall"),
    }
    return found


def text(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, content in vectors().items():
        (FOLDER / f"{name}.json").write_text(text(content))

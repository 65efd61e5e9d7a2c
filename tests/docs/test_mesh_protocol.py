"""mesh/PROTOCOL.md against the code: its vectors, its limits, its diagram."""

import hmac
import json
import re
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import pytest

from mesh import (
    batch_kind,
    call_header,
    callable_address,
    community_record,
    community_secret,
    community_state,
    directory,
    file_version,
    file_versions,
    gateway_kind,
    invite,
    link_selection,
    lobby,
    messages,
    neighbour_search,
    node_kind,
    node_page_schedule,
    node_summary,
    notice_kind,
    notice_pages,
    other_pages,
    overlay,
    page_age,
    page_format,
    page_versions,
    past_kind,
    peer_exchange,
    peering,
    push_tree,
    registry_kind,
    registry_pages,
    registry_records,
    secret_exchange,
    signed_statement,
    summary_exchange,
    tls_transport,
    usage_kind,
)
from mesh.announcement import SERVICE_TYPE
from mesh.exchange import PAGE_KIND
from mesh.messages import decode
from mesh.node_certificates import community_mark, leaf_certificate, node_id_from_certificate
from mesh.page_format import Malformed, Page, page_digest
from mesh.page_kinds import page_content
from mesh.past_kind import past_of
from mesh.roster import nodes_digest
from mesh.signed_statement import SignedStatement, read_statement
from mesh.usage_kind import PageContent, usage_rows
from node.accounts import device_names, told_notices, voucher_records, voucher_store, vouchers
from node.accounts.codes import Code, read_code
from node.accounts.voucher_records import join_vouchers
from node.accounts.vouchers import voucher_account, voucher_fingerprint
from node.app import roaming_records
from node.gateways.told_gateway import opened_key, secret_hash
from node.identity import human_form, key_from_raw, own_node_id, verify
from node.keyring import Keyring, derived_key
from node.units import Monotonic
from tests.docs import mesh_vectors
from tests.docs.peering_diagram import diagram

PAGE = (Path(__file__).parents[2] / "mesh" / "PROTOCOL.md").read_text()
RECORDS, SECRETS = ("records", "recordlist", "record"), ("secretheld", "secretask", "secret")
SUMMARIES = ("summaryask", "summary")
LIMITS = {
    "frame": messages.FRAME_BYTES_MAX,
    "head of a page": messages.HEAD_BYTES_MAX,
    "rows of a page": usage_kind.ROWS_MAX,
    "parts of a day": page_format.PARTS_MAX,
    "names of nodes and communities": page_format.NAME_CHARS_MAX,
    "names of accounts": page_format.ACCOUNT_BYTES_MAX,
    "streams in one message": messages.STREAMS_PER_MESSAGE_MAX,
    "pages in one message": messages.PAGES_PER_MESSAGE_MAX,
    "digests in one message": messages.NAMES_PER_MESSAGE_MAX,
    "digests remembered": push_tree.RECENT_MAX,
    "covers of a page": past_kind.COVERS_MAX,
    "streams kept of one author": page_versions.INCARNATIONS_MAX,
    "days kept of one incarnation": page_versions.DAYS_MAX,
    "rows kept of one author": page_versions.AUTHOR_ROWS_MAX,
    "rows kept of one author and day": page_versions.AUTHOR_DAY_ROWS_MAX,
    "rows of one author that wait to be taken back": page_versions.CHANGED_ROWS_MAX,
    "pages of other kinds kept of one author": other_pages.OTHER_PAGES_MAX,
    "bytes of these": other_pages.OTHER_BYTES_MAX,
    "addresses in a node page": node_kind.ADDRESSES_MAX,
    "links in a node page": node_kind.LINKS_MAX,
    "characters of a version in a node page": node_kind.VERSION_CHARS_MAX,
    "bytes of a summary": node_summary.SUMMARY_BYTES_MAX,
    "values in a summary": node_summary.VALUES_MAX,
    "connections that a question for one may pass": summary_exchange.HOPS_MAX + 1,
    "questions for summaries from one neighbour at once": summary_exchange.ASKED_AT_ONCE,
    "parts of the records of one author": registry_kind.REGISTRY_PARTS,
    "records in a part": registry_kind.RECORDS_PER_PART_MAX,
    "objects and lists in one another in it": registry_kind.VALUE_DEPTH_MAX,
    "bytes of the value of a record": registry_kind.VALUE_BYTES_MAX,
    "bytes of records that one node carries": registry_records.OWN_BYTES_MAX,
    "of these, of kinds that devices cause": registry_records.PLENTIFUL_BYTES_MAX,
    "of these, of one such kind": registry_records.KIND_BYTES_MAX,
    "bytes of records in a part": registry_records.PART_BYTES_MAX,
    "parts of the batches of one author": batch_kind.BATCH_PARTS,
    "batches in a part": batch_kind.BATCHES_PER_PART_MAX,
    "bytes of batches in a part": batch_kind.PART_BYTES_MAX,
    "vouchers of a batch": vouchers.BATCH_MAX,
    "parts of the gateways of one author": gateway_kind.GATEWAY_PARTS,
    "gateways in a part": gateway_kind.GATEWAYS_PER_PART_MAX,
    "bytes of gateways in a part": gateway_kind.PART_BYTES_MAX,
    "questions about counters in a page": gateway_kind.QUESTIONS_MAX,
    "answers in a page": gateway_kind.ANSWERS_MAX,
    "notices of one author": notice_kind.NOTICE_PARTS,
    "bytes of all notices of one author": told_notices.TOLD_BYTES_MAX,
    "notices of other nodes that a node keeps": told_notices.HEARD_MAX,
    "extensions in a hello": messages.EXTENSIONS_MAX,
    "text of a statement": signed_statement.TEXT_BYTES_MAX,
    "text of a version": signed_statement.FILE_TEXT_BYTES_MAX,
    "text of that file, unpacked": file_version.FILE_BYTES_MAX,
    "versions that one names": file_version.BEFORE_MAX,
    "characters of the reason": file_version.REASON_CHARS_MAX,
    "versions kept of one file": file_versions.HEADS_MAX,
    "signatures kept of a version": file_versions.SIGNATURES_MAX,
    "signatures of a statement": signed_statement.SIGNATURES_MAX,
    "admins of a community": community_record.ADMINS_MAX,
    "recovery keys": community_record.RECOVERY_KEYS_MAX,
    "votes of one admin": community_record.VOTES_MAX,
    "versions of a record": community_record.VERSIONS_MAX,
    "competing versions after one": community_state.SIBLINGS_MAX,
    "nodes with memberships": community_state.MEMBERS_MAX,
    "statements kept about one of them": community_state.SIGNED_OF_ONE_MAX,
    "invites": community_state.INVITES_MAX,
    "uses of an invite": invite.USES_MAX,
    "uses kept beyond these": community_state.USES_OVER_MAX,
    "statements in one list": community_state.STATEMENTS_MAX,
    "secrets of a community": community_secret.SECRETS_MAX,
    "bytes of a frame about secrets": secret_exchange.FRAME_BYTES_MAX,
    "secrets told to one neighbour at once": secret_exchange.ANSWERS_AT_ONCE,
    "bytes of a request in the lobby": lobby.REQUEST_BYTES_MAX,
    "bytes of its answer": lobby.ANSWER_BYTES_MAX,
    "attempts in the lobby at once": lobby.ATTEMPTS_AT_ONCE,
    "of these from one host": lobby.ATTEMPTS_OF_ONE_AT_ONCE,
    "nodes known": directory.PEERS_MAX,
    "addresses known of one node": directory.ADDRESSES_MAX,
    "connections to other nodes": link_selection.LINKS_MAX,
    "connections, also of callers that are refused": tls_transport.CONNECTIONS_MAX,
    "connections whose key is not proven": tls_transport.UNPROVEN_MAX,
    "of these from one address": tls_transport.UNPROVEN_PER_ADDRESS_MAX,
    "accepted connections with one key": tls_transport.PROVEN_PER_KEY_MAX,
    "time to prove a key and ask": tls_transport.HANDSHAKE_S,
}


def vector(name: str) -> dict[str, object]:
    found = json.loads((mesh_vectors.FOLDER / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", mesh_vectors.MESSAGES)
def test_a_message_of_the_vectors_decodes_to_its_description(name: str) -> None:
    found = vector(name)
    said = decode(str(found["frame"]).encode())
    assert found["says"] == json.loads(json.dumps(asdict(said)))


def test_the_page_of_the_vectors_is_accepted() -> None:
    found = vector("page")
    page = decode(str(found["frame"]).encode())
    assert isinstance(page, Page)
    assert verify(page.author, PAGE_KIND, page.signed, page.signature)
    assert (found["label"], found["digest"]) == (page.label, page_digest(page))
    rows = usage_rows(page.body)
    assert not isinstance(rows, Malformed)
    plain = [[a, c.uplink.down, c.uplink.up, c.busy.down, c.busy.up] for a, c in rows]
    assert found["rows"] == plain


def test_the_page_about_earlier_incarnations_of_the_vectors_is_accepted() -> None:
    found = vector("past")
    page = decode(str(found["frame"]).encode())
    assert isinstance(page, Page)
    assert verify(page.author, PAGE_KIND, page.signed, page.signature)
    assert (found["label"], found["digest"]) == (page.label, page_digest(page))
    past = past_of(page.body, page.period)
    assert not isinstance(past, Malformed)
    plain = [[life, a, c.uplink.down, c.uplink.up, c.busy.down, c.busy.up] for life, a, c in past.rows]
    assert found["rows"] == plain
    assert found["covers"] == [list(cover) for cover in past.covers]


def test_the_node_page_of_the_vectors_is_accepted() -> None:
    found = vector("node")
    page = decode(str(found["frame"]).encode())
    assert isinstance(page, Page)
    assert verify(page.author, PAGE_KIND, page.signed, page.signature)
    assert (found["label"], found["digest"]) == (page.label, page_digest(page))
    said = page_content(page, frozenset({page.author}))
    assert isinstance(said, node_kind.NodeFacts)
    assert found["says"] == json.loads(json.dumps(asdict(said)))


def test_the_summary_of_the_vectors_is_asked_for_and_read() -> None:
    found = vector("summary")
    read = node_summary.read_summary(str(found["frame"]).encode())
    assert not isinstance(read, Malformed)
    assert (found["age_s"], found["says"]) == (read[1], json.loads(json.dumps(asdict(read[0].summary))))
    assert node_summary.is_genuine(read[0])
    node, other = read[0].summary.node, mesh_vectors.OTHER
    links = {node: {other}, other: {node}}
    asks = summary_exchange.SummaryExchange(other, lambda: frozenset(links), lambda: links, lambda: read[0])
    answers = summary_exchange.SummaryExchange(node, lambda: frozenset(links), lambda: links, lambda: read[0])
    asks.greet(node, takes_part=True, now=Monotonic(0))
    answers.greet(other, takes_part=True, now=Monotonic(0))
    asks.ask([node], Monotonic(0))
    ask = asks.next_frame(node, Monotonic(0))
    assert found["ask"] == (ask or b"").decode().replace("32", "31")
    assert answers.receive(other, str(found["ask"]).encode(), Monotonic(0))
    assert found["frame"] == (answers.next_frame(other, Monotonic(42_000)) or b"").decode()


def test_the_document_says_how_long_a_summary_is_fresh() -> None:
    text = " ".join(PAGE.split())
    assert 5 * 60_000 == summary_exchange.FRESH
    assert f"fewer than {node_summary.FEW_DEVICES} devices" in text
    assert f"after {summary_exchange.ASKED_AGAIN // 1000} s" in text
    assert f"known for less than {summary_exchange.EARLIER_REFUSED // 1000} s" in text
    assert f"greatest values are {', '.join(f'{each:,}' for each in astuple(node_summary.MOST))}" in text


def test_the_registry_page_of_the_vectors_is_accepted() -> None:
    found = vector("registry")
    page = decode(str(found["frame"]).encode())
    assert isinstance(page, Page)
    assert verify(page.author, PAGE_KIND, page.signed, page.signature)
    assert (found["label"], found["digest"]) == (page.label, page_digest(page))
    said = page_content(page, frozenset({page.author}))
    assert isinstance(said, registry_kind.RegistryContent)
    assert page.body == registry_kind.registry_body(said.records)


def test_the_batch_page_of_the_vectors_is_accepted() -> None:
    found = vector("batch")
    page = decode(str(found["frame"]).encode())
    assert isinstance(page, Page)
    assert verify(page.author, PAGE_KIND, page.signed, page.signature)
    assert (found["label"], found["digest"]) == (page.label, page_digest(page))
    said = page_content(page, frozenset({page.author}))
    assert isinstance(said, batch_kind.BatchContent)
    assert page.body == batch_kind.batch_body(said)
    assert all(joined == join_vouchers(one, other) for one, other, joined in found["joined"])  # type: ignore[union-attr]


def test_the_notice_page_of_the_vectors_is_accepted() -> None:
    found = vector("notice")
    page = decode(str(found["frame"]).encode())
    assert isinstance(page, Page)
    assert verify(page.author, PAGE_KIND, page.signed, page.signature)
    assert (found["label"], found["digest"]) == (page.label, page_digest(page))
    said = page_content(page, frozenset({page.author}))
    assert isinstance(said, notice_kind.NoticeContent)
    assert said.notice is not None
    assert found["title"] == said.notice.texts[0].title
    assert page.body == notice_kind.notice_body(said)


def test_the_document_says_how_long_a_notice_is_shown() -> None:
    text = " ".join(PAGE.split())
    assert f"again every {page_age.SAID_AGAIN_DAYS} days" in text
    assert f"more than {notice_pages.SHOWN_DAYS} days old" in text


def test_the_gateways_page_of_the_vectors_is_accepted() -> None:
    found = vector("gateways")
    page = decode(str(found["frame"]).encode())
    assert isinstance(page, Page)
    assert verify(page.author, PAGE_KIND, page.signed, page.signature)
    assert (found["label"], found["digest"]) == (page.label, page_digest(page))
    said = page_content(page, frozenset({page.author}))
    assert isinstance(said, gateway_kind.GatewaysContent)
    assert page.body == gateway_kind.gateways_body(said)
    (gateway,) = said.gateways
    assert gateway.secret_hash == secret_hash(str(found["secret"]))
    secret, key = bytes.fromhex(str(found["community_secret_hex"])), bytes.fromhex(str(found["key_hex"]))
    assert key == opened_key(gateway.key, gateway.check, page.author, gateway.id, (secret,))


def test_the_account_of_a_code_is_that_of_the_vectors() -> None:
    found = vector("batch")
    key = derived_key(bytes.fromhex(str(found["secret_hex"])), "vouchers")
    code = read_code(str(found["code"]))
    assert isinstance(code, Code)
    assert found["account"] == voucher_account(voucher_fingerprint(key, code))


def test_the_document_says_how_long_a_list_of_vouchers_holds() -> None:
    text = " ".join(PAGE.split())
    assert f"again after {page_age.SAID_AGAIN_DAYS} days" in text
    assert f"more than {voucher_records.STALE_DAYS} days" in text
    assert 10 == voucher_records.ENDED_DAYS
    assert f"more than {voucher_records.UNUSED_DAYS} days" in text
    most, of_node = voucher_store.VOUCHERS_MAX, voucher_store.VOUCHERS_OF_NODE_MAX
    assert f"{most:,} vouchers of all nodes together, and {of_node:,} of one other node" in text


def test_the_document_says_how_long_a_record_is_said_by_nobody() -> None:
    least, most = registry_pages.ADOPT_AFTER_S
    assert f"after a random {least:.0f} to {most:.0f} s" in " ".join(PAGE.split())


def test_the_document_says_how_often_a_node_page_comes() -> None:
    text = " ".join(PAGE.split())
    assert f"after {node_page_schedule.MESH_PACE_S:.0f} s times the number of nodes" in text
    assert f"no sooner than {node_page_schedule.REST_S_MIN:.0f} s" in text
    assert (60.0, 8) == (node_page_schedule.SETTLE_S, node_page_schedule.SAVED_MAX)


def test_the_document_says_how_often_candidates_are_called() -> None:
    every_s = peer_exchange.CANDIDATE_EVERY_S
    text = " ".join(PAGE.split())
    assert f"one in {0.8 * every_s:.0f} to {1.2 * every_s:.0f} s" in text
    assert f"ports from {callable_address.PORT_MIN}:" in text
    assert (4, 600_000, 86_400_000) == (
        peer_exchange.LINKS_ENOUGH,
        peer_exchange.AGAIN_MIN,
        peer_exchange.AGAIN_MAX,
    )


def test_the_document_says_how_often_hosts_beside_are_called() -> None:
    every_s = neighbour_search.SEARCH_EVERY_S
    text = " ".join(PAGE.split())
    assert f"one such host in {0.8 * every_s:.0f} to {1.2 * every_s:.0f} s" in text
    assert (5 * 60_000, 24 * 3_600_000) == (neighbour_search.AGAIN_MIN, neighbour_search.AGAIN_MAX)


def test_two_nodes_with_the_same_pages_send_as_many_bytes_as_the_specification_says() -> None:
    root = page_versions.PageCollection().root(frozenset())
    assert f"sending {len(messages.encode(messages.Root(root)))} bytes each" in " ".join(PAGE.split())


def test_pages_have_the_row_counts_and_the_eviction_order_of_the_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pages with the highest priority stay, in any order of arrival."""
    found = json.loads((mesh_vectors.FOLDER / "room.json").read_text())
    pages = [decode(each["frame"].encode()) for each in found["lowest_first"]]
    for page, each in zip(pages, found["lowest_first"], strict=True):
        assert isinstance(page, Page)
        assert each["counts_as"] == page_versions.counts_as(page, _said(page))
        assert each["name"] == page.name
    counts = [each["counts_as"] for each in found["lowest_first"]]
    for left in range(len(pages)):
        monkeypatch.setattr(page_versions, "AUTHOR_ROWS_MAX", sum(counts[left:]))
        for order in (pages, pages[::-1]):
            kept = page_versions.PageCollection()
            for page in order:
                assert isinstance(page, Page)
                kept.hold(page, _said(page))
            assert {page.raw for page in pages[left:] if isinstance(page, Page)} == set(
                kept.own(mesh_vectors.NODE)
            )


def _said(page: Page) -> PageContent:
    said = page_content(page)
    assert isinstance(said, PageContent)
    return said


@pytest.mark.parametrize(("what", "frame"), vector("malformed").items())
def test_the_malformed_messages_of_the_vectors_are_refused(what: str, frame: str) -> None:
    assert isinstance(decode(frame.encode()), Malformed), what


def test_the_identity_of_the_vectors_is_ours() -> None:
    found = vector("identity")
    key = key_from_raw(bytes.fromhex(str(found["private_key_hex"])))
    assert found["node_id"] == own_node_id(key)
    assert found["human_form"] == human_form(own_node_id(key))
    assert found["node_id"] == node_id_from_certificate(bytes.fromhex(str(found["leaf_certificate_hex"])))
    assert found["leaf_certificate_hex"] == leaf_certificate(key).hex()
    assert found["community_mark"] == community_mark(str(found["community"]))


def test_the_bytes_of_this_version_are_unchanged() -> None:
    """A difference here is a new version of the protocol, not a new set of vectors."""
    for name, content in mesh_vectors.vectors().items():
        assert mesh_vectors.text(content) == (mesh_vectors.FOLDER / f"{name}.json").read_text()


def test_every_limit_is_in_the_document() -> None:
    rows = re.findall(r"^\| ([a-z, ]+) \| (\d+)", PAGE, re.MULTILINE)
    assert LIMITS == {what: int(number) for what, number in rows}


def test_the_diagram_is_generated_from_the_code() -> None:
    assert diagram() in PAGE


def test_the_document_names_the_service_the_version_and_the_times() -> None:
    assert f"`{SERVICE_TYPE}`" in PAGE
    assert f"mesh protocol, version {page_format.VERSION}" in PAGE
    assert f"for {peering.KEEPALIVE_EVERY // 1000} s" in PAGE
    assert f"for {peering.SILENT_AFTER // 1000} s is silent" in PAGE.replace("\n", " ")
    assert f"`{call_header.CALL_HEADER}: {call_header.write_call(link_selection.Call(3))}`" in PAGE
    assert f"HTTP {tls_transport.FULL_STATUS}" in PAGE
    assert f"`{overlay.FULL}`" in PAGE
    assert f"`{tls_transport.PATH}`" not in PAGE
    assert f"`GET {tls_transport.PATH}`" in PAGE
    assert f"bytes\ndivided by {page_versions.BYTES_OF_A_ROW}" in PAGE
    assert f"no fewer than {page_versions.ROWS_OF_A_PAGE_MIN}." in PAGE


def test_every_kind_of_message_is_in_the_document() -> None:
    # "is" is the heading of the table.
    kinds = set(re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE))
    assert {*mesh_vectors.MESSAGES, "page", "is", *RECORDS, *SECRETS, *SUMMARIES} == kinds


def test_the_statements_of_the_vectors_are_taken_in_and_make_these_nodes() -> None:
    found = vector("statements")
    state = community_state.CommunityState(str(found["community"]))
    statements = found["statements"]
    assert isinstance(statements, list)
    for each in statements:
        said = read_statement(each["statement"])
        assert isinstance(said, SignedStatement)
        assert (each["hash"], each["name"]) == (said.hash, said.name)
        assert isinstance(state.add(said), SignedStatement)
    assert (found["digest"], found["nodes"]) == (state.digest(), sorted(state.nodes()))
    assert found["nodes_digest"] == nodes_digest(state.nodes())
    invited = invite.read_invite_text(str(found["invite"]))
    assert isinstance(invited, invite.InviteText)
    assert found["addresses"] == [str(address) for address in invited.addresses]
    assert (found["seed"], found["community"]) == (invited.seed.hex(), invited.invite.community)


def test_the_secrets_of_the_vectors_are_asked_for_told_and_taken() -> None:
    found = json.loads((mesh_vectors.FOLDER / "secrets.json").read_text())
    square, hills = SecretsOfVectors(found), SecretsOfVectors(found)
    secret = bytes.fromhex(found["secret"])
    assert found["commitment"] == community_secret.commitment_of(secret)
    assert (
        found["community_id"] == Keyring(bytes.fromhex(found["first"]), key_from_raw(bytes(32))).community_id
    )
    square.held[found["commitment"]] = secret
    square.exchange.greet(mesh_vectors.OTHER, takes_part=True, now=0.0)
    hills.exchange.greet(mesh_vectors.NODE, takes_part=True, now=0.0)
    assert found["held"].encode() == square.exchange.next_frame(mesh_vectors.OTHER)
    hills.exchange.next_frame(mesh_vectors.NODE)
    assert hills.exchange.ask()
    ask = hills.exchange.next_frame(mesh_vectors.NODE)
    assert found["ask"].encode() == ask
    assert [] == square.exchange.receive(mesh_vectors.OTHER, ask or b"", 0.0)
    answer = square.exchange.next_frame(mesh_vectors.OTHER)
    assert found["answer"].encode() == answer
    assert [secret] == hills.exchange.receive(mesh_vectors.NODE, answer or b"", 0.0)


class SecretsOfVectors:
    """A node that holds the statements of the vectors, and no secret yet."""

    def __init__(self, found: dict[str, Any]) -> None:
        state = community_state.CommunityState(found["community"])
        for each in found["statements"]:
            said = read_statement(each)
            assert isinstance(said, SignedStatement)
            assert isinstance(state.add(said), SignedStatement)
        self.held: dict[str, bytes] = {}
        self.exchange = secret_exchange.SecretExchange(lambda: state, lambda: self.held, lambda _node: None)


def test_a_device_of_the_vectors_is_named_as_the_document_says() -> None:
    found = vector("devices")
    for secret, name in dict(found["names"]).items():  # type: ignore[call-overload]
        key = hmac.digest(bytes.fromhex(secret), b"device names", "sha256")
        assert name == hmac.digest(key, str(found["mac"]).encode(), "sha256")[:16].hex()
    text = " ".join(PAGE.split())
    assert (
        f"under the last {'eight' if device_names.KEYS_MAX == 8 else device_names.KEYS_MAX}, the newest first"
        in text
    )
    assert f"ends more than {roaming_records.END_TOLERANCE_S} s later there" in text
    assert f"first {roaming_records.NODE_CHARS} characters of the id" in text

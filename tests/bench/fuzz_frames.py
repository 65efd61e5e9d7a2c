"""Frames that a hostile member sends: valid ones, and what is made of them by changes at random.

What is signed here with somebody's key is noted in a `SignedLog`: everything else that a node takes in is a forgery.
"""

import json
import random
from collections import deque
from typing import Any

from mesh.community_service import COMMUNITY_EXTENSIONS
from mesh.exchange import PAGE_KIND
from mesh.file_version import FILES
from mesh.invite import make_use
from mesh.messages import (
    EXTENSIONS,
    FRAME_BYTES_MAX,
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
from mesh.node_summary import SUMMARY_KIND, VALUES, NodeSummary, SignedSummary, SummaryValues, summary_text
from mesh.page_format import VERSION, assemble_page, canonical, page_head
from mesh.page_kind import NOW
from mesh.past_kind import past_body
from mesh.registry_kind import NAME as REGISTRY
from mesh.registry_kind import is_value, registry_body, registry_part
from mesh.signed_statement import SignedStatement, as_json
from mesh.summary_exchange import SUMMARY_EXTENSION
from mesh.usage_kind import usage_body
from node.accounts.registry_record import RegistryRecord
from node.identity import sign
from node.units import AccountId, NodeId
from tests.bench.fuzz_community import HOSTILE, REMOVED, SILENT, VILLAGE, FuzzedCommunity, SignedLog
from tests.fakes.community_statements import SEED, said_of
from tests.fakes.file_versions import signed as signed_version
from tests.fakes.file_versions import version_of
from tests.fakes.hostile_records import FIELDS, KEYS, node_with_every_record
from tests.fakes.neighbours import bucket, id_of, key_of

DAYS, PARTS, INCARNATIONS, ROWS_MAX = (
    ("2026-11-23", "2026-11-24", "unknown"),
    2,
    ("1-a", "2-b", "7-m0a1b2c-0"),
    12,
)
"""Few, so that what the member may have stored is stored after some seconds."""
USERS = 64
"""Nodes that come with an invite for two."""
HEARD_MAX = 400
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**400, 1.5, 1e308, float("inf"), "", "x" * 300,
    "x" * 9_000, "usage/2026-11-24/0000",
    "\x00", "\u202e", "\ud800", "e\u0301", "~", "9" * 5_000, [], {}, [[]], [None] * 900, {"is": "page"},
)  # fmt: skip
RECORD_KINDS = (*node_with_every_record().shared.kinds, "later")


class FrameFuzzer:
    """Frames of a member, made from what it may sign and from what it hears."""

    def __init__(self, chance: random.Random, community: FuzzedCommunity, signed: SignedLog) -> None:
        self.chance, self._community, self._signed = chance, community, signed
        self._heard: deque[bytes] = deque(maxlen=HEARD_MAX)
        self._old: dict[str, list[bytes]] = {}
        """Pages by author, of rising numbers: those that are replayed."""
        for name in (SILENT, REMOVED):
            self._old[name] = [self._page(name, seq) for seq in range(1, 40)]
        for each in (*community.statements, *community.competing, *community.files):
            signed.add_statement(each)
        self._forged_files = [
            signed_version(version_of(community.id, file, f"forged by {name}"), name)
            for file in FILES
            for name in (HOSTILE, REMOVED)
        ]
        self._uses = [make_use(SEED, community.id, id_of(f"user-{number}"), "") for number in range(USERS)]
        for each in self._uses:
            signed.add_statement(each)

    def hear(self, frame: bytes) -> None:
        """What the other side sent is sent back to it, changed or not."""
        self._heard.append(frame)

    def hello(self) -> bytes:
        """Valid, with another machine each time; now and then one that is not."""
        made = encode(
            Hello(
                VERSION,
                VILLAGE,
                id_of(HOSTILE),
                HOSTILE,
                self._hex(16),
                self.chance.choice(((), (*EXTENSIONS, SUMMARY_EXTENSION, *COMMUNITY_EXTENSIONS), EXTENSIONS)),
                self.chance.choice(("", "0" * 15 + str(self.chance.randint(0, 9)))),
            )
        )
        return made if self.chance.random() < 0.8 else self.changed(made)

    def frame(self) -> bytes:
        """Any frame."""
        makers = (
            self._message, self._own_page, self._old_page, self._forged_page, self._record, self._registry, self._again,
            self._summary,
        )  # fmt: skip
        made = self.chance.choices(makers, (3, 2, 2, 2, 2, 2, 2, 1))[0]()
        return made if self.chance.random() < 0.4 else self.changed(made)

    # --- Changes ----------------------------------------------------------------------------------

    def changed(self, frame: bytes) -> bytes:
        """The frame with a change at random."""
        kinds = (self._flip, self._cut, self._double, self._retype, self._nest, self._noise)
        made = self.chance.choices(kinds, (5, 3, 1, 6, 1, 1))[0](frame)
        return made[:FRAME_BYTES_MAX] if self.chance.random() < 0.995 else made + bytes(FRAME_BYTES_MAX)

    def _flip(self, frame: bytes) -> bytes:
        flipped = bytearray(frame)
        for _ in range(self.chance.randint(1, 8) if flipped else 0):
            flipped[self.chance.randrange(len(flipped))] ^= 1 << self.chance.randrange(8)
        return bytes(flipped)

    def _cut(self, frame: bytes) -> bytes:
        begin, end = sorted(self.chance.randint(0, len(frame)) for _ in range(2))
        return self.chance.choice((frame[:end], frame[begin:], frame[:begin] + frame[end:]))

    def _double(self, frame: bytes) -> bytes:
        return self.chance.choice((frame + frame, frame + b"\n" + frame, frame + b"\n"))

    def _retype(self, frame: bytes) -> bytes:
        """Valid JSON with another value, or another type, somewhere; lines after the first stay."""
        head, newline, rest = frame.partition(b"\n")
        try:
            value = json.loads(head)
        except ValueError:
            return self._flip(frame)
        return json.dumps(self._odd(value), separators=(",", ":"), sort_keys=True).encode() + newline + rest

    def _odd(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.chance.random() < 0.9:
            key = self.chance.choice(sorted(value))
            return {**value, key: self._odd(value[key])}
        if isinstance(value, list) and value and self.chance.random() < 0.7:
            at = self.chance.randrange(len(value))
            return [*value[:at], self._odd(value[at]), *value[at + 1 :]]
        return self.chance.choice(ODD_VALUES)

    def _nest(self, frame: bytes) -> bytes:
        depth = self.chance.choice((50, 990, 1_010, 20_000, 60_000))
        return self.chance.choice(
            (b"[" * depth, b'{"is":' * (depth // 6), frame[:-1] + b',"x":' + b"[" * depth)
        )

    def _noise(self, _frame: bytes) -> bytes:
        return self.chance.randbytes(self.chance.choice((0, 1, 40, 3_000)))

    # --- What is sent -----------------------------------------------------------------------------

    def _message(self) -> bytes:
        author = NodeId(
            self.chance.choice([id_of(name) for name in ("square", "hills", SILENT, REMOVED, HOSTILE)])
        )
        label = f"usage/{self.chance.choice(DAYS)}/{self.chance.randint(0, 3):04d}"
        digests = tuple(self._hex(16) for _ in range(self.chance.choice((0, 1, 800))))
        pages = tuple(
            (label, self.chance.randint(0, 50), self._hex(16)) for _ in range(self.chance.randint(0, 5))
        )
        streams = ((author, self.chance.choice(INCARNATIONS), self._hex(32)),) * self.chance.choice(
            (0, 1, 400)
        )
        incarnation = self.chance.choice(INCARNATIONS)
        return encode(
            self.chance.choice(
                (
                    Keepalive(), TimeRequest(), Prune(), Root(self._hex(32)), PageNames(digests), Graft(digests),
                    Changed(self._hex(32), digests),
                    TimeAnswer(self.chance.choice((0, 1_795_000_000, 2**53 - 1)), self.chance.randint(0, 99)),
                    Streams("", "~", streams), Have(author, incarnation, "", "~", pages, self.chance.random() < 0.5),
                )
            )
        )  # fmt: skip

    def _summary(self) -> bytes:
        """A question about a node, or an answer that nobody asked for, signed by the node that it is about or not."""
        name = self.chance.choice(("square", "hills", SILENT, REMOVED, HOSTILE))
        if self.chance.random() < 0.5:
            return canonical({"hops": self.chance.randint(0, 40), "is": "summaryask", "node": id_of(name)})
        values = SummaryValues(*(self.chance.randint(0, 200) for _ in range(VALUES)))
        text = summary_text(NodeSummary(id_of(name), values, made_s=self.chance.choice((0, 2**53 - 1))))
        summary = NodeSummary(id_of(name), values)
        return SignedSummary(summary, text, sign(key_of(HOSTILE), SUMMARY_KIND, text)).frame(
            self.chance.randint(0, 900)
        )

    def _page(
        self, name: str, seq: int, *, community: str = VILLAGE, signer: str = "", body: bytes = b""
    ) -> bytes:
        """A page in the name of `name`; noted when it is signed with the key of `name`."""
        day, incarnation = self.chance.choice(DAYS), self.chance.choice(INCARNATIONS)
        kind = self.chance.choice(("usage", "usage", "past", "later")) if name == HOSTILE else "usage"
        accounts = self.chance.sample(
            [f"household-{number}" for number in range(40)], self.chance.randint(1, ROWS_MAX)
        )
        rows = {AccountId(account): bucket(self.chance.randint(0, 10**9), seq) for account in accounts}
        past = {(self.chance.choice(INCARNATIONS), account): each for account, each in rows.items()}
        covers = {(self.chance.choice(INCARNATIONS), f"usage/{day}/{self.chance.randint(0, 3):04d}"): seq}
        body = body or (usage_body(rows) if kind == "usage" else past_body(past, covers))
        head = page_head(
            community=community, author=id_of(name), incarnation=incarnation, period=day, part=self.chance.randrange(PARTS),
            seq=seq, kind=kind,
        )  # fmt: skip
        signed = head + b"\n" + body
        raw = assemble_page(signed, sign(key_of(signer or name), PAGE_KIND, signed))
        if not signer and community == VILLAGE:
            self._signed.add_page(raw)
        return raw

    def _own_page(self) -> bytes:
        """The member may sign anything: also a body that is none, and two pages of one number."""
        body = (
            self.changed(usage_body({AccountId("household-1"): bucket(5)}))
            if self.chance.random() < 0.4
            else b""
        )
        return self._page(HOSTILE, self.chance.randint(1, 400), body=body[:20_000].replace(b"\n", b""))

    def _registry(self) -> bytes:
        """Facts about people: of the member, with any values, or in the name of another."""
        name = self.chance.choice((HOSTILE, HOSTILE, HOSTILE, SILENT, "square", REMOVED))
        kind, key = self.chance.choice(RECORD_KINDS), self.chance.choice(KEYS)
        value = {
            self.chance.choice(FIELDS): self.chance.choice((*ODD_VALUES, 7, "2026-11-24", "ana"))
            for _ in range(self.chance.randint(0, 6))
        }
        until = self.chance.choice(("", "2026-12-24", "9999-12-31", "0000-00-00", "soon"))
        version = self.chance.choice((1, 2, self.chance.randint(1, 10**6), 2**32, 2**53 - 1))
        record = RegistryRecord(
            kind, key, version, until, value if is_value(value) else {"day": "2026-11-24"}
        )
        head = page_head(
            community=VILLAGE, author=id_of(name), incarnation=self.chance.choice(INCARNATIONS), period=NOW,
            part=registry_part(kind, key), seq=self.chance.randint(1, 400), kind=REGISTRY,
        )  # fmt: skip
        page = head + b"\n" + registry_body([record])
        raw = assemble_page(page, sign(key_of(HOSTILE), PAGE_KIND, page))
        if name == HOSTILE:
            self._signed.add_page(raw)
        return raw

    def _old_page(self) -> bytes:
        """Replayed, in any order: of an honest author who is not here, and of one that was removed."""
        return self.chance.choice(self._old[self.chance.choice((SILENT, REMOVED))])

    def _forged_page(self) -> bytes:
        """In another's name, of another community, or with the signature of another page."""
        seq, name = self.chance.randint(1, 10**6), self.chance.choice((SILENT, "square", "hills", REMOVED))
        match self.chance.randrange(4):
            case 0:
                return self._page(name, seq, signer=HOSTILE)
            case 1:
                return self._page(HOSTILE, seq, community="the-city")
            case 2:
                return self._page("stranger", seq)
            case _:
                one, other = self._old_page(), self._old_page()
                return one.rpartition(b"\n")[0] + b"\n" + other.rpartition(b"\n")[2]

    def _record(self) -> bytes:
        """Statements about the community: valid, competing, used too often, signed by nobody who may."""
        known = self._community.id
        forged = (
            said_of(known, REMOVED, "active", self.chance.randint(1, 10**6), HOSTILE),
            said_of(
                self._community.id, "square", "removed", self.chance.randint(1, 10**6), HOSTILE, "stranger"
            ),
            said_of("0" * 64, "stranger", "active", 1, "rosa"),
        )
        return self.chance.choice(
            (
                self._record_frame(self.chance.choice(self._community.statements)),
                self._record_frame(self.chance.choice(self._community.competing)),
                self._record_frame(self.chance.choice(self._community.files)),
                self._record_frame(self.chance.choice(self._forged_files)),
                self._record_frame(self.chance.choice(self._uses)),
                self._record_frame(self.chance.choice(forged)),
                self._forged_statement(),
                self._summary(),
                canonical({"is": "secret", "community": known, "secret": self._hex(64)}),
                canonical({"is": "secretheld", "community": known, "number": self.chance.choice((0, 1, 2, 10**15))}),
                self._secret_request(),
                canonical({"is": "recordlist", "community": known, "names": [self._hex(16)], "asks": True}),
            )
        )  # fmt: skip

    def _summary(self) -> bytes:
        said = {"community": self._community.id, "digest": self._hex(32), "nodes": self._hex(16)}
        return canonical({"is": "records", **said, "files": self._hex(32)})

    def _secret_request(self) -> bytes:
        said = {"community": self._community.id, "commitment": self._hex(64), "digest": self._hex(32)}
        return canonical({"is": "secretask", **said, "number": self.chance.randint(0, 3)})

    def _record_frame(self, statement: SignedStatement) -> bytes:
        return canonical({"is": "record", "record": as_json(statement)})

    def _forged_statement(self) -> bytes:
        """Another text under valid signatures, or the text inside with odd values."""
        said = as_json(
            self.chance.choice(
                (*self._community.statements, *self._community.competing, *self._community.files)
            )
        )
        odd = self._odd(json.loads(said["text"]))
        text = json.dumps(odd, sort_keys=True, separators=(",", ":"), ensure_ascii=self.chance.random() < 0.5)
        return json.dumps({"is": "record", "record": {**said, "text": text}}, separators=(",", ":")).encode()

    def _again(self) -> bytes:
        return self.chance.choice(self._heard) if self._heard else b""

    def _hex(self, digits: int) -> str:
        return f"{self.chance.getrandbits(4 * digits):0{digits}x}"

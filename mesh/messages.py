"""The wire format between nodes: messages, their encoding and their limits. See PROTOCOL.md.

Nothing here raises on received data: the result is a message or `Malformed` with the reason.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesh.page_format import (
    INCARNATION,
    KIND,
    LABEL,
    NAME_CHARS_MAX,
    NODE,
    PARTS_MAX,
    VERSION,
    Malformed,
    Page,
    canonical,
    fits,
    is_number,
    is_text,
    list_of,
    parse_object,
)
from mesh.page_kinds import kind_named
from node.identity import SIGNATURE_BYTES
from node.units import NodeId

FRAME_BYTES_MAX = 64 * 1024
HEAD_BYTES_MAX = 1024
STREAMS_PER_MESSAGE_MAX = 400
PAGES_PER_MESSAGE_MAX = 800
NAMES_PER_MESSAGE_MAX = 800
KINDS_EXTENSION = "kinds"
"""The node keeps pages of kinds that it does not know, and lists them."""
TREE_EXTENSION = "tree"
"""The node understands `names`, `graft` and `prune`."""
QUIET_EXTENSION = "quiet"
"""The node needs no keepalives, and sends none to neighbours that say the same."""
CHANGES_EXTENSION = "changes"
"""The node understands `changed`."""
EXTENSIONS = (CHANGES_EXTENSION, KINDS_EXTENSION, QUIET_EXTENSION, TREE_EXTENSION)
"""What this node understands beside the first form of this version."""
EXTENSIONS_MAX = 16
LABEL_END = "~"
"""Sorts after every label and node id: the end of a range."""

_BOOT = re.compile(r"[0-9a-f]{16}")
_MACHINE = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_ROOT = re.compile(r"[0-9a-f]{32}")
_SIGNATURE = re.compile(rf"[0-9a-f]{{{2 * SIGNATURE_BYTES}}}")


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message on every connection, from both sides, after key authentication."""

    version: int
    community: str
    node: NodeId
    name: str
    boot: str
    """16 hexadecimal digits, new with each start of the node."""
    can: tuple[str, ...] = ()
    """Extensions of this version that the node understands, sorted; see `EXTENSIONS`."""
    machine: str = ""
    """MACHINE_CHARS hexadecimal digits that differ on a copy of the node's disk; empty if the node does not know."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Sent when there is nothing else to send."""


@dataclass(frozen=True, slots=True)
class TimeRequest:
    """Asks for the time; sent by a node without a clock."""


@dataclass(frozen=True, slots=True)
class TimeAnswer:
    """The time, from a node that knows it."""

    unix_s: int
    hops: int
    """Through how many nodes it came to the sender; 0 for its own synchronized clock."""


@dataclass(frozen=True, slots=True)
class Root:
    """Digest of everything held; equal roots end a round."""

    digest: str


@dataclass(frozen=True, slots=True)
class Streams:
    """Streams with keys (author/incarnation) in the range (`after`, `upto`], each with its digest."""

    after: str
    upto: str
    streams: tuple[tuple[NodeId, str, str], ...]


@dataclass(frozen=True, slots=True)
class Have:
    """Pages of one stream with labels in the range (`after`, `upto`]: (label, seq, digest)."""

    author: NodeId
    incarnation: str
    after: str
    upto: str
    pages: tuple[tuple[str, int, str], ...]
    asks: bool
    """Whether the receiver must answer with its own list if this one has something new for it."""


@dataclass(frozen=True, slots=True)
class PageNames:
    """Digests of pages that the sender has received, for a neighbour to which it does not push them."""

    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Digests of the pages that changed at the sender since both sides held those with this root."""

    root: str
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graft:
    """Asks for the pages with these digests, and for the next ones as they come."""

    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prune:
    """Asks to be told only the names of pages: another neighbour is faster."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message kind of a later version; ignored."""

    kind: str


type Message = (
    Hello
    | Keepalive
    | TimeRequest
    | TimeAnswer
    | Root
    | Streams
    | Have
    | Changed
    | PageNames
    | Graft
    | Prune
    | Page
    | Unknown
)


type Encodable = (
    Hello | Keepalive | TimeRequest | TimeAnswer | Root | Streams | Have | Changed | PageNames | Graft | Prune
)


def encode(message: Encodable) -> bytes:
    """One frame: canonical JSON with the message kind in ``is``."""
    match message:
        case Keepalive():
            return canonical({"is": "beat"})
        case TimeRequest():
            return canonical({"is": "when"})
        case TimeAnswer(unix_s, hops):
            return canonical({"is": "time", "unix": unix_s, "hops": hops})
        case PageNames(digests):
            return canonical({"is": "names", "digests": digests})
        case Changed(root, digests):
            return canonical({"is": "changed", "root": root, "digests": digests})
        case Graft(digests):
            return canonical({"is": "graft", "digests": digests})
        case Prune():
            return canonical({"is": "prune"})
        case _:
            return canonical(_fields(message))


def _fields(message: Hello | Root | Streams | Have) -> dict[str, object]:
    match message:
        case Hello(version, community, node, name, boot, can, machine):
            fields = {"v": version, "community": community, "node": node, "name": name, "boot": boot}
            more = {"can": can, "machine": machine}
            return {"is": "hello", **fields, **{key: value for key, value in more.items() if value}}
        case Root(digest):
            return {"is": "root", "digest": digest}
        case Streams(after, upto, streams):
            return {"is": "streams", "after": after, "upto": upto, "streams": streams}
        case Have(author, incarnation, after, upto, pages, asks):
            stream = {"author": author, "incarnation": incarnation, "after": after, "upto": upto}
            return {"is": "have", **stream, "pages": pages, "asks": asks}


def decode(frame: bytes) -> Message | Malformed:
    """Parse a frame. The body of a page is not parsed until its signature is verified: see `page_kinds.page_content`."""
    if len(frame) > FRAME_BYTES_MAX:
        return Malformed(f"larger than {FRAME_BYTES_MAX} bytes")
    head, newline, rest = frame.partition(b"\n")
    if newline and len(head) > HEAD_BYTES_MAX:
        return Malformed(f"head larger than {HEAD_BYTES_MAX} bytes")
    fields = parse_object(head)
    if isinstance(fields, Malformed):
        return fields
    if newline:
        return _page(fields, head, rest, frame)
    return _message(fields)


def _message(fields: dict[str, Any]) -> Message | Malformed:
    kind = fields.get("is")
    if not isinstance(kind, str):
        return Malformed("no message kind in 'is'")
    read = _READERS.get(kind)
    return Unknown(kind[:NAME_CHARS_MAX]) if read is None else read(fields)


def _root(fields: dict[str, Any]) -> Root | Malformed:
    digest = fields.get("digest")
    return Root(digest) if fits(digest, _ROOT) else Malformed("root without a digest")


def _digests(fields: dict[str, Any]) -> tuple[str, ...] | Malformed:
    digests = list_of(fields.get("digests"), NAMES_PER_MESSAGE_MAX)
    if digests is None or not all(fits(each, _DIGEST) for each in digests):
        return Malformed("not a list of digests")
    return tuple(digests)


def _names(fields: dict[str, Any]) -> PageNames | Malformed:
    digests = _digests(fields)
    return digests if isinstance(digests, Malformed) else PageNames(digests)


def _changed(fields: dict[str, Any]) -> Changed | Malformed:
    root, digests = fields.get("root"), _digests(fields)
    if not fits(root, _ROOT):
        return Malformed("changed without a root")
    return digests if isinstance(digests, Malformed) else Changed(root, digests)


def _graft(fields: dict[str, Any]) -> Graft | Malformed:
    digests = _digests(fields)
    return digests if isinstance(digests, Malformed) else Graft(digests)


def _time(fields: dict[str, Any]) -> TimeAnswer | Malformed:
    unix_s, hops = fields.get("unix"), fields.get("hops")
    if not (is_number(unix_s) and is_number(hops)):
        return Malformed("time without unix and hops")
    return TimeAnswer(unix_s, hops)


def _hello(fields: dict[str, Any]) -> Hello | Malformed:
    version, community, node = fields.get("v"), fields.get("community"), fields.get("node")
    name, boot = fields.get("name"), fields.get("boot")
    if not is_number(version):
        return Malformed("hello without a version")
    if not (is_text(community) and is_text(name)):
        return Malformed("hello without a readable community and name")
    if not (fits(node, NODE) and fits(boot, _BOOT)):
        return Malformed("hello without a node id and a boot")
    can, machine = list_of(fields.get("can", []), EXTENSIONS_MAX), fields.get("machine", "")
    if can is None or not all(fits(word, KIND) for word in can):
        return Malformed("hello with extensions that are not a short list of words")
    if not (machine == "" or fits(machine, _MACHINE)):
        return Malformed("hello with a machine that is not 16 hexadecimal digits")
    return Hello(version, community, NodeId(node), name, boot, tuple(can), machine)


def _streams(fields: dict[str, Any]) -> Streams | Malformed:
    entries = list_of(fields.get("streams"), STREAMS_PER_MESSAGE_MAX)
    if not _is_range(fields) or entries is None:
        return Malformed("streams without a range and a list")
    streams = tuple(tuple(entry) if isinstance(entry, list) else () for entry in entries)
    if not all(
        len(entry) == 3 and fits(entry[0], NODE) and fits(entry[1], INCARNATION) and fits(entry[2], _ROOT)
        for entry in streams
    ):
        return Malformed("a stream is not [author, incarnation, digest]")
    return Streams(fields["after"], fields["upto"], streams)


def _have(fields: dict[str, Any]) -> Have | Malformed:
    author, incarnation, asks = fields.get("author"), fields.get("incarnation"), fields.get("asks")
    entries = list_of(fields.get("pages"), PAGES_PER_MESSAGE_MAX)
    if not _is_range(fields) or entries is None or not isinstance(asks, bool):
        return Malformed("have without a range, a list and asks")
    if not (fits(author, NODE) and fits(incarnation, INCARNATION)):
        return Malformed("have without author and incarnation")
    pages = tuple(tuple(entry) if isinstance(entry, list) else () for entry in entries)
    if not all(
        len(entry) == 3 and fits(entry[0], LABEL) and is_number(entry[1]) and fits(entry[2], _DIGEST)
        for entry in pages
    ):
        return Malformed("a page is not [label, seq, digest]")
    return Have(NodeId(author), incarnation, fields["after"], fields["upto"], pages, asks)


def _page(fields: dict[str, Any], head: bytes, rest: bytes, frame: bytes) -> Page | Malformed:
    body, newline, signature = rest.partition(b"\n")
    if not newline or not fits(signature.decode("ascii", "replace"), _SIGNATURE):
        return Malformed("a page is three lines: head, body, signature in hexadecimal")
    if fields.get("is") != "page" or fields.get("v") != VERSION:
        return Malformed(f"not a page of version {VERSION}")
    author, incarnation, kind = fields.get("author"), fields.get("incarnation"), fields.get("kind")
    community, period = fields.get("community"), fields.get("period")
    part, seq = fields.get("part"), fields.get("seq")
    if not (is_text(community) and fits(author, NODE) and fits(incarnation, INCARNATION)):
        return Malformed("page without community, author and incarnation")
    if not (fits(kind, KIND) and kind_named(kind).is_period(period)):
        return Malformed("page without a kind and a period of that kind")
    if not (is_number(part) and part < PARTS_MAX and is_number(seq)):
        return Malformed("page without part and seq")
    return Page(
        community,
        NodeId(author),
        incarnation,
        kind,
        str(period),
        part,
        seq,
        body=body,
        signed=head + b"\n" + body,
        signature=bytes.fromhex(signature.decode()),
        raw=frame,
    )


def _is_range(fields: dict[str, Any]) -> bool:
    after, upto = fields.get("after"), fields.get("upto")
    return isinstance(after, str) and isinstance(upto, str) and len(after) <= 96 and len(upto) <= 96


_READERS: dict[str, Callable[[dict[str, Any]], Message | Malformed]] = {
    "hello": _hello,
    "beat": lambda _fields: Keepalive(),
    "when": lambda _fields: TimeRequest(),
    "time": _time,
    "root": _root,
    "streams": _streams,
    "have": _have,
    "changed": _changed,
    "names": _names,
    "graft": _graft,
    "prune": lambda _fields: Prune(),
}

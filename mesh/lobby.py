"""The lobby: what a node that is no member asks with an invite, and the answer. Nothing else is answered to strangers."""

from collections.abc import Iterable
from dataclasses import dataclass

from mesh.community_record import HASH
from mesh.community_secret import SECRETS_MAX
from mesh.community_state import CommunityState
from mesh.invite import InviteText, make_use, read_invite, read_use
from mesh.page_format import Malformed, canonical, fits, is_text, list_of, parse_object
from mesh.signed_statement import SignedStatement, as_json, read_statement
from node.rate_limit import DeviceRateLimit, TokenBucket
from node.units import NodeId

REQUEST_BYTES_MAX = 8 * 1024
ANSWER_BYTES_MAX = 900_000
STATEMENTS_MAX = 2048
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 32, 64
"""A node with a shorter one does not start."""
ATTEMPTS_AT_ONCE, ATTEMPTS_PER_S = 20, 2.0
"""Of all strangers together; each costs two or three signature checks."""
ATTEMPTS_OF_ONE_AT_ONCE, ATTEMPTS_OF_ONE_PER_S = 5, 0.2
"""From one address."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """An invite and its use by one node."""

    invite: SignedStatement
    use: SignedStatement

    def refusal(self, state: CommunityState, node: NodeId) -> str:
        """Why this does not bring the node with this proven key into the community; empty if it may."""
        invite, use = read_invite(self.invite), read_use(self.use)
        if isinstance(invite, Malformed) or isinstance(use, Malformed):
            return "the invite is damaged"
        if not invite.community == use.community == state.id:
            return "the invite is of another community"
        if use.node != node or use.invite != invite.key:
            return "the invite was used by another node"
        known = state.invite(invite.key)
        if known is not None and known.state != "open":
            return "an admin has closed this invite"
        view = next((each for each in state.invites() if each.invite.key == invite.key), None)
        if view is not None and node not in view.used_by and len(view.used_by) >= view.invite.uses:
            return "the invite was used already; ask an admin for another one"
        return ""


@dataclass(frozen=True, slots=True)
class JoinAnswer:
    """What a member gives to a node that it let in: the community's secret and all statements; or why it did not."""

    secret: bytes
    statements: tuple[SignedStatement, ...]
    refusal: str = ""
    later: tuple[bytes, ...] = ()
    """Secrets after the first; the caller keeps those that the record names."""


class LobbyLimit:
    """Limits attempts of strangers; `now` is in monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._all = TokenBucket(ATTEMPTS_AT_ONCE, ATTEMPTS_PER_S, now)
        self._each = DeviceRateLimit(ATTEMPTS_OF_ONE_AT_ONCE, ATTEMPTS_OF_ONE_PER_S)

    def take(self, host: str, now: float) -> bool:
        return self._each.take(host, now) and self._all.take(now)


def join_request(invited: InviteText, node: NodeId, label: str) -> bytes:
    """The request of a node that was given this invite."""
    use = make_use(invited.seed, invited.invite.community, node, label)
    return canonical({"is": "join", "invite": as_json(invited.statement), "use": as_json(use)})


def read_join_request(body: bytes) -> JoinRequest | Malformed:
    fields = parse_object(body) if len(body) <= REQUEST_BYTES_MAX else Malformed("too large")
    if isinstance(fields, Malformed):
        return fields
    invite, use = read_statement(fields.get("invite")), read_statement(fields.get("use"))
    if isinstance(invite, Malformed) or isinstance(use, Malformed) or fields.get("is") != "join":
        return Malformed("not an invite and its use")
    if invite.kind != "invite" or use.kind != "use":
        return Malformed("not an invite and its use")
    return JoinRequest(invite, use)


def answer_join(refusal: str) -> bytes:
    return canonical({"is": "refused", "reason": refusal})


def welcome(secret: bytes, statements: Iterable[SignedStatement], later: tuple[bytes, ...] = ()) -> bytes:
    """What does not fit is exchanged once the node is connected. Then the `later` secrets are, too: a node has them only
    together with all statements."""
    listed, size = [], 70 * len(later)
    for statement in statements:
        size += len(statement.text) * 2 + 200 * len(statement.signatures) + 50
        if size > ANSWER_BYTES_MAX - 1_000:
            later = ()
            break
        listed.append(as_json(statement))
    said = {"is": "welcome", "secret": secret.hex(), "statements": listed}
    return canonical({**said, "later": [each.hex() for each in later]} if later else said)


def read_join_answer(body: bytes) -> JoinAnswer | Malformed:
    fields = parse_object(body) if len(body) <= ANSWER_BYTES_MAX else Malformed("too large")
    if isinstance(fields, Malformed):
        return fields
    if fields.get("is") == "refused":
        reason = fields.get("reason")
        return JoinAnswer(b"", (), reason if is_text(reason) else "without a reason")
    listed, secret = list_of(fields.get("statements"), STATEMENTS_MAX), fields.get("secret")
    if fields.get("is") != "welcome" or listed is None or not isinstance(secret, str):
        return Malformed("neither a welcome nor a refusal")
    try:
        raw = bytes.fromhex(secret)
    except ValueError:
        return Malformed("the secret is not hexadecimal")
    later = list_of(fields.get("later", []), SECRETS_MAX)
    if later is None or not all(fits(each, HASH) for each in later):
        return Malformed("a later secret is not hexadecimal")
    read = [each for value in listed if not isinstance(each := read_statement(value), Malformed)]
    if not SECRET_BYTES_MIN <= len(raw) <= SECRET_BYTES_MAX or len(read) != len(listed):
        return Malformed("a part of the welcome cannot be read")
    return JoinAnswer(raw, tuple(read), later=tuple(map(bytes.fromhex, later)))


def joined_state(
    invited: InviteText, answer: JoinAnswer, member: NodeId, own: NodeId
) -> CommunityState | str:
    """The community as the member told it, if the invite, the member and this node belong to it; else what is wrong."""
    state = CommunityState(invited.invite.community)
    for statement in answer.statements:
        state.add(statement)
    if state.head is None:
        return "the node that answered does not know the community of the invite"
    if member not in state.nodes():
        return "the node that answered is no member of the community"
    if own not in state.nodes():
        return "the community does not have this node as a member"
    return state

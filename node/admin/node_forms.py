"""Forms that an admin signs about the community: invites, states of nodes, keys, and the first community record."""

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.announcement import Address, read_address
from mesh.invite import USES_MAX
from mesh.recovery_key import recovery_text
from node.accounts.member_passphrases import PASSPHRASE_CHARS_MAX
from node.admin.fields import FormView, TypedForm
from node.admin.nodes import FOLLOWED_CHARS, NodesViews
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    page_layout,
    refused,
)
from node.admin.vouchers import qr_svg
from node.app.admin import AdminService
from node.app.admin_community import NodeRow, no_such_node
from node.app.admin_sessions import NAME_CHARS_MAX
from node.app.admin_signing import NOTE_CHARS_MAX, MadeInvite, OwnKey, SignRequest
from node.app.signing_refusals import no_such_admin, no_such_invite
from node.errors import Finding
from node.identity import NODE_ID_CHARS, human_form, key_from_raw, own_node_id
from node.translator import gettext_lazy, isolated
from node.units import NodeId

ADDRESS_CHARS_MAX = 60
ID_CHARS_MAX = 2 * NODE_ID_CHARS


@dataclass(frozen=True, slots=True)
class SignQuestion:
    """What is signed, in words."""

    title: str
    meaning: tuple[str, ...]
    action: str
    button: str
    fields: str = ""
    """``invite``, ``admin`` or ``decision`` for a form with fields of its own."""
    hidden: tuple[tuple[str, str], ...] = ()
    is_danger: bool = False
    needs_admin: bool = True
    """Whether only an admin of the community can sign it."""
    back: tuple[str, str] = ("/nodes", gettext_lazy("Nodes of the community"))
    """Path and title of the page that it belongs to."""


@dataclass(frozen=True, slots=True)
class SignPage:
    """One form that needs the passphrase."""

    template = "nodes_sign.html"
    frame: PageLayout
    question: SignQuestion
    form: FormView
    own: OwnKey

    @property
    def asks_earlier(self) -> bool:
        return bool(self.form.error("earlier"))


@dataclass(frozen=True, slots=True)
class OwnKeyPage:
    """The own key, and what it needs to sign."""

    template = "nodes_key.html"
    frame: PageLayout
    own: OwnKey

    @property
    def short(self) -> str:
        return human_form(NodeId(self.own.key)) if self.own.key else ""


@dataclass(frozen=True, slots=True)
class InvitePage:
    """A new invite, shown once. Only the slip is printed."""

    template = "nodes_invite.html"
    frame: PageLayout
    made: MadeInvite
    lang: str

    @property
    def qr_svg(self) -> str:
        """Of the link that a phone's camera opens on the set-up page of a new node."""
        return qr_svg(self.made.link, error="l")

    @property
    def short(self) -> str:
        return human_form(self.made.key)


@dataclass(frozen=True, slots=True)
class RecoveryPaperPage:
    """A new recovery key of the community, shown once. Only the slip is printed."""

    template = "nodes_paper.html"
    frame: PageLayout
    key: str
    short: str
    lang: str


class NodeFormViews:
    """Views for what is signed. Each answer to a form that was accepted is the page Nodes, or what is shown once."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._signing, self._community = backend, backend.signing, backend.community
        self._nodes = NodesViews(backend)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/nodes/node", self._ask_state),
            Route("POST", "/nodes/node", self._set_state),
            Route("GET", "/nodes/invite", self._ask_invite),
            Route("POST", "/nodes/invite", self._invite),
            Route("GET", "/nodes/invite/close", self._ask_close),
            Route("POST", "/nodes/invite/close", self._close),
            Route("GET", "/nodes/key", self._own_key),
            Route("POST", "/nodes/key", self._make_key),
            Route("GET", "/nodes/key/replace", self._ask_replace),
            Route("POST", "/nodes/key/replace", self._replace),
            Route("GET", "/nodes/admin", self._ask_admin),
            Route("POST", "/nodes/admin", self._add_admin),
            Route("GET", "/nodes/admin/remove", self._ask_remove_admin),
            Route("POST", "/nodes/admin/remove", self._remove_admin),
            Route("GET", "/nodes/key/lost", self._ask_lost),
            Route("POST", "/nodes/key/lost", self._replace_lost),
            Route("GET", "/nodes/secret", self._ask_secret),
            Route("POST", "/nodes/secret", self._new_secret),
            Route("GET", "/nodes/recovery", self._ask_paper),
            Route("POST", "/nodes/recovery", self._new_paper),
            Route("GET", "/nodes/record", self._ask_record),
            Route("POST", "/nodes/record", self._make_record),
            Route("POST", "/nodes/follow", self._follow),
        )

    # --- states of nodes ---

    async def _ask_state(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        question = self._state_question(request.query)
        return refused(question) if isinstance(question, Finding) else await self._ask(request, question)

    async def _set_state(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        question = self._state_question(request.fields)
        if isinstance(question, Finding):
            return refused(question)
        node, state = request.fields.get("id", ""), request.fields.get("do", "")
        wrong = await self._signing.set_state(sign_request(request), node, state)
        return await self._done(request, question, wrong, state)

    def _state_question(self, fields: Mapping[str, str]) -> SignQuestion | Finding:
        member = self._community.member(fields.get("id", "")[:ID_CHARS_MAX])
        if member is None:
            return no_such_node()
        question = state_question(self._community.row(member), fields.get("do", ""))
        return no_such_node() if question is None else question

    # --- invites ---

    async def _ask_invite(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self._ask(request, self._invite_question(request), FormView({"uses": "1"}))

    async def _invite(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        uses, address = form.whole("uses", 1, USES_MAX), read_typed_address(form, self._signing.port)
        ticket, note = request.fields.get("ticket", ""), form.line("note", NOTE_CHARS_MAX)
        if form.errors:
            return await self._ask(request, self._invite_question(request, ticket), form.view(), 422)
        made = await self._signing.invite(sign_request(request), uses, address, ticket, note)
        if isinstance(made, Finding):
            return await self._again(request, self._invite_question(request, ticket), made, form)
        site = self._backend.site()
        page = InvitePage(page_layout(request, site, "/nodes"), made, site.languages[0][0])
        return AdminResponse(page, is_heavy=True)

    def _invite_question(self, request: AdminRequest, ticket: str = "") -> SignQuestion:
        return SignQuestion(
            gettext_lazy("Invite a node"),
            (
                gettext_lazy(
                    "An invite is a text and a QR code for the person who sets up a new node. Any node of the community "
                    "lets it in, also without the Internet."
                ),
                gettext_lazy(
                    "A node that is in has the community’s secret. Give the invite only to that person."
                ),
            ),
            "/nodes/invite",
            gettext_lazy("Make the invite"),
            fields="invite",
            hidden=(("ticket", ticket or self._signing.invite_key(request.cookie)),),
        )

    async def _ask_close(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        question = self._close_question(request.query)
        return refused(question) if isinstance(question, Finding) else await self._ask(request, question)

    async def _close(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        question = self._close_question(request.fields)
        if isinstance(question, Finding):
            return refused(question)
        wrong = await self._signing.close_invite(sign_request(request), request.fields.get("key", ""))
        return await self._done(request, question, wrong, "closed")

    def _close_question(self, fields: Mapping[str, str]) -> SignQuestion | Finding:
        wanted = fields.get("key", "")[:ID_CHARS_MAX]
        view = next((each for each in self._community.overview().invites if each.invite.key == wanted), None)
        if view is None:
            return no_such_invite()
        return SignQuestion(
            gettext_lazy("Close the invite {invite}?", invite=human_form(view.invite.key)),
            (
                gettext_lazy("Nobody comes in with it any longer."),
                gettext_lazy("The nodes that came with it stay. Remove those that should not be in."),
            ),
            "/nodes/invite/close",
            gettext_lazy("Close the invite"),
            hidden=(("key", view.invite.key),),
            is_danger=True,
        )

    # --- keys ---

    async def _own_key(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        own = await self._signing.own_key(request.signed)
        if own.state == "no key":
            return await self._ask(request, _make_key_question())
        return AdminResponse(OwnKeyPage(page_layout(request, self._backend.site(), "/nodes"), own))

    async def _make_key(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        wrong = await self._signing.make_key(sign_request(request))
        if wrong is not None:
            return await self._again(request, _make_key_question(), wrong)
        return AdminRedirect("/nodes/key")

    async def _ask_replace(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self._ask(request, _replace_question())

    async def _replace(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        wrong = await self._signing.replace_key(sign_request(request))
        return await self._done(request, _replace_question(), wrong, "replaced")

    async def _ask_admin(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self._ask(request, _admin_question())

    async def _add_admin(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        key = form.line("admin", ID_CHARS_MAX, wanted=gettext_lazy("Write the id of the other admin’s key."))
        label = form.line("label", NAME_CHARS_MAX, wanted=gettext_lazy("Write a name, such as Ana."))
        if form.errors:
            return await self._ask(request, _admin_question(), form.view(), 422)
        wrong = await self._signing.add_admin(sign_request(request), key, label)
        return await self._done(request, _admin_question(), wrong, "admin", form)

    async def _ask_remove_admin(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        question = self._removal_question(request.query)
        return refused(question) if isinstance(question, Finding) else await self._ask(request, question)

    async def _remove_admin(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        question = self._removal_question(request.fields)
        if isinstance(question, Finding):
            return refused(question)
        wrong = await self._signing.remove_admin(sign_request(request), request.fields.get("key", ""))
        return await self._done(request, question, wrong, "no admin")

    def _removal_question(self, fields: Mapping[str, str]) -> SignQuestion | Finding:
        wanted = fields.get("key", "")[:ID_CHARS_MAX]
        admin = next((each for each in self._community.overview().admins if each.key == wanted), None)
        if admin is None:
            return no_such_admin()
        return SignQuestion(
            gettext_lazy("Remove the admin {name}?", name=isolated(admin.label)),
            (
                gettext_lazy("Their key signs nothing for the community any longer."),
                gettext_lazy("What it signed is signed again with yours, so no node leaves."),
                gettext_lazy("Their account on a node stays: remove that on the page Access."),
            ),
            "/nodes/admin/remove",
            gettext_lazy("Remove this admin"),
            hidden=(("key", admin.key),),
            is_danger=True,
        )

    async def _ask_lost(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self._ask(request, _lost_question())

    async def _replace_lost(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        wrong = await self._signing.make_key(sign_request(request), is_lost=True)
        if wrong is not None:
            return await self._again(request, _lost_question(), wrong)
        return AdminRedirect("/nodes/key")

    # --- the record ---

    async def _ask_secret(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self._ask(request, _secret_question())

    async def _new_secret(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        wrong = await self._signing.new_secret(sign_request(request))
        return await self._done(request, _secret_question(), wrong, "secret")

    async def _ask_paper(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self._ask(request, self._paper_question(request))

    async def _new_paper(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        ticket = request.fields.get("ticket", "")
        made = await self._signing.new_paper(sign_request(request), ticket)
        if isinstance(made, Finding):
            return await self._again(request, self._paper_question(request, ticket), made)
        return self._paper(request, made)

    def _paper(self, request: AdminRequest, secret: bytes) -> AdminResponse:
        site, key = self._backend.site(), own_node_id(key_from_raw(secret))
        page = RecoveryPaperPage(
            page_layout(request, site, "/nodes"), recovery_text(secret), human_form(key), site.languages[0][0]
        )
        return AdminResponse(page)

    def _paper_question(self, request: AdminRequest, ticket: str = "") -> SignQuestion:
        return SignQuestion(
            gettext_lazy("A new recovery key of the community"),
            (
                gettext_lazy(
                    "It is shown once, to be printed: it replaces the admins’ keys if they are lost."
                ),
                gettext_lazy("Earlier recovery keys count no longer: destroy the papers."),
            ),
            "/nodes/recovery",
            gettext_lazy("Make the recovery key"),
            hidden=(("ticket", ticket or self._signing.paper_key(request.cookie)),),
        )

    async def _ask_record(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self._ask(request, self._record_question(request))

    async def _make_record(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        ticket = request.fields.get("ticket", "")
        made = await self._signing.begin(sign_request(request), ticket)
        if isinstance(made, Finding):
            return await self._again(request, self._record_question(request, ticket), made)
        return self._paper(request, made)

    def _record_question(self, request: AdminRequest, ticket: str = "") -> SignQuestion:
        return SignQuestion(
            gettext_lazy("Make the community record"),
            (
                gettext_lazy(
                    "From then on admins invite and remove nodes for all nodes at once. Do it on one node only; the "
                    "others follow."
                ),
                gettext_lazy(
                    "Your key becomes the first admin. The nodes in this node’s settings become members."
                ),
                gettext_lazy(
                    "A recovery key is shown once afterwards, to be printed: it replaces the admins’ keys if they are lost."
                ),
            ),
            "/nodes/record",
            gettext_lazy("Make the community record"),
            hidden=(("ticket", ticket or self._signing.paper_key(request.cookie)),),
            needs_admin=False,
        )

    async def _follow(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        wrong = await self._signing.follow(request.fields.get("community", "")[: FOLLOWED_CHARS + 1])
        return refused(wrong) if wrong is not None else AdminRedirect("/nodes")

    # --- answers ---

    async def _ask(
        self, request: AdminRequest, question: SignQuestion, form: FormView | None = None, status: int = 200
    ) -> AdminResponse:
        own = await self._signing.own_key(request.signed)
        shown = form or FormView()
        values = {name: shown.value(name) for name in ("uses", "note", "address", "admin", "label")}
        page = SignPage(
            page_layout(request, self._backend.site(), "/nodes"),
            question,
            FormView(values, shown.errors),
            own,
        )
        return AdminResponse(page, status)

    async def _again(
        self, request: AdminRequest, question: SignQuestion, wrong: Finding, form: TypedForm | None = None
    ) -> AdminResponse:
        form = form or TypedForm(request.fields)
        form.take([wrong], wrong.code)
        return await self._ask(request, question, form.view(), 422)

    async def _done(
        self,
        request: AdminRequest,
        question: SignQuestion,
        wrong: Finding | None,
        notice: str,
        form: TypedForm | None = None,
    ) -> AdminResponse:
        if wrong is not None:
            return await self._again(request, question, wrong, form)
        return await self._nodes.page(request, notice=notice)


def state_question(row: NodeRow, state: str) -> SignQuestion | None:
    """None for an unknown state."""
    name = isolated(row.name or row.short)
    match state:
        case "suspended":
            title = gettext_lazy("Suspend {name}?", name=name)
            meaning = [
                gettext_lazy("All other nodes end their connections to it within seconds."),
                gettext_lazy("It stays in the list, and an admin can take it back."),
            ]
            button = gettext_lazy("Suspend")
        case "removed":
            title = gettext_lazy("Remove {name} from the community?", name=name)
            meaning = [
                gettext_lazy("All other nodes end their connections to it within seconds."),
                gettext_lazy(
                    "It may still hold copies of what it received, and it knows the community’s secret."
                ),
            ]
            if row.invite:
                meaning.append(
                    gettext_lazy(
                        "It came with the invite {invite}: close that too, or the same person can bring another node in.",
                        invite=row.invite,
                    )
                )
            button = gettext_lazy("Remove")
        case "active":
            title = gettext_lazy("Take {name} back?", name=name)
            meaning = [gettext_lazy("All other nodes let it in again within seconds.")]
            button = gettext_lazy("Take it back")
        case _:
            return None
    if row.is_own and state != "active":
        meaning.append(
            gettext_lazy("This is the node that you are using: only from another node can it be taken back.")
        )
    hidden = (("id", row.member.node), ("do", state))
    return SignQuestion(
        title, tuple(meaning), "/nodes/node", button, hidden=hidden, is_danger=state != "active"
    )


def read_typed_address(form: TypedForm, port: int) -> Address | None:
    """The address field of a form, which may be empty; `form.errors` says what is wrong."""
    text = form.line("address", ADDRESS_CHARS_MAX)
    if not text or form.errors:
        return None
    address = read_address(text, port)
    if address is None:
        form.refuse("address", gettext_lazy("Write it as 10.0.0.1:7400, or as [fd00::1]:7400 for IPv6."))
    return address


def _make_key_question() -> SignQuestion:
    return SignQuestion(
        gettext_lazy("My key"),
        (
            gettext_lazy(
                "To sign for the community you need a key. This node keeps it encrypted with your passphrase, and asks for "
                "the passphrase each time."
            ),
        ),
        "/nodes/key",
        gettext_lazy("Make my key"),
        needs_admin=False,
    )


def _replace_question() -> SignQuestion:
    return SignQuestion(
        gettext_lazy("Replace my key?"),
        (
            gettext_lazy("A new key takes the place of yours, and the old one signs nothing any longer."),
            gettext_lazy("Do this if someone may have learned your passphrase or copied your key."),
        ),
        "/nodes/key/replace",
        gettext_lazy("Replace my key"),
        is_danger=True,
    )


def _lost_question() -> SignQuestion:
    return SignQuestion(
        gettext_lazy("A new key because the old one is lost"),
        (
            gettext_lazy("Do this if you no longer know the passphrase that opens your key."),
            gettext_lazy(
                "The old key is deleted here. An admin of the community must add the new one and remove the old one."
            ),
            gettext_lazy("If there is no other admin, use the recovery key on paper."),
        ),
        "/nodes/key/lost",
        gettext_lazy("Make a new key"),
        is_danger=True,
        needs_admin=False,
    )


def _secret_question() -> SignQuestion:
    return SignQuestion(
        gettext_lazy("A new secret of the community"),
        (
            gettext_lazy("Do this after a node was removed: it still knows the secret of before."),
            gettext_lazy("All nodes take the new secret from each other, without a restart."),
        ),
        "/nodes/secret",
        gettext_lazy("Make a new secret"),
    )


def _admin_question() -> SignQuestion:
    return SignQuestion(
        gettext_lazy("Another admin of the community"),
        (
            gettext_lazy(
                "The other person makes a key on the page “My key” of their node, and tells you its id. Compare it before "
                "you sign."
            ),
        ),
        "/nodes/admin",
        gettext_lazy("Add this admin"),
        fields="admin",
    )


def sign_request(request: AdminRequest) -> SignRequest:
    """The session, and what was typed into the fields for passphrases."""
    passphrase, earlier = (
        request.fields.get(each, "")[: PASSPHRASE_CHARS_MAX + 1] for each in ("passphrase", "earlier")
    )
    return SignRequest(request.cookie, request.client, passphrase, earlier)
